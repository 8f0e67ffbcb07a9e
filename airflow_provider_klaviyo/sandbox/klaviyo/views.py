# SPDX-License-Identifier: Apache-2.0
"""What is shown of a profile, a list, a metric."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_klaviyo.sandbox.klaviyo import documents, people
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Call
from airflow_provider_klaviyo.sandbox.klaviyo.database import iso, iso_seconds
from airflow_provider_klaviyo.sandbox.klaviyo.problems import not_found
from airflow_provider_klaviyo.sandbox.klaviyo.subscriptions import subscriptions

Json = dict[str, Any]
PROFILE = "p.id, p.email, p.phone_number, p.external_id, p.anonymous_id, p.created, p.updated, p.last_event, p.attributes"
LIST = "l.id, l.name, l.opt_in_process, l.created, l.updated"
METRIC = "m.id, m.name, m.service, m.created"


def profile(call: Call, row: Sequence[Any], *, joined: int | None = None, written: bool = False, **shape: Any) -> Json:
    """
    Return a profile.

    :param call: The request: its fields.
    :param row: The :data:`PROFILE`.
    :param joined: When it joined the list that is read.
    :param written: Whether it was changed just now, when the time of change is told more exactly.
    :param shape: More for :func:`documents.resource`.
    """
    identifier, email, phone, external, anonymous, created, updated, last_event, text = row
    own = json.loads(text)
    attributes: Json = {
        "email": email,
        "phone_number": phone,
        "external_id": external,
        "anonymous_id": anonymous,
        "whatsapp_bsuid": None,
        **{name: own.get(name) for name in people.PLAIN},
        "created": iso_seconds(created),
        "updated": iso(updated) if written else iso_seconds(updated),
        "last_event_date": iso_seconds(last_event) if last_event is not None else None,
        "location": {name: own.get("location", {}).get(name) for name in documents.LOCATION},
        "properties": own.get("properties", {}),
    }
    if joined is not None:
        attributes["joined_group_at"] = iso_seconds(joined)
    fields = call.fields("profile")
    wanted = {*call.query.additional.get("profile", ()), *(each.partition(".")[0] for each in fields or ())}
    if "subscriptions" in wanted:
        attributes["subscriptions"] = subscriptions(call.state.db, identifier)
    if "predictive_analytics" in wanted:
        attributes["predictive_analytics"] = dict.fromkeys(documents.PREDICTIVE)
    return documents.resource(call.base, "profile", identifier, documents.pick(attributes, fields), **shape)


def load_profile(call: Call, profile_id: str) -> Sequence[Any]:
    """Read a profile's :data:`PROFILE`, or refuse with 404."""
    row = call.state.db.execute(f"SELECT {PROFILE} FROM profiles p WHERE p.id = ?", (profile_id,)).fetchone()  # noqa: S608 - our own names
    if row is None:
        raise not_found(f"A profile with id {profile_id} does not exist.")
    return row  # type: ignore[no-any-return]


def list_(call: Call, row: Sequence[Any], *, written: bool = False, data: Mapping[str, list[Json]] | None = None) -> Json:
    """
    Return a list.

    :param call: The request: its fields.
    :param row: The :data:`LIST`.
    :param written: Whether it was changed just now, when the time of change is told more exactly.
    :param data: Identifiers of what is included with it, by relationship.
    """
    identifier, name, opt_in, created, updated = row
    attributes: Json = {
        "name": name,
        "created": iso_seconds(created),
        "updated": iso(updated) if written else iso_seconds(updated),
        "opt_in_process": opt_in,
    }
    if "profile_count" in (*call.query.additional.get("list", ()), *(call.query.fields.get("list") or ())):
        count = "SELECT count(*) FROM members WHERE list_id = ?"
        attributes["profile_count"] = call.state.db.execute(count, (identifier,)).fetchone()[0]
    return documents.resource(call.base, "list", identifier, documents.pick(attributes, call.fields("list")), data=data)


def load_list(call: Call, list_id: str) -> Sequence[Any]:
    """Read a list's :data:`LIST`, or refuse with 404."""
    row = call.state.db.execute(f"SELECT {LIST} FROM lists l WHERE l.id = ?", (list_id,)).fetchone()  # noqa: S608 - our own names
    if row is None:
        raise not_found(f"A list with id `{list_id}` does not exist.")
    return row  # type: ignore[no-any-return]


def lists_of(call: Call, profile_id: str) -> list[Json]:
    """Return the lists that a profile is in."""
    sql = f"SELECT {LIST} FROM members m JOIN lists l ON l.id = m.list_id WHERE m.profile_id = ? ORDER BY l.id"  # noqa: S608 - our own names
    return [list_(call, row) for row in call.state.db.execute(sql, (profile_id,))]


def metric(call: Call, row: Sequence[Any], *, include: Sequence[str] = ()) -> Json:
    """Return a metric, made from the :data:`METRIC` columns."""
    identifier, name, service, created = row
    attributes = {
        "name": name,
        "created": iso_seconds(created),
        "updated": iso_seconds(created),
        "integration": {"object": "integration", "id": "7SandB", "key": service, "name": service.upper(), "category": "API"},
    }
    data: dict[str, list[Json]] = {word: [] for word in include}
    return documents.resource(call.base, "metric", identifier, documents.pick(attributes, call.fields("metric")), data=data)


def load_metric(call: Call, metric_id: str) -> Sequence[Any]:
    """Read a metric's :data:`METRIC` columns, or refuse with 404."""
    row = call.state.db.execute(f"SELECT {METRIC} FROM metrics m WHERE m.id = ?", (metric_id,)).fetchone()  # noqa: S608 - our own names
    if row is None:
        raise not_found(f"Metric with id {metric_id} does not exist.")
    return row  # type: ignore[no-any-return]

# SPDX-License-Identifier: Apache-2.0
"""JSON:API documents as Klaviyo writes them: ``links`` on everything, sparse fields, included resources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]

PLURAL = {
    "account": "accounts",
    "event": "events",
    "list": "lists",
    "metric": "metrics",
    "profile": "profiles",
    "profile-bulk-import-job": "profile-bulk-import-jobs",
}
RELATED = {
    "event": ("profile", "metric"),
    "list": ("profiles", "tags", "flow-triggers"),
    "metric": ("flow-triggers",),
    "profile": ("lists", "segments", "push-tokens", "conversation"),
    "profile-bulk-import-job": ("lists", "profiles", "import-errors"),
}
LOCATION = ("address1", "address2", "city", "country", "latitude", "longitude", "region", "zip", "timezone", "ip")
PREDICTIVE = (
    "historic_number_of_orders",
    "predicted_number_of_orders",
    "average_days_between_orders",
    "average_order_value",
    "historic_clv",
    "predicted_clv",
    "total_clv",
    "churn_probability",
    "expected_date_of_next_order",
    "ranked_channel_affinity",
)

#: What ``fields[type]`` may name. A dot leads into an object.
FIELDS: Mapping[str, frozenset[str]] = {
    "account": frozenset(
        {"contact_information", "id", "industry", "locale", "preferred_currency", "public_api_key", "test_account", "timezone"}
        | {
            f"contact_information.{each}"
            for each in ("default_sender_email", "default_sender_name", "organization_name", "street_address", "website_url")
        }
        | {f"contact_information.street_address.{each}" for each in ("address1", "address2", "city", "country", "region", "zip")}
    ),
    "attribution": frozenset({"id"}),
    "conversation": frozenset({"channel", "id"}),
    "event": frozenset({"datetime", "event_properties", "id", "timestamp", "uuid"}),
    "flow": frozenset({"archived", "created", "id", "name", "status", "trigger_type", "updated"}),
    "import-error": frozenset({"code", "detail", "id", "original_payload", "source", "source.pointer", "title"}),
    "list": frozenset({"created", "id", "name", "opt_in_process", "updated", "profile_count"}),
    "metric": frozenset({"created", "id", "integration", "name", "updated"}),
    "profile": frozenset(
        {"created", "email", "external_id", "first_name", "id", "image", "joined_group_at", "last_event_date", "last_name", "locale"}
        | {"location", "organization", "phone_number", "predictive_analytics", "properties", "subscriptions", "title", "updated"}
        | {f"location.{each}" for each in LOCATION}
        | {f"predictive_analytics.{each}" for each in PREDICTIVE}
    ),
    "profile-bulk-import-job": frozenset(
        {"completed_at", "completed_count", "created_at", "expires_at", "failed_count", "id", "started_at", "status", "total_count"}
    ),
    "push-token": frozenset(
        {"background", "created", "enablement_status", "id", "metadata", "platform", "recorded_date", "token", "vendor"}
    ),
    "segment": frozenset({"created", "definition", "id", "is_active", "is_processing", "is_starred", "name", "updated"}),
    "tag": frozenset({"id", "name"}),
}


def known_field(kind: str, name: str) -> bool:
    """Tell whether a field may be asked for."""
    return name in FIELDS[kind] or (kind == "profile" and name.startswith("subscriptions."))


def pick(attributes: Json, fields: Iterable[str] | None) -> Json:
    """Return the attributes that are asked for, all of them for ``None``."""
    if fields is None:
        return attributes
    chosen: Json = {}
    for path in fields:
        *parents, name = path.split(".")
        source, target = attributes, chosen
        for parent in parents:
            source = source.get(parent) or {}
            target = target.setdefault(parent, {})
        if name in source:
            target[name] = source[name]
    return chosen


def identity(kind: str, identifier: str) -> Json:
    """Return a resource identifier."""
    return {"type": kind, "id": identifier}


def resource(
    base: str,
    kind: str,
    identifier: str,
    attributes: Json,
    *,
    data: Mapping[str, Any] | None = None,
    rename: Mapping[str, str] | None = None,
) -> Json:
    """
    Return a resource.

    :param base: Scheme and host of its links.
    :param kind: Its type.
    :param identifier: Its id.
    :param attributes: Its attributes, already picked.
    :param data: Identifiers of related resources; a relationship without has links only.
    :param rename: Other names of relationships: some operations say ``conversations``.
    """
    here = f"{base}/api/{PLURAL[kind]}/{identifier}"
    entry: Json = {"type": kind, "id": identifier, "attributes": attributes}
    if kind in RELATED:
        names = [(rename or {}).get(name, name) for name in RELATED[kind]]
        entry["relationships"] = {name: _relationship(here, name, data) for name in names}
    entry["links"] = {"self": f"{here}/"}
    return entry


def _relationship(here: str, name: str, data: Mapping[str, Any] | None) -> Json:
    links = {"self": f"{here}/relationships/{name}/", "related": f"{here}/{name}/"}
    if name == "import-errors":
        return {"links": {"related": links["related"]}}
    return {"data": data[name], "links": links} if data and name in data else {"links": links}

# SPDX-License-Identifier: Apache-2.0
"""``/api/profiles`` and ``/api/profile-import``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_klaviyo.sandbox.klaviyo import checks, documents, lists, people
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Answer, Call, answers
from airflow_provider_klaviyo.sandbox.klaviyo.database import iso, iso_seconds
from airflow_provider_klaviyo.sandbox.klaviyo.listing import Where, read_page
from airflow_provider_klaviyo.sandbox.klaviyo.problems import Problem, Refused, not_found
from airflow_provider_klaviyo.sandbox.klaviyo.subscriptions import subscriptions

Json = dict[str, Any]
COLUMNS = "p.id, p.email, p.phone_number, p.external_id, p.anonymous_id, p.created, p.updated, p.last_event, p.consent, p.attributes"
ADDITIONAL = {"profile": ("subscriptions", "predictive_analytics")}
PLURAL = {"conversation": "conversations"}
SORTS = {"id": "p.id", "created": "p.created", "updated": "p.updated", "email": "COALESCE(p.email, '')"}


def render(call: Call, row: Sequence[Any], *, joined: int | None = None, written: bool = False, **shape: Any) -> Json:
    """
    Return a profile.

    :param call: The request: its fields.
    :param row: The :data:`COLUMNS`.
    :param joined: When it joined the list that is read.
    :param written: Whether it was changed just now, when the time of change is told more exactly.
    :param shape: More for :func:`documents.resource`.
    """
    identifier, email, phone, external, anonymous, created, updated, last_event, consent, text = row
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
        attributes["subscriptions"] = subscriptions(json.loads(consent) if consent else None)
    if "predictive_analytics" in wanted:
        attributes["predictive_analytics"] = dict.fromkeys(documents.PREDICTIVE)
    return documents.resource(call.base, "profile", identifier, documents.pick(attributes, fields), **shape)


def load(call: Call, profile_id: str) -> Sequence[Any]:
    """Read a profile's :data:`COLUMNS`, or refuse with 404."""
    row = call.state.db.execute(f"SELECT {COLUMNS} FROM profiles p WHERE p.id = ?", (profile_id,)).fetchone()  # noqa: S608 - our own names
    if row is None:
        raise not_found(f"A profile with id {profile_id} does not exist.")
    return row  # type: ignore[no-any-return]


@answers("get_profiles", fields=("profile", "conversation", "push-token"), include=("conversations", "push-tokens"), additional=ADDITIONAL)
def get_profiles(call: Call) -> Answer:
    """List profiles."""
    where = Where()
    for term in call.query.terms:
        match term.field:
            case "created" | "updated":
                where.moment(f"p.{term.field}", term)
            case "id" | "email" | "phone_number" | "external_id":
                where.text(f"p.{term.field}", term, lower=term.field == "email")
            case _:
                where.add("0")  # nobody is suppressed here, nobody was tracked
    sort = SORTS.get(call.query.sort or "id", "p.id")
    rows, following = read_page(
        call, source="profiles p", columns=COLUMNS, where=where, key=sort, identifier="p.id", descending=call.query.descending
    )
    related = _empty(call.query.include)
    data = [render(call, row, rename=PLURAL, data=related) for row in rows]
    return Answer(200, call.page(data, following, [] if call.query.include else None))


@answers(
    "get_profile",
    fields=("profile", "conversation", "push-token", "list", "segment"),
    include=("conversations", "push-tokens", "lists", "segments"),
    additional=ADDITIONAL,
)
def get_profile(call: Call) -> Answer:
    """Read one profile."""
    row = load(call, call.ids[0])
    related: dict[str, Any] = dict(_empty(call.query.include))
    included = []
    if "lists" in call.query.include:
        included = lists.of_profile(call, call.ids[0])
        related["lists"] = [documents.identity("list", each["id"]) for each in included]
    data = render(call, row, rename=PLURAL, data=related)
    return Answer(200, call.document(data, included if call.query.include else None))


@answers("create_profile", fields=("profile",), additional=ADDITIONAL)
def create_profile(call: Call) -> Answer:
    """Make a profile, or refuse with 409 where there is one."""
    row = _body(call, meta=False)
    try:
        with call.state.transaction():
            profile_id = people.create(call.state.db, row, call.state.now())
    except people.Conflict as conflict:
        raise _duplicate(conflict) from None
    return Answer(201, call.document(render(call, load(call, profile_id), written=True)))


@answers("create_or_update_profile", fields=("profile",), additional=ADDITIONAL)
def create_or_update_profile(call: Call) -> Answer:
    """Make or change a profile."""
    row = _body(call)
    try:
        with call.state.transaction():
            profile_id, made = people.upsert(call.state.db, row, call.state.now())
    except people.Conflict as conflict:
        raise _duplicate(conflict) from None
    except people.Unknown:
        raise not_found(f"A profile with id {row['id']} does not exist.") from None
    return Answer(201 if made else 200, call.document(render(call, load(call, profile_id), written=True)))


@answers("update_profile", fields=("profile",), additional=ADDITIONAL)
def update_profile(call: Call) -> Answer:
    """Change a profile by id."""
    row = _body(call, identified=False)
    if row.get("id") != call.ids[0]:
        raise Refused(400, "invalid", Problem("The id in the body must be that of the path.", "/data/id"))
    load(call, call.ids[0])
    try:
        with call.state.transaction():
            people.update(call.state.db, call.ids[0], row, call.state.now())
    except people.Conflict as conflict:
        raise _duplicate(conflict) from None
    return Answer(200, call.document(render(call, load(call, call.ids[0]), written=True)))


def _body(call: Call, *, meta: bool = True, identified: bool = True) -> Json:
    problems: list[Problem] = []
    if checks.keys(call.body, "", problems, required=("data",)):
        checks.profile(call.body["data"], "/data", problems, meta=meta, identified=identified)
    call.refuse(problems)
    return call.body["data"]  # type: ignore[no-any-return]


def _duplicate(conflict: people.Conflict) -> Refused:
    detail = "A profile already exists with one of these identifiers."
    return Refused(409, "duplicate_profile", Problem(detail, "/data/attributes", meta={"duplicate_profile_id": conflict.holder}))


def _empty(include: Sequence[str]) -> Mapping[str, list[Json]]:
    return {name: [] for name in include}

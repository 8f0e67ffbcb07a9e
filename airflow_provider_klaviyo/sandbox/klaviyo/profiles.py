# SPDX-License-Identifier: Apache-2.0
"""``/api/profiles`` and ``/api/profile-import``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_klaviyo.sandbox.klaviyo import checks, documents, people, views
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Answer, Call, answers
from airflow_provider_klaviyo.sandbox.klaviyo.filters import Term
from airflow_provider_klaviyo.sandbox.klaviyo.listing import Where, read_page
from airflow_provider_klaviyo.sandbox.klaviyo.problems import Problem, Refused, invalid, not_found

Json = dict[str, Any]
PLURAL = {"conversation": "conversations"}
MARKETING = "subscriptions.email.marketing."
LATEST = "COALESCE((SELECT max(s.at) FROM suppressions s WHERE s.profile_id = p.id AND s.list_id {} ''), 0)"
SORTS = {
    "id": "p.id",
    "created": "p.created",
    "updated": "p.updated",
    "email": "COALESCE(p.email, '')",
    f"{MARKETING}suppression.timestamp": LATEST.format("="),
    f"{MARKETING}list_suppressions.timestamp": LATEST.format("!="),
}


@answers("get_profiles")
def get_profiles(call: Call) -> Answer:
    """List profiles."""
    where = Where()
    for term in call.query.terms:
        match term.field:
            case "created" | "updated":
                where.moment(f"p.{term.field}", term)
            case "id" | "email" | "phone_number" | "external_id":
                where.text(f"p.{term.field}", term, lower=term.field == "email")
            case "_kx":
                where.add("0")  # nobody was tracked
    _suppressed(where, [term for term in call.query.terms if term.field.startswith(MARKETING)])
    sort = SORTS[call.query.sort or "id"]
    rows, following = read_page(
        call, source="profiles p", columns=views.PROFILE, where=where, key=sort, identifier="p.id", descending=call.query.descending
    )
    related = _empty(call.query.include)
    data = [views.profile(call, row, rename=PLURAL, data=related) for row in rows]
    return Answer(200, call.page(data, following, [] if call.query.include else None))


@answers("get_profile")
def get_profile(call: Call) -> Answer:
    """Read one profile."""
    row = views.load_profile(call, call.ids[0])
    related: dict[str, Any] = dict(_empty(call.query.include))
    included = []
    if "lists" in call.query.include:
        included = views.lists_of(call, call.ids[0])
        related["lists"] = [documents.identity("list", each["id"]) for each in included]
    data = views.profile(call, row, rename=PLURAL, data=related)
    return Answer(200, call.document(data, included if call.query.include else None))


@answers("create_profile")
def create_profile(call: Call) -> Answer:
    """Make a profile, or refuse with 409 where there is one."""
    row = _body(call, meta=False)
    try:
        with call.state.transaction():
            profile_id = people.create(call.state, row, call.state.now())
    except people.Conflict as conflict:
        raise _duplicate(conflict) from None
    return Answer(201, call.document(views.profile(call, views.load_profile(call, profile_id), written=True)))


@answers("create_or_update_profile")
def create_or_update_profile(call: Call) -> Answer:
    """Make or change a profile."""
    row = _body(call)
    try:
        with call.state.transaction():
            profile_id, made = people.upsert(call.state, row, call.state.now())
    except people.Conflict as conflict:
        raise _duplicate(conflict) from None
    except people.Unknown:
        raise not_found(f"A profile with id {row['id']} does not exist.") from None
    return Answer(201 if made else 200, call.document(views.profile(call, views.load_profile(call, profile_id), written=True)))


@answers("update_profile")
def update_profile(call: Call) -> Answer:
    """Change a profile by id."""
    row = _body(call, identified=False)
    if row.get("id") != call.ids[0]:
        raise Refused(400, "invalid", Problem("The id in the body must be that of the path.", "/data/id"))
    views.load_profile(call, call.ids[0])
    try:
        with call.state.transaction():
            people.update(call.state, call.ids[0], row, call.state.now())
    except people.Conflict as conflict:
        raise _duplicate(conflict) from None
    return Answer(200, call.document(views.profile(call, views.load_profile(call, call.ids[0]), written=True)))


def _suppressed(where: Where, terms: Sequence[Term]) -> None:
    """Keep who is suppressed as the terms say: one suppression of theirs has to meet them all."""
    named = [term.field.removeprefix(MARKETING).partition(".") for term in terms]
    kinds, fields = {kind for kind, *_ in named}, [field for *_, field in named]
    if len(kinds) > 1 or fields.count("timestamp") > 1:
        raise invalid("A filter takes one date, and either list or global suppressions.", parameter="filter")
    if not terms:
        return
    one = Where()
    if kinds == {"suppression"}:
        one.add("s.list_id = ''")
    elif "list_id" not in fields:
        raise invalid("A filter on list suppressions needs a list_id.", parameter="filter")
    for field, term in zip(fields, terms, strict=True):
        if field == "timestamp":
            one.moment("s.at", term)
        else:
            one.text(f"s.{field}", term)
    where.add(f"EXISTS (SELECT 1 FROM suppressions s WHERE s.profile_id = p.id AND {' AND '.join(one.clauses)})", *one.values)  # noqa: S608


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

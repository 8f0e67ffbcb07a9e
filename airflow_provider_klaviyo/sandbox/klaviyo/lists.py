# SPDX-License-Identifier: Apache-2.0
"""``/api/lists``: lists, and who is in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_klaviyo.sandbox.klaviyo import checks, documents, membership, views
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Answer, Call, answers
from airflow_provider_klaviyo.sandbox.klaviyo.database import token
from airflow_provider_klaviyo.sandbox.klaviyo.listing import Where, read_page
from airflow_provider_klaviyo.sandbox.klaviyo.problems import Problem, invalid
from airflow_provider_klaviyo.sandbox.klaviyo.tags import included, tags_of

Json = dict[str, Any]
OPT_IN = ("double_opt_in", "single_opt_in")
MEMBERS_A_CALL = 1000


@answers("get_lists")
def get_lists(call: Call) -> Answer:
    """List lists."""
    where = Where()
    where.add("l.created <= ?", call.state.listed_until())
    for term in call.query.terms:
        if term.field in {"created", "updated"}:
            where.moment(f"l.{term.field}", term)
        else:
            where.text(f"l.{term.field}", term)
    rows, following = read_page(
        call,
        source="lists l",
        columns=views.LIST,
        where=where,
        key=f"l.{call.query.sort or 'id'}",
        identifier="l.id",
        descending=call.query.descending,
    )
    return Answer(200, call.page([_show(call, row) for row in rows], following, included(call, "lists", (row[0] for row in rows))))


@answers("get_list")
def get_list(call: Call) -> Answer:
    """Read one list."""
    row = views.load_list(call, call.ids[0])
    return Answer(200, call.document(_show(call, row), included(call, "lists", call.ids)))


@answers("create_list")
def create_list(call: Call) -> Answer:
    """Make a list."""
    given = _body(call, required=("name",))
    list_id, now = token(6), call.state.now()
    row = (list_id, given["name"], given.get("opt_in_process") or "single_opt_in", now, now)
    call.state.db.execute("INSERT INTO lists VALUES (?, ?, ?, ?, ?)", row)
    return Answer(201, call.document(views.list_(call, row, written=True)))


@answers("update_list")
def update_list(call: Call) -> Answer:
    """Change a list's name or opt-in process."""
    given = _body(call, identifier=call.ids[0])
    _, name, opt_in, created, _ = views.load_list(call, call.ids[0])
    row = (call.ids[0], given.get("name") or name, given.get("opt_in_process") or opt_in, created, call.state.now())
    call.state.db.execute("REPLACE INTO lists VALUES (?, ?, ?, ?, ?)", row)
    return Answer(200, call.document(views.list_(call, row, written=True)))


@answers("delete_list")
def delete_list(call: Call) -> Answer:
    """Delete a list; the profiles stay."""
    views.load_list(call, call.ids[0])
    with call.state.transaction():
        call.state.db.execute("DELETE FROM lists WHERE id = ?", call.ids)
        call.state.db.execute("DELETE FROM members WHERE list_id = ?", call.ids)
    return Answer(204)


@answers("get_profiles_for_list")
def get_profiles_for_list(call: Call) -> Answer:
    """List the profiles of a list."""
    return membership.profiles(call, "members", _members(call))


@answers("get_profile_ids_for_list")
def get_profile_ids_for_list(call: Call) -> Answer:
    """List the ids of a list's profiles."""
    return membership.ids(call, "members", _members(call))


@answers("add_profiles_to_list")
def add_profiles_to_list(call: Call) -> Answer:
    """Put profiles into a list, those that are in it included."""
    ids, now = _profile_ids(call), call.state.now()
    with call.state.transaction():
        call.state.db.executemany("INSERT OR IGNORE INTO members VALUES (?, ?, ?)", [(call.ids[0], each, now) for each in ids])
    return Answer(204)


@answers("remove_profiles_from_list")
def remove_profiles_from_list(call: Call) -> Answer:
    """Take profiles out of a list, those that are not in it included."""
    ids = _profile_ids(call)
    with call.state.transaction():
        call.state.db.executemany("DELETE FROM members WHERE list_id = ? AND profile_id = ?", [(call.ids[0], each) for each in ids])
    return Answer(204)


def _show(call: Call, row: Sequence[Any]) -> Json:
    """Return a list, with the identifiers of its tags where they are included; no flow is triggered by it."""
    related: dict[str, list[Json]] = {name: [] for name in call.query.include}
    if "tags" in related:
        related["tags"] = [documents.identity("tag", each.id) for each in tags_of(call.state, "lists", row[0])]
    return views.list_(call, row, data=related)


def _members(call: Call) -> Where:
    views.load_list(call, call.ids[0])
    where = Where()
    where.add("m.list_id = ?", call.ids[0])
    return where


def _profile_ids(call: Call) -> list[str]:
    views.load_list(call, call.ids[0])
    problems: list[Problem] = []
    named = checks.keys(call.body, "", problems, required=("data",))
    if named and checks.items(call.body["data"], "/data", problems, at_most=MEMBERS_A_CALL, noun="profile"):
        for at, each in enumerate(call.body["data"]):
            if checks.keys(each, f"/data/{at}", problems, required=("type", "id")):
                checks.typed(each["type"], "profile", f"/data/{at}", problems)
                if not isinstance(each["id"], str):
                    problems.append(Problem("Expected a string.", f"/data/{at}/id"))
    call.refuse(problems)
    ids = [each["id"] for each in call.body["data"]]
    for each in ids:
        views.load_profile(call, each)
    return ids


def _body(call: Call, *, required: Sequence[str] = (), identifier: str | None = None) -> Json:
    problems: list[Problem] = []
    names = ("type", "attributes") if identifier is None else ("type", "id", "attributes")
    if checks.keys(call.body, "", problems, required=("data",)) and checks.keys(call.body["data"], "/data", problems, required=names):
        checks.typed(call.body["data"]["type"], "list", "/data", problems)
        given = call.body["data"]["attributes"]
        optional = [each for each in ("name", "opt_in_process") if each not in required]
        if checks.keys(given, "/data/attributes", problems, required=required, optional=optional):
            name, opt_in = given.get("name"), given.get("opt_in_process")
            if "name" in required and (not isinstance(name, str) or not name.strip()):
                problems.append(Problem("Expected a string that is not empty.", "/data/attributes/name"))
            elif name is not None and not isinstance(name, str):
                problems.append(Problem("Expected a string.", "/data/attributes/name"))
            if opt_in is not None and opt_in not in OPT_IN:
                problems.append(Problem(f"Must be one of {', '.join(OPT_IN)}.", "/data/attributes/opt_in_process"))
    call.refuse(problems)
    if identifier is not None and call.body["data"]["id"] != identifier:
        raise invalid("The id in the body must be that of the path.", "/data/id")
    return call.body["data"]["attributes"]  # type: ignore[no-any-return]

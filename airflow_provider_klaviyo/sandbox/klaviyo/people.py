# SPDX-License-Identifier: Apache-2.0
"""Who is who: profiles found by their identifiers, made, changed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_klaviyo.sandbox.klaviyo.checks import compact
from airflow_provider_klaviyo.sandbox.klaviyo.database import ulid

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.klaviyo.state import KlaviyoState

Row = dict[str, Any]
COLUMNS = ("email", "phone_number", "external_id", "anonymous_id")  # in this order one of them decides who it is
PLAIN = ("first_name", "last_name", "organization", "locale", "title", "image")
ABOUT = ("consents", "suppressions", "members", "events", "job_profiles")
BY_COLUMN = {name: f"SELECT id FROM profiles WHERE {name} = ?" for name in COLUMNS}  # noqa: S608 - our own names


class Conflict(Exception):  # noqa: N818 - it is an answer, not a failure
    """
    An identifier belongs to another profile.

    :param name: The identifier, such as ``phone_number``.
    :param holder: Id of the profile that has it.
    """

    def __init__(self, name: str, holder: str) -> None:
        super().__init__(name)
        self.name, self.holder = name, holder


class Unknown(Exception):  # noqa: N818 - it is an answer, not a failure
    """No profile has the id."""


def identifiers(attributes: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the identifiers that are named, as they are kept: addresses in lower case."""
    named = {name: attributes[name] for name in COLUMNS if name in attributes}
    if named.get("email"):
        named["email"] = named["email"].lower()
    return named


def holders(db: sqlite3.Connection, named: Mapping[str, str | None]) -> dict[str, str]:
    """Return which profile has which of the identifiers."""
    found = {name: db.execute(BY_COLUMN[name], (value,)).fetchone() for name, value in named.items() if value}
    return {name: row[0] for name, row in found.items() if row}


def create(state: KlaviyoState, row: Row, now: int) -> str:
    """
    Make a profile.

    :returns: Its id.
    :raises Conflict: An identifier is taken.
    """
    named = identifiers(row["attributes"])
    for name, holder in holders(state.db, named).items():
        raise Conflict(name, holder)
    return _insert(state, named, row, now)


def upsert(state: KlaviyoState, row: Row, now: int, *, lenient: bool = False) -> tuple[str, bool]:
    """
    Change the profile that has the identifiers, or make one.

    :param state: The account.
    :param row: A resource object that passed the checks.
    :param now: Microseconds since 1970.
    :param lenient: Leave identifiers that belong to somebody else, as events do, where otherwise there is a conflict.
    :returns: The profile's id, and whether it was made.
    :raises Conflict: The identifiers belong to different profiles.
    :raises Unknown: No profile has the row's id.
    """
    named = identifiers(row["attributes"])
    held = holders(state.db, named)
    given = row.get("id")
    if given and not state.db.execute("SELECT 1 FROM profiles WHERE id = ?", (given,)).fetchone():
        raise Unknown(given)
    chosen = given or next((held[name] for name in COLUMNS if name in held), None)
    if chosen is None:
        return _insert(state, named, row, now), True
    foreign = [(name, holder) for name, holder in held.items() if holder != chosen]
    if foreign and not lenient:
        raise Conflict(*foreign[0])
    update(state, chosen, {**row, "attributes": {k: v for k, v in row["attributes"].items() if k not in dict(foreign)}}, now)
    return chosen, False


def update(state: KlaviyoState, profile_id: str, row: Row, now: int) -> None:
    """
    Change a profile: what is absent stays, what is null goes.

    :raises Conflict: An identifier belongs to another profile.
    :raises Unknown: No profile has the id.
    """
    found = state.db.execute(
        "SELECT email, phone_number, external_id, anonymous_id, attributes FROM profiles WHERE id = ?", (profile_id,)
    ).fetchone()
    if found is None:
        raise Unknown(profile_id)
    named = identifiers(row["attributes"])
    for name, holder in holders(state.db, named).items():
        if holder != profile_id:
            raise Conflict(name, holder)
    kept = {**dict(zip(COLUMNS, found[:4], strict=True)), **named}
    attributes = merged(json.loads(found[4]), row, state.behaviour.appended_again)
    state.db.execute(
        "UPDATE profiles SET email = ?, phone_number = ?, external_id = ?, anonymous_id = ?, updated = ?, attributes = ? WHERE id = ?",
        (*(kept[name] for name in COLUMNS), now, compact(attributes), profile_id),
    )


def delete(db: sqlite3.Connection, profile_id: str) -> None:
    """Delete a profile, and all there is about it."""
    for table in ABOUT:
        db.execute(f"DELETE FROM {table} WHERE profile_id = ?", (profile_id,))  # noqa: S608 - our own names
    db.execute("DELETE FROM profiles WHERE id = ?", (profile_id,))


def merged(old: Row, row: Row, appended_again: Literal["add", "drop"]) -> Row:
    """Return the attributes after a change, identifiers apart."""
    given = row["attributes"]
    new = {**old, **{name: given[name] for name in PLAIN if name in given}}
    if "location" in given:
        new["location"] = {**old.get("location", {}), **given["location"]}
    if "properties" in given:
        new["properties"] = {**old.get("properties", {}), **given["properties"]}
    if patch := (row.get("meta") or {}).get("patch_properties"):
        new["properties"] = _patched(new.get("properties", {}), patch, appended_again)
    return new


def _patched(properties: Row, patch: Row, appended_again: Literal["add", "drop"]) -> Row:
    new = dict(properties)
    for name, value in (patch.get("append") or {}).items():
        kept = _as_list(new.get(name))
        new[name] = kept + [each for each in _as_list(value) if appended_again == "add" or each not in kept]
    for name, value in (patch.get("unappend") or {}).items():
        if name in new:
            new[name] = [each for each in _as_list(new[name]) if each not in _as_list(value)]
    for name in _as_list(patch.get("unset")):
        new.pop(name, None)
    return new


def _as_list(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _insert(state: KlaviyoState, named: Mapping[str, str | None], row: Row, now: int) -> str:
    profile_id = ulid(now)
    attributes = merged({}, row, state.behaviour.appended_again)
    state.db.execute(
        "INSERT INTO profiles VALUES (?, ?, ?, ?, ?, ?, ?, NULL, ?)",
        (profile_id, *(named.get(name) for name in COLUMNS), now, now, compact(attributes)),
    )
    return profile_id

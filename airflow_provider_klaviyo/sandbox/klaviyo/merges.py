# SPDX-License-Identifier: Apache-2.0
"""``/api/profile-merge``: two profiles become one, a little later."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field

from airflow_provider_klaviyo.sandbox.klaviyo import later, people, views
from airflow_provider_klaviyo.sandbox.klaviyo.bodies import Strict, document, parse
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Answer, Call, answers
from airflow_provider_klaviyo.sandbox.klaviyo.checks import compact
from airflow_provider_klaviyo.sandbox.klaviyo.problems import invalid
from airflow_provider_klaviyo.sandbox.klaviyo.state import KlaviyoState

Json = dict[str, Any]
MOVED = ("events", "members", "consents", "suppressions")
"""Tables whose rows go to the destination, where it has none of its own."""


class Named(Strict):
    """The profile that goes."""

    type: Literal["profile"]
    id: str


class Source(Strict):
    """The one profile that goes."""

    data: Annotated[list[Named], Field(min_length=1, max_length=1)]


class Related(Strict):
    """What is merged into the profile."""

    profiles: Source


MERGE = document("profile-merge", identified=True, relationships=Related, needed=True)


@answers("merge_profiles")
def merge_profiles(call: Call) -> Answer:
    """Accept that a profile goes into another; until it has, both can be read."""
    data = parse(call, MERGE)
    (source,) = data.relationships.profiles.data
    if source.id == data.id:
        raise invalid("A profile cannot be merged into itself.", "/data/relationships/profiles/data/0/id")
    for each in (data.id, source.id):
        views.load_profile(call, each)
    later.enqueue(call.state, "merge", {"destination": data.id, "source": source.id})
    merged = {"type": "profile", "id": data.id, "attributes": {}, "links": {"self": f"{call.base}/api/profiles/{data.id}/"}}
    return Answer(202, call.document(merged))


@later.works("merge")
def _merge(state: KlaviyoState, given: Json) -> None:
    """Give the destination what it has not and the source has, and delete the source."""
    destination, source = given["destination"], given["source"]
    columns = f"{', '.join(people.COLUMNS)}, attributes"
    rows = [
        state.db.execute(f"SELECT {columns} FROM profiles WHERE id = ?", (each,)).fetchone()  # noqa: S608 - our own names
        for each in (destination, source)
    ]
    if None in rows:
        return
    for table in MOVED:
        state.db.execute(f"UPDATE OR IGNORE {table} SET profile_id = ? WHERE profile_id = ?", (destination, source))  # noqa: S608 - our own names
    people.delete(state.db, source)
    (*kept, own), (*gone, other) = rows
    identifiers = [mine or theirs for mine, theirs in zip(kept, gone, strict=True)]
    attributes = _filled(json.loads(own), json.loads(other))
    sql = "UPDATE profiles SET email = ?, phone_number = ?, external_id = ?, anonymous_id = ?, updated = ?, attributes = ? WHERE id = ?"
    state.db.execute(sql, (*identifiers, state.now(), compact(attributes), destination))


def _filled(own: Json, other: Json) -> Json:
    nested = {name: {**other.get(name, {}), **own.get(name, {})} for name in ("location", "properties") if own.get(name) or other.get(name)}
    plain = {name: value for name, value in own.items() if value is not None}
    return {**other, **plain, **nested}

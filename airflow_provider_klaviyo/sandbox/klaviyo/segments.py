# SPDX-License-Identifier: Apache-2.0
"""
``/api/segments``: people who meet conditions.

Who meets a condition is judged where the sandbox can: membership in lists. Other conditions are checked for their shape, and nobody
meets them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field

from airflow_provider_klaviyo.sandbox.klaviyo import bodies, membership, resources, views
from airflow_provider_klaviyo.sandbox.klaviyo.bodies import Strict
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Answer, Call, answers
from airflow_provider_klaviyo.sandbox.klaviyo.listing import Where
from airflow_provider_klaviyo.sandbox.klaviyo.resources import Kind, Relation, Resource
from airflow_provider_klaviyo.sandbox.klaviyo.segment_conditions import Condition
from airflow_provider_klaviyo.sandbox.klaviyo.state import KlaviyoState
from airflow_provider_klaviyo.sandbox.klaviyo.tags import included, tags_of

Json = dict[str, Any]
SEGMENT = Kind(
    "segment",
    "segments",
    "Segment",
    relations={"profiles": Relation("profile"), "tags": Relation("tag"), "flow-triggers": Relation("flow")},
)
FIRST_JOINED = "(SELECT profile_id, list_id, min(joined) joined FROM members GROUP BY profile_id, list_id)"


class Group(Strict):
    """Conditions of which one has to hold."""

    conditions: Annotated[list[Condition], Field(min_length=1)]


class Definition(Strict):
    """Groups of which all have to hold."""

    condition_groups: Annotated[list[Group], Field(min_length=1)]


class New(Strict):
    """Attributes of a new segment."""

    name: Annotated[str, Field(min_length=1)]
    definition: Definition
    is_starred: bool = False


class Change(Strict):
    """Attributes of a changed segment."""

    name: Annotated[str, Field(min_length=1)] | None = None
    definition: Definition | None = None
    is_starred: bool | None = None


CREATE = bodies.document("segment", New)
UPDATE = bodies.document("segment", Change, identified=True)


@answers("get_segments")
def get_segments(call: Call) -> Answer:
    """List segments."""
    found, following = resources.page(call, SEGMENT)
    return Answer(200, call.page([_show(call, each) for each in found], following, included(call, "segments", (each.id for each in found))))


@answers("get_segment")
def get_segment(call: Call) -> Answer:
    """Read one segment."""
    found = resources.load(call.state, SEGMENT, call.ids[0])
    return Answer(200, call.document(_show(call, found), included(call, "segments", [found.id])))


@answers("create_segment")
def create_segment(call: Call) -> Answer:
    """Make a segment, whose members are not counted yet."""
    given = _checked(call, bodies.parse(call, CREATE).attributes.given())
    made = resources.make(call.state, SEGMENT, {"is_starred": False} | given | {"is_active": True, "is_processing": True})
    return Answer(201, call.document(_show(call, made, written=True)))


@answers("update_segment")
def update_segment(call: Call) -> Answer:
    """Change a segment; a null is ignored."""
    found = resources.load(call.state, SEGMENT, call.ids[0])
    given = _checked(call, bodies.parse(call, UPDATE).attributes.changes())
    return Answer(200, call.document(_show(call, resources.change(call.state, found, given), written=True)))


@answers("delete_segment")
def delete_segment(call: Call) -> Answer:
    """Delete a segment; the profiles stay."""
    resources.remove(call.state, resources.load(call.state, SEGMENT, call.ids[0]))
    return Answer(204)


@answers("get_profiles_for_segment")
def get_profiles_for_segment(call: Call) -> Answer:
    """List the profiles of a segment."""
    return membership.profiles(call, FIRST_JOINED, _members(call))


@answers("get_profile_ids_for_segment")
def get_profile_ids_for_segment(call: Call) -> Answer:
    """List the ids of a segment's profiles."""
    return membership.ids(call, FIRST_JOINED, _members(call))


def members(state: KlaviyoState, segment: Resource) -> list[str]:
    """Return the ids of who is in a segment now."""
    clause, values = _condition(segment)
    sql = f"SELECT DISTINCT m.profile_id FROM members m WHERE {clause} ORDER BY m.profile_id"  # noqa: S608 - our own names
    return [row[0] for row in state.db.execute(sql, values)]


def _checked(call: Call, given: Json) -> Json:
    """Look up the lists that conditions name, and add what Klaviyo adds to a definition."""
    for group in (given.get("definition") or {}).get("condition_groups", ()):
        for condition in group["conditions"]:
            if condition["type"] == "profile-group-membership":
                condition.setdefault("timeframe_filter", None)
                for each in condition["group_ids"]:
                    views.load_list(call, each)
    return given


def _show(call: Call, segment: Resource, *, written: bool = False) -> Json:
    more: Json = {}
    if "profile_count" in (call.fields("segment") or call.query.additional.get("segment") or ()):
        clause, values = _condition(segment)
        sql = f"SELECT count(DISTINCT m.profile_id) FROM members m WHERE {clause}"  # noqa: S608 - our own names
        more["profile_count"] = call.state.db.execute(sql, values).fetchone()[0]
    tagged = {**segment.related, "tags": [each.id for each in tags_of(call.state, "segments", segment.id)]}
    return resources.show(call, replace(segment, related=tagged), written=written, **more)


def _members(call: Call) -> Where:
    where = Where()
    clause, values = _condition(resources.load(call.state, SEGMENT, call.ids[0]))
    where.add(clause, *values)
    return where


def _condition(segment: Resource) -> tuple[str, list[str]]:
    """Return who meets the conditions, as SQL over a member's row."""
    clauses, values = [], list[str]()
    for group in segment.attributes["definition"]["condition_groups"]:
        kept = []
        for condition in group["conditions"]:
            ids = condition["group_ids"] if condition["type"] == "profile-group-membership" and condition["is_member"] else []
            kept.append(f"m.list_id IN ({','.join('?' * len(ids))})")
            values += ids
        clauses.append(f"({' OR '.join(kept)})")
    return " AND ".join(clauses), values

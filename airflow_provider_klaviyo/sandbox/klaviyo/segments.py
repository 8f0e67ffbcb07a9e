# SPDX-License-Identifier: Apache-2.0
"""
``/api/segments``: people who meet conditions.

Who meets a condition is judged where the sandbox can: membership in lists. Other conditions are checked for their shape, and nobody
meets them.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from airflow_provider_klaviyo.sandbox.klaviyo import bodies, documents, resources, views
from airflow_provider_klaviyo.sandbox.klaviyo.bodies import Strict
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Answer, Call, answers
from airflow_provider_klaviyo.sandbox.klaviyo.listing import Where, read_page
from airflow_provider_klaviyo.sandbox.klaviyo.problems import invalid
from airflow_provider_klaviyo.sandbox.klaviyo.resources import Kind, Relation, Resource
from airflow_provider_klaviyo.sandbox.klaviyo.state import KlaviyoState

Json = dict[str, Any]
SEGMENT = Kind(
    "segment",
    "segments",
    "Segment",
    relations={"profiles": Relation("profile"), "tags": Relation("tag"), "flow-triggers": Relation("flow")},
)
CONDITIONS = frozenset(
    {"profile-group-membership", "profile-property", "profile-metric", "profile-marketing-consent", "profile-has-group-membership"}
    | {"profile-no-group-membership", "profile-region", "profile-postal-code-distance", "profile-predictive-analytics"}
    | {"profile-permissions", "profile-random-sample", "custom-object"}
)


class Group(Strict):
    """Conditions of which one has to hold."""

    conditions: Annotated[list[dict[str, Any]], Field(min_length=1)]


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
    return Answer(200, call.page([_show(call, each) for each in found], following, [] if call.query.include else None))


@answers("get_segment")
def get_segment(call: Call) -> Answer:
    """Read one segment."""
    found = _show(call, resources.load(call.state, SEGMENT, call.ids[0]))
    return Answer(200, call.document(found, [] if call.query.include else None))


@answers("create_segment")
def create_segment(call: Call) -> Answer:
    """Make a segment, whose members are not counted yet."""
    given = _checked(call, bodies.parse(call, CREATE).attributes.given())
    made = resources.make(call.state, SEGMENT, {"is_starred": False} | given | {"is_active": True, "is_processing": True})
    return Answer(201, call.document(_show(call, made, written=True)))


@answers("update_segment")
def update_segment(call: Call) -> Answer:
    """Change a segment."""
    found = resources.load(call.state, SEGMENT, call.ids[0])
    given = _checked(call, bodies.parse(call, UPDATE).attributes.given())
    return Answer(200, call.document(_show(call, resources.change(call.state, found, given), written=True)))


@answers("delete_segment")
def delete_segment(call: Call) -> Answer:
    """Delete a segment; the profiles stay."""
    resources.remove(call.state, resources.load(call.state, SEGMENT, call.ids[0]))
    return Answer(204)


@answers("get_profiles_for_segment")
def get_profiles_for_segment(call: Call) -> Answer:
    """List the profiles of a segment."""
    rows, following = _members(call, f"m.joined, {views.PROFILE}")
    return Answer(200, call.page([views.profile(call, row, joined=joined) for joined, *row in rows], following))


@answers("get_profile_ids_for_segment")
def get_profile_ids_for_segment(call: Call) -> Answer:
    """List the ids of a segment's profiles."""
    rows, following = _members(call, "p.id")
    return Answer(200, call.page([documents.identity("profile", row[0]) for row in rows], following))


def members(state: KlaviyoState, segment: Resource) -> list[str]:
    """Return the ids of who is in a segment now."""
    clause, values = _condition(segment)
    sql = f"SELECT DISTINCT m.profile_id FROM members m WHERE {clause} ORDER BY m.profile_id"  # noqa: S608 - our own names
    return [row[0] for row in state.db.execute(sql, values)]


def _checked(call: Call, given: Json) -> Json:
    for at, group in enumerate((given.get("definition") or {}).get("condition_groups", ())):
        for place, condition in enumerate(group["conditions"]):
            where = f"/data/attributes/definition/condition_groups/{at}/conditions/{place}"
            if condition.get("type") not in CONDITIONS:
                raise invalid(f"'{condition.get('type')}' is not a valid condition type.", f"{where}/type")
            if condition["type"] == "profile-group-membership":
                if not isinstance(condition.get("is_member"), bool) or not condition.get("group_ids"):
                    raise invalid("A group membership has is_member and group_ids.", where)
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
    return resources.show(call, segment, written=written, **more)


def _members(call: Call, columns: str) -> tuple[list[tuple[Any, ...]], list[Any] | None]:
    segment = resources.load(call.state, SEGMENT, call.ids[0])
    where = Where()
    clause, values = _condition(segment)
    where.add(clause, *values)
    for term in call.query.terms:
        match term.field:
            case "joined_group_at":
                where.moment("m.joined", term)
            case "email" | "phone_number":
                where.text(f"p.{term.field}", term, lower=term.field == "email")
            case "profile_id":
                where.text("p.id", term)
            case _:
                where.add("0")  # nobody has a push token, nobody was tracked
    first = "SELECT profile_id, list_id, min(joined) joined FROM members GROUP BY profile_id, list_id"
    source = f"({first}) m JOIN profiles p ON p.id = m.profile_id"
    return read_page(
        call, source=source, columns=columns, where=where, key="m.joined", identifier="m.profile_id", descending=call.query.descending
    )


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

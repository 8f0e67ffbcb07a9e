# SPDX-License-Identifier: Apache-2.0
"""``/api/profile-suppression-bulk-create-jobs`` and ``-delete-jobs``: addresses that get no marketing whatever they agreed to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from airflow_provider_klaviyo.sandbox.klaviyo import documents, filters, later, people, resources, segments, subscriptions, views
from airflow_provider_klaviyo.sandbox.klaviyo.behaviour import JobPlan
from airflow_provider_klaviyo.sandbox.klaviyo.bodies import Strict, document, one_of, parse
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Answer, Call, answers
from airflow_provider_klaviyo.sandbox.klaviyo.consent_bodies import Email, NoNull
from airflow_provider_klaviyo.sandbox.klaviyo.database import iso, ulid
from airflow_provider_klaviyo.sandbox.klaviyo.listing import Where, read_page
from airflow_provider_klaviyo.sandbox.klaviyo.problems import Problem, invalid, not_found
from airflow_provider_klaviyo.sandbox.klaviyo.state import KlaviyoState

Json = dict[str, Any]
SUPPRESS = "profile-suppression-bulk-create-job"
UNSUPPRESS = "profile-suppression-bulk-delete-job"
REASON = "USER_SUPPRESSED"
STATUSES = ("queued", "processing", "complete", "cancelled")
COLUMNS = "j.id, j.kind, j.created, j.due, j.status, j.total, j.skipped, j.list_id, j.segment_id"
STATUS = "CASE WHEN j.status = 'pending' THEN 'processing' ELSE j.status END"
A_MOMENT = 8_000
"""Microseconds after which a job says that it was completed, although it is still processing."""


class Address(Strict):
    """Whom it is about."""

    email: Email


class Row(Strict):
    """Whom it is about, as a resource."""

    type: Literal["profile"]
    attributes: Address


class Rows(Strict):
    """All it is about."""

    data: Annotated[list[Row], Field(min_length=1, max_length=100)]


class Attributes(Strict):
    """The attributes of a request."""

    profiles: Rows | None = None


class Groups(NoNull):
    """The list or segment whose members it is about."""

    list: one_of("list") | None = None  # type: ignore[valid-type]
    segment: one_of("segment") | None = None  # type: ignore[valid-type]


BODIES = {kind: document(kind, Attributes, relationships=Groups) for kind in (SUPPRESS, UNSUPPRESS)}


@answers("bulk_suppress_profiles")
def bulk_suppress_profiles(call: Call) -> Answer:
    """Suppress addresses, known or not."""
    return _start(call, SUPPRESS)


@answers("bulk_unsuppress_profiles")
def bulk_unsuppress_profiles(call: Call) -> Answer:
    """Take back what was suppressed by hand."""
    return _start(call, UNSUPPRESS)


@answers("get_bulk_suppress_profiles_jobs")
def get_bulk_suppress_profiles_jobs(call: Call) -> Answer:
    """List the jobs that suppress."""
    return _list(call, SUPPRESS)


@answers("get_bulk_unsuppress_profiles_jobs")
def get_bulk_unsuppress_profiles_jobs(call: Call) -> Answer:
    """List the jobs that take it back."""
    return _list(call, UNSUPPRESS)


@answers("get_bulk_suppress_profiles_job")
def get_bulk_suppress_profiles_job(call: Call) -> Answer:
    """Read a job that suppresses."""
    return _get(call, SUPPRESS)


@answers("get_bulk_unsuppress_profiles_job")
def get_bulk_unsuppress_profiles_job(call: Call) -> Answer:
    """Read a job that takes it back."""
    return _get(call, UNSUPPRESS)


def _start(call: Call, kind: str) -> Answer:
    data, state = parse(call, BODIES[kind]), call.state
    groups = data.relationships or Groups()
    if sum(each is not None for each in (data.attributes.profiles, groups.list, groups.segment)) != 1:
        call.refuse([Problem("Exactly one of profiles, list and segment is required.", "/data")])
    emails = [row.attributes.email for row in data.attributes.profiles.data] if data.attributes.profiles else []
    list_id, segment_id = (each.data.id if each else None for each in (groups.list, groups.segment))
    if list_id is not None:
        views.load_list(call, list_id)
    if segment_id is not None:
        resources.load(state, segments.SEGMENT, segment_id)
    job_id = ulid(state.now())
    plan = state.plans.popleft() if state.plans else JobPlan()
    given = {"job": job_id, "emails": emails, "list": list_id, "segment": segment_id, "status": plan.status}
    due = later.enqueue(state, kind, given)
    row = (job_id, kind, state.now(), due, "pending", 0, 0, list_id, segment_id)
    state.db.execute("INSERT INTO suppression_jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    return Answer(202, call.document(_render(call, row)))


@later.works(SUPPRESS)
def _suppress(state: KlaviyoState, given: Json) -> None:
    now, new = state.now(), 0
    ids = [people.upsert(state, {"attributes": {"email": each}}, now)[0] for each in given["emails"]] + _members(state, given)
    if given["status"] == "complete":
        new = sum(subscriptions.suppress(state.db, each, REASON, now) for each in ids)
    _end(state, given, len(ids), len(ids) - new)


@later.works(UNSUPPRESS)
def _unsuppress(state: KlaviyoState, given: Json) -> None:
    rows = [people.holders(state.db, {"email": each.lower()}).get("email") for each in given["emails"]]
    ids = [each for each in rows if each] + _members(state, given)
    lifted = sum(subscriptions.unsuppress(state.db, each, [REASON]) for each in ids) if given["status"] == "complete" else 0
    total = len(given["emails"]) or len(ids)
    _end(state, given, total, total - lifted)


def _members(state: KlaviyoState, given: Json) -> list[str]:
    """Return who is in the list or the segment now."""
    if given["segment"] is not None:
        segment = resources.find(state, segments.SEGMENT, given["segment"])
        return segments.members(state, segment) if segment else []
    return [row[0] for row in state.db.execute("SELECT profile_id FROM members WHERE list_id = ? ORDER BY profile_id", (given["list"],))]


def _end(state: KlaviyoState, given: Json, total: int, skipped: int) -> None:
    values = (given["status"], total, skipped, given["job"])
    state.db.execute("UPDATE suppression_jobs SET status = ?, total = ?, skipped = ? WHERE id = ?", values)


def _list(call: Call, kind: str) -> Answer:
    where = Where()
    where.add("j.kind = ?", kind)
    for term in call.query.terms:
        (word,) = filters.text(term)
        if term.field == "status" and word not in STATUSES:
            raise invalid(f"'{word}' is not a valid status.  Allowed values are {', '.join(STATUSES)}", parameter="filter")
        where.add(f"{STATUS if term.field == 'status' else f'j.{term.field}'} = ?", word)
    rows, following = read_page(
        call,
        source="suppression_jobs j",
        columns=COLUMNS,
        where=where,
        key="j.created",
        identifier="j.id",
        descending=call.query.descending or not call.query.sort,
    )
    return Answer(200, call.page([_render(call, row) for row in rows], following))


def _get(call: Call, kind: str) -> Answer:
    sql = f"SELECT {COLUMNS} FROM suppression_jobs j WHERE j.id = ? AND j.kind = ?"  # noqa: S608 - our own names
    row = call.state.db.execute(sql, (call.ids[0], kind)).fetchone()
    if row is None:
        raise not_found("Invalid job id")
    return Answer(200, call.document(_render(call, row)))


def _render(call: Call, row: Sequence[Any]) -> Json:
    identifier, kind, created, due, status, total, skipped, list_id, segment_id = row
    over = status != "pending"
    attributes = {
        "status": status if over else "processing",
        "created_at": iso(created),
        "total_count": total,
        "completed_count": total - skipped if status == "complete" else 0,
        "completed_at": iso(due if over else created + A_MOMENT),
        "skipped_count": skipped,
    }
    named = {"lists": ("list", list_id), "segments": ("segment", segment_id)}
    data = {name: [documents.identity(word, each)] for name, (word, each) in named.items() if each is not None}
    return documents.resource(call.base, kind, identifier, documents.pick(attributes, call.fields(kind)), data=data)

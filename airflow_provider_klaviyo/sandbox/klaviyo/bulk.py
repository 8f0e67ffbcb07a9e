# SPDX-License-Identifier: Apache-2.0
"""Jobs that take rows of one kind by the hundred, and tell themselves which of them failed: those of catalogs and coupon codes."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, create_model

from airflow_provider_klaviyo.api import limits
from airflow_provider_klaviyo.sandbox.klaviyo import bodies, later, resources
from airflow_provider_klaviyo.sandbox.klaviyo.behaviour import JobPlan
from airflow_provider_klaviyo.sandbox.klaviyo.bodies import Strict
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Answer, Call, Handler, answers
from airflow_provider_klaviyo.sandbox.klaviyo.database import iso, ulid
from airflow_provider_klaviyo.sandbox.klaviyo.problems import TITLES, Refused, invalid, not_found
from airflow_provider_klaviyo.sandbox.klaviyo.resources import Kind, Relation, Resource
from airflow_provider_klaviyo.sandbox.klaviyo.state import MICROS, KlaviyoState

Json = dict[str, Any]
Carry = Callable[[KlaviyoState, Json], str]
"""Carries out a row, and returns the id of what it is about; raises :class:`Refused` before anything is done."""
WEEK = 7 * 86_400 * MICROS


@dataclass(frozen=True)
class Bulk:
    """
    A kind of jobs.

    :param job: The job.
    :param about: What its rows are about.
    :param rows: What they are called in its body, and as its relationship.
    :param body: The model of its body.
    :param linked: Whether the relationship has links, and is there before anything is done.
    """

    job: Kind
    about: Kind
    rows: str
    body: type[Strict]
    linked: bool


def serve(carry: Carry, type_: str, about: Kind, rows: str, row: type[Strict], *, most: int, linked: bool = False) -> None:
    """
    Register a kind of jobs: its start, its reading, its list.

    :param carry: Carries out a row.
    :param type_: The job's type, such as ``catalog-item-bulk-create-job``.
    :param about: What its rows are about.
    :param rows: What they are called.
    :param row: The model of one.
    :param most: How many a job takes.
    :param linked: Whether the relationship has links.
    """
    data: Any = Annotated[list[row], Field(min_length=1, max_length=most)]  # type: ignore[valid-type]
    parts: dict[str, Any] = {rows: (create_model("Rows", __base__=Strict, data=(data, ...)), ...)}
    job = Kind(type_, f"{type_}s", "Job", {rows: Relation(about.type)}, times=("created_at", ""))
    bulk = Bulk(job, about, rows, bodies.document(type_, create_model("Attributes", __base__=Strict, **parts)), linked)
    later.works(type_)(_work(bulk, carry))
    for method, path, handler in (("POST", "", _start), ("GET", "", _list), ("GET", "/1", _get)):
        operation = limits.find(method, f"/api/{job.path}{path}")
        if operation:
            answers(operation.id)(_of(bulk, handler))


def _of(bulk: Bulk, handler: Callable[[Call, Bulk], Answer]) -> Handler:
    return lambda call: handler(call, bulk)


def _start(call: Call, bulk: Bulk) -> Answer:
    """Accept a job. What can be seen to be wrong with one row refuses them all."""
    data, state = bodies.parse(call, bulk.body), call.state
    rows = getattr(data.attributes, bulk.rows).given()["data"]
    plan = state.plans.popleft() if state.plans else JobPlan()
    attributes = {
        "status": "processing",
        "total_count": len(rows),
        "completed_count": 0,
        "failed_count": 0,
        "completed_at": None,
        "errors": [],
    }
    job = resources.make(state, bulk.job, attributes, identity=ulid(state.now()))
    given = {"job": job.id, "rows": rows, "status": plan.status, "fail": sorted(plan.fail)}
    later.enqueue(state, bulk.job.type, given)
    shown = _show(call, bulk, job)
    if bulk.linked:
        del shown["relationships"][bulk.rows]["data"]
    else:
        del shown["relationships"]
    return Answer(202, call.document(shown))


def _list(call: Call, bulk: Bulk) -> Answer:
    """List the jobs of the last seven days, the newest first."""
    found, following = resources.page(call, bulk.job, keep=lambda job: not _expired(call, job), sort="-created_at")
    return Answer(200, call.page([_show(call, bulk, each) for each in found], following))


def _get(call: Call, bulk: Bulk) -> Answer:
    """Read a job."""
    job = resources.find(call.state, bulk.job, call.ids[0])
    if job is None or _expired(call, job):
        raise not_found("Invalid job id")
    done = (resources.find(call.state, bulk.about, each) for each in job.related.get(bulk.rows, ()))
    included = [resources.show(call, each, written=True) for each in done if each] if call.query.include else None
    return Answer(200, call.document(_show(call, bulk, job), included))


def _work(bulk: Bulk, carry: Carry) -> later.Work:
    """Return what carries out a job's rows, each for itself."""

    def work(state: KlaviyoState, given: Json) -> None:
        job = resources.load(state, bulk.job, given["job"])
        done: list[str] = []
        errors: list[Json] = []
        for at, row in enumerate(given["rows"] if given["status"] == "complete" else ()):
            try:
                if at in given["fail"]:
                    raise invalid("Invalid input.")
                done.append(carry(state, row))
            except Refused as refused:
                errors.append(_error(refused, f"/data/attributes/{bulk.rows}/data/{at}"))
        ended = {"status": given["status"], "completed_count": len(done), "failed_count": len(errors), "errors": errors}
        resources.change(state, job, {**ended, "completed_at": iso(state.now())}, related={bulk.rows: done})

    return work


def _error(refused: Refused, pointer: str) -> Json:
    """Return what a job tells of a row that failed."""
    detail, title = refused.problems[0].detail, TITLES[refused.code]
    return {"id": str(uuid.uuid4()), "code": refused.code, "title": title, "detail": detail, "source": {"pointer": pointer}}


def _expired(call: Call, job: Resource) -> bool:
    return job.created < call.state.now() - WEEK


def _show(call: Call, bulk: Bulk, job: Resource) -> Json:
    shown = resources.show(call, job, written=True, data=(bulk.rows,), expires_at=iso(job.created + WEEK))
    if not bulk.linked:
        del shown["relationships"][bulk.rows]["links"]
    return shown

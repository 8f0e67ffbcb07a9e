# SPDX-License-Identifier: Apache-2.0
"""``/api/profile-bulk-import-jobs``: profiles by the thousand, and what became of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from airflow_provider_klaviyo.sandbox.klaviyo import checks, documents, filters, views
from airflow_provider_klaviyo.sandbox.klaviyo.behaviour import ACCOUNT, JobPlan
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Answer, Call, answers
from airflow_provider_klaviyo.sandbox.klaviyo.database import iso, iso_seconds, job_token
from airflow_provider_klaviyo.sandbox.klaviyo.listing import Where, read_page
from airflow_provider_klaviyo.sandbox.klaviyo.problems import Problem, invalid, not_found
from airflow_provider_klaviyo.sandbox.klaviyo.state import MICROS

Json = dict[str, Any]
KIND = "profile-bulk-import-job"
PROFILES_A_JOB = 10_000
WEEK = 7 * 86_400 * MICROS
STATUSES = ("queued", "processing", "complete")
COLUMNS = "j.id, j.created, j.started, j.due, j.status, j.total, j.completed, j.failed, j.lists"
STATUS = "CASE WHEN j.started > ? THEN 'queued' WHEN j.due > ? THEN 'processing' ELSE j.status END"


@answers("bulk_import_profiles")
def bulk_import_profiles(call: Call) -> Answer:
    """Take profiles in: what can be seen to be wrong with one refuses them all, the rest shows after the job."""
    state, now = call.state, call.state.now()
    lists = _check(call)
    seconds = int(state.behaviour.job_seconds * MICROS)
    job_id = job_token(ACCOUNT, now)
    plan = replace(state.plans.popleft() if state.plans else JobPlan(), late=state.behaviour.late_checks)
    rows = call.body["data"]["attributes"]["profiles"]["data"]
    row = (job_id, now, now + seconds // 3, now + seconds, plan.status, len(rows), 0, 0, json.dumps(lists))
    state.db.execute("INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    state.pending[job_id] = (rows, plan)
    data = _render(call, row)
    data["attributes"] |= {"status": "queued", "created_at": iso_seconds(now), "started_at": None, "completed_at": None}
    return Answer(202, call.document(data))


@answers("get_bulk_import_profiles_jobs")
def get_bulk_import_profiles_jobs(call: Call) -> Answer:
    """List import jobs of the last seven days, whoever made them."""
    where, now = Where(), call.state.now()
    where.add("j.created > ?", now - WEEK)
    for term in call.query.terms:
        words = filters.text(term)
        if unknown := [each for each in words if each not in STATUSES]:
            raise invalid(f"'{unknown[0]}' is not a valid status.  Allowed values are {', '.join(STATUSES)}", parameter="filter")
        where.add(f"{STATUS} IN ({','.join('?' * len(words))})", now, now, *words)
    rows, following = read_page(
        call, source="jobs j", columns=COLUMNS, where=where, key="j.created", identifier="j.id", descending=call.query.descending
    )
    return Answer(200, call.page([_render(call, row) for row in rows], following))


@answers("get_bulk_import_profiles_job")
def get_bulk_import_profiles_job(call: Call) -> Answer:
    """Read one import job."""
    row = _load(call)
    return Answer(200, call.document(_render(call, row), _lists(call, row) if call.query.include else None))


@answers("get_errors_for_bulk_import_profiles_job")
def get_errors_for_bulk_import_profiles_job(call: Call) -> Answer:
    """List the rows of a job that were not imported, and why."""
    _load(call)
    where = Where()
    where.add("e.job_id = ?", call.ids[0])
    columns = "e.id, e.code, e.title, e.detail, e.pointer, e.payload"
    rows, following = read_page(call, source="job_errors e", columns=columns, where=where, key="e.row", identifier="e.id")
    return Answer(200, call.page([_error(call, row) for row in rows], following))


@answers("get_profiles_for_bulk_import_profiles_job")
def get_profiles_for_bulk_import_profiles_job(call: Call) -> Answer:
    """List the profiles that a job made or changed."""
    rows, following = _profiles(call, views.PROFILE)
    return Answer(200, call.page([views.profile(call, row) for row in rows], following))


@answers("get_profile_ids_for_bulk_import_profiles_job")
def get_profile_ids_for_bulk_import_profiles_job(call: Call) -> Answer:
    """List the ids of the profiles that a job made or changed."""
    rows, following = _profiles(call, "p.id")
    return Answer(200, call.page([documents.identity("profile", row[0]) for row in rows], following))


@answers("get_list_for_bulk_import_profiles_job")
def get_list_for_bulk_import_profiles_job(call: Call) -> Answer:
    """Read the lists that a job fills."""
    return Answer(200, call.document(_lists(call, _load(call))))


@answers("get_list_ids_for_bulk_import_profiles_job")
def get_list_ids_for_bulk_import_profiles_job(call: Call) -> Answer:
    """Read the ids of the lists that a job fills."""
    return Answer(200, call.document([documents.identity("list", each) for each in json.loads(_load(call)[-1])]))


def _render(call: Call, row: Sequence[Any]) -> Json:
    identifier, created, started, due, status, total, completed, failed, lists = row
    now = call.state.now()
    over = due <= now and identifier not in call.state.pending  # it may have come due since this request began
    attributes = {
        "status": "queued" if started > now else status if over else "processing",
        "created_at": iso(created),
        "total_count": total,
        "completed_count": completed,
        "failed_count": failed,
        "completed_at": iso(due) if over and status == "complete" else None,
        "expires_at": iso_seconds(created + WEEK),
        "started_at": iso(started) if started <= now else None,
    }
    data = {"lists": [documents.identity("list", each) for each in json.loads(lists)]}
    return documents.resource(call.base, KIND, identifier, documents.pick(attributes, call.fields(KIND)), data=data)


def _load(call: Call) -> Sequence[Any]:
    sql = f"SELECT {COLUMNS} FROM jobs j WHERE j.id = ? AND j.created > ?"  # noqa: S608 - our own names
    row = call.state.db.execute(sql, (call.ids[0], call.state.now() - WEEK)).fetchone()
    if row is None:
        raise not_found("Invalid job id")
    return row  # type: ignore[no-any-return]


def _lists(call: Call, row: Sequence[Any]) -> list[Json]:
    return [views.list_(call, views.load_list(call, each)) for each in json.loads(row[-1])]


def _profiles(call: Call, columns: str) -> tuple[list[tuple[Any, ...]], list[Any] | None]:
    _load(call)
    where = Where()
    where.add("j.job_id = ?", call.ids[0])
    source = "job_profiles j JOIN profiles p ON p.id = j.profile_id"
    return read_page(call, source=source, columns=columns, where=where, key="j.job_id", identifier="j.profile_id")


def _error(call: Call, row: Sequence[Any]) -> Json:
    identifier, code, title, detail, pointer, payload = row
    attributes = {"code": code, "title": title, "detail": detail, "source": {"pointer": pointer}, "original_payload": json.loads(payload)}
    here = f"{call.base}{call.path}/{identifier}/"
    picked = documents.pick(attributes, call.fields("import-error"))
    return {"type": "import-error", "id": identifier, "attributes": picked, "links": {"self": here}}


def _check(call: Call) -> list[str]:
    """Check the body and return the ids of its lists."""
    problems: list[Problem] = []
    late, lists = call.state.behaviour.late_checks, list[str]()
    if checks.keys(call.body, "", problems, required=("data",)) and checks.keys(
        call.body["data"], "/data", problems, required=("type", "attributes"), optional=("relationships",)
    ):
        data = call.body["data"]
        checks.typed(data["type"], KIND, "/data", problems)
        where = "/data/attributes/profiles/data"
        if (
            checks.keys(data["attributes"], "/data/attributes", problems, required=("profiles",))
            and checks.keys(data["attributes"]["profiles"], "/data/attributes/profiles", problems, required=("data",))
            and checks.items(data["attributes"]["profiles"]["data"], where, problems, at_most=PROFILES_A_JOB, noun="profile")
        ):
            for at, row in enumerate(data["attributes"]["profiles"]["data"]):
                checks.profile(row, f"{where}/{at}", problems, late=late)
                checks.welcome(row, f"{where}/{at}", problems, call.state.behaviour.unwelcome)
        lists = _check_lists(data.get("relationships", {}), problems)
    call.refuse(problems)
    for each in lists:
        views.load_list(call, each)
    return lists


def _check_lists(relationships: Any, problems: list[Problem]) -> list[str]:
    where = "/data/relationships/lists/data"
    if not checks.keys(relationships, "/data/relationships", problems, optional=("lists",)) or "lists" not in relationships:
        return []
    if not checks.keys(relationships["lists"], "/data/relationships/lists", problems, required=("data",)):
        return []
    if not isinstance(relationships["lists"]["data"], list):
        problems.append(Problem("Expected a list.", where))
        return []
    ids = []
    for at, each in enumerate(relationships["lists"]["data"]):
        if checks.keys(each, f"{where}/{at}", problems, required=("type", "id")):
            checks.typed(each["type"], "list", f"{where}/{at}", problems)
            ids.append(str(each["id"]))
    return ids

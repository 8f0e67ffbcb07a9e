# SPDX-License-Identifier: Apache-2.0
"""What import jobs do, once they are due."""

from __future__ import annotations

import json
import uuid
from typing import Any

from airflow_provider_klaviyo.sandbox.klaviyo import checks, people
from airflow_provider_klaviyo.sandbox.klaviyo.behaviour import JobPlan
from airflow_provider_klaviyo.sandbox.klaviyo.problems import Problem
from airflow_provider_klaviyo.sandbox.klaviyo.state import KlaviyoState

Json = dict[str, Any]


def settle(state: KlaviyoState) -> None:
    """Carry out every import job that is due, oldest first."""
    if not state.pending:
        return
    now = state.now()
    due = state.db.execute("SELECT id, lists FROM jobs WHERE due <= ? ORDER BY created, id", (now,)).fetchall()
    for job_id, lists in due:
        if job_id in state.pending:
            job = state.pending.pop(job_id)
            with state.transaction():
                _carry_out(state, job_id, json.loads(lists), *job)


def _carry_out(state: KlaviyoState, job_id: str, lists: list[str], rows: list[Json], plan: JobPlan) -> None:
    if plan.status != "complete":
        return
    now, failed = state.now(), 0
    done: list[str] = []
    for at, row in enumerate(rows):
        problem = _problem(at, row, plan)
        if problem is None:
            try:
                done.append(people.upsert(state, row, now)[0])
            except people.Conflict as conflict:
                detail = "A profile already exists with one of these identifiers."
                problem = Problem(
                    detail, f"/data/attributes/profiles/data/{at}/attributes/{conflict.name}", meta={"code": "duplicate_profile"}
                )
            except people.Unknown:
                problem = Problem(
                    f"A profile with id {row['id']} does not exist.", f"/data/attributes/profiles/data/{at}/id", meta={"code": "not_found"}
                )
        if problem is not None:
            failed += 1
            _record(state, job_id, at, row, problem)
    state.db.executemany("INSERT OR IGNORE INTO job_profiles VALUES (?, ?)", [(job_id, each) for each in done])
    members = [(each, profile_id, now) for each in lists for profile_id in done]
    state.db.executemany("INSERT OR IGNORE INTO members VALUES (?, ?, ?)", members)
    state.db.execute("UPDATE jobs SET completed = ?, failed = ? WHERE id = ?", (len(done), failed, job_id))


def _problem(at: int, row: Json, plan: JobPlan) -> Problem | None:
    where = f"/data/attributes/profiles/data/{at}"
    if at in plan.fail:
        return Problem("Invalid input.", where)
    if plan.late:
        problems: list[Problem] = []
        checks.profile(row, where, problems)
        return problems[0] if problems else None
    return None


def _record(state: KlaviyoState, job_id: str, at: int, row: Json, problem: Problem) -> None:
    code = problem.meta.get("code", "invalid")
    title = "Conflict." if code == "duplicate_profile" else "Invalid input"
    plain = state.behaviour.plain_import_errors
    pointer, payload = ("/data", "null") if plain else (problem.pointer, checks.compact(row))
    values = (job_id, at, str(uuid.uuid4()), code, title, problem.detail, pointer, payload)
    state.db.execute("INSERT INTO job_errors VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)

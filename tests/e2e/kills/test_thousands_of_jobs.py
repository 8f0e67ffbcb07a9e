# SPDX-License-Identifier: Apache-2.0
"""A load of many batches leaves thousands of jobs with Klaviyo: one trigger waits for all of them, a page of the list for a hundred."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Literal

from airflow.triggers.base import TriggerEvent

from airflow_provider_klaviyo.loading.settle import look
from airflow_provider_klaviyo.triggers.jobs import KlaviyoJobTrigger, settled
from tests.e2e.kills.scheduler import PATIENCE, until
from tests.loading.kit import PROFILE_JOBS, load, people, plan, session

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_klaviyo.sandbox.server import SandboxServer

JOB_COUNT = 2000
PAGES = 20
KIND: Literal["profile-bulk-import"] = "profile-bulk-import"
LIST = "GET /api/profile-bulk-import-jobs"


def finish(sandbox: SandboxServer) -> None:
    """Let all jobs be done."""
    with sandbox.klaviyo.lock:
        sandbox.klaviyo.db.execute("UPDATE jobs SET status = 'complete'")


async def first_event(sandbox: SandboxServer, trigger: KlaviyoJobTrigger) -> Any:
    """Run a trigger as a triggerer does, let the jobs be done when it has looked twice, and return what it tells."""

    async def run() -> TriggerEvent:
        return await anext(trigger.run())

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        event = group.create_task(run())
        await asyncio.to_thread(until, "it has looked twice", lambda: sandbox.klaviyo.requests[LIST] >= 2 * PAGES)
        finish(sandbox)
    return event.result().payload


def test_one_trigger_waits_for_two_thousand_jobs(sandbox: SandboxServer) -> None:
    ids = sandbox.klaviyo.add_foreign_jobs(JOB_COUNT, status="processing")
    payload = asyncio.run(first_event(sandbox, KlaviyoJobTrigger(kind=KIND, job_ids=ids, interval=0.1)))
    assert settled(payload).keys() == set(ids)
    assert dict(sandbox.klaviyo.requests) == {LIST: sandbox.klaviyo.requests[LIST]}, "no job was asked for by itself"
    assert sandbox.klaviyo.requests[LIST] <= 3 * PAGES
    assert len(json.dumps(payload)) < 600_000


def test_who_goes_on_with_the_load_reads_them_all_at_once(sandbox: SandboxServer) -> None:
    ids = sandbox.klaviyo.add_foreign_jobs(JOB_COUNT)
    sandbox.klaviyo.add_foreign_jobs(150)  # newer than ours
    with session(sandbox) as klaviyo:
        done = next(look(klaviyo, KIND, ids))
    assert done.keys() == set(ids)
    assert sum(sandbox.klaviyo.requests.values()) <= PAGES + 2


def test_a_load_of_two_thousand_batches(sandbox: SandboxServer, tmp_path: Path) -> None:
    sandbox.klaviyo.behaviour.job_seconds = 0
    report = load(sandbox, people(JOB_COUNT), plan("profiles", tmp_path, max_batch_items=1))
    assert (report.loaded, report.batches, len(report.jobs)) == (JOB_COUNT, JOB_COUNT, JOB_COUNT)
    assert sandbox.klaviyo.requests[PROFILE_JOBS] == JOB_COUNT
    assert sum(number for name, number in sandbox.klaviyo.requests.items() if name.startswith("GET")) <= PAGES + 1

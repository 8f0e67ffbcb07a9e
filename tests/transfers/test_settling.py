# SPDX-License-Identifier: Apache-2.0
"""A load waits for its jobs with few requests and few hops; a source is closed, and each mapped task has a file of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import TaskDeferred
from airflow.triggers.base import TriggerEvent

from airflow_provider_klaviyo.api.errors import KlaviyoInDoubt
from airflow_provider_klaviyo.loading import Row
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from airflow_provider_klaviyo.session import Session
from airflow_provider_klaviyo.transfers.base import FOLLOWED, indexed
from airflow_provider_klaviyo.transfers.kinds import ProfilesLoad
from airflow_provider_klaviyo.triggers.jobs import KlaviyoJobTrigger
from tests.loading.kit import PROFILE_JOBS, emails, finish_jobs, held, load, people, plan, session
from tests.transfers.sql_kit import Json, RunDag, Store, context, summed

LIST = "GET /api/profile-bulk-import-jobs"
ONE = "GET /api/profile-bulk-import-jobs/{job_id}"


class Hook:
    """Opens sessions that wait in no time."""

    def __init__(self, sandbox: SandboxServer) -> None:
        self._sandbox = sandbox

    def session(self) -> AbstractContextManager[Session]:
        return session(self._sandbox)


class PeopleLoad(ProfilesLoad):
    """Load so many people."""

    count: int = 3

    sandbox: ClassVar[SandboxServer]
    left: ClassVar[list[int]]
    """How many rows were not taken when a source was closed."""

    @property
    def hook(self) -> Any:
        """Return a hook whose sessions wait in no time."""
        return Hook(self.sandbox)

    def rows(self, context: Any, journal: Any) -> Iterator[Row]:
        """Return people."""
        return self._people()

    def _people(self) -> Iterator[Row]:
        taken = 0
        try:
            for taken, row in enumerate(people(self.count), 1):  # noqa: B007
                yield row
        finally:
            self.left.append(self.count - taken)


@pytest.fixture
def klaviyo(sandbox: SandboxServer) -> SandboxServer:
    """Hand out the sandbox with jobs that take their time."""
    sandbox.klaviyo.behaviour.job_seconds = 600
    sandbox.klaviyo.behaviour.limits = "off"
    PeopleLoad.sandbox, PeopleLoad.left = sandbox, []
    return sandbox


def task(folder: Path, **fields: Any) -> PeopleLoad:
    return PeopleLoad(**{"task_id": "load", "staging_path": f"file://{folder}/stage", "poll_interval": 0.02, "chunk_size": 1, **fields})


def begun(operator: PeopleLoad, kept: Any, *, resume: bool = False) -> KlaviyoJobTrigger:
    """Run a hop that ends with a deferral, and return the trigger."""
    with pytest.raises(TaskDeferred) as deferred:
        operator.resume(kept, {}) if resume else operator.execute(kept)
    trigger = deferred.value.trigger
    assert isinstance(trigger, KlaviyoJobTrigger)
    return trigger


def fired(trigger: KlaviyoJobTrigger) -> None:
    """Wait for the trigger, as a triggerer does."""
    path, fields = trigger.serialize()

    async def first() -> TriggerEvent:
        return await anext(type(trigger)(**fields).run())

    assert path.endswith("KlaviyoJobTrigger")
    asyncio.run(first())


def finish(sandbox: SandboxServer, job_ids: list[str]) -> None:
    """Let some jobs be due now."""
    with sandbox.klaviyo.lock:
        sandbox.klaviyo.db.executemany("UPDATE jobs SET started = created, due = created WHERE id = ?", [(each,) for each in job_ids])


def asked(sandbox: SandboxServer) -> tuple[int, int]:
    """Return how often the list of jobs was asked for, and single jobs, since the last time."""
    found = sandbox.klaviyo.requests[LIST], sandbox.klaviyo.requests[ONE]
    sandbox.klaviyo.requests.clear()
    return found


def test_hundreds_of_jobs_are_settled_in_two_hops(klaviyo: SandboxServer, tmp_path: Path) -> None:
    operator, kept = task(tmp_path, count=520, deferrable=True), context()
    trigger = begun(operator, kept)
    assert klaviyo.klaviyo.requests[PROFILE_JOBS] == 520
    assert asked(klaviyo) == (6, 0)
    assert len(trigger.job_ids) == FOLLOWED
    finish_jobs(klaviyo)
    fired(trigger)
    assert asked(klaviyo) == (1, 0), "the trigger waits for the newest, which stand on one page"
    report = summed(operator.resume(kept, {}))
    assert report["loaded"] == len(emails(klaviyo)) == 520
    assert asked(klaviyo) == (6, 0)


def test_what_is_done_is_settled_though_the_newest_jobs_are_not(klaviyo: SandboxServer, tmp_path: Path) -> None:
    operator, kept = task(tmp_path, count=250, deferrable=True), context()
    trigger = begun(operator, kept)
    with klaviyo.klaviyo.lock:
        ids = [row[0] for row in klaviyo.klaviyo.db.execute("SELECT id FROM jobs ORDER BY created")]
    finish(klaviyo, ids[:200])
    asked(klaviyo)
    left = begun(operator, kept, resume=True)
    assert sorted(left.job_ids) == sorted(ids[200:])
    assert asked(klaviyo) == (3, 0)
    assert set(left.job_ids) <= set(trigger.job_ids)
    finish_jobs(klaviyo)
    fired(left)
    assert summed(operator.resume(kept, {}))["loaded"] == 250


def test_jobs_that_other_clients_hide_do_not_go_round_in_hops(klaviyo: SandboxServer, tmp_path: Path) -> None:
    """The oldest five run on: what the trigger has seen to be done is found at once all the same."""
    operator, kept = task(tmp_path, count=40, deferrable=True), context()
    ids = begun(operator, kept).job_ids
    klaviyo.klaviyo.add_foreign_jobs(300)
    finish(klaviyo, ids[5:])
    asked(klaviyo)
    left = begun(operator, kept, resume=True)
    assert sorted(left.job_ids) == sorted(ids[:5])
    assert asked(klaviyo) == (1, 40)


def test_waiting_in_the_worker_settles_hundreds_of_jobs_with_as_few_requests(klaviyo: SandboxServer, tmp_path: Path) -> None:
    klaviyo.klaviyo.behaviour.job_seconds = 0
    assert summed(task(tmp_path, count=320, deferrable=False).execute(context()))["loaded"] == 320
    assert asked(klaviyo) == (4, 0)


def test_the_time_for_jobs_is_kept_over_the_hops(klaviyo: SandboxServer, tmp_path: Path) -> None:
    operator, kept = task(tmp_path, deferrable=True, job_timeout=timedelta(seconds=0.1)), context()
    fired(begun(operator, kept))
    with pytest.raises(KlaviyoInDoubt, match="3 of Klaviyo's jobs are not done"):
        operator.resume(kept, {})


def test_a_phone_number_that_was_somebody_elses_is_sent_once_it_is_not(klaviyo: SandboxServer, tmp_path: Path) -> None:
    klaviyo.klaviyo.behaviour.job_seconds = 0
    row = {"email": "other@example.com", "phone_number": "+14155552671"}
    load(klaviyo, [{**row, "email": "holder@example.com"}, {"email": row["email"]}], plan("profiles", tmp_path))
    made = plan("profiles", tmp_path, identity_conflict="drop_phone", state_path=tmp_path / "state")
    assert load(klaviyo, [row], made).dropped == {"phone_number: identity_conflict": 1}
    with klaviyo.klaviyo.lock:
        klaviyo.klaviyo.db.execute("UPDATE profiles SET phone_number = NULL WHERE email = 'holder@example.com'")
    assert load(klaviyo, [row], made).loaded == 1
    assert ("other@example.com", row["phone_number"]) in {each[:2] for each in held(klaviyo)["profiles"]}
    assert load(klaviyo, [row], made).unchanged == 1


@pytest.mark.parametrize("preview", [False, True])
def test_a_source_is_closed_where_a_load_stops_midway(klaviyo: SandboxServer, tmp_path: Path, preview: bool) -> None:
    operator = task(tmp_path, preview=preview, mapping=[{"origin_field": "no_such_column", "destination_field": "email"}])
    with pytest.raises(Exception, match="no_such_column") as failed:
        operator.execute(context())
    assert failed.value.__traceback__ is not None, "which holds the generator"
    assert PeopleLoad.left == [2]


def test_a_source_is_closed_before_the_load_waits(klaviyo: SandboxServer, tmp_path: Path) -> None:
    begun(task(tmp_path, deferrable=True), context())
    assert PeopleLoad.left == [0]


def test_what_a_load_has_done_is_kept_for_months_and_not_for_ever(klaviyo: SandboxServer, tmp_path: Path) -> None:
    kept: dict[str, Any] = {}

    class Told(Store):
        """Remembers how long each key is to be kept."""

        def set(self, key: str, value: Any, *, retention: Any = None, **more: Any) -> None:
            kept[key] = retention
            super().set(key, value, **more)

    klaviyo.klaviyo.behaviour.job_seconds = 0
    task(tmp_path).execute(context(Told()))
    of_the_load = {key: each for key, each in kept.items() if ":" in key}
    assert len(of_the_load) == 4
    assert set(of_the_load.values()) == {timedelta(days=90)}


@pytest.mark.parametrize(
    ("path", "becomes"),
    [
        ("s3://bucket.name/rejects.jsonl", "s3://bucket.name/rejects.3.jsonl"),
        ("file:///a.b/rejects-2026.11.jsonl.gz", "file:///a.b/rejects-2026.11.3.jsonl.gz"),
        ("file:///a.b/rejects", "file:///a.b/rejects.3"),
    ],
)
def test_a_mapped_task_has_its_index_in_the_name(path: str, becomes: str) -> None:
    assert indexed(path, 3) == becomes
    assert indexed(path, -1) == path
    assert indexed(None, 3) is None


def test_mapped_tasks_leave_each_others_files_alone(klaviyo: SandboxServer, tmp_path: Path, run_dag: RunDag) -> None:
    klaviyo.klaviyo.behaviour.job_seconds = 0
    klaviyo.klaviyo.behaviour.unwelcome = frozenset({"p00000@example.com"})
    with DAG("mapped", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        fixed: Json = {"staging_path": f"file://{tmp_path}/stage", "rejects_path": f"file://{tmp_path}/rejects.jsonl", "allowed_rejects": 1}
        PeopleLoad.partial(task_id="load", poll_interval=0.02, deferrable=False, **fixed).expand(count=[1, 2])
    assert run_dag(dag).state == "success"
    assert sorted(path.name for path in tmp_path.glob("rejects*")) == ["rejects.0.jsonl", "rejects.1.jsonl"]
    assert all(len(path.read_text().splitlines()) == 1 for path in tmp_path.glob("rejects*"))

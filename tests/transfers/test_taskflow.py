# SPDX-License-Identifier: Apache-2.0
"""A load in a TaskFlow task goes on after a failed try, is not done twice, and is done anew when the task is cleared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_klaviyo.api.errors import KlaviyoLoadFailed
from airflow_provider_klaviyo.loading import load
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from airflow_provider_klaviyo.transfers.taskflow import load_store
from tests.loading.kit import PROFILE_JOBS, Killed, happenings, people, plan, requests, session, untouchable


@pytest.fixture
def klaviyo(sandbox: SandboxServer) -> SandboxServer:
    """Hand out the sandbox with jobs that are done when they are first asked for."""
    sandbox.klaviyo.behaviour.job_seconds = 0
    return sandbox


@dataclass
class Instance:
    """What a journal reads of a task instance."""

    max_tries: int = 0


class Store(dict[str, Any]):
    """A task state store that may refuse to go on."""

    dies_at: int | None = None
    writes = 0

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        """Set a key."""
        self.writes += 1
        if self.dies_at is not None and self.writes >= self.dies_at:
            raise Killed
        self[key] = value


def run(sandbox: SandboxServer, folder: Path, store: Store, instance: Instance, profiles: Any, events: Any = ()) -> list[Any]:
    """Run a task with two loads."""
    context: Any = {"task_state_store": store, "ti": instance}
    reports = []
    with session(sandbox) as klaviyo:
        for name, rows, kind in (("customers", profiles, "profiles"), ("orders", events, "events")):
            with load_store(context, name) as kept:
                made = plan(kind, folder, max_batch_items=2, in_flight=1, state_path=folder / "state" if kind == "events" else None)
                reports.append(load(klaviyo, rows, made, store=kept, sleep=lambda _: None))
    return reports


def test_two_loads_of_a_task_are_told_apart_and_cleared_both_run_anew(klaviyo: SandboxServer, tmp_path: Path) -> None:
    store = Store()
    first = run(klaviyo, tmp_path, store, Instance(), people(4), happenings(4))
    assert [(each.kind, each.read) for each in first] == [("profiles", 4), ("events", 4)]
    assert run(klaviyo, tmp_path, store, Instance(), untouchable(), untouchable()) == first  # a retry has nothing to do
    assert requests(klaviyo, PROFILE_JOBS) == 2
    again = run(klaviyo, tmp_path, store, Instance(max_tries=1), people(4), happenings(4))
    assert [each.load_id for each in again] != [each.load_id for each in first]
    assert (requests(klaviyo, PROFILE_JOBS), again[1].unchanged) == (4, 4)


def test_a_try_that_dies_is_gone_on_with(klaviyo: SandboxServer, tmp_path: Path) -> None:
    store = Store()
    store.dies_at = 8
    with pytest.raises(Killed):
        run(klaviyo, tmp_path, store, Instance(), people(8))
    sent = requests(klaviyo, PROFILE_JOBS)
    assert sent
    store.dies_at = None
    (customers, _) = run(klaviyo, tmp_path, store, Instance(), untouchable())
    assert customers.loaded == 8
    assert requests(klaviyo, PROFILE_JOBS) <= 5


def test_a_load_that_has_ended_badly_is_done_anew_when_the_task_is_cleared(klaviyo: SandboxServer, tmp_path: Path) -> None:
    store, rows = Store(), [*people(3), {"email": "broken"}]
    for tries in (0, 1):
        with pytest.raises(KlaviyoLoadFailed):
            run(klaviyo, tmp_path, store, Instance(max_tries=tries), rows)
    assert requests(klaviyo, PROFILE_JOBS) == 4

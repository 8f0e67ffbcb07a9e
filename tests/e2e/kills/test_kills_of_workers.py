# SPDX-License-Identifier: Apache-2.0
"""A whole Celery worker is killed while it loads, and another one goes on that has none of its files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from airflow_provider_klaviyo.sandbox.server import SandboxServer
from tests.e2e.kills.case import BATCHES, COUNT, Case, batches_noted
from tests.e2e.kills.celery_airflow import celery_airflow, start_worker
from tests.e2e.kills.dags.loads import SIZE
from tests.e2e.kills.scheduler import Airflow

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kills of workers")]

ONCE = Counter(dict.fromkeys(range(1, BATCHES + 1), 1))


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    with celery_airflow(tmp_path_factory.mktemp("celery")) as airflow:
        yield airflow
        assert not airflow.orphans()


@pytest.fixture
def case(workers: Airflow, klaviyo: SandboxServer, tmp_path: Path) -> Case:
    made = Case(workers, klaviyo, tmp_path)
    made.connect(f"klaviyo_{uuid4().hex[:8]}")
    return made


def test_another_worker_goes_on_from_the_shared_stage(case: Case, tmp_path: Path) -> None:
    case.klaviyo.klaviyo.behaviour.reused_unique_id = "refuse"
    start_worker(case.airflow, "one")
    case.hold(seconds=3)
    run = case.trigger("events", staging_path=f"file://{tmp_path}/shared")
    case.until_held()
    noted = batches_noted(run)
    case.airflow.kill("one")
    assert sum(case.sent().values()) == 8
    start_worker(case.airflow, "two")

    assert run.state("success", "failed", tries=2)["state"] == "success"
    case.airflow.kill("two")
    assert case.sent() == ONCE
    assert case.sent_singly() == Counter(event for batch in noted["intent"] for event in range((batch - 1) * SIZE, batch * SIZE))
    assert case.reads == 1
    assert case.arrived(run, "events").accepted == COUNT
    assert not list((tmp_path / "shared").iterdir())


def test_without_a_shared_stage_the_other_worker_says_what_to_do(case: Case) -> None:
    start_worker(case.airflow, "three")
    case.hold(seconds=3)
    run = case.trigger("profiles")
    case.until_held()
    case.airflow.kill("three")
    start_worker(case.airflow, "four")

    assert run.state("success", "failed", tries=2)["state"] == "failed"
    assert run.task["try_number"] == 2, "another try would find the same"
    assert "With CeleryExecutor a task may run on another machine next time" in run.log(1)
    assert "Clear this task to load anew" in run.log(2)
    assert sum(case.sent().values()) == 8

    run.clear()
    run.state("success", tries=3)
    case.airflow.kill("four")
    assert case.reads == 2
    assert case.arrived(run, "profiles").loaded == COUNT

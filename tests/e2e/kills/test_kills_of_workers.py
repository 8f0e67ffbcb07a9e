# SPDX-License-Identifier: Apache-2.0
"""A whole Celery worker is killed while it loads, and another one goes on that has none of its files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from airflow_provider_klaviyo.sandbox.server import SandboxServer
from tests.e2e.kills.case import ANSWERED, COUNT, IN_FLIGHT, ONCE, Case, events_of, noted
from tests.e2e.kills.celery_airflow import Workers, celery_airflow
from tests.e2e.kills.scheduler import until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kills of workers")]


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    with celery_airflow(tmp_path_factory.mktemp("celery")) as airflow:
        yield Workers(airflow)
        until("nobody is left behind", lambda: not airflow.orphans())


@pytest.fixture
def case(workers: Workers, klaviyo: SandboxServer, tmp_path: Path) -> Iterator[Case]:
    made = Case(workers.airflow, klaviyo, tmp_path, f"klaviyo_{uuid4().hex[:8]}")
    made.connect()
    yield made
    made.release()


def test_another_worker_goes_on_from_the_shared_stage(case: Case, workers: Workers, tmp_path: Path) -> None:
    case.klaviyo.klaviyo.behaviour.reused_unique_id = "refuse"
    until_held = case.hold_answers()
    run = case.trigger("events", staging_path=f"file://{tmp_path}/shared")
    until_held()
    before = noted(run)
    workers.replace()
    assert sum(case.sent().values()) == ANSWERED + IN_FLIGHT

    assert run.ended(tries=2) == "success"
    assert case.sent() == ONCE
    assert case.sent_singly() == events_of(before["intent"])
    assert case.reads == 1
    assert case.arrived(run).accepted == COUNT
    assert not list((tmp_path / "shared").iterdir())


def test_without_a_shared_stage_the_other_worker_says_what_to_do(case: Case, workers: Workers) -> None:
    until_held = case.hold_answers()
    run = case.trigger("profiles")
    until_held()
    workers.replace()

    assert run.ended(tries=2) == "failed"
    assert run.task["try_number"] == 2, "another try would find the same"
    assert "With CeleryExecutor a task may run on another machine next time" in run.log(1)
    assert "Clear this task to load anew" in run.log(2)
    assert sum(case.sent().values()) == ANSWERED + IN_FLIGHT
    run.clear()

    assert run.ended(tries=3) == "success"
    assert case.reads == 2
    assert case.arrived(run).loaded == COUNT

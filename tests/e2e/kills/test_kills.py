# SPDX-License-Identifier: Apache-2.0
"""Processes of a real scheduler are killed while they load: Klaviyo ends up as if nothing had happened."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.e2e.kills.case import BATCHES, COUNT, Case, batches_noted
from tests.e2e.kills.dags.loads import SIZE
from tests.e2e.kills.scheduler import until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kills")]

ONCE = Counter(dict.fromkeys(range(1, BATCHES + 1), 1))


def test_a_task_killed_with_requests_in_the_air_and_again_while_settling(case: Case) -> None:
    case.hold(seconds=20)
    case.hold_jobs()
    run = case.trigger("profiles")
    case.until_held()
    noted = batches_noted(run)
    assert (len(noted["accepted"]), len(noted["intent"])) == (2, 6)

    run.process().kill()
    process = run.process(tries=2)
    case.until_settling()
    process.kill()
    run.state("running", tries=3)
    case.release_jobs()

    assert run.state("success", "failed")["state"] == "success"
    assert case.sent() == ONCE + Counter(noted["intent"])
    assert case.reads == 1
    report = case.arrived(run, "profiles")
    assert (report.loaded, len(report.jobs), report.batches) == (COUNT, BATCHES, BATCHES)


def test_a_frozen_worker_sends_nothing_when_it_wakes_and_another_try_has_taken_over(case: Case) -> None:
    case.klaviyo.klaviyo.behaviour.reused_unique_id = "refuse"
    case.hold(seconds=5)
    run = case.trigger("events")
    case.until_held()
    noted = batches_noted(run)
    task = run.process()
    supervisor = task.parent()
    supervisor.suspend()
    task.suspend()

    assert run.state("success", "failed", tries=2)["state"] == "success"
    posts = case.posts()
    task.resume()
    supervisor.resume()
    until("the frozen task has ended", lambda: not task.is_running())
    assert case.posts() == posts
    assert case.sent() == ONCE
    assert case.sent_singly() == Counter(event for batch in noted["intent"] for event in range((batch - 1) * SIZE, batch * SIZE))
    assert case.reads == 1
    assert case.arrived(run, "events").accepted == COUNT


def test_a_task_whose_supervisor_was_killed_sends_nothing_more(case: Case) -> None:
    case.klaviyo.klaviyo.behaviour.reused_unique_id = "refuse"
    case.hold(seconds=3)
    run = case.trigger("events")
    case.until_held()
    noted = batches_noted(run)
    task = run.process()
    task.parent().kill()
    until("the orphaned task has ended", lambda: not task.is_running())
    assert sum(case.sent().values()) == 8, "it went on sending"

    assert run.state("success", "failed", tries=2)["state"] == "success"
    assert case.sent() == ONCE
    assert case.sent_singly() == Counter(event for batch in noted["intent"] for event in range((batch - 1) * SIZE, batch * SIZE))
    assert case.reads == 1
    assert case.arrived(run, "events").accepted == COUNT


def test_a_triggerer_killed_while_a_load_settles(case: Case) -> None:
    case.hold_jobs()
    run = case.trigger("profiles", deferrable=True)
    run.state("deferred")
    case.until_settling()
    case.airflow.kill("triggerer")
    case.release_jobs()
    case.airflow.start("triggerer", "triggerer", "--skip-serve-logs")

    assert run.state("success", "failed")["try_number"] == 1
    assert case.sent() == ONCE
    assert case.reads == 1
    assert case.arrived(run, "profiles").loaded == COUNT


@pytest.mark.parametrize("deferrable", [False, True], ids=["waiting in the worker", "waiting in the triggerer"])
def test_a_load_marked_as_failed_while_it_settles_goes_on_when_it_is_cleared(case: Case, deferrable: bool) -> None:
    case.hold_jobs()
    run = case.trigger("profiles", deferrable=deferrable)
    run.state("deferred" if deferrable else "running")
    case.until_settling()
    run.mark_failed()
    case.release_jobs()
    run.clear()

    assert run.state("success", tries=2)
    assert case.sent() == ONCE
    assert case.reads == 1
    assert case.arrived(run, "profiles").loaded == COUNT


def test_a_load_marked_as_failed_stops_sending_and_goes_on_when_it_is_cleared(case: Case) -> None:
    case.hold(seconds=3)
    run = case.trigger("profiles")
    case.until_held()
    noted = batches_noted(run)
    task = run.process()
    run.mark_failed()
    until("the task has ended", lambda: not task.is_running())
    assert sum(case.sent().values()) == 8, "it went on sending"
    assert run.task["state"] == "failed"
    run.clear()

    assert run.state("success", tries=2)
    again = case.sent() - ONCE
    assert again.keys() <= noted["intent"]
    assert case.reads == 1
    assert case.arrived(run, "profiles").loaded == COUNT


def test_a_load_out_of_time_while_it_sends_and_while_it_settles(case: Case) -> None:
    case.hold(seconds=7)
    case.hold_jobs()
    run = case.trigger("profiles_in_a_hurry")
    case.until_held()
    run.state("running", tries=2)
    case.until_settling()
    run.state("running", tries=3)
    case.release_jobs()

    assert run.state("success", "failed")["state"] == "success"
    assert case.sent() == ONCE
    assert case.reads == 1
    assert case.arrived(run, "profiles").loaded == COUNT


def test_a_load_that_succeeded_runs_anew_when_it_is_cleared(case: Case) -> None:
    run = case.trigger("profiles", deferrable=True)
    run.state("success")
    first = case.arrived(run, "profiles")
    run.clear()
    run.state("success", tries=2)
    second = case.arrived(run, "profiles")
    assert first.load_id != second.load_id
    assert case.sent() == ONCE + ONCE
    assert case.reads == 2

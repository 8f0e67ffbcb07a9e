# SPDX-License-Identifier: Apache-2.0
"""Processes of a real scheduler are killed while they load: Klaviyo ends up as if nothing had happened."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.e2e.kills.case import ANSWERED, BATCHES, COUNT, IN_FLIGHT, ONCE, Case, events_of, noted
from tests.e2e.kills.scheduler import until_gone

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kills")]


def test_a_task_killed_with_requests_in_the_air_and_again_while_it_settles(case: Case) -> None:
    until_held = case.hold_answers()
    case.hold_jobs()
    run = case.trigger("profiles")
    until_held()
    before = noted(run)
    assert (len(before["accepted"]), len(before["intent"])) == (ANSWERED, IN_FLIGHT)
    run.process().kill()
    again = run.process(tries=2)
    case.until_settling()
    again.kill()
    run.state("running", tries=3)
    case.release_jobs()

    assert run.ended(tries=3) == "success"
    assert case.sent() == ONCE + Counter(before["intent"]), "what nobody had heard the answer to is imported again, which changes nothing"
    assert case.reads == 1
    report = case.arrived(run)
    assert (report.loaded, len(report.jobs)) == (COUNT, BATCHES)


def test_events_in_the_air_never_go_in_bulk_again(case: Case) -> None:
    case.klaviyo.klaviyo.behaviour.reused_unique_id = "refuse"
    until_held = case.hold_answers()
    run = case.trigger("events")
    until_held()
    before = noted(run)
    run.process().kill()

    assert run.ended(tries=2) == "success"
    assert case.sent() == ONCE
    assert case.sent_singly() == events_of(before["intent"])
    assert case.reads == 1
    assert case.arrived(run).accepted == COUNT


def test_a_yes_in_the_air_is_not_said_again(case: Case) -> None:
    until_held = case.hold_answers()
    run = case.trigger("consent")
    until_held()
    run.process().kill()

    assert run.ended(tries=2) == "success"
    assert case.sent() == ONCE
    assert case.reads == 1
    assert case.arrived(run).accepted == COUNT


def test_a_frozen_worker_sends_nothing_when_it_wakes_and_another_try_has_taken_over(case: Case) -> None:
    case.klaviyo.klaviyo.behaviour.reused_unique_id = "refuse"
    until_held = case.hold_requests()
    run = case.trigger("events")
    until_held()
    before = noted(run)
    task = run.process()
    supervisor = task.parent()
    supervisor.suspend()
    task.suspend()
    case.release()

    assert run.ended(tries=2) == "success"
    changes = case.changes()
    task.resume()
    supervisor.resume()
    until_gone(task)
    assert case.changes() == changes
    assert case.sent() == ONCE
    assert case.sent_singly() == events_of(before["intent"])
    assert case.reads == 1
    assert case.arrived(run).accepted == COUNT


def test_a_task_whose_supervisor_was_killed_sends_nothing_more(case: Case) -> None:
    case.klaviyo.klaviyo.behaviour.reused_unique_id = "refuse"
    until_held = case.hold_requests()
    run = case.trigger("events")
    until_held()
    before = noted(run)
    task = run.process()
    task.parent().kill()
    case.release()
    until_gone(task)
    assert sum(case.sent().values()) == ANSWERED + IN_FLIGHT, "it went on sending"

    assert run.ended(tries=2) == "success"
    assert case.sent() == ONCE
    assert case.sent_singly() == events_of(before["intent"])
    assert case.reads == 1
    assert case.arrived(run).accepted == COUNT


def test_a_triggerer_killed_while_a_load_settles(case: Case) -> None:
    case.hold_jobs()
    run = case.trigger("profiles", deferrable=True)
    run.state("deferred")
    case.until_settling()
    case.airflow.kill("triggerer")
    case.release_jobs()
    case.airflow.start("triggerer", "triggerer", "--skip-serve-logs")

    assert run.ended() == "success"
    assert run.task["try_number"] == 1
    assert case.sent() == ONCE
    assert case.reads == 1
    assert case.arrived(run).loaded == COUNT


@pytest.mark.parametrize("deferrable", [False, True], ids=["waiting in the worker", "waiting in the triggerer"])
def test_a_load_marked_as_failed_while_it_settles_goes_on_when_it_is_cleared(case: Case, deferrable: bool) -> None:
    case.hold_jobs()
    run = case.trigger("profiles", deferrable=deferrable)
    task = None if deferrable else run.process()
    run.state("deferred" if deferrable else "running")
    case.until_settling()
    run.mark_failed()
    if task:
        until_gone(task)
    case.release_jobs()
    run.clear()

    assert run.ended(tries=2) == "success"
    assert case.sent() == ONCE
    assert case.reads == 1
    assert case.arrived(run).loaded == COUNT


def test_a_load_marked_as_failed_stops_sending_and_goes_on_when_it_is_cleared(case: Case) -> None:
    until_held = case.hold_requests()
    run = case.trigger("profiles")
    until_held()
    before = noted(run)
    task = run.process()
    run.mark_failed()
    run.until_logged("Terminating process")
    case.release()
    until_gone(task)
    assert sum(case.sent().values()) == ANSWERED + IN_FLIGHT, "it went on sending"
    assert run.task["state"] == "failed"
    run.clear()

    assert run.ended(tries=2) == "success"
    assert (case.sent() - ONCE).keys() <= before["intent"]
    assert case.reads == 1
    assert case.arrived(run).loaded == COUNT


def test_a_load_out_of_time_while_it_sends_and_again_while_it_settles(case: Case) -> None:
    until_held = case.hold_requests()
    case.hold_jobs()
    run = case.trigger("profiles_in_a_hurry")
    until_held()
    run.until_logged("Process timed out")
    case.release()
    run.state("running", tries=2)
    case.until_settling()
    run.state("running", tries=3)
    case.release_jobs()

    assert run.ended(tries=3) == "success"
    assert case.sent() == ONCE, "the answers that came late were noted"
    assert case.reads == 1
    assert case.arrived(run).loaded == COUNT


def test_a_load_that_succeeded_runs_anew_when_it_is_cleared(case: Case) -> None:
    run = case.trigger("profiles", deferrable=True)
    assert run.ended() == "success"
    first = case.arrived(run)
    run.clear()
    assert run.ended(tries=2) == "success"
    second = case.arrived(run)
    assert first.load_id != second.load_id
    assert case.sent() == ONCE + ONCE
    assert case.reads == 2

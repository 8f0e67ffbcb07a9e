# SPDX-License-Identifier: Apache-2.0
"""Poking, rescheduled or deferred, the sensor means the same."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_klaviyo.api import bodies, profiles
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.sensors.jobs import KlaviyoJobSensor

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

ONCE = '{"conn_type": "klaviyo", "host": "%s", "password": "pk_sandbox", "extra": {"max_attempts": 1}}'


Wait = Callable[..., Any]


@pytest.fixture
def wait(wait_with: Wait) -> Wait:
    """Return a function that waits for a job."""
    return lambda job_id, **fields: wait_with(KlaviyoJobSensor, job_id=job_id, **fields)


def start(rows: int = 1) -> str:
    """Start an import job and return its id."""
    people = [bodies.profile_resource({"email": f"a{number}@example.com"}) for number in range(rows)]
    with KlaviyoHook().session() as klaviyo:
        return str(klaviyo.send(profiles.bulk_import(profiles=people))["data"]["id"])


def test_it_returns_the_job(sandbox: SandboxServer, wait: Wait) -> None:
    sandbox.klaviyo.behaviour.job_seconds = 0.2
    job_id = start()
    done = wait("{{ '" + job_id + "' }}", allowed_failures="{{ 0 }}")
    assert (done.state, done.tries) == ("success", 1)
    assert done.returned == {
        "id": job_id,
        "kind": "profile-bulk-import",
        "status": "complete",
        "total": 1,
        "completed": 1,
        "failed": 0,
        "skipped": 0,
        "errors": [],
    }


def test_a_job_that_is_done_already_needs_one_look(sandbox: SandboxServer, wait: Wait) -> None:
    sandbox.klaviyo.behaviour.job_seconds = 0
    job_id = start()
    sandbox.klaviyo.requests.clear()
    assert wait(job_id).state == "success"
    assert sum(sandbox.klaviyo.requests.values()) == 1


def test_time_is_up(sandbox: SandboxServer, wait: Wait) -> None:
    sandbox.klaviyo.behaviour.job_seconds = 600
    late = wait(start(), timeout=0.2)
    assert (late.state, late.tries) == ("failed", 1), "a sensor that has waited long enough is not retried"
    assert late.error.startswith("airflow.sdk.exceptions.AirflowSensorTimeout: Sensor has timed out")


def test_time_is_up_softly(sandbox: SandboxServer, wait: Wait) -> None:
    sandbox.klaviyo.behaviour.job_seconds = 600
    late = wait(start(), timeout=dt.timedelta(seconds=0.2), soft_fail=True)
    assert (late.state, late.tries) == ("skipped", 1)


@pytest.mark.parametrize("soft_fail", [False, True])
def test_a_job_with_failed_rows_fails(sandbox: SandboxServer, wait: Wait, soft_fail: bool) -> None:
    sandbox.klaviyo.behaviour.job_seconds = 0.2
    sandbox.klaviyo.next_job("complete", fail=[0])
    failed = wait(start(rows=3), soft_fail=soft_fail)
    assert (failed.state, failed.tries) == ("failed", 1), "soft_fail is about time, as with Airflow's own sensors"
    assert "KlaviyoJobFailed" in failed.error
    assert "1 of 3 rows failed (0 allowed)" in failed.error


def test_failed_rows_may_be_allowed(sandbox: SandboxServer, wait: Wait) -> None:
    sandbox.klaviyo.behaviour.job_seconds = 0.2
    sandbox.klaviyo.next_job("complete", fail=[0])
    assert wait(start(rows=3), allowed_failures=1).returned["failed"] == 1


def test_a_cancelled_job_fails(sandbox: SandboxServer, wait: Wait) -> None:
    sandbox.klaviyo.behaviour.job_seconds = 0.2
    sandbox.klaviyo.next_job("cancelled")
    failed = wait(start())
    assert (failed.state, failed.tries) == ("failed", 1)
    assert "was cancelled" in failed.error


def test_a_status_never_seen_fails(sandbox: SandboxServer, wait: Wait) -> None:
    sandbox.klaviyo.behaviour.job_seconds = 0.2
    sandbox.klaviyo.next_job("paused")
    failed = wait(start())
    assert (failed.state, failed.tries) == ("failed", 1)
    assert "'paused'" in failed.error


@pytest.mark.parametrize("status", [401, 403, 404, 410])
@pytest.mark.parametrize("looks", [0, 2])
def test_what_cannot_change_fails_at_once(sandbox: SandboxServer, wait: Wait, status: int, looks: int) -> None:
    """It is the same error after as many tries, whether the first look meets it or one in the triggerer."""
    sandbox.klaviyo.behaviour.job_seconds = 600
    job_id = start()
    sandbox.fail(path=f"/api/profile-bulk-import-jobs/{job_id}", status=status, times=99, skip=looks)
    failed = wait(job_id)
    assert (failed.state, failed.tries) == ("failed", 1)
    operation = f"GET /api/profile-bulk-import-jobs/{job_id} answered {status}."
    assert failed.error.startswith(f"airflow_provider_klaviyo.api.errors.KlaviyoApiError: {operation}")
    assert "klaviyo_default" in failed.error or job_id in failed.error


def test_an_outage_is_waited_out(sandbox: SandboxServer, wait: Wait, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_KLAVIYO_DEFAULT", ONCE % sandbox.url)
    job_id = start()
    fault = sandbox.fail(path="/api/profile-bulk-import-jobs", status=503, times=3)
    done = wait(job_id)
    assert (done.state, done.tries, fault.hits) == ("success", 1, 3)


def test_time_is_up_and_never_fail_skips(sandbox: SandboxServer, wait: Wait) -> None:
    sandbox.klaviyo.behaviour.job_seconds = 600
    late = wait(start(), timeout=0.2, never_fail=True)
    assert (late.state, late.tries) == ("skipped", 1)


@pytest.mark.parametrize("looks", [0, 1])
def test_an_answer_of_a_strange_form_fails_in_every_mode(sandbox: SandboxServer, wait: Wait, looks: int) -> None:
    sandbox.klaviyo.behaviour.job_seconds = 600
    sandbox.fail(path="/api/profile-bulk-import-jobs/", status=200, body={"data": {}}, times=99, skip=looks)
    failed = wait(start(), retries=0, soft_fail=True)
    assert failed.state == "failed", "soft_fail is about time"
    assert "what is no job" in failed.error


def test_a_connection_that_is_not_there_fails_in_every_mode(sandbox: SandboxServer, wait: Wait) -> None:
    failed = wait("J", klaviyo_conn_id="nosuch", retries=1, soft_fail=True)
    assert (failed.state, failed.tries) == ("failed", 2)
    assert "The conn_id `nosuch` isn't defined" in failed.error


def test_a_connection_that_is_taken_away_fails_in_every_mode(sandbox: SandboxServer, wait: Wait, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox.klaviyo.behaviour.job_seconds = 600
    monkeypatch.setenv("AIRFLOW_CONN_SHORT_LIVED", sandbox.connections["AIRFLOW_CONN_KLAVIYO_DEFAULT"])
    job_id = start()
    first_look = sandbox.fail(path=f"/api/profile-bulk-import-jobs/{job_id}", delay=0.3)

    def take_away() -> None:
        while not first_look.hits:
            time.sleep(0.01)
        monkeypatch.delenv("AIRFLOW_CONN_SHORT_LIVED")

    thread = threading.Thread(target=take_away, daemon=True)
    thread.start()
    failed = wait(job_id, klaviyo_conn_id="short_lived", retries=1, soft_fail=True)
    thread.join()
    assert (failed.state, failed.tries) == ("failed", 2)
    assert "The conn_id `short_lived` isn't defined" in failed.error


def test_never_fail_skips(sandbox: SandboxServer, wait: Wait) -> None:
    sandbox.klaviyo.behaviour.job_seconds = 0.2
    sandbox.klaviyo.next_job("cancelled")
    assert wait(start(), never_fail=True).state == "skipped"


def test_silent_fail_waits_on(sandbox: SandboxServer, wait: Wait) -> None:
    job_id = start()
    fault = sandbox.fail(path=f"/api/profile-bulk-import-jobs/{job_id}", status=404, times=3)
    done = wait(job_id, silent_fail=True)
    assert (done.state, done.tries, fault.hits) == ("success", 1, 3)


def test_a_misspelt_argument_is_refused() -> None:
    with pytest.raises(TypeError, match="poke_intervall"):
        KlaviyoJobSensor(task_id="it", job_id="J", poke_intervall=3)  # type: ignore[call-arg]

# SPDX-License-Identifier: Apache-2.0
"""Refusals that are nobody's fault, outages, and tasks that are ended while requests wait."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_klaviyo.api.errors import KlaviyoApiError
from airflow_provider_klaviyo.loading import load as load_rows
from airflow_provider_klaviyo.loading.consent import ConsentRules
from airflow_provider_klaviyo.loading.journal import State
from airflow_provider_klaviyo.pacing import Pacer
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from airflow_provider_klaviyo.session import open_session
from airflow_provider_klaviyo.settings import Settings
from tests.loading.kit import (
    EVENT,
    EVENT_JOBS,
    PROFILE_JOBS,
    Clock,
    KeptStore,
    Killed,
    event_ids,
    happenings,
    load,
    people,
    plan,
    requests,
    session,
)

ROWS = {"profiles": people, "events": happenings}


def refusal(code: str, pointer: str) -> dict[str, Any]:
    return {"errors": [{"id": "1", "status": 400, "code": code, "title": "No.", "detail": "No.", "source": {"pointer": pointer}}]}


@pytest.mark.parametrize("kind", ["profiles", "events"])
def test_a_400_about_the_key_rejects_nobody(klaviyo: SandboxServer, tmp_path: Path, kind: str) -> None:
    klaviyo.fail(path="bulk", method="POST", status=400, body=refusal("authentication_failed", "/data/"), times=10_000)
    with session(klaviyo) as api, pytest.raises(KlaviyoApiError, match="authentication_failed"):
        load_rows(api, ROWS[kind](100), plan(kind, tmp_path, allowed_rejects=100, in_flight=1))
    assert sum(count for name, count in klaviyo.klaviyo.requests.items() if name.startswith("POST")) == 1


def test_a_refusal_that_every_part_meets_is_not_the_rows(klaviyo: SandboxServer, tmp_path: Path) -> None:
    klaviyo.fail(path="bulk", method="POST", status=400, body=refusal("invalid", ""), times=10_000)
    with session(klaviyo) as api, pytest.raises(KlaviyoApiError, match="invalid"):
        load_rows(api, people(1000), plan("profiles", tmp_path, allowed_rejects=1000))
    assert requests(klaviyo, PROFILE_JOBS) < 50


def test_a_short_outage_costs_the_batches_in_the_air_and_no_others(klaviyo: SandboxServer, reading: str, tmp_path: Path) -> None:
    klaviyo.fail(path="/api/event", method="POST", status=503, times=6)  # whatever comes: first two in bulk, then four alone
    report = load(klaviyo, happenings(200), plan("events", tmp_path, max_batch_items=5, in_flight=2))
    assert (report.accepted, len(event_ids(klaviyo))) == (200, 200)
    assert requests(klaviyo, EVENT_JOBS) == 40
    assert requests(klaviyo, EVENT) == 10 + 4


class Mortal(KeptStore):
    """A store that tells when it has killed its worker."""

    def __init__(self, *, kill_at: int) -> None:
        super().__init__(kill_at=kill_at)
        self.dead = threading.Event()

    def set(self, key: str, value: Any) -> None:
        """Set a key, or die."""
        try:
            super().set(key, value)
        except Killed:
            self.dead.set()
            raise


@pytest.mark.parametrize("kind", ["profiles", "events"])
def test_a_task_that_is_ended_does_not_wait_for_its_turn(klaviyo: SandboxServer, tmp_path: Path, kind: str) -> None:
    """Klaviyo says "later" for ever, on a clock that stands still: only the task's end can end the wait."""
    klaviyo.fail(path="bulk", method="POST", status=429, times=10_000)
    store, naps = Mortal(kill_at=5), []  # the load's two notes, and three intents

    def sleep(seconds: float) -> None:
        assert store.dead.wait(10)
        naps.append(seconds)
        assert len(naps) < 100_000, "the requests go on waiting"

    settings = Settings(conn_id="klaviyo_test", base_url=klaviyo.url, key="pk_sandbox")
    with open_session(settings, pacer=Pacer(lambda: 0.0), sleep=sleep) as api, pytest.raises(Killed):
        load_rows(api, ROWS[kind](40), plan(kind, tmp_path, max_batch_items=5, in_flight=4), store=store)
    store.revive()
    klaviyo.faults.clear()
    with session(klaviyo) as api:
        report = load_rows(api, iter(()), plan(kind, tmp_path, max_batch_items=5), store=store, sleep=lambda _: None)
    assert report.loaded + report.accepted == 40


def test_a_task_that_is_ended_does_not_go_on_looking(klaviyo: SandboxServer, tmp_path: Path) -> None:
    """Klaviyo answers one look, and to the others it says "later" for ever: only the task's end can end that."""
    klaviyo.fail(method="GET", path="^/api/profiles", status=429, skip=1, times=10_000)
    store, naps, clock = Mortal(kill_at=3), [], Clock()  # the load's two notes, and an intent

    def sleep(seconds: float) -> None:
        if not requests(klaviyo, "GET /api/profiles"):
            clock.sleep(seconds)
            return
        assert store.dead.wait(10)
        naps.append(seconds)
        assert len(naps) < 1_000, "the looks go on waiting"

    rows = [{"consent": "unsubscribed", "email": f"n{at}@example.com"} for at in range(20)]
    made = plan("consent", tmp_path, consent=ConsentRules(), max_batch_items=5, in_flight=4)
    settings = Settings(conn_id="klaviyo_test", base_url=klaviyo.url, key="pk_sandbox")
    with open_session(settings, pacer=Pacer(clock), sleep=sleep) as api, pytest.raises(Killed):
        load_rows(api, rows, made, store=store)
    assert len(naps) < 100


def test_refusals_of_requests_whose_rows_go_through_one_by_one_end_no_load(klaviyo: SandboxServer, tmp_path: Path) -> None:
    klaviyo.fail(path="event-bulk-create-jobs", status=400, body=refusal("invalid", "/data"), times=1_000)
    report = load(klaviyo, happenings(80), plan("events", tmp_path, max_batch_items=2, in_flight=1))
    assert (report.accepted, len(event_ids(klaviyo))) == (80, 80)


def test_the_error_says_how_many_requests_were_refused_and_why(klaviyo: SandboxServer, tmp_path: Path) -> None:
    klaviyo.fail(path="bulk", method="POST", status=400, body=refusal("invalid", ""), times=10_000)
    with session(klaviyo) as api, pytest.raises(KlaviyoApiError, match=r"33 requests in a row were refused.* The last: No\."):
        load_rows(api, people(1000), plan("profiles", tmp_path, allowed_rejects=1000))


class Refusing(KeptStore):
    """A store that does not take it when a batch that was sent is written down for the first time."""

    def __init__(self) -> None:
        super().__init__()
        self.refused = ""

    def set(self, key: str, value: Any) -> None:
        """Set a key, or say that it cannot be."""
        if value.get("state") == State.SETTLED and not self.refused:
            self.refused = key
            raise OSError("the metadata database is away")
        super().set(key, value)


def test_a_journal_that_cannot_be_written_once_loses_no_answers(klaviyo: SandboxServer, tmp_path: Path) -> None:
    store, made = Refusing(), plan("events", tmp_path, max_batch_items=5, in_flight=6)
    with session(klaviyo) as api, pytest.raises(OSError, match="database"):
        load_rows(api, happenings(30), made, store=store, sleep=lambda _: None)
    with session(klaviyo) as api:
        report = load_rows(api, iter(()), made, store=store, sleep=lambda _: None)
    assert (report.accepted, len(event_ids(klaviyo))) == (30, 30)
    assert requests(klaviyo, EVENT_JOBS) == 6
    assert requests(klaviyo, EVENT) == 0, "nothing was in doubt"

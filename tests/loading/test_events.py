# SPDX-License-Identifier: Apache-2.0
"""Events: whatever happens and however often, Klaviyo holds each once, under both readings of a ``unique_id`` that is sent again."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_klaviyo.api import accounts
from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoConfigError, KlaviyoUnanswered
from airflow_provider_klaviyo.loading import Row
from airflow_provider_klaviyo.loading import load as load_rows
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from tests.loading.kit import (
    EVENT,
    EVENT_JOBS,
    KeptStore,
    accounted,
    event_ids,
    happenings,
    held,
    load,
    plan,
    rejects,
    requests,
    session,
    untouchable,
)

STATE = pytest.mark.parametrize("remembered", [True, False], ids=["ledger", "no ledger"])


def state(folder: Path, remembered: bool) -> dict[str, Any]:
    return {"state_path": folder / "state"} if remembered else {}


def test_events_are_accepted_and_read_back_as_sent(klaviyo: SandboxServer, tmp_path: Path) -> None:
    report = load(klaviyo, happenings(25), plan("events", tmp_path, max_batch_items=10))
    assert (report.read, report.accepted, report.loaded, report.batches, report.jobs) == (25, 25, 0, 3, [])
    assert event_ids(klaviyo) == sorted(f"o{at}" for at in range(25))
    assert len(held(klaviyo)["profiles"]) == 13
    assert {row[4] for row in held(klaviyo)["events"]} == {1}  # three weeks old: no flow starts


@STATE
@pytest.mark.parametrize("pointers", ["all", "first", "none"])
def test_running_twice_and_overlapping_windows(
    klaviyo: SandboxServer, reading: str, tmp_path: Path, remembered: bool, pointers: Any
) -> None:
    klaviyo.klaviyo.behaviour.pointers = pointers
    made = plan("events", tmp_path, max_batch_items=8, **state(tmp_path, remembered))
    load(klaviyo, happenings(20), made)
    after = held(klaviyo)
    bulk, single = requests(klaviyo, EVENT_JOBS), requests(klaviyo, EVENT)
    again = load(klaviyo, happenings(20), made)
    assert held(klaviyo) == after
    assert (again.unchanged, again.accepted) == ((20, 0) if remembered else (0, 20))
    if remembered:
        assert (requests(klaviyo, EVENT_JOBS), requests(klaviyo, EVENT)) == (bulk, single)
    shifted = load(klaviyo, happenings(20, start=10), made)
    assert (shifted.unchanged, shifted.accepted) == ((10, 10) if remembered else (0, 20))
    assert event_ids(klaviyo) == sorted(f"o{at}" for at in range(30))


@STATE
def test_events_without_an_id_twice_are_no_second_events(klaviyo: SandboxServer, reading: str, tmp_path: Path, remembered: bool) -> None:
    rows = [Row(row.key, {**row.data, "unique_id": None}) for row in happenings(12)]
    made = plan("events", tmp_path, **state(tmp_path, remembered))
    first = load(klaviyo, [*rows, rows[3]], made)
    after = held(klaviyo)
    load(klaviyo, rows, made)
    assert (first.accepted, first.duplicate) == (12, 1)
    assert held(klaviyo) == after
    assert len(after["events"]) == 12


@pytest.mark.parametrize(("scope", "events"), [("metric", 6), ("profile", 12)])
def test_people_whose_address_changed_between_two_runs(
    klaviyo: SandboxServer, reading: str, tmp_path: Path, scope: Any, events: int
) -> None:
    """Klaviyo takes one id of two people for two events; a source that gives each id once can say so."""
    made = plan("events", tmp_path, state_path=tmp_path / "state", unique_id_scope=scope)
    load(klaviyo, happenings(6), made)
    moved = [Row(row.key, {**row.data, "profile": {"email": f"new-{row.data['profile']['email']}"}}) for row in happenings(6)]
    report = load(klaviyo, moved, made)
    assert len(event_ids(klaviyo)) == events
    assert (report.unchanged, report.accepted) == ((6, 0) if scope == "metric" else (0, 6))


def test_one_id_of_two_metrics_or_two_people_is_two_events(klaviyo: SandboxServer, reading: str, tmp_path: Path) -> None:
    rows = [
        *happenings(2),
        *happenings(2, metric="Refunded Order"),
        *(Row(f"x{row.key}", {**row.data, "profile": {"email": "x@example.com"}}) for row in happenings(2)),
    ]
    report = load(klaviyo, rows, plan("events", tmp_path))
    assert (report.accepted, len(event_ids(klaviyo))) == (6, 6)


def test_one_person_under_two_names_in_one_batch(klaviyo: SandboxServer, reading: str, tmp_path: Path) -> None:
    """Klaviyo finds out that both rows are one event, which nobody can see here; the refusal of the batch is settled one by one."""
    load(klaviyo, [{"email": "p00000@example.com", "phone_number": "+14155552671"}], plan("profiles", tmp_path))
    twin = Row("twin", {**happenings(1)[0].data, "profile": {"phone_number": "+14155552671"}})
    report = load(klaviyo, [*happenings(5), twin], plan("events", tmp_path))
    assert report.accepted == 6
    assert event_ids(klaviyo) == sorted(f"o{at}" for at in range(5))


def test_what_was_sent_before_is_sent_again_on_request_one_by_one(klaviyo: SandboxServer, reading: str, tmp_path: Path) -> None:
    made = plan("events", tmp_path, state_path=tmp_path / "state")
    load(klaviyo, happenings(6), made)
    after, bulk = held(klaviyo), requests(klaviyo, EVENT_JOBS)
    report = load(klaviyo, [*happenings(6), *happenings(2)], plan("events", tmp_path, state_path=tmp_path / "state", resend=True))
    assert (report.accepted, report.duplicate, report.unchanged) == (6, 2, 0)
    assert (requests(klaviyo, EVENT_JOBS), requests(klaviyo, EVENT)) == (bulk, 6)
    assert held(klaviyo) == after


@pytest.mark.parametrize("pointers", ["all", "first", "none"])
def test_bad_events_anywhere_cost_no_other(klaviyo: SandboxServer, reading: str, tmp_path: Path, pointers: Any) -> None:
    klaviyo.klaviyo.behaviour.pointers = pointers
    klaviyo.klaviyo.behaviour.unwelcome = frozenset({"p00003@example.com", "p00011@example.com"})
    made = plan("events", tmp_path, max_batch_items=20, state_path=tmp_path / "state", allowed_rejects=4)
    report = load(klaviyo, happenings(50), made)
    bad = {"order 6", "order 7", "order 22", "order 23"}
    assert (report.accepted, report.rejected) == (46, 4)
    assert {line["key"] for line in rejects(report)} == bad
    assert event_ids(klaviyo) == sorted(f"o{at}" for at in range(50) if f"order {at}" not in bad)
    # what was refused is not taken for sent: once Klaviyo has changed its mind, it goes
    klaviyo.klaviyo.behaviour.unwelcome = frozenset()
    report = load(klaviyo, happenings(50), made)
    assert (report.accepted, report.unchanged) == (4, 46)
    assert len(event_ids(klaviyo)) == 50


def test_a_mix_of_bad_and_sent_before_under_every_reading(klaviyo: SandboxServer, reading: str, tmp_path: Path) -> None:
    chance = random.Random(3)
    for pointers in ("all", "first", "none"):
        klaviyo.reset()
        klaviyo.klaviyo.behaviour.reused_unique_id = reading  # type: ignore[assignment]
        klaviyo.klaviyo.behaviour.pointers = pointers
        load(klaviyo, chance.sample(happenings(60), 25), plan("events", tmp_path))
        bad = set(chance.sample(range(30), 4))
        before = event_ids(klaviyo)
        klaviyo.klaviyo.behaviour.unwelcome = frozenset(f"p{at:05d}@example.com" for at in bad)
        report = load(klaviyo, happenings(60), plan("events", tmp_path, max_batch_items=25, allowed_rejects=0.9))
        assert (report.accepted, report.rejected) == (52, 8)
        assert event_ids(klaviyo) == sorted({*before, *(f"o{at}" for at in range(60) if at // 2 not in bad)})


def test_two_loads_at_once_make_no_event_twice(klaviyo: SandboxServer, reading: str, tmp_path: Path) -> None:
    made = plan("events", tmp_path, state_path=tmp_path / "state", max_batch_items=5)

    def rows() -> Any:
        yield from happenings(10)
        assert load(klaviyo, happenings(15, start=5), made).accepted == 15  # another load, from its begin to its end
        yield from happenings(10, start=10)

    report = load(klaviyo, rows(), made)
    assert report.accepted == 20
    assert event_ids(klaviyo) == sorted(f"o{at}" for at in range(20))
    assert load(klaviyo, happenings(20), made).unchanged == 20


def test_a_load_begun_by_another_that_died_is_in_doubt_and_goes_one_by_one(klaviyo: SandboxServer, reading: str, tmp_path: Path) -> None:
    made = plan("events", tmp_path, state_path=tmp_path / "state", max_batch_items=5, in_flight=1)
    klaviyo.fail(path="event-bulk", status=401, skip=1)
    with session(klaviyo) as api, pytest.raises(KlaviyoApiError):
        load_rows(api, happenings(15), made)  # no store: nobody will go on with it
    report = load(klaviyo, happenings(20), made)
    assert (report.accepted, report.unchanged) == (20, 0)
    assert requests(klaviyo, EVENT) == 15
    assert event_ids(klaviyo) == sorted(f"o{at}" for at in range(20))
    assert load(klaviyo, happenings(20), made).unchanged == 20


def test_a_ledger_is_an_accounts_whatever_the_key(klaviyo: SandboxServer, tmp_path: Path) -> None:
    """A key that is replaced must not make the ledger forget: a person whose e-mail changed would get the event again."""
    klaviyo.klaviyo.behaviour.keys["pk_other"] = None
    made = plan("events", tmp_path, state_path=tmp_path / "state")
    assert load(klaviyo, happenings(5), made).accepted == 5
    assert load(klaviyo, happenings(5), made, key="pk_other").unchanged == 5
    with session(klaviyo) as api:
        (account,) = api.walk(accounts.list_())
    assert [path.name for path in (tmp_path / "state").iterdir()] == [f"sent-{account['id']}"]


def test_without_the_scope_that_tells_the_account_nothing_is_sent(klaviyo: SandboxServer, tmp_path: Path) -> None:
    klaviyo.klaviyo.behaviour.keys["pk_other"] = frozenset({"events:write"})
    with session(klaviyo, key="pk_other") as api, pytest.raises(KlaviyoConfigError, match="accounts:read"):
        load_rows(api, happenings(5), plan("events", tmp_path, state_path=tmp_path / "state"))
    assert requests(klaviyo, EVENT_JOBS) == 0


FAULTS: dict[str, dict[str, Any]] = {
    "500": {"status": 500},
    "500, but done": {"status": 500, "acted": True},
    "502 with a page": {"status": 502, "body": "<html>Bad gateway</html>", "acted": True},
    "503": {"status": 503, "headers": {"retry-after": "30"}},
    "504, but done": {"status": 504, "body": "", "acted": True},
    "dropped before": {"drop": "before"},
    "dropped after": {"drop": "after"},
    "half an answer": {"truncate": 0.5},
    "202 with a page": {"status": 202, "body": "<html>", "acted": True},
    "429": {"status": 429},
    "429 with a date": {"status": 429, "headers": {"retry-after": "Fri, 20 Nov 2026 12:00:00 GMT"}},
}


@STATE
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_bulk_request_changes_nothing_in_the_end(
    klaviyo: SandboxServer, reading: str, tmp_path: Path, fault: str, remembered: bool
) -> None:
    klaviyo.fail(path="event-bulk", skip=1, times=2, **FAULTS[fault])
    report = load(klaviyo, happenings(40), plan("events", tmp_path, max_batch_items=10, **state(tmp_path, remembered)))
    assert (report.accepted, report.unknown) == (40, 0)
    assert event_ids(klaviyo) == sorted(f"o{at}" for at in range(40))
    assert {row[4] for row in held(klaviyo)["events"]} == {1}  # by whichever way it came, no flow starts
    values = {row[3]: row[5] for row in held(klaviyo)["events"]}
    assert '"$value":39.5' in values["o39"]
    if remembered:
        assert load(klaviyo, happenings(40), plan("events", tmp_path, **state(tmp_path, remembered))).unchanged == 40


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_single_events_are_retried(klaviyo: SandboxServer, reading: str, tmp_path: Path, fault: str) -> None:
    klaviyo.fail(path="event-bulk", drop="after")
    klaviyo.fail(path="events$", skip=2, times=3, **FAULTS[fault])
    report = load(klaviyo, happenings(10), plan("events", tmp_path))
    assert report.accepted == 10
    assert event_ids(klaviyo) == sorted(f"o{at}" for at in range(10))


def test_a_timeout_leaves_no_doubt_in_the_end(klaviyo: SandboxServer, reading: str, tmp_path: Path) -> None:
    klaviyo.fail(path="event-bulk", delay_after=0.6)
    report = load(klaviyo, happenings(20), plan("events", tmp_path, max_batch_items=10), timeout=0.3)
    assert report.accepted == 20
    assert event_ids(klaviyo) == sorted(f"o{at}" for at in range(20))


def test_where_single_events_cannot_be_settled_the_next_try_settles_them(klaviyo: SandboxServer, reading: str, tmp_path: Path) -> None:
    klaviyo.fail(path="event-bulk", drop="after")
    outage = klaviyo.fail(path="events$", drop="before", times=10_000)
    store, made = KeptStore(), plan("events", tmp_path, max_batch_items=10, state_path=tmp_path / "state")
    with session(klaviyo, max_attempts=2) as api:
        with pytest.raises(KlaviyoUnanswered):
            load_rows(api, happenings(30), made, store=store)
        assert outage.hits > 0
        assert len(event_ids(klaviyo)) == 30
        klaviyo.faults.clear()
        report = accounted(load_rows(api, untouchable(), made, store=store))
    assert report.accepted == 30
    assert event_ids(klaviyo) == sorted(f"o{at}" for at in range(30))
    assert requests(klaviyo, EVENT_JOBS) == 3

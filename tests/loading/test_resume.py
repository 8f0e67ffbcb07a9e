# SPDX-License-Identifier: Apache-2.0
"""A worker may die at any moment: whoever goes on leaves Klaviyo exactly as if nothing had happened."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_klaviyo.api.errors import KlaviyoLoadFailed
from airflow_provider_klaviyo.loading import LoadReport, Plan, Row, Skip
from airflow_provider_klaviyo.loading import load as load_rows
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from tests.loading.kit import (
    EVENT_JOBS,
    PROFILE_JOBS,
    KeptStore,
    Killed,
    accounted,
    event_ids,
    happenings,
    held,
    new_list,
    people,
    plan,
    rejects,
    requests,
    session,
    untouchable,
)

BAD = "p00007@example.com"
Case = dict[str, Any]


def profiles(sandbox: SandboxServer, folder: Path) -> tuple[list[Any], Plan]:
    """Return several batches: one is refused for a row, one has a job with a failed row, two rows never leave."""
    sandbox.klaviyo.behaviour.unwelcome = frozenset({BAD})
    rows = [*people(24), *people(1), Skip("s", "test", "A test.")]
    return rows, plan("profiles", folder, max_batch_items=6, in_flight=1, allowed_rejects=2, list_id=new_list(sandbox))


def events(sandbox: SandboxServer, folder: Path) -> tuple[list[Any], Plan]:
    """Return several batches: one is refused for a person, one repeats what Klaviyo has, one row never leaves."""
    sandbox.klaviyo.behaviour.unwelcome = frozenset({BAD})
    with session(sandbox) as api:
        load_rows(api, happenings(2, start=6), plan("events", folder / "before"))
    rows = [*happenings(24), Skip("s", "test", "A test.")]
    return rows, plan("events", folder, max_batch_items=6, in_flight=1, allowed_rejects=2, state_path=folder / "state")


def to_the_end(sandbox: SandboxServer, rows: Any, made: Plan, store: KeptStore) -> LoadReport:
    with session(sandbox) as api:
        return accounted(load_rows(api, rows, made, store=store, sleep=lambda _: None))


def counts(report: LoadReport) -> dict[str, Any]:
    kept = {"read", "loaded", "accepted", "rejected", "duplicate", "unchanged", "skipped", "unknown", "reasons", "dropped"}
    return {name: value for name, value in report.as_json().items() if name in kept}


def staged(store: KeptStore) -> bool:
    return store.get("load", {}).get("phase") in {"staged", "done"}


@pytest.mark.parametrize("written", [False, True], ids=["killed before a write", "killed after a write"])
@pytest.mark.parametrize("case", [profiles, events])
def test_killed_at_every_step_and_resumed(klaviyo: SandboxServer, reading: str, tmp_path: Path, case: Any, written: bool) -> None:
    def fresh(name: str) -> tuple[list[Any], Plan]:
        klaviyo.reset()
        klaviyo.klaviyo.behaviour.job_seconds = 0
        klaviyo.klaviyo.behaviour.reused_unique_id = reading  # type: ignore[assignment]
        rows, made = case(klaviyo, tmp_path / name)
        klaviyo.klaviyo.received.clear()
        return rows, made

    rows, made = fresh("undisturbed")
    expected = counts(to_the_end(klaviyo, rows, made, KeptStore()))
    leaves = held(klaviyo)
    assert (expected["read"], expected["rejected"], expected["skipped"]) == (len(rows), 1 if case is profiles else 2, 1)

    kills = 0
    while True:
        kills += 1
        rows, made = fresh(f"killed {kills}")
        store = KeptStore(kill_at=kills, written=written)
        try:
            to_the_end(klaviyo, rows, made, store)
        except Killed:
            store.revive()
            report = to_the_end(klaviyo, untouchable() if staged(store) else rows, made, store)
        else:
            break
        assert counts(report) == expected, f"killed at write {kills}"
        assert held(klaviyo) == leaves, f"killed at write {kills}"
        assert len(rejects(report)) == expected["rejected"] + expected["duplicate"] + expected["skipped"]
        assert len(taken := taken_in_bulk(klaviyo)) == len(set(taken)), f"killed at write {kills}"
        if case is events:  # and what was sent is remembered, what was refused is not
            following = to_the_end(klaviyo, rows, Plan(**{**fields(made), "allowed_rejects": 2}), KeptStore())
            assert (following.unchanged, following.rejected) == (22, 2)
            assert held(klaviyo) == leaves
    assert kills > 12


def taken_in_bulk(sandbox: SandboxServer) -> list[str]:
    """Return the ids of all events that Klaviyo took in bulk: one that may have been sent must never be among them again."""
    return [
        entry["attributes"]["events"]["data"][0]["attributes"]["unique_id"]
        for each in sandbox.klaviyo.received
        if each.name == EVENT_JOBS and each.status == 202
        for entry in each.body["data"]["attributes"]["events-bulk-create"]["data"]
    ]


def fields(made: Plan) -> dict[str, Any]:
    return {name: getattr(made, name) for name in Plan.__dataclass_fields__}


@pytest.mark.parametrize("case", [profiles, events])
def test_killed_again_and_again(klaviyo: SandboxServer, reading: str, tmp_path: Path, case: Any) -> None:
    """Each try dies one write after the last one's progress: it still comes to an end, and to the same one."""
    rows, made = case(klaviyo, tmp_path / "undisturbed")
    expected = counts(to_the_end(klaviyo, rows, made, KeptStore()))
    leaves = held(klaviyo)
    klaviyo.reset()
    klaviyo.klaviyo.behaviour.job_seconds = 0
    klaviyo.klaviyo.behaviour.reused_unique_id = reading  # type: ignore[assignment]
    rows, made = case(klaviyo, tmp_path / "killed")
    store = KeptStore()
    for at in range(1, 200):
        store.writes, store.kill_at, store.written = 0, 2 + at % 3, True
        try:
            report = to_the_end(klaviyo, untouchable() if staged(store) else rows, made, store)
        except Killed:
            continue
        break
    assert counts(report) == expected
    assert held(klaviyo) == leaves


@pytest.mark.parametrize("kind", ["profiles", "events"])
def test_killed_within_a_request_that_klaviyo_carries_out(klaviyo: SandboxServer, reading: str, tmp_path: Path, kind: str) -> None:
    """The worker dies with requests in the air: they are carried out, nobody heard the answer."""
    rows = people(40) if kind == "profiles" else happenings(40)
    store, made = KeptStore(), plan(kind, tmp_path, max_batch_items=5, in_flight=4)
    store.kill_at = 6  # after four intents
    with session(klaviyo) as api, pytest.raises(Killed):
        load_rows(api, rows, made, store=store)
    store.revive()
    flying = [key for key, value in store.items() if value.get("state") == "intent"]
    assert flying
    report = to_the_end(klaviyo, untouchable(), made, store)
    assert report.loaded + report.accepted == 40
    holds = held(klaviyo)
    assert len(holds[kind]) == 40


def test_a_source_that_changes_between_the_kill_and_the_next_try_is_not_looked_at(klaviyo: SandboxServer, tmp_path: Path) -> None:
    rows, read = people(20), 0

    def source() -> Iterator[Row]:
        nonlocal read
        read += 1
        yield from rows

    store, made = KeptStore(kill_at=5), plan("profiles", tmp_path, max_batch_items=5, in_flight=1)
    with session(klaviyo) as api, pytest.raises(Killed):
        load_rows(api, source(), made, store=store)
    store.revive()
    rows = [*people(3, start=90), *reversed(rows), *people(5, start=70)]
    report = to_the_end(klaviyo, source(), made, store)
    assert (read, report.read, report.loaded) == (1, 20, 20)
    assert {row[0] for row in held(klaviyo)["profiles"]} == {row.data["email"] for row in people(20)}


def test_a_source_that_fails_half_way_is_read_anew_and_nothing_was_sent(klaviyo: SandboxServer, tmp_path: Path) -> None:
    def broken() -> Iterator[Row]:
        yield from people(15)
        raise OSError("the warehouse is gone")

    store, made = KeptStore(), plan("profiles", tmp_path, max_batch_items=5)
    with session(klaviyo) as api, pytest.raises(OSError, match="warehouse"):
        load_rows(api, broken(), made, store=store)
    assert requests(klaviyo, PROFILE_JOBS) == 0
    report = to_the_end(klaviyo, people(12), made, store)
    assert (report.read, report.loaded) == (12, 12)
    assert [path.name for path in (tmp_path / "stage").iterdir()] == []  # the first try's half a stage is gone, too


def test_a_load_that_is_done_is_not_done_again(klaviyo: SandboxServer, tmp_path: Path) -> None:
    store, made = KeptStore(), plan("profiles", tmp_path)
    first = to_the_end(klaviyo, people(5), made, store)
    assert to_the_end(klaviyo, untouchable(), made, store) == first
    assert requests(klaviyo, PROFILE_JOBS) == 1


class Forgetful(KeptStore):
    """A journal whose batches are lost: what would happen if nothing were written down."""

    def set(self, key: str, value: Any) -> None:
        """Set a key, unless it is about a batch."""
        if key == "load":
            super().set(key, value)


def test_a_journal_that_forgets_would_be_noticed(klaviyo: SandboxServer, tmp_path: Path) -> None:
    """The tests above can fail: without the journal, a resumed load sends again what Klaviyo has."""
    for kind, name in (("profiles", PROFILE_JOBS), ("events", EVENT_JOBS)):
        sent = []
        for made in (KeptStore, Forgetful):
            klaviyo.klaviyo.requests.clear()
            store = made()
            klaviyo.fail(path="bulk", method="POST", status=401, skip=3)
            with session(klaviyo) as api, pytest.raises(Exception, match="401"):
                load_rows(
                    api,
                    (people if kind == "profiles" else happenings)(30),
                    plan(kind, tmp_path, max_batch_items=5, in_flight=1),
                    store=store,
                )
            noticed = nullcontext() if made is KeptStore else pytest.raises(KlaviyoLoadFailed, match="do not add up")
            with session(klaviyo) as api, noticed:
                load_rows(api, untouchable(), plan(kind, tmp_path, max_batch_items=5, in_flight=1), store=store)
            sent.append(requests(klaviyo, name))
        assert sent == [7, 10]


def test_the_store_holds_what_json_holds_and_nobody(klaviyo: SandboxServer, tmp_path: Path) -> None:
    store = KeptStore()
    rows, made = profiles(klaviyo, tmp_path)
    to_the_end(klaviyo, rows, made, store)
    text = json.dumps(store)
    assert "@" not in text
    assert "pk_" not in text
    assert event_ids(klaviyo) == []

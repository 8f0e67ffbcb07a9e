# SPDX-License-Identifier: Apache-2.0
"""What tests of loads share: rows, a session that waits in no time, what Klaviyo holds, and a sum that has to be right."""

from __future__ import annotations

import json
import threading
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_klaviyo.loading import Fate, LoadReport, Plan, Row
from airflow_provider_klaviyo.loading import load as load_rows
from airflow_provider_klaviyo.loading.checks import Check
from airflow_provider_klaviyo.pacing import Pacer
from airflow_provider_klaviyo.sandbox.klaviyo.imports import settle
from airflow_provider_klaviyo.session import Session, open_session
from airflow_provider_klaviyo.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_provider_klaviyo.loading.journal import Store
    from airflow_provider_klaviyo.loading.kinds import Kind
    from airflow_provider_klaviyo.loading.prepare import Source
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

BULK = r"/api/(profile-bulk-import|event-bulk-create)-jobs$"
PROFILE_JOBS = "POST /api/profile-bulk-import-jobs"
EVENT_JOBS = "POST /api/event-bulk-create-jobs"
EVENT = "POST /api/events"
TIME = "2026-11-01T10:00:00+00:00"
Json = dict[str, Any]


class Clock:
    """A clock that moves only when somebody sleeps by it, and then at once."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        until = self.now + seconds
        with self._lock:
            self.now = max(self.now, until)


class Killed(BaseException):
    """The worker is gone."""


class KeptStore(dict[str, Any]):
    """A task state store: it holds what JSON holds, survives its worker, and kills it at a write if it is told to. The dead write no more."""

    def __init__(self, *, kill_at: int | None = None, written: bool = False) -> None:
        super().__init__()
        self.writes, self.kill_at, self.written = 0, kill_at, written

    def set(self, key: str, value: Any) -> None:
        """Set a key, or die before (or just after) it."""
        self.writes += 1
        dies = self.kill_at is not None and self.writes >= self.kill_at
        if not dies or (self.written and self.writes == self.kill_at):
            self[key] = json.loads(json.dumps(value))
        if dies:
            raise Killed

    def revive(self) -> None:
        """Let another worker go on."""
        self.kill_at = None


@contextmanager
def session(sandbox: SandboxServer, *, clock: Clock | None = None, **settings: Any) -> Iterator[Session]:
    """Open a session to the sandbox; it waits by a clock of its own, so in no time."""
    clock = clock or Clock()
    made = Settings(**{"conn_id": "klaviyo_test", "base_url": sandbox.url, "key": "pk_sandbox", "timeout": 10, **settings})
    with open_session(made, pacer=Pacer(clock), sleep=clock.sleep) as klaviyo:
        yield klaviyo


def load(sandbox: SandboxServer, rows: Source, plan: Plan, *, store: Store | None = None, **settings: Any) -> LoadReport:
    """Load rows, and hold the report against itself, the rejects file and Klaviyo's own count of requests."""
    with session(sandbox, **settings) as klaviyo:
        return accounted(load_rows(klaviyo, rows, plan, store=store, sleep=lambda _: None))


def accounted(report: LoadReport) -> LoadReport:
    """Check that every row that was read has one fate, and that the rejects file names each that was not sent."""
    counts = {fate.value: getattr(report, fate) for fate in Fate}
    assert report.accounted
    assert report.read == sum(counts.values())
    sent, listed = {Fate.LOADED, Fate.ACCEPTED}, {Fate.REJECTED, Fate.DUPLICATE, Fate.SKIPPED, Fate.UNKNOWN}
    assert Counter(line["fate"] for line in rejects(report)) == Counter({fate: n for fate, n in counts.items() if fate in listed})
    assert sum(report.reasons.values()) == sum(n for fate, n in counts.items() if fate not in sent)
    assert LoadReport.of(json.loads(json.dumps(report.as_json()))) == report
    return report


def rejects(report: LoadReport) -> list[Json]:
    """Read the rejects file."""
    if not report.rejects_path:
        return []
    return [json.loads(line) for line in Path(report.rejects_path).read_bytes().decode().split("\n") if line]


def people(count: int, *, start: int = 0, **attributes: Any) -> list[Row]:
    """Make profiles."""
    return [
        Row(f"customer {at}", {"email": f"p{at:05d}@example.com", "first_name": f"N{at}", **attributes})
        for at in range(start, start + count)
    ]


def happenings(count: int, *, start: int = 0, metric: str = "Placed Order", **fields: Any) -> list[Row]:
    """Make events, two for each of their people."""
    return [
        Row(
            f"order {at}",
            {
                "metric": metric,
                "profile": {"email": f"p{at // 2:05d}@example.com"},
                "time": TIME,
                "value": at + 0.5,
                "value_currency": "USD",
                "unique_id": f"o{at}",
                "properties": {"OrderId": f"o{at}"},
                **fields,
            },
        )
        for at in range(start, start + count)
    ]


def plan(kind: str, folder: Path, **fields: Any) -> Plan:
    """Make a plan that asks for jobs without a pause."""
    return Plan(**{"kind": kind, "staging_path": folder / "stage", "poll_interval": 0.0, **fields})


def checked(kind: Kind, row: Any, check: Check | None = None) -> Json:
    """Return the one thing that a row says, checked."""
    (said,) = kind.rows(row, check or Check())
    assert isinstance(said, tuple)
    return said[1]


def held(sandbox: SandboxServer) -> Json:
    """Return all that Klaviyo holds, but for what is different each time: ids and the moments of arrival."""
    state = sandbox.klaviyo
    with state.lock:
        settle(state)
        ask = state.db.execute
        people = ask("SELECT id, email, phone_number, external_id, anonymous_id, attributes FROM profiles").fetchall()
        names = {row[0]: next(filter(None, row[1:5]), "") for row in people}
        metrics = dict(ask("SELECT id, name FROM metrics").fetchall())
        lists = dict(ask("SELECT id, name FROM lists").fetchall())
        return {
            "profiles": sorted((*(each or "" for each in row[1:5]), json.dumps(json.loads(row[5]), sort_keys=True)) for row in people),
            "members": sorted((lists[each], names[who]) for each, who in ask("SELECT list_id, profile_id FROM members").fetchall()),
            "events": sorted(
                (names[row[0]], metrics[row[1]], *row[2:])
                for row in ask("SELECT profile_id, metric_id, timestamp, unique_id, backfill, properties FROM events").fetchall()
            ),
        }


def finish_jobs(sandbox: SandboxServer) -> None:
    """Let every job be due now."""
    with sandbox.klaviyo.lock:
        sandbox.klaviyo.db.execute("UPDATE jobs SET started = created, due = created")
        settle(sandbox.klaviyo)


def emails(sandbox: SandboxServer) -> set[str]:
    """Return the addresses of all profiles."""
    return {row[0] for row in held(sandbox)["profiles"]}


def event_ids(sandbox: SandboxServer) -> list[str]:
    """Return the unique ids of all events."""
    return sorted(row[3] for row in held(sandbox)["events"])


def new_list(sandbox: SandboxServer, name: str = "Customers") -> str:
    """Make a list and return its id."""
    from airflow_provider_klaviyo.api import lists

    with session(sandbox) as klaviyo:
        return str(klaviyo.send(lists.create(name=name))["data"]["id"])


def requests(sandbox: SandboxServer, name: str) -> int:
    """Return how often Klaviyo was asked something."""
    return sandbox.klaviyo.requests[name]


def once_only(rows: Iterable[Any]) -> Iterator[Any]:
    """Yield rows, as a source that fails a test if it is read again."""
    yield from rows


def untouchable() -> Iterator[Any]:
    """Return a source that must not be read."""
    raise AssertionError("the source was read again")
    yield  # makes it a generator: it raises when it is read, not when it is made

# SPDX-License-Identifier: Apache-2.0
"""
Run a load through all that befalls it, as Airflow would, and hold what it leaves against an undisturbed one.

A try that dies or fails is followed by the next, whose source has changed by then. Errors that no retry mends end the task until a
person has mended their cause and cleared it.
"""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from airflow_provider_klaviyo.api.errors import KlaviyoError, KlaviyoLoadFailed
from airflow_provider_klaviyo.loading import LoadReport, Plan
from airflow_provider_klaviyo.loading import load as load_rows
from airflow_provider_klaviyo.loading.stage import StageLost
from airflow_provider_klaviyo.pacing import Pacer
from airflow_provider_klaviyo.session import open_session
from airflow_provider_klaviyo.settings import Settings
from tests.faults.scenario import Kill, Scenario
from tests.faults.subject import Held, Source, Subject
from tests.faults.subjects import SUBJECTS
from tests.faults.worker import Killed, Life, MortalPath, Note, Notes, Sent, Superseded, Wire
from tests.loading.kit import Clock

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

TRIES = 5
"""A task's first try and its retries. After them, or after an error that no retry mends, somebody sees to it and clears the task."""
CLEARINGS = 5
LAX = 0.999


@dataclass
class World:
    """
    One run of a scenario: Klaviyo, the worker's disk, the task state store, and what was seen.

    :param sandbox: Klaviyo.
    :param scenario: What happens.
    :param folder: Where files lie.
    """

    sandbox: SandboxServer
    scenario: Scenario
    folder: Path
    clock: Clock
    fields: dict[str, Any] = field(default_factory=dict)
    store: dict[str, Any] = field(default_factory=dict)
    history: list[Note] = field(default_factory=list)
    log: list[Sent] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    report: LoadReport | None = None
    failed: bool = False
    cleared: int | None = None
    """How many requests had left when the task was cleared after its end."""
    _hits: Counter[int] = field(default_factory=Counter)
    _skips: Counter[int] = field(default_factory=Counter)
    _lock: Any = field(default_factory=threading.RLock)
    _calm: bool = False

    @property
    def subject(self) -> Subject:
        """The kind of load."""
        return SUBJECTS[self.scenario.kind]

    # ── the world before the load ──

    def begin(self) -> None:
        """Make Klaviyo anew, as the scenario wants it."""
        self.clock.now = time.time()
        self.sandbox.faults.clear()
        state = self.sandbox.klaviyo
        state.reset()
        state.behaviour.job_seconds = 0
        self.fields = self.subject.prepare(self.sandbox, self.scenario, self.folder)
        state.behaviour.reused_unique_id = self.scenario.reading
        state.behaviour.pointers = self.scenario.pointers
        state.behaviour.plain_import_errors = self.scenario.plain
        self.subject.refuse(self.sandbox, self.scenario)
        state.behaviour.job_seconds = self.scenario.job_seconds
        if self.scenario.crowd:
            state.add_foreign_jobs(self.scenario.crowd)
        for job in self.scenario.jobs:
            state.next_job(job.status, fail=job.fail)
        for trouble in self.scenario.troubles:
            method, path = self.subject.steps[trouble.step]
            if not trouble.nature.lost:
                self.sandbox.fail(path=path, method=method, skip=trouble.skip, times=trouble.times, **trouble.nature.fault)

    def mend(self) -> None:
        """Let somebody see to it: nothing goes wrong with requests any more."""
        self._calm = True
        self.sandbox.faults.clear()

    # ── one try ──

    def attempt(self, kill: Kill | None = None) -> LoadReport:
        """Let one try of the task do what it can."""
        life = Life(kill.at, kill.how, kill.what, self._overtake) if kill else Life()
        settings = Settings(conn_id="klaviyo_test", base_url=self.sandbox.url, key="pk_sandbox", timeout=10)
        wire = Wire(life, self._lose, lambda *seen: self._sent(life, *seen))
        notes = Notes(self.store, life, self._noted)
        try:
            with open_session(settings, pacer=Pacer(self.clock), sleep=self.clock.sleep, transport=wire) as api:
                return load_rows(api, self.source(), self.plan(life), store=notes, sleep=self.clock.sleep)
        finally:
            self.steps += life.steps

    def plan(self, life: Life) -> Plan:
        """Make the plan as the operator makes it in each try."""
        scenario, fields = self.scenario, dict(self.fields)
        if path := fields.get("state_path"):
            fields["state_path"] = MortalPath(path, life)
        return Plan(
            **{
                "kind": scenario.kind,
                "staging_path": MortalPath(self.folder / "stage", life),
                "rejects_path": MortalPath(self.folder / "rejects.jsonl", life),
                "max_batch_items": scenario.batch,
                "in_flight": scenario.in_flight,
                "allowed_rejects": LAX,
                "poll_interval": 1.0,
                "verify": scenario.verify,
                **fields,
            }
        )

    def source(self) -> Source:
        """Return the rows; once they are staged the source has changed: some are new, and they come in another order."""
        rows = self.subject.rows(self.scenario)
        if self.store.get("load", {}).get("phase", "staging") == "staging":
            return rows
        more = self.subject.rows(replace(self.scenario, rows=self.scenario.rows + 3, messy=False))
        return [*more[self.scenario.rows :], *reversed(rows)]

    def _overtake(self) -> None:
        """Let the next try take over, while the one before still runs."""
        try:
            self.report = self.attempt()
        except KlaviyoLoadFailed:
            self.report, self.failed = LoadReport.of(self.store["load"]["report"]), True
        except KlaviyoError as error:
            self.ends.append(f"overtaken by: {type(error).__name__}")

    def _noted(self, key: str, value: Any) -> None:
        with self._lock:
            self.history.append(Note(key, value, len(self.history) + len(self.log)))

    def _sent(self, life: Life, request: httpx.Request, response: httpx.Response | None, reached: bool) -> None:
        job = ""
        if response is not None and response.status_code == 202 and response.content[:1] == b"{":
            job = str(response.json().get("data", {}).get("id", ""))
        with self._lock:
            self.log.append(
                Sent(
                    name=f"{request.method} {request.url.path}",
                    body=request.content,
                    load=str(self.store.get("load", {}).get("id", "")),
                    status=None if response is None else response.status_code,
                    job=job,
                    reached=reached,
                    stale=life.stale,
                    at=len(self.history) + len(self.log),
                )
            )

    def _lose(self, method: str, path: str) -> str:
        """Say what the network does to a request."""
        if self._calm:
            return ""
        with self._lock:
            for number, trouble in enumerate(self.scenario.troubles):
                wanted, pattern = self.subject.steps[trouble.step]
                if not trouble.nature.lost or method != wanted or not re.search(pattern, path) or self._hits[number] >= trouble.times:
                    continue
                if self._skips[number] < trouble.skip:
                    self._skips[number] += 1
                    continue
                self._hits[number] += 1
                return trouble.nature.lost
        return ""

    # ── the task, from its first try to its end ──

    def run(self) -> None:
        """Run the task to its end, which is a report."""
        kills = list(self.scenario.kills)
        for tried in range(TRIES + CLEARINGS + len(kills)):
            if tried >= TRIES:
                self.mend()
            self.ends.append(self._tried(kills.pop(0) if kills else None))
            if self.report is not None:
                return
            if self.scenario.lost and "stage lost" not in self.ends:
                shutil.rmtree(self.folder / "stage", ignore_errors=True)
        raise AssertionError(f"a load that does not come to its end, whoever clears it: {self.ends}")

    def _tried(self, kill: Kill | None) -> str:
        """Make one try, and say in a few words how it ended."""
        try:
            self.report = self.attempt(kill)
        except Killed:
            return "killed"
        except KlaviyoLoadFailed as error:
            self.report, self.failed = LoadReport.of(self.store["load"]["report"]), True
            return type(error).__name__
        except StageLost:
            self.store.clear()  # the operator's word to a person: clear the task to begin anew
            return "stage lost"
        except KlaviyoError as error:
            if error.permanent:
                self.mend()
            return f"{type(error).__name__}: {error}"[:200]
        except (Superseded, OSError) as error:
            if all(each.how != "overtaken" for each in self.scenario.kills):
                raise
            return type(error).__name__
        return "done"

    def again(self) -> LoadReport:
        """Let somebody clear the task after its end: it runs anew."""
        self.mend()
        self.store.clear()
        self.cleared = len(self.log)
        self.sandbox.klaviyo.plans.clear()
        try:
            return self.attempt()
        except KlaviyoLoadFailed:
            return LoadReport.of(self.store["load"]["report"])

    @property
    def staged(self) -> int:
        """How often the source was staged."""
        return len({self.load_of(note) for note in self.history if note.key == "load" and note.value["phase"] == "staged"})

    @staticmethod
    def load_of(note: Note) -> str:
        """Return the id of the load that a note about one names."""
        return str(note.value["id"])

    def holdings(self) -> Held:
        """Read back what Klaviyo holds, once its jobs are done."""
        self.clock.sleep(3600)
        return self.subject.holdings(self.sandbox)


@contextmanager
def world(sandbox: SandboxServer, scenario: Scenario, folder: Path, clock: Clock) -> Iterator[World]:
    """Make a world, and leave nothing of it behind."""
    made = World(sandbox, scenario, folder / f"{time.monotonic_ns():x}", clock)
    made.folder.mkdir(parents=True)
    try:
        made.begin()
        yield made
    finally:
        sandbox.faults.clear()
        shutil.rmtree(made.folder, ignore_errors=True)

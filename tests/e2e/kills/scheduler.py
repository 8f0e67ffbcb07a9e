# SPDX-License-Identifier: Apache-2.0
"""An Airflow of several processes, any of which a test may kill, and its REST API."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil  # type: ignore[import-untyped]

from airflow_provider_klaviyo.sandbox.runs import ask, environment, free_port

Json = dict[str, Any]
T = TypeVar("T")

CLONE = Path(__file__).parents[3]
DAGS = Path(__file__).parent / "dags"
PATIENCE = 120.0
"""Seconds after which a test gives up waiting for something that should come."""
CORE = {
    "api-server": ("api-server",),
    "scheduler": ("scheduler",),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
SOON = {
    "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "8",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "1",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "6",
    "AIRFLOW__KLAVIYO__SETTLE_SECONDS": "5",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    "AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS": "10",
}
"""Settings by which Airflow notices within seconds that something is gone."""


def until(what: str, look: Callable[[], T | None], patience: float = PATIENCE) -> T:
    """Look again and again until there is something; fail a test that waits in vain."""
    deadline = time.monotonic() + patience
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited {patience:.0f} s in vain until {what}"
        time.sleep(0.1)
    return found


@dataclass(slots=True)
class Airflow:
    """
    Airflow, its parts as processes of their own.

    :param home: Its home, a new folder.
    :param settings: Environment variables beside those that every such Airflow has.
    :param python: The interpreter of the environment it is installed in.
    """

    home: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    python: Path = Path(sys.executable)
    url: str = field(default="", init=False)
    _parts: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict, init=False)
    _sessions: set[int] = field(default_factory=set, init=False)
    _token: str = field(default="", init=False)
    _environ: dict[str, str] = field(default_factory=dict, init=False)

    @contextmanager
    def started(self) -> Iterator[Airflow]:
        """Run the four parts that every Airflow has, until the block ends and nothing of it is left."""
        self.home.mkdir(parents=True, exist_ok=True)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._environ = {
            **environment(self.home, DAGS),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": "a secret of this test alone, which is long enough to sign with it",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            # On a busy machine SQLite's writers wait longer for each other than they do unless told.
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home}/airflow.db?timeout=60",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self.home / "logs"),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            **SOON,
            **self.settings,
        }
        try:
            subprocess.run(
                [self.python, "-c", "from airflow.utils.db import initdb; initdb()"],
                env=self._environ,
                check=True,
                capture_output=True,
                timeout=PATIENCE,
            )
            for name, command in CORE.items():
                self.start(name, *command)
            until("Airflow is healthy", self._healthy)
            yield self
        finally:
            self._stop()

    def start(self, name: str, *command: str, home: Path | None = None) -> None:
        """
        Start a part; what it prints goes to a file of its name, also the second time.

        :param name: What the test calls it.
        :param command: Airflow's arguments.
        :param home: Another folder to be at home and to work in, as on another machine.
        """
        home = home or self.home
        home.mkdir(parents=True, exist_ok=True)
        with (self.home / f"{name}.log").open("ab") as file:
            self._parts[name] = subprocess.Popen(
                [self.python, "-m", "airflow", *command],
                env={**self._environ, "AIRFLOW_HOME": str(home)},
                cwd=home,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._sessions.add(self._parts[name].pid)

    def kill(self, name: str) -> None:
        """Kill a part with all that it has begun, as the end of a machine does: none of it gets a word in."""
        part = self._parts.pop(name)
        part.kill()
        part.wait()
        _kill(lambda: _members({part.pid}))

    def ask(self, path: str, data: Json | None = None, method: str | None = None) -> Any:
        """Ask the REST API."""
        self._token = self._token or ask(f"{self.url}/auth/token", timeout=PATIENCE)["access_token"]
        return ask(f"{self.url}/api/v2/{path}", data, method=method, token=self._token, timeout=PATIENCE)

    def _healthy(self) -> bool:
        for name, part in self._parts.items():
            assert part.poll() is None, f"{name} has ended: {(self.home / f'{name}.log').read_text()[-3000:]}"
        try:
            health = ask(f"{self.url}/api/v2/monitor/health")
            known = {each["dag_id"] for each in self.ask("dags")["dags"]}
            running = all(health[part]["status"] == "healthy" for part in ("metadatabase", "scheduler", "triggerer", "dag_processor"))
        except (urllib.error.URLError, KeyError, ConnectionError, TimeoutError):
            return False
        return running and known >= {"profiles", "profiles_in_a_hurry", "events", "consent"}

    def orphans(self) -> list[psutil.Process]:
        """Return the processes that have nobody of this Airflow above them any more."""
        below = {each.pid for part in self._parts.values() for each in psutil.Process(part.pid).children(recursive=True)}
        parts = {part.pid for part in self._parts.values()}
        return [each for each in _members(self._sessions) if each.pid not in below | parts]

    def _stop(self) -> None:
        for name in list(self._parts):
            self.kill(name)
        _kill(lambda: _members(self._sessions))


def _members(sessions: set[int]) -> list[psutil.Process]:
    """Return the processes of some sessions: each part begins one, and all that it begins stay in it, whoever is their parent by now."""
    found = []
    for each in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            if os.getsid(each.pid) in sessions and each.status() != psutil.STATUS_ZOMBIE:
                found.append(each)
    return found


def _kill(look: Callable[[], list[psutil.Process]]) -> None:
    """Kill processes until there are none."""

    def none_left() -> bool:
        left = look()
        for each in left:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        return not left

    until("nothing is left", none_left)


def until_gone(process: psutil.Process) -> None:
    """Wait until a process has ended, whoever should have noticed."""
    until("the process has ended", lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)


@dataclass(frozen=True, slots=True)
class Run:
    """
    A run of one of the DAGs, which have one task.

    :param airflow: Where it runs.
    :param dag_id: The DAG.
    :param run_id: The run.
    """

    airflow: Airflow
    dag_id: str
    run_id: str

    @classmethod
    def trigger(cls, airflow: Airflow, dag_id: str, conf: Json) -> Run:
        """Have the scheduler run a DAG."""
        return cls(airflow, dag_id, airflow.ask(f"dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf})["dag_run_id"])

    @property
    def path(self) -> str:
        """The task's path in the REST API."""
        return f"dags/{self.dag_id}/dagRuns/{self.run_id}/taskInstances/load"

    @property
    def task(self) -> Json:
        """The task as Airflow knows it."""
        told: Json = self.airflow.ask(self.path)
        return told

    def state(self, *states: str, tries: int = 1) -> Json:
        """Wait until the task is in one of some states, in a try of at least some number, and return it."""

        def look() -> Json | None:
            task = self.task
            return task if task["state"] in states and task["try_number"] >= tries else None

        try:
            return until(f"try {tries} or a later one of {self.dag_id} is {' or '.join(states)}", look)
        except AssertionError as error:
            task = self.task
            error.add_note(f"It is {task['state']} in try {task['try_number']}, whose log ends: {self.log(task['try_number'])[-3000:]}")
            raise

    def ended(self, *, tries: int = 1) -> str:
        """Wait until the task has ended, and return how."""
        return str(self.state("success", "failed", tries=tries)["state"])

    def process(self, *, tries: int = 1) -> psutil.Process:
        """Return the process that runs the task, which is its supervisor's child."""
        return psutil.Process(until("the task has a process", lambda: self.state("running", tries=tries)["pid"]))

    def mark_failed(self) -> None:
        """Mark the task as failed, as a user does."""
        self.airflow.ask(self.path, {"new_state": "failed"}, method="PATCH")

    def clear(self) -> None:
        """Clear the task, as a user does who has seen that the run has ended: before, the scheduler might end it over the clearing."""
        until("the run has ended", lambda: self.airflow.ask(f"dags/{self.dag_id}/dagRuns/{self.run_id}")["state"] in {"success", "failed"})
        what = {"dry_run": False, "dag_run_id": self.run_id, "task_ids": ["load"], "only_failed": False, "reset_dag_runs": True}
        self.airflow.ask(f"dags/{self.dag_id}/clearTaskInstances", what)

    def report(self) -> Json:
        """Return the report in XCom."""
        report: Json = self.airflow.ask(f"{self.path}/xcomEntries/report?deserialize=true")["value"]
        return report

    def stored(self) -> Json:
        """Return what lies in the task state store."""
        page = self.airflow.ask(f"{self.path}/state-store?limit=100")
        assert page["total_entries"] == len(page["task_state_store"])
        return {each["key"]: each["value"] for each in page["task_state_store"]}

    def log(self, attempt: int) -> str:
        """Return the log of a try."""
        folder = self.airflow.home / "logs" / f"dag_id={self.dag_id}" / f"run_id={self.run_id}" / "task_id=load"
        return (folder / f"attempt={attempt}.log").read_text()

    def until_logged(self, text: str, attempt: int = 1) -> None:
        """Wait until the log of a try says something."""
        until(f"the log says {text!r}", lambda: text in self.log(attempt))

# SPDX-License-Identifier: Apache-2.0
"""Two ways to run a DAG in a fresh Airflow: all in one process, or under a real scheduler and triggerer."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]

TOO_LONG = 600
"""Seconds after which a run that does not end is given up."""


class DemoError(Exception):
    """The demo cannot go on; the message says where to look."""


@dataclass(frozen=True, slots=True)
class Job:
    """
    A DAG to run.

    :param dag_id: Its id.
    :param conf: The run's configuration.
    :param tasks: The tasks whose ``report`` to return.
    :param connections: Airflow connections, as JSON by id.
    """

    dag_id: str
    conf: Json
    tasks: tuple[str, ...]
    connections: Mapping[str, Json]


def free_port() -> int:
    """Return a port on this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def ask(url: str, data: Json | None = None, *, method: str | None = None, token: str = "", timeout: float = 10) -> Any:
    """Send JSON to a program on this machine and return the JSON it answers."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    body = None if data is None else json.dumps(data).encode()
    request = urllib.request.Request(url, body, headers, method=method)  # noqa: S310 - a URL of ours
    with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310 - a URL of ours
        return json.loads(answer.read() or "null")


def environment(home: Path, dags: Path) -> dict[str, str]:
    """Return the environment of a fresh Airflow, which shares nothing with one that is installed here."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    return inherited | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__FERNET_KEY": "",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "PYTHONUNBUFFERED": "1",
    }


@contextmanager
def process(command: list[str], environ: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program with its children, all of which end with the block; what it prints goes to a file."""
    with log.open("wb") as file:
        running = subprocess.Popen(command, env=dict(environ), stdout=file, stderr=subprocess.STDOUT, start_new_session=True)  # noqa: S603
        try:
            yield running
        finally:
            for sign in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(running.pid, sign)
                    running.wait(15)
                    break
                except subprocess.TimeoutExpired:
                    continue
                except ProcessLookupError:
                    break


@dataclass(slots=True)
class InProcess:
    """
    Run the DAG with ``dag.test()``: no scheduler, no server, done in seconds.

    :param home: Airflow's home, a new folder.
    :param dags: Folder with the DAG.
    """

    home: Path
    dags: Path

    @property
    def log(self) -> Path:
        """What Airflow prints."""
        return self.home / "airflow.log"

    @contextmanager
    def started(self, job: Job) -> Iterator[None]:  # noqa: ARG002 - the other way needs it
        """Airflow is in the process that runs the DAG: there is nothing to start."""
        self.home.mkdir(parents=True, exist_ok=True)
        yield

    def run(self, job: Job) -> Iterator[str | dict[str, Json]]:
        """Run the DAG: yield what it is about until it is done, then the reports by task."""
        out = self.home / "reports.json"
        connections = {f"AIRFLOW_CONN_{name.upper()}": json.dumps(value) for name, value in job.connections.items()}
        command = [
            sys.executable,
            "-m",
            "airflow_provider_klaviyo.sandbox.inprocess",
            job.dag_id,
            json.dumps(job.conf),
            str(out),
            *job.tasks,
        ]
        with process(command, environment(self.home, self.dags) | connections, self.log) as running:
            started = time.monotonic()
            while running.poll() is None:
                if time.monotonic() - started > TOO_LONG:
                    raise DemoError(f"The run does not end. Airflow's log: {self.log}")
                yield "running"
        if running.returncode:
            raise DemoError(f"The run failed. Airflow's log: {self.log}")
        yield json.loads(out.read_text())


@dataclass(slots=True)
class Standalone:
    """
    Run the DAG under ``airflow standalone``: scheduler, triggerer, API server; what waits is deferred.

    :param home: Airflow's home, a new folder.
    :param dags: Folder with the DAG.
    """

    home: Path
    dags: Path
    url: str = field(default="", init=False)
    _token: str = field(default="", init=False)

    @property
    def log(self) -> Path:
        """What Airflow prints."""
        return self.home / "airflow.log"

    @contextmanager
    def started(self, job: Job) -> Iterator[None]:
        """Start Airflow, wait until all of it is healthy, and make the connections."""
        self.home.mkdir(parents=True, exist_ok=True)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        environ = environment(self.home, self.dags) | {
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
            "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "True",
        }
        with process([sys.executable, "-m", "airflow", "standalone"], environ, self.log):
            self._wait_until_healthy(job)
            self._token = ask(f"{self.url}/auth/token")["access_token"]
            for name, value in job.connections.items():
                extra = json.dumps(value.get("extra", {}))
                ask(f"{self.url}/api/v2/connections", {**value, "connection_id": name, "extra": extra}, token=self._token)
            yield

    def run(self, job: Job) -> Iterator[str | dict[str, Json]]:
        """Trigger the DAG: yield its tasks' states until it is done, then the reports by task."""
        dag = f"{self.url}/api/v2/dags/{job.dag_id}"
        # Dated back, so that it comes before the scheduled run that turning the DAG on brings with it.
        triggered = {"logical_date": None, "run_after": "2020-01-01T00:00:00Z", "conf": job.conf}
        run_id = ask(f"{dag}/dagRuns", triggered, token=self._token)["dag_run_id"]
        ask(dag, {"is_paused": False}, method="PATCH", token=self._token)
        run = f"{dag}/dagRuns/{run_id}"
        started = time.monotonic()
        while (state := ask(run, token=self._token)["state"]) not in {"success", "failed"}:
            if time.monotonic() - started > TOO_LONG:
                raise DemoError(f"The run does not end: look at {self.url}/dags/{job.dag_id}. Airflow's log: {self.log}")
            states = {each["task_id"]: each["state"] for each in ask(f"{run}/taskInstances", token=self._token)["task_instances"]}
            yield ", ".join(f"{task} {states[task] or 'waiting'}" for task in job.tasks if states.get(task)) or state
        if state == "failed":
            raise DemoError(f"The run failed: its tasks' logs are in {self.home / 'logs'}. Airflow's log: {self.log}")
        reports = {}
        for task in job.tasks:
            value = ask(f"{run}/taskInstances/{task}/xcomEntries/report?deserialize=true", token=self._token)["value"]
            reports[task] = json.loads(value) if isinstance(value, str) else value
        yield reports

    def _wait_until_healthy(self, job: Job) -> None:
        started = time.monotonic()
        while time.monotonic() - started < TOO_LONG:
            time.sleep(1)
            try:
                health = ask(f"{self.url}/api/v2/monitor/health")
                if all(health[part]["status"] == "healthy" for part in ("metadatabase", "scheduler", "triggerer", "dag_processor")):
                    token = ask(f"{self.url}/auth/token")["access_token"]
                    ask(f"{self.url}/api/v2/dags/{job.dag_id}", token=token)
                    return
            except (urllib.error.URLError, KeyError, ConnectionError, TimeoutError):
                continue
        raise DemoError(f"Airflow does not start. Its log: {self.log}")

# SPDX-License-Identifier: Apache-2.0
"""One case: a Klaviyo of its own, a load on its way there, and what Klaviyo's own log says of it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_provider_klaviyo.loading import LoadReport
from airflow_provider_klaviyo.sandbox.klaviyo.behaviour import KEY
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from tests.e2e.kills.dags.loads import SIZE, orders, people
from tests.e2e.kills.scheduler import Airflow, Run, until
from tests.loading.kit import BULK, EVENT, EVENT_JOBS, PROFILE_JOBS, accounted, finish_jobs, held, load, plan

IN_FLIGHT = 6
COUNT = 60
BATCHES = COUNT // SIZE
AN_HOUR = 3600.0

Json = dict[str, Any]


@dataclass(slots=True)
class Case:
    """
    A Klaviyo, and an Airflow that is connected to it.

    :param airflow: The Airflow.
    :param klaviyo: The Klaviyo.
    :param folder: A folder of this case alone.
    """

    airflow: Airflow
    klaviyo: SandboxServer
    folder: Path
    conf: Json = field(default_factory=dict)

    def connect(self, conn_id: str) -> None:
        """Make the connection."""
        self.conf["conn"] = conn_id
        self.airflow.ask("connections", {"connection_id": conn_id, "conn_type": "klaviyo", "host": self.klaviyo.url, "password": KEY})

    def trigger(self, dag_id: str, **conf: Any) -> Run:
        """Begin a load."""
        return Run.trigger(self.airflow, dag_id, reads=str(self.folder / "reads"), count=COUNT, in_flight=IN_FLIGHT, **self.conf, **conf)

    def hold(self, *, after: int = 2, seconds: float) -> None:
        """Let some bulk requests be answered; carry out the next few, as many as are sent at once, and let their answers wait."""
        self.klaviyo.fail(path=BULK, method="POST", skip=after, times=IN_FLIGHT, delay_after=seconds)

    def until_held(self, *, after: int = 2) -> None:
        """
        Wait until all requests that :meth:`hold` holds were carried out.

        A batch leaves when an earlier one's answer is noted, so by then the answers of those before are.
        """
        until(f"{after + IN_FLIGHT} batches are with Klaviyo", lambda: sum(self.sent().values()) == after + IN_FLIGHT)

    def hold_jobs(self) -> None:
        """Let no job come to an end."""
        self.klaviyo.klaviyo.behaviour.job_seconds = AN_HOUR

    def until_settling(self) -> None:
        """Wait until somebody asks for the jobs, from now on."""
        before = self._looks()
        until("somebody asks for the jobs", lambda: self._looks() > before)

    def release_jobs(self) -> None:
        """Let every job come to its end."""
        self.klaviyo.klaviyo.behaviour.job_seconds = 0
        finish_jobs(self.klaviyo)

    @property
    def reads(self) -> int:
        """How often the source was read."""
        return len((self.folder / "reads").read_text().splitlines())

    def sent(self) -> Counter[int]:
        """Return how often each batch came in bulk, by its number from 1 on; the rows' own order tells which it is."""
        with self.klaviyo.klaviyo.lock:
            received = list(self.klaviyo.klaviyo.received)
        bodies = [each.body["data"]["attributes"] for each in received if each.name in {PROFILE_JOBS, EVENT_JOBS}]
        rows = [body["profiles" if "profiles" in body else "events-bulk-create"]["data"] for body in bodies]
        return Counter(1 + _place(each[0]) // SIZE for each in rows)

    def sent_singly(self) -> Counter[int]:
        """Return how often each event came by itself."""
        with self.klaviyo.klaviyo.lock:
            received = list(self.klaviyo.klaviyo.received)
        return Counter(int(each.body["data"]["attributes"]["unique_id"][1:]) for each in received if each.name == EVENT)

    def posts(self) -> int:
        """Return how many requests changed anything."""
        return sum(number for name, number in self.klaviyo.klaviyo.requests.items() if name.startswith("POST"))

    def arrived(self, run: Run, kind: str) -> LoadReport:
        """Check that a load has ended as if nothing had happened: in Klaviyo, in its report, and with nothing about people left behind."""
        report = LoadReport.of(run.report())
        accounted(report)
        assert (report.read, report.loaded + report.accepted) == (COUNT, COUNT)
        assert held(self.klaviyo) == undisturbed(kind, self.folder)
        assert "example.com" not in json.dumps(run.stored())
        for attempt in range(1, run.task["try_number"] + 1):
            assert "example.com" not in run.log(attempt)
        return report

    def _looks(self) -> int:
        return sum(number for name, number in self.klaviyo.klaviyo.requests.items() if name.startswith("GET /api/profile-bulk-import-jobs"))


def batches_noted(run: Run) -> dict[str, set[int]]:
    """Return the numbers of the batches by what the task state store says of them."""
    states: dict[str, set[int]] = {}
    for key, value in run.stored().items():
        lane, _, number = key.rpartition(":")[2].partition("-")
        if lane == "bulk":
            states.setdefault(value["state"], set()).add(int(number))
    return states


def undisturbed(kind: str, folder: Path) -> Json:
    """Return what Klaviyo holds after the same load without a fault."""
    with SandboxServer(limits="off", job_seconds=0, customers=1, orders=1) as klaviyo:
        load(klaviyo, people(COUNT) if kind == "profiles" else orders(COUNT), plan(kind, folder / "undisturbed"))
        return held(klaviyo)


def _place(row: Json) -> int:
    """Return which row of the source this is."""
    attributes = row["attributes"]
    if "email" in attributes:
        return int(attributes["email"][1:6])
    return int(attributes["events"]["data"][0]["attributes"]["unique_id"][1:])

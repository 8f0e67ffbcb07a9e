# SPDX-License-Identifier: Apache-2.0
"""One case: a Klaviyo of its own, a load on its way there, and what Klaviyo's own log says of it."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_provider_klaviyo.loading import LoadReport
from airflow_provider_klaviyo.loading.consent import ConsentRules
from airflow_provider_klaviyo.sandbox.klaviyo import later
from airflow_provider_klaviyo.sandbox.klaviyo.behaviour import KEY
from airflow_provider_klaviyo.sandbox.klaviyo.received import Received
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from tests.e2e.kills.dags.loads import ROWS, SIZE
from tests.e2e.kills.scheduler import PATIENCE, Airflow, Run, until
from tests.loading.kit import EVENT, accounted, finish_jobs, held, load, plan

IN_FLIGHT = 6
"""Requests that a load has in the air at once."""
ANSWERED = 2
"""Batches that are through before requests are held."""
COUNT = 60
BATCHES = COUNT // SIZE
ONCE = Counter(dict.fromkeys(range(1, BATCHES + 1), 1))
"""Every batch, sent once."""
BULK = r"/api/(profile-bulk-import|event-bulk-create|profile-subscription-bulk-create)-jobs$"
JOBS = "GET /api/profile-bulk-import-jobs"
AN_HOUR = 3600.0

Json = dict[str, Any]


@dataclass(slots=True)
class Case:
    """
    A Klaviyo, and an Airflow that is connected to it.

    :param airflow: The Airflow.
    :param klaviyo: The Klaviyo.
    :param folder: A folder of this case alone.
    :param conn_id: The connection between them.
    """

    airflow: Airflow
    klaviyo: SandboxServer
    folder: Path
    conn_id: str
    _gate: threading.Event = field(default_factory=threading.Event)

    def connect(self) -> None:
        """Make the connection."""
        self.airflow.ask("connections", {"connection_id": self.conn_id, "conn_type": "klaviyo", "host": self.klaviyo.url, "password": KEY})

    def trigger(self, dag_id: str, **conf: Any) -> Run:
        """Begin a load."""
        return Run.trigger(self.airflow, dag_id, {"conn": self.conn_id, "count": COUNT, "folder": str(self.folder), **conf})

    def hold_requests(self) -> Callable[[], bool]:
        """
        Answer the first batches, and hold the next, as many as are sent at once, until :meth:`release`: then they are carried out.

        :return: What waits until they are held. A batch leaves when an earlier one's answer is noted: by then, those of the first are.
        """
        held = self.klaviyo.fail(BULK, method="POST", skip=ANSWERED, times=IN_FLIGHT, meanwhile=lambda: self._gate.wait(PATIENCE))
        return lambda: until("the requests are held", lambda: held.hits == IN_FLIGHT)

    def hold_answers(self) -> Callable[[], bool]:
        """Answer the first batches, and carry out the next without an answer; return what waits until they are, as :meth:`hold_requests` does."""
        self.klaviyo.fail(BULK, method="POST", skip=ANSWERED, times=IN_FLIGHT, delay_after=PATIENCE)
        return lambda: until("the requests are carried out", lambda: sum(self.sent().values()) == ANSWERED + IN_FLIGHT)

    def release(self) -> None:
        """Let the requests go on that are held."""
        self._gate.set()

    def hold_jobs(self) -> None:
        """Let no job come to an end."""
        self.klaviyo.klaviyo.behaviour.job_seconds = AN_HOUR

    def release_jobs(self) -> None:
        """Let every job come to its end."""
        self.klaviyo.klaviyo.behaviour.job_seconds = 0
        finish_jobs(self.klaviyo)

    def until_settling(self) -> None:
        """Wait until somebody asks for the jobs, from now on."""
        before = self._asked(JOBS)
        until("somebody asks for the jobs", lambda: self._asked(JOBS) > before)

    @property
    def reads(self) -> int:
        """How often the source was read."""
        return len((self.folder / "reads").read_text().splitlines())

    def sent(self) -> Counter[int]:
        """Return how often each batch was carried out in bulk, by its number from 1 on: its first row tells which it is."""
        bodies = [each.body["data"]["attributes"] for each in self._received() if re.fullmatch(f"POST {BULK}", each.name)]
        rows = [body["profiles" if "profiles" in body else "events-bulk-create"]["data"] for body in bodies]
        return Counter(1 + _position(each[0]) // SIZE for each in rows)

    def sent_singly(self) -> Counter[int]:
        """Return how often each event was carried out by itself, by its place in the source."""
        return Counter(_number(each.body["data"]["attributes"]["unique_id"]) for each in self._received() if each.name == EVENT)

    def changes(self) -> int:
        """Return how many requests asked for a change, carried out or not."""
        return self._asked("POST", "PATCH", "DELETE")

    def arrived(self, run: Run) -> LoadReport:
        """Check that a load has ended as if nothing had happened: in Klaviyo, in its report, and with nothing about people left behind."""
        task = run.task
        assert task["state"] == "success"
        report = accounted(LoadReport.of(run.report()))
        assert (report.read, report.loaded + report.accepted, report.batches) == (COUNT, COUNT, BATCHES)
        assert holdings(self.klaviyo) == undisturbed(run.dag_id.partition("_")[0], self.folder)
        assert "example.com" not in json.dumps(run.stored())
        for attempt in range(1, task["try_number"] + 1):
            assert "example.com" not in run.log(attempt)
        return report

    def _received(self) -> list[Received]:
        with self.klaviyo.klaviyo.lock:
            return list(self.klaviyo.klaviyo.received)

    def _asked(self, *begin: str) -> int:
        return sum(number for name, number in list(self.klaviyo.klaviyo.requests.items()) if name.startswith(begin))


def noted(run: Run) -> dict[str, set[int]]:
    """Return the numbers of the batches by what the task state store says of them."""
    states: dict[str, set[int]] = {}
    for key, value in run.stored().items():
        _, dash, number = key.rpartition(":")[2].rpartition("-")
        if dash and number.isdecimal():
            states.setdefault(value["state"], set()).add(int(number))
    return states


def events_of(batches: Iterable[int]) -> Counter[int]:
    """Return the events of some batches, each once, by their place in the source."""
    return Counter(event for batch in batches for event in range((batch - 1) * SIZE, batch * SIZE))


def undisturbed(kind: str, folder: Path) -> Json:
    """Return what Klaviyo holds after the same load without a fault."""
    with SandboxServer(limits="off", job_seconds=0, customers=1, orders=1) as klaviyo:
        rules = {"consent": ConsentRules(subscribe=True)} if kind == "consent" else {}
        load(klaviyo, ROWS[kind](COUNT), plan(kind, folder / "undisturbed", **rules))
        return holdings(klaviyo)


def holdings(klaviyo: SandboxServer) -> Json:
    """Return what Klaviyo holds, consent with it."""
    with klaviyo.klaviyo.lock:
        later.settle(klaviyo.klaviyo)
        people = "SELECT p.email, c.channel, c.consent FROM consents c JOIN profiles p ON p.id = c.profile_id ORDER BY 1, 2"
        return {**held(klaviyo), "consents": klaviyo.klaviyo.db.execute(people).fetchall()}


def _position(row: Json) -> int:
    """Return which row of the source this is."""
    attributes = row["attributes"]
    return _number(attributes["email"] if "email" in attributes else attributes["events"]["data"][0]["attributes"]["unique_id"])


def _number(name: str) -> int:
    """Return the number in ``p00012@example.com`` or ``o12``."""
    return int(name.partition("@")[0][1:])

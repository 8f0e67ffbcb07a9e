# SPDX-License-Identifier: Apache-2.0
"""One case: a Klaviyo of its own, a load on its way there, and what Klaviyo's own log says of it."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_provider_klaviyo.loading import LoadReport
from airflow_provider_klaviyo.loading.consent import ConsentRules
from airflow_provider_klaviyo.sandbox.faults import Fault
from airflow_provider_klaviyo.sandbox.klaviyo.behaviour import KEY
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from tests.e2e.kills.dags.loads import ROWS, SIZE
from tests.e2e.kills.scheduler import PATIENCE, Airflow, Run, until
from tests.loading.kit import EVENT, accounted, finish_jobs, held, load, plan

IN_FLIGHT = 6
"""Requests that a load has in the air at once."""
COUNT = 60
BATCHES = COUNT // SIZE
ONCE = Counter(dict.fromkeys(range(1, BATCHES + 1), 1))
"""Every batch, sent once."""
BULK = r"/api/(profile-bulk-import|event-bulk-create|profile-subscription-bulk-create)-jobs$"
JOBS = "GET /api/profile-bulk-import-jobs"
AN_HOUR = 3600.0
CHANGING = ("POST", "PATCH", "DELETE")

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

    def hold_requests(self, *, after: int = 2) -> None:
        """Let some batches through, and hold as many as are sent at once, until they are released: then they are carried out."""
        self._hold(after, meanwhile=lambda: self._gate.wait(PATIENCE))

    def hold_answers(self, *, after: int = 2) -> None:
        """Let some batches through, and carry out as many as are sent at once, but do not answer them."""
        self._hold(after, delay_after=PATIENCE)

    def release(self) -> None:
        """Let the requests go on that are held."""
        self._gate.set()

    def until_held(self, held: Fault) -> None:
        """
        Wait until there are as many requests as are sent at once, and no answer to any.

        A batch leaves when an earlier one's answer is noted, so by then the answers of those before are.
        """

    def _hold(self, after: int, **fault: Any) -> None:
        self.held = self.klaviyo.fail(path=BULK, method="POST", skip=after, times=IN_FLIGHT, **fault)

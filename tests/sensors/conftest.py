# SPDX-License-Identifier: Apache-2.0
"""Run one sensor as a task of a DAG, in one mode after the other."""

from __future__ import annotations

import datetime as dt
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

    from airflow_provider_klaviyo.sandbox.server import SandboxServer

ERROR = re.compile(r"(airflow_provider_klaviyo\.api\.errors\.|airflow\.sdk\.exceptions\.)?\w+: ")


@dataclass(frozen=True)
class Outcome:
    """How a task ended: Airflow's word, the tries, what it returned, the type and text of its error."""

    state: str
    tries: int
    returned: Any
    error: str


Wait = Callable[..., Outcome]
After = Callable[[int, Callable[[], object]], None]


@pytest.fixture(params=[{"mode": "poke"}, {"mode": "reschedule"}, {"deferrable": True}], ids=["poking", "rescheduled", "deferred"])
def wait_with(request: pytest.FixtureRequest, run_dag: Callable[..., DagRun], capsys: pytest.CaptureFixture[str]) -> Wait:
    """Return a function that waits with a sensor, in one mode after the other."""

    def wait(sensor: type[Any], **fields: Any) -> Outcome:
        with DAG("wait", schedule=None, start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)) as dag:
            sensor(task_id="it", **{"poke_interval": 0.05, "timeout": 30, "retries": 2, "retry_delay": 0, **request.param, **fields})
        instance = run_dag(dag).get_task_instance("it")
        assert instance is not None
        errors = [line for line in capsys.readouterr().out.splitlines() if ERROR.match(line)]
        returned = instance.xcom_pull(task_ids="it") if instance.state == "success" else None
        return Outcome(str(instance.state), instance.try_number, returned, errors[-1] if errors else "")

    return wait


@pytest.fixture
def after_looks(sandbox: SandboxServer) -> Iterator[After]:
    """Return a function that does something once Klaviyo was asked so often, while a sensor waits."""
    threads = []

    def after(requests: int, act: Callable[[], object]) -> None:
        def watch() -> None:
            while sum(sandbox.klaviyo.requests.values()) < requests:
                time.sleep(0.01)
            act()

        threads.append(threading.Thread(target=watch, daemon=True))
        threads[-1].start()

    yield after
    for each in threads:
        each.join(timeout=10)
        assert not each.is_alive(), "the sensor did not look so often"

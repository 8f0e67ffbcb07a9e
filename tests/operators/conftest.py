# SPDX-License-Identifier: Apache-2.0
"""Run one operator as a task of a DAG."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG

from tests.contract.agreement import agree

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

    from airflow_provider_klaviyo.sandbox.server import SandboxServer


@pytest.fixture
def sandbox(sandbox: SandboxServer) -> Iterator[SandboxServer]:
    """Hand out the sandbox, and hold all that was sent to it and answered by it against Klaviyo's contracts."""
    yield sandbox
    agree(sandbox.klaviyo.received)


@dataclass(frozen=True)
class Outcome:
    """
    How a task ended.

    :param state: Airflow's word for it.
    :param tries: How often it was tried.
    :param returned: What it returned.
    :param said: Everything that was logged.
    """

    state: str
    tries: int
    returned: Any
    said: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(run_dag: Callable[..., DagRun], capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs one operator to its end, retries without delay included."""

    def run_one(operator: type[Any], **fields: Any) -> Outcome:
        with DAG("one", schedule=None, start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)) as dag:
            operator(task_id="it", **{"retry_delay": 0, **fields})
        instance = run_dag(dag).get_task_instance("it")
        assert instance is not None
        returned = instance.xcom_pull(task_ids="it") if instance.state == "success" else None
        captured = capsys.readouterr()
        return Outcome(str(instance.state), instance.try_number, returned, captured.out + captured.err)

    return run_one

# SPDX-License-Identifier: Apache-2.0
"""The example DAGs that read a database do what they say, against the local Klaviyo."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_klaviyo.api import profiles
from airflow_provider_klaviyo.loading import Fate
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from tests.loading.kit import emails, held, session
from tests.operators.test_examples import load
from tests.transfers.example_warehouse import DUE, example_warehouse
from tests.transfers.warehouse import Warehouse

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

LONG_AGO = "2000-01-01T00:00:00+00:00"
Json = dict[str, Any]
Run = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what loads keep lie in a folder of the test's own."""
    for option in ("staging_path", "state_path", "audit_path"):
        monkeypatch.setenv(f"AIRFLOW__KLAVIYO__{option.upper()}", f"file://{tmp_path}/{option}")


@pytest.fixture
def run(run_dag: Callable[..., DagRun]) -> Run:
    """Return a function that runs an example as if it were due at four in the morning, and returns what its tasks returned."""

    def run(name: str, *, state: str = "success", due: datetime = DUE, **conf: Any) -> dict[str, Any]:
        dag = load(name)
        for task in dag.tasks:
            task.retries = 0  # what is tested works at the first try
        done = run_dag(dag, logical_date=due, run_conf=conf)
        assert done.state == state
        returned = {}
        for instance in done.get_task_instances():
            found = instance.xcom_pull(task_ids=instance.task_id, map_indexes=instance.map_index)
            if isinstance(found, dict) and "accounted" in found:
                assert found["accounted"]
                assert found["read"] == sum(found[fate] for fate in Fate) or found["preview"]
            returned[instance.task_id] = found
        return returned

    return run


@pytest.fixture
def lay(sandbox: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Warehouse]]:
    """Return a function that lays the tables of an example."""
    opened = []

    def lay(name: str, database: Any = "sqlite", due: datetime = DUE) -> Warehouse:
        opened.append(example_warehouse(name, sandbox, tmp_path, monkeypatch, database, due))
        made = opened[-1].__enter__()
        assert made is not None
        return made

    yield lay
    for each in opened:
        each.__exit__(None, None, None)


def person(sandbox: SandboxServer, email: str) -> Json:
    """Return what Klaviyo holds of somebody."""
    from airflow_provider_klaviyo.api import filters

    with session(sandbox) as klaviyo:
        (found,) = klaviyo.walk(profiles.list_(filter=filters.equals("email", email)))
    attributes: Json = found["attributes"]
    return attributes


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_warehouse_lands_in_klaviyo_by_the_day_and_from_the_beginning_once(
    sandbox: SandboxServer, lay: Any, run: Run, database: str
) -> None:
    due = datetime.now(UTC).replace(hour=4, minute=0, second=0, microsecond=0)
    due -= timedelta(days=due > datetime.now(UTC))
    lay("warehouse_to_klaviyo", database, due)
    reports = run("warehouse_to_klaviyo", due=due)
    assert (reports["customers_to_profiles"]["loaded"], reports["orders_to_events"]["accepted"]) == (3, 3)
    sarah = person(sandbox, "sarah@example.com")
    assert (sarah["first_name"], sarah["phone_number"], sarah["location"]["city"]) == ("Sarah", "+447400123456", "London")
    assert sarah["properties"] == {"Interests": ["tea", "bikes"], "Plan": "gold", "Lifetime Value": 1234.5, "First Order": "2025-03-01T00:00:00+00:00"}
    assert [(row[0], row[1], row[3], row[4]) for row in held(sandbox)["events"]] == [
        ("mia@example.com", "Cancelled Order", "1002", 0),
        ("mia@example.com", "Placed Order", "1002", 1),
        ("sarah@example.com", "Placed Order", "1001", 0),
    ]
    reports = run("warehouse_to_klaviyo", due=due, start=LONG_AGO)
    assert (reports["customers_to_profiles"]["loaded"], reports["orders_to_events"]["accepted"], reports["orders_to_events"]["unchanged"]) == (4, 1, 3)
    assert "old@example.com" in emails(sandbox)
    assert "new@example.com" not in emails(sandbox)

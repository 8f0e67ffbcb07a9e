# SPDX-License-Identifier: Apache-2.0
"""What tests of loads from SQL share: customers in a table, and a task that loads them."""
# ruff: noqa: S608 - the tables and queries are the tests' own

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG

from airflow_provider_klaviyo.loading import Fate
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from tests.loading.kit import KeptStore
from tests.transfers.databases import CONN_ID, Database

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

RunDag = Callable[..., "DagRun"]
Json = dict[str, Any]
COLUMNS = "id INTEGER, email VARCHAR(200), first_name VARCHAR(50), plan VARCHAR(20), spent NUMERIC(10, 2)"
PROFILES = 'SELECT id AS external_id, email, first_name, plan AS "properties.plan", spent AS "properties.spent" FROM {table} ORDER BY id'
FAILS = {
    "postgres": "CASE WHEN 1 / (id - 30) > 0 THEN email ELSE email END",
    "mysql": "IF(id = 30, (SELECT 'a' UNION SELECT 'b'), email)",
    "sqlite": "CASE WHEN id = 30 THEN abs(-9223372036854775807 - 1) ELSE email END",
}


class Store(KeptStore):
    """The task state store, as Airflow hands it to a task."""

    def set(self, key: str, value: Any, **_: Any) -> None:
        """Set a key, for good."""
        super().set(key, value)


class Instance(SimpleNamespace):
    """As much of a task instance as a load wants."""

    def __init__(self, max_tries: int) -> None:
        super().__init__(max_tries=max_tries, run_id="by_hand", map_index=-1, xcoms={})

    def xcom_push(self, key: str, value: Any) -> None:
        """Keep an XCom."""
        self.xcoms[key] = json.loads(json.dumps(value))


def context(store: Store | None = None, max_tries: int = 3, **more: Any) -> Any:
    return {"task_state_store": Store() if store is None else store, "ti": Instance(max_tries), **more}


def impatient(sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> SandboxServer:
    """Return the sandbox with connections that give up at the second failure: it is the tries of the task that are tested."""
    for name, value in sandbox.connections.items():
        monkeypatch.setenv(name, json.dumps(json.loads(value) | {"extra": {"max_attempts": 1, "timeout": 10}}))
    sandbox.klaviyo.behaviour.job_seconds = 0
    return sandbox


def people(database: Database, count: int, *, odd: bool = False) -> str:
    """Make a table of customers; among odd ones some have no address, a bad one, or that of the one before."""
    table = database.table(COLUMNS)
    rows: list[list[Any]] = [[at, f"p{at:03d}@example.com", f"N{at}", None if at % 3 else "gold", f"{at}.50"] for at in range(1, count + 1)]
    if odd:
        rows[4][1], rows[9][1], rows[14][1] = None, "nobody at home", rows[13][1]
    database.many(f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?)", rows)
    return table


def quoted(database: Database, query: str) -> str:
    """Write a query as the database wants it."""
    return query.replace('"', "`") if database.name == "mysql" else query


def task(operator: type[Any], folders: Json, **fields: Any) -> Any:
    given = {"task_id": "load", "sql_conn_id": CONN_ID, "poll_interval": 0.1, "deferrable": False, **folders}
    return operator(**{**given, **fields})


def summed(report: Json) -> Json:
    """Check that a report adds up to what was read."""
    assert report["accounted"]
    assert report["read"] == sum(report[fate] for fate in Fate)
    return report


def rejects(folders: Json) -> list[Json]:
    path = Path(folders["rejects_path"].removeprefix("file://"))
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def run(run_dag: RunDag, operator: type[Any], folders: Json, **fields: Any) -> Any:
    with DAG("load", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        task(operator, folders, retry_delay=timedelta(0), **fields)
    instance = run_dag(dag).get_task_instance("load")
    assert instance is not None
    return instance

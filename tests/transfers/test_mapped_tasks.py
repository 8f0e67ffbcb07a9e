# SPDX-License-Identifier: Apache-2.0
"""Loads run under dynamic task mapping: each map index is a load of its own, with a report and a rejects file of its own."""
# ruff: noqa: S608 - the tables and queries are the tests' own

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG
from airflow.sdk import task as taskflow

from airflow_provider_klaviyo.loading import Fate, FieldMapping
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from airflow_provider_klaviyo.transfers.object_storage_to_klaviyo import ObjectStorageToKlaviyoProfilesOperator
from airflow_provider_klaviyo.transfers.sql_to_klaviyo import SqlToKlaviyoEventsOperator
from tests.loading.kit import TIME, emails, event_ids
from tests.transfers import databases
from tests.transfers.databases import CONN_ID, Database
from tests.transfers.files_kit import lay

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

    RunDag = Callable[..., "DagRun"]

Json = dict[str, Any]
EVENTS = [
    FieldMapping(None, "metric", "default:Placed Order"),
    FieldMapping("id", "unique_id", "text"),
    FieldMapping("mail", "profile.email"),
    FieldMapping("at", "time", "iso8601"),
]


@pytest.fixture
def klaviyo(sandbox: SandboxServer) -> SandboxServer:
    """Hand out the sandbox with jobs that are done when first asked for."""
    sandbox.klaviyo.behaviour.job_seconds = 0
    return sandbox


@pytest.fixture
def orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Database, str]]:
    """Hand out a table of orders of two shops; one order of each has nobody."""
    with databases.opened("sqlite", tmp_path, monkeypatch) as database:
        table = database.table("id INTEGER, shop VARCHAR(10), mail VARCHAR(100), at VARCHAR(40)")
        shops = {"uk": (1, 2, 3), "de": (4, 5)}
        rows = [[at, shop, f"p{at}@example.com" if at not in {3, 5} else None, TIME] for shop, ids in shops.items() for at in ids]
        database.many(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", rows)
        yield database, table


def dag() -> DAG:
    return DAG("mapped", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC))


def folders(tmp_path: Path, **more: str) -> Json:
    """Return what every load of these tests is given."""
    names = {"staging_path": "stage", "rejects_path": "rejects/x.jsonl", **more}
    return {
        "task_id": "load",
        "poll_interval": 0.1,
        "deferrable": False,
        "allowed_rejects": 9,
        "klaviyo_conn_id": "klaviyo_default",
        **{option: f"file://{tmp_path}/{name}" for option, name in names.items()},
    }


def reports(done: DagRun, count: int) -> list[Json]:
    """Return the reports by map index, each held against itself."""
    instances = sorted((each for each in done.get_task_instances() if each.task_id == "load"), key=lambda each: each.map_index)
    assert [(each.map_index, each.state) for each in instances] == [(at, "success") for at in range(count)]
    found: list[Json] = [each.xcom_pull(task_ids="load", map_indexes=each.map_index) for each in instances]
    for report in found:
        assert report["accounted"]
        assert report["read"] == sum(report[fate] for fate in Fate)
    return found


def rejected(report: Json) -> list[str]:
    """Return the keys in the rejects file that a report names."""
    return [json.loads(line)["key"] for line in Path(report["rejects_path"].removeprefix("file://")).read_text().splitlines()]


def files(tmp_path: Path) -> list[str]:
    """Lay two files with three people, and one who is none in each."""
    return [
        lay(tmp_path, "in/a.jsonl", '{"id": 1, "email": "a@example.com"}\n{"id": 2, "email": null}\n'),
        lay(tmp_path, "in/b.csv", "id,email\n3,b@example.com\n4,\n5,c@example.com\n"),
    ]


def test_a_task_for_each_file(klaviyo: SandboxServer, run_dag: RunDag, tmp_path: Path) -> None:
    with dag() as made:
        ObjectStorageToKlaviyoProfilesOperator.partial(**folders(tmp_path, state_path="state"), key_field="id").expand(
            source_path=files(tmp_path)
        )
    first, second = reports(run_dag(made), 2)
    assert [first[name] for name in ("read", "loaded", "rejected")] == [2, 1, 1]
    assert [second[name] for name in ("read", "loaded", "rejected")] == [3, 2, 1]
    assert first["load_id"] != second["load_id"]
    assert emails(klaviyo) == {f"{name}@example.com" for name in "abc"}


def test_each_map_index_keeps_a_rejects_file_of_its_own(klaviyo: SandboxServer, run_dag: RunDag, tmp_path: Path) -> None:
    with dag() as made:
        ObjectStorageToKlaviyoProfilesOperator.partial(**folders(tmp_path), key_field="id").expand(source_path=files(tmp_path))
    found = reports(run_dag(made), 2)
    assert [Path(report["rejects_path"]).name for report in found] == ["x.0.jsonl", "x.1.jsonl"]
    assert [rejected(report) for report in found] == [["2"], ["4"]]
    assert emails(klaviyo) == {f"{name}@example.com" for name in "abc"}


def test_a_rejects_path_may_name_the_map_index_itself(klaviyo: SandboxServer, run_dag: RunDag, tmp_path: Path) -> None:
    given = folders(tmp_path, rejects_path="rejects/{{ ti.map_index }}-of-{{ ds }}.jsonl")
    with dag() as made:
        ObjectStorageToKlaviyoProfilesOperator.partial(**given, key_field="id").expand(source_path=files(tmp_path))
    found = reports(run_dag(made, logical_date=datetime(2026, 1, 2, tzinfo=UTC)), 2)
    assert [rejected(report) for report in found] == [["2"], ["4"]]
    assert {Path(report["rejects_path"]).parent.name for report in found} == {"rejects"}
    assert emails(klaviyo) == {f"{name}@example.com" for name in "abc"}


def test_a_task_for_each_set_of_parameters(klaviyo: SandboxServer, run_dag: RunDag, tmp_path: Path, orders: tuple[Database, str]) -> None:
    query = f"SELECT id, mail, at FROM {orders[1]} WHERE shop = :shop ORDER BY id"
    with dag() as made:
        SqlToKlaviyoEventsOperator.partial(
            **folders(tmp_path, state_path="state"), sql=query, sql_conn_id=CONN_ID, key_field="id", mapping=EVENTS
        ).expand(parameters=[{"shop": "uk"}, {"shop": "de"}, {"shop": "fr"}])
    found = reports(run_dag(made), 3)
    assert [(report["read"], report["accepted"], report["rejected"]) for report in found] == [(3, 2, 1), (2, 1, 1), (0, 0, 0)]
    assert event_ids(klaviyo) == ["1", "2", "4"]
    assert [rejected(report) for report in found[:2]] == [["3"], ["5"]]
    assert found[2]["rejects_path"] == ""


def test_a_task_for_each_query_that_another_task_has_written(
    klaviyo: SandboxServer, run_dag: RunDag, tmp_path: Path, orders: tuple[Database, str]
) -> None:
    table = orders[1]

    @taskflow
    def queries() -> list[str]:
        return [f"SELECT id, mail, at FROM {table} WHERE shop = '{shop}' ORDER BY id" for shop in ("de", "uk")]

    with dag() as made:
        SqlToKlaviyoEventsOperator.partial(
            **folders(tmp_path, state_path="state"), sql_conn_id=CONN_ID, key_field="id", mapping=EVENTS
        ).expand(sql=queries())
    found = reports(run_dag(made), 2)
    assert [(report["read"], report["accepted"], report["rejected"]) for report in found] == [(2, 1, 1), (3, 2, 1)]
    assert event_ids(klaviyo) == ["1", "2", "4"]


def test_a_query_may_be_what_another_task_returned(
    klaviyo: SandboxServer, run_dag: RunDag, tmp_path: Path, orders: tuple[Database, str]
) -> None:
    table = orders[1]

    @taskflow
    def query() -> str:
        return f"SELECT id, mail, at FROM {table} ORDER BY id"

    with dag() as made:
        written: Any = query()
        SqlToKlaviyoEventsOperator(
            **folders(tmp_path, state_path="state"), sql=written, sql_conn_id=CONN_ID, key_field="id", mapping=EVENTS
        )
    done = run_dag(made).get_task_instance("load")
    assert done is not None
    assert done.state == "success"
    report: Json = done.xcom_pull(task_ids="load")
    assert [report[name] for name in ("read", "accepted", "rejected")] == [5, 3, 2]
    assert Path(report["rejects_path"]).name == "x.jsonl"
    assert rejected(report) == ["3", "5"]
    assert event_ids(klaviyo) == ["1", "2", "4"]

# SPDX-License-Identifier: Apache-2.0
"""A query's rows land in Klaviyo, each with its fate, whatever the database."""
# ruff: noqa: S608 - the tables and queries are the tests' own

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from airflow.sdk import DAG

from airflow_provider_klaviyo.loading import Fate, FieldMapping
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from airflow_provider_klaviyo.transfers.sql_to_klaviyo import (
    SqlToKlaviyoConsentOperator,
    SqlToKlaviyoEventsOperator,
    SqlToKlaviyoListOperator,
    SqlToKlaviyoProfilesOperator,
)
from tests.loading.kit import emails, event_ids, held, new_list
from tests.transfers import databases
from tests.transfers.databases import Database
from tests.transfers.sql_kit import PROFILES, Json, RunDag, context, impatient, people, quoted, rejects, run, summed, task


@pytest.fixture(params=databases.NAMES)
def database(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    with databases.opened(request.param, tmp_path, monkeypatch) as found:
        yield found


@pytest.fixture
def postgres(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    with databases.opened("postgres", tmp_path, monkeypatch) as found:
        yield found


@pytest.fixture
def klaviyo(sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> SandboxServer:
    return impatient(sandbox, monkeypatch)


@pytest.fixture
def folders(tmp_path: Path) -> Json:
    return {"staging_path": f"file://{tmp_path}/stage", "rejects_path": f"file://{tmp_path}/rejects.jsonl"}


@pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferring"])
def test_customers_of_every_database_become_profiles_and_each_row_has_its_fate(
    database: Database, klaviyo: SandboxServer, run_dag: RunDag, folders: Json, deferrable: bool
) -> None:
    table = people(database, 50, odd=True)
    done = run(
        run_dag,
        SqlToKlaviyoProfilesOperator,
        folders,
        sql=quoted(database, PROFILES.format(table=table)).replace("id AS external_id", "id"),
        mapping=[
            FieldMapping("email", "email", "lower"),
            FieldMapping("first_name", "first_name"),
            FieldMapping("properties.plan", "properties.plan"),
            FieldMapping("properties.spent", "properties.spent", "number"),
        ],
        key_field="id",
        allowed_rejects=2,
        results_table=(results := database.table()),
        deferrable=deferrable,
    )
    assert done.state == "success"
    report = summed(done.xcom_pull(task_ids="load", key="report"))
    assert {fate: report[fate] for fate in Fate if report[fate]} == {"loaded": 47, "rejected": 2, "duplicate": 1}
    found = held(klaviyo)["profiles"]
    assert len(found) == 47
    assert all('"spent":' in row[-1] and '"plan": "gold"' in row[-1] for row in found if row[0] in {"p003@example.com", "p006@example.com"})
    lines = rejects(folders)
    assert sorted((line["key"], line["fate"], line["code"]) for line in lines) == [
        ("10", "rejected", "no_identifier"),
        ("15", "duplicate", "duplicate"),
        ("5", "rejected", "no_identifier"),
    ]
    key = "`key`" if database.name == "mysql" else "key"
    stored = database.run(f"SELECT {key}, fate, code, dag_id, task_id, load_id FROM {results} ORDER BY {key}")
    assert [tuple(row) for row in stored] == [
        (line["key"], line["fate"], line["code"], "load", "load", report["load_id"]) for line in sorted(lines, key=lambda line: line["key"])
    ]


def test_columns_named_as_klaviyos_fields_need_no_mapping(database: Database, klaviyo: SandboxServer, folders: Json) -> None:
    table = people(database, 3)
    query = quoted(database, PROFILES.format(table=table))
    report = summed(task(SqlToKlaviyoProfilesOperator, folders, sql=query, list_id=new_list(klaviyo)).execute(context()))
    assert report["loaded"] == 3
    assert [(row[0], row[2], json.loads(row[-1])["properties"]) for row in held(klaviyo)["profiles"]] == [
        ("p001@example.com", "1", {"spent": 1.5}),
        ("p002@example.com", "2", {"spent": 2.5}),
        ("p003@example.com", "3", {"plan": "gold", "spent": 3.5}),
    ]
    assert len(held(klaviyo)["members"]) == 3


def test_values_of_all_types_arrive_as_json_or_are_counted(postgres: Database, klaviyo: SandboxServer, folders: Json) -> None:
    query = """
        SELECT 'a@example.com' AS email, 12.5::numeric AS "properties.decimal", DATE '2026-11-20' AS "properties.day",
            TIMESTAMPTZ '2026-11-20 10:00+00' AS "properties.moment", TIMESTAMP '2026-11-20 10:00' AS "properties.naive",
            '{"a": [1, {"b": null}]}'::jsonb AS "properties.json", ARRAY['x', 'y'] AS "properties.tags", '\\x00ff'::bytea AS "properties.bytes",
            NULL::text AS "properties.nothing", true AS "properties.yes", '6f1a1c3e-0000-4000-8000-000000000001'::uuid AS "properties.uuid",
            INTERVAL '1 day' AS "properties.interval", 'NaN'::numeric AS "properties.nan"
    """
    report = summed(task(SqlToKlaviyoProfilesOperator, folders, sql=query).execute(context()))
    assert (report["loaded"], report["rejected"]) == (1, 0)
    ((_, _, _, _, attributes),) = held(klaviyo)["profiles"]
    assert json.loads(attributes)["properties"] == {
        "decimal": 12.5,
        "day": "2026-11-20",
        "moment": "2026-11-20T10:00:00+00:00",
        "json": {"a": [1, {"b": None}]},
        "tags": ["x", "y"],
        "yes": True,
        "interval": 86400,
        "uuid": "6f1a1c3e-0000-4000-8000-000000000001",
    }
    assert report["dropped"] == {
        "properties.naive: naive_time": 1,
        "properties.bytes: no_json_form": 1,
    }


def test_orders_become_events_and_are_not_counted_twice(database: Database, klaviyo: SandboxServer, folders: Json, tmp_path: Path) -> None:
    table = database.table("id INTEGER, email VARCHAR(200), total NUMERIC(10, 2), ordered_at VARCHAR(40)")
    orders = [(at, f"p{at // 2}@example.com", f"{at}.25", f"2026-11-{at % 20 + 1:02d}T10:00:00+00:00") for at in range(40)]
    database.many(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", orders)
    query = quoted(
        database,
        f"SELECT 'Placed Order' AS metric, id AS unique_id, email AS \"profile.email\", total AS value, ordered_at AS time FROM {table}",
    )
    fields = {"sql": query, "key_field": "unique_id", "state_path": f"file://{tmp_path}/state"}
    first = summed(task(SqlToKlaviyoEventsOperator, folders, **fields).execute(context()))
    database.many(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", [(100, "late@example.com", "1.00", "2026-11-20T10:00:00+00:00")])
    again = summed(task(SqlToKlaviyoEventsOperator, folders, **fields).execute(context()))
    assert (first["accepted"], again["accepted"], again["unchanged"]) == (40, 1, 40)
    assert event_ids(klaviyo) == sorted(str(at) for at in (*range(40), 100))


def test_consent_goes_out_as_it_was_given(postgres: Database, klaviyo: SandboxServer, folders: Json, tmp_path: Path) -> None:
    query = """
        SELECT 'yes@example.com' AS email, 'subscribed' AS consent, TIMESTAMPTZ '2026-11-01 10:00+00' AS consented_at
        UNION ALL SELECT 'no@example.com', 'unsubscribed', TIMESTAMPTZ '2026-11-02 10:00+00'
    """
    fields = {"sql": query, "list_id": new_list(klaviyo), "subscribe": True, "audit_path": f"file://{tmp_path}/audit"}
    report = summed(task(SqlToKlaviyoConsentOperator, folders, **fields).execute(context()))
    assert (report["read"], report["skipped"], report["reasons"]) == (2, 1, {"skipped: not_in_list": 1})
    assert report["accepted"] + report["loaded"] == 1
    assert emails(klaviyo) == {"yes@example.com"}


def test_a_list_has_the_members_that_the_query_names(postgres: Database, klaviyo: SandboxServer, folders: Json) -> None:
    table = people(postgres, 10)
    members = new_list(klaviyo)
    fields = {"sql": f"SELECT email FROM {table}", "list_id": members, "max_change": 1}
    assert summed(task(SqlToKlaviyoListOperator, folders, **fields).execute(context()))["read"] == 10
    assert len(held(klaviyo)["members"]) == 10
    postgres.run(f"DELETE FROM {table} WHERE id = 1")
    summed(task(SqlToKlaviyoListOperator, folders, **fields).execute(context()))
    assert sorted(who for _, who in held(klaviyo)["members"]) == [f"p{at:03d}@example.com" for at in range(2, 11)]


def test_a_query_without_rows_is_a_load_of_nothing(database: Database, klaviyo: SandboxServer, folders: Json) -> None:
    table = people(database, 1)
    report = summed(task(SqlToKlaviyoProfilesOperator, folders, sql=f"SELECT email FROM {table} WHERE id > 5").execute(context()))
    assert (report["read"], report["rejects_path"]) == (0, "")
    assert klaviyo.klaviyo.counts()["profiles"] == 0


def test_the_query_may_stand_in_a_file_and_has_the_runs_dates_in_it(
    postgres: Database, klaviyo: SandboxServer, run_dag: RunDag, folders: Json, tmp_path: Path
) -> None:
    table = people(postgres, 5)
    (tmp_path / "customers.sql").write_text(
        f"-- {{{{ ds }}}}\nSELECT email FROM {table} WHERE id <= {{{{ params.most }}}} AND id > %(least)s;\n"
    )
    with DAG(
        "load", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), template_searchpath=str(tmp_path), params={"most": 4}
    ) as dag:
        task(SqlToKlaviyoProfilesOperator, folders, sql="customers.sql", parameters={"least": "{{ 1 }}"})
    instance = run_dag(dag).get_task_instance("load")
    assert instance is not None
    assert instance.state == "success"
    assert emails(klaviyo) == {"p002@example.com", "p003@example.com", "p004@example.com"}


def test_parameters_keep_their_types(postgres: Database, klaviyo: SandboxServer, folders: Json) -> None:
    table = people(postgres, 5)
    since = datetime(2026, 11, 20, tzinfo=UTC)
    query = f"SELECT email FROM {table} WHERE id = %s AND %s > TIMESTAMPTZ '2026-11-19 00:00+00'"
    report = task(SqlToKlaviyoProfilesOperator, folders, sql=query, parameters=[2, since]).execute(context())
    assert (report["loaded"], emails(klaviyo)) == (1, {"p002@example.com"})


def test_a_preview_reads_and_sends_nothing(database: Database, klaviyo: SandboxServer, folders: Json, tmp_path: Path) -> None:
    table = people(database, 20, odd=True)
    query = quoted(database, PROFILES.format(table=table)).replace("id AS external_id, ", "")
    report = task(SqlToKlaviyoProfilesOperator, folders, sql=query, preview=True, results_table=(results := database.table())).execute(
        context()
    )
    assert (report["preview"], report["read"], len(report["payloads"])) == (True, 20, 5)
    assert not any(name.startswith("POST") for name in klaviyo.klaviyo.requests)
    with pytest.raises(Exception, match=results):
        database.run(f"SELECT * FROM {results}")

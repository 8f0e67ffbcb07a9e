# SPDX-License-Identifier: Apache-2.0
"""A query's rows land in Klaviyo, each with its fate, whatever the database and whatever happens on the way."""
# ruff: noqa: S608 - the tables and queries are the tests' own

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG

from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoConfigError, KlaviyoLoadFailed
from airflow_provider_klaviyo.loading import Fate, FieldMapping
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from airflow_provider_klaviyo.transfers.results import ResultsTableUnusable
from airflow_provider_klaviyo.transfers.sql_to_klaviyo import (
    SqlToKlaviyoConsentOperator,
    SqlToKlaviyoEventsOperator,
    SqlToKlaviyoListOperator,
    SqlToKlaviyoProfilesOperator,
)
from tests.loading.kit import KeptStore, Killed, emails, event_ids, held, new_list, requests
from tests.transfers import databases
from tests.transfers.databases import CONN_ID, Database

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

    RunDag = Callable[..., "DagRun"]

Json = dict[str, Any]
PROFILE_JOBS = "POST /api/profile-bulk-import-jobs"
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
    """Hand out the sandbox with connections that give up at the second failure: it is the tries of the task that are tested."""
    for name, value in sandbox.connections.items():
        monkeypatch.setenv(name, json.dumps(json.loads(value) | {"extra": {"max_attempts": 1, "timeout": 10}}))
    sandbox.klaviyo.behaviour.job_seconds = 0
    return sandbox


@pytest.fixture
def folders(tmp_path: Path) -> Json:
    return {"staging_path": f"file://{tmp_path}/stage", "rejects_path": f"file://{tmp_path}/rejects.jsonl"}


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
        "properties.nan: not_a_number": 1,
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
    operator = task(SqlToKlaviyoConsentOperator, folders, sql=query, list_id=new_list(klaviyo), audit_path=f"file://{tmp_path}/audit")
    report = summed(operator.execute(context()))
    assert report["read"] == 2
    assert report["accepted"] + report["loaded"] + report["skipped"] == 2
    assert "yes@example.com" in emails(klaviyo)


def test_a_list_has_the_members_that_the_query_names(postgres: Database, klaviyo: SandboxServer, folders: Json) -> None:
    table = people(postgres, 10)
    members = new_list(klaviyo)
    fields = {"sql": f"SELECT email FROM {table}", "list_id": members, "max_change": 1}
    assert summed(task(SqlToKlaviyoListOperator, folders, **fields).execute(context()))["read"] == 10
    assert len(held(klaviyo)["members"]) == 10
    postgres.run(f"DELETE FROM {table} WHERE id = 1")
    summed(task(SqlToKlaviyoListOperator, folders, **fields).execute(context()))
    assert sorted(who for _, who in held(klaviyo)["members"]) == [f"p{at:03d}@example.com" for at in range(2, 11)]


def test_what_the_source_table_becomes_after_it_was_read_does_not_matter(database: Database, klaviyo: SandboxServer, folders: Json) -> None:
    """At every write of the journal the worker dies once; the table is another one by the next try."""
    expected = {f"p{at:03d}@example.com" for at in range(1, 31)}
    for kill in range(1, 100):
        klaviyo.klaviyo.reset()
        klaviyo.klaviyo.behaviour.job_seconds = 0
        table = people(database, 30)
        fields = {"sql": quoted(database, PROFILES.format(table=table)), "chunk_size": 10}
        store = Store(kill_at=kill)
        try:
            task(SqlToKlaviyoProfilesOperator, folders, **fields).execute(context(store))
        except Killed:
            store.revive()
            staged = any(isinstance(value, dict) and value.get("phase", "staging") != "staging" for value in store.values())
            database.run(f"DELETE FROM {table} WHERE id > 10", f"UPDATE {table} SET id = 1000 - id, first_name = 'Changed'")
            database.many(f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?)", [(1, "new@example.com", "New", None, "0.00")])
            report = summed(task(SqlToKlaviyoProfilesOperator, folders, **fields).execute(context(store)))
            if staged:
                assert (report["read"], report["loaded"], emails(klaviyo)) == (30, 30, expected)
                assert not any("Changed" in row[-1] for row in held(klaviyo)["profiles"])
            else:
                assert (report["read"], report["loaded"]) == (11, 11)
            database.run(f"DELETE FROM {table}")
        if store.writes < kill:
            break
    else:
        raise AssertionError("it never came to its end")
    assert kill > 6


def test_a_query_that_fails_midway_sends_nothing_and_the_retry_begins_anew(
    database: Database, klaviyo: SandboxServer, run_dag: RunDag, folders: Json, capsys: pytest.CaptureFixture[str]
) -> None:
    table = people(database, 50)
    fields = {
        "sql": f"SELECT id AS external_id, {FAILS[database.name]} AS email FROM {table} ORDER BY id",
        "fetch_size": 5,
        "chunk_size": 10,
    }
    store = Store()
    with pytest.raises(Exception, match=r"division by zero|more than 1 row|integer overflow"):
        task(SqlToKlaviyoProfilesOperator, folders, **fields).execute(context(store))
    assert not any(name.startswith("POST") for name in klaviyo.klaviyo.requests)
    assert klaviyo.klaviyo.counts()["profiles"] == 0
    database.run(f"DELETE FROM {table} WHERE id = 30")
    report = summed(task(SqlToKlaviyoProfilesOperator, folders, **fields).execute(context(store)))
    assert report["read"] == report["loaded"] == 49
    assert len(emails(klaviyo)) == 49


def test_a_reader_that_the_server_throws_out_is_retried(postgres: Database, klaviyo: SandboxServer, run_dag: RunDag, folders: Json) -> None:
    """The query throws out its own session at the first try, and leaves a mark that a second finds."""
    sequence = postgres.table()
    postgres.run(f"CREATE SEQUENCE {sequence}")
    try:
        postgres.run(f"SELECT nextval('{sequence}')")
        query = f"""
            SELECT 'p' || n || '@example.com' AS email FROM generate_series(1, 50) AS numbers(n)
            WHERE n <> 30 OR (SELECT last_value FROM {sequence}) > 1 OR pg_terminate_backend(pg_backend_pid())
        """
        store = Store()
        with pytest.raises(Exception, match="terminat"):
            task(SqlToKlaviyoProfilesOperator, folders, sql=query, fetch_size=5).execute(context(store))
        assert klaviyo.klaviyo.counts()["profiles"] == 0
        postgres.run(f"SELECT nextval('{sequence}')")
        report = summed(task(SqlToKlaviyoProfilesOperator, folders, sql=query, fetch_size=5).execute(context(store)))
        assert report["read"] == report["loaded"] == klaviyo.klaviyo.counts()["profiles"] == 50
    finally:
        postgres.run(f"DROP SEQUENCE {sequence}")
        postgres.tables.clear()


def test_a_query_without_rows_is_a_load_of_nothing(database: Database, klaviyo: SandboxServer, folders: Json) -> None:
    table = people(database, 1)
    report = summed(task(SqlToKlaviyoProfilesOperator, folders, sql=f"SELECT email FROM {table} WHERE id > 5").execute(context()))
    assert (report["read"], report["rejects_path"]) == (0, "")
    assert klaviyo.klaviyo.counts()["profiles"] == 0


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"sql": "SELECT 1 AS email; SELECT 2 AS email"}, "2 statements"),
        ({"sql": "DELETE FROM {table}"}, "begins with DELETE"),
        ({"sql": "SELECT email, email FROM {table}"}, "several columns named 'email'"),
        ({"sql": "SELECT email FROM {table}", "sql_conn_id": "klaviyo_default"}, "'klaviyo_default'.*cannot be read by SQL"),
        ({"sql": "SELECT email FROM {table}", "fetch_size": 0}, "fetch_size"),
        ({"sql": "SELECT email FROM {table}", "mapping": {"mail": "email"}}, "no column 'mail'; it has email"),
        ({"sql": "SELECT email, first_name AS forename FROM {table}"}, "'forename'"),
    ],
    ids=["several", "delete", "twice", "no database", "fetch_size", "mapping", "unknown field"],
)
def test_what_cannot_work_fails_at_once_and_sends_nothing(
    postgres: Database,
    klaviyo: SandboxServer,
    run_dag: RunDag,
    folders: Json,
    capsys: pytest.CaptureFixture[str],
    fields: Json,
    says: str,
) -> None:
    import re

    table = people(postgres, 3)
    done = run(run_dag, SqlToKlaviyoProfilesOperator, folders, retries=3, **{**fields, "sql": fields["sql"].format(table=table)})
    out, err = capsys.readouterr()
    assert (done.state, done.try_number) == ("failed", 1)
    assert re.search(says, out + err)
    assert klaviyo.klaviyo.counts()["profiles"] == 0
    assert postgres.run(f"SELECT count(*) FROM {table}")[0][0] == 3


def test_a_sql_that_is_a_list_is_refused(
    klaviyo: SandboxServer, run_dag: RunDag, folders: Json, capsys: pytest.CaptureFixture[str]
) -> None:
    done = run(run_dag, SqlToKlaviyoProfilesOperator, folders, sql=["SELECT 1 AS email"], retries=2)
    out, err = capsys.readouterr()
    assert (done.state, done.try_number) == ("failed", 1)
    assert "sql must be str, a list is not" in out + err


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


def test_a_results_table_that_cannot_be_written_stops_the_load_before_anything_is_sent(
    postgres: Database, klaviyo: SandboxServer, folders: Json
) -> None:
    table = people(postgres, 3)
    query = f"SELECT email FROM {table}"
    with pytest.raises(KlaviyoConfigError, match="has no columns"):
        task(SqlToKlaviyoProfilesOperator, folders, sql=query, results_table=table).execute(context())
    with pytest.raises(ResultsTableUnusable):
        task(SqlToKlaviyoProfilesOperator, folders, sql=query, results_table="no_such_schema.results").execute(context())
    assert klaviyo.klaviyo.counts()["profiles"] == 0
    assert not any(name.startswith("POST") for name in klaviyo.klaviyo.requests)


def test_a_load_that_is_finished_again_has_its_results_once(postgres: Database, klaviyo: SandboxServer, folders: Json) -> None:
    table, results = people(postgres, 20, odd=True), postgres.table()
    query = PROFILES.format(table=table).replace("id AS external_id, ", "")
    store = Store()
    for _ in range(2):
        with pytest.raises(KlaviyoLoadFailed):
            task(SqlToKlaviyoProfilesOperator, folders, sql=query, results_table=results).execute(context(store))
    assert postgres.run(f"SELECT count(*), count(DISTINCT load_id) FROM {results}") == [(3, 1)]
    with pytest.raises(KlaviyoLoadFailed):  # cleared, it is another load
        task(SqlToKlaviyoProfilesOperator, folders, sql=query, results_table=results).execute(context(store, max_tries=9))
    assert postgres.run(f"SELECT count(*), count(DISTINCT load_id) FROM {results}") == [(6, 2)]


def test_a_load_that_klaviyo_refuses_leaves_no_connection_to_the_database(
    postgres: Database, klaviyo: SandboxServer, folders: Json
) -> None:
    table = people(postgres, 3)
    query = f"SELECT email, '{table}' AS \"properties.mark\" FROM {table}"
    with pytest.raises(KlaviyoApiError):
        task(SqlToKlaviyoProfilesOperator, folders, sql=query, list_id="ABCDEF").execute(context())
    left = postgres.run(f"SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%{table}%' AND pid <> pg_backend_pid()")
    assert left[0][0] == 0


def test_neither_rows_nor_parameters_are_logged_or_kept(
    postgres: Database,
    klaviyo: SandboxServer,
    run_dag: RunDag,
    folders: Json,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    import logging

    caplog.set_level(logging.DEBUG)
    table = people(postgres, 20, odd=True)
    done = run(
        run_dag,
        SqlToKlaviyoProfilesOperator,
        folders,
        sql=PROFILES.format(table=table)
        .replace("ORDER BY", "WHERE email <> %s OR email IS NULL ORDER BY")
        .replace("id AS external_id, ", ""),
        parameters=["hidden-parameter@example.com"],
        allowed_rejects=9,
    )
    out, err = capfd.readouterr()
    assert done.state == "success"
    said = Counter({place: text.count("@example.com") for place, text in {"log": caplog.text, "output": out + err}.items()})
    assert (said["log"], said["output"]) == (0, 0)
    assert "@example.com" not in json.dumps(done.xcom_pull(task_ids="load"))
    assert "@example.com" not in json.dumps(rejects(folders))

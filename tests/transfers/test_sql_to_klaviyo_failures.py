# SPDX-License-Identifier: Apache-2.0
"""A load from SQL fails, is killed, is retried: nothing is sent twice or in part, nothing stays open, and nobody is named."""
# ruff: noqa: S608 - the tables and queries are the tests' own

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoConfigError
from airflow_provider_klaviyo.loading import FieldMapping
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from airflow_provider_klaviyo.transfers.sql_to_klaviyo import SqlToKlaviyoProfilesOperator
from tests.loading.kit import Killed, emails, held
from tests.transfers import databases
from tests.transfers.databases import Database
from tests.transfers.sql_kit import FAILS, PROFILES, Json, RunDag, Store, context, impatient, people, quoted, rejects, run, summed, task


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


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"sql": "SELECT 1 AS email; SELECT 2 AS email"}, "2 statements"),
        ({"sql": "DELETE FROM {table}"}, "begins with DELETE"),
        ({"sql": "SELECT email, email FROM {table}"}, "several columns named 'email'"),
        ({"sql": "SELECT email FROM {table}", "sql_conn_id": "klaviyo_default"}, "'klaviyo_default'.*cannot be read by SQL"),
        ({"sql": "SELECT email FROM {table}", "fetch_size": 0}, "fetch_size"),
        ({"sql": "SELECT email FROM {table}", "mapping": [FieldMapping("mail", "email")]}, "no column 'mail'; it has email"),
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


def test_a_load_that_klaviyo_refuses_leaves_no_connection_to_the_database(
    postgres: Database, klaviyo: SandboxServer, folders: Json
) -> None:
    table = people(postgres, 3)
    query = f"SELECT email, '{table}' AS \"properties.mark\" FROM {table}"
    with pytest.raises(KlaviyoApiError):
        task(SqlToKlaviyoProfilesOperator, folders, sql=query, list_id="ABCDEF").execute(context())
    left = postgres.run(f"SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%{table}%' AND pid <> pg_backend_pid()")
    assert left[0][0] == 0


def test_a_load_that_stops_midway_lets_the_database_go_at_once(postgres: Database, klaviyo: SandboxServer, folders: Json) -> None:
    table = people(postgres, 50)
    fields = {"sql": f"SELECT email, first_name AS forename FROM {table}", "fetch_size": 5}
    with pytest.raises(KlaviyoConfigError, match="forename") as stopped:
        task(SqlToKlaviyoProfilesOperator, folders, **fields).execute(context())
    postgres.run("SET lock_timeout = '5s'", f"ALTER TABLE {table} ADD COLUMN more INTEGER")
    assert stopped.value.__traceback__ is not None  # it holds on to all that was on the way


def test_neither_rows_nor_parameters_are_logged_or_kept(
    postgres: Database,
    klaviyo: SandboxServer,
    run_dag: RunDag,
    folders: Json,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
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

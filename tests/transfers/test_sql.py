# SPDX-License-Identifier: Apache-2.0
"""Rows come out of every database as they are in it: as a stream, from one snapshot, and nothing is left open."""
# ruff: noqa: S608 - the tables and queries are the tests' own

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.transfers.sql import query_in, rows_of, sql_hook
from tests.transfers import databases
from tests.transfers.databases import CONN_ID, Database, closed

FAILS = {
    "postgres": "1 / (n - 500)",
    "mysql": "IF(n = 500, (SELECT 1 UNION SELECT 2), n)",
    "sqlite": "CASE WHEN n = 500 THEN abs(-9223372036854775807 - 1) ELSE n END",
}
"""Columns that cannot be computed in the 500th row."""


@pytest.fixture(params=databases.DRIVERS)
def database(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    with databases.opened(request.param, tmp_path, monkeypatch) as found:
        yield found
        assert all(map(closed, found.opened))


@pytest.fixture
def postgres(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    with databases.opened("postgres", tmp_path, monkeypatch) as found:
        yield found


def place(database: Database, name: str = "") -> str:
    """Return how the driver writes a placeholder."""
    if database.name == "sqlite":
        return f":{name}" if name else "?"
    return f"%({name})s" if name else "%s"


@pytest.mark.parametrize("fetch_size", [1, 7, 1000, 5000])
def test_all_rows_come_in_order_whatever_the_portion(database: Database, fetch_size: int) -> None:
    query = database.numbers(1000, "n, n * 2 AS double_n")
    rows = list(rows_of(database.hook, query, fetch_size=fetch_size))
    assert rows == [{"n": n, "double_n": n * 2} for n in range(1, 1001)]
    assert all(type(row) is dict for row in rows)


def test_a_query_without_rows_is_read_to_its_end(database: Database) -> None:
    assert list(rows_of(database.hook, database.numbers(10, "n") + " WHERE n > 10")) == []
    assert len(database.opened) == 1


def test_rows_arrive_while_the_query_is_still_running(database: Database) -> None:
    rows = rows_of(database.hook, database.numbers(1000, f"n, {FAILS[database.name]} AS broken"), fetch_size=10)
    assert [next(rows)["n"] for _ in range(400)] == list(range(1, 401))
    rows.close()


def test_a_query_that_fails_midway_says_what_the_driver_says_and_the_next_one_begins_anew(database: Database) -> None:
    hook = database.hook
    got: list[int] = []
    with pytest.raises(Exception, match=r"division by zero|more than 1 row|integer overflow") as failed:
        got.extend(row["n"] for row in rows_of(hook, database.numbers(1000, f"n, {FAILS[database.name]} AS broken"), fetch_size=10))
    assert not isinstance(failed.value, KlaviyoConfigError)
    assert closed(database.opened[0])
    assert len(list(rows_of(hook, database.numbers(1000, "n")))) == 1000


def test_the_connection_is_closed_when_the_reader_stops(database: Database) -> None:
    rows = rows_of(database.hook, database.numbers(100_000, "n"), fetch_size=10)
    assert database.opened == []  # it is not opened before the first row is asked for
    next(rows)
    assert not closed(database.opened[0]) or database.driver in {"mysql", "pymysql"}  # which cannot be asked while rows are left
    rows.close()
    assert closed(database.opened[0])


def test_a_statement_that_the_database_refuses_leaves_nothing_open(database: Database) -> None:
    with pytest.raises(Exception, match="nothing_of_that_name") as refused:
        list(rows_of(database.hook, "SELECT * FROM nothing_of_that_name"))
    assert not isinstance(refused.value, KlaviyoConfigError)
    assert closed(database.opened[0])


def test_parameters_come_by_position_and_by_name(database: Database) -> None:
    query = database.numbers(100, "n") + f" WHERE n >= {place(database)} AND n < {place(database)} ORDER BY n"
    assert [row["n"] for row in rows_of(database.hook, query, [5, 8])] == [5, 6, 7]
    assert [row["n"] for row in rows_of(database.hook, query, (99, 200))] == [99, 100]
    named = database.numbers(100, "n") + f" WHERE n = {place(database, 'which')}"
    assert [row["n"] for row in rows_of(database.hook, named, {"which": 42})] == [42]


@pytest.mark.parametrize("parameters", [None, {}, [], ()])
def test_a_percent_sign_is_one_where_there_are_no_parameters(database: Database, parameters: Any) -> None:
    assert list(rows_of(database.hook, "SELECT 'a%b' AS kept, 1 AS one WHERE 'abc' LIKE 'a%'", parameters)) == [{"kept": "a%b", "one": 1}]


def test_one_query_may_have_comments_semicolons_and_texts_with_semicolons(database: Database) -> None:
    query = "-- the people; all of them\nSELECT 'a;b' AS kept /* ; */ ;\n-- that is all;\n"
    assert list(rows_of(database.hook, query)) == [{"kept": "a;b"}]


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("", "sql is empty"),
        (" ;\n-- nothing;\n", "sql is empty"),
        ("SELECT 1 AS a; SELECT 2 AS a", r"holds 2 statements.*sql_hook_params"),
        ("SET search_path = x;\nSELECT 1 AS a;", "holds 2 statements"),
        ("INSERT INTO t VALUES (1)", "begins with INSERT, and a load only reads"),
        ("-- careful\n  update t set a = 1 returning a", "begins with UPDATE"),
        ("DELETE FROM t", "begins with DELETE"),
        ("CREATE OR REPLACE VIEW v AS SELECT 1", "begins with CREATE"),
        ("truncate t", "begins with TRUNCATE"),
        ("COPY t TO STDOUT", "begins with COPY"),
        ("REPLACE INTO t VALUES (1)", "begins with REPLACE"),
        ("SET x = 1", "begins with SET"),
    ],
)
def test_what_is_not_one_query_is_refused_before_the_database_is_asked(postgres: Database, sql: str, says: str) -> None:
    with pytest.raises(KlaviyoConfigError, match=says):
        rows_of(postgres.hook, sql)
    assert postgres.opened == []


@pytest.mark.parametrize(
    "sql",
    [
        "WITH a AS (SELECT 1 AS n) SELECT n FROM a",
        "VALUES (1), (2)",
        "TABLE people",
        "(SELECT 1 AS n) UNION (SELECT 2)",
        "SELECT $tag$ ; $tag$ AS a",
        "SELECT CASE WHEN a = ';' THEN 1 ELSE 2 END AS b FROM t",
        "SELECT replace(a, 'b', 'c') AS replaced, update_at FROM t",
        "SELECT id FROM t WHERE id IN (" + ", ".join(map(str, range(20_000))) + ")",
    ],
)
def test_queries_of_all_kinds_are_taken_as_they_are(sql: str) -> None:
    assert query_in(sql) == sql
    assert query_in(f"  {sql} ;  ") == sql


@given(st.text())
def test_any_text_in_quotes_is_part_of_one_query(text: str) -> None:
    quoted = text.replace("'", "''").replace("\\", "").replace("\x00", "")
    query = f"SELECT '{quoted}' AS a, 1 AS b"
    assert query_in(query) == query


def test_columns_of_one_name_are_named_and_none_is_lost_in_silence(database: Database) -> None:
    with pytest.raises(KlaviyoConfigError, match=r"several columns named 'id', 'plan', .* with AS"):
        list(rows_of(database.hook, "SELECT 1 AS id, 2 AS plan, 3 AS id, 4 AS plan, 5 AS other"))
    assert closed(database.opened[0])


def test_columns_without_a_name_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for driver, nameless in {"sqlite": '""', "foreign": '""', "mysql": "` `", "pymysql": "` `"}.items():
        with databases.opened(driver, tmp_path, monkeypatch) as database:
            with pytest.raises(KlaviyoConfigError, match=r"columns 2 have no name.*with AS"):
                list(rows_of(database.hook, f"SELECT 1 AS id, 2 AS {nameless}"))
            assert closed(database.opened[0])


def test_what_returns_nothing_is_no_query(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = {"sqlite": "PRAGMA foreign_keys = ON", "foreign": "PRAGMA foreign_keys = ON", "mysql": "DO 1", "pymysql": "DO 1"}
    for driver, statement in cases.items():
        with databases.opened(driver, tmp_path, monkeypatch) as database:
            with pytest.raises(KlaviyoConfigError, match="no result set"):
                list(rows_of(database.hook, statement))
            assert closed(database.opened[0])


def test_a_portion_has_at_least_one_row(postgres: Database) -> None:
    with pytest.raises(KlaviyoConfigError, match="fetch_size"):
        rows_of(postgres.hook, "SELECT 1 AS a", fetch_size=0)


def test_a_query_that_would_change_something_changes_nothing(database: Database) -> None:
    table = database.table("id INTEGER")
    sneaky, says = {
        "postgres": (f"SELECT id FROM {table} FOR UPDATE", "read-only transaction"),
        "mysql": (f"SELECT id FROM {table} FOR UPDATE", "READ ONLY transaction"),
        "sqlite": (f"WITH a AS (SELECT 1 AS n) INSERT INTO {table} SELECT n FROM a", "readonly"),
        "foreign": (f"WITH a AS (SELECT 1 AS n) INSERT INTO {table} SELECT n FROM a", "no result set"),
    }["foreign" if database.driver == "foreign" else database.name]
    with pytest.raises(Exception, match=says):
        list(rows_of(database.hook, sneaky))
    assert database.run(f"SELECT count(*) FROM {table}")[0][0] == 0


@pytest.mark.parametrize("driver", ["postgres", "psycopg2", "mysql", "pymysql"])
def test_the_rows_are_those_of_the_moment_when_reading_began(driver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with databases.opened(driver, tmp_path, monkeypatch) as database:
        table = database.table("id INTEGER")
        database.many(f"INSERT INTO {table} VALUES (?)", [(n,) for n in range(100)])
        rows = rows_of(database.hook, f"SELECT id, (SELECT count(*) FROM {table}) AS total FROM {table} ORDER BY id", fetch_size=10)
        first = next(rows)
        database.run(f"DELETE FROM {table} WHERE id >= 50", f"INSERT INTO {table} VALUES (-1)")
        assert [(row["id"], row["total"]) for row in (first, *rows)] == [(n, 100) for n in range(100)]


def test_sqlite_is_read_while_others_are_kept_from_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with databases.opened("sqlite", tmp_path, monkeypatch) as database:
        table = database.table("id INTEGER")
        database.many(f"INSERT INTO {table} VALUES (?)", [(n,) for n in range(10_000)])
        rows = rows_of(database.hook, f"SELECT id FROM {table} ORDER BY id", fetch_size=10)
        first = next(rows)
        with (
            closing(sqlite3.connect(tmp_path / "test.db", timeout=0)) as other,
            pytest.raises(sqlite3.OperationalError, match="locked"),
            other,
        ):
            other.execute(f"DELETE FROM {table}")
        assert [row["id"] for row in (first, *rows)] == list(range(10_000))


@pytest.mark.parametrize(
    ("connection", "says"),
    [
        ('{"conn_type": "klaviyo", "password": "pk_secret_0123456789"}', "cannot be read by SQL .KlaviyoHook is no DbApiHook"),
        ('{"conn_type": "klaviyo", "password": "pk_secret_0123456789", "extra": {"timeout": 5}}', "does not take the connection's extra"),
        ('{"conn_type": "nosuchdb", "password": "pk_secret_0123456789"}', "'nosuchdb', and no hook can be made .*install the database's"),
    ],
)
def test_a_connection_that_leads_to_no_database_is_refused(monkeypatch: pytest.MonkeyPatch, connection: str, says: str) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ELSEWHERE", connection)
    with pytest.raises(KlaviyoConfigError, match=says) as refused:
        sql_hook("elsewhere")
    assert "secret" not in str(refused.value)
    assert "'elsewhere'" in str(refused.value)


def test_the_hook_gets_its_params_and_they_win_over_the_connections_extra(postgres: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    url = databases.connection_to("postgres", Path())
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", f"{url}{'&' if '?' in url else '?'}options=-c%20application_name%3Dextra")
    query = "SELECT current_setting('application_name') AS name"
    assert [row["name"] for row in rows_of(sql_hook(CONN_ID), query)] == ["extra"]
    hook = sql_hook(CONN_ID, {"database": "postgres", "options": "-c application_name=mine"})
    assert [row["db"] for row in rows_of(hook, "SELECT current_database() AS db")] == ["postgres"]


@pytest.mark.parametrize("driver", ["postgres", "psycopg2"])
def test_postgres_plans_the_query_as_one_that_is_read_to_its_end(driver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with databases.opened(driver, tmp_path, monkeypatch) as database:
        settings = ("cursor_tuple_fraction", "transaction_read_only", "transaction_isolation")
        query = f"SELECT {', '.join(f'current_setting({name!r}) AS {name}' for name in settings)}"
        assert [tuple(row.values()) for row in rows_of(database.hook, query)] == [("1", "on", "repeatable read")]


def test_reading_does_not_wait_for_an_open_transaction_of_somebody_else(postgres: Database) -> None:
    table = postgres.table("id INTEGER")
    postgres.many(f"INSERT INTO {table} VALUES (?)", [(1,), (2,)])
    with closing(sql_hook(CONN_ID).get_conn()) as other:
        other.cursor().execute(f"UPDATE {table} SET id = 7")
        assert [row["id"] for row in rows_of(postgres.hook, f"SELECT id FROM {table} ORDER BY id")] == [1, 2]

# SPDX-License-Identifier: Apache-2.0
"""The databases that tests read from and write to: those of this machine, or those that the environment names."""
# ruff: noqa: S608 - the tables and queries are the tests' own

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from airflow.providers.common.sql.hooks.sql import DbApiHook

from airflow_provider_klaviyo.transfers.sql import sql_hook

URLS = {
    "postgres": ("KLAVIYO_TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/test"),
    "mysql": ("KLAVIYO_TEST_MYSQL_URL", "mysql://root@127.0.0.1:3306/test?client=mysql-connector-python"),
}
"""Where the servers are: a variable of the environment, and what is tried without it."""
NAMES = ("postgres", "mysql", "sqlite")
DRIVERS = ("postgres", "psycopg2", "mysql", "pymysql", "sqlite", "foreign")
"""The databases, and with other drivers than Airflow's providers take here."""
SERVERS = {"psycopg2": "postgres", "pymysql": "mysql", "foreign": "sqlite"}
CONN_ID = "source"


class OtherDriver(DbApiHook):
    """A hook of somebody's own."""

    conn_name_attr = "conn_id"
    supports_autocommit = True

    def given(self) -> dict[str, Any]:
        """Return what the drivers want of a connection."""
        return {"host": self.connection.host, "port": self.connection.port, "user": self.connection.login}


class Psycopg2Hook(OtherDriver):
    """PostgreSQL by the driver of old."""

    def get_conn(self) -> Any:
        return import_module("psycopg2").connect(**self.given(), password=self.connection.password, dbname=self.connection.schema)


class PyMySqlHook(OtherDriver):
    """MySQL by a driver that is made as mysqlclient is."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args, escape_word_format="`{}`")

    def get_conn(self) -> Any:
        return import_module("pymysql").connect(**self.given(), password=self.connection.password or "", database=self.connection.schema)


class ForeignConnection:
    """A connection of a driver that nobody has heard of; it refuses a semicolon, and what DB-API makes optional."""

    def __init__(self, path: str) -> None:
        self.inner = sqlite3.connect(path, isolation_level=None)
        self.autocommit = True

    def cursor(self) -> Any:
        if not self.autocommit and not self.inner.in_transaction:
            self.inner.execute("BEGIN")
        return ForeignCursor(self.inner.cursor())

    def close(self) -> None:
        self.inner.close()


class ForeignCursor:
    """Its cursor."""

    __slots__ = ("inner",)

    def __init__(self, inner: sqlite3.Cursor) -> None:
        self.inner = inner

    def execute(self, sql: str, *parameters: Any) -> None:
        assert not sql.endswith(";")
        self.inner.execute(sql, *parameters)

    def fetchmany(self, size: int) -> list[Any]:
        return self.inner.fetchmany(size)

    @property
    def description(self) -> Any:
        return self.inner.description

    def close(self) -> None:
        self.inner.close()


class ForeignHook(OtherDriver):
    """A database that this package knows nothing of."""

    def get_conn(self) -> Any:
        return ForeignConnection(str(self.connection.host))


HOOKS: dict[str, type[OtherDriver]] = {"psycopg2": Psycopg2Hook, "pymysql": PyMySqlHook, "foreign": ForeignHook}


@dataclass
class Database:
    """
    A database with tables of the test's own.

    :param driver: One of :data:`DRIVERS`.
    """

    driver: str
    tables: list[str] = field(default_factory=list)
    schemas: list[str] = field(default_factory=list)
    opened: list[Any] = field(default_factory=list)

    @property
    def name(self) -> str:
        """One of :data:`NAMES`."""
        return SERVERS.get(self.driver, self.driver)

    @property
    def hook(self) -> Any:
        """A hook of the driver; :attr:`opened` gets the connections that it makes."""
        hook: Any = HOOKS[self.driver](CONN_ID) if self.driver in HOOKS else sql_hook(CONN_ID)
        connect = hook.get_conn

        def get_conn() -> Any:
            self.opened.append(connect())
            return self.opened[-1]

        hook.get_conn = get_conn
        return hook

    def table(self, columns: str | None = None, *, begins: str = "klaviyo_test") -> str:
        """Name a table that goes with the test, and make it where its columns are given."""
        name = f"{begins}_{uuid4().hex[:10]}"
        self.tables.append(name)
        if columns:
            self.run(f"CREATE TABLE {name} ({columns})")
        return name

    def schema(self) -> str:
        """Make a schema that goes with the test."""
        name = f"klaviyo_test_{uuid4().hex[:10]}"
        self.schemas.append(name)
        self.run(f"CREATE SCHEMA {name}")
        return name

    def run(self, *statements: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Run statements for good, and return what the last one gave."""
        rows: list[Any] = []
        with closing(sql_hook(CONN_ID).get_conn()) as connection, closing(connection.cursor()) as cursor:
            for each in statements:
                cursor.execute(each, parameters) if parameters else cursor.execute(each)
                rows = list(cursor.fetchall()) if cursor.description else []
            connection.commit()
        return rows

    def many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows; ``?`` holds the place of a value."""
        with closing(sql_hook(CONN_ID).get_conn()) as connection, closing(connection.cursor()) as cursor:
            cursor.executemany(statement if self.name == "sqlite" else statement.replace("?", "%s"), rows)
            connection.commit()

    def numbers(self, count: int, columns: str) -> str:
        """Return a query that counts: columns are made of ``n``, from 1 on."""
        return {
            "postgres": f"SELECT {columns} FROM generate_series(1, {count}) AS numbers(n)",
            "mysql": f"SELECT {columns} FROM (SELECT seq AS n FROM seq_1_to_{count}) AS numbers",
            "sqlite": f"WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})"
            f" SELECT {columns} FROM numbers",
        }[self.name]


def closed(connection: Any) -> bool:
    """Say whether a connection is closed, whatever its driver."""
    try:
        connection.cursor().execute("SELECT 1")
    except Exception:  # noqa: BLE001 - each driver has its own
        return True
    return False


def connection_to(name: str, folder: Path) -> str:
    """Return the Airflow connection to a database, as the environment holds it; skip the test where there is no such server."""
    if name == "sqlite":
        return f'{{"conn_type": "sqlite", "host": "{folder}/test.db"}}'
    variable, usual = URLS[name]
    url = os.environ.get(variable) or usual
    where = urlsplit(url)
    try:
        socket.create_connection((where.hostname or "127.0.0.1", where.port or 0), timeout=2).close()
    except OSError:
        pytest.skip(f"no {name} answers at {where.hostname}:{where.port}: set {variable} to an Airflow connection URI")
    return url


@contextmanager
def opened(driver: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """Hand out a database, Airflow's connection ``source`` leading to it, and drop the test's tables in the end."""
    database = Database(driver)
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", connection_to(database.name, folder))
    try:
        yield database
    finally:
        # A test that has left a reader behind is to fail, and not to wait for it.
        patience = {"postgres": ["SET lock_timeout = '20s'"], "mysql": ["SET SESSION lock_wait_timeout = 20"]}.get(database.name, [])
        for table in database.tables:
            database.run(*patience, f"DROP TABLE IF EXISTS {table}")
        for schema in database.schemas:
            database.run(*patience, f"DROP SCHEMA {schema}{' CASCADE' if database.name == 'postgres' else ''}")

# SPDX-License-Identifier: Apache-2.0
"""A warehouse with tables under the names that people give them: SQLite in a file, or a schema of the test's own in PostgreSQL."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from airflow_provider_klaviyo.transfers.sql import sql_hook
from tests.transfers.databases import connection_to
from tests.transfers.messy_faults import Database

CONN_ID = "warehouse"
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


@dataclass(frozen=True)
class Warehouse:
    """
    A database, behind Airflow's connection ``warehouse``.

    :param database: Which kind.
    :param folder: Where a file may lie for a while.
    """

    database: Database
    folder: Path

    @property
    def hook(self) -> Any:
        """Its hook."""
        return sql_hook(CONN_ID)

    def run(self, *statements: str) -> list[Any]:
        """Run statements for good, and return the rows of the last."""
        rows: list[Any] = []
        with closing(self.hook.get_conn()) as connection, closing(connection.cursor()) as cursor:
            for each in statements:
                cursor.execute(each)
                rows = list(cursor.fetchall()) if cursor.description else []
            connection.commit()
        return rows

    def fill(self, table: str, rows: Iterable[Sequence[Any]]) -> None:
        """Add rows, each with a value for all columns of a table."""
        if self.database == "postgres":
            path = self.folder / f"{uuid4().hex}.tsv"
            with path.open("w", encoding="utf-8", newline="") as file:
                file.writelines("\t".join(map(_copied, row)) + "\n" for row in rows)
            self.hook.copy_expert(f"COPY {table} FROM STDIN", str(path))
            path.unlink()
            return
        rows = iter(rows)
        first = next(rows, ())
        with closing(self.hook.get_conn()) as connection:
            insert = f"INSERT INTO {table} VALUES ({', '.join('?' * len(first))})"  # noqa: S608 - our own names
            connection.executemany(insert, itertools.chain([first], rows))
            connection.commit()


def _copied(value: Any) -> str:
    return "\\N" if value is None else str(value).translate(ESCAPES)


@contextmanager
def warehouse(database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    """Hand out an empty warehouse; skip the test where no such server answers."""
    url = connection_to(database, folder)
    made = Warehouse(database, folder)
    variable = f"AIRFLOW_CONN_{CONN_ID.upper()}"
    monkeypatch.setenv(variable, url)
    if database == "sqlite":
        yield made
        return
    schema = f"klaviyo_test_{uuid4().hex[:10]}"
    made.run(f"CREATE SCHEMA {schema}")
    monkeypatch.setenv(variable, f"{url}{'&' if '?' in url else '?'}options={quote(f'-c search_path={schema}')}")
    try:
        yield made
    finally:
        made.run(f"DROP SCHEMA {schema} CASCADE")

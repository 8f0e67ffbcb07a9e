# SPDX-License-Identifier: Apache-2.0
"""Values come out of every database as Python's own."""
# ruff: noqa: S608 - the tables and queries are the tests' own

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.transfers.sql import rows_of, sql_hook
from tests.transfers import databases
from tests.transfers.databases import CONN_ID

POSTGRES_TYPES = """
    1::int AS whole, 9007199254740993::bigint AS big, 12.50::numeric AS money, 'NaN'::numeric AS not_a_number, 0.5::float8 AS half,
    DATE '2026-11-20' AS day, TIMESTAMP '2026-11-20 10:00' AS naive, TIMESTAMPTZ '2026-11-20 10:00+02' AS aware,
    '{"plan": {"name": "gold"}, "tags": [1, "b"]}'::jsonb AS plan, '["x", null]'::json AS listed,
    ARRAY['a', NULL, 'c'] AS tags, ARRAY[[1, 2], [3, 4]] AS matrix, '\\x00ff'::bytea AS bytes, NULL::bytea AS no_bytes,
    NULL::text AS nothing, true AS yes, '6f1a1c3e-0000-4000-8000-000000000001'::uuid AS id, 'Zoë 🎂' AS text
"""


@pytest.mark.parametrize("driver", ["postgres", "psycopg2"])
def test_the_types_of_postgres(driver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with databases.opened(driver, tmp_path, monkeypatch) as database:
        (row,) = rows_of(database.hook, f"SELECT {POSTGRES_TYPES}")
    assert row.pop("not_a_number").is_nan()
    identity = row.pop("id")
    assert str(identity) == "6f1a1c3e-0000-4000-8000-000000000001"
    assert type(identity) is (UUID if driver == "postgres" else str)
    assert row == {
        "whole": 1,
        "big": 9007199254740993,
        "money": Decimal("12.50"),
        "half": 0.5,
        "day": date(2026, 11, 20),
        "naive": datetime(2026, 11, 20, 10),  # noqa: DTZ001 - it has none
        "aware": datetime(2026, 11, 20, 8, tzinfo=UTC),
        "plan": {"plan": {"name": "gold"}, "tags": [1, "b"]},
        "listed": ["x", None],
        "tags": ["a", None, "c"],
        "matrix": [[1, 2], [3, 4]],
        "bytes": b"\x00\xff",
        "no_bytes": None,
        "nothing": None,
        "yes": True,
        "text": "Zoë 🎂",
    }
    assert type(row["bytes"]) is bytes


@pytest.mark.parametrize("driver", ["mysql", "pymysql"])
def test_the_types_of_mysql(driver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with databases.opened(driver, tmp_path, monkeypatch) as database:
        table = database.table(
            "id BIGINT, money DECIMAL(10, 2), half DOUBLE, day DATE, moment DATETIME, plan JSON, data BLOB, nothing TEXT, yes BOOLEAN,"
            " text VARCHAR(50) CHARACTER SET utf8mb4"
        )
        database.run(
            f"INSERT INTO {table} VALUES (9007199254740993, 12.50, 0.5, '2026-11-20', '2026-11-20 10:00:00', %s, x'00ff', NULL, TRUE, %s)",
            parameters=('{"plan": "gold"}', "Zoë 🎂"),
        )
        (row,) = rows_of(database.hook, f"SELECT * FROM {table}")
    assert json.loads(row.pop("plan")) == {"plan": "gold"}  # MariaDB and MySQL give JSON as text
    assert row == {
        "id": 9007199254740993,
        "money": Decimal("12.50"),
        "half": 0.5,
        "day": date(2026, 11, 20),
        "moment": datetime(2026, 11, 20, 10),  # noqa: DTZ001
        "data": b"\x00\xff",
        "nothing": None,
        "yes": 1,
        "text": "Zoë 🎂",
    }
    assert type(row["data"]) is bytes


def test_the_types_of_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with databases.opened("sqlite", tmp_path, monkeypatch) as database:
        rows = list(rows_of(database.hook, "SELECT 1 AS whole, 0.5 AS half, 'Zoë 🎂' AS text, x'00ff' AS bytes, NULL AS no_value"))
    assert rows == [{"whole": 1, "half": 0.5, "text": "Zoë 🎂", "bytes": b"\x00\xff", "no_value": None}]


@pytest.mark.parametrize(("driver", "cursor"), [("postgres", "dictcursor"), ("postgres", "namedtuplecursor")])
def test_a_kind_of_cursor_in_the_connection_changes_nothing(
    driver: str, cursor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with databases.opened(driver, tmp_path, monkeypatch) as database:
        url = databases.connection_to(driver, tmp_path)
        monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", f"{url}{'&' if '?' in url else '?'}cursor={cursor}")
        assert list(rows_of(sql_hook(CONN_ID), "SELECT 1 AS a, 2 AS b")) == [{"a": 1, "b": 2}]
        with pytest.raises(KlaviyoConfigError, match="several columns named 'a'"):
            list(rows_of(sql_hook(CONN_ID), "SELECT 1 AS a, 2 AS a"))
        assert database.opened == []


def test_rows_that_are_objects_already_stay_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with databases.opened("foreign", tmp_path, monkeypatch) as database:
        hook = database.hook
        connect = hook.get_conn

        def objects() -> Any:
            connection = connect()
            connection.inner.row_factory = lambda cursor, row: {each[0]: value for each, value in zip(cursor.description, row, strict=True)}
            return connection

        hook.get_conn = objects
        assert list(rows_of(hook, "SELECT 1 AS a, 2 AS b")) == [{"a": 1, "b": 2}]
        assert database.opened[0].autocommit is False  # as Airflow's own operators leave it

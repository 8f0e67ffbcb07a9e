# SPDX-License-Identifier: Apache-2.0
"""What was not loaded stands in a table beside the source: all of it, once, and under names that are quoted where they must be."""
# ruff: noqa: S608 - the tables and queries are the tests' own

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.loading.rows import Fate, Outcome
from airflow_provider_klaviyo.transfers.results import COLUMNS, ResultsTable, ResultsTableUnusable
from airflow_provider_klaviyo.transfers.sql import rows_of, sql_hook
from tests.transfers import databases
from tests.transfers.databases import CONN_ID, Database, closed

NAMES = {"dag_id": "nightly", "task_id": "profiles", "run_id": "manual__2026-11-20"}
AT = datetime(2026, 11, 20, 12, 30, 15, 123456, tzinfo=timezone(timedelta(hours=2)))
Json = dict[str, Any]


@pytest.fixture(params=databases.DRIVERS[:-1])
def database(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    with databases.opened(request.param, tmp_path, monkeypatch) as found:
        yield found
        assert all(map(closed, found.opened))


@pytest.fixture
def postgres(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    with databases.opened("postgres", tmp_path, monkeypatch) as found:
        yield found


def lines(count: int, *, start: int = 0) -> list[Json]:
    made = [
        Outcome(f"customer {at}", Fate.REJECTED, "settle", "invalid", f"Reason №{at} 🎂", "email", f"job-{at}", at % 3).as_json()
        for at in range(start, start + count)
    ]
    return [{name: value for name, value in line.items() if name in COLUMNS} for line in made]


def written(database: Database, table: str) -> list[Json]:
    """Read the table as anybody would."""
    return sorted(rows_of(sql_hook(CONN_ID), f"SELECT * FROM {table}"), key=lambda row: (row["load_id"], row["key"]))


def test_every_line_becomes_a_row_with_all_that_it_says(database: Database) -> None:
    name = database.table()
    table = ResultsTable(database.hook, name)
    table.prepare()
    assert written(database, name) == []
    given = lines(3)
    assert table.write(given, NAMES, "load-1", at=AT) == 3
    found = written(database, name)
    moments = [row.pop("loaded_at") for row in found]
    assert found == [{**line, **NAMES, "load_id": "load-1"} for line in given]
    utc = AT.astimezone(UTC)
    read = {"postgres": utc, "sqlite": "2026-11-20 10:30:15.123456+00:00"}.get(database.driver, utc.replace(tzinfo=None))
    assert moments == [read] * 3


def test_the_table_stays_what_it_is_when_it_is_prepared_again(database: Database) -> None:
    table = ResultsTable(database.hook, database.table())
    table.prepare()
    table.write(lines(2), NAMES, "load-1")
    table.prepare()
    assert [row["load_id"] for row in written(database, table.table)] == ["load-1", "load-1"]


def test_a_load_that_finishes_twice_stands_there_once_and_others_stay(database: Database) -> None:
    table = ResultsTable(database.hook, database.table())
    table.prepare()
    table.write(lines(2), NAMES, "load-1")
    table.write(lines(2500), NAMES, "load-2")
    table.write(lines(2000, start=1), NAMES, "load-2")
    found = written(database, table.table)
    assert [row["key"] for row in found if row["load_id"] == "load-1"] == ["customer 0", "customer 1"]
    assert {row["key"] for row in found if row["load_id"] == "load-2"} == {f"customer {at}" for at in range(1, 2001)}
    assert len(found) == 2002


def test_a_load_without_anything_to_tell_takes_away_what_it_said_before(database: Database) -> None:
    table = ResultsTable(database.hook, database.table())
    table.prepare()
    table.write(lines(2), NAMES, "load-1")
    assert table.write([], NAMES, "load-1") == 0
    assert written(database, table.table) == []


def test_lines_that_break_off_leave_the_table_as_it_was(database: Database) -> None:
    def breaking() -> Iterator[Json]:
        yield from lines(1500)
        raise OSError("the file is gone")

    table = ResultsTable(database.hook, database.table())
    table.prepare()
    table.write(lines(3), NAMES, "load-1")
    with pytest.raises(OSError, match="the file is gone"):
        table.write(breaking(), NAMES, "load-1")
    assert closed(database.opened[-1])
    assert len(written(database, table.table)) == 3


def test_what_is_longer_than_its_column_is_cut_and_what_no_database_takes_is_left_out(database: Database) -> None:
    table = ResultsTable(database.hook, database.table())
    table.prepare()
    awkward = {
        **lines(1)[0],
        "key": "k" * 3000,
        "reason": "r\x00" * 3000,
        "pointer": "half \ud800 a character",
        "job": None,
        "attempt": None,
    }
    table.write([awkward, {}], NAMES, "load-1")
    empty, found = written(database, table.table)
    assert (found["key"], found["reason"], found["pointer"]) == ("k" * 1000, "r" * 2000, "half ? a character")
    assert (found["job"], found["attempt"]) == ("", 0)
    assert (empty["key"], empty["fate"], empty["load_id"]) == ("", "", "load-1")


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(texts=st.lists(st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=50), max_size=5))
def test_any_text_comes_back_as_it_was(postgres: Database, texts: list[str]) -> None:
    table = ResultsTable(postgres.hook, postgres.table())
    table.prepare()
    table.write([{**lines(1)[0], "reason": text, "key": f"{at}"} for at, text in enumerate(texts)], NAMES, "load-1")
    assert [row["reason"] for row in written(postgres, table.table)] == texts


@pytest.mark.parametrize("word", ["order", "select", "group"])
def test_a_reserved_word_can_be_a_tables_name(database: Database, word: str) -> None:
    schema = "main" if database.name == "sqlite" else database.schema()
    table = ResultsTable(database.hook, f"{schema}.{word}")
    table.prepare()
    table.write(lines(1), NAMES, "load-1")
    quote = "`" if database.name == "mysql" else '"'
    assert len(written(database, f"{schema}.{quote}{word}{quote}")) == 1


def test_a_table_may_lie_in_a_schema_of_its_own(postgres: Database) -> None:
    schema = postgres.schema()
    table = ResultsTable(postgres.hook, f"{schema}.results")
    table.prepare()
    table.write(lines(2), NAMES, "load-1")
    assert len(written(postgres, f"{schema}.results")) == 2
    assert postgres.run(f"SELECT count(*) FROM information_schema.tables WHERE table_schema = '{schema}'")[0][0] == 1


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "a.",
        ".a",
        "a.b.c.d",
        "drop table x",
        "x; DROP TABLE y",
        'x"y',
        "x`y",
        "x-y",
        "1x",
        "x.y z",
        "näme",
        "x\n",
        "[x]",
        "x" * 200,
    ],
)
def test_what_is_no_name_of_a_table_is_refused(postgres: Database, name: str) -> None:
    with pytest.raises(KlaviyoConfigError, match="results_table is the name of a table"):
        ResultsTable(postgres.hook, name)
    assert postgres.opened == []


def test_a_table_that_is_something_else_is_left_alone(database: Database) -> None:
    name = database.table("id INTEGER, reason VARCHAR(10)")
    database.many(f"INSERT INTO {name} VALUES (?, ?)", [(1, "mine")])
    with pytest.raises(KlaviyoConfigError, match=rf"{name} has no columns load_id, dag_id.*name another table") as refused:
        ResultsTable(database.hook, name).prepare()
    assert "reason," not in str(refused.value)
    assert refused.value.permanent
    assert database.run(f"SELECT * FROM {name}") in ([(1, "mine")], [[1, "mine"]])


def test_a_table_of_the_users_own_making_will_do_if_it_has_the_columns(postgres: Database) -> None:
    columns = ", ".join(
        f"{name.upper()} {'timestamp' if name == 'loaded_at' else 'int' if name == 'attempt' else 'text'}" for name in COLUMNS
    )
    name = postgres.table(f"number SERIAL, {columns}")
    table = ResultsTable(postgres.hook, name)
    table.prepare()
    table.write(lines(2), NAMES, "load-1", at=AT)
    assert [row["key"] for row in written(postgres, name)] == ["customer 0", "customer 1"]


def test_a_table_that_nobody_may_write_is_found_out_beforehand(postgres: Database) -> None:
    columns = ", ".join(f"{name} {'timestamp' if name == 'loaded_at' else 'int' if name == 'attempt' else 'text'}" for name in COLUMNS)
    for fault in ("must_be_given INTEGER NOT NULL", "load_id_is_short INTEGER CHECK (length(load_id) < 5)"):
        name = postgres.table(f"{columns}, {fault}")
        with pytest.raises(ResultsTableUnusable, match=rf"{name} cannot be written.*select, insert and delete") as refused:
            ResultsTable(postgres.hook, name).prepare()
        assert not refused.value.permanent
        assert closed(postgres.opened[-1])


def test_a_user_without_the_right_to_delete_or_make_tables_is_told(postgres: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    table = ResultsTable(postgres.hook, postgres.table())
    table.prepare()
    role = postgres.table()
    postgres.run(f"CREATE ROLE {role} LOGIN", f"GRANT SELECT, INSERT ON {table.table} TO {role}")
    try:
        url = databases.connection_to("postgres", Path())
        monkeypatch.setenv("AIRFLOW_CONN_WRITER", f"postgres://{role}@{url.partition('@')[2]}")
        with pytest.raises(ResultsTableUnusable, match=r"cannot be written.*permission denied"):
            ResultsTable(sql_hook("writer"), table.table).prepare()
        with pytest.raises(ResultsTableUnusable, match=r"cannot be read or made.*permission denied"):
            ResultsTable(sql_hook("writer"), f"pg_catalog.{role}").prepare()
        postgres.run(f"GRANT DELETE ON {table.table} TO {role}")
        allowed = ResultsTable(sql_hook("writer"), table.table)
        allowed.prepare()
        assert allowed.write(lines(1), NAMES, "load-1") == 1
    finally:
        postgres.run(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_loads_that_begin_together_make_the_table_once_and_write_side_by_side(database: Database) -> None:
    name = database.table()
    tables = [ResultsTable(database.hook, name) for _ in range(4)]

    def work(at: int) -> int:
        tables[at].prepare()
        return tables[at].write(lines(1200), NAMES, f"load-{at}")

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == [1200] * 4
    assert len(written(database, name)) == 4800


def test_an_autocommitting_connection_writes_all_or_nothing_too(postgres: Database) -> None:
    hook = postgres.hook
    connect = hook.get_conn

    def autocommitting() -> Any:
        connection = connect()
        connection.autocommit = True
        return connection

    hook.get_conn = autocommitting
    table = ResultsTable(hook, postgres.table())
    table.prepare()
    assert written(postgres, table.table) == []
    table.write(lines(1), NAMES, "load-1")
    with pytest.raises(ZeroDivisionError):
        table.write((line if at < 1500 else 1 / 0 for at, line in enumerate(lines(1600))), NAMES, "load-1")  # type: ignore[misc]
    assert len(written(postgres, table.table)) == 1

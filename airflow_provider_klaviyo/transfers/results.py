# SPDX-License-Identifier: Apache-2.0
"""Write what became of the rows of a load into a table beside the source, where they can be joined with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import uuid4

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
MOST_PARTS = 3  # database.schema.table
PORTION = 1_000

TEXTS = {
    "load_id": 64,
    "dag_id": 250,
    "task_id": 250,
    "run_id": 250,
    "key": 1_000,
    "fate": 32,
    "stage": 32,
    "code": 250,
    "reason": 2_000,
    "pointer": 1_000,
    "job": 250,
}
"""The columns of text, and how long a text each one takes: what is longer is cut."""
TYPES = {"attempt": "INTEGER", "loaded_at": "{moment}"}
COLUMNS = (*TEXTS, *TYPES)
MOMENTS = {"postgresql": "TIMESTAMP WITH TIME ZONE", "mysql": "DATETIME(6)", "mssql": "DATETIME2", "default": "TIMESTAMP"}
"""What a database calls a moment."""


class ResultsTableUnusable(KlaviyoConfigError):  # noqa: N818 - the name says what is known
    """The results table cannot be made, read or written; another try may find that the database was only away."""

    permanent: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class ResultsTable:
    """
    A table with a row for each row of a load that was not loaded.

    Its columns are those of the rejects file, and ``load_id``, ``dag_id``, ``task_id``, ``run_id`` and ``loaded_at`` beside them.

    :param hook: The hook of the database.
    :param table: Its name, behind those of its schema and database where it needs them: ``audit.klaviyo_results``.
    :raises KlaviyoConfigError: The name is none that needs no quotes.
    """

    hook: DbApiHook
    table: str

    def __post_init__(self) -> None:
        parts = self.table.split(".")
        if len(parts) > MOST_PARTS or not all(map(IDENTIFIER.fullmatch, parts)):
            raise KlaviyoConfigError(
                "results_table is the name of a table, such as 'klaviyo_results' or 'audit.klaviyo_results': letters, digits and"
                " underscores, with dots between schema and table."
            )

    def prepare(self) -> None:
        """
        See to it that the table is there and can be written, before anything is sent.

        It is made where it is not there; then a row is written and taken back.

        :raises KlaviyoConfigError: The table is there, and has other columns.
        :raises ResultsTableUnusable: It cannot be made or written.
        """
        with self._connection() as connection:
            present = self._columns(connection) or self._created(connection)
            if missing := [name for name in COLUMNS if name not in present]:
                raise KlaviyoConfigError(
                    f"The table {self.table} has no columns {', '.join(missing)}: name another table as results_table, which will be"
                    " made, or add them."
                )
            probe = f"probe-{uuid4().hex}"
            try:
                with closing(connection.cursor()) as cursor:
                    cursor.executemany(self._insert, [self._row({}, {"load_id": probe}, datetime.now(UTC))])
                    cursor.execute(f"DELETE FROM {self._name} WHERE 1 = 0")  # noqa: S608 - a checked name
                    connection.rollback()
                    self._forget(cursor, probe)  # where there are no transactions
                    connection.commit()
            except Exception as error:
                raise self._unusable("written", error) from error

    def write(self, lines: Iterable[Mapping[str, Any]], names: Mapping[str, str], load_id: str, *, at: datetime | None = None) -> int:
        """
        Write the lines of a rejects file, all or none, in place of those that this load has written before.

        :param lines: The lines.
        :param names: What loaded: ``dag_id``, ``task_id`` and ``run_id``.
        :param load_id: The load they are of.
        :param at: When; by default now.
        :return: How many were written.
        """
        beside = {**names, "load_id": load_id}
        moment = at or datetime.now(UTC)
        rows = (self._row(line, beside, moment) for line in lines)
        written = 0
        with self._connection() as connection, closing(connection.cursor()) as cursor:
            self._forget(cursor, load_id)
            while portion := list(islice(rows, PORTION)):
                cursor.executemany(self._insert, portion)
                written += len(portion)
            connection.commit()
        return written

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        with closing(self.hook.get_conn()) as connection:
            if self.hook.supports_autocommit:
                self.hook.set_autocommit(connection, False)
            yield connection

    def _columns(self, connection: Any) -> list[str]:
        """Return the names of the table's columns, none where it cannot be read."""
        with closing(connection.cursor()) as cursor:
            try:
                cursor.execute(f"SELECT * FROM {self._name} WHERE 1 = 0")  # noqa: S608
                names = [str(column[0]).lower() for column in cursor.description]
                cursor.fetchall()
            except Exception:  # noqa: BLE001 - every driver has its own; why it is not there, making it will tell
                names = []
        connection.rollback()
        return names

    def _created(self, connection: Any) -> list[str]:
        dialect = self.hook.dialect_name
        types = {name: f"VARCHAR({length})" for name, length in TEXTS.items()} | TYPES
        moment = MOMENTS.get(dialect, MOMENTS["default"])
        columns = ", ".join(f"{self._quoted(name)} {kind.format(moment=moment)}" for name, kind in types.items())
        options = " CHARACTER SET utf8mb4" if dialect == "mysql" else ""
        try:
            with closing(connection.cursor()) as cursor:
                cursor.execute(f"CREATE TABLE {self._name} ({columns}){options}")
            connection.commit()
        except Exception as error:
            connection.rollback()
            if present := self._columns(connection):  # another load was faster
                return present
            raise self._unusable("read or made", error) from error
        return list(COLUMNS)

    def _forget(self, cursor: Any, load_id: str) -> None:
        """Delete the rows of a load; where it has none, nothing is locked that another load is writing."""
        where = f"FROM {self._name} WHERE {self._quoted('load_id')} = {self.hook.placeholder}"
        cursor.execute(f"SELECT {self._quoted('load_id')} {where} GROUP BY {self._quoted('load_id')}", (load_id,))
        if cursor.fetchall():
            cursor.execute(f"DELETE {where}", (load_id,))

    def _row(self, line: Mapping[str, Any], beside: Mapping[str, str], at: datetime) -> tuple[Any, ...]:
        """Return a line as the table takes it, in the order of the columns."""
        told = {**line, **beside}
        return (*(_text(told.get(name), most) for name, most in TEXTS.items()), int(told.get("attempt") or 0), self._moment(at))

    def _moment(self, at: datetime) -> Any:
        match self.hook.dialect_name:
            case "postgresql":
                return at.astimezone(UTC)
            case "sqlite":
                return at.astimezone(UTC).isoformat(" ", "microseconds")
        return at.astimezone(UTC).replace(tzinfo=None)

    @property
    def _insert(self) -> str:
        columns = ", ".join(map(self._quoted, COLUMNS))
        values = ", ".join([self.hook.placeholder] * len(COLUMNS))
        return f"INSERT INTO {self._name} ({columns}) VALUES ({values})"  # noqa: S608

    @property
    def _name(self) -> str:
        return ".".join(map(self._quoted, self.table.split(".")))

    def _quoted(self, word: str) -> str:
        """Quote a reserved word: quotes around others would change what they mean where names are folded to capitals."""
        if self.hook.dialect_name == "sqlite":  # whose reserved words Airflow does not know, and which folds none
            return self.hook.escape_word_format.format(word)
        escaped: str = self.hook.dialect.escape_word(word)
        return escaped

    def _unusable(self, verb: str, error: Exception) -> ResultsTableUnusable:
        needs = "its user needs to select, insert and delete there, and to create the table where it is not there"
        return ResultsTableUnusable(f"The results table {self.table} cannot be {verb}; {needs}. {_first_line(error)}")


def _text(value: Any, most: int) -> str:
    """Return a text that every database takes: no longer than the column, without NUL and half characters."""
    return str("" if value is None else value).replace("\x00", "").encode("utf-8", "replace").decode()[:most]


def _first_line(error: Exception) -> str:
    said: Sequence[str] = str(error).strip().splitlines()
    return f"{type(error).__name__}: {said[0]}" if said else type(error).__name__

# SPDX-License-Identifier: Apache-2.0
"""Read the rows of a query from any database that Airflow has a SQL hook for, a portion at a time and from one snapshot."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook

log = logging.getLogger(__name__)

FETCH_SIZE = 10_000
CURSOR = "airflow_provider_klaviyo"
WRITES = frozenset({"COPY", "DELETE", "INSERT", "LOAD", "MERGE", "REPLACE", "TRUNCATE", "UPDATE", "UPSERT"})
DEFINES = frozenset({"ALTER", "CREATE", "DROP", "GRANT", "REVOKE", "VACUUM"})
PREPARES = frozenset({"BEGIN", "COMMIT", "LOCK", "ROLLBACK", "SET", "START", "USE"})
CHANGES = WRITES | DEFINES | PREPARES
"""How a statement begins that is no query. What else would change data, a database refuses that can read in a read-only transaction."""

Parameters = Mapping[str, Any] | Sequence[Any]
Rows = Generator[dict[str, Any], None, None]


def sql_hook(conn_id: str, hook_params: Mapping[str, Any] | None = None) -> DbApiHook:
    """
    Return the hook of a connection to a database, made as Airflow's SQL operators make theirs: the connection's extra goes to it, too.

    :param conn_id: The Airflow connection.
    :param hook_params: Arguments for the hook, such as ``{"options": "-c statement_timeout=60000"}`` for PostgreSQL.
    :raises KlaviyoConfigError: The connection does not lead to a database.
    """
    from airflow.providers.common.sql.hooks.sql import DbApiHook
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowException

    connection = BaseHook.get_connection(conn_id)
    kind = connection.conn_type
    try:
        hook = connection.get_hook(hook_params={**connection.extra_dejson, **(hook_params or {})})
    except AirflowException as error:
        raise KlaviyoConfigError(
            f"The connection {conn_id!r} is of the type {kind!r}, and no hook can be made for it ({error}): install the database's provider,"
            " such as apache-airflow-providers-postgres."
        ) from error
    except TypeError as error:  # the hook takes none of the extra's names
        raise KlaviyoConfigError(
            _no_database(conn_id, kind, "its hook does not take the connection's extra and sql_hook_params")
        ) from error
    if not isinstance(hook, DbApiHook):
        raise KlaviyoConfigError(_no_database(conn_id, kind, f"{type(hook).__name__} is no DbApiHook"))
    return hook


def _no_database(conn_id: str, kind: str | None, why: str) -> str:
    return f"The connection {conn_id!r} is of the type {kind!r}, which cannot be read by SQL ({why}): name a connection to a database."


def rows_of(hook: DbApiHook, sql: str, parameters: Parameters | None = None, *, fetch_size: int = FETCH_SIZE) -> Rows:
    """
    Yield the rows of a query, each as an object by the names of its columns.

    Memory holds one portion, where the driver allows it: psycopg, psycopg2, mysqlclient, mysql-connector-python, PyMySQL and
    SQLite do. All rows come from one transaction, which is read-only where the database can, and is never committed. The
    connection is closed when the last row is taken, when the query fails, and when the iterator is closed.

    :param hook: The hook of the database.
    :param sql: One query. Where there are parameters, PostgreSQL and MySQL take a ``%`` in it doubled.
    :param parameters: Values for the query's placeholders, by position or by name, as the driver writes them.
    :param fetch_size: Rows of a portion.
    :raises KlaviyoConfigError: It is not one query, or its columns cannot be told apart.
    """
    if fetch_size < 1:
        raise KlaviyoConfigError("fetch_size is a whole number from 1 on.")
    return _read(hook, query_in(sql), parameters, fetch_size)


def query_in(sql: str) -> str:
    """
    Return the one query in a text, without the semicolon behind it, which some databases refuse.

    :param sql: The text.
    :raises KlaviyoConfigError: It is empty, several statements, or changes something.
    """
    # Without sqlparse's grouping, which gives up on long lists of values.
    splitter: Any = import_module("sqlparse.engine").FilterStack(strip_semicolon=True)
    found = [(each, first) for each in splitter.run(sql) if (first := each.token_first(skip_cm=True)) is not None]
    statements = [(each, first) for each, first in found if first.value != ";"]
    if not statements:
        raise KlaviyoConfigError("sql is empty: give one query.")
    if len(statements) > 1:
        raise KlaviyoConfigError(
            f"sql holds {len(statements)} statements, and rows come from one: give one query. What a session needs beforehand goes into the"
            " connection's extra or sql_hook_params; what prepares the data, into a task of its own."
        )
    ((statement, first),) = statements
    if (word := first.normalized.upper().split()[0]) in CHANGES:
        raise KlaviyoConfigError(f"sql begins with {word}, and a load only reads: give one query, and change data in a task of its own.")
    return str(statement).strip()


def _read(hook: DbApiHook, sql: str, parameters: Parameters | None, fetch_size: int) -> Rows:
    with _cursor(hook) as (cursor, driver):
        with suppress(AttributeError, NotImplementedError, TypeError):
            cursor.arraysize = fetch_size
        cursor.execute(sql, *_bound(parameters))
        _tell_lineage(hook, sql)
        if cursor.description is None and driver != "psycopg2":  # which describes a cursor of the server's once it has fetched from it
            raise KlaviyoConfigError("sql is no query: it has no result set, not even an empty one. Give one query.")
        portion = cursor.fetchmany(fetch_size)
        plain = _plain(cursor.description, driver)
        while portion:
            yield from map(plain, portion)
            portion = cursor.fetchmany(fetch_size)


@contextmanager
def _cursor(hook: DbApiHook) -> Iterator[tuple[Any, str]]:
    """Open a connection and a cursor that streams; close both, however it ends."""
    with ExitStack() as stack:
        connection = stack.enter_context(closing(hook.get_conn()))
        driver = next((root for each in type(connection).__mro__ if (root := each.__module__.partition(".")[0]) in OPENERS), "")
        cursor = OPENERS.get(driver, _any_cursor)(hook, connection)
        try:
            yield cursor, driver
        finally:
            if driver not in DRAINING:
                stack.close()
            with suppress(Exception):
                cursor.close()


def _bound(parameters: Parameters | None) -> tuple[Any, ...]:
    """Return the arguments behind the statement: none where there are no parameters, so that a ``%`` in it is one."""
    if not parameters:
        return ()
    return (dict(parameters),) if isinstance(parameters, Mapping) else (tuple(parameters),)


def _tell_lineage(hook: DbApiHook, sql: str) -> None:
    """Tell those who collect lineage, such as OpenLineage, which query was run; its parameters may be personal."""
    from airflow.providers.common.sql.hooks.lineage import send_sql_hook_lineage

    send_sql_hook_lineage(context=hook, sql=sql)


def _plain(description: Sequence[Sequence[Any]], driver: str) -> Callable[[Any], dict[str, Any]]:
    """Return what makes an object of a row."""
    names = _columns(description)
    views = driver == "psycopg2"  # gives a memoryview where all others give bytes
    binary = [name for name, column in zip(names, description, strict=True) if views and column[1] == import_module(driver).BINARY]

    def plain(row: Any) -> dict[str, Any]:
        made = dict(row) if isinstance(row, Mapping) else dict(zip(names, row, strict=True))
        for name in binary:
            if made[name] is not None:
                made[name] = bytes(made[name])
        return made

    return plain


def _columns(description: Sequence[Sequence[Any]]) -> list[str]:
    """
    Return the names of the columns.

    :raises KlaviyoConfigError: Two have the same name, or one has none.
    """
    names = [str(column[0] or "") for column in description]
    if nameless := [str(at) for at, name in enumerate(names, 1) if not name.strip()]:
        raise KlaviyoConfigError(f"The query's columns {', '.join(nameless)} have no name: give each one with AS.")
    if several := [name for name, count in Counter(names).items() if count > 1]:
        raise KlaviyoConfigError(
            f"The query has several columns named {', '.join(map(repr, several))}, and only one of them would be loaded: leave out the"
            " others, or give each a name of its own with AS."
        )
    return names


def _psycopg(hook: DbApiHook, connection: Any) -> Any:  # noqa: ARG001 - one signature for all
    connection.commit()  # what a hook has done since it connected
    connection.autocommit, connection.read_only = False, True
    connection.isolation_level = import_module("psycopg").IsolationLevel.REPEATABLE_READ
    _plan_for_all_rows(connection)
    _take_any_date(connection)
    return connection.cursor(CURSOR, row_factory=import_module("psycopg.rows").tuple_row)


def _take_any_date(connection: Any) -> None:
    """Let a date that Python has no form for, such as ``infinity`` or one before our era, come as text: it is its row's fault alone."""
    error, loaders = import_module("psycopg").DataError, import_module("psycopg.types.datetime")
    for kind in ("date", "time", "timetz", "timestamp", "timestamptz"):
        base = getattr(loaders, f"{kind.title()}Loader")

        class OrText(base):  # type: ignore[misc, valid-type] # psycopg may not be there
            def load(self, data: Any) -> Any:
                try:
                    return super().load(data)
                except error:
                    return bytes(data).decode()

        connection.adapters.register_loader(kind, OrText)


def _psycopg2(hook: DbApiHook, connection: Any) -> Any:  # noqa: ARG001
    connection.commit()
    connection.set_session(isolation_level="REPEATABLE READ", readonly=True, autocommit=False)
    _plan_for_all_rows(connection)
    return connection.cursor(CURSOR, cursor_factory=import_module("psycopg2.extensions").cursor)


def _plan_for_all_rows(connection: Any) -> None:
    """Have the query planned as one that is read to its end: PostgreSQL thinks that of a cursor's rows only the first tenth is wanted."""
    with closing(connection.cursor()) as cursor:
        if not _try(cursor, "SELECT set_config(name, '1', true) FROM pg_settings WHERE name = 'cursor_tuple_fraction'"):
            connection.rollback()


def _begin_in_mysql(hook: DbApiHook, connection: Any) -> None:
    hook.set_autocommit(connection, False)
    with closing(connection.cursor()) as cursor:
        # The server waits this long for whoever takes the rows, who may be busy writing batches.
        _try(cursor, "SET SESSION net_write_timeout = 3600")
        _try(cursor, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")


def _mysql_connector(hook: DbApiHook, connection: Any) -> Any:
    _begin_in_mysql(hook, connection)
    return connection.cursor(buffered=False, raw=False, dictionary=False)


def _mysqlclient(hook: DbApiHook, connection: Any, *, driver: str) -> Any:
    _begin_in_mysql(hook, connection)
    return connection.cursor(import_module(f"{driver}.cursors").SSCursor)


def _sqlite(hook: DbApiHook, connection: Any) -> Any:  # noqa: ARG001
    connection.execute("PRAGMA query_only = ON")
    # SQLite keeps any bytes as text. What is no UTF-8 is its row's fault alone, and the check says so; the driver's own error quotes the value.
    connection.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
    return connection.cursor()


def _any_cursor(hook: DbApiHook, connection: Any) -> Any:
    if hook.supports_autocommit:
        hook.set_autocommit(connection, False)
    return connection.cursor()


def _try(cursor: Any, statement: str) -> bool:
    """Run what some databases that speak the same protocol do not have, and say whether this one has."""
    try:
        cursor.execute(statement)
    except Exception as error:  # noqa: BLE001 - every driver has its own
        log.debug("%s: %s", statement, error)
        return False
    return True


DRAINING = frozenset({"pymysql"})
"""Drivers whose cursors have to be closed before the connection, though they then take all rows that are left."""

OPENERS: dict[str, Callable[[DbApiHook, Any], Any]] = {
    "psycopg": _psycopg,
    "psycopg2": _psycopg2,
    "mysql": _mysql_connector,
    "MySQLdb": partial(_mysqlclient, driver="MySQLdb"),
    "pymysql": partial(_mysqlclient, driver="pymysql"),
    "sqlite3": _sqlite,
}
"""How to open a cursor that streams, by the package of the driver."""

# SPDX-License-Identifier: Apache-2.0
"""Load the rows of a query into Klaviyo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_klaviyo.operators.base import Journal
from airflow_provider_klaviyo.transfers.base import KlaviyoLoadOperator
from airflow_provider_klaviyo.transfers.kinds import ConsentLoad, EventsLoad, MembersLoad, ProfilesLoad
from airflow_provider_klaviyo.transfers.sql import FETCH_SIZE, rows_of, sql_hook

if TYPE_CHECKING:
    from airflow.sdk import Context


class SqlSource(KlaviyoLoadOperator):
    """
    Load the rows of a query.

    The query is read once, as a stream and from one snapshot of the database; a next try that finds its rows staged does not read it
    again. Without ``mapping``, the names of its columns are Klaviyo's fields: ``email``, ``properties.plan``.

    :param sql: One query, or the name of a file with it that ends in ``.sql``.
    :param sql_conn_id: The Airflow connection to the database.
    :param parameters: Values for the query's placeholders, by position or by name, as the database's driver writes them: ``%s`` and
        ``%(since)s`` for PostgreSQL and MySQL, ``?`` and ``:since`` for SQLite.
    :param sql_hook_params: Arguments for the database's hook, such as ``{"database": "shop"}``.
    :param fetch_size: Rows to have in memory at once; fewer where rows are large.
    """

    columns: ClassVar[bool] = True

    template_ext = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql": "sql", "parameters": "json"}

    sql: str
    sql_conn_id: str
    parameters: Mapping[str, Any] | Sequence[Any] | None = None
    sql_hook_params: Mapping[str, Any] | None = None
    fetch_size: int = FETCH_SIZE

    def rows(self, context: Context, journal: Journal) -> Iterator[Mapping[str, Any]]:  # noqa: ARG002 - the query is its fields'
        """Return the query's rows, as a stream."""
        return rows_of(sql_hook(self.sql_conn_id, self.sql_hook_params), self.sql, self.parameters, fetch_size=self.fetch_size)


class SqlToKlaviyoProfilesOperator(SqlSource, ProfilesLoad):
    """Load the rows of a query as profiles."""


class SqlToKlaviyoEventsOperator(SqlSource, EventsLoad):
    """Load the rows of a query as events."""


class SqlToKlaviyoConsentOperator(SqlSource, ConsentLoad):
    """Load the rows of a query as what people agreed to and what not."""


class SqlToKlaviyoListOperator(SqlSource, MembersLoad):
    """Make the members of a list exactly the people that the rows of a query name."""

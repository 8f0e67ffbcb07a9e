# SPDX-License-Identifier: Apache-2.0
"""Pages of a table, read along an index: page 1,000 costs what page 1 does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_klaviyo.sandbox.klaviyo import filters
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Call
from airflow_provider_klaviyo.sandbox.klaviyo.database import to_micros


@dataclass
class Where:
    """Conditions of a query, and their values."""

    clauses: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def add(self, clause: str, *values: Any) -> None:
        """Add a condition that has to hold, too."""
        self.clauses.append(clause)
        self.values += values

    def among(self, column: str, values: Iterable[Any]) -> None:
        """Let a column be one of several values."""
        several = list(values)
        self.add(f"{column} IN ({','.join('?' * len(several))})", *several)

    def text(self, column: str, term: filters.Term, *, lower: bool = False) -> None:
        """Compare a column with a term's text, or texts."""
        values = filters.text(term)
        self.among(column, [each.lower() for each in values] if lower else values)

    def moment(self, column: str, term: filters.Term, unit: int = 1) -> None:
        """
        Compare a column with a term's moment.

        :param column: Its name.
        :param term: The comparison.
        :param unit: Microseconds of one of the column's units.
        """
        self.add(
            f"{column} * {unit} {filters.COMPARISONS[term.operator]} ?" if unit > 1 else f"{column} {filters.COMPARISONS[term.operator]} ?",
            to_micros(filters.moment(term)),
        )


def read_page(
    call: Call, *, source: str, columns: str, where: Where, key: str, identifier: str, descending: bool = False
) -> tuple[list[tuple[Any, ...]], list[Any] | None]:
    """
    Read one page.

    :param call: The request: its page size and cursor.
    :param source: What stands after ``FROM``.
    :param columns: What is read of each row.
    :param where: Which rows.
    :param key: Column to sort by.
    :param identifier: Column that decides between equal keys.
    :param descending: Whether the greatest comes first.
    :returns: The rows, and where the next page starts, ``None`` after the last.
    """
    clauses, values = list(where.clauses), list(where.values)
    if call.query.cursor:
        clauses.append(f"({key}, {identifier}) {'<' if descending else '>'} (?, ?)")
        values += call.query.cursor
    condition = " AND ".join(clauses) or "1"
    order = f"{key} {'DESC' if descending else 'ASC'}, {identifier} {'DESC' if descending else 'ASC'}"
    sql = f"SELECT {key}, {identifier}, {columns} FROM {source} WHERE {condition} ORDER BY {order} LIMIT ?"  # noqa: S608 - our own names
    rows = call.state.db.execute(sql, (*values, call.query.size + 1)).fetchall()
    more = len(rows) > call.query.size
    rows = rows[: call.query.size]
    return [row[2:] for row in rows], list(rows[-1][:2]) if more else None

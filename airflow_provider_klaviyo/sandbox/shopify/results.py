# SPDX-License-Identifier: Apache-2.0
"""The lines of a bulk result."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import Any

from airflow_provider_klaviyo.sandbox.shopify.answers import OMIT, Picker
from airflow_provider_klaviyo.sandbox.shopify.documents import Document, Field, Json
from airflow_provider_klaviyo.sandbox.shopify.store import PARENT, Row, Shape, Store, encoded

BLOCK = 250
LATE = 3  # tenths of the orders whose lines wait for a later block


@dataclass(frozen=True, slots=True)
class Line:
    """
    One line of a result.

    :param root: Whether it is a row of the root connection.
    """

    text: bytes
    root: bool


def write(document: Document, store: Store, select: Callable[[Field], list[Row]], *, grouped: bool) -> Iterator[Line]:
    """
    Yield the lines of a result.

    :param document: The bulk query.
    :param store: The shop.
    :param select: Returns the rows of a root connection in their order.
    :param grouped: Whether children follow their parent at once; else they come after it, but anywhere.
    """
    for root in document.fields:
        if root.connection:
            writer = _Writer(store, root)
            yield from writer.grouped(select(root)) if grouped else writer.scattered(select(root))


class _Writer:
    """Writes the rows of one root connection."""

    def __init__(self, store: Store, root: Field) -> None:
        self.store = store
        self.fields = root.rows
        self.inner = next((each for each in self.fields if each.name == "lineItems"), None)
        own = tuple(each for each in self.fields if each is not self.inner)
        # What is asked in full goes out as it lies there: a big shop is written in a second, not in ten.
        self.whole = _shape(own) == store.shape("customers" if root.name == "customers" else "orders")
        self.whole_lines = self.inner is not None and _shape(self.inner.rows) == store.shape("lines")

    def grouped(self, rows: Sequence[Row]) -> Iterator[Line]:
        for row in rows:
            yield from self._own(row)
            yield from self._lines(row)

    def scattered(self, rows: Sequence[Row]) -> Iterator[Line]:
        each = iter(rows)
        waiting: list[Row] = []
        while block := list(islice(each, BLOCK)):
            for row in block:
                yield from self._own(row)
            yield from self._interleaved([*waiting, *(row for row in block if not _late(row))])
            waiting = [row for row in block if _late(row)]
        yield from self._interleaved(waiting)

    def _interleaved(self, rows: Sequence[Row]) -> Iterator[Line]:
        """Take one line of each order in turn."""
        for turn in zip_longest(*(row.lines for row in rows)):
            for line in turn:
                if line is not None:
                    yield from self._line(line)

    def _own(self, row: Row) -> Iterator[Line]:
        yield from (Line(row.raw, root=True),) if self.whole else self._picked(row.data, self.fields, "", root=True)

    def _lines(self, row: Row) -> Iterator[Line]:
        for line in row.lines:
            yield from self._line(line)

    def _line(self, line: Row) -> Iterator[Line]:
        if self.inner:
            yield from (Line(line.raw, root=False),) if self.whole_lines else self._picked(line.data, self.inner.rows, line.parent)

    def _picked(self, data: Json, fields: tuple[Field, ...], parent: str, *, root: bool = False) -> Iterator[Line]:
        """Write a row, then the rows of the connections in it."""
        nested: list[tuple[Field, Sequence[Any]]] = []

        def connect(field: Field, rows: Sequence[Any]) -> Any:
            nested.append((field, rows))
            return OMIT

        picked = Picker(self.store, connect).pick(fields, data)
        yield Line(encoded(picked | ({PARENT: parent} if parent else {})), root=root)
        for field, rows in nested:
            for row in rows:
                yield from self._picked(row, field.rows, data["id"])


def _late(order: Row) -> bool:
    return zlib.crc32(order.id.encode()) % 10 < LATE


def _shape(fields: tuple[Field, ...]) -> Shape | None:
    """Return the keys that a selection asks for, or ``None`` where it renames or connects."""
    shape = []
    for field in fields:
        if field.key != field.name or field.connection or field.name == "__typename":
            return None
        below = _shape(field.fields) if field.fields else ...
        if below is None:
            return None
        shape.append((field.name, below))
    return tuple(shape)

# SPDX-License-Identifier: Apache-2.0
"""
A shop's customers and orders, held as the lines a bulk operation would write.

A folder holds ``customers.jsonl.gz``, ``orders.jsonl.gz`` and, if it likes, ``shop.json``: what bulk operations and the shop query returned.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from airflow_provider_klaviyo.sandbox.shopify.documents import Json, bad_request

Shape = tuple[tuple[str, Any], ...]

PARENT = "__parentId"
SHOP: Json = {
    "id": "gid://shopify/Shop/79900000000",
    "name": "Sandbox Shop",
    "myshopifyDomain": "sandbox-shop.myshopify.com",
    "currencyCode": "USD",
    "ianaTimezone": "UTC",
    "primaryDomain": {"url": "https://sandbox-shop.example"},
}


class Row:
    """
    One customer, order or line item.

    :param raw: Its line of the bulk result, without the line's end.
    :param data: The same, parsed; read again from ``raw`` whenever asked, so that a big shop stays small in memory.
    """

    __slots__ = ("id", "lines", "parent", "raw", "updated_at")

    def __init__(self, raw: bytes) -> None:
        data = json.loads(raw)
        self.raw = raw
        self.id: str = data["id"]
        self.parent: str = data.get(PARENT, "")
        self.updated_at: str = data.get("updatedAt", "")
        self.lines: list[Row] = []

    @property
    def data(self) -> Json:
        """The row, parsed."""
        return json.loads(self.raw)  # type: ignore[no-any-return]

    def __getitem__(self, key: str) -> Any:
        """Return one value, without parsing where that is the time of the last change; refuse where the row has none."""
        if key == "updatedAt" and self.updated_at:
            return self.updated_at
        if key not in (data := self.data):
            raise bad_request(f"The sandbox's shop holds no `{key}` to search or sort by", key, "SANDBOX_UNSUPPORTED")
        return data[key]


@dataclass
class Store:
    """
    One shop.

    :param shop: What the shop query answers.
    :param cases: For a generated shop, the ids of the rows of each special case.
    """

    shop: Json = field(default_factory=lambda: dict(SHOP))
    customers: dict[str, Row] = field(default_factory=dict)
    orders: dict[str, Row] = field(default_factory=dict)
    cases: Mapping[str, list[str]] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> Store:
        """
        Read a folder.

        :param folder: Holds ``customers.jsonl.gz`` and ``orders.jsonl.gz``.
        :raises FileNotFoundError: It does not.
        :raises ValueError: A line is not a row of such a file.
        """
        shop = folder / "shop.json"
        return cls.of(
            _rows(folder / "customers.jsonl.gz"),
            _rows(folder / "orders.jsonl.gz"),
            shop=json.loads(shop.read_text("utf-8"))["data"]["shop"] if shop.exists() else None,
        )

    @classmethod
    def of(cls, customers: Iterable[Json | bytes], orders: Iterable[Json | bytes], *, shop: Json | None = None) -> Store:
        """
        Make a shop of rows.

        :param customers: Rows of the customers query.
        :param orders: Orders and, after or among them, their line items with ``__parentId``.
        :param shop: What the shop query answers, where it differs from the sandbox's own.
        :raises ValueError: A line item has no order before it.
        """
        store = cls(shop=SHOP | (shop or {}))
        for row in map(_row, customers):
            store.customers[row.id] = row
        for row in map(_row, orders):
            if row.parent:
                if row.parent not in store.orders:
                    raise ValueError(f"{row.id} comes before its order {row.parent}, or without it")
                store.orders[row.parent].lines.append(row)
            else:
                store.orders[row.id] = row
        return store

    @property
    def tallies(self) -> dict[str, int]:
        """How many customers, orders and order lines there are."""
        lines = sum(len(order.lines) for order in self.orders.values())
        return {"customers": len(self.customers), "orders": len(self.orders), "lines": lines}

    def shape(self, kind: Literal["customers", "orders", "lines"]) -> Shape | None:
        """
        Return the keys that the rows of a kind have, in their order, or ``None`` where some nested object was never seen.

        Rows of a bulk result all have the same keys, so a sample shows them.
        """
        rows = [*self.customers.values()] if kind == "customers" else [*self.orders.values()]
        if kind == "lines":
            rows = [line for order in rows for line in order.lines]
        shape: Any = None
        for row in [*rows[:1000], *rows[1000::97]]:
            shape = _merged(shape, {key: value for key, value in row.data.items() if key != PARENT})
        return shape if shape and _whole(shape) else None


def encoded(row: Json) -> bytes:
    """Write a row as Shopify does: compact, its slashes escaped."""
    return json.dumps(row, separators=(",", ":"), ensure_ascii=False).replace("/", "\\/").encode()


def _row(row: Json | bytes) -> Row:
    return Row(row if isinstance(row, bytes) else encoded(row))


def _rows(path: Path) -> Iterator[bytes]:
    with gzip.open(path) as lines:
        for number, line in enumerate(lines, 1):
            if text := line.strip():
                if not text.startswith(b"{"):
                    raise ValueError(f"{path.name}, line {number}: not a row of a bulk result")
                yield text


def _merged(shape: Any, value: Any) -> Any:
    """Add what one value shows to what is known of its keys; ``...`` stands for a value that has none, ``None`` for nothing seen."""
    match value:
        case dict():
            known = dict(shape) if isinstance(shape, tuple) else {}
            return tuple((key, _merged(known.get(key), each)) for key, each in value.items())
        case list() if not value or isinstance(value[0], dict):
            for each in value:
                shape = _merged(shape, each)
            return shape
        case None:
            return shape
    return ...


def _whole(shape: Any) -> bool:
    return shape is not None and (shape is ... or all(_whole(each) for _, each in shape))

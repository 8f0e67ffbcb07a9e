# SPDX-License-Identifier: Apache-2.0
"""
Calculated query costs and the bucket that pays them.

An object costs 1, a scalar nothing, a connection 2 and then its rows, a mutation 10. Shopify's own rule for big pages is gentler and
not published; being dearer here hides nothing from a client. See https://shopify.dev/docs/api/usage/limits
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from airflow_provider_klaviyo.sandbox.shopify.documents import Document, Field, Json

MUTATION = 10
CONNECTION = 2
HIGHEST = 1000


def requested(document: Document) -> int:
    """Return what a document may cost at most."""
    return sum(MUTATION if document.kind == "mutation" else _asked(each) for each in document.fields)


def actual(document: Document, data: Json) -> int:
    """Return what an answer has cost."""
    return sum(MUTATION if document.kind == "mutation" else _given(each, data.get(each.key)) for each in document.fields)


def _asked(field: Field) -> int:
    if not field.fields:
        return 0
    if field.connection:
        rows = int(field.arguments.get("first") or field.arguments.get("last") or 0)
        return CONNECTION + rows * (1 + sum(map(_asked, field.rows)))
    return int(field.arguments.get("first") or 1) * (1 + sum(map(_asked, field.fields)))


def _given(field: Field, value: Any) -> int:
    if not field.fields or value is None:
        return 0
    if field.connection:
        nodes = value.get("nodes") or [edge.get("node") for edge in value.get("edges", ())]
        return CONNECTION + sum(1 + sum(_given(each, node.get(each.key)) for each in field.rows) for node in nodes if node)
    many = value if isinstance(value, list) else [value]
    return sum(1 + sum(_given(each, one.get(each.key)) for each in field.fields) for one in many)


@dataclass
class Bucket:
    """
    Points that leak back.

    :param size: Points it holds.
    :param rate: Points that come back in a second.
    :param clock: Seconds, from any beginning.
    """

    size: int
    rate: int
    clock: Callable[[], float]
    left: float = field(init=False)
    seen: float = field(init=False)
    lock: Lock = field(default_factory=Lock, repr=False)

    def __post_init__(self) -> None:
        self.left, self.seen = self.size, self.clock()

    def pay(self, points: float, *, need: float | None = None) -> bool:
        """
        Pay, if there is enough.

        :param points: Points to take.
        :param need: Points that must be there, where more than are taken.
        """
        with self.lock:
            now = self.clock()
            self.left, self.seen = min(self.size, round(self.left + (now - self.seen) * self.rate, 3)), now
            enough = self.left >= (points if need is None else need)
            self.left -= points if enough else 0
            return enough

    def status(self) -> Json:
        """Return ``throttleStatus``."""
        self.pay(0)
        return {"maximumAvailable": self.size, "currentlyAvailable": int(max(0, self.left)), "restoreRate": self.rate}

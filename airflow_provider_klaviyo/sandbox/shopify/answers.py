# SPDX-License-Identifier: Apache-2.0
"""What a selection takes of a row."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_klaviyo.sandbox.shopify.details import detailed
from airflow_provider_klaviyo.sandbox.shopify.documents import Field, Json, bad_request
from airflow_provider_klaviyo.sandbox.shopify.store import Row, Store

OMIT = object()
PAGE = 250
DEPRECATED = {
    "marketingState": "state",
    "marketingOptInLevel": "optInLevel",
    "marketingUpdatedAt": "updatedAt",
    "marketingCollectedFrom": "collectedFrom",
}


@dataclass(frozen=True, slots=True)
class Picker:
    """
    Takes the selected fields out of rows.

    :param store: Where an order's customer is found whole.
    :param connect: What becomes of a connection, given its field and its rows; ``OMIT`` leaves it out.
    """

    store: Store
    connect: Callable[[Field, Sequence[Any]], Any]

    def pick(self, fields: tuple[Field, ...], row: Json) -> Json:
        """
        Return the fields of a row.

        :raises Refused: The row does not hold one of them.
        """
        answer: Json = {}
        for field in fields:
            value = self._value(field, row)
            if value is not OMIT:
                answer[field.key] = value
        return answer

    def _value(self, field: Field, row: Json) -> Any:
        if field.name == "__typename":
            return field.owner
        if field.connection:
            return self.connect(field, row.get(field.name) or ())
        value = row[field.name] if field.name in row else self._elsewhere(field, row)
        if value is None or not field.fields:
            return value
        if isinstance(value, list):
            first = field.arguments.get("first")
            return [self.pick(field.fields, each) for each in value[:first]]
        return self.pick(field.fields, self._whole(field, value))

    def _whole(self, field: Field, value: Json) -> Json:
        """Complete what an order tells of its customer, or a customer of her last order, with that row itself."""
        held = {"Customer": self.store.customers, "Order": self.store.orders}.get(field.type, {}).get(value.get("id", ""))
        return value | held.data if held else value

    def _elsewhere(self, field: Field, row: Json) -> Any:
        """Answer by the names of before 2026-10."""
        if field.owner == "CustomerPhoneNumber" and field.name in DEPRECATED and "smsMarketingConsent" in row:
            value = row["smsMarketingConsent"][DEPRECATED[field.name]]
            return "NOT_SUBSCRIBED" if value == "NEVER_SUBSCRIBED" else value
        raise bad_request(f"The sandbox's shop holds no `{field.name}` of this {field.owner}", field.name, "SANDBOX_UNSUPPORTED")


def page(picker: Picker, field: Field, rows: Sequence[Any]) -> Json:
    """
    Answer a connection of a synchronous query.

    :param picker: Takes the fields of each row.
    :param field: The connection.
    :param rows: All of its rows, in their order.
    :raises Refused: The page is not bounded, or too big.
    """
    first, last = field.arguments.get("first"), field.arguments.get("last")
    if first is None and last is None:
        raise bad_request("you must provide one of first or last", field.key)
    if first is not None and last is not None:
        raise bad_request("providing both first and last is not supported", field.key)
    size = first if first is not None else last
    if not isinstance(size, int) or not 0 <= size <= PAGE:
        raise bad_request(f"{field.name} may be asked for pages of up to {PAGE}, not {size}", field.key)
    begin = _position(field.arguments["after"], field) + 1 if "after" in field.arguments else 0
    if last is not None:
        begin = max(begin, len(rows) - last)
    taken = range(begin, min(len(rows), begin + size))
    nodes = {at: _node(picker, field, rows[at]) for at in taken}
    parts: Json = {
        "nodes": list(nodes.values()),
        "edges": [{"cursor": _cursor(at), "node": node} for at, node in nodes.items()],
        "pageInfo": {
            "hasNextPage": taken.stop < len(rows),
            "hasPreviousPage": begin > 0,
            "startCursor": _cursor(taken.start) if nodes else None,
            "endCursor": _cursor(taken.stop - 1) if nodes else None,
        },
    }
    return {part.key: _named(part, parts[part.name]) for part in field.fields}


def _node(picker: Picker, field: Field, row: Any) -> Json:
    data = row
    if isinstance(row, Row):
        data = detailed(row) if field.type == "OrderConnection" else row.data
    return picker.pick(field.rows, data)


def _named(part: Field, value: Any) -> Any:
    """Leave of edges and page information what is asked."""
    if part.name == "nodes":
        return value
    if isinstance(value, list):
        return [_named(part, each) for each in value]
    return {each.key: value[each.name] for each in part.fields}


def _cursor(position: int) -> str:
    return base64.urlsafe_b64encode(f"row:{position}".encode()).decode()


def _position(cursor: str, field: Field) -> int:
    try:
        return int(base64.urlsafe_b64decode(cursor).decode().removeprefix("row:"))
    except ValueError:
        raise bad_request("Invalid cursor for current pagination sort.", field.key) from None

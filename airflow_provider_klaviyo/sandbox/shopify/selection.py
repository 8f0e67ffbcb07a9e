# SPDX-License-Identifier: Apache-2.0
"""Which customers or orders a root field asks for, in which order."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from airflow_provider_klaviyo.sandbox.shopify import search
from airflow_provider_klaviyo.sandbox.shopify.documents import Field, Json, Refused
from airflow_provider_klaviyo.sandbox.shopify.store import Row, Store

DEFAULT_SORT = {"customers": "ID", "orders": "PROCESSED_AT"}
NEEDED = {"customer": "read_customers", "customers": "read_customers", "order": "read_orders", "orders": "read_orders"}
RECENT = timedelta(days=60)


def _number(row: Row) -> int:
    return int(row.id.rpartition("/")[2].partition("?")[0])


SORTS: dict[str, Callable[[Row], Any]] = {
    "UPDATED_AT": lambda row: (row.updated_at, _number(row)),
    "CREATED_AT": lambda row: (row["createdAt"], _number(row)),
    "PROCESSED_AT": lambda row: (row["processedAt"], _number(row)),
    "ID": _number,
}


def select(store: Store, field: Field, *, scopes: Collection[str], now: float) -> tuple[list[Row], search.Search | None]:
    """
    Return the rows of ``customers`` or ``orders``, and how their ``query`` was read.

    :param store: The shop.
    :param field: The root field.
    :param scopes: What the token may read: without ``read_all_orders`` old orders are missing in silence.
    :param now: Seconds since 1970.
    :raises Refused: The scope or the sort key is not there, or the query is beyond the sandbox.
    """
    permit(field, scopes)
    rows = [*(store.customers if field.name == "customers" else store.orders).values()]
    if field.name == "orders" and "read_all_orders" not in scopes:
        oldest = (datetime.fromtimestamp(now, UTC) - RECENT).isoformat()
        rows = [row for row in rows if row["createdAt"] >= oldest]
    found = None
    if query := field.arguments.get("query"):
        found = search.read(query, cast("search.Resource", field.name), ZoneInfo(store.shop["ianaTimezone"]))
        rows = [row for row in rows if found.matches(cast("Json", row))]
    sort = SORTS[field.arguments.get("sortKey", DEFAULT_SORT[field.name])]
    return sorted(rows, key=sort, reverse=bool(field.arguments.get("reverse"))), found


def permit(field: Field, scopes: Collection[str]) -> None:
    """
    Check the scope that a root field needs.

    :raises Refused: The token lacks it.
    """
    scope = NEEDED.get(field.name)
    if scope and scope not in scopes:
        raise denied(field.key, scope)


def denied(root: str, scope: str) -> Refused:
    """Make Shopify's refusal for a missing scope."""
    needed = f"`{scope}` access scope."
    message = f"Access denied for {root} field. Required access: {needed}"
    link = "https://shopify.dev/api/usage/access-scopes"
    return Refused(
        {"message": message, "path": [root], "extensions": {"code": "ACCESS_DENIED", "documentation": link, "requiredAccess": needed}}
    )

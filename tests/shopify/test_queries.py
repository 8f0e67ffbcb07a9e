# SPDX-License-Identifier: Apache-2.0
"""What is asked of Shopify: windows that cannot go wrong in silence, and documents its own schema accepts."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLSchema, build_client_schema, parse, validate

from airflow_provider_klaviyo.shopify import queries
from airflow_provider_klaviyo.shopify.bulk import BulkStatus
from airflow_provider_klaviyo.shopify.errors import ShopifyConfigError
from airflow_provider_klaviyo.shopify.queries import Window, in_window

SCHEMA = Path(__file__).parents[2].parent / "shared/contract/shopify/admin_2026-10.json.gz"
NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)
GID = "gid://shopify/BulkOperation/1"


def at(text: str) -> dict[str, Any]:
    return {"updatedAt": text}


def test_orders_are_asked_from_the_overlap_on_in_quotes() -> None:
    document = queries.orders(Window(NOON)).document
    assert """orders(query: "updated_at:>='2026-11-18T11:50:00Z'", sortKey: UPDATED_AT)""" in document


def test_customers_are_asked_by_whole_days() -> None:
    """Shopify compares only days there: 00:05 less the overlap lies in the day before."""
    early = Window(datetime(2026, 11, 18, 0, 5, tzinfo=UTC))
    assert """customers(query: "updated_at:>='2026-11-17T00:00:00Z'", sortKey""" in queries.customers(early).document


def test_an_end_is_asked_for_with_room_and_cut_here() -> None:
    window = Window(NOON, NOON + timedelta(hours=1), timedelta(0))
    assert window.search(whole_days=False) == "updated_at:>='2026-11-18T12:00:00Z' AND updated_at:<='2026-11-18T13:00:01Z'"
    assert window.search(whole_days=True) == "updated_at:>='2026-11-18T00:00:00Z' AND updated_at:<='2026-11-19T00:00:00Z'"


def test_other_time_zones_become_utc() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert "2026-11-17T22:50:00Z" in queries.orders(Window(datetime(2026, 11, 18, 8, tzinfo=tokyo))).document


def test_without_a_window_everything_is_asked_for() -> None:
    for query in (queries.customers(), queries.orders(Window())):
        assert query.probe is None
        assert "query:" not in query.document
        assert "(sortKey: UPDATED_AT)" in query.document


def test_the_probe_asks_the_same_search_for_one_node() -> None:
    probe = queries.customers(Window(NOON)).probe
    assert probe is not None
    assert probe.variables == {"search": "updated_at:>='2026-11-18T00:00:00Z'"}
    assert "customers(first: 1, query: $search" in probe.document


def test_a_window_holds_its_start_and_not_its_end() -> None:
    window = Window(NOON, NOON + timedelta(hours=1), timedelta(0))
    held = [text for text in ("11:59:59", "12:00:00", "12:59:59", "13:00:00") if window.holds(at(f"2026-11-18T{text}Z"))]
    assert held == ["12:00:00", "12:59:59"]
    assert in_window(at("2026-11-18T12:59:59Z"), None, NOON + timedelta(hours=1))
    assert in_window({}, None, None)


def test_the_overlap_is_loaded_too() -> None:
    """It is there for what Shopify's search found too late for the run before."""
    assert Window(NOON).holds(at("2026-11-18T11:55:00Z"))
    assert not Window(NOON).holds(at("2026-11-18T11:49:59Z"))


@pytest.mark.parametrize(
    ("start", "end", "says"),
    [
        (datetime(2026, 11, 18), None, "start needs an offset"),  # noqa: DTZ001 - that is the fault
        (NOON, datetime(2026, 11, 19), "end needs an offset"),  # noqa: DTZ001
        (NOON, NOON, "CronDataIntervalTimetable"),
        (NOON, NOON - timedelta(seconds=1), "is empty"),
    ],
)
def test_windows_that_say_something_else_are_refused(start: datetime, end: datetime | None, says: str) -> None:
    with pytest.raises(ShopifyConfigError, match=says):
        Window(start, end)


def test_ids_that_could_be_something_else_are_refused() -> None:
    for gid in ("17", "gid://shopify/Order/17", ""):
        with pytest.raises(ShopifyConfigError, match="gid://shopify/BulkOperation/1"):
            queries.operation(gid)


def test_answers_are_read() -> None:
    node = {"id": GID, "status": "RUNNING", "createdAt": "2026-11-18T12:00:00Z", "query": "{ x }"}
    assert queries.running().read({"bulkOperations": {"nodes": [node]}})[0].status is BulkStatus.RUNNING
    assert queries.operation(GID).read({"bulkOperation": None}) is None
    assert queries.cancel(GID).read({"bulkOperationCancel": {"userErrors": []}}) is None
    scopes = {"currentAppInstallation": {"accessScopes": [{"handle": "read_orders"}]}}
    assert queries.scopes().read(scopes) == {"read_orders"}


DOCUMENTS = {
    "customers": queries.customers(Window(NOON, NOON + timedelta(hours=1))).document,
    "all customers": queries.customers().document,
    "orders": queries.orders(Window(NOON)).document,
    "run": queries.run("{ shop { id } }").document,
    "poll": queries.operation(GID).document,
    "running": queries.running().document,
    "cancel": queries.cancel(GID).document,
    "shop": queries.shop().document,
    "scopes": queries.scopes().document,
    "probe of customers": queries.probe("customers", "").document,
    "probe of orders": queries.probe("orders", "").document,
    "details": queries.order_details("gid://shopify/Order/1").document,
}


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    if not SCHEMA.exists():
        pytest.skip("../shared, which holds Shopify's schema, is not beside the clone")
    read = json.loads(gzip.decompress(SCHEMA.read_bytes()))
    return build_client_schema(read.get("data", read), assume_valid=True)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_shopifys_schema_accepts_the_document(schema: GraphQLSchema, name: str) -> None:
    assert validate(schema, parse(DOCUMENTS[name])) == []

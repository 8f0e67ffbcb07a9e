# SPDX-License-Identifier: Apache-2.0
"""Bulk operations of the local Shopify: their rules, their life, their results, their faults."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import httpx
import pytest

from airflow_provider_klaviyo.sandbox.shopify import STATIC_TOKEN
from tests.sandbox.shopify_client import SCHEMA, Json, Shop, serve, shared

if TYPE_CHECKING:
    from collections.abc import Iterator

CUSTOMERS = "{ customers(sortKey: UPDATED_AT) { edges { node { id updatedAt } } } }"
ORDERS = "{ orders(sortKey: UPDATED_AT) { edges { node { id name lineItems { edges { node { id title } } } } } } }"


@pytest.fixture(scope="module")
def server() -> Iterator[Shop]:
    with serve() as shop:
        yield shop


@pytest.fixture
def shop(server: Shop) -> Shop:
    server.state.reset()
    return server


@pytest.fixture(scope="module")
def strict() -> Iterator[Shop]:
    """Serve a shop that holds documents against Shopify's own schema."""
    shared("contract", "shopify")
    with serve(schema=SCHEMA) as shop:
        yield shop


def _is_line(row: Json) -> bool:
    return "__parentId" in row


# ── results ──


def test_customers_come_as_asked_and_in_order(shop: Shop) -> None:
    rows = shop.rows(CUSTOMERS)
    assert len(rows) == 120
    assert {tuple(row) for row in rows} == {("id", "updatedAt")}
    assert [row["updatedAt"] for row in rows] == sorted(row["updatedAt"] for row in rows)


def test_lines_come_after_their_order_but_not_beside_it(shop: Shop) -> None:
    rows = shop.rows(ORDERS)
    tallies = shop.state.tallies()
    assert [sum(map(_is_line, rows)), len(rows)] == [tallies["lines"], tallies["lines"] + tallies["orders"]]
    place = {row["id"]: number for number, row in enumerate(rows)}
    gaps = [number - place[row["__parentId"]] for number, row in enumerate(rows) if _is_line(row)]
    assert min(gaps) > 0
    assert max(gaps) > 100
    for order in shop.state.store.orders.values():
        assert [row["id"] for row in rows if row.get("__parentId") == order.id] == [line.id for line in order.lines]


def test_grouped_lines_follow_their_order_at_once(shop: Shop) -> None:
    order = ""
    for row in shop.rows(ORDERS, group=True):
        if _is_line(row):
            assert row["__parentId"] == order
        else:
            order = row["id"]


def test_a_window_bounds_a_bulk_query_and_a_bad_term_is_not_seen(shop: Shop) -> None:
    bound = sorted(row.updated_at for row in shop.state.store.orders.values())[100]
    query = "{ orders(query: %s) { edges { node { id updatedAt } } } }"
    found = shop.rows(query % json.dumps(f"updated_at:>='{bound}'"))
    assert min(row["updatedAt"] for row in found) == bound
    assert len(found) == 50
    assert len(shop.rows(query % json.dumps("made_up:value"))) == 150


def test_an_empty_result_has_no_address(shop: Shop) -> None:
    ended = shop.bulk("{ orders(query: \"updated_at:>='2100-01-01T00:00:00Z'\") { edges { node { id } } } }")
    assert (ended["status"], ended["url"], ended["objectCount"], ended["fileSize"]) == ("COMPLETED", None, "0", None)


def test_counts_are_texts_and_the_size_is_the_files(shop: Shop) -> None:
    ended = shop.bulk(ORDERS)
    tallies = shop.state.tallies()
    assert ended["rootObjectCount"] == str(tallies["orders"])
    assert ended["objectCount"] == str(tallies["orders"] + tallies["lines"])
    answer = httpx.get(ended["url"], headers={"Accept-Encoding": "identity"})
    assert str(len(answer.content)) == ended["fileSize"] == answer.headers["content-length"]
    assert answer.headers["content-type"] == "application/jsonl"
    assert b"gid:\\/\\/shopify" in answer.content


# ── downloads ──


def test_a_download_is_compressed_for_those_who_take_it(shop: Shop) -> None:
    url = shop.bulk(CUSTOMERS)["url"]
    with httpx.stream("GET", url, headers={"Accept-Encoding": "gzip"}) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == httpx.get(url, headers={"Accept-Encoding": "identity"}).content


def test_a_download_goes_on_where_it_stopped(shop: Shop) -> None:
    url = shop.bulk(CUSTOMERS)["url"]
    whole = httpx.get(url).content
    rest = httpx.get(url, headers={"Range": "bytes=1000-"})
    assert (rest.status_code, rest.content) == (206, whole[1000:])


def test_a_token_sent_to_the_storage_is_noticed(shop: Shop) -> None:
    url = shop.bulk(CUSTOMERS)["url"]
    assert httpx.get(url, headers={"X-Shopify-Access-Token": STATIC_TOKEN}).status_code == 400
    assert shop.state.leaks == 1


def test_only_a_signed_address_opens_and_only_for_a_week(shop: Shop) -> None:
    url = shop.bulk(CUSTOMERS)["url"]
    assert httpx.get(url.replace("Signature=", "Signature=0")).status_code == 403
    assert httpx.get(url.replace("Expires=", "Expires=9")).status_code == 403
    assert httpx.get(url.replace("/bulk/", "/bulk/9")).status_code == 404
    shop.clock.now += 7 * 86400 + 1
    assert httpx.get(url).status_code == 400


# ── life ──


def test_an_operation_is_created_runs_and_completes(shop: Shop) -> None:
    started = shop.run(CUSTOMERS)["bulkOperation"]
    shop.state.bulk.settle()
    seen = [started["status"]]
    for _ in range(3):
        shop.clock.now += 0.9
        seen.append(shop.poll(started["id"])["status"])
    assert seen == ["CREATED", "RUNNING", "RUNNING", "COMPLETED"]


def test_the_sixth_operation_has_to_wait(shop: Shop) -> None:
    five = [shop.run(CUSTOMERS)["bulkOperation"]["id"] for _ in range(5)]
    assert shop.run(CUSTOMERS) == {
        "bulkOperation": None,
        "userErrors": [
            {
                "code": "OPERATION_IN_PROGRESS",
                "field": None,
                "message": f"A bulk query operation for this app and shop is already in progress: {', '.join(five)}.",
            }
        ],
    }
    shop.finish()
    assert shop.run(CUSTOMERS)["userErrors"] == []


def test_other_clients_take_places_until_they_are_cancelled(shop: Shop) -> None:
    foreign = shop.state.bulk.occupy(5)
    assert shop.run(CUSTOMERS)["userErrors"][0]["code"] == "OPERATION_IN_PROGRESS"
    running = '{ bulkOperations(first: 9, query: "status:RUNNING operation_type:QUERY", reverse: true) { nodes { id } } }'
    assert [row["id"] for row in shop.data(running)["bulkOperations"]["nodes"]] == foreign[::-1]
    cancel = "mutation Stop($id: ID!) { bulkOperationCancel(id: $id) { bulkOperation { status } userErrors { field message } } }"
    assert shop.data(cancel, id=foreign[0])["bulkOperationCancel"] == {"bulkOperation": {"status": "CANCELING"}, "userErrors": []}
    shop.clock.now += 1
    assert shop.poll(foreign[0])["status"] == "CANCELED"
    assert shop.run(CUSTOMERS)["userErrors"] == []


def test_what_is_over_cannot_be_cancelled(shop: Shop) -> None:
    ended = shop.bulk(CUSTOMERS)
    cancel = "mutation Stop($id: ID!) { bulkOperationCancel(id: $id) { userErrors { message } } }"
    errors = shop.data(cancel, id=ended["id"])["bulkOperationCancel"]["userErrors"]
    assert errors == [{"message": "A bulk operation cannot be canceled when it is completed"}]


def test_an_unknown_operation_is_null(shop: Shop) -> None:
    assert shop.data('{ bulkOperation(id: "gid://shopify/BulkOperation/1") { id } }') == {"bulkOperation": None}


# ── rules, in Shopify's words ──

NODES_RULE = (
    "All connection fields in a bulk query must select their contents using 'edges' > 'node', e.g: 'orders { edges { node {'. "
    "Selecting via 'nodes' is not supported. Invalid connection fields: 'orders'."
)
ID_RULE = (
    "The parent 'node' field for a nested connection must select the 'id' field without an alias and must be of 'ID' return type. "
    "Connection fields without 'id': orders."
)
LIST_RULE = "Queries that contain a connection field within a list field are not currently supported."


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{ orders { nodes { id } } }", NODES_RULE),
        ("{ orders { edges { node { name lineItems { edges { node { id } } } } } } }", ID_RULE),
        ("{ orders { edges { node { key: id lineItems { edges { node { id } } } } } } }", ID_RULE),
        ("{ shop { id } }", "Bulk queries must contain at least one connection."),
        ("", "Invalid bulk query: syntax error, unexpected end of file"),
        ("{ orders { edges { node { id refunds { refundLineItems { edges { node { quantity } } } } } } } }", LIST_RULE),
        (
            'mutation { bulkOperationCancel(id: "gid://shopify/BulkOperation/1") { userErrors { message } } }',
            "Invalid operation type. Only `query` operations are supported.",
        ),
        ("{ orders { edges { node { nickname } } } }", "Invalid bulk query: Field 'nickname' doesn't exist on type 'Order'"),
    ],
)
def test_a_bulk_query_keeps_the_rules(shop: Shop, query: str, message: str) -> None:
    assert shop.run(query) == {"bulkOperation": None, "userErrors": [{"code": "INVALID", "field": ["query"], "message": message}]}


DEEP = (
    "{ collections { edges { node { id products { edges { node { id variants { edges { node { id"
    " metafields { edges { node { id } } } } } } } } } } } } }"
)
SIX = (
    "{ products { edges { node { id variants { edges { node { id } } } metafields { edges { node { id } } }"
    " collections { edges { node { id } } } media { edges { node { id } } } sellingPlanGroups { edges { node { id } } } } } } }"
)


@pytest.mark.parametrize(
    ("query", "messages"),
    [
        (
            '{ node(id: "gid://shopify/Product/0") { id } }',
            ["Bulk queries cannot contain a top level `node` field.", "Bulk queries must contain at least one connection."],
        ),
        (DEEP, ["Bulk queries cannot contain connections with a nesting depth greater than 2."]),
        (SIX, ["Bulk queries cannot contain more than 5 connections."]),
    ],
)
def test_recorded_verdicts_under_shopifys_own_schema(strict: Shop, query: str, messages: list[str]) -> None:
    assert [error["message"] for error in strict.run(query)["userErrors"]] == messages


@pytest.mark.parametrize("name", ["customers_bulk", "customers_bulk_2026-10", "orders_bulk", "orders_bulk_with_collections"])
@pytest.mark.parametrize("server_name", ["shop", "strict"])
def test_the_contracts_bulk_documents_run(request: pytest.FixtureRequest, name: str, server_name: str) -> None:
    text = shared("contract", "shopify", f"{name}.graphql").read_text()
    shop: Shop = request.getfixturevalue(server_name)
    rows = shop.rows(text.replace("2026-11-18T00:00:00Z", "2020-01-01T00:00:00Z"))
    assert sum(not _is_line(row) for row in rows) == (120 if name.startswith("customers") else 150)


# ── faults ──


@pytest.mark.parametrize("code", ["INTERNAL_SERVER_ERROR", "TIMEOUT"])
def test_a_failed_operation_leaves_half_of_its_rows(shop: Shop, code: str) -> None:
    shop.state.fail("bulk_failed", detail=code)
    ended = shop.bulk(CUSTOMERS)
    assert (ended["status"], ended["errorCode"], ended["url"], ended["completedAt"]) == ("FAILED", code, None, None)
    assert len(httpx.get(ended["partialDataUrl"]).text.splitlines()) == 60
    assert shop.bulk(CUSTOMERS)["status"] == "COMPLETED"


def test_denied_access_leaves_nothing(shop: Shop) -> None:
    shop.state.fail("bulk_failed", detail="ACCESS_DENIED")
    ended = shop.bulk(CUSTOMERS)
    assert (ended["status"], ended["errorCode"], ended["partialDataUrl"]) == ("FAILED", "ACCESS_DENIED", None)


def test_a_missing_scope_fails_the_operation(shop: Shop) -> None:
    shop.state.settings.scopes = ("read_orders",)
    ended = shop.bulk(CUSTOMERS)
    assert (ended["status"], ended["errorCode"]) == ("FAILED", "ACCESS_DENIED")


@pytest.mark.parametrize(
    ("kind", "detail", "status"),
    [
        ("bulk_canceled", "", "CANCELED"),
        ("bulk_expired", "", "EXPIRED"),
        ("bulk_status", "PAUSED", "PAUSED"),
        ("bulk_stalled", "", "RUNNING"),
    ],
)
def test_other_ends(shop: Shop, kind: str, detail: str, status: str) -> None:
    shop.state.fail(kind, detail=detail)
    ended = shop.bulk(CUSTOMERS)
    assert (ended["status"], ended["url"]) == (status, None)


def _until_it_drops(url: str, got: bytearray) -> None:
    with httpx.stream("GET", url) as answer:
        for part in answer.iter_raw():
            got += part


def test_a_download_drops_midway(shop: Shop) -> None:
    url = shop.bulk(CUSTOMERS)["url"]
    shop.state.fail("download_dropped", detail="500")
    got = bytearray()
    with pytest.raises(httpx.RemoteProtocolError):
        _until_it_drops(url, got)
    assert len(got) == 500
    assert len(httpx.get(url).text.splitlines()) == 120


def test_a_download_ends_in_the_middle_of_a_line(shop: Shop) -> None:
    url = shop.bulk(CUSTOMERS)["url"]
    shop.state.fail("download_truncated")
    last = httpx.get(url).text.splitlines()[-1]
    with pytest.raises(json.JSONDecodeError):
        json.loads(last)


def test_a_download_is_refused(shop: Shop) -> None:
    url = shop.bulk(CUSTOMERS)["url"]
    shop.state.fail("download_status", detail="503")
    assert [httpx.get(url).status_code, httpx.get(url).status_code] == [503, 200]

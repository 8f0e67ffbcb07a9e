# SPDX-License-Identifier: Apache-2.0
"""An Airflow connection becomes a session with a shop: against the local Shopify, over a socket."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_klaviyo.hooks.shopify import ShopifyHook
from airflow_provider_klaviyo.sandbox.shopify import CLIENT_ID, CLIENT_SECRET, ShopFault
from airflow_provider_klaviyo.shopify import mapping, queries
from airflow_provider_klaviyo.shopify.bulk import BulkOperation
from airflow_provider_klaviyo.shopify.errors import ShopifyApiError, ShopifyConfigError

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer
    from airflow_provider_klaviyo.shopify.queries import BulkQuery
    from airflow_provider_klaviyo.shopify_session import ShopifySession


def connect(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxServer, **fields: Any) -> None:
    connection = {"conn_type": "shopify", "host": sandbox.url, **fields}
    monkeypatch.setenv("AIRFLOW_CONN_SHOPIFY_DEFAULT", json.dumps(connection))


def finished(shopify: ShopifySession, query: BulkQuery) -> BulkOperation:
    operation = shopify.send(queries.run(query.document))
    deadline = time.monotonic() + 20
    while not operation.done and time.monotonic() < deadline:
        found = shopify.send(queries.operation(operation.id))
        assert found is not None
        operation = found
    return operation.check()


def test_the_test_button_says_which_shop_answers(sandbox: SandboxServer) -> None:
    works, message = ShopifyHook().test_connection()
    assert works
    assert "answers in version 2026-10." in message
    assert "missing" not in message


def test_the_test_button_warns_where_history_would_be_missing(sandbox: SandboxServer) -> None:
    sandbox.shopify.settings.scopes = ("read_customers", "read_orders")
    works, message = ShopifyHook().test_connection()
    assert works
    assert "Without the scope read_all_orders, orders older than 60 days are missing" in message


def test_the_test_button_works_for_an_app_that_may_not_ask_for_its_scopes(sandbox: SandboxServer) -> None:
    sandbox.shopify.fail(ShopFault.ACCESS_DENIED, root="currentAppInstallation")
    assert ShopifyHook().test_connection()[0]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"password": "shpat_wrong"}, "connection 'shopify_default'"),
        ({"password": ""}, "access token as the password"),
        ({"extra": {"client_id": CLIENT_ID, "client_secret": "wrong-secret"}}, "client_id and client_secret"),
        ({"password": "shpat_sandbox", "extra": {"api_version": "2024-01"}}, "asked for version 2024-01, Shopify answered with 2026-01"),
    ],
)
def test_the_test_button_says_what_to_change(
    sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], says: str
) -> None:
    connect(monkeypatch, sandbox, **fields)
    works, message = ShopifyHook().test_connection()
    assert not works
    assert says in message
    assert "wrong" not in message


def test_http_to_another_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SHOPIFY_DEFAULT", json.dumps({"conn_type": "shopify", "host": "http://a.example", "password": "x"}))
    with pytest.raises(ShopifyConfigError, match="in clear"), ShopifyHook().session():
        pass


def test_client_credentials_last_beyond_a_token(sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, sandbox, extra={"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET})
    with ShopifyHook().session() as shopify:
        shopify.send(queries.shop())
        sandbox.shopify.expire_tokens()
        shopify.send(queries.shop())
        assert shopify.requests == {"shop": 3, "client credentials grant": 2}


def test_triggers_have_a_session_too(sandbox: SandboxServer) -> None:
    async def name() -> Any:
        async with ShopifyHook().asession() as shopify:
            return (await shopify.send(queries.shop()))["name"]

    assert asyncio.run(name()) == sandbox.shopify.store.shop["name"]


def test_any_document(sandbox: SandboxServer) -> None:
    found = ShopifyHook().graphql("query First($n: Int) { customers(first: $n) { nodes { id } } }", {"n": 3})
    assert len(found["customers"]["nodes"]) == 3


@pytest.mark.parametrize(("replayable", "sent"), [(False, 1), (True, 2)])
def test_a_document_is_sent_again_only_if_that_is_said_to_be_safe(sandbox: SandboxServer, replayable: bool, sent: int) -> None:
    """Whatever its first word is."""
    sandbox.shopify.fail(ShopFault.DROP_AFTER)
    answer = nullcontext() if replayable else pytest.raises(ShopifyApiError, match="it may have been carried out")
    with answer:
        ShopifyHook().graphql("# a comment\n{ shop { name } }", replayable=replayable)
    assert sandbox.shopify.requests["shop"] == sent


def test_a_dropped_search_term_is_an_error(sandbox: SandboxServer) -> None:
    with pytest.raises(ShopifyApiError, match="answer with everything"):
        ShopifyHook().graphql("""{ customers(first: 1, query: "updated_at:>=2026-11-18T19:45:00Z") { nodes { id } } }""")


@pytest.mark.parametrize(
    "fault",
    [None, ShopFault.DOWNLOAD_DROPPED, ShopFault.DOWNLOAD_TRUNCATED, ShopFault.DOWNLOAD_STATUS],
)
def test_a_shop_arrives_whole(sandbox: SandboxServer, caplog: pytest.LogCaptureFixture, fault: ShopFault | None) -> None:
    """Though the connection drops, or the file seems to end: each customer and each line once, and neither token nor address seen."""
    caplog.set_level(logging.DEBUG)
    query, tallies = queries.orders(), sandbox.shopify.tallies()
    with ShopifyHook().session() as shopify:
        operation = finished(shopify, query)
        if fault:
            sandbox.shopify.fail(fault)
        orders = list(shopify.nodes(operation, query.children))
        assert shopify.requests["download of the bulk result"] == (2 if fault else 1)
    assert len({order["id"] for order in orders}) == len(orders) == tallies["orders"]
    lines = [line["id"] for order in orders for line in order.get("lineItems", [])]
    assert len(set(lines)) == len(lines) == tallies["lines"]
    assert sandbox.shopify.leaks == 0
    assert "Signature" not in caplog.text
    assert "shpat_" not in caplog.text


def test_customers_of_the_shop_become_profiles(sandbox: SandboxServer) -> None:
    query = queries.customers()
    with ShopifyHook().session() as shopify:
        rows = [mapping.profile(node) for node in shopify.nodes(finished(shopify, query), query.children)]
    assert len({row.key for row in rows}) == len(rows) == sandbox.shopify.tallies()["customers"]
    assert any(isinstance(row, mapping.Mapped) for row in rows)


def test_orders_of_who_was_erased_stay_in_the_shop(sandbox: SandboxServer) -> None:
    query, store = queries.orders(), sandbox.shopify.store
    buyers = {gid: (row.data["customer"] or {}).get("id") for gid, row in store.orders.items()}
    erased = {gid for gid, buyer in buyers.items() if buyer in store.cases["erased"]}
    with ShopifyHook().session() as shopify:
        found = [each for order in shopify.nodes(finished(shopify, query), query.children) for each in mapping.events(order)]
    refused = {each.key for each in found if isinstance(each, mapping.Unmapped) and each.code is mapping.Reason.ERASED}
    assert {f"Placed Order/{gid.rpartition('/')[2]}" for gid in erased} == {key for key in refused if key.startswith("Placed")} != set()
    addresses = {
        row.data["defaultEmailAddress"]["emailAddress"].lower() for gid, row in store.customers.items() if gid in store.cases["erased"]
    }
    assert addresses.isdisjoint(each.data["profile"].get("email") for each in found if isinstance(each, mapping.Mapped))


def test_details_of_an_order(sandbox: SandboxServer) -> None:
    query = queries.orders()
    with ShopifyHook().session() as shopify:
        order = next(each for each in shopify.nodes(finished(shopify, query), query.children) if each["fulfillments"])
        details = shopify.send(queries.order_details(order["id"]))
    assert details["fulfillments"][0]["id"] == order["fulfillments"][0]["id"]

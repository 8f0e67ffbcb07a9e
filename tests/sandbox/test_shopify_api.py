# SPDX-License-Identifier: Apache-2.0
"""The local Shopify's synchronous side: tokens, versions, documents, pages, searches, costs, faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from airflow_provider_klaviyo.sandbox.shopify import CLIENT_ID, CLIENT_SECRET
from tests.sandbox.shopify_client import SCHEMA, Json, Shop, serve, shared

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOP = "{ shop { name } }"
GRANT = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}


@pytest.fixture(scope="module")
def server() -> Iterator[Shop]:
    with serve() as shop:
        yield shop


@pytest.fixture
def shop(server: Shop) -> Shop:
    server.state.reset()
    return server


def test_it_counts_its_shop(shop: Shop) -> None:
    tallies = shop.http.get("/_sandbox/shop").json()
    assert tallies == shop.state.tallies()
    assert tallies["customers"] == 120
    assert tallies["orders"] == 150
    assert tallies["lines"] > 150


# ── tokens and versions ──


def test_a_wrong_token_is_refused_as_shopify_does(shop: Shop) -> None:
    answer = shop.post(SHOP, headers={"X-Shopify-Access-Token": "shpat_other"})
    assert answer.status_code == 401
    assert answer.json() == {"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"}


@pytest.mark.parametrize("form", ["data", "json"])
def test_client_credentials_buy_a_token_for_a_day(shop: Shop, form: str) -> None:
    answer = httpx.post(f"{shop.http.base_url}/admin/oauth/access_token", **{form: GRANT})  # type: ignore[arg-type]
    granted = answer.raise_for_status().json()
    assert granted["expires_in"] == 86399
    assert "read_all_orders" in granted["scope"].split(",")
    header = {"X-Shopify-Access-Token": granted["access_token"]}
    assert shop.post(SHOP, headers=header).status_code == 200
    shop.clock.now += 86401
    assert shop.post(SHOP, headers=header).status_code == 401


def test_tokens_can_be_made_to_expire(shop: Shop) -> None:
    token = shop.http.post("/admin/oauth/access_token", data=GRANT).json()["access_token"]
    shop.state.expire_tokens()
    assert shop.post(SHOP, headers={"X-Shopify-Access-Token": token}).status_code == 401
    assert shop.post(SHOP).status_code == 200


def test_wrong_credentials_buy_nothing(shop: Shop) -> None:
    assert shop.http.post("/admin/oauth/access_token", data=GRANT | {"client_secret": "no"}).status_code == 401
    assert shop.http.post("/admin/oauth/access_token", data=GRANT | {"grant_type": "password"}).status_code == 400


def test_an_expired_version_falls_forward_and_the_header_says_so(shop: Shop) -> None:
    def served(version: str) -> tuple[int, str | None]:
        answer = shop.http.post(f"/admin/api/{version}/graphql.json", json={"query": SHOP})
        return answer.status_code, answer.headers.get("X-Shopify-API-Version")

    assert served("2026-10") == (200, "2026-10")
    assert served("2024-01") == (200, "2026-01")
    assert served("2031-01") == (404, None)
    shop.state.settings.versions = ("2027-01", "2027-04")
    assert served("2026-10") == (200, "2027-01")


# ── documents ──


def test_an_unknown_field_is_an_error_inside_a_200(shop: Shop) -> None:
    answer = shop.ask("query Bad {\n  shop { nickname }\n}")
    assert answer == {
        "errors": [
            {
                "message": "Field 'nickname' doesn't exist on type 'Shop'",
                "locations": [{"line": 2, "column": 10}],
                "path": ["query Bad", "shop", "nickname"],
                "extensions": {"code": "undefinedField", "typeName": "Shop", "fieldName": "nickname"},
            }
        ]
    }


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("query Cut {\n  shop {\n    id\n", "PARSE_ERROR"),
        ("{ shop }", "selectionMismatch"),
        ("query Need($id: ID!) { order(id: $id) { id } }", "INVALID_VARIABLE"),
        ("{ customers { nodes { id } } }", "BAD_REQUEST"),
        ("{ customers(first: 2, last: 2) { nodes { id } } }", "BAD_REQUEST"),
        ("{ customers(first: 251) { nodes { id } } }", "BAD_REQUEST"),
        ('{ customers(first: 2, after: "nonsense") { nodes { id } } }', "BAD_REQUEST"),
        ('{ bulkOperation(id: "gid://shopify/Order/1") { id } }', "RESOURCE_NOT_FOUND"),
        ("{ orders(first: 1) { nodes { billingAddress { timeZone } } } }", "SANDBOX_UNSUPPORTED"),
    ],
)
def test_what_does_not_fit_is_refused(shop: Shop, text: str, code: str) -> None:
    answer = shop.ask(text)
    assert [error["extensions"]["code"] for error in answer["errors"]] == [code]
    assert answer.get("data") is None


def test_only_what_is_asked_comes_back(shop: Shop) -> None:
    document = """query Page($size: Int = 2, $more: Boolean!) {
      people: customers(first: $size, sortKey: ID) { edges { cursor node { ...who tags @include(if: $more) } } pageInfo { hasNextPage } }
    }
    fragment who on Customer { __typename gid: id ... on Customer { state } }"""
    people = shop.data(document, more=False)["people"]
    assert [sorted(edge["node"]) for edge in people["edges"]] == [["__typename", "gid", "state"]] * 2
    assert people["edges"][0]["node"]["__typename"] == "Customer"
    assert people["pageInfo"] == {"hasNextPage": True}


def test_pages_follow_each_other(shop: Shop) -> None:
    document = """query Orders($after: String) {
      orders(first: 60, after: $after, sortKey: UPDATED_AT) { nodes { id updatedAt } pageInfo { hasNextPage endCursor } }
    }"""
    seen: list[Json] = []
    after = None
    while True:
        page = shop.data(document, after=after)["orders"]
        seen += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert len({row["id"] for row in seen}) == 150
    assert [row["updatedAt"] for row in seen] == sorted(row["updatedAt"] for row in seen)
    newest = shop.data("{ orders(first: 1, sortKey: UPDATED_AT, reverse: true) { nodes { id } } }")["orders"]["nodes"]
    assert newest == [{"id": seen[-1]["id"]}]


def test_an_order_tells_all_of_its_customer(shop: Shop) -> None:
    order = shop.state.store.cases["discount"][0]
    customer = shop.data(
        "query One($id: ID!) { order(id: $id) { customer { id state numberOfOrders lastOrder { name test } } } }", id=order
    )
    found = customer["order"]["customer"]
    assert (
        found
        == shop.data("query Who($id: ID!) { customer(id: $id) { id state numberOfOrders lastOrder { name test } } }", id=found["id"])[
            "customer"
        ]
    )


DETAILS = """query Details($id: ID!) { order(id: $id) {
  lineItems(first: 9) { nodes { id quantity currentQuantity } }
  refunds(first: 5) { refundLineItems(first: 9) { nodes { quantity subtotalSet { shopMoney { amount } } lineItem { id } } } }
  fulfillments(first: 5) { status totalQuantity fulfillmentLineItems(first: 9) { nodes { quantity lineItem { id } } } }
} }"""


def test_refunds_and_fulfilments_have_their_lines(shop: Shop) -> None:
    cases = shop.state.store.cases
    partly = shop.data(DETAILS, id=cases["partly_refunded"][0])["order"]
    (returned,) = partly["refunds"][0]["refundLineItems"]["nodes"]
    assert returned["lineItem"]["id"] == partly["lineItems"]["nodes"][-1]["id"]
    assert returned["quantity"] == partly["lineItems"]["nodes"][-1]["quantity"]
    twice = shop.data(DETAILS, id=cases["two_shipments"][0])["order"]
    sent = [line for each in twice["fulfillments"] for line in each["fulfillmentLineItems"]["nodes"]]
    assert sum(line["quantity"] for line in sent) == sum(line["quantity"] for line in twice["lineItems"]["nodes"])
    again = shop.data(DETAILS, id=cases["shipment_cancelled"][0])["order"]["fulfillments"]
    assert [each["status"] for each in again] == ["CANCELLED", "SUCCESS"]
    assert [line["quantity"] for line in again[0]["fulfillmentLineItems"]["nodes"]] == [
        line["quantity"] for line in again[1]["fulfillmentLineItems"]["nodes"]
    ]


# ── searches and their traps ──

FIND = "query Find($query: String!) { orders(first: 250, query: $query) { nodes { updatedAt test } } }"


def _moment(shop: Shop) -> str:
    """Return a time in the middle of the changes."""
    return sorted(row.updated_at for row in shop.state.store.orders.values())[75]


def test_a_quoted_time_bounds_the_result(shop: Shop) -> None:
    bound = _moment(shop)
    answer = shop.ask(FIND, query=f"updated_at:>='{bound}' AND test:false")
    found = [row["updatedAt"] for row in answer["data"]["orders"]["nodes"]]
    assert found
    assert min(found) == bound
    assert "search" not in answer["extensions"]


def test_strict_bounds_let_the_bound_in(shop: Shop) -> None:
    bound = _moment(shop)
    found = shop.data(FIND, query=f"updated_at:>'{bound}' updated_at:<'{bound}'")["orders"]["nodes"]
    assert {row["updatedAt"] for row in found} == {bound}


def test_an_unknown_field_is_dropped_with_a_warning(shop: Shop) -> None:
    answer = shop.ask(FIND, query="made_up:value")
    assert len(answer["data"]["orders"]["nodes"]) == 150
    assert answer["extensions"]["search"] == [
        {
            "path": ["orders"],
            "query": "made_up:value",
            "parsed": {"field": "made_up", "match_all": "value"},
            "warnings": [{"field": "made_up", "message": "Invalid search field for this query.", "code": "invalid_field"}],
        }
    ]


def test_an_unquoted_time_is_cut_at_its_colon(shop: Shop) -> None:
    bound = _moment(shop)
    (search,) = shop.ask(FIND, query=f"updated_at:>={bound}")["extensions"]["search"]
    hour, minutes, seconds = bound.split(":")
    assert search["parsed"] == {"and": [{"field": "updated_at", "range_gte": hour}, {"field": minutes, "match_all": seconds}]}
    assert [warning["field"] for warning in search["warnings"]] == [minutes]


def test_customers_are_found_by_whole_days(shop: Shop) -> None:
    times = sorted(row.updated_at for row in shop.state.store.customers.values())
    document = "query Find($query: String!) { customers(first: 250, query: $query) { nodes { updatedAt } } }"
    found = shop.data(document, query=f"updated_at:>='{times[60][:10]}T23:59:59Z'")["customers"]["nodes"]
    assert sorted(row["updatedAt"] for row in found) == [time for time in times if time[:10] >= times[60][:10]]


@pytest.mark.parametrize("query", ["status:open", "tag:VIP OR test:true", "-test:true", "free text"])
def test_what_the_sandbox_cannot_search_is_refused_and_never_ignored(shop: Shop, query: str) -> None:
    (error,) = shop.ask(FIND, query=query)["errors"]
    assert error["extensions"]["code"] == "SANDBOX_UNSUPPORTED"


def test_an_invalid_time_is_refused(shop: Shop) -> None:
    (error,) = shop.ask(FIND, query="updated_at:>='yesterday'")["errors"]
    assert error["message"] == "Invalid timestamp for query filter `updated_at`."


# ── scopes ──


def test_without_its_scope_old_orders_are_missing_in_silence(shop: Shop) -> None:
    shop.state.settings.scopes = ("read_customers", "read_orders")
    answer = shop.ask(FIND, query="test:false")
    assert 0 < len(answer["data"]["orders"]["nodes"]) < 150
    assert "search" not in answer["extensions"]
    held = shop.data("{ currentAppInstallation { accessScopes { handle } } }")["currentAppInstallation"]["accessScopes"]
    assert held == [{"handle": "read_customers"}, {"handle": "read_orders"}]


def test_a_missing_scope_is_access_denied(shop: Shop) -> None:
    shop.state.settings.scopes = ("read_orders",)
    (error,) = shop.ask("{ customers(first: 1) { nodes { id } } }")["errors"]
    assert error["extensions"]["code"] == "ACCESS_DENIED"
    assert "read_customers" in error["message"]


# ── costs ──


def test_every_answer_says_what_it_cost(shop: Shop) -> None:
    cost = shop.ask("{ orders(first: 10) { nodes { id totalPriceSet { shopMoney { amount } } } } }")["extensions"]["cost"]
    assert cost == {
        "requestedQueryCost": 32,
        "actualQueryCost": 32,
        "throttleStatus": {"maximumAvailable": 2000, "currentlyAvailable": 1968, "restoreRate": 100},
    }


def test_an_empty_bucket_is_throttled_inside_a_200_and_fills_again(shop: Shop) -> None:
    document = "{ orders(first: 150) { nodes { id totalPriceSet { shopMoney { amount } } } } }"
    for _ in range(4):
        shop.data(document)
    answer = shop.ask(document)
    assert answer["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert "data" not in answer
    cost = answer["extensions"]["cost"]
    assert (cost["requestedQueryCost"], cost["actualQueryCost"]) == (452, None)
    shop.clock.now += (452 - cost["throttleStatus"]["currentlyAvailable"]) / 100
    shop.data(document)


def test_too_dear_a_query_is_refused(shop: Shop) -> None:
    (error,) = shop.ask(
        "{ orders(first: 250) { nodes { a: totalPriceSet { shopMoney { amount } } b: totalTaxSet { shopMoney { amount } } } } }"
    )["errors"]
    assert error["extensions"]["code"] == "MAX_COST_EXCEEDED"


# ── faults ──


def test_a_fault_is_met_once_and_only_where_it_was_meant(shop: Shop) -> None:
    shop.state.fail("throttled", times=2, root="shop")
    assert "errors" not in shop.ask("{ currentAppInstallation { accessScopes { handle } } }")
    codes = [shop.ask(SHOP).get("errors", [{"extensions": {"code": ""}}])[0]["extensions"]["code"] for _ in range(3)]
    assert codes == ["THROTTLED", "THROTTLED", ""]


@pytest.mark.parametrize(
    ("kind", "detail", "status"),
    [("http_status", "503", 503), ("http_status", "429", 429), ("http_status", "", 500), ("unauthorized", "", 401)],
)
def test_http_errors(shop: Shop, kind: str, detail: str, status: int) -> None:
    shop.state.fail(kind, detail=detail)
    assert shop.post(SHOP).status_code == status
    assert shop.post(SHOP).status_code == 200


def test_a_proxy_answers_with_a_page(shop: Shop) -> None:
    shop.state.fail("http_status", detail="502")
    answer = shop.post(SHOP)
    assert answer.status_code == 502
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(("kind", "code"), [("internal_error", "INTERNAL_SERVER_ERROR"), ("access_denied", "ACCESS_DENIED")])
def test_errors_inside_a_200(shop: Shop, kind: str, code: str) -> None:
    shop.state.fail(kind)
    assert shop.ask(SHOP)["errors"][0]["extensions"]["code"] == code


@pytest.mark.parametrize(("kind", "started"), [("drop_before", 0), ("drop_after", 1)])
def test_a_connection_drops_before_or_after_the_shop_acted(shop: Shop, kind: str, started: int) -> None:
    shop.state.fail(kind, root="bulkOperationRunQuery")
    with pytest.raises(httpx.RemoteProtocolError):
        shop.run("{ customers { edges { node { id } } } }")
    assert len(shop.state.bulk.all) == started


def test_an_unknown_fault_is_refused(shop: Shop) -> None:
    with pytest.raises(ValueError, match="no_such"):
        shop.state.fail("no_such")


# ── Shopify's own schema ──


def test_what_the_sandbox_holds_is_part_of_shopifys_schema() -> None:
    shared("contract", "shopify")
    with serve(schema=SCHEMA) as shop:
        from airflow_provider_klaviyo.sandbox.shopify.documents import held

        real, ours = shop.state.schema, held()
        assert real is not None
        wrong = [
            f"{name}.{field}: {ours_field.type}"
            for name, kind in ours.type_map.items()
            if not name.startswith("__")
            for field, ours_field in getattr(kind, "fields", {}).items()
            if field not in (fields := getattr(real.type_map[name], "fields", {}))
            or str(fields[field].type) != str(ours_field.type)
            or any(arg not in fields[field].args for arg in ours_field.args)
        ]
        assert not wrong
        unheld = shop.ask("{ customers(first: 1) { nodes { metafields(first: 1) { nodes { id } } } } }")
        assert unheld["errors"][0]["extensions"]["code"] == "undefinedField"


@pytest.mark.parametrize("name", ["shop", "orders_page", "order_details", "bulk_poll", "bulk_running", "bulk_cancel"])
def test_the_contracts_documents_are_answered(shop: Shop, name: str) -> None:
    text = shared("contract", "shopify", f"{name}.graphql").read_text()
    order, operation = next(iter(shop.state.store.orders)), "gid://shopify/BulkOperation/1"
    variables = {"query": "test:false", "id": order if name == "order_details" else operation}
    assert shop.data(text, **variables)

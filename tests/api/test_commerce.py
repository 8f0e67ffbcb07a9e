# SPDX-License-Identifier: Apache-2.0
"""Standard e-commerce events, compared as values."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klaviyo.api import bodies, commerce, events
from airflow_provider_klaviyo.api.commerce import Order
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.items import Item

SARAH = {"email": "sarah@example.com"}
TIME = datetime(2026, 11, 1, 10, tzinfo=UTC)
UNIX = 1793527200

WINNIE: Item = {
    "product_id": 1111,
    "sku": "WINNIEPOOH",
    "product_name": "Winnie the Pooh",
    "price": Decimal("9.99"),
    "url": "https://shop.example/winnie",
    "image_url": "https://shop.example/winnie.png",
    "categories": ["Fiction", "Children"],
    "brand": "Kids Books",
}
CITIES: Item = {
    "product_id": "1112",
    "variant_id": 8,
    "variant_name": "Hardcover",
    "product_name": "A Tale of Two Cities",
    "quantity": 2,
    "price": 19.99,
    "compare_at_price": 24,
    "categories": ["Fiction", "Classics"],
    "brand": "Harcourt Classics",
    "line_id": 77,
}
ORDER: Order = {
    "order_id": 1234,
    "profile": SARAH,
    "time": TIME,
    "value": Decimal("44.97"),
    "value_currency": "USD",
    "items": [WINNIE, CITIES],
    "discount_code": "FREESHIP",
    "discount_value": Decimal(5),
    "billing_address": {"first_name": "Sarah", "address1": "1 Main St", "city": "Boston", "region_code": "MA", "zip": "02110", "phone": ""},
    "shipping_address": {"address1": "1 Main St", "country_code": "US"},
}
ITEMS = [
    {
        "ProductID": "1111",
        "SKU": "WINNIEPOOH",
        "ProductName": "Winnie the Pooh",
        "Quantity": 1,
        "ItemPrice": 9.99,
        "RowTotal": 9.99,
        "ProductURL": "https://shop.example/winnie",
        "ImageURL": "https://shop.example/winnie.png",
        "Categories": ["Fiction", "Children"],
        "Brand": "Kids Books",
    },
    {
        "ProductID": "1112",
        "VariantID": "8",
        "ProductName": "A Tale of Two Cities",
        "VariantName": "Hardcover",
        "Quantity": 2,
        "ItemPrice": 19.99,
        "RowTotal": 39.98,
        "CompareAtPrice": 24,
        "Categories": ["Fiction", "Classics"],
        "Brand": "Harcourt Classics",
    },
]
ABOUT_ORDER = {
    "OrderId": "1234",
    "DiscountCode": "FREESHIP",
    "DiscountValue": 5.0,
    "BillingAddress": {"FirstName": "Sarah", "Address1": "1 Main St", "City": "Boston", "RegionCode": "MA", "Zip": "02110"},
    "ShippingAddress": {"Address1": "1 Main St", "CountryCode": "US"},
    "ItemNames": ["Winnie the Pooh", "A Tale of Two Cities"],
    "Categories": ["Fiction", "Children", "Classics"],
    "Brands": ["Kids Books", "Harcourt Classics"],
    "Item Count": 2,
    "Items": ITEMS,
}
IN_A_CART = [{("ProductCategories" if name == "Categories" else name): value for name, value in item.items()} for item in ITEMS]

Builder = Callable[..., bodies.Event]


def order(**changes: Any) -> Any:
    """Return the order, changed."""
    return {**ORDER, **changes}


def cart(**more: Any) -> dict[str, Any]:
    """Return what an event of a cart needs."""
    return {"profile": SARAH, "time": TIME, "items": [WINNIE, CITIES], "value": 49.97, **more}


@pytest.mark.parametrize(
    ("builder", "metric", "more"),
    [
        (commerce.placed_order, "Placed Order", {}),
        (commerce.fulfilled_order, "Fulfilled Order", {}),
        (commerce.cancelled_order, "Cancelled Order", {"Reason": "No longer needed"}),
        (commerce.refunded_order, "Refunded Order", {"Reason": "No longer needed"}),
    ],
)
def test_what_happens_to_an_order_is_told_in_klaviyo_s_words(builder: Builder, metric: str, more: dict[str, str]) -> None:
    reason = {name.lower(): value for name, value in more.items()}
    assert builder(**ORDER, **reason) == {
        "metric": metric,
        "profile": SARAH,
        "time": "2026-11-01T10:00:00+00:00",
        "value": 44.97,
        "value_currency": "USD",
        "unique_id": "1234",
        "properties": {**ABOUT_ORDER, **more},
    }


def test_all_events_of_an_order_have_one_unique_id_because_lifetime_value_needs_it() -> None:
    builders: list[Builder] = [commerce.placed_order, commerce.fulfilled_order, commerce.cancelled_order, commerce.refunded_order]
    assert {builder(**ORDER)["unique_id"] for builder in builders} == {"1234"}
    assert commerce.refunded_order(**order(unique_id="refund-2"))["unique_id"] == "refund-2"


def test_an_order_that_is_told_without_its_items_says_nothing_of_them() -> None:
    event = commerce.refunded_order(order_id="1234", profile=SARAH, time=TIME, value=0)
    assert (event["properties"], event["value"]) == ({"OrderId": "1234"}, 0)
    assert commerce.placed_order(order_id="1", profile=SARAH, time=TIME, value=1, items=[])["properties"] == {
        "OrderId": "1",
        "ItemNames": [],
        "Categories": [],
        "Brands": [],
        "Item Count": 0,
        "Items": [],
    }


def test_the_newer_guide_s_spelling_can_be_had() -> None:
    assert commerce.cancelled_order(metric="Canceled Order", **ORDER)["metric"] == "Canceled Order"
    with pytest.raises(KlaviyoConfigError, match="metric is one of Cancelled Order, Canceled Order"):
        commerce.cancelled_order(metric="Placed Order", **ORDER)  # type: ignore[arg-type]


def test_each_item_of_an_order_is_an_event() -> None:
    winnie, cities = commerce.ordered_products(**ORDER)
    assert winnie == {
        "metric": "Ordered Product",
        "profile": SARAH,
        "time": "2026-11-01T10:00:00+00:00",
        "value": 9.99,
        "value_currency": "USD",
        "unique_id": "1234:sku:WINNIEPOOH",
        "properties": {
            "OrderId": "1234",
            **{name: value for name, value in ITEMS[0].items() if name != "Brand"},
            "ProductBrand": "Kids Books",
        },
    }
    assert (cities["unique_id"], cities["value"]) == ("1234:77", 39.98)
    assert commerce.ordered_product(order_id=1234, item=CITIES, value_currency="USD", profile=SARAH, time=TIME) == cities


def test_lines_of_one_product_are_events_of_their_own_in_whatever_order_they_come() -> None:
    free: Item = {**WINNIE, "price": 0}
    lines = commerce.ordered_products(**order(items=[WINNIE, CITIES, free]))
    assert [each["unique_id"] for each in lines] == ["1234:sku:WINNIEPOOH", "1234:77", "1234:sku:WINNIEPOOH:2"]
    turned = commerce.ordered_products(**order(items=[CITIES, free, WINNIE]))
    assert {each["unique_id"] for each in lines} == {each["unique_id"] for each in turned}


def test_lines_that_are_told_by_ids_of_different_kinds_are_events_of_their_own() -> None:
    def told(order_id: str, *items: Item) -> list[str]:
        return [str(each["unique_id"]) for each in commerce.ordered_products(**order(order_id=order_id, items=items))]

    bell: Item = {"product_name": "A"}
    assert told("1", bell, bell, {"product_name": "A:2"}) == ["1:name:A", "1:name:A:2", "1:name:A%3A2"]
    assert told("1", {**bell, "line_id": 5}, {**bell, "variant_id": 5}, {**bell, "sku": 5}) == ["1:5", "1:variant:5", "1:sku:5"]
    assert told("1", {**bell, "line_id": 5}, {**bell, "line_id": 5}) == ["1:5", "1:line:5:2"]
    assert told("1:sku", {**bell, "line_id": 5}) != told("1", {**bell, "sku": 5})


IDS = st.text("12:%", min_size=1, max_size=3)


@given(st.lists(st.tuples(st.sampled_from(["line_id", "variant_id", "sku", "product_id", "product_name"]), IDS), max_size=8))
def test_no_two_items_of_an_order_are_one_event(drawn: list[tuple[str, str]]) -> None:
    items = [{"product_name": "Bell", kind: own} for kind, own in drawn]
    told = [each["unique_id"] for each in commerce.ordered_products(**order(items=items))]
    assert len(set(told)) == len(told)


@pytest.mark.parametrize(
    ("item", "key"),
    [
        ({"product_name": "Bell"}, "name:Bell"),
        ({"product_name": "Bell", "product_id": 7}, "product:7"),
        ({"product_name": "Bell", "product_id": 7, "sku": "B:%"}, "sku:B%3A%25"),
        ({"product_name": "Bell", "product_id": 7, "sku": "B", "variant_id": "v"}, "variant:v"),
        ({"product_name": "Bell", "product_id": 7, "sku": " ", "variant_id": None, "line_id": 0}, "0"),
    ],
)
def test_an_item_is_told_by_the_closest_thing_it_has(item: Item, key: str) -> None:
    assert commerce.ordered_product(order_id="1", item=item, profile=SARAH, time=TIME)["unique_id"] == f"1:{key}"


def test_a_checkout_is_told_by_its_cart_and_time() -> None:
    event = commerce.started_checkout(cart_id=1000123, checkout_url="https://shop.example/checkout", **cart())
    assert event["unique_id"] == f"1000123_{UNIX}"
    assert (event["metric"], event["value"]) == ("Started Checkout", 49.97)
    assert event["properties"] == {
        "ItemNames": ["Winnie the Pooh", "A Tale of Two Cities"],
        "Categories": ["Fiction", "Children", "Classics"],
        "Brands": ["Kids Books", "Harcourt Classics"],
        "Item Count": 2,
        "Items": IN_A_CART,
        "CheckoutURL": "https://shop.example/checkout",
    }


def test_what_is_put_in_a_cart_is_told_beside_the_cart() -> None:
    event = commerce.added_to_cart(item=CITIES, checkout_url="https://shop.example/checkout", **cart())
    assert (event["metric"], event["unique_id"]) == ("Added to Cart", f"77_{UNIX}")
    assert event["properties"] == {
        "AddedItemProductID": "1112",
        "AddedItemVariantID": "8",
        "AddedItemProductName": "A Tale of Two Cities",
        "AddedItemVariantName": "Hardcover",
        "AddedItemQuantity": 2,
        "AddedItemPrice": 19.99,
        "AddedItemCompareAtPrice": 24,
        "AddedItemCategories": ["Fiction", "Children", "Classics"],
        "AddedItemBrand": "Harcourt Classics",
        "ItemNames": ["Winnie the Pooh", "A Tale of Two Cities"],
        "Items": IN_A_CART,
        "CheckoutURL": "https://shop.example/checkout",
    }


def test_what_was_looked_at_has_no_value() -> None:
    event = commerce.viewed_product(item=WINNIE, profile=SARAH, time="2026-11-01T11:00:00.5+01:00")
    assert event == {
        "metric": "Viewed Product",
        "profile": SARAH,
        "time": "2026-11-01T11:00:00.500000+01:00",
        "unique_id": f"sku:WINNIEPOOH_{UNIX}",
        "properties": {
            "ProductID": "1111",
            "SKU": "WINNIEPOOH",
            "ProductName": "Winnie the Pooh",
            "Price": 9.99,
            "URL": "https://shop.example/winnie",
            "ImageURL": "https://shop.example/winnie.png",
            "Categories": ["Fiction", "Children"],
            "Brand": "Kids Books",
        },
    }


@pytest.mark.parametrize(
    ("price", "quantity", "total"),
    [
        (Decimal("0.1"), 3, 0.3),
        (0.1, 3, 0.3),
        (1.1, Decimal(3), 3.3),
        (Decimal("19.99"), 0.5, 9.995),
        (5, 0, 0),
        (Decimal("1e2"), 2, 200),
    ],
)
def test_cents_do_not_drift(price: Decimal | float, quantity: Decimal | float, total: float) -> None:
    item: Item = {"product_name": "Bell", "price": price, "quantity": quantity}
    event = commerce.ordered_product(order_id=1, item=item, profile=SARAH, time=TIME)
    assert (event["value"], json.loads(json.dumps(event))["properties"]["RowTotal"]) == (total, total)


def test_a_row_that_cost_less_says_so_itself() -> None:
    event = commerce.ordered_product(order_id=1, item={**CITIES, "row_total": Decimal("30.00")}, profile=SARAH, time=TIME)
    assert event["value"] == 30.0


def test_details_of_one_s_own_are_added_and_overwrite_nothing() -> None:
    placed = commerce.placed_order(**order(properties={"Store": "Boston", "Paid": Decimal("44.97"), "Due": TIME}))
    assert placed["properties"] == {**ABOUT_ORDER, "Store": "Boston", "Paid": 44.97, "Due": "2026-11-01T10:00:00+00:00"}
    engraved: Item = {"product_name": "Bell", "properties": {"Engraving": "S"}}
    assert commerce.ordered_product(order_id=1, item=engraved, profile=SARAH, time=TIME)["properties"] == {
        "OrderId": "1",
        "ProductName": "Bell",
        "Quantity": 1,
        "Engraving": "S",
    }
    with pytest.raises(KlaviyoConfigError, match="Placed Order says Items, OrderId already"):
        commerce.placed_order(**order(properties={"OrderId": "x", "Items": [], "Store": "Boston"}))
    with pytest.raises(KlaviyoConfigError, match=r"items\[0\] says SKU already"):
        commerce.placed_order(**order(items=[{**WINNIE, "properties": {"SKU": "x"}}]))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"order_id": ""}, "order_id is needed"),
        ({"order_id": None}, "Placed Order needs order_id"),
        ({"order_id": 1001.0}, "order_id is a text or a whole number, not a float"),
        ({"order_id": True}, "not a bool"),
        ({"profile": {}}, "a profile needs one of"),
        ({"profile": None}, "needs profile"),
        ({"time": datetime(2026, 11, 1, 10)}, "time zone"),  # noqa: DTZ001
        ({"time": "2026-11-01T10:00:00"}, "time zone"),
        ({"time": "yesterday"}, "a time is ISO 8601"),
        ({"time": None}, "Placed Order needs time"),
        ({"value": None}, "Placed Order needs value"),
        ({"value": float("nan")}, "value is a number of 0 or more"),
        ({"value": float("inf")}, "value is a number of 0 or more"),
        ({"value": Decimal("NaN")}, "value is a number of 0 or more"),
        ({"value": Decimal("sNaN")}, "value is a number of 0 or more"),
        ({"value": -5}, "value is a number of 0 or more"),
        ({"value": "44.97"}, "value is a number of 0 or more"),
        ({"value": True}, "value is a number of 0 or more"),
        ({"value_currency": "Euro"}, "ISO 4217"),
        ({"value_currency": "usd"}, "ISO 4217"),
        ({"discount_value": -1}, "discount_value is a number"),
        ({"unique_id": "x" * 256}, "unique_id"),
        ({"items": WINNIE}, "items is a list of items, not a dict"),
        ({"items": iter([WINNIE])}, "items is a list of items"),
        ({"items": ["Bell"]}, r"items\[0\] is a mapping"),
        ({"items": [WINNIE, {"product_id": 7}]}, r"items\[1\]: product_name is needed"),
        ({"items": [{**WINNIE, "quantity": -1}]}, r"items\[0\]: quantity is a number of 0 or more"),
        ({"items": [{**WINNIE, "quantity": None}]}, r"items\[0\]: quantity is a number of 0 or more"),
        ({"items": [{**WINNIE, "price": "9.99"}]}, r"items\[0\]: price is a number of 0 or more"),
        ({"items": [{**WINNIE, "categories": "Fiction"}]}, r"items\[0\]: categories is a list of texts"),
        ({"items": [{**WINNIE, "prise": 3}]}, r"items\[0\] has no 'prise': did you mean price\?"),
        ({"items": [{**WINNIE, "properties": ["a"]}]}, r"items\[0\]: properties is a mapping"),
        ({"billing_address": {"citi": "Boston"}}, "did you mean city"),
        ({"shipping_address": {"zip": 2110.0}}, "shipping_address: zip is a text or a whole number"),
        ({"properties": {"far": float("nan")}}, "not a number"),
        ({"discount_kode": "X"}, "did you mean discount_code"),
    ],
)
def test_what_cannot_be_is_refused_without_saying_whose(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(KlaviyoConfigError, match=says) as refused:
        commerce.placed_order(**order(**wrong))
    assert "sarah" not in str(refused.value).lower()
    assert "Main St" not in str(refused.value)


def test_what_a_cart_or_a_look_lacks_is_said() -> None:
    with pytest.raises(KlaviyoConfigError, match="Started Checkout needs value"):
        commerce.started_checkout(cart_id=1, **cart(value=None))
    with pytest.raises(KlaviyoConfigError, match="cart_id is needed"):
        commerce.started_checkout(cart_id=" ", **cart())
    with pytest.raises(KlaviyoConfigError, match="Viewed Product needs time"):
        commerce.viewed_product(item=WINNIE, profile=SARAH)  # type: ignore[call-arg]
    with pytest.raises(KlaviyoConfigError, match="time zone"):
        commerce.viewed_product(item=WINNIE, profile=SARAH, time="2026-11-01T10:00:00")
    with pytest.raises(KlaviyoConfigError, match="has no 'value'"):
        commerce.viewed_product(item=WINNIE, profile=SARAH, time=TIME, value=3)  # type: ignore[call-arg]
    with pytest.raises(KlaviyoConfigError, match="Ordered Product needs time"):
        commerce.ordered_products(**order(time=None))


def test_an_event_is_in_json_s_own_types_and_goes_as_it_is_to_the_endpoints() -> None:
    built = [
        commerce.placed_order(**ORDER),
        *commerce.ordered_products(**ORDER),
        commerce.viewed_product(item=WINNIE, profile=SARAH, time=TIME),
    ]
    assert json.loads(json.dumps(built)) == built
    for event in built:
        request = events.create(**event)
        assert request.repeatable, "it has a unique_id"
    bulk = events.bulk_create(events=[bodies.event_entry(bodies.checked_event(event)) for event in built])
    assert bulk.json is not None
    assert len(bulk.json["data"]["attributes"]["events-bulk-create"]["data"]) == 4


def test_the_time_zone_of_whoever_builds_an_event_does_not_change_its_id() -> None:
    elsewhere = TIME.astimezone(timezone(timedelta(hours=-5)))
    ids = {commerce.started_checkout(cart_id="c", **cart(time=time))["unique_id"] for time in (TIME, elsewhere, TIME.isoformat())}
    assert ids == {f"c_{UNIX}"}

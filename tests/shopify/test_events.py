# SPDX-License-Identifier: Apache-2.0
"""An order becomes events: which, when, worth what, under which id."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_klaviyo.shopify import mapping
from airflow_provider_klaviyo.shopify.errors import ShopifyConfigError
from airflow_provider_klaviyo.shopify.mapping import Mapped, Metric, Reason, Unmapped

Node = dict[str, Any]
Make = Callable[..., Node]


def mapped(order: Node, **options: Any) -> dict[str, Node]:
    """Return an order's events by their keys."""
    found = list(mapping.events(order, **options))
    assert all(isinstance(each, Mapped) for each in found)
    assert len({each.key for each in found}) == len(found)
    return {each.key: each.data for each in found if isinstance(each, Mapped)}


def the(order: Node, metric: Metric, **options: Any) -> Node:
    """Return the one event of a metric."""
    (event,) = mapped(order, metrics=[metric], **options).values()
    return event


def sent(number: int, when: str, status: str = "SUCCESS", **fields: Any) -> Node:
    parcel = {"company": "UPS", "number": f"1Z{number}", "url": None}
    return {
        "id": f"gid://shopify/Fulfillment/{number}",
        "status": status,
        "createdAt": when,
        "totalQuantity": 1,
        "trackingInfo": [parcel],
        **fields,
    }


def test_an_order_just_placed(order: Node) -> None:
    assert list(mapped(order)) == ["Placed Order/1", "Ordered Product/1:10", "Ordered Product/1:11"]
    placed = the(order, Metric.PLACED)
    properties = placed.pop("properties")
    assert placed == {
        "metric": "Placed Order",
        "profile": {"email": "zoe@example.com"},
        "time": "2026-11-17T12:00:00+00:00",
        "unique_id": "1",
        "value": 45.67,
        "value_currency": "USD",
    }
    items = properties.pop("Items")
    assert properties == {
        "OrderId": "1",
        "OrderName": "#1001",
        "DiscountCode": "RIDE10",
        "DiscountValue": 2.0,
        "Source Name": "Online Store",
        "Customer Locale": "en-CA",
        "Financial Status": "PAID",
        "Fulfillment Status": "UNFULFILLED",
        "ItemNames": ["Bell", "Lamp"],
        "Categories": ["Parts"],
        "Brands": ["Acme"],
        "Item Count": 2,
        "BillingAddress": {"FirstName": "Zoe", "City": "Ottawa", "CountryCode": "CA"},
    }
    assert items[0] == {
        "ProductID": "7",
        "VariantID": "8",
        "SKU": "BE-R",
        "ProductName": "Bell",
        "VariantName": "Red",
        "Quantity": 2,
        "ItemPrice": 10.1,
        "RowTotal": 20.2,
        "ImageURL": "https://shop.example/bell.png",
        "Categories": ["Parts"],
        "Brand": "Acme",
    }
    assert items[1]["SKU"] == "BE-R"  # the variant's, where the line has none


def test_two_lines_of_one_second_are_two_events(order: Node) -> None:
    lines = [event for event in mapped(order).values() if event["metric"] == "Ordered Product"]
    assert [(event["unique_id"], event["time"], event["value"]) for event in lines] == [
        ("1:10", "2026-11-17T12:00:00+00:00", 20.2),
        ("1:11", "2026-11-17T12:00:00+00:00", 10.1),
    ]
    assert lines[0]["properties"]["ProductBrand"] == "Acme"
    assert lines[0]["properties"]["OrderId"] == "1"
    assert "Brand" not in lines[0]["properties"]


def test_cents_do_not_drift(order: Node, line: Make, money: Make) -> None:
    order["lineItems"] = [line(10, originalUnitPriceSet=money("0.1"), quantity=3)]
    assert the(order, Metric.ORDERED)["value"] == 0.3


@pytest.mark.parametrize(
    ("changes", "profile"),
    [
        ({}, {"email": "zoe@example.com"}),
        ({"customer": None}, {"email": "order@example.com"}),
        ({"customer": {"defaultEmailAddress": {"emailAddress": "nonsense"}}}, {"email": "order@example.com"}),
        ({"customer": {"defaultEmailAddress": None, "defaultPhoneNumber": {"phoneNumber": "+1613"}}}, {"email": "order@example.com"}),
        ({"email": None, "customer": {"defaultPhoneNumber": {"phoneNumber": "+16134505293"}}}, {"phone_number": "+16134505293"}),
        ({"email": "", "customer": None}, {"phone_number": "+4915112345678"}),
        ({"email": "jésus@exämple.com ", "customer": None}, {"email": "jésus@exämple.com"}),
        ({"email": "zoe@example", "customer": None}, {"phone_number": "+4915112345678"}),
        (
            {"email": ".zoe@example.com", "customer": {"defaultEmailAddress": {"emailAddress": "zoe@example.c"}}},
            {"phone_number": "+4915112345678"},
        ),
    ],
)
def test_the_person_is_told_by_one_identifier(order: Node, changes: Node, profile: Node) -> None:
    assert the({**order, **changes}, Metric.PLACED)["profile"] == profile


def test_an_order_of_nobody_gives_no_events_but_says_which(order: Node) -> None:
    nobody = {**order, "customer": None, "email": None, "phone": "0151 12345678"}
    found = list(mapping.events(nobody))
    assert [each.key for each in found] == ["Placed Order/1", "Ordered Product/1:10", "Ordered Product/1:11"]
    assert {each.code for each in found if isinstance(each, Unmapped)} == {Reason.NO_IDENTIFIER}


@pytest.mark.parametrize(
    ("given", "profile"),
    [
        ("other@example.com", {"email": "other@example.com"}),
        (" ZOE@example.com", {"phone_number": "+16134505293"}),
        ("zoe@example", {"phone_number": "+16134505293"}),
        (None, {"phone_number": "+16134505293"}),
    ],
)
def test_an_address_that_shopify_calls_malformed_is_not_used_from_the_order_either(order: Node, given: str | None, profile: Node) -> None:
    order["customer"]["defaultEmailAddress"]["validFormat"] = False
    assert the({**order, "email": given}, Metric.PLACED)["profile"] == profile


def test_an_order_with_no_more_than_a_malformed_address_says_so(order: Node) -> None:
    order["customer"] |= {"defaultEmailAddress": {"emailAddress": "zoe@example.com", "validFormat": False}, "defaultPhoneNumber": None}
    for given, customer in (("zoe@example.com", order["customer"]), ("zoe@example", None)):
        found = list(mapping.events({**order, "email": given, "phone": None, "customer": customer}))
        assert {each.code for each in found if isinstance(each, Unmapped)} == {Reason.MALFORMED_EMAIL}
        assert len(found) == 3
        assert "example" not in str(found)


@pytest.mark.parametrize("channel", [("defaultEmailAddress", "marketingState"), ("defaultPhoneNumber", "smsMarketingConsent", "state")])
@pytest.mark.parametrize("test", [False, True])
def test_who_was_erased_on_one_channel_is_in_no_event(order: Node, channel: tuple[str, ...], test: bool) -> None:
    """Neither by the customer's other channel nor by what the order itself still says."""
    *path, last = channel
    place = order["customer"]
    for name in path:
        place = place[name]
    place[last] = "REDACTED"
    found = list(mapping.events({**order, "test": test}))
    assert [each.key for each in found] == ["Placed Order/1", "Ordered Product/1:10", "Ordered Product/1:11"]
    assert {each.code for each in found if isinstance(each, Unmapped)} == {Reason.ERASED}
    assert not any(isinstance(each, Mapped) for each in found)


def test_a_test_order_gives_none_either(order: Node, money: Make) -> None:
    order |= {"test": True, "cancelledAt": "2026-11-18T00:00:00Z", "displayFinancialStatus": "REFUNDED", "totalRefundedSet": money("45.67")}
    found = list(mapping.events(order))
    assert [each.key.partition("/")[0] for each in found] == ["Placed Order", *["Ordered Product"] * 2, "Cancelled Order", "Refunded Order"]
    assert {each.code for each in found if isinstance(each, Unmapped)} == {Reason.TEST_ORDER}


@pytest.mark.parametrize("lines", [[], None])
def test_an_order_without_lines(order: Node, lines: list[Node] | None) -> None:
    order["lineItems"] = lines
    assert list(mapped(order)) == ["Placed Order/1"]
    assert the(order, Metric.PLACED)["properties"]["Items"] == []


def test_deleted_products_are_told_by_what_the_line_remembers(order: Node, line: Make) -> None:
    gone = line(10, product=None, variant=None, image=None, vendor=None, title="", name="Bell - Red")
    order["lineItems"] = [gone, line(11, product=None, variant=None, title=None, name=None, sku="X-1")]
    first, second = the(order, Metric.PLACED)["properties"]["Items"]
    assert first == {"SKU": "BE-R", "ProductName": "Bell - Red", "VariantName": "Red", "Quantity": 2, "ItemPrice": 10.1, "RowTotal": 20.2}
    assert second["ProductName"] == "X-1"


def test_a_gift_card_is_marked(order: Node, line: Make) -> None:
    order["lineItems"] = [line(10, isGiftCard=True)]
    assert the(order, Metric.ORDERED)["properties"]["GiftCard"] is True


def test_a_total_of_nothing_is_a_value(order: Node, money: Make) -> None:
    event = the({**order, "totalPriceSet": money("0.0")}, Metric.PLACED)
    assert (event["value"], event["value_currency"]) == (0.0, "USD")


def test_values_are_the_shops_currency_and_the_customers_is_told(order: Node, money: Make) -> None:
    order |= {"presentmentCurrencyCode": "JPY", "totalPriceSet": money("45.67", "JPY", "7079")}
    event = the(order, Metric.PLACED)
    assert (event["value"], event["value_currency"]) == (45.67, "USD")
    assert (event["properties"]["Presentment Total"], event["properties"]["Presentment Currency"]) == (7079.0, "JPY")


def test_the_value_that_klaviyos_own_integration_counts(order: Node) -> None:
    assert the(order, Metric.PLACED, value="subtotal_plus_shipping")["value"] == 43.4
    assert the({**order, "subtotalPriceSet": None}, Metric.PLACED, value="subtotal_plus_shipping")["value"] == 45.67


def test_fulfilled_takes_the_time_of_the_last_parcel_that_went(order: Node) -> None:
    parcels = [
        sent(2, "2026-11-19T08:00:00Z"),
        sent(1, "2026-11-18T08:00:00Z"),
        sent(3, "2026-11-20T08:00:00Z", "CANCELLED"),
    ]
    event = the({**order, "displayFulfillmentStatus": "FULFILLED", "fulfillments": parcels}, Metric.FULFILLED)
    assert (event["time"], event["unique_id"], event["value"]) == ("2026-11-19T08:00:00+00:00", "1", 45.67)
    assert event["properties"]["Tracking Numbers"] == ["1Z2", "1Z1"]
    assert event["properties"]["Tracking Company"] == "UPS"


def test_fulfilled_without_a_parcel_keeps_a_time_that_never_changes(order: Node) -> None:
    assert the({**order, "displayFulfillmentStatus": "FULFILLED"}, Metric.FULFILLED)["time"] == "2026-11-17T12:00:00+00:00"


def test_each_parcel_of_an_order_not_yet_fulfilled(order: Node) -> None:
    parcels = [sent(1, "2026-11-18T08:00:00Z"), sent(2, "2026-11-19T08:00:00Z"), sent(3, "2026-11-20T08:00:00Z", "CANCELLED")]
    order |= {"displayFulfillmentStatus": "PARTIALLY_FULFILLED", "fulfillments": parcels}
    events = mapped(order, metrics=[Metric.PARTLY_FULFILLED])
    assert list(events) == ["Fulfilled Partial Order/1", "Fulfilled Partial Order/2"]
    assert "value" not in events["Fulfilled Partial Order/1"]
    assert mapped({**order, "displayFulfillmentStatus": "FULFILLED"}, metrics=[Metric.PARTLY_FULFILLED]) == {}


def test_with_details_a_parcel_has_its_lines_and_their_worth(order: Node) -> None:
    order |= {"displayFulfillmentStatus": "PARTIALLY_FULFILLED", "fulfillments": [sent(1, "2026-11-18T08:00:00Z")]}
    page = {"pageInfo": {"hasNextPage": False}, "nodes": [{"quantity": 1, "lineItem": {"id": "gid://shopify/LineItem/10"}}]}
    details = {"fulfillments": [{"id": "gid://shopify/Fulfillment/1", "fulfillmentLineItems": page}]}
    assert mapping.needs_details(order)
    event = the(order, Metric.PARTLY_FULFILLED, details=details)
    assert (event["value"], event["properties"]["ItemNames"], event["properties"]["Items"][0]["Quantity"]) == (9.0, ["Bell"], 1)
    page["pageInfo"] = {"hasNextPage": True}
    assert "value" not in the(order, Metric.PARTLY_FULFILLED, details=details)


def test_cancelled(order: Node) -> None:
    event = the({**order, "cancelledAt": "2026-11-18T09:00:00Z", "cancelReason": "INVENTORY"}, Metric.CANCELLED)
    assert (event["time"], event["unique_id"], event["value"]) == ("2026-11-18T09:00:00+00:00", "1", 45.67)
    assert event["properties"]["Reason"] == "INVENTORY"


def refund(number: int, when: str | None, amount: Node) -> Node:
    return {"id": f"gid://shopify/Refund/{number}", "createdAt": when, "totalRefundedSet": amount}


def test_refunded_takes_the_time_of_the_last_refund(order: Node, money: Make) -> None:
    refunds = [refund(1, "2026-11-20T00:00:00Z", money("15.0")), refund(2, "2026-11-23T00:00:00Z", money("30.67"))]
    order |= {"displayFinancialStatus": "REFUNDED", "totalRefundedSet": money("45.67"), "refunds": refunds}
    event = the(order, Metric.REFUNDED)
    assert (event["time"], event["unique_id"], event["value"]) == ("2026-11-23T00:00:00+00:00", "1", 45.67)
    assert mapped(order, metrics=[Metric.PARTLY_REFUNDED]) == {}


def test_a_part_refunded_is_an_event_for_who_asks(order: Node, money: Make) -> None:
    refunds = [refund(1, "2026-11-20T00:00:00Z", money("5.0")), refund(2, None, money("1.0"))]
    order |= {"displayFinancialStatus": "PARTIALLY_REFUNDED", "refunds": refunds}
    assert not {each for each in mapped(order) if "efund" in each}
    events = mapped(order, metrics=[Metric.PARTLY_REFUNDED])
    assert [(each["unique_id"], each["value"]) for each in events.values()] == [("1", 5.0), ("2", 1.0)]
    page = {"pageInfo": {"hasNextPage": False}, "nodes": [{"quantity": 1, "lineItem": {"id": "gid://shopify/LineItem/11"}}]}
    details = {"refunds": [{"id": "gid://shopify/Refund/1", "refundLineItems": page}]}
    first = next(iter(mapped(order, metrics=[Metric.PARTLY_REFUNDED], details=details).values()))
    assert first["properties"]["ItemNames"] == ["Lamp"]


def test_several_shops_and_other_names(order: Node) -> None:
    order["cancelledAt"] = "2026-11-18T09:00:00Z"
    events = mapped(order, metrics=["Placed Order", "Cancelled Order"], shop_prefix="eu", names={Metric.CANCELLED: "Canceled Order"})
    assert {key: event["unique_id"] for key, event in events.items()} == {"Placed Order/eu:1": "eu:1", "Canceled Order/eu:1": "eu:1"}
    assert events["Canceled Order/eu:1"]["metric"] == "Canceled Order"


@pytest.mark.parametrize("options", [{"metrics": ["Paced Order"]}, {"names": {"Paced Order": "Order placed"}}])
def test_a_metric_nobody_knows_is_refused_before_the_first_event(order: Node, options: Node) -> None:
    with pytest.raises(ShopifyConfigError, match=r"'Paced Order' .* 'Placed Order', 'Ordered Product'") as refusal:
        mapping.events(order, **options)
    assert refusal.value.permanent


def test_notes_stay_in_the_shop_and_the_order_stays_as_it_was(order: Node) -> None:
    before = str(order)
    assert "door" not in str(mapped(order))
    assert str(order) == before


def test_times_are_utc_and_whole_seconds(order: Node) -> None:
    assert the({**order, "processedAt": "2026-11-17T12:00:00.987+09:00"}, Metric.PLACED)["time"] == "2026-11-17T03:00:00+00:00"

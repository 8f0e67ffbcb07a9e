# SPDX-License-Identifier: Apache-2.0
"""The mapping and the builders of :mod:`commerce` say the same of an order, in the same words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_klaviyo.api import commerce
from airflow_provider_klaviyo.api.items import Item
from airflow_provider_klaviyo.shopify import mapping
from airflow_provider_klaviyo.shopify.mapping import Mapped, Metric

SHOPIFY_S_OWN = {"OrderName", "Source Name", "Customer Locale", "Financial Status", "Fulfillment Status", "GiftCard"}
"""What Klaviyo's guide has no word for."""

BELL: Item = {
    "line_id": 10,
    "product_id": "7",
    "variant_id": "8",
    "sku": "BE-R",
    "product_name": "Bell",
    "variant_name": "Red",
    "quantity": 2,
    "price": Decimal("10.1"),
    "image_url": "https://shop.example/bell.png",
    "categories": ["Parts"],
    "brand": "Acme",
}
LAMP: Item = {**BELL, "line_id": 11, "product_name": "Lamp", "quantity": 1}
ADDRESS = {
    "first_name": "Zoe",
    "last_name": "Unal",
    "company": "Acme",
    "address1": "1 Main St",
    "address2": "b",
    "city": "Ottawa",
    "region": "Ontario",
    "region_code": "ON",
    "country": "Canada",
    "country_code": "CA",
    "zip": "K1A",
    "phone": "613",
}
SHOPIFY_S_ADDRESS = {
    "firstName": "Zoe",
    "lastName": "Unal",
    "company": "Acme",
    "address1": "1 Main St",
    "address2": "b",
    "city": "Ottawa",
    "province": "Ontario",
    "provinceCode": "ON",
    "country": "Canada",
    "countryCodeV2": "CA",
    "zip": "K1A",
    "phone": "613",
}


def mapped(order: dict[str, Any], metric: Metric) -> list[dict[str, Any]]:
    """Return an order's events of a metric, without what is Shopify's alone."""
    found = [each.data for each in mapping.events(order, metrics=[metric]) if isinstance(each, Mapped)]
    for event in found:
        event["properties"] = {name: value for name, value in event["properties"].items() if name not in SHOPIFY_S_OWN}
    return found


@pytest.fixture
def told() -> dict[str, Any]:
    """Return the order of the fixture ``order`` as the builders take it."""
    return {
        "order_id": 1,
        "profile": {"email": "zoe@example.com"},
        "time": "2026-11-17T12:00:00+00:00",
        "value": Decimal("45.67"),
        "value_currency": "USD",
        "items": [BELL, LAMP],
        "discount_code": "RIDE10",
        "discount_value": Decimal("2.0"),
        "billing_address": ADDRESS,
        "shipping_address": {"city": "Ottawa"},
    }


def test_an_order_reads_the_same_from_both(order: dict[str, Any], told: dict[str, Any]) -> None:
    order |= {
        "billingAddress": SHOPIFY_S_ADDRESS,
        "shippingAddress": {"city": "Ottawa"},
        "displayFulfillmentStatus": "FULFILLED",
        "displayFinancialStatus": "REFUNDED",
        "totalRefundedSet": order["totalPriceSet"],
        "cancelledAt": "2026-11-17T12:00:00Z",
        "cancelReason": "CUSTOMER",
    }
    assert mapped(order, Metric.PLACED) == [commerce.placed_order(**told)]
    assert mapped(order, Metric.ORDERED) == commerce.ordered_products(**told)
    assert mapped(order, Metric.FULFILLED) == [commerce.fulfilled_order(**told)]
    assert mapped(order, Metric.CANCELLED) == [commerce.cancelled_order(reason="CUSTOMER", **told)]
    assert mapped(order, Metric.REFUNDED) == [commerce.refunded_order(reason="CUSTOMER", **told)]

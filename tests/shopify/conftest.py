# SPDX-License-Identifier: Apache-2.0
"""An order and a customer as Shopify's bulk results have them, for tests to change in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Node = dict[str, Any]


def _money(amount: str, currency: str = "USD", presented: str | None = None) -> Node:
    return {
        "shopMoney": {"amount": amount, "currencyCode": "USD"},
        "presentmentMoney": {"amount": presented or amount, "currencyCode": currency},
    }


@pytest.fixture
def money() -> Callable[..., Node]:
    """Return a function that makes a ``MoneyBag``."""
    return _money


@pytest.fixture
def customer() -> Node:
    """Return a customer with everything."""
    return {
        "id": "gid://shopify/Customer/9",
        "legacyResourceId": "9",
        "createdAt": "2025-01-02T03:04:05Z",
        "updatedAt": "2026-11-18T12:00:00Z",
        "firstName": " Zoë ",
        "lastName": "Ünal",
        "locale": "en",
        "tags": ["VIP"],
        "state": "ENABLED",
        "verifiedEmail": True,
        "dataSaleOptOut": False,
        "numberOfOrders": "3",
        "amountSpent": {"amount": "12.5", "currencyCode": "USD"},
        "lastOrder": {"name": "#1003"},
        "note": "rings twice",
        "defaultEmailAddress": {"emailAddress": " Zoë@Example.com", "validFormat": True, "marketingState": "SUBSCRIBED"},
        "defaultPhoneNumber": {"phoneNumber": "+16134505293", "smsMarketingConsent": {"state": "NEVER_SUBSCRIBED"}},
        "defaultAddress": {
            "company": "",
            "phone": "613-450-5293",
            "address1": "1 Main St",
            "address2": None,
            "city": "Ottawa",
            "province": "Ontario",
            "provinceCode": "ON",
            "country": "Canada",
            "countryCodeV2": "CA",
            "zip": "K1A 0B1",
            "latitude": 45.4,
            "longitude": -75.7,
            "timeZone": "America/Toronto",
        },
    }


@pytest.fixture
def line() -> Callable[..., Node]:
    """Return a function that makes a line."""

    def make(number: int, **fields: Any) -> Node:
        return {
            "id": f"gid://shopify/LineItem/{number}",
            "name": "Bell - Red",
            "title": "Bell",
            "variantTitle": "Red",
            "sku": "BE-R",
            "vendor": "Acme",
            "quantity": 2,
            "currentQuantity": 2,
            "isGiftCard": False,
            "originalUnitPriceSet": _money("10.1"),
            "discountedUnitPriceAfterAllDiscountsSet": _money("9.0"),
            "image": {"url": "https://shop.example/bell.png"},
            "product": {"id": "gid://shopify/Product/7", "legacyResourceId": "7", "productType": "Parts", "onlineStoreUrl": None},
            "variant": {"id": "gid://shopify/ProductVariant/8", "legacyResourceId": "8", "sku": "BE-R"},
            **fields,
        }

    return make


@pytest.fixture
def order(line: Callable[..., Node]) -> Node:
    """Return a paid order that has not been sent, with two lines."""
    return {
        "id": "gid://shopify/Order/1",
        "legacyResourceId": "1",
        "name": "#1001",
        "email": "order@example.com",
        "phone": "+4915112345678",
        "test": False,
        "createdAt": "2026-11-18T12:00:00Z",
        "processedAt": "2026-11-17T12:00:00Z",
        "updatedAt": "2026-11-18T12:00:00Z",
        "cancelledAt": None,
        "cancelReason": None,
        "displayFinancialStatus": "PAID",
        "displayFulfillmentStatus": "UNFULFILLED",
        "sourceName": "web",
        "app": {"name": "Online Store"},
        "customerLocale": "en-CA",
        "tags": [],
        "note": "leave it at the door",
        "discountCodes": ["RIDE10"],
        "presentmentCurrencyCode": "USD",
        "subtotalPriceSet": _money("38.4"),
        "totalPriceSet": _money("45.67"),
        "totalDiscountsSet": _money("2.0"),
        "totalShippingPriceSet": _money("5.0"),
        "totalRefundedSet": _money("0.0"),
        "customer": {
            "id": "gid://shopify/Customer/9",
            "defaultEmailAddress": {"emailAddress": "Zoe@Example.com", "validFormat": True, "marketingState": "SUBSCRIBED"},
            "defaultPhoneNumber": {"phoneNumber": "+16134505293", "smsMarketingConsent": {"state": "NEVER_SUBSCRIBED"}},
        },
        "billingAddress": {"firstName": "Zoe", "lastName": "", "city": "Ottawa", "countryCodeV2": "CA"},
        "shippingAddress": None,
        "fulfillments": [],
        "refunds": [],
        "lineItems": [line(10), line(11, title="Lamp", sku=None, quantity=1)],
    }

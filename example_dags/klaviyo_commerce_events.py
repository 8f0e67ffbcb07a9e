# SPDX-License-Identifier: Apache-2.0
"""
Standard e-commerce events: an order with its items, a cart that was left, a refund.

Needs the connection ``klaviyo_default`` with the scopes ``events:write`` and ``profiles:write``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from airflow.sdk import DAG, task

from airflow_provider_klaviyo.api import commerce, events
from airflow_provider_klaviyo.api.bodies import Event
from airflow_provider_klaviyo.api.commerce import Cart, Order
from airflow_provider_klaviyo.api.items import Item
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.operators.events import KlaviyoBulkCreateEventsOperator

with DAG(dag_id="klaviyo_commerce_events", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), tags=["klaviyo"]) as dag:
    # [START howto_commerce_order]
    WINNIE: Item = {
        "product_id": 1111,
        "sku": "WINNIEPOOH",
        "product_name": "Winnie the Pooh",
        "price": Decimal("9.99"),
        "url": "https://shop.example/winnie-the-pooh",
        "categories": ["Fiction", "Children"],
        "brand": "Kids Books",
    }
    ORDER: Order = {
        "order_id": 1234,
        "profile": {"email": "sarah@example.com"},
        "time": datetime(2026, 11, 1, 10, tzinfo=UTC),
        "value": Decimal("44.97"),
        "value_currency": "EUR",
        "items": [WINNIE, {"product_id": 1112, "product_name": "A Tale of Two Cities", "quantity": 2, "price": Decimal("19.99")}],
        "discount_code": "FREESHIP",
        "discount_value": Decimal("5.00"),
        "shipping_address": {"address1": "1 Main St", "city": "Berlin", "country_code": "DE"},
    }

    @task(show_return_value_in_logs=False)  # it is about people
    def order_events() -> list[Event]:
        """Tell of the order as a whole, and of each item."""
        return [commerce.placed_order(**ORDER), *commerce.ordered_products(**ORDER)]

    send = KlaviyoBulkCreateEventsOperator(task_id="send", events=order_events())
    # [END howto_commerce_order]

    # [START howto_commerce_cart]
    @task
    def cart_events() -> None:
        """Tell what somebody looked at, put into the cart, and took to the checkout."""
        tom, now = {"email": "tom@example.com"}, datetime(2026, 11, 1, 11, tzinfo=UTC)
        cart: Cart = {
            "profile": tom,
            "time": now,
            "items": [WINNIE],
            "value": Decimal("9.99"),
            "value_currency": "EUR",
            "checkout_url": "https://shop.example/checkout/7",
        }
        with KlaviyoHook().session() as klaviyo:
            klaviyo.send(events.create(**commerce.viewed_product(item=WINNIE, profile=tom, time=now)))
            klaviyo.send(events.create(**commerce.added_to_cart(item=WINNIE, **cart)))
            klaviyo.send(events.create(**commerce.started_checkout(cart_id=7, **cart)))

    # [END howto_commerce_cart]

    # [START howto_commerce_refund]
    @task
    def refund_event() -> None:
        """Tell that the order was refunded in full, two days later."""
        refund: Order = {**ORDER, "time": datetime(2026, 11, 3, 9, tzinfo=UTC)}
        with KlaviyoHook().session() as klaviyo:
            klaviyo.send(events.create(**commerce.refunded_order(reason="No longer needed", **refund)))

    # [END howto_commerce_refund]

    send >> refund_event()
    cart_events()

# SPDX-License-Identifier: Apache-2.0
"""A shop's customers and orders in tables, as Fivetran lays them in PostgreSQL; columns that no query of ours reads are left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_provider_klaviyo.sandbox.shopify.store import Store
from airflow_provider_klaviyo.shopify.mapping.rows import is_erased, number_of, within
from tests.transfers.warehouse import Warehouse

SYNCED = "_fivetran_synced TIMESTAMPTZ, _fivetran_deleted BOOLEAN"
TABLES = {
    "customer": f"""
        id BIGINT PRIMARY KEY, email TEXT, phone TEXT, first_name TEXT, last_name TEXT, state TEXT, verified_email BOOLEAN,
        created_at TIMESTAMPTZ, updated_at TIMESTAMPTZ, email_marketing_consent_state TEXT, {SYNCED}
    """,
    "customer_tag": "customer_id BIGINT, index INTEGER, value TEXT",
    '"order"': f"""
        id BIGINT PRIMARY KEY, customer_id BIGINT, name TEXT, email TEXT, processed_at TIMESTAMPTZ, updated_at TIMESTAMPTZ,
        cancelled_at TIMESTAMPTZ, cancel_reason TEXT, financial_status TEXT, fulfillment_status TEXT, currency TEXT,
        total_price DOUBLE PRECISION, total_discounts DOUBLE PRECISION, customer_locale TEXT, test BOOLEAN, {SYNCED}
    """,
    "order_line": """
        id BIGINT PRIMARY KEY, order_id BIGINT, index INTEGER, product_id BIGINT, variant_id BIGINT, sku TEXT, title TEXT, variant_title TEXT,
        vendor TEXT, gift_card BOOLEAN, quantity NUMERIC, price DOUBLE PRECISION
    """,
    "refund": "id BIGINT PRIMARY KEY, order_id BIGINT, created_at TIMESTAMPTZ",
    "transaction": "id BIGINT PRIMARY KEY, order_id BIGINT, refund_id BIGINT, kind TEXT, status TEXT, amount NUMERIC",
    "fulfillment": "id BIGINT PRIMARY KEY, order_id BIGINT, status TEXT, created_at TIMESTAMPTZ",
}
FULFILMENT = {"FULFILLED": "fulfilled", "PARTIALLY_FULFILLED": "partial"}
Row = tuple[Any, ...]


def lay(made: Warehouse, store: Store, *, synced: str) -> None:
    """
    Make the tables, and fill them.

    :param made: The warehouse.
    :param store: The shop.
    :param synced: When the rows came.
    """
    made.run(*(f"CREATE TABLE {name} ({columns})" for name, columns in TABLES.items()))
    made.fill("customer", ((*row, synced, False) for row in _customers(store)))
    made.fill("customer_tag", _tags(store))
    made.fill('"order"', ((*row, synced, False) for row in _orders(store)))
    made.fill("order_line", _lines(store))
    for table, rows in _about_orders(store).items():
        made.fill(table, rows)


def _customers(store: Store) -> Iterator[Row]:
    for row in store.customers.values():
        node = row.data
        yield (
            node["legacyResourceId"],
            within(node, "defaultEmailAddress", "emailAddress"),
            within(node, "defaultPhoneNumber", "phoneNumber"),
            node["firstName"],
            node["lastName"],
            node["state"].lower(),
            node["verifiedEmail"],
            node["createdAt"],
            node["updatedAt"],
            "redacted" if is_erased(node) else "subscribed",
        )


def _tags(store: Store) -> Iterator[Row]:
    for row in store.customers.values():
        for at, tag in enumerate(row.data["tags"]):
            yield row.data["legacyResourceId"], at, tag


def _orders(store: Store) -> Iterator[Row]:
    for row in store.orders.values():
        node = row.data
        customer = node["customer"]
        yield (
            node["legacyResourceId"],
            number_of(customer["id"]) if customer else None,
            node["name"],
            node["email"],
            node["processedAt"],
            node["updatedAt"],
            node["cancelledAt"],
            (node["cancelReason"] or "").lower() or None,
            node["displayFinancialStatus"].lower(),
            FULFILMENT.get(node["displayFulfillmentStatus"]),
            node["totalPriceSet"]["shopMoney"]["currencyCode"],
            node["totalPriceSet"]["shopMoney"]["amount"],
            node["totalDiscountsSet"]["shopMoney"]["amount"],
            node["customerLocale"],
            node["test"],
        )


def _lines(store: Store) -> Iterator[Row]:
    for order in store.orders.values():
        for at, row in enumerate(order.lines, 1):
            node = row.data
            yield (
                number_of(node["id"]),
                order.data["legacyResourceId"],
                at,
                within(node, "product", "legacyResourceId"),
                within(node, "variant", "legacyResourceId"),
                node["sku"],
                node["title"],
                node["variantTitle"],
                node["vendor"],
                node["isGiftCard"],
                node["quantity"],
                within(node, "originalUnitPriceSet", "shopMoney", "amount"),
            )


def _about_orders(store: Store) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {"refund": [], "transaction": [], "fulfillment": []}
    for order in store.orders.values():
        node = order.data
        for each in node["refunds"]:
            refund = number_of(each["id"])
            found["refund"].append((refund, node["legacyResourceId"], each["createdAt"]))
            amount = each["totalRefundedSet"]["shopMoney"]["amount"]
            found["transaction"].append((refund, node["legacyResourceId"], refund, "refund", "success", amount))
        for each in node["fulfillments"]:
            found["fulfillment"].append((number_of(each["id"]), node["legacyResourceId"], each["status"].lower(), each["createdAt"]))
    return found

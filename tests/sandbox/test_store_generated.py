# SPDX-License-Identifier: Apache-2.0
"""The generated shop: the same for the same seed, true to itself, and with every odd case."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import phonenumbers
import pytest

from airflow_provider_klaviyo.sandbox.shopify.generated import CASES, generate
from airflow_provider_klaviyo.sandbox.shopify.store import Store

Json = dict[str, Any]
NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def store() -> Store:
    return generate(now=NOW)


def _raw(store: Store) -> list[bytes]:
    lines = [line for order in store.orders.values() for line in order.lines]
    return [row.raw for row in (*store.customers.values(), *store.orders.values(), *lines)]


def _of(store: Store, case: str) -> list[Json]:
    rows = store.customers | store.orders
    return [rows[row_id].data for row_id in store.cases[case]]


def _lines(store: Store, order: Json) -> list[Json]:
    return [line.data for line in store.orders[order["id"]].lines]


def _amount(money: Json) -> Decimal:
    return Decimal(money["shopMoney"]["amount"])


def test_the_same_seed_makes_the_same_shop() -> None:
    one, same, other = (generate(customers=80, orders=90, seed=seed, now=NOW) for seed in (7, 7, 8))
    assert _raw(one) == _raw(same)
    assert _raw(one) != _raw(other)


def test_it_is_as_big_as_said(store: Store) -> None:
    assert (store.tallies["customers"], store.tallies["orders"]) == (2000, 3000)
    assert generate(customers=0, orders=0).tallies == {"customers": 0, "orders": 0, "lines": 0}


@pytest.mark.parametrize("size", [60, 2000])
def test_every_case_is_there_in_small_number(size: int) -> None:
    cases = generate(customers=size, orders=size, now=NOW).cases
    assert set(cases) == set(CASES)
    assert all(1 <= len(rows) <= 4 for rows in cases.values())


def test_nothing_is_later_than_now_and_the_last_day_has_changes(store: Store) -> None:
    for rows in (store.customers, store.orders):
        times = [row.updated_at for row in rows.values()]
        assert max(times) <= "2026-11-20T00:00:00Z"
        assert sum(time >= "2026-11-19T00:00:00Z" for time in times) > 50


def test_phones_are_valid_and_nobody_elses(store: Store) -> None:
    phones = [row.data["defaultPhoneNumber"] for row in store.customers.values()]
    numbers = [phone["phoneNumber"] for phone in phones if phone]
    assert len(numbers) == len(set(numbers)) > 500
    guests = [row["phone"] for row in _of(store, "guest_phone")]
    assert all(phonenumbers.is_valid_number(phonenumbers.parse(number)) for number in (*numbers, *guests))


def test_customers_without_an_identifier(store: Store) -> None:
    for row in _of(store, "no_contact"):
        assert (row["defaultEmailAddress"], row["defaultPhoneNumber"], row["defaultAddress"]) == (None, None, None)
    for row in _of(store, "bad_email"):
        assert (row["defaultEmailAddress"]["validFormat"], row["defaultPhoneNumber"]) == (False, None)
    for row in _of(store, "phone_only"):
        assert row["defaultEmailAddress"] is None
        assert row["defaultPhoneNumber"]["phoneNumber"].startswith("+1")


def test_who_was_erased_still_has_an_address(store: Store) -> None:
    """Shopify's erasure shows in the state of a channel; nothing may be sent though there is something to send."""
    for row in _of(store, "erased"):
        assert row["defaultEmailAddress"]["emailAddress"]
        assert row["defaultPhoneNumber"]["smsMarketingConsent"]["state"] == "REDACTED"


def test_texts_that_ask_for_trouble(store: Store) -> None:
    assert {row["firstName"] for row in _of(store, "template_tags")} == {"{{ first_name }}"}
    assert all('says "hello"' in row["tags"] for row in _of(store, "quoted_tags"))
    assert all(len(row["note"]) > 3000 for row in _of(store, "long_text"))
    assert {row["locale"] for row in _of(store, "locale_uk")} == {"UK"}
    assert all("{% unsubscribe %}" in _lines(store, row)[0]["title"] for row in _of(store, "template_tags_in_order"))


def test_orders_of_nobody_in_particular(store: Store) -> None:
    for case in ("no_identifier", "no_identifier_refunded"):
        for row in _of(store, case):
            assert [row[key] for key in ("customer", "email", "phone", "billingAddress")] == [None] * 4
    assert all(row["customer"] is None and row["email"] for row in _of(store, "guest_email"))
    assert all(row["customer"] is None and not row["email"] for row in _of(store, "guest_phone"))


def test_orders_with_odd_lines(store: Store) -> None:
    assert [_lines(store, row) for row in _of(store, "no_lines")] == [[]] * 4
    assert {_lines(store, row)[0]["product"] for row in _of(store, "deleted_product")} == {None}
    for row in _of(store, "deleted_variant"):
        line = _lines(store, row)[0]
        assert (line["variant"], bool(line["product"])) == (None, True)
    for row in _of(store, "same_line_twice"):
        one, other = _lines(store, row)
        assert one["id"] != other["id"]
        assert one["sku"] == other["sku"]


def test_money(store: Store) -> None:
    assert {row["totalPriceSet"]["shopMoney"]["amount"] for row in _of(store, "zero_total")} == {"0.0"}
    for row in _of(store, "presentment_jpy"):
        shown = row["totalPriceSet"]["presentmentMoney"]
        assert shown["currencyCode"] == "JPY"
        assert Decimal(shown["amount"]) % 1 == 0
    for row in (order.data for order in store.orders.values()):
        tax = Decimal(0) if row["taxesIncluded"] else _amount(row["totalTaxSet"])
        assert _amount(row["totalPriceSet"]) == _amount(row["subtotalPriceSet"]) + _amount(row["totalShippingPriceSet"]) + tax
        given = sum((_amount(each["totalRefundedSet"]) for each in row["refunds"]), Decimal(0))
        assert given == _amount(row["totalRefundedSet"]) <= _amount(row["totalPriceSet"])


@pytest.mark.parametrize(
    ("case", "financial", "fulfillment", "refunds"),
    [
        ("refunded", "REFUNDED", "FULFILLED", 1),
        ("refunded_in_two", "REFUNDED", "FULFILLED", 2),
        ("partly_refunded", "PARTIALLY_REFUNDED", "FULFILLED", 1),
        ("cancelled_unpaid", "VOIDED", "UNFULFILLED", 0),
        ("cancelled_refunded", "REFUNDED", "UNFULFILLED", 1),
        ("partly_sent", "PAID", "PARTIALLY_FULFILLED", 0),
        ("two_shipments", "PAID", "FULFILLED", 0),
        ("shipment_cancelled", "PAID", "FULFILLED", 0),
        ("test", "PAID", "UNFULFILLED", 0),
    ],
)
def test_what_followed(store: Store, case: str, financial: str, fulfillment: str, refunds: int) -> None:
    for row in _of(store, case):
        assert (row["displayFinancialStatus"], row["displayFulfillmentStatus"], len(row["refunds"])) == (financial, fulfillment, refunds)
        assert bool(row["cancelledAt"]) == case.startswith("cancelled")


def test_edits_and_imports(store: Store) -> None:
    for row in _of(store, "edited"):
        assert row["edited"]
        assert _amount(row["currentTotalPriceSet"]) < _amount(row["totalPriceSet"])
        assert _lines(store, row)[-1]["currentQuantity"] == 0
    assert all(row["processedAt"] < row["createdAt"] for row in _of(store, "imported"))


def test_customers_know_what_they_bought(store: Store) -> None:
    bought = [row["customer"]["id"] for row in (order.data for order in store.orders.values()) if row["customer"] and not row["test"]]
    told = sum(int(row.data["numberOfOrders"]) for row in store.customers.values())
    assert told == len(bought)

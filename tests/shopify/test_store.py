# SPDX-License-Identifier: Apache-2.0
"""A real shop, held against tallies that no code of ours has made."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_klaviyo.shopify import mapping
from airflow_provider_klaviyo.shopify.mapping import Mapped, Metric, OrderValue, Reason, Unmapped
from airflow_provider_klaviyo.shopify.stitching import stitch

STORE = Path(__file__).parents[2].parent / "shared/data/store"

Json = dict[str, Any]


@pytest.fixture(scope="module")
def tallies() -> Json:
    if not STORE.exists():
        pytest.skip("../shared, which holds the shop, is not beside the clone")
    read: Json = json.loads((STORE / "expected.json").read_text())
    return read


def orders() -> Iterator[Json]:
    """Yield the orders with their customers as our query asks for them: the stored one did not ask for states and formats."""
    with gzip.open(STORE / "customers.jsonl.gz") as lines:
        customers = {node["id"]: node for node in stitch(lines)}
    with gzip.open(STORE / "orders.jsonl.gz") as lines:
        for order in stitch(lines, children={"LineItem": "lineItems"}):
            yield order | {"customer": order["customer"] and customers[order["customer"]["id"]]}


def test_every_customer_is_a_profile_or_says_why_not(tallies: Json) -> None:
    with gzip.open(STORE / "customers.jsonl.gz") as lines:
        rows = [mapping.profile(node) for node in stitch(lines)]
    expected = tallies["customers"]
    assert len({row.key for row in rows}) == len(rows) == expected["rows"]
    assert Counter(row.code for row in rows if isinstance(row, Unmapped)) == {
        Reason.NO_IDENTIFIER: expected["neither"],
        Reason.MALFORMED_EMAIL: expected["email_validFormat_false"],
    }
    found = [row.data for row in rows if isinstance(row, Mapped)]
    assert len(found) == expected["loadable_by_usable_email_or_phone"]
    assert sum("email" in row for row in found) == expected["usable_email"]
    assert sum("phone_number" in row for row in found) == expected["with_phone"]
    assert sum(row["properties"].get("Locale") == "UK" for row in found) == 20
    assert all(row["email"] == row["email"].lower() for row in found if "email" in row)


@pytest.mark.parametrize("value", ["total", "subtotal_plus_shipping"])
def test_every_order_is_its_events(tallies: Json, value: OrderValue) -> None:
    counts: Counter[str] = Counter()
    sums: Counter[str] = Counter()
    refused: Counter[tuple[str, Reason]] = Counter()
    ids: set[str] = set()
    for order in orders():
        for event in mapping.events(order, metrics=tuple(Metric), value=value):
            metric = event.key.partition("/")[0]
            assert event.key not in ids
            ids.add(event.key)
            if isinstance(event, Unmapped):
                refused[metric, event.code] += 1
                continue
            counts[metric] += 1
            sums[metric] += Decimal(str(event.data.get("value", 0)))  # type: ignore[assignment]
    expected = tallies["events"]
    assert counts == {metric: expected[metric].get("events", expected[metric].get("refunds_of_them")) for metric in Metric}
    assert refused["Placed Order", Reason.TEST_ORDER] == expected["Placed Order"]["of_these_test"]
    for metric in (Metric.PLACED, Metric.FULFILLED, Metric.CANCELLED, Metric.REFUNDED):
        assert refused[metric, Reason.NO_IDENTIFIER] == expected[metric]["of_these_not_test_without_identifier"]
    assert sums["Ordered Product"] == Decimal(expected["Ordered Product"]["value_unit_price_x_quantity"])
    assert sums["Refunded Order"] == Decimal(expected["Refunded Order"]["value_total_refunded"])
    assert sums["Partially Refunded Order"] == Decimal(expected["Partially Refunded Order"]["value"])
    assert sums["Placed Order"] == Decimal(
        expected["Placed Order"]["value_total_price" if value == "total" else "value_subtotal_plus_shipping"]
    )
    if value == "total":
        assert sums["Fulfilled Order"] == Decimal(expected["Fulfilled Order"]["value_total_price"])
        assert sums["Cancelled Order"] == Decimal(expected["Cancelled Order"]["value_total_price"])

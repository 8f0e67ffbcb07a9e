# SPDX-License-Identifier: Apache-2.0
"""The generated shop as a whole."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from airflow_provider_klaviyo.sandbox.shopify.documents import Json
from airflow_provider_klaviyo.sandbox.shopify.generated.cases import ORDER_CASES
from airflow_provider_klaviyo.sandbox.shopify.generated.catalog import VARIANTS
from airflow_provider_klaviyo.sandbox.shopify.generated.drafts import Draft, Item, Shipment, written
from airflow_provider_klaviyo.sandbox.shopify.generated.people import CUSTOMER_CASES, customer, lately
from airflow_provider_klaviyo.sandbox.shopify.store import Store

COPIES = 4
CASES = (*CUSTOMER_CASES, *ORDER_CASES)
SHIPPING_TIME = timedelta(hours=30)


def generate(*, customers: int = 2000, orders: int = 3000, seed: int = 1, now: datetime | None = None) -> Store:
    """
    Make a shop.

    :param customers: How many customers.
    :param orders: How many orders.
    :param seed: Same seed and same ``now``, same shop.
    :param now: When its latest change happened at the latest; the start of the current day in UTC, where left out.
    """
    chance = random.Random(seed)
    now = (now or datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)).astimezone(UTC)
    cases: dict[str, list[str]] = {}
    people = [customer(chance, number, now) for number in range(customers)]
    for name, row in _chosen(list(CUSTOMER_CASES), people):
        CUSTOMER_CASES[name](row)
        cases.setdefault(name, []).append(row["id"])
    drafts = [_order(chance, number, people, now) for number in range(orders if people else 0)]
    for name, draft in _chosen(list(ORDER_CASES), drafts):
        ORDER_CASES[name](draft, now)
        cases.setdefault(name, []).append(draft.id)
    bought = [draft.rows() for draft in drafts]
    _count(people, [rows[0] for rows in bought])
    rows = [row for order in bought for row in order]
    store = Store.of(people, rows)
    store.cases = cases
    return store


def _chosen(names: Sequence[str], rows: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Spread the cases over the rows, each a few times; half of the rows at least stay ordinary where there are enough."""
    copies = max(1, min(COPIES, len(rows) // (2 * len(names))))
    wanted = [name for name in names for _ in range(copies)][: len(rows)]
    step = max(1, len(rows) // max(1, len(wanted)))
    for place, name in enumerate(wanted):
        yield name, rows[place * step]


def _order(chance: random.Random, number: int, people: Sequence[Json], now: datetime) -> Draft:
    """Make an ordinary order, sent after a day or so."""
    who = chance.choice(people)
    items = []
    for variant in chance.sample(VARIANTS, chance.choice((1, 1, 2, 2, 3, 4))):
        quantity = chance.choice((1, 1, 1, 2, 3))
        items.append(Item(variant, quantity, quantity))
    email, phone, home = who["defaultEmailAddress"], who["defaultPhoneNumber"], who["defaultAddress"]
    draft = Draft(
        number=number,
        customer=who,
        email=email["emailAddress"].strip().lower() if email else None,
        phone=phone["phoneNumber"] if phone and not email else None,
        address={key: value for key, value in home.items() if key != "timeZone"} if home else None,
        items=items,
        placed=lately(chance, now),
        taxes_included=bool(home) and home["countryCodeV2"] not in {"US", "CA"},
    )
    sent = draft.placed + SHIPPING_TIME * (chance.random() + 0.5)
    if sent < now:
        draft.shipments = [Shipment(sent, draft.units)]
    return draft


def _count(people: Sequence[Json], orders: Sequence[Json]) -> None:
    """Tell each customer what she bought."""
    theirs: dict[str, list[Json]] = defaultdict(list)
    for order in orders:
        if order["customer"] and not order["test"]:
            theirs[order["customer"]["id"]].append(order)
    for row in people:
        if mine := sorted(theirs[row["id"]], key=lambda order: order["processedAt"]):
            last = mine[-1]
            spent = sum((_kept(order) for order in mine), Decimal(0))
            row["numberOfOrders"] = str(len(mine))
            row["amountSpent"] = {"amount": written(spent), "currencyCode": "USD"}
            row["lastOrder"] = {"id": last["id"], "name": last["name"], "createdAt": last["createdAt"]}
            row["updatedAt"] = max(row["updatedAt"], *(order["updatedAt"] for order in mine))


def _kept(order: Json) -> Decimal:
    """Return what the shop kept of an order."""
    if order["cancelledAt"]:
        return Decimal(0)
    return Decimal(order["totalPriceSet"]["shopMoney"]["amount"]) - Decimal(order["totalRefundedSet"]["shopMoney"]["amount"])

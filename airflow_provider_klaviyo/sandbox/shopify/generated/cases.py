# SPDX-License-Identifier: Apache-2.0
"""What can be odd about an order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from airflow_provider_klaviyo.sandbox.shopify.generated.drafts import Draft, Refund, Shipment

Case = Callable[[Draft, datetime], None]

AGO = timedelta(days=6)
ALL = Decimal(1)
PAIR = 2


def _earlier(draft: Draft, now: datetime) -> None:
    """Let an order be old enough for what follows it to have happened, the last of it within the last day."""
    draft.placed = now - AGO - timedelta(minutes=draft.number % 600 + 1)
    draft.shipments = [Shipment(draft.placed + timedelta(days=1), draft.units)] if draft.units else []


def _yesterday(draft: Draft, now: datetime) -> datetime:
    return now - timedelta(hours=1, seconds=draft.number % 3600)


def _anonymous(draft: Draft, _now: datetime) -> None:
    draft.customer = draft.email = draft.phone = draft.address = None
    draft.source = "pos"


def _guest_email(draft: Draft, _now: datetime) -> None:
    draft.customer = draft.phone = None
    draft.email = f"guest{draft.number}@example.com"


def _guest_phone(draft: Draft, _now: datetime) -> None:
    draft.customer = draft.email = None
    draft.phone = f"+1929555{100 + draft.number % 100:04}"


def _old_email(draft: Draft, _now: datetime) -> None:
    draft.email = f"old.{draft.email}" if draft.email else f"old{draft.number}@example.com"


def _no_lines(draft: Draft, _now: datetime) -> None:
    draft.items, draft.shipments = [], []


def _deleted_product(draft: Draft, _now: datetime) -> None:
    draft.items[0].product_deleted = True


def _deleted_variant(draft: Draft, _now: datetime) -> None:
    draft.items[0].variant_deleted = True


def _test(draft: Draft, _now: datetime) -> None:
    draft.test, draft.shipments = True, []


def _zero(draft: Draft, _now: datetime) -> None:
    draft.discount, draft.code = ALL, "REPLACEMENT"


def _discount(draft: Draft, _now: datetime) -> None:
    draft.discount, draft.code = Decimal("0.1"), "WELCOME10"


def _in(currency: str) -> Case:
    def case(draft: Draft, _now: datetime) -> None:
        draft.currency = currency

    return case


def _two_lines(draft: Draft) -> None:
    """See that there are two lines with two units."""
    draft.items = [*draft.items, replace(draft.items[0])][:PAIR] if len(draft.items) < PAIR else draft.items
    for item in draft.items:
        item.quantity = item.current = max(PAIR, item.quantity)


def _same_line_twice(draft: Draft, _now: datetime) -> None:
    draft.items = [draft.items[0], replace(draft.items[0])]
    if draft.shipments:
        draft.shipments[0].units = draft.units


def _two_shipments(draft: Draft, now: datetime) -> None:
    _two_lines(draft)
    _earlier(draft, now)
    first = draft.items[0].quantity
    draft.shipments = [Shipment(now - timedelta(days=3), first), Shipment(_yesterday(draft, now), draft.units - first)]


def _partly_sent(draft: Draft, now: datetime) -> None:
    _two_lines(draft)
    _earlier(draft, now)
    draft.shipments = [Shipment(_yesterday(draft, now), draft.items[0].quantity)]


def _shipment_cancelled(draft: Draft, now: datetime) -> None:
    _earlier(draft, now)
    failed = Shipment(now - timedelta(days=3), draft.units, "CANCELLED")
    draft.shipments = [failed, Shipment(_yesterday(draft, now), draft.units)]


def _cancelled_unpaid(draft: Draft, now: datetime) -> None:
    _earlier(draft, now)
    draft.shipments, draft.paid = [], False
    draft.cancelled, draft.reason = _yesterday(draft, now), "DECLINED"
    _give_back(draft)


def _cancelled_refunded(draft: Draft, now: datetime) -> None:
    _earlier(draft, now)
    draft.shipments = []
    draft.cancelled, draft.reason = _yesterday(draft, now), "CUSTOMER"
    draft.refunds = [Refund(draft.cancelled, ALL)]
    _give_back(draft)


def _refunded(draft: Draft, now: datetime) -> None:
    _earlier(draft, now)
    draft.refunds = [Refund(_yesterday(draft, now), ALL)]
    _give_back(draft)


def _refunded_in_two(draft: Draft, now: datetime) -> None:
    _earlier(draft, now)
    third = Decimal("0.3333")
    draft.refunds = [Refund(now - timedelta(days=2), third), Refund(_yesterday(draft, now), ALL - third)]
    _give_back(draft)


def _partly_refunded(draft: Draft, now: datetime) -> None:
    _two_lines(draft)
    _earlier(draft, now)
    draft.refunds = [Refund(_yesterday(draft, now), Decimal("0.25"))]
    draft.items[-1].current = 0


def _anonymous_refunded(draft: Draft, now: datetime) -> None:
    _refunded(draft, now)
    _anonymous(draft, now)


def _edited(draft: Draft, now: datetime) -> None:
    _two_lines(draft)
    draft.edited = True
    draft.items[-1].current = 0
    _earlier(draft, now)


def _imported(draft: Draft, now: datetime) -> None:
    draft.placed = now - timedelta(days=900)
    draft.imported = now - timedelta(days=380)
    draft.shipments = [Shipment(draft.imported + timedelta(seconds=1), draft.units)]
    draft.tags = ["imported"]


def _template_tags(draft: Draft, _now: datetime) -> None:
    draft.items[0].title = "Mug {{ person|lookup:'x' }} {% unsubscribe %}"
    draft.note, draft.attributes = "{{ first_name }}", [{"key": "engraving", "value": "{% if 1 %}"}, {"key": "empty", "value": None}]


def _awkward_text(draft: Draft, _now: datetime) -> None:
    draft.tags = ['"quoted"', "it's", "emoji 🎏"]
    draft.items[0].attributes = [{"key": "Gravur ✓", "value": "ü" * 2000}]


def _give_back(draft: Draft) -> None:
    for item in draft.items:
        item.current = 0


ORDER_CASES: dict[str, Case] = {
    "guest_email": _guest_email,
    "guest_phone": _guest_phone,
    "no_identifier": _anonymous,
    "no_identifier_refunded": _anonymous_refunded,
    "email_changed": _old_email,
    "no_lines": _no_lines,
    "deleted_product": _deleted_product,
    "deleted_variant": _deleted_variant,
    "test": _test,
    "zero_total": _zero,
    "discount": _discount,
    "presentment_eur": _in("EUR"),
    "presentment_gbp": _in("GBP"),
    "presentment_jpy": _in("JPY"),
    "same_line_twice": _same_line_twice,
    "two_shipments": _two_shipments,
    "partly_sent": _partly_sent,
    "shipment_cancelled": _shipment_cancelled,
    "cancelled_unpaid": _cancelled_unpaid,
    "cancelled_refunded": _cancelled_refunded,
    "refunded": _refunded,
    "refunded_in_two": _refunded_in_two,
    "partly_refunded": _partly_refunded,
    "edited": _edited,
    "imported": _imported,
    "template_tags_in_order": _template_tags,
    "awkward_text": _awkward_text,
}

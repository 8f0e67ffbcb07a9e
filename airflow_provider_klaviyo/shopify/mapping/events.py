# SPDX-License-Identifier: Apache-2.0
"""
A Shopify order as Klaviyo events.

Metric and property names are those of `Klaviyo's guide <https://developers.klaviyo.com/en/docs/guide_to_integrating_a_platform_without_a_pre_built_klaviyo_integration>`__,
and where that has none, those of Klaviyo's own Shopify integration.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Literal, Never

from airflow_provider_klaviyo.api import commerce
from airflow_provider_klaviyo.api.items import about_items
from airflow_provider_klaviyo.api.request import Json
from airflow_provider_klaviyo.api.values import filled
from airflow_provider_klaviyo.shopify.errors import ShopifyConfigError
from airflow_provider_klaviyo.shopify.mapping.items import address_of, item_of, money, price_paid, tracking_of
from airflow_provider_klaviyo.shopify.mapping.rows import (
    Mapped,
    Reason,
    Unmapped,
    email,
    email_of,
    is_erased,
    moment,
    number_of,
    phone,
    phone_of,
    plain,
    within,
)

OrderValue = Literal["total", "subtotal_plus_shipping"]
"""What an order is worth: all that was charged, or what Klaviyo's own integration counts."""


class Metric(StrEnum):
    """The metrics an order can give."""

    PLACED = commerce.PLACED_ORDER
    ORDERED = commerce.ORDERED_PRODUCT
    FULFILLED = commerce.FULFILLED_ORDER
    PARTLY_FULFILLED = "Fulfilled Partial Order"
    CANCELLED = commerce.CANCELLED_ORDER
    REFUNDED = commerce.REFUNDED_ORDER
    PARTLY_REFUNDED = "Partially Refunded Order"

    @classmethod
    def _missing_(cls, value: object) -> Never:
        raise ShopifyConfigError(f"{value!r} is no metric of an order: there are {', '.join(repr(str(each)) for each in cls)}.")


DEFAULT_METRICS: tuple[Metric, ...] = tuple(each for each in Metric if each is not Metric.PARTLY_REFUNDED)
"""Klaviyo's own integration sends nothing for a part of an order refunded; ask for it to have it."""

FULFILLED, SUCCESS, REFUNDED, PARTLY_REFUNDED = "FULFILLED", "SUCCESS", "REFUNDED", "PARTIALLY_REFUNDED"


def events(
    order: Json,
    *,
    metrics: Collection[Metric | str] = DEFAULT_METRICS,
    value: OrderValue = "total",
    shop_prefix: str | None = None,
    names: Mapping[Metric, str] | None = None,
    details: Json | None = None,
) -> Iterator[Mapped | Unmapped]:
    """
    Map an order to its events.

    The same order gives the same ``unique_id`` whenever it is read: sending it again is safe, and later corrections do
    not land. Cancelled and Refunded Order share Placed Order's, as Klaviyo's customer lifetime value needs it.

    :param order: A node of :func:`airflow_provider_klaviyo.shopify.queries.orders`, its lines as a list at ``lineItems``.
    :param metrics: The metrics wanted.
    :param value: What an order is worth: ``"total"`` or ``"subtotal_plus_shipping"``. In the shop's currency.
    :param shop_prefix: Stands before each ``unique_id``, where several shops feed one Klaviyo account.
    :param names: Other names for metrics, such as ``{Metric.CANCELLED: "Canceled Order"}``.
    :param details: The order's answer of :func:`airflow_provider_klaviyo.shopify.queries.order_details`: the lines of its
        fulfilments and refunds.
    :raises ShopifyConfigError: A metric is none of :class:`Metric`.
    """
    named = {Metric(metric): name for metric, name in (names or {}).items()}
    wanted = [(metric, named.get(metric, str(metric))) for metric in map(Metric, metrics)]
    return _events(_Order(order, value, details), wanted, f"{shop_prefix}:" if shop_prefix else "")


def needs_details(order: Json) -> bool:
    """Return whether :func:`events` could say more with the lines of the order's fulfilments and refunds."""
    return bool(order.get("refunds")) or (order.get("displayFulfillmentStatus") != FULFILLED and bool(order.get("fulfillments")))


def _events(order: _Order, metrics: list[tuple[Metric, str]], prefix: str) -> Iterator[Mapped | Unmapped]:
    who = _person(order.node)
    for metric, name in metrics:
        for event in RULES[metric](order):
            unique_id = prefix + event.id
            key = f"{name}/{unique_id}"
            if isinstance(who, Reason):
                yield Unmapped.because(key, who)
                continue
            worth = {} if event.value is None else {"value": float(event.value), "value_currency": order.currency}
            common = {"metric": name, "profile": dict(who), "time": moment(event.time), "unique_id": unique_id}
            yield Mapped(key, {**common, **worth, "properties": event.properties})


def _person(order: Json) -> dict[str, str] | Reason:
    """Return the one identifier of the person, because two of them may belong to two people, or why there is none to use."""
    customer = order.get("customer")
    if is_erased(customer):
        return Reason.ERASED
    if order.get("test"):
        return Reason.TEST_ORDER
    address, given = plain(within(customer, "defaultEmailAddress", "emailAddress")), plain(order.get("email"))
    # An address that Shopify calls malformed is no better where the order repeats it.
    if usable := email_of(customer) or (email(given) if given != address else None):
        return {"email": usable}
    if number := phone_of(customer) or phone(order.get("phone")):
        return {"phone_number": number}
    return Reason.MALFORMED_EMAIL if address or given else Reason.NO_IDENTIFIER


@dataclass(frozen=True, slots=True)
class _Event:
    id: str
    time: str
    value: Decimal | float | None
    properties: Json


class _Order:
    """One order, read once for all its metrics."""

    def __init__(self, node: Json, value: OrderValue, details: Json | None) -> None:
        self.node, self.details = node, details or {}
        self.id = str(node.get("legacyResourceId") or number_of(node["id"]))
        self.lines: list[Json] = node.get("lineItems") or []
        self.currency: str = within(node, "totalPriceSet", "shopMoney", "currencyCode")
        self._subtotal_plus_shipping = value == "subtotal_plus_shipping"

    @cached_property
    def value(self) -> Decimal:
        subtotal, shipping = money(self.node.get("subtotalPriceSet")), money(self.node.get("totalShippingPriceSet"))
        if self._subtotal_plus_shipping and subtotal is not None:
            return subtotal + (shipping or 0)
        return money(self.node["totalPriceSet"]) or Decimal(0)

    @cached_property
    def line_by_id(self) -> dict[str, Json]:
        return {line["id"]: line for line in self.lines}

    @cached_property
    def items(self) -> list[Json]:
        return [item_of(line, line.get("quantity") or 0) for line in self.lines]

    def fulfilments(self) -> list[Json]:
        return [each for each in self.node.get("fulfillments") or [] if each.get("status") == SUCCESS]

    def refunds(self) -> list[Json]:
        return self.node.get("refunds") or []

    def lines_of(self, kind: str, lines: str, gid: str) -> list[tuple[Json, int]] | None:
        """Return the lines of one fulfilment or refund with their quantities, or ``None`` where not all are known."""
        found = next((each for each in self.details.get(kind) or [] if each["id"] == gid), None)
        page = (found or {}).get(lines)
        if page is None or within(page, "pageInfo", "hasNextPage"):
            return None
        pairs = [(self.line_by_id.get(within(row, "lineItem", "id") or ""), row.get("quantity") or 0) for row in page["nodes"]]
        known = [(line, quantity) for line, quantity in pairs if line is not None]
        return known if len(known) == len(pairs) else None

    @cached_property
    def properties(self) -> Json:
        """What all events of the order say."""
        node = self.node
        codes, discount = node.get("discountCodes") or [], money(node.get("totalDiscountsSet"))
        charged, presented = within(node, "totalPriceSet", "presentmentMoney") or {}, node.get("presentmentCurrencyCode")
        foreign = bool(presented) and presented != self.currency
        return filled(
            {
                "OrderId": self.id,
                "OrderName": node.get("name"),
                "DiscountCode": ", ".join(codes),
                "DiscountValue": None if discount is None else float(discount),
                "Source Name": within(node, "app", "name") or node.get("sourceName"),
                "Customer Locale": node.get("customerLocale"),
                "Order Tags": node.get("tags"),
                "Financial Status": node.get("displayFinancialStatus"),
                "Fulfillment Status": node.get("displayFulfillmentStatus"),
                "Presentment Currency": presented if foreign else None,
                "Presentment Total": float(charged["amount"]) if foreign and charged.get("amount") else None,
            }
        )

    @cached_property
    def with_items(self) -> Json:
        """What the events about the whole order say."""
        return {
            **self.properties,
            **about_items(self.items),
            **filled(
                {
                    "BillingAddress": address_of(self.node.get("billingAddress")),
                    "ShippingAddress": address_of(self.node.get("shippingAddress")),
                }
            ),
        }


def _placed(order: _Order) -> Iterator[_Event]:
    yield _Event(order.id, order.node["processedAt"], order.value, order.with_items)


def _ordered(order: _Order) -> Iterator[_Event]:
    """One event a line: a line's own id keeps two lines of one second apart."""
    common = filled({"OrderId": order.id, "OrderName": order.node.get("name")})
    for line, item in zip(order.lines, order.items, strict=True):
        properties = {**common, **item}
        if brand := properties.pop("Brand", None):
            properties["ProductBrand"] = brand
        yield _Event(f"{order.id}:{number_of(line['id'])}", order.node["processedAt"], item.get("RowTotal"), properties)


def _fulfilled(order: _Order) -> Iterator[_Event]:
    if order.node.get("displayFulfillmentStatus") != FULFILLED:
        return
    sent = order.fulfilments()
    last = max((each["createdAt"] for each in sent), default=order.node["processedAt"])
    yield _Event(order.id, last, order.value, order.with_items | tracking_of(sent))


def _partly_fulfilled(order: _Order) -> Iterator[_Event]:
    if order.node.get("displayFulfillmentStatus") == FULFILLED:
        return
    for each in order.fulfilments():
        lines = order.lines_of("fulfillments", "fulfillmentLineItems", each["id"])
        value = None if lines is None else sum((price_paid(line) * quantity for line, quantity in lines), Decimal(0))
        items = {"Item Count": each.get("totalQuantity")} if lines is None else about_items([item_of(*line) for line in lines])
        yield _Event(number_of(each["id"]), each["createdAt"], value, order.properties | filled(items) | tracking_of([each]))


def _cancelled(order: _Order) -> Iterator[_Event]:
    if when := order.node.get("cancelledAt"):
        yield _Event(order.id, when, order.value, order.with_items | filled({"Reason": order.node.get("cancelReason")}))


def _refunded(order: _Order) -> Iterator[_Event]:
    if order.node.get("displayFinancialStatus") != REFUNDED:
        return
    fallback = order.node.get("cancelledAt") or order.node["processedAt"]
    last = max((each["createdAt"] for each in order.refunds() if each.get("createdAt")), default=fallback)
    reason = filled({"Reason": order.node.get("cancelReason")})
    yield _Event(order.id, last, money(order.node.get("totalRefundedSet")), order.with_items | reason)


def _partly_refunded(order: _Order) -> Iterator[_Event]:
    if order.node.get("displayFinancialStatus") != PARTLY_REFUNDED:
        return
    for each in order.refunds():
        lines = order.lines_of("refunds", "refundLineItems", each["id"])
        when = each.get("createdAt") or order.node["processedAt"]
        properties = order.properties | ({} if lines is None else about_items([item_of(*line) for line in lines]))
        yield _Event(number_of(each["id"]), when, money(each.get("totalRefundedSet")), properties)


RULES: dict[Metric, Callable[[_Order], Iterator[_Event]]] = {
    Metric.PLACED: _placed,
    Metric.ORDERED: _ordered,
    Metric.FULFILLED: _fulfilled,
    Metric.PARTLY_FULFILLED: _partly_fulfilled,
    Metric.CANCELLED: _cancelled,
    Metric.REFUNDED: _refunded,
    Metric.PARTLY_REFUNDED: _partly_refunded,
}

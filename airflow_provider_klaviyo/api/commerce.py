# SPDX-License-Identifier: Apache-2.0
"""
The standard e-commerce events, under the names that Klaviyo's flows, segments and predictions look for.

Metric and property names are those of `Klaviyo's guide <https://developers.klaviyo.com/en/docs/guide_to_integrating_a_platform_without_a_pre_built_klaviyo_integration>`__.
Each function checks what it is given and returns an event in JSON's own types: :func:`events.create` takes it as ``**event``,
the event operators and the loads take it as it is, and XCom carries it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Required, TypedDict, Unpack, cast, get_args

from airflow_provider_klaviyo.api import bodies
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.items import (
    Address,
    Id,
    Item,
    Money,
    about_items,
    address_properties,
    amount,
    in_key,
    item_properties,
    line_key,
    needed,
    text,
    with_details,
)
from airflow_provider_klaviyo.api.jsonapi import given
from airflow_provider_klaviyo.api.request import Json
from airflow_provider_klaviyo.api.values import filled

PLACED_ORDER = "Placed Order"
ORDERED_PRODUCT = "Ordered Product"
STARTED_CHECKOUT = "Started Checkout"
ADDED_TO_CART = "Added to Cart"
VIEWED_PRODUCT = "Viewed Product"
FULFILLED_ORDER = "Fulfilled Order"
CANCELLED_ORDER = "Cancelled Order"
REFUNDED_ORDER = "Refunded Order"

Cancelled = Literal["Cancelled Order", "Canceled Order"]

AT_THE_TOP = {"ProductURL": "URL", "ItemPrice": "Price"}
"""What properties of an item are called where they stand at the top of an event."""

Who = bodies.EventProfile | Mapping[str, Any]


class Happening(TypedDict, total=False):
    """
    What all events say, by keyword.

    :param profile: Who: attributes with an identifier.
    :param time: When, as an aware datetime or ISO 8601 text with an offset.
    :param unique_id: What tells the event from others of its metric and profile; each function says what it is where left out.
    :param properties: Details of your own.
    """

    profile: Required[Who]
    time: Required[datetime | str]
    unique_id: str | None
    properties: Mapping[str, Any] | None


class Order(Happening, total=False):
    """
    What the events of an order say beside :class:`Happening`.

    :param order_id: The shop's id of it, which is the ``unique_id`` as well. Klaviyo's lifetime value counts a cancelled or refunded
        order only where its ``unique_id`` is that of Placed Order. Of each it keeps the first: give a second refund one of its own.
    :param value: The order's total; the amount that is cancelled or refunded.
    :param value_currency: The currency of all amounts, ISO 4217; the account's where left out.
    :param items: What was ordered, sent, cancelled or refunded.
    :param discount_code: The code that was used.
    :param discount_value: What it took off.
    :param billing_address: Where the order is billed.
    :param shipping_address: Where it is sent to.
    """

    order_id: Required[Id]
    value: Required[Money]
    value_currency: str | None
    items: Sequence[Item] | None
    discount_code: str | None
    discount_value: Money | None
    billing_address: Address | None
    shipping_address: Address | None


class Cart(Happening, total=False):
    """
    What the events of a cart say beside :class:`Happening`.

    :param items: All that is in the cart now.
    :param value: The cart's total.
    :param value_currency: The currency of all amounts, ISO 4217; the account's where left out.
    :param checkout_url: Where to order it.
    """

    items: Required[Sequence[Item]]
    value: Required[Money]
    value_currency: str | None
    checkout_url: str | None


def placed_order(**order: Unpack[Order]) -> bodies.Event:
    """
    Return the event that an order was placed; for the parameters see :class:`Order`. Klaviyo wants :func:`ordered_products` beside it.

    :raises KlaviyoConfigError: Something is missing, misspelt, or cannot be what it is said to be. So for all functions here.
    """
    return _order(PLACED_ORDER, order)


def fulfilled_order(**order: Unpack[Order]) -> bodies.Event:
    """Return the event that an order was sent; for the parameters see :class:`Order`. Parcels go under ``properties``."""
    return _order(FULFILLED_ORDER, order)


def cancelled_order(*, reason: str | None = None, metric: Cancelled = "Cancelled Order", **order: Unpack[Order]) -> bodies.Event:
    """
    Return the event that an order was cancelled; for the other parameters see :class:`Order`.

    :param reason: Why.
    :param metric: Klaviyo's integrations say "Cancelled Order", its newer guide "Canceled Order": one account should have one of them.
    """
    if metric not in get_args(Cancelled):
        raise KlaviyoConfigError(f"metric is one of {', '.join(get_args(Cancelled))}")
    return _order(metric, order, reason)


def refunded_order(*, reason: str | None = None, **order: Unpack[Order]) -> bodies.Event:
    """
    Return the event that an order was refunded; for the other parameters see :class:`Order`.

    :param reason: Why.
    """
    return _order(REFUNDED_ORDER, order, reason)


def ordered_products(**order: Unpack[Order]) -> list[bodies.Event]:
    """
    Return an Ordered Product event for each item of an order; for the parameters see :class:`Order`.

    They share the order's id, person, time and currency. An item is told from the others by its ``line_id``, or else by its variant,
    SKU, product or name, and by how many of the same came before it.
    """
    _check(ORDERED_PRODUCT, order, Order, "order_id")
    common: Json = {name: order.get(name) for name in ("order_id", "profile", "time", "value_currency")}
    seen, events = Counter[str](), []
    for at, item in enumerate(_listed(order.get("items") or ())):
        own = item_properties(item, f"items[{at}]")
        seen[key := line_key(item)] += 1
        events.append(_product(own, line_key(item, seen[key]), common))
    return events


def ordered_product(*, order_id: Id, item: Item, value_currency: str | None = None, **event: Unpack[Happening]) -> bodies.Event:
    """
    Return the event that one item was ordered, worth the row's total; for the other parameters see :class:`Happening`.

    :func:`ordered_products` returns those of all items of an order.

    :param order_id: The shop's id of the order: with the item's ``line_id``, or else variant, SKU or product, it makes the ``unique_id``.
    :param item: What. Two lines of one product need a ``line_id`` to be two events.
    :param value_currency: The currency of all amounts, ISO 4217.
    """
    _check(ORDERED_PRODUCT, event, Happening)
    own = item_properties(item, "item")
    return _product(own, line_key(item), {**event, "order_id": order_id, "value_currency": value_currency})


def started_checkout(*, cart_id: Id, **cart: Unpack[Cart]) -> bodies.Event:
    """
    Return the event that somebody went to the checkout; for the other parameters see :class:`Cart`.

    :param cart_id: The shop's id of the cart: with the time, it makes the ``unique_id``.
    """
    _check(STARTED_CHECKOUT, cart, Cart, "items", "value")
    own = about_items(_items(cart["items"]))
    return _cart(STARTED_CHECKOUT, {**own, "Items": _unordered(own["Items"])}, cart, needed(cart_id, "cart_id"))


def added_to_cart(*, item: Item, **cart: Unpack[Cart]) -> bodies.Event:
    """
    Return the event that somebody put something into a cart; for the other parameters see :class:`Cart`.

    As in Klaviyo's guide, ``AddedItemCategories`` are those of the whole cart.

    :param item: What was added, and how much of it: with the time, it makes the ``unique_id``.
    """
    _check(ADDED_TO_CART, cart, Cart, "items", "value")
    added, about = _at_the_top(item_properties(item, "item")), about_items(_items(cart["items"]))
    own = {f"AddedItem{name}": value for name, value in {**added, "Categories": about["Categories"]}.items()}
    return _cart(ADDED_TO_CART, {**own, "ItemNames": about["ItemNames"], "Items": _unordered(about["Items"])}, cart, line_key(item))


def viewed_product(*, item: Item, **event: Unpack[Happening]) -> bodies.Event:
    """
    Return the event that somebody looked at a product, which has no value; for the other parameters see :class:`Happening`.

    :param item: What: with the time, it makes the ``unique_id``.
    """
    _check(VIEWED_PRODUCT, event, Happening)
    own = _at_the_top(item_properties(item, "item"))
    own.pop("Quantity")
    return _event(VIEWED_PRODUCT, own, event, _now(line_key(item), event))


def _order(metric: str, order: Order, reason: str | None = None) -> bodies.Event:
    _check(metric, order, Order, "order_id", "value")
    order_id, items = needed(order["order_id"], "order_id"), order.get("items")
    own = {
        **filled(
            {
                "OrderId": order_id,
                "Reason": text(reason, "reason"),
                "DiscountCode": text(order.get("discount_code"), "discount_code"),
                "DiscountValue": amount(order.get("discount_value"), "discount_value"),
                "BillingAddress": address_properties(order.get("billing_address"), "billing_address"),
                "ShippingAddress": address_properties(order.get("shipping_address"), "shipping_address"),
            }
        ),
        **({} if items is None else about_items(_items(items))),
    }
    return _event(metric, own, order, order_id, amount(order["value"], "value"))


def _cart(metric: str, own: Json, cart: Cart, key: str) -> bodies.Event:
    own |= filled({"CheckoutURL": text(cart.get("checkout_url"), "checkout_url")})
    return _event(metric, own, cart, _now(key, cart), amount(cart["value"], "value"))


def _product(item: Json, line: str, said: Mapping[str, Any]) -> bodies.Event:
    order_id = needed(said["order_id"], "order_id")
    own = {"OrderId": order_id, **item}
    if brand := own.pop("Brand", None):
        own["ProductBrand"] = brand  # as Klaviyo's guide has it, for this metric alone
    return _event(ORDERED_PRODUCT, own, said, f"{in_key(order_id)}:{line}", item.get("RowTotal"))


def _event(metric: str, own: Json, said: Mapping[str, Any], unique_id: str, value: float | None = None) -> bodies.Event:
    event = given(
        metric=metric,
        profile=said["profile"],
        time=said["time"],
        value=value,
        value_currency=said.get("value_currency"),
        unique_id=said.get("unique_id") or unique_id,
        properties=with_details(own, said.get("properties"), metric),
    )
    return cast("bodies.Event", given(**bodies.checked_event(event)))


def _check(metric: str, said: Mapping[str, Any], known: Any, *required: str) -> None:
    """Check what ``Unpack`` tells type checkers alone."""
    bodies.check_names(said, frozenset(known.__annotations__), metric)
    if missing := [name for name in ("profile", "time", *required) if said.get(name) is None]:
        raise KlaviyoConfigError(f"{metric} needs {', '.join(missing)}")


def _listed(items: Any) -> Sequence[Item]:
    if isinstance(items, str) or not isinstance(items, Sequence):
        raise KlaviyoConfigError(f"items is a list of items, not a {type(items).__name__}")
    return items


def _items(items: Any) -> list[Json]:
    return [item_properties(item, f"items[{at}]") for at, item in enumerate(_listed(items))]


def _at_the_top(item: Json) -> Json:
    """Return an item's properties as they are called outside of a list, where there is no row."""
    return {AT_THE_TOP.get(name, name): value for name, value in item.items() if name != "RowTotal"}


def _unordered(items: list[Json]) -> list[Json]:
    """Return items as Klaviyo's guide has them before they are ordered."""
    return [{("ProductCategories" if name == "Categories" else name): value for name, value in item.items()} for item in items]


def _now(key: str, said: Mapping[str, Any]) -> str:
    return f"{key}_{int(datetime.fromisoformat(bodies.moment(said['time'])).timestamp())}"

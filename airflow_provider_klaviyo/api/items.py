# SPDX-License-Identifier: Apache-2.0
"""The parts of an order as event properties, under the names of Klaviyo's guide: items, addresses, ids, amounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import inf, nan
from numbers import Integral
from typing import Any, Required, TypedDict

from airflow_provider_klaviyo.api import bodies
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.request import Json
from airflow_provider_klaviyo.api.values import distinct, filled

Money = Decimal | float
"""An amount in whole units of its currency (29.98, not cents), 0 or more."""
Id = str | int
"""A text, or a whole number, which is sent as one."""


class Item(TypedDict, total=False):
    """
    A product that is ordered, in a cart, or looked at.

    ``quantity`` is 1 where it is left out, ``row_total`` is ``price`` times ``quantity``. ``line_id`` tells a line of an order from
    its others, and is not sent. ``properties`` are details of your own.
    """

    product_name: Required[str]
    product_id: Id | None
    variant_id: Id | None
    line_id: Id | None
    sku: Id | None
    variant_name: str | None
    quantity: Money
    price: Money | None
    row_total: Money | None
    compare_at_price: Money | None
    url: str | None
    image_url: str | None
    categories: Sequence[str] | None
    brand: str | None
    properties: Mapping[str, Any] | None


class Address(TypedDict, total=False):
    """Where an order is billed, or sent to. It does not become the profile's location."""

    first_name: str | None
    last_name: str | None
    company: str | None
    address1: str | None
    address2: str | None
    city: str | None
    region: str | None
    region_code: str | None
    country: str | None
    country_code: str | None
    zip: str | None
    phone: str | None


ITEM_FIELDS = frozenset(Item.__annotations__)
ADDRESS_NAMES = {name: name.title().replace("_", "") for name in Address.__annotations__}


def about_items(items: list[Json]) -> Json:
    """
    Return the properties that tell of items; segments look no deeper than these.

    :param items: Items under Klaviyo's names.
    """
    return {
        "ItemNames": distinct(item.get("ProductName") for item in items),
        "Categories": distinct(name for item in items for name in item.get("Categories", ())),
        "Brands": distinct(item.get("Brand") for item in items),
        "Item Count": len(items),
        "Items": items,
    }


def item_properties(item: Item, where: str) -> Json:
    """
    Return an item under Klaviyo's names.

    :param item: The item.
    :param where: What it is called in messages.
    :raises KlaviyoConfigError: It has no name, a field of another name, or one that cannot be what it is said to be.
    """
    bodies.check_names(item, ITEM_FIELDS, where)
    price, quantity = amount(item.get("price"), f"{where}: price"), _quantity(item.get("quantity", 1), f"{where}: quantity")
    total = amount(item.get("row_total"), f"{where}: row_total")
    if total is None and price is not None:
        total = float(Decimal(str(price)) * Decimal(str(quantity)))  # floats would drift by fractions of a cent
    own = filled(
        {
            "ProductID": text(item.get("product_id"), f"{where}: product_id"),
            "VariantID": text(item.get("variant_id"), f"{where}: variant_id"),
            "SKU": text(item.get("sku"), f"{where}: sku"),
            "ProductName": needed(item.get("product_name"), f"{where}: product_name"),
            "VariantName": text(item.get("variant_name"), f"{where}: variant_name"),
            "Quantity": quantity,
            "ItemPrice": price,
            "RowTotal": total,
            "CompareAtPrice": amount(item.get("compare_at_price"), f"{where}: compare_at_price"),
            "ProductURL": text(item.get("url"), f"{where}: url"),
            "ImageURL": text(item.get("image_url"), f"{where}: image_url"),
            "Categories": _categories(item.get("categories"), f"{where}: categories"),
            "Brand": text(item.get("brand"), f"{where}: brand"),
        }
    )
    return with_details(own, item.get("properties"), where)


def line_key(item: Item, number: int = 1) -> str:
    """
    Return what tells an item from others: its ``line_id``, or else its variant, SKU, product or name, as ``variant:8``.

    No two items have one, whatever their ids: those of different kinds differ by the kind, and ``:`` within one is written ``%3A``.
    A ``line_id`` stands alone, as Shopify's do in the events that are made of its orders.

    :param item: A checked item.
    :param number: Which it is of several that are told by the same.
    :raises KlaviyoConfigError: Its ``line_id`` is no id.
    """
    known = {
        "line": item.get("line_id"),
        "variant": item.get("variant_id"),
        "sku": item.get("sku"),
        "product": item.get("product_id"),
        "name": item["product_name"],
    }
    kind, own = next((kind, in_key(found)) for kind, each in known.items() if (found := text(each, "line_id")))
    if number > 1:
        return f"{kind}:{own}:{number}"
    return own if kind == "line" else f"{kind}:{own}"


def in_key(text: str) -> str:
    """Return a text as it stands within a key whose parts ``:`` divides."""
    return text.replace("%", "%25").replace(":", "%3A")


def address_properties(address: Address | None, where: str) -> Json:
    """
    Return an address under Klaviyo's names, ``{}`` for none.

    :param address: The address.
    :param where: What it is called in messages.
    :raises KlaviyoConfigError: It has a field of another name, or one that is no text.
    """
    found: Mapping[str, Any] = address or {}
    bodies.check_names(found, frozenset(ADDRESS_NAMES), where)
    return filled({ADDRESS_NAMES[name]: text(value, f"{where}: {name}") for name, value in found.items()})


def with_details(own: Json, details: Mapping[str, Any] | None, where: str) -> Json:
    """
    Add a user's properties to ours.

    :param own: Ours.
    :param details: The user's.
    :param where: What they are about, for messages.
    :raises KlaviyoConfigError: They would overwrite some.
    """
    details = {} if details is None else details
    if not isinstance(details, Mapping):
        raise KlaviyoConfigError(f"{where}: properties is a mapping of names to values, not a {type(details).__name__}")
    if taken := sorted(own.keys() & details.keys()):
        raise KlaviyoConfigError(f"{where} says {', '.join(taken)} already: properties adds to it and overwrites nothing")
    return {**own, **details}


def amount(value: Any, what: str) -> float | None:
    """
    Return an amount as JSON has it.

    :param value: The amount, or ``None``.
    :param what: What it is, for messages.
    :raises KlaviyoConfigError: It is no number of 0 or more.
    """
    if value is None:
        return None
    number: float = nan
    if isinstance(value, Integral) and not isinstance(value, bool):
        number = int(value)
    elif isinstance(value, float) or (isinstance(value, Decimal) and not value.is_nan()):
        number = float(value)
    if not 0 <= number < inf:
        raise KlaviyoConfigError(f"{what} is a number of 0 or more: an int, a float or a Decimal")
    return number


def text(value: Any, what: str) -> str | None:
    """
    Return a text without blanks around it, ``None`` for an empty one; of a whole number its digits.

    :param value: The text, or ``None``.
    :param what: What it is, for messages.
    :raises KlaviyoConfigError: It is neither. A float is no id: 1001.0 would be another than 1001.
    """
    if value is None or isinstance(value, str):
        return (value or "").strip() or None
    if isinstance(value, Integral) and not isinstance(value, bool):
        return str(int(value))
    raise KlaviyoConfigError(f"{what} is a text or a whole number, not a {type(value).__name__}")


def needed(value: Any, what: str) -> str:
    """
    Return a text that must be there.

    :param value: The text.
    :param what: What it is, for messages.
    :raises KlaviyoConfigError: There is none.
    """
    if found := text(value, what):
        return found
    raise KlaviyoConfigError(f"{what} is needed")


def _quantity(value: Any, what: str) -> float:
    number = amount(value, what)
    if number is None:
        raise KlaviyoConfigError(f"{what} is a number of 0 or more: leave it out for 1")
    return int(number) if number == int(number) else number  # "2", not "2.0", in the mails that show it


def _categories(value: Any, what: str) -> list[str]:
    names = () if value is None else value
    if isinstance(names, str) or not isinstance(names, Sequence) or not all(isinstance(each, str) for each in names):
        raise KlaviyoConfigError(f"{what} is a list of texts")
    return distinct(names)

# SPDX-License-Identifier: Apache-2.0
"""Rows of catalog jobs: items, variants and categories as a person writes them, checked, and as Klaviyo takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, TypedDict, get_args

from airflow_provider_klaviyo.api.bodies import check_names, plain
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.items import needed
from airflow_provider_klaviyo.api.jsonapi import given, identifiers
from airflow_provider_klaviyo.api.request import Json

Id = str | int
Number = Decimal | float
InventoryPolicy = Literal[0, 1, 2]

MOST = 100
"""Rows a job takes."""
PREFIX = "$custom:::$default:::"
"""What ids begin with. Klaviyo lets the API write its own integration's objects alone, and that has one catalog."""


class Item(TypedDict, total=False):
    """
    A product. ``None`` clears a field, absence leaves it.

    It is known by its ``external_id``, which a change may give as ``id`` in Klaviyo's form (``$custom:::$default:::SKU1``).
    A new one needs ``external_id``, ``title``, ``description`` and ``url``. ``categories`` are all it is in, by their ids.
    """

    id: Id
    external_id: Id
    title: str | None
    description: str | None
    url: str | None
    price: Number | None
    image_full_url: str | None
    image_thumbnail_url: str | None
    images: Sequence[str] | None
    custom_metadata: Mapping[str, Any] | None
    published: bool | None
    categories: Sequence[Id]


class Variant(TypedDict, total=False):
    """
    A size or colour of a product; identified and changed as an :class:`Item` is.

    A new one needs ``external_id``, ``title``, ``description``, ``url``, ``sku``, ``price``, ``inventory_quantity`` and ``item``, the
    id of its product, which cannot change. With an ``inventory_policy`` of 1 it is not recommended while it is out of stock.
    """

    id: Id
    external_id: Id
    title: str | None
    description: str | None
    url: str | None
    sku: Id | None
    inventory_policy: InventoryPolicy | None
    inventory_quantity: Number | None
    price: Number | None
    image_full_url: str | None
    image_thumbnail_url: str | None
    images: Sequence[str] | None
    custom_metadata: Mapping[str, Any] | None
    published: bool | None
    item: Id


class Category(TypedDict, total=False):
    """
    A group of products; identified and changed as an :class:`Item` is.

    A new one needs ``external_id`` and ``name``. ``items`` are all that are in it, by their ids.
    """

    id: Id
    external_id: Id
    name: str | None
    items: Sequence[Id]


@dataclass(frozen=True, slots=True)
class Resource:
    """
    One of the three.

    :param type: Klaviyo's name of it.
    :param rows: What several are called, in bodies and in messages.
    :param names: The names a row may have.
    :param needed: Those a new one must have.
    :param fixed: Those that cannot change.
    """

    type: str
    rows: str
    names: frozenset[str]
    needed: tuple[str, ...]
    fixed: frozenset[str] = frozenset()


ITEMS = Resource("catalog-item", "items", frozenset(Item.__annotations__), ("external_id", "title", "description", "url"))
VARIANTS = Resource(
    "catalog-variant",
    "variants",
    frozenset(Variant.__annotations__),
    ("external_id", "title", "description", "url", "sku", "price", "inventory_quantity", "item"),
    fixed=frozenset({"item"}),
)
CATEGORIES = Resource("catalog-category", "categories", frozenset(Category.__annotations__), ("external_id", "name"))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


IDENTITY = frozenset({"id", "external_id"})
RELATED = {"categories": "catalog-category", "items": "catalog-item", "item": "catalog-item"}
FORMS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "price": (_is_number, "a number"),
    "inventory_quantity": (_is_number, "a number"),
    "inventory_policy": (lambda value: type(value) is int and value in get_args(InventoryPolicy), "0, 1 or 2"),
    "images": (lambda value: isinstance(value, list) and all(isinstance(each, str) for each in value), "a list of addresses"),
    "custom_metadata": (lambda value: isinstance(value, dict), "a mapping of names to values"),
    "published": (lambda value: isinstance(value, bool), "true or false"),
}
"""The forms of what is no text."""


def new(resource: Resource, rows: Sequence[Mapping[str, Any]]) -> list[Json]:
    """
    Return rows as a job takes them that makes them.

    :param resource: What they are.
    :param rows: The rows.
    :raises KlaviyoConfigError: There are none, or too many; or one lacks something, has an unknown name or a value of a wrong form.
    """
    return [_new(resource, row, where) for where, row in _each(resource.rows, rows, resource.names - {"id"})]


def changed(resource: Resource, rows: Sequence[Mapping[str, Any]]) -> list[Json]:
    """
    Return rows as a job takes them that changes them.

    :param resource: What they are.
    :param rows: The rows, each with an id.
    :raises KlaviyoConfigError: As for :func:`new`, or one changes nothing.
    """
    return [_changed(resource, row, where) for where, row in _each(resource.rows, rows, resource.names)]


def gone(resource: Resource, ids: Sequence[Id], what: str) -> list[Json]:
    """
    Return ids as a job takes them that deletes.

    :param resource: What they are ids of.
    :param ids: The ids.
    :param what: What they are called in messages.
    :raises KlaviyoConfigError: There are none, or too many, or one is none.
    """
    _check_count(what, ids)
    found: list[Json] = identifiers(resource.type, [full_id(each, f"{what}[{at}]") for at, each in enumerate(ids)])["data"]
    return found


def full_id(value: Any, what: str) -> str:
    """
    Return an id in Klaviyo's form.

    :param value: The id, or an ``external_id``.
    :param what: What it is called in messages.
    :raises KlaviyoConfigError: It is none, or one of another integration.
    """
    found = needed(value, what)
    if found.startswith(PREFIX):
        return found
    if ":::" in found:
        raise KlaviyoConfigError(f"{what} is an external_id such as SKU1, or {PREFIX}SKU1: the API writes no other catalog than {PREFIX}")
    return PREFIX + found


def _each(what: str, rows: Sequence[Any], names: frozenset[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each row with what it is called in messages."""
    _check_count(what, rows)
    for at, row in enumerate(rows):
        check_names(row, names, f"{what}[{at}]", f"it has {', '.join(sorted(names))}")
        yield f"{what}[{at}]", row


def _check_count(what: str, rows: Sequence[Any]) -> None:
    if isinstance(rows, (str, Mapping)):
        raise KlaviyoConfigError(f"{what} is a list, not a {type(rows).__name__}")
    if not 1 <= len(rows) <= MOST:
        raise KlaviyoConfigError(f"a job takes 1 to {MOST} {what}, not {len(rows):,}: split them, in a DAG with expand()")


def _new(resource: Resource, row: Mapping[str, Any], where: str) -> Json:
    if missing := [name for name in resource.needed if row.get(name) is None or row[name] == ""]:
        raise KlaviyoConfigError(f"{where} needs {', '.join(missing)}")
    own = {"external_id": needed(row["external_id"], f"{where}.external_id"), "integration_type": "$custom", "catalog_type": "$default"}
    return given(type=resource.type, attributes={**own, **_attributes(row, where)}, relationships=_relationships(row, where))


def _changed(resource: Resource, row: Mapping[str, Any], where: str) -> Json:
    if fixed := resource.fixed & row.keys():
        raise KlaviyoConfigError(f"{where}: {', '.join(fixed)} cannot change, it can only be given to a new one")
    ids = {full_id(row[name], f"{where}.{name}") for name in IDENTITY & row.keys()}
    if len(ids) != 1:
        raise KlaviyoConfigError(f"{where} has two different ids" if ids else f"{where} needs an id or an external_id")
    attributes, relationships = _attributes(row, where), _relationships(row, where)
    if not attributes and not relationships:
        raise KlaviyoConfigError(f"{where} changes nothing: beside its id it needs what changes")
    return given(type=resource.type, id=ids.pop(), attributes=attributes, relationships=relationships)


def _attributes(row: Mapping[str, Any], where: str) -> Json:
    return {name: _value(name, value, where) for name, value in row.items() if name not in IDENTITY and name not in RELATED}


def _value(name: str, value: Any, where: str) -> Any:
    try:
        found = plain(value)
    except KlaviyoConfigError as error:
        raise KlaviyoConfigError(f"{where}.{name}: {error}") from None
    if name == "sku" and _is_number(found):
        return needed(value, f"{where}.sku")
    fits, form = FORMS.get(name, (lambda each: isinstance(each, str), "a text"))
    if found is not None and not fits(found):
        raise KlaviyoConfigError(f"{where}.{name} is {form}")
    return found


def _relationships(row: Mapping[str, Any], where: str) -> Json | None:
    found: Json = {}
    for name in RELATED.keys() & row.keys():
        related = row[name]
        if name == "item":
            found[name] = {"data": {"type": RELATED[name], "id": full_id(related, f"{where}.{name}")}}
        elif isinstance(related, (str, Mapping)) or not isinstance(related, Sequence):
            raise KlaviyoConfigError(f"{where}.{name} is a list of ids")
        else:
            found[name] = identifiers(RELATED[name], [full_id(each, f"{where}.{name}[{at}]") for at, each in enumerate(related)])
    return found or None

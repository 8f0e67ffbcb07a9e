# SPDX-License-Identifier: Apache-2.0
"""``/api/catalog-items``, ``-variants`` and ``-categories``: what a shop sells, and the jobs that make, change and delete it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

from airflow_provider_klaviyo.sandbox.klaviyo import bodies, bulk, resources
from airflow_provider_klaviyo.sandbox.klaviyo.bodies import Strict
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Answer, Call, answers
from airflow_provider_klaviyo.sandbox.klaviyo.problems import Problem, Refused
from airflow_provider_klaviyo.sandbox.klaviyo.resources import Kind, Relation, Resource
from airflow_provider_klaviyo.sandbox.klaviyo.state import KlaviyoState

Json = dict[str, Any]
PREFIX = "$custom:::$default:::"
MOST = 100
ITEM = Kind("catalog-item", "catalog-items", "Item", {"variants": Relation("catalog-variant")})
VARIANT = Kind("catalog-variant", "catalog-variants", "Variant", {"item": Relation("catalog-item", many=False)})
CATEGORY = Kind("catalog-category", "catalog-categories", "Category", {"items": Relation("catalog-item")})


class Link(NamedTuple):
    """A relationship: under which name each side keeps the other's ids. Filters know it by that of one: ``category.id``."""

    name: str
    other: Kind
    back: str


LINKS: Mapping[tuple[str, str], Link] = {
    ("catalog-item", "categories"): Link("category", CATEGORY, "item"),
    ("catalog-category", "items"): Link("item", ITEM, "category"),
    ("catalog-variant", "item"): Link("item", ITEM, "variants"),
}


class Pictured(Strict):
    """What items and variants have in common."""

    price: float | None = None
    image_full_url: str | None = None
    image_thumbnail_url: str | None = None
    images: list[str] | None = None
    custom_metadata: dict[str, Any] | None = None
    published: bool | None = None


class Own(Strict):
    """What tells a new object from others."""

    external_id: str
    integration_type: Literal["$custom"] | None = None
    catalog_type: Literal["$default"] | None = None


class NewItem(Own, Pictured):
    """Attributes of a new item."""

    title: str
    description: str
    url: str


class ChangedItem(Pictured):
    """Attributes of a changed item."""

    title: str | None = None
    description: str | None = None
    url: str | None = None


class NewVariant(NewItem):
    """Attributes of a new variant."""

    sku: str
    inventory_policy: Literal[0, 1, 2] | None = None
    inventory_quantity: float
    price: float


class ChangedVariant(ChangedItem):
    """Attributes of a changed variant."""

    sku: str | None = None
    inventory_policy: Literal[0, 1, 2] | None = None
    inventory_quantity: float | None = None


class NewCategory(Own):
    """Attributes of a new category."""

    name: str


class ChangedCategory(Strict):
    """Attributes of a changed category."""

    name: str | None = None


class InCategories(Strict):
    """The categories that an item is in."""

    categories: bodies.some_of("catalog-category") | None = None  # type: ignore[valid-type]


class OfItem(Strict):
    """The item that a variant is one of."""

    item: bodies.one_of("catalog-item")  # type: ignore[valid-type]


class WithItems(Strict):
    """The items that are in a category."""

    items: bodies.some_of("catalog-item") | None = None  # type: ignore[valid-type]


def make(state: KlaviyoState, row: Json, *, kind: Kind, unset: Json) -> str:
    """
    Make an object; one that is there stays as it is.

    :param state: The account.
    :param row: The row of the job.
    :param kind: What it makes.
    :param unset: What attributes are that it does not name.
    :raises Refused: It is there, or one that it is related to is not.
    """
    named = {name: value for name, value in row["attributes"].items() if not name.endswith("_type") and value is not None}
    identity = f"{PREFIX}{named['external_id']}"
    if resources.find(state, kind, identity):
        raise Refused(409, "conflict", Problem(f"{kind.noun} with id '{identity}' already exists"))
    related = _related(state, kind, row)
    _relate(state, resources.make(state, kind, unset | named, identity=identity), related)
    return identity


def change(state: KlaviyoState, row: Json, *, kind: Kind) -> str:
    """
    Change an object.

    :param state: The account.
    :param row: The row of the job.
    :param kind: What it changes.
    :raises Refused: It is not there, or one that it is related to is not.
    """
    found, related = resources.load(state, kind, row["id"]), _related(state, kind, row)
    _relate(state, resources.change(state, found, row["attributes"]), related)
    return found.id


def delete(state: KlaviyoState, row: Json, *, kind: Kind) -> str:
    """
    Delete an object.

    :param state: The account.
    :param row: The row of the job.
    :param kind: What it deletes.
    :raises Refused: It is not there.
    """
    found = resources.load(state, kind, row["id"])
    _relate(state, found, {name: [] for type_, name in LINKS if type_ == kind.type})
    resources.remove(state, found)
    return found.id


def _related(state: KlaviyoState, kind: Kind, row: Json) -> dict[str, list[str]]:
    """Return the ids in a row's relationships, all of them of what is there."""
    found: dict[str, list[str]] = {}
    for name, relation in (row.get("relationships") or {}).items():
        data = relation["data"]
        found[name] = [each["id"] for each in (data if isinstance(data, list) else [data])]
        for each in found[name]:
            resources.load(state, LINKS[kind.type, name].other, each)
    return found


def _relate(state: KlaviyoState, one: Resource, related: Mapping[str, Sequence[str]]) -> None:
    """Relate an object to exactly these, on both sides."""
    for name, ids in related.items():
        link = LINKS[one.kind.type, name]
        for other in resources.every(state, link.other):
            there = [each for each in other.related.get(link.back, ()) if each != one.id]
            back = [*there, one.id] if other.id in ids else there
            if back != other.related.get(link.back, []):
                resources.change(state, other, related={link.back: back})
        one = resources.change(state, one, related={link.name: list(ids)})


PICTURED: Json = {"price": None, "image_full_url": "", "image_thumbnail_url": "", "images": [], "custom_metadata": {}, "published": True}
KINDS: tuple[tuple[Kind, str, type[Strict], type[Strict], type[Strict] | None, type[Strict] | None, Json], ...] = (
    (ITEM, "items", NewItem, ChangedItem, InCategories, InCategories, PICTURED),
    (VARIANT, "variants", NewVariant, ChangedVariant, OfItem, None, {**PICTURED, "inventory_policy": 0}),
    (CATEGORY, "categories", NewCategory, ChangedCategory, WithItems, WithItems, {}),
)


def _row(kind: Kind, attributes: type[Strict] | None, *, identified: bool, relationships: type[Strict] | None, needed: bool = False) -> Any:
    document = bodies.document(kind.type, attributes, identified=identified, relationships=relationships, needed=needed)
    return document.model_fields["data"].annotation


for _kind, _rows, _new, _changed, _made_in, _changed_in, _unset in KINDS:
    _created = _row(_kind, _new, identified=False, relationships=_made_in, needed=_kind is VARIANT)
    _updated = _row(_kind, _changed, identified=True, relationships=_changed_in)
    _deleted = _row(_kind, None, identified=True, relationships=None)
    bulk.serve(partial(make, kind=_kind, unset=_unset), f"{_kind.type}-bulk-create-job", _kind, _rows, _created, most=MOST)
    bulk.serve(partial(change, kind=_kind), f"{_kind.type}-bulk-update-job", _kind, _rows, _updated, most=MOST)
    bulk.serve(partial(delete, kind=_kind), f"{_kind.type}-bulk-delete-job", _kind, _rows, _deleted, most=MOST)


@answers("get_catalog_items")
def get_catalog_items(call: Call) -> Answer:
    """List items."""
    found, following = resources.page(call, ITEM, sort="created")
    return Answer(200, call.page([_show(call, each) for each in found], following, _variants(call, found)))


@answers("get_catalog_item")
def get_catalog_item(call: Call) -> Answer:
    """Read one item."""
    found = resources.load(call.state, ITEM, call.ids[0])
    return Answer(200, call.document(_show(call, found), _variants(call, [found])))


@answers("get_catalog_variants")
def get_catalog_variants(call: Call) -> Answer:
    """List variants."""
    found, following = resources.page(call, VARIANT, sort="created")
    return Answer(200, call.page([_show(call, each) for each in found], following))


@answers("get_catalog_categories")
def get_catalog_categories(call: Call) -> Answer:
    """List categories."""
    found, following = resources.page(call, CATEGORY, sort="created")
    return Answer(200, call.page([_show(call, each) for each in found], following))


def _show(call: Call, one: Resource) -> Json:
    shown = resources.show(call, one, written=True)
    if one.kind is CATEGORY:
        shown["attributes"].pop("created", None)  # it sorts by that, and does not tell it
    return shown


def _variants(call: Call, items: Sequence[Resource]) -> list[Json] | None:
    """Return the variants of items, where they are to be included."""
    if not call.query.include:
        return None
    ids = [each for item in items for each in item.related.get("variants", ())]
    return [_show(call, each) for one in ids if (each := resources.find(call.state, VARIANT, one))]

# SPDX-License-Identifier: Apache-2.0
"""Items, variants and categories: the jobs that make, change and delete them, and the list of items."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, get_args

from airflow_provider_klaviyo.api import catalogs, jobs
from airflow_provider_klaviyo.api.request import Json
from tests.contract.kit import Case

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer
    from airflow_provider_klaviyo.session import Session

ITEM: Json = {"external_id": "SKU1", "title": "Shirt", "description": "A shirt.", "url": "https://example.com/SKU1"}
VARIANT: Json = {**ITEM, "external_id": "SKU1-M", "sku": "S1M", "price": 19.5, "inventory_quantity": 3, "item": "SKU1"}
CATEGORY: Json = {"external_id": "SHIRTS", "name": "Shirts"}
PICTURED: Json = {
    "price": Decimal("19.99"),
    "image_full_url": "https://example.com/1.jpg",
    "image_thumbnail_url": "https://example.com/1s.jpg",
    "images": ["https://example.com/2.jpg"],
    "custom_metadata": {"colour": "blue", "weight": 1.25},
    "published": False,
}
CLEARED: Json = dict.fromkeys(PICTURED)


def everything(klaviyo: Session, sandbox: SandboxServer) -> Json:
    """Make a category, an item in it and a variant of the item, all by jobs that are done at once."""
    sandbox.klaviyo.behaviour.job_seconds = 0
    made = [
        catalogs.bulk_create_categories(categories=[CATEGORY]),
        catalogs.bulk_create_items(items=[{**ITEM, "categories": ["SHIRTS"]}]),
        catalogs.bulk_create_variants(variants=[VARIANT]),
    ]
    return {"jobs": [klaviyo.send(each)["data"]["id"] for each in made]}


def job_cases(noun: str, word: str, start: Callable[..., Any], arguments: Json) -> Iterator[Case]:
    """Yield the cases of a kind of job: one that fails is read."""
    (verb,) = (each for each in ("create", "update", "delete") if f"_{each}_" in start.__name__)
    kind: Any = f"catalog-{noun}-bulk-{verb}"
    assert kind in get_args(jobs.Kind)

    def started(klaviyo: Session, sandbox: SandboxServer) -> Json:
        everything(klaviyo, sandbox)
        sandbox.klaviyo.next_job(fail=[0])
        return {"job_id": klaviyo.send(start(**arguments))["data"]["id"]}

    operation = f"get_bulk_{verb}_{word}_job"
    yield Case(jobs.get, operation, {"kind": kind, "job_id": "J1"}, started)
    yield Case(jobs.list_, f"{operation}s", {"kind": kind}, started)
    yield Case(jobs.list_, f"{operation}s", {"kind": kind, "status": jobs.JobStatus.COMPLETE}, started)


STARTED: list[tuple[str, str, Callable[..., Any], Json, Json]] = [
    (
        *("item", "catalog_items", catalogs.bulk_create_items),
        *({"items": [ITEM]}, {"items": [{**ITEM, "external_id": 7, **PICTURED, "categories": ["SHIRTS"]}]}),
    ),
    (
        *("item", "catalog_items", catalogs.bulk_update_items),
        {"items": [{"external_id": "SKU1", "categories": []}, {"id": "$custom:::$default:::SKU1", "title": "Blouse"}]},
        {
            "items": [
                {"id": "SKU1", "title": "T", "description": "D", "url": "U", **PICTURED, "categories": ["SHIRTS"]},
                {"id": 7, **CLEARED},
            ]
        },
    ),
    ("item", "catalog_items", catalogs.bulk_delete_items, {"item_ids": ["SKU1"]}, {"item_ids": ["$custom:::$default:::SKU1", 7]}),
    (
        *("variant", "variants", catalogs.bulk_create_variants),
        *({"variants": [VARIANT]}, {"variants": [{**VARIANT, **PICTURED, "sku": 12, "inventory_policy": 1}]}),
    ),
    (
        *("variant", "variants", catalogs.bulk_update_variants, {"variants": [{"external_id": "SKU1-M", "price": 5}]}),
        {"variants": [{**{name: VARIANT[name] for name in VARIANT if name != "item"}, **PICTURED, "inventory_policy": 2}]},
    ),
    ("variant", "variants", catalogs.bulk_delete_variants, {"variant_ids": ["SKU1-M"]}, {"variant_ids": ["SKU1-M", "SKU1-L"]}),
    (
        *("category", "categories", catalogs.bulk_create_categories),
        *({"categories": [CATEGORY]}, {"categories": [{**CATEGORY, "items": ["SKU1"]}]}),
    ),
    (
        *("category", "categories", catalogs.bulk_update_categories),
        *(
            {"categories": [{"external_id": "SHIRTS", "name": "Tops"}]},
            {"categories": [{"id": "SHIRTS", "name": "Tops", "items": ["SKU1"]}]},
        ),
    ),
    ("category", "categories", catalogs.bulk_delete_categories, {"category_ids": ["SHIRTS"]}, {"category_ids": ["SHIRTS", "HATS"]}),
]


def cases() -> Iterator[Case]:
    """Yield the cases of all jobs."""
    for noun, word, start, least, most in STARTED:
        operation = re.sub("(create|update|delete)_", r"\1_catalog_", start.__name__)
        yield Case(start, operation, least, everything)
        yield Case(start, operation, most, everything)
        yield from job_cases(noun, word, start, least)


CASES = [
    *cases(),
    Case(catalogs.list_items, "get_catalog_items", {}, everything),
    Case(catalogs.list_items, "get_catalog_items", {"include": "variants", "sort": "-created", "page_size": 100}, everything),
    Case(
        catalogs.list_items,
        "get_catalog_items",
        {
            "filter": 'any(ids,["$custom:::$default:::SKU1"]),equals(category.id,"$custom:::$default:::SHIRTS"),contains(title,"Sh"),'
            "equals(published,true)",
            "fields": {"catalog-item": ["title"], "catalog-variant": ["sku"]},
            "include": "variants",
        },
        everything,
    ),
]

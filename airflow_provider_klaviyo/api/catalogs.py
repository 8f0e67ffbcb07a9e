# SPDX-License-Identifier: Apache-2.0
"""Catalogs: what a shop sells. Items are products, variants their sizes and colours, categories groups of items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Unpack

from airflow_provider_klaviyo.api import catalog_rows
from airflow_provider_klaviyo.api.catalog_rows import CATEGORIES, ITEMS, VARIANTS, Category, Id, Item, Resource, Variant
from airflow_provider_klaviyo.api.jsonapi import Listing, document, listing
from airflow_provider_klaviyo.api.request import Json, Request

__all__ = [
    "Category",
    "Item",
    "Variant",
    "bulk_create_categories",
    "bulk_create_items",
    "bulk_create_variants",
    "bulk_delete_categories",
    "bulk_delete_items",
    "bulk_delete_variants",
    "bulk_update_categories",
    "bulk_update_items",
    "bulk_update_variants",
    "list_items",
]


def list_items(**query: Unpack[Listing]) -> Request[Json]:
    """
    Read items, page by page; for the query see :class:`~airflow_provider_klaviyo.api.jsonapi.Listing`.

    https://developers.klaviyo.com/en/reference/get_catalog_items
    """
    return listing("/api/catalog-items", **query)


def bulk_create_items(*, items: Sequence[Item | Mapping[str, Any]]) -> Request[Json]:
    """
    Start a job that makes up to 100 items. One that is there already fails, and stays as it is.

    https://developers.klaviyo.com/en/reference/bulk_create_catalog_items

    :param items: The items.
    :raises KlaviyoConfigError: No items, more than 100, or one that lacks something, has an unknown name or a value of a wrong form.
    """
    return _job(ITEMS, "create", catalog_rows.new(ITEMS, items))


def bulk_update_items(*, items: Sequence[Item | Mapping[str, Any]]) -> Request[Json]:
    """
    Start a job that changes up to 100 items; what a row does not name stays as it is.

    https://developers.klaviyo.com/en/reference/bulk_update_catalog_items

    :param items: The items, each with an id and what changes.
    :raises KlaviyoConfigError: As for :func:`bulk_create_items`, or a row that changes nothing.
    """
    return _job(ITEMS, "update", catalog_rows.changed(ITEMS, items))


def bulk_delete_items(*, item_ids: Sequence[Id]) -> Request[Json]:
    """
    Start a job that deletes up to 100 items.

    https://developers.klaviyo.com/en/reference/bulk_delete_catalog_items

    :param item_ids: Their ids, or external ids.
    :raises KlaviyoConfigError: No ids, more than 100, or what is no id.
    """
    return _job(ITEMS, "delete", catalog_rows.gone(ITEMS, item_ids, "item_ids"))


def bulk_create_variants(*, variants: Sequence[Variant | Mapping[str, Any]]) -> Request[Json]:
    """
    Start a job that makes up to 100 variants. One that is there already fails, and stays as it is.

    https://developers.klaviyo.com/en/reference/bulk_create_catalog_variants

    :param variants: The variants.
    :raises KlaviyoConfigError: As for :func:`bulk_create_items`.
    """
    return _job(VARIANTS, "create", catalog_rows.new(VARIANTS, variants))


def bulk_update_variants(*, variants: Sequence[Variant | Mapping[str, Any]]) -> Request[Json]:
    """
    Start a job that changes up to 100 variants; what a row does not name stays as it is.

    https://developers.klaviyo.com/en/reference/bulk_update_catalog_variants

    :param variants: The variants, each with an id and what changes.
    :raises KlaviyoConfigError: As for :func:`bulk_update_items`.
    """
    return _job(VARIANTS, "update", catalog_rows.changed(VARIANTS, variants))


def bulk_delete_variants(*, variant_ids: Sequence[Id]) -> Request[Json]:
    """
    Start a job that deletes up to 100 variants.

    https://developers.klaviyo.com/en/reference/bulk_delete_catalog_variants

    :param variant_ids: Their ids, or external ids.
    :raises KlaviyoConfigError: As for :func:`bulk_delete_items`.
    """
    return _job(VARIANTS, "delete", catalog_rows.gone(VARIANTS, variant_ids, "variant_ids"))


def bulk_create_categories(*, categories: Sequence[Category | Mapping[str, Any]]) -> Request[Json]:
    """
    Start a job that makes up to 100 categories. One that is there already fails, and stays as it is.

    https://developers.klaviyo.com/en/reference/bulk_create_catalog_categories

    :param categories: The categories.
    :raises KlaviyoConfigError: As for :func:`bulk_create_items`.
    """
    return _job(CATEGORIES, "create", catalog_rows.new(CATEGORIES, categories))


def bulk_update_categories(*, categories: Sequence[Category | Mapping[str, Any]]) -> Request[Json]:
    """
    Start a job that changes up to 100 categories; what a row does not name stays as it is.

    https://developers.klaviyo.com/en/reference/bulk_update_catalog_categories

    :param categories: The categories, each with an id and what changes.
    :raises KlaviyoConfigError: As for :func:`bulk_update_items`.
    """
    return _job(CATEGORIES, "update", catalog_rows.changed(CATEGORIES, categories))


def bulk_delete_categories(*, category_ids: Sequence[Id]) -> Request[Json]:
    """
    Start a job that deletes up to 100 categories. Their items stay.

    https://developers.klaviyo.com/en/reference/bulk_delete_catalog_categories

    :param category_ids: Their ids, or external ids.
    :raises KlaviyoConfigError: As for :func:`bulk_delete_items`.
    """
    return _job(CATEGORIES, "delete", catalog_rows.gone(CATEGORIES, category_ids, "category_ids"))


def _job(resource: Resource, verb: Literal["create", "update", "delete"], rows: list[Json]) -> Request[Json]:
    """
    Return the request that starts a job.

    What is set or deleted twice is as after once. What is made twice is refused row by row, so that the second job, which is the one we
    would wait for, tells of failures where there are none.
    """
    kind = f"{resource.type}-bulk-{verb}-job"
    body = document(kind, {resource.rows: {"data": rows}})
    return Request("POST", f"/api/{kind}s", json=body, replayable=verb != "create")

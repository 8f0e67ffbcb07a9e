# SPDX-License-Identifier: Apache-2.0
"""Operators for catalogs: what a shop sells. Items are products, variants their sizes and colours, categories groups of items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from airflow_provider_klaviyo.api import catalogs
from airflow_provider_klaviyo.api.catalog_rows import Id, full_id
from airflow_provider_klaviyo.api.jobs import Kind
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.operators.bulk import BulkCreatingOperator, BulkOperator
from airflow_provider_klaviyo.operators.listing import ListingOperator

Rows = Sequence[Mapping[str, Any]]


class CatalogCreatingOperator(BulkCreatingOperator):
    """Start one job that makes objects of the catalog."""

    def identity(self, row: Json) -> str:
        """Return the id that the object has in Klaviyo."""
        return full_id(row["attributes"]["external_id"], "external_id")


class KlaviyoBulkCreateCatalogItemsOperator(CatalogCreatingOperator):
    """
    Make items. One that is there already fails, and stays as it is.

    https://developers.klaviyo.com/en/reference/bulk_create_catalog_items
    https://developers.klaviyo.com/en/reference/get_bulk_create_catalog_items_job
    https://developers.klaviyo.com/en/reference/get_bulk_create_catalog_items_jobs

    :param items: Up to 100. Each needs ``external_id``, ``title``, ``description`` and ``url``, and may have ``price``, ``image_full_url``,
        ``image_thumbnail_url``, ``images``, ``custom_metadata``, ``published``, and ``categories``, the ids of all it is in.
    """

    kind: ClassVar[Kind] = "catalog-item-bulk-create"
    start = staticmethod(catalogs.bulk_create_items)

    items: Rows


class KlaviyoBulkUpdateCatalogItemsOperator(BulkOperator):
    """
    Change items; what a row does not name stays as it is.

    https://developers.klaviyo.com/en/reference/bulk_update_catalog_items
    https://developers.klaviyo.com/en/reference/get_bulk_update_catalog_items_job

    :param items: Up to 100. Each has an ``id`` (``$custom:::$default:::SKU1``) or an ``external_id``, and what changes. ``None`` clears a field.
    """

    kind: ClassVar[Kind] = "catalog-item-bulk-update"
    start = staticmethod(catalogs.bulk_update_items)

    items: Rows


class KlaviyoBulkDeleteCatalogItemsOperator(BulkOperator):
    """
    Delete items. One that is not there is counted as ``skipped``.

    https://developers.klaviyo.com/en/reference/bulk_delete_catalog_items
    https://developers.klaviyo.com/en/reference/get_bulk_delete_catalog_items_job

    :param item_ids: Up to 100 ids: ``$custom:::$default:::SKU1``, or the ``external_id`` alone.
    """

    kind: ClassVar[Kind] = "catalog-item-bulk-delete"
    start = staticmethod(catalogs.bulk_delete_items)

    item_ids: Sequence[Id]


class KlaviyoBulkCreateCatalogVariantsOperator(CatalogCreatingOperator):
    """
    Make variants of items. One that is there already fails, and stays as it is.

    https://developers.klaviyo.com/en/reference/bulk_create_catalog_variants
    https://developers.klaviyo.com/en/reference/get_bulk_create_variants_job
    https://developers.klaviyo.com/en/reference/get_bulk_create_variants_jobs

    :param variants: Up to 100. Each needs ``external_id``, ``title``, ``description``, ``url``, ``sku``, ``price``, ``inventory_quantity``
        and ``item``, the id of its item, and may have ``inventory_policy``, ``image_full_url``, ``image_thumbnail_url``, ``images``,
        ``custom_metadata``, ``published``.
    """

    kind: ClassVar[Kind] = "catalog-variant-bulk-create"
    start = staticmethod(catalogs.bulk_create_variants)

    variants: Rows


class KlaviyoBulkUpdateCatalogVariantsOperator(BulkOperator):
    """
    Change variants of items; what a row does not name stays as it is.

    https://developers.klaviyo.com/en/reference/bulk_update_catalog_variants
    https://developers.klaviyo.com/en/reference/get_bulk_update_variants_job

    :param variants: Up to 100. Each has an ``id`` (``$custom:::$default:::SKU1-M``) or an ``external_id``, and what changes. ``None`` clears a field.
    """

    kind: ClassVar[Kind] = "catalog-variant-bulk-update"
    start = staticmethod(catalogs.bulk_update_variants)

    variants: Rows


class KlaviyoBulkDeleteCatalogVariantsOperator(BulkOperator):
    """
    Delete variants of items. One that is not there is counted as ``skipped``.

    https://developers.klaviyo.com/en/reference/bulk_delete_catalog_variants
    https://developers.klaviyo.com/en/reference/get_bulk_delete_variants_job

    :param variant_ids: Up to 100 ids: ``$custom:::$default:::SKU1``, or the ``external_id`` alone.
    """

    kind: ClassVar[Kind] = "catalog-variant-bulk-delete"
    start = staticmethod(catalogs.bulk_delete_variants)

    variant_ids: Sequence[Id]


class KlaviyoBulkCreateCatalogCategoriesOperator(CatalogCreatingOperator):
    """
    Make categories. One that is there already fails, and stays as it is.

    https://developers.klaviyo.com/en/reference/bulk_create_catalog_categories
    https://developers.klaviyo.com/en/reference/get_bulk_create_categories_job
    https://developers.klaviyo.com/en/reference/get_bulk_create_categories_jobs

    :param categories: Up to 100. Each needs ``external_id`` and ``name``, and may have ``items``, the ids of all that are in it.
    """

    kind: ClassVar[Kind] = "catalog-category-bulk-create"
    start = staticmethod(catalogs.bulk_create_categories)

    categories: Rows


class KlaviyoBulkUpdateCatalogCategoriesOperator(BulkOperator):
    """
    Change categories; what a row does not name stays as it is.

    https://developers.klaviyo.com/en/reference/bulk_update_catalog_categories
    https://developers.klaviyo.com/en/reference/get_bulk_update_categories_job

    :param categories: Up to 100. Each has an ``id`` (``$custom:::$default:::SHOES``) or an ``external_id``, and what changes: ``name``, ``items``.
    """

    kind: ClassVar[Kind] = "catalog-category-bulk-update"
    start = staticmethod(catalogs.bulk_update_categories)

    categories: Rows


class KlaviyoBulkDeleteCatalogCategoriesOperator(BulkOperator):
    """
    Delete categories; their items stay. One that is not there is counted as ``skipped``.

    https://developers.klaviyo.com/en/reference/bulk_delete_catalog_categories
    https://developers.klaviyo.com/en/reference/get_bulk_delete_categories_job

    :param category_ids: Up to 100 ids: ``$custom:::$default:::SKU1``, or the ``external_id`` alone.
    """

    kind: ClassVar[Kind] = "catalog-category-bulk-delete"
    start = staticmethod(catalogs.bulk_delete_categories)

    category_ids: Sequence[Id]


class KlaviyoListCatalogItemsOperator(ListingOperator):
    """
    Read catalog items, all pages of them.

    https://developers.klaviyo.com/en/reference/get_catalog_items

    :return: The items, each with ``id``, ``attributes``, ``relationships``.
    """

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return catalogs.list_items(**self.query)

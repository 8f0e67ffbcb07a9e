# SPDX-License-Identifier: Apache-2.0
"""
Catalogs: make categories, items and variants, change them, list and delete them.

Needs the connection ``klaviyo_default`` with the scopes ``catalogs:read`` and ``catalogs:write``.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG

from airflow_provider_klaviyo.operators.catalogs import (
    KlaviyoBulkCreateCatalogCategoriesOperator,
    KlaviyoBulkCreateCatalogItemsOperator,
    KlaviyoBulkCreateCatalogVariantsOperator,
    KlaviyoBulkDeleteCatalogCategoriesOperator,
    KlaviyoBulkDeleteCatalogItemsOperator,
    KlaviyoBulkDeleteCatalogVariantsOperator,
    KlaviyoBulkUpdateCatalogCategoriesOperator,
    KlaviyoBulkUpdateCatalogItemsOperator,
    KlaviyoBulkUpdateCatalogVariantsOperator,
    KlaviyoListCatalogItemsOperator,
)

with DAG(
    dag_id="klaviyo_catalogs",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    tags=["klaviyo"],
    default_args={"poll_interval": 1},
) as dag:
    # [START howto_operator_bulk_create_catalog_categories]
    create_categories = KlaviyoBulkCreateCatalogCategoriesOperator(
        task_id="create_categories",
        categories=[{"external_id": "SHIRTS", "name": "Shirts"}],
    )
    # [END howto_operator_bulk_create_catalog_categories]

    # [START howto_operator_bulk_create_catalog_items]
    create_items = KlaviyoBulkCreateCatalogItemsOperator(
        task_id="create_items",
        items=[
            {
                "external_id": "OXFORD",
                "title": "Oxford shirt",
                "description": "A shirt of heavy cotton.",
                "url": "https://example.com/products/oxford",
                "image_full_url": "https://example.com/images/oxford.jpg",
                "price": 59.9,
                "custom_metadata": {"fabric": "cotton"},
                "categories": ["SHIRTS"],
            },
        ],
    )
    # [END howto_operator_bulk_create_catalog_items]

    # [START howto_operator_bulk_create_catalog_variants]
    create_variants = KlaviyoBulkCreateCatalogVariantsOperator(
        task_id="create_variants",
        variants=[
            {
                "external_id": f"OXFORD-{size}",
                "title": f"Oxford shirt, {size}",
                "description": "A shirt of heavy cotton.",
                "url": f"https://example.com/products/oxford?size={size}",
                "sku": f"OX-{size}",
                "price": 59.9,
                "inventory_quantity": 12,
                "inventory_policy": 1,
                "item": "OXFORD",
            }
            for size in ("S", "M", "L")
        ],
    )
    # [END howto_operator_bulk_create_catalog_variants]

    # [START howto_operator_bulk_update_catalog_items]
    update_items = KlaviyoBulkUpdateCatalogItemsOperator(
        task_id="update_items",
        items=[{"external_id": "OXFORD", "price": 49.9}],
    )
    # [END howto_operator_bulk_update_catalog_items]

    # [START howto_operator_bulk_update_catalog_variants]
    update_variants = KlaviyoBulkUpdateCatalogVariantsOperator(
        task_id="update_variants",
        variants=[
            {"external_id": "OXFORD-S", "inventory_quantity": 0},
            {"id": "$custom:::$default:::OXFORD-M", "inventory_quantity": 7},
        ],
    )
    # [END howto_operator_bulk_update_catalog_variants]

    # [START howto_operator_bulk_update_catalog_categories]
    update_categories = KlaviyoBulkUpdateCatalogCategoriesOperator(
        task_id="update_categories",
        categories=[{"external_id": "SHIRTS", "name": "Shirts and blouses", "items": ["OXFORD"]}],
    )
    # [END howto_operator_bulk_update_catalog_categories]

    # [START howto_operator_list_catalog_items]
    list_items = KlaviyoListCatalogItemsOperator(
        task_id="list_items",
        filter='equals(category.id,"$custom:::$default:::SHIRTS"),equals(published,true)',
        sort="-created",
        include=["variants"],
    )
    # [END howto_operator_list_catalog_items]

    # [START howto_operator_bulk_delete_catalog_variants]
    delete_variants = KlaviyoBulkDeleteCatalogVariantsOperator(
        task_id="delete_variants",
        variant_ids=["OXFORD-S", "OXFORD-M", "OXFORD-L"],
    )
    # [END howto_operator_bulk_delete_catalog_variants]

    # [START howto_operator_bulk_delete_catalog_items]
    delete_items = KlaviyoBulkDeleteCatalogItemsOperator(
        task_id="delete_items",
        item_ids=["OXFORD"],
    )
    # [END howto_operator_bulk_delete_catalog_items]

    # [START howto_operator_bulk_delete_catalog_categories]
    delete_categories = KlaviyoBulkDeleteCatalogCategoriesOperator(
        task_id="delete_categories",
        category_ids=["SHIRTS"],
    )
    # [END howto_operator_bulk_delete_catalog_categories]

    create_categories >> create_items >> create_variants >> [update_items, update_variants, update_categories] >> list_items
    list_items >> delete_variants >> delete_items >> delete_categories

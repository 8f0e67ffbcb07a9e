# SPDX-License-Identifier: Apache-2.0
"""Run a bulk query of your own on a Shopify shop, and read its result in a task."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, task

from airflow_provider_klaviyo.hooks.shopify import ShopifyHook
from airflow_provider_klaviyo.operators.shopify import ShopifyBulkQueryOperator
from airflow_provider_klaviyo.shopify import queries

with DAG(dag_id="shopify_bulk_query", schedule=None, start_date=datetime(2026, 11, 1, tzinfo=UTC), catchup=False, tags=["shopify"]) as dag:
    # [START howto_operator_shopify_bulk_query]
    locales = ShopifyBulkQueryOperator(
        task_id="locales",
        query="{ customers { edges { node { id locale } } } }",
    )
    # [END howto_operator_shopify_bulk_query]

    # [START howto_shopify_nodes]
    @task
    def count_by_locale(operation_id: str) -> dict[str, int]:
        """Stream the result: the address is asked for here, because it is a secret that no XCom should hold."""
        counts: dict[str, int] = {}
        with ShopifyHook().session() as shopify:
            operation = shopify.send(queries.operation(operation_id))
            for customer in shopify.nodes(operation) if operation else ():
                locale = customer["locale"] or "none"
                counts[locale] = counts.get(locale, 0) + 1
        return counts

    # [END howto_shopify_nodes]

    count_by_locale("{{ ti.xcom_pull('locales')['id'] }}")
    locales >> dag.get_task("count_by_locale")

# SPDX-License-Identifier: Apache-2.0
"""
Make a list of Klaviyo's have exactly the members that a query names, every night.

Needs two Airflow connections: ``warehouse``, your database, and ``klaviyo_default`` with the scopes ``lists:read``, ``lists:write``,
``profiles:read`` and ``profiles:write``.
"""

from __future__ import annotations

# [START list_sync]
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param

from airflow_provider_klaviyo.operators.lists import KlaviyoCreateListOperator
from airflow_provider_klaviyo.transfers.sql_to_klaviyo import SqlToKlaviyoListOperator

with DAG(
    dag_id="list_sync",
    # The query is of what is so now, not of what changed: a run needs no interval.
    schedule="0 3 * * *",
    start_date=datetime(2026, 11, 20, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=2)},
    params={"preview": Param(False, type="boolean", title="Show what would change, and change nothing")},
    tags=["klaviyo", "warehouse"],
) as dag:
    best_customers = KlaviyoCreateListOperator(task_id="best_customers", name="Best customers", if_exists="use")

    # [START howto_operator_sql_to_klaviyo_list]
    sync = SqlToKlaviyoListOperator(
        task_id="sync",
        sql_conn_id="warehouse",
        sql="SELECT id AS customer, email, phone AS phone_number FROM customers WHERE lifetime_value >= 1000",
        key_field="customer",
        default_region="GB",
        list_id="{{ ti.xcom_pull('best_customers')['id'] }}",
        # Where more than a tenth of the members would go, something is wrong with the query or its table: nothing is changed.
        max_change=0.1,
        preview="{{ params.preview }}",
    )
    # [END howto_operator_sql_to_klaviyo_list]

    best_customers >> sync
# [END list_sync]

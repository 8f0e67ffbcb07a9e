# SPDX-License-Identifier: Apache-2.0
"""
Load a Shopify shop into Klaviyo from the warehouse that has it already.

For tables as Fivetran lays them: ``customer``, ``customer_tag``, ``order``, ``order_line``, ``refund``, ``transaction``,
``fulfillment``. The queries, for PostgreSQL, stand in the folder ``sql`` beside this file.

Before you turn it on, make two Airflow connections (Admin, Connections):

- ``warehouse``: type Postgres; extra ``{"options": "-c search_path=shopify"}`` with the name of the tables' schema.
- ``klaviyo_default``: type Klaviyo; password the private API key, with the scopes ``accounts:read``, ``events:write``,
  ``lists:read``, ``lists:write``, ``profiles:read`` and ``profiles:write``.

The events have the names, properties and ids of those that ``shopify_to_klaviyo`` reads from the shop itself. Changing from one to the
other counts no order twice.
"""

from __future__ import annotations

# [START shopify_warehouse_to_klaviyo]
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, Param

from airflow_provider_klaviyo.operators.lists import KlaviyoCreateListOperator
from airflow_provider_klaviyo.transfers.sql_to_klaviyo import SqlToKlaviyoEventsOperator, SqlToKlaviyoProfilesOperator

with DAG(
    dag_id="shopify_warehouse_to_klaviyo",
    description="Shopify's tables in a warehouse to profiles and events",
    schedule=CronDataIntervalTimetable("0 4 * * *", timezone="UTC"),
    start_date=datetime(2026, 11, 20, tzinfo=UTC),
    catchup=True,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=2)},
    params={"start": Param(None, type=["null", "string"], format="date-time", title="Load everything synced since")},
    tags=["klaviyo", "shopify", "warehouse"],
) as dag:
    customer_list = KlaviyoCreateListOperator(task_id="customer_list", name="Shopify customers", if_exists="use")

    customers_to_profiles = SqlToKlaviyoProfilesOperator(
        task_id="customers_to_profiles",
        sql_conn_id="warehouse",
        sql="sql/shopify_customers.sql",
        key_field="properties.Shopify Customer ID",
        list_id="{{ ti.xcom_pull('customer_list')['id'] }}",
        # So many may be refused before the task fails and holds back the day's orders; each stands with its reason in the rejects file.
        allowed_rejects=20,
    )

    events = {
        "sql_conn_id": "warehouse",
        "key_field": "unique_id",
        # An order's number is given once, whoever the customer is by then.
        "unique_id_scope": "metric",
        # The first order of the run's day is a day old when the run is due: its flows are to start all the same.
        "backfill_after": timedelta(hours=48),
        "allowed_rejects": 20,
    }
    orders_to_events = SqlToKlaviyoEventsOperator(task_id="orders_to_events", sql="sql/shopify_orders.sql", **events)
    lines_to_events = SqlToKlaviyoEventsOperator(task_id="lines_to_events", sql="sql/shopify_order_lines.sql", **events)

    customer_list >> customers_to_profiles >> orders_to_events >> lines_to_events
# [END shopify_warehouse_to_klaviyo]

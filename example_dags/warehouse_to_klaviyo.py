# SPDX-License-Identifier: Apache-2.0
"""
Load customers and orders from a warehouse into Klaviyo, every day.

Before you turn it on, make two Airflow connections (Admin, Connections):

- ``warehouse``: your database, such as type Postgres.
- ``klaviyo_default``: type Klaviyo; password the private API key, with the scopes ``accounts:read``, ``events:write``,
  ``lists:write``, ``profiles:read`` and ``profiles:write``.

The queries are those of a database with the tables ``customers`` and ``orders``: put yours in their place. Customers become profiles,
by a mapping of columns to fields. Orders become the events Placed Order and Cancelled Order, by the names of the query's columns: where
those are Klaviyo's fields, there is nothing to map.

To load all there is, trigger the DAG once by hand and set ``start`` to a day before the first customer. Events older than two days
are recorded without starting flows, so that history mails nobody.
"""

from __future__ import annotations

# [START warehouse_to_klaviyo]
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, Param

from airflow_provider_klaviyo.loading import FieldMapping
from airflow_provider_klaviyo.transfers.sql_to_klaviyo import SqlToKlaviyoEventsOperator, SqlToKlaviyoProfilesOperator

with DAG(
    dag_id="warehouse_to_klaviyo",
    description="Customers to profiles, orders to events",
    # Each run covers the day before it. Airflow 3's "@daily" would give a run no interval to cover.
    schedule=CronDataIntervalTimetable("0 4 * * *", timezone="UTC"),
    start_date=datetime(2026, 11, 20, tzinfo=UTC),
    catchup=True,
    max_active_runs=1,
    # A retry goes on where the try before it stopped, and does not read the tables again.
    default_args={"retries": 3, "retry_delay": timedelta(minutes=2)},
    params={"start": Param(None, type=["null", "string"], format="date-time", title="Load everything changed since")},
    tags=["klaviyo", "warehouse"],
) as dag:
    # [START howto_operator_sql_to_klaviyo_profiles]
    customers_to_profiles = SqlToKlaviyoProfilesOperator(
        task_id="customers_to_profiles",
        sql_conn_id="warehouse",
        # What changed in the run's day, or since `start`. An hour more is read, for rows that were committed late: what is read twice is
        # not counted twice.
        sql="""
            SELECT id, email, phone, first_name, last_name, city, interests, plan, lifetime_value, first_order_on
            FROM customers
            WHERE updated_at >= '{{ params.start or (data_interval_start - macros.timedelta(hours=1)) | ts }}'
                AND updated_at < '{{ data_interval_end | ts }}'
        """,
        # Rows that are not loaded stand in the rejects file by this column, and never by an address.
        key_field="id",
        mapping=[
            FieldMapping("email", "email", "lower"),
            FieldMapping("phone", "phone_number", "e164:GB"),
            FieldMapping("first_name", "first_name", "strip"),
            FieldMapping("last_name", "last_name", "strip"),
            FieldMapping("city", "location.city"),
            FieldMapping("interests", "properties.Interests", "split:;"),
            FieldMapping("plan", "properties.Plan", on_null="clear"),  # who has left a plan has none in Klaviyo, either
            FieldMapping("lifetime_value", "properties.Lifetime Value", "number"),
            FieldMapping("first_order_on", "properties.First Order", "iso8601"),
        ],
        # One customer in a hundred may be refused before the task fails and holds back the day's orders.
        allowed_rejects=0.01,
    )
    # [END howto_operator_sql_to_klaviyo_profiles]

    # [START howto_operator_sql_to_klaviyo_events]
    orders_to_events = SqlToKlaviyoEventsOperator(
        task_id="orders_to_events",
        sql_conn_id="warehouse",
        sql="""
            WITH changed AS (
                SELECT orders.*, customers.email
                FROM orders LEFT JOIN customers ON customers.id = orders.customer_id
                WHERE orders.updated_at >= '{{ params.start or (data_interval_start - macros.timedelta(hours=1)) | ts }}'
                    AND orders.updated_at < '{{ data_interval_end | ts }}'
            )
            SELECT 'Placed Order' AS metric, ordered_at AS time, email AS "profile.email", id AS unique_id,
                total AS value, currency AS value_currency, id AS "properties.OrderId", coupon AS "properties.DiscountCode",
                NULL AS "properties.Reason"
            FROM changed
            UNION ALL
            SELECT 'Cancelled Order', cancelled_at, email, id, total, currency, id, coupon, cancel_reason
            FROM changed
            WHERE cancelled_at IS NOT NULL
        """,
        key_field="unique_id",
        # An order's number is given once: a customer whose address has changed does not get the same order a second time.
        unique_id_scope="metric",
        # The first order of the run's day is a day old when the run is due: its flows are to start all the same.
        backfill_after=timedelta(hours=48),
        allowed_rejects=0.01,
    )
    # [END howto_operator_sql_to_klaviyo_events]

    # Profiles first: an event of somebody unknown would make a profile with nothing but an address.
    customers_to_profiles >> orders_to_events
# [END warehouse_to_klaviyo]

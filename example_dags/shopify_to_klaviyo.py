# SPDX-License-Identifier: Apache-2.0
"""
Load a Shopify shop's customers and orders into Klaviyo, every day.

Before you turn it on, make two Airflow connections (Admin, Connections):

- ``shopify_default``: type Shopify; host ``your-shop.myshopify.com``; password the Admin API access token.
- ``klaviyo_default``: type Klaviyo; password the private API key, with the scopes ``accounts:read``, ``events:write``,
  ``lists:read``, ``lists:write``, ``profiles:read`` and ``profiles:write``.

Customers become profiles in one list. Being in a list is no consent: nobody is subscribed here.
Orders become the events Placed Order, Ordered Product, Fulfilled Order, Fulfilled Partial Order, Cancelled Order and
Refunded Order. Events older than a day are recorded without starting flows, so that history mails nobody.

To load the shop's whole history, trigger the DAG once by hand and set ``start`` to a day before the shop opened.
"""

from __future__ import annotations

# [START shopify_to_klaviyo]
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, Param

from airflow_provider_klaviyo.operators.lists import KlaviyoCreateListOperator
from airflow_provider_klaviyo.transfers.shopify_to_klaviyo import ShopifyToKlaviyoEventsOperator, ShopifyToKlaviyoProfilesOperator

with DAG(
    dag_id="shopify_to_klaviyo",
    description="Customers to profiles in a list, orders to events",
    # Each run covers the day before it. Airflow 3's "@daily" would give a run no interval to cover.
    schedule=CronDataIntervalTimetable("0 4 * * *", timezone="UTC"),
    # The day you turn it on. What was before is history, and is loaded in one run: see `start`.
    start_date=datetime(2026, 11, 20, tzinfo=UTC),
    # Days on which Airflow was down, or the DAG was off, are made up for. Without this they would be missing, and nothing red.
    catchup=True,
    # One run after the other: the next one knows what this one has sent.
    max_active_runs=1,
    # A retry goes on where the try before it stopped. What cannot succeed, such as a wrong key, is not tried again.
    default_args={"retries": 3, "retry_delay": timedelta(minutes=2)},
    params={
        "start": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="Load everything changed since",
            description="For a first load: a day before the shop opened. Empty: the run's own day.",
        ),
    },
    tags=["klaviyo", "shopify"],
) as dag:
    # The list is made by the first run, and found by its name by all later ones.
    customer_list = KlaviyoCreateListOperator(task_id="customer_list", name="Shopify customers", if_exists="use")

    customers_to_profiles = ShopifyToKlaviyoProfilesOperator(
        task_id="customers_to_profiles",
        start="{{ params.start }}",
        list_id="{{ ti.xcom_pull('customer_list')['id'] }}",
        # One customer in a hundred may be refused before the task fails and holds back the day's orders. Each stands with its
        # reason in the rejects file.
        allowed_rejects=0.01,
    )

    orders_to_events = ShopifyToKlaviyoEventsOperator(
        task_id="orders_to_events",
        start="{{ params.start }}",
    )

    # Profiles first: an event of somebody unknown would make a profile with nothing but an e-mail address.
    customer_list >> customers_to_profiles >> orders_to_events
# [END shopify_to_klaviyo]

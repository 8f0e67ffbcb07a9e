# SPDX-License-Identifier: Apache-2.0
"""
Bring files to Klaviyo as another system exports them every night: customers as CSV, orders as JSON Lines, consent as CSV.

Needs the Airflow connection ``klaviyo_default`` with the scopes ``accounts:read``, ``events:write``, ``metrics:read``, ``profiles:read``, ``profiles:write``,
``subscriptions:read`` and ``subscriptions:write``, and the Variable ``klaviyo_exports``: the folder of the exports, such as
``s3://aws_default@my-bucket/exports``.
"""

from __future__ import annotations

# [START files_to_klaviyo]
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable

from airflow_provider_klaviyo.transfers.object_storage_to_klaviyo import (
    ObjectStorageToKlaviyoConsentOperator,
    ObjectStorageToKlaviyoEventsOperator,
    ObjectStorageToKlaviyoProfilesOperator,
)

EXPORTS = "{{ var.value.klaviyo_exports }}/{{ data_interval_start | ds }}"

with DAG(
    dag_id="files_to_klaviyo",
    schedule=CronDataIntervalTimetable("0 5 * * *", timezone="UTC"),
    start_date=datetime(2026, 11, 20, tzinfo=UTC),
    catchup=True,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=2)},
    tags=["klaviyo", "files"],
) as dag:
    # [START howto_operator_object_storage_to_klaviyo_profiles]
    customers = ObjectStorageToKlaviyoProfilesOperator(
        task_id="customers",
        source_path=EXPORTS + "/customers.csv.gz",
        key_field="customer_no",
        mapping={
            "mapped_fields": [
                {"origin_field": "mail", "destination_field": "email", "convert_function": "lower"},
                {"origin_field": "mobile", "destination_field": "phone_number", "convert_function": "e164:GB"},
                {"origin_field": "name", "destination_field": "first_name", "convert_function": "strip"},
                {"origin_field": "points", "destination_field": "properties.Points", "convert_function": "number"},
            ]
        },
        allowed_rejects=0.01,
    )
    # [END howto_operator_object_storage_to_klaviyo_profiles]

    # [START howto_operator_object_storage_to_klaviyo_events]
    orders = ObjectStorageToKlaviyoEventsOperator(
        task_id="orders",
        source_path=EXPORTS + "/orders-*.jsonl.gz",
        key_field="order_no",
        mapping=[
            {"origin_field": None, "destination_field": "metric", "convert_function": "default:Placed Order"},
            {"origin_field": "customer.mail", "destination_field": "profile.email", "convert_function": "lower"},
            {"origin_field": "placed_at", "destination_field": "time", "convert_function": "iso8601:Europe/London"},
            {"origin_field": "order_no", "destination_field": "unique_id", "convert_function": "text"},
            {"origin_field": "total", "destination_field": "value", "convert_function": "number"},
            {"origin_field": "currency", "destination_field": "value_currency"},
            {"origin_field": "lines", "destination_field": "properties.Items"},
        ],
        # A day on which nobody ordered has no file.
        allow_missing=True,
    )
    # [END howto_operator_object_storage_to_klaviyo_events]

    # [START howto_operator_object_storage_to_klaviyo_consent]
    consent = ObjectStorageToKlaviyoConsentOperator(
        task_id="consent",
        source_path=EXPORTS + "/consent.csv",
        key_field="customer_no",
        mapping=[
            {"origin_field": "mail", "destination_field": "email", "convert_function": "lower"},
            {"origin_field": "newsletter", "destination_field": "consent", "convert_function": "consent"},
            {"origin_field": "said_at", "destination_field": "consented_at", "convert_function": "iso8601:Europe/London"},
        ],
        subscribe=True,
        custom_source="Shop export",
        max_change=500,
    )
    # [END howto_operator_object_storage_to_klaviyo_consent]

    customers >> [orders, consent]
# [END files_to_klaviyo]

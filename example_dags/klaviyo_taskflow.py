# SPDX-License-Identifier: Apache-2.0
"""Load rows from Python into Klaviyo with all the load engine does, and call any endpoint from a task."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG, get_current_context, task

from airflow_provider_klaviyo.api import lists
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.loading import FieldMapping, Plan, load
from airflow_provider_klaviyo.transfers.base import folder
from airflow_provider_klaviyo.transfers.taskflow import load_store

with DAG(dag_id="klaviyo_taskflow", schedule=None, start_date=datetime(2026, 11, 1, tzinfo=UTC), catchup=False, tags=["klaviyo"]) as dag:
    # [START howto_taskflow_load]
    @task
    def load_customers() -> dict[str, Any]:
        """Load a few customers; rows may come from anywhere, one by one."""
        customers = [
            {"id": 1, "mail": " Sarah@Example.com ", "phone": "(415) 555-2671", "plan": "gold"},
            {"id": 2, "mail": "mia@example.com", "phone": None, "plan": "silver"},
        ]
        plan = Plan(
            kind="profiles",
            staging_path=folder("staging_path"),
            key_field="id",
            mapping=[
                FieldMapping("mail", "email", "lower"),
                FieldMapping("phone", "phone_number", "e164:US"),
                FieldMapping("plan", "properties.plan"),
            ],
        )
        # With the store a next try of the task goes on where this one stopped.
        with KlaviyoHook().session() as klaviyo, load_store(get_current_context()) as store:
            return load(klaviyo, customers, plan, store=store).as_json()

    # [END howto_taskflow_load]

    # [START howto_taskflow_call]
    @task
    def list_names() -> list[str]:
        """Call an endpoint; ``walk`` goes through all pages."""
        with KlaviyoHook().session() as klaviyo:
            return [each["attributes"]["name"] for each in klaviyo.walk(lists.list_())]

    # [END howto_taskflow_call]

    load_customers() >> list_names()

# SPDX-License-Identifier: Apache-2.0
"""
Filters: what a list in Klaviyo is narrowed down by.

Needs the connection ``klaviyo_default`` with the scopes ``lists:read`` and ``profiles:read``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, task

from airflow_provider_klaviyo.api import filters, profiles
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.operators.lists import KlaviyoListListsOperator

with DAG(dag_id="klaviyo_filters", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), tags=["klaviyo"]) as dag:
    # [START howto_filter]
    changed = KlaviyoListListsOperator(
        task_id="changed",
        filter=filters.all_of(
            filters.any_("name", ["VIP", 'Friends, "old" ones']),
            "greater-than(updated,{{ (dag_run.run_after - macros.timedelta(days=30)) | ts }})",
        ),
    )
    # [END howto_filter]

    # [START howto_filter_taskflow]
    @task
    def new_people() -> list[str]:
        """Return the ids of the profiles of the last hour."""
        hour_ago = datetime.now(UTC) - timedelta(hours=1)
        with KlaviyoHook().session() as klaviyo:
            people = klaviyo.walk(profiles.list_(filter=filters.greater_than("created", hour_ago)))
            return [person["id"] for person in people]

    # [END howto_filter_taskflow]

    changed >> new_people()

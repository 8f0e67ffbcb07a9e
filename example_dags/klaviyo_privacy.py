# SPDX-License-Identifier: Apache-2.0
"""
Privacy: forget a customer who asked for it. Started by hand, with the customer's number.

Needs the connection ``klaviyo_default`` with the scopes ``profiles:read``, ``profiles:write`` and ``data-privacy:write``.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG

from airflow_provider_klaviyo.operators.privacy import KlaviyoDeleteProfileDataOperator
from airflow_provider_klaviyo.operators.profiles import KlaviyoUpsertProfileOperator

with DAG(
    dag_id="klaviyo_privacy",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    params={"customer": "customer-0"},
    tags=["klaviyo"],
) as dag:
    customer = KlaviyoUpsertProfileOperator(task_id="customer", profile={"external_id": "{{ params.customer }}"})

    # [START howto_operator_delete_profile_data]
    forget = KlaviyoDeleteProfileDataOperator(
        task_id="forget",
        profile_id="{{ ti.xcom_pull('customer') }}",
    )
    # [END howto_operator_delete_profile_data]

    customer >> forget

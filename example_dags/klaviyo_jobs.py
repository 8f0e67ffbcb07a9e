# SPDX-License-Identifier: Apache-2.0
"""
Start a bulk job in one task, and wait for it in another.

Needs the connection ``klaviyo_default`` with the scopes ``lists:read``, ``lists:write``, ``profiles:read`` and ``profiles:write``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG

from airflow_provider_klaviyo.operators.profiles import KlaviyoBulkImportProfilesOperator
from airflow_provider_klaviyo.sensors.jobs import KlaviyoJobSensor

with DAG(dag_id="klaviyo_jobs", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), tags=["klaviyo"]) as dag:
    start = KlaviyoBulkImportProfilesOperator(
        task_id="start",
        profiles=[{"email": "ann@example.com"}, {"email": "bob@example.com"}],
        wait_for_completion=False,
    )

    # [START howto_sensor_job]
    wait = KlaviyoJobSensor(
        task_id="wait",
        job_id="{{ ti.xcom_pull('start')['id'] }}",
        poke_interval=5,
        timeout=timedelta(hours=2),
        deferrable=True,
    )
    # [END howto_sensor_job]

    start >> wait

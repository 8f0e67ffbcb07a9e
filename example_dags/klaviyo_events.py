# SPDX-License-Identifier: Apache-2.0
"""
Events: one, and many at once; waiting for one, and reading them.

Needs the connection ``klaviyo_default`` with the scopes ``events:read``, ``events:write``, ``metrics:read``, ``profiles:read`` and
``profiles:write``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG

from airflow_provider_klaviyo.operators.events import (
    KlaviyoBulkCreateEventsOperator,
    KlaviyoCreateEventOperator,
    KlaviyoGetEventOperator,
    KlaviyoListEventsOperator,
)
from airflow_provider_klaviyo.sensors.events import KlaviyoEventSensor

with DAG(dag_id="klaviyo_events", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), tags=["klaviyo"]) as dag:
    # [START howto_operator_create_event]
    create = KlaviyoCreateEventOperator(
        task_id="create",
        metric="Subscription Renewed",
        profile={"email": "sarah@example.com"},
        properties={"plan": "pro", "months": 12},
        value=99.0,
        value_currency="EUR",
        unique_id="renewal-{{ run_id }}",
    )
    # [END howto_operator_create_event]

    # [START howto_operator_bulk_create_events]
    bulk_create = KlaviyoBulkCreateEventsOperator(
        task_id="bulk_create",
        events=[
            {
                "metric": "Course Finished",
                "profile": {"email": "sarah@example.com"},
                "time": "{{ dag_run.run_after.isoformat() }}",
                "unique_id": "course-1-{{ run_id }}",
                "properties": {"course": "Knots"},
            },
            {
                "metric": "Course Finished",
                "profile": {"external_id": "customer-1001"},
                "time": "{{ dag_run.run_after.isoformat() }}",
                "unique_id": "course-2-{{ run_id }}",
                "properties": {"course": "Sails"},
            },
        ],
        backfill=True,
    )
    # [END howto_operator_bulk_create_events]

    # [START howto_sensor_event]
    wait = KlaviyoEventSensor(
        task_id="wait",
        metric="Subscription Renewed",
        profile={"email": "sarah@example.com"},
        poke_interval=30,
        timeout=timedelta(minutes=30),
        deferrable=True,
    )
    # [END howto_sensor_event]

    # [START howto_operator_get_event]
    get = KlaviyoGetEventOperator(
        task_id="get",
        event_id="{{ ti.xcom_pull('wait')['event_ids'][0] }}",
        fields={"event": ["datetime", "event_properties"]},
        return_objects=True,
    )
    # [END howto_operator_get_event]

    # [START howto_operator_list_events]
    list_events = KlaviyoListEventsOperator(
        task_id="list_events",
        filter="equals(metric_id,\"{{ ti.xcom_pull('wait')['metric_id'] }}\"),greater-or-equal(datetime,{{ dag_run.run_after | ts }})",
        sort="-datetime",
    )
    # [END howto_operator_list_events]

    create >> bulk_create >> wait >> [get, list_events]

# SPDX-License-Identifier: Apache-2.0
"""
Read all customers every night, and send the few that have changed.

For tables that do not say when a row changed. What was loaded of each profile is remembered at ``state_path``; a row that is the same
as at the last good run is not sent and counts as ``unchanged``.

Needs two Airflow connections: ``warehouse``, your database, and ``klaviyo_default`` with the scopes ``accounts:read``, ``lists:write``,
``profiles:read`` and ``profiles:write``.
"""

from __future__ import annotations

# [START nightly_skip_unchanged]
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param

from airflow_provider_klaviyo.transfers.sql_to_klaviyo import SqlToKlaviyoProfilesOperator

with DAG(
    dag_id="nightly_skip_unchanged",
    schedule="0 2 * * *",
    start_date=datetime(2026, 11, 20, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=2)},
    params={
        "resend": Param(
            False,
            type="boolean",
            title="Send everybody",
            description="After changes were made in Klaviyo itself, which a load that skips what is unchanged here would not overwrite.",
        )
    },
    tags=["klaviyo", "warehouse"],
) as dag:
    customers = SqlToKlaviyoProfilesOperator(
        task_id="customers",
        sql_conn_id="warehouse",
        sql="""
            SELECT id AS customer, email, phone AS phone_number, first_name, last_name, city AS "location.city", plan AS "properties.Plan"
            FROM customers
        """,
        key_field="customer",
        default_region="GB",
        # A folder that every worker reaches, such as s3://aws_default@bucket/klaviyo/state.
        state_path="{{ var.value.get('klaviyo_state_path', 'file:///tmp/klaviyo/state') }}",
        resend="{{ params.resend }}",
        allowed_rejects=0.01,
        # What was not loaded, for those who work in SQL: a table beside the customers.
        results_table="klaviyo_rejects",
    )
# [END nightly_skip_unchanged]

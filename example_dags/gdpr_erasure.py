# SPDX-License-Identifier: Apache-2.0
"""
Carry out what people may ask by law: delete their data in Klaviyo, every night, at most so many.

Needs two Airflow connections: ``warehouse``, your database, and ``klaviyo_default`` with the scopes ``profiles:read``,
``profiles:write`` and ``data-privacy:write``.

The table ``erasure_requests`` has a row for each request: ``id``, ``email``, ``asked_at``, and ``done_at``, which is empty until Klaviyo
has accepted the deletion. Between the tasks go Klaviyo's ids of the profiles; addresses stay in the database. A deletion cannot be taken
back: that is why a night's requests have a limit.
"""

from __future__ import annotations

# [START gdpr_erasure]
from datetime import UTC, datetime, timedelta

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.sdk import DAG, BaseHook, task
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_klaviyo.api import filters, profiles
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.operators.privacy import KlaviyoDeleteProfileDataOperator

MOST = 50
"""Fifty people in a night is a busy night; five thousand is a mistake in a table."""

with DAG(
    dag_id="gdpr_erasure",
    schedule="0 1 * * *",
    start_date=datetime(2026, 11, 20, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=2)},
    tags=["klaviyo", "privacy"],
) as dag:

    @task
    def open_requests() -> list[int]:
        """Return the ids of the open requests."""
        hook = BaseHook.get_connection("warehouse").get_hook()
        found = [row[0] for row in hook.get_records("SELECT id FROM erasure_requests WHERE done_at IS NULL ORDER BY id")]
        if len(found) > MOST:
            raise AirflowFailException(
                f"{len(found)} erasure requests are open and MOST is {MOST}: look at them before anybody is deleted."
            )
        return found

    @task
    def people(requests: list[int]) -> list[str]:
        """Return Klaviyo's ids of those who asked; who is not in Klaviyo has nothing there to delete."""
        hook = BaseHook.get_connection("warehouse").get_hook()
        emails = dict(hook.get_records("SELECT id, email FROM erasure_requests WHERE done_at IS NULL"))
        with KlaviyoHook().session() as klaviyo:
            asked = (
                profiles.list_(filter=filters.equals("email", emails[each].strip()), fields={"profile": ["created"]}) for each in requests
            )
            return sorted({found["id"] for each in asked for found in klaviyo.walk(each)})

    requests = open_requests()

    # A task for each person. Asked twice, Klaviyo does the same: a night that breaks off is made up for by the next.
    erase = KlaviyoDeleteProfileDataOperator.partial(task_id="erase", must_exist=False).expand(profile_id=people(requests))

    # Once all are accepted, or there was nobody to erase; where one has failed, all stay open.
    done = SQLExecuteQueryOperator(
        task_id="done",
        trigger_rule="none_failed",
        conn_id="warehouse",
        sql="""
            UPDATE erasure_requests SET done_at = CURRENT_TIMESTAMP
            WHERE id IN (NULL{% for id in ti.xcom_pull('open_requests') %}, {{ id | int }}{% endfor %})
        """,
    )

    erase >> done
# [END gdpr_erasure]

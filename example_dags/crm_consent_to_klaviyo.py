# SPDX-License-Identifier: Apache-2.0
"""
Bring consent from a CRM to Klaviyo, every hour: who has said yes, who has said no, and when.

Needs two Airflow connections: ``crm``, its database, and ``klaviyo_default`` with the scopes ``lists:read``, ``lists:write``,
``profiles:read``, ``profiles:write``, ``subscriptions:read`` and ``subscriptions:write``.

The CRM's table ``consents`` has a row for each word that somebody has given: who, to which channel, yes or no, and when. A person's last
word to a channel counts, also against Klaviyo's: who has unsubscribed there since stays unsubscribed.

Each run reads a week back, so that a no that reaches the table late, or a run that did not take place, loses nothing. What Klaviyo has
already is not sent again. After more than a week without a run, give it the days that are missing.
"""

from __future__ import annotations

# [START crm_consent_to_klaviyo]
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable

from airflow_provider_klaviyo.operators.lists import KlaviyoCreateListOperator
from airflow_provider_klaviyo.transfers.sql_to_klaviyo import SqlToKlaviyoConsentOperator

with DAG(
    dag_id="crm_consent_to_klaviyo",
    schedule=CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
    start_date=datetime(2026, 11, 20, tzinfo=UTC),
    # Each run reads what those before it would have: none has to be made up for, right behind another.
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=2)},
    tags=["klaviyo", "consent"],
) as dag:
    newsletter = KlaviyoCreateListOperator(task_id="newsletter", name="Newsletter", opt_in_process="double_opt_in", if_exists="use")

    # [START howto_operator_sql_to_klaviyo_consent]
    consent = SqlToKlaviyoConsentOperator(
        task_id="consent",
        sql_conn_id="crm",
        sql="""
            SELECT
                id AS word, email, mobile AS phone_number, said_at AS consented_at,
                CASE channel WHEN 'sms' THEN 'sms.marketing' WHEN 'email' THEN 'email.marketing' END AS channels,
                -- No ELSE: any other answer is neither a yes nor a no, and is skipped.
                CASE answer WHEN 'yes' THEN 'subscribed' WHEN 'no' THEN 'unsubscribed' END AS consent
            FROM consents
            WHERE channel IN ('email', 'sms') AND said_at >= '{{ (data_interval_end - macros.timedelta(days=7)) | ts }}'
        """,
        key_field="word",
        default_region="GB",
        # Whoever says yes is put in the list; whoever says no is unsubscribed from the channel everywhere.
        list_id="{{ ti.xcom_pull('newsletter')['id'] }}",
        leave="everywhere",
        # A yes is sent only where a load is told so; without it, only those who say no are.
        subscribe=True,
        custom_source="CRM",
        # A CRM that loses its answers must not unsubscribe everybody: more than so many stop the load before anything is sent.
        max_change=500,
    )
    # [END howto_operator_sql_to_klaviyo_consent]

    newsletter >> consent
# [END crm_consent_to_klaviyo]

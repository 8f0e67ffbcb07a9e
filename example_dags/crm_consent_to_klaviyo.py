# SPDX-License-Identifier: Apache-2.0
"""
Bring consent from a CRM to Klaviyo, every hour: who has said yes, who has said no, and when.

Needs two Airflow connections: ``crm``, its database, and ``klaviyo_default`` with the scopes ``lists:read``, ``lists:write``,
``profiles:read``, ``profiles:write``, ``subscriptions:read`` and ``subscriptions:write``.

The CRM's table ``consents`` has a row for each word that somebody has given: who, to which channel, yes or no, and when. A person's
newest word to a channel counts, also against Klaviyo's: who has unsubscribed there since stays unsubscribed.

"""

from __future__ import annotations

# [START crm_consent_to_klaviyo]
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable

from airflow_provider_klaviyo.transfers.sql_to_klaviyo import SqlToKlaviyoConsentOperator

with DAG(
    dag_id="crm_consent_to_klaviyo",
    schedule=CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
    start_date=datetime(2026, 11, 20, tzinfo=UTC),
    catchup=True,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=2)},
    tags=["klaviyo", "consent"],
) as dag:
    # [START howto_operator_sql_to_klaviyo_consent]
    consent = SqlToKlaviyoConsentOperator(
        task_id="consent",
        sql_conn_id="crm",
        sql="""
            SELECT
                id AS word, email, mobile AS phone_number, said_at AS consented_at,
                CASE channel WHEN 'sms' THEN 'sms.marketing' ELSE 'email.marketing' END AS channels,
                CASE answer WHEN 'yes' THEN 'subscribed' ELSE 'unsubscribed' END AS consent
            FROM consents
            WHERE said_at >= '{{ data_interval_start | ts }}' AND said_at < '{{ data_interval_end | ts }}'
                AND NOT EXISTS (
                    SELECT 1 FROM consents AS newer
                    WHERE newer.person_id = consents.person_id AND newer.channel = consents.channel AND newer.said_at > consents.said_at
                )
        """,
        # Not "id": without a mapping, a column of that name is Klaviyo's own id of a profile.
        key_field="word",
        default_region="GB",
        # A yes is sent only where a load is told so; without it, only those who say no are.
        subscribe=True,
        custom_source="CRM",
        # A CRM that loses its answers must not unsubscribe everybody: more than so many stop the load before anything is sent.
        max_change=500,
    )
    # [END howto_operator_sql_to_klaviyo_consent]
# [END crm_consent_to_klaviyo]

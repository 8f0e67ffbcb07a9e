# SPDX-License-Identifier: Apache-2.0
"""
Bring what a Shopify shop's customers agreed to, and what not, to Klaviyo, every day.

Needs the two Airflow connections of the example ``shopify_to_klaviyo``; the Klaviyo key with the scopes ``profiles:read``,
``profiles:write``, ``subscriptions:read`` and ``subscriptions:write``. Set ``[klaviyo] audit_key``, so that the audit trail can tell people apart
without naming them.

Who is subscribed in Shopify is subscribed with the date that Shopify has of it: nobody has to confirm it again, and no flow starts. Who has
unsubscribed in Shopify is unsubscribed. A newer word in Klaviyo wins, and who has unsubscribed there stays so. Leave ``subscribe`` out, and
only the unsubscribed are loaded: do that where people subscribe by other ways than the shop, too.

Each run reads the customers that changed in the last seven days: what Klaviyo has already is not sent again, and a run that did not take
place loses nothing. After more than a week without one, trigger a run with ``start``.
"""

from __future__ import annotations

# [START shopify_consent_to_klaviyo]
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, Param

from airflow_provider_klaviyo.transfers.shopify_to_klaviyo import ShopifyToKlaviyoConsentOperator

with DAG(
    dag_id="shopify_consent_to_klaviyo",
    schedule=CronDataIntervalTimetable("30 4 * * *", timezone="UTC"),
    start_date=datetime(2026, 11, 20, tzinfo=UTC),
    # Each run reads what those before it would have: none has to be made up for, right behind another.
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=2)},
    params={
        "start": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="Load everything changed since",
            description="For a first load: a day before the shop opened. Empty: the last seven days.",
        ),
        "max_change": Param(
            500,
            type="integer",
            title="The most people to unsubscribe",
            description="More stop the run before anything is sent. A first load has all who ever unsubscribed: raise it for that.",
        ),
    },
    tags=["klaviyo", "shopify", "consent"],
) as dag:
    # [START howto_operator_shopify_to_klaviyo_consent]
    consent = ShopifyToKlaviyoConsentOperator(
        task_id="consent",
        start="{{ params.start or (data_interval_end - macros.timedelta(days=7)) | ts }}",
        subscribe=True,
        # SMS as well: channels=["email.marketing", "sms.marketing"]
        max_change="{{ params.max_change }}",
    )
    # [END howto_operator_shopify_to_klaviyo_consent]
# [END shopify_consent_to_klaviyo]

# SPDX-License-Identifier: Apache-2.0
"""
Consent: subscribe people, let them leave a list, suppress addresses and take that back.

Needs the connection ``klaviyo_default`` with the scopes ``lists:read``, ``lists:write``, ``profiles:read``, ``profiles:write``,
``subscriptions:read`` and ``subscriptions:write``.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG

from airflow_provider_klaviyo.operators.lists import KlaviyoCreateListOperator
from airflow_provider_klaviyo.operators.subscriptions import (
    KlaviyoSubscribeProfilesOperator,
    KlaviyoSuppressProfilesOperator,
    KlaviyoUnsubscribeProfilesOperator,
    KlaviyoUnsuppressProfilesOperator,
)

with DAG(dag_id="klaviyo_consent", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), tags=["klaviyo"]) as dag:
    newsletter = KlaviyoCreateListOperator(task_id="newsletter", name="Newsletter", opt_in_process="double_opt_in", if_exists="use")

    # [START howto_operator_subscribe_profiles]
    subscribe = KlaviyoSubscribeProfilesOperator(
        task_id="subscribe",
        profiles=[
            {"email": "ann@example.com", "consented_at": "2026-01-05T10:00:00+00:00"},
            {
                "email": "bob@example.com",
                "phone_number": "+14155550123",
                "channels": ["email.marketing", "sms.marketing"],
                "consented_at": "2026-01-06T16:30:00+01:00",
            },
        ],
        list_id="{{ ti.xcom_pull('newsletter')['id'] }}",
        historical_import=True,
        custom_source="Trade fair",
    )
    # [END howto_operator_subscribe_profiles]

    # [START howto_operator_unsubscribe_profiles]
    unsubscribe = KlaviyoUnsubscribeProfilesOperator(
        task_id="unsubscribe",
        profiles=[{"email": "ann@example.com"}, {"email": "cid@example.com"}],
        list_id="{{ ti.xcom_pull('newsletter')['id'] }}",
        not_in_list="skip",
    )
    # [END howto_operator_unsubscribe_profiles]

    # [START howto_operator_suppress_profiles]
    suppress = KlaviyoSuppressProfilesOperator(
        task_id="suppress",
        emails=["info@example.com", "sales@example.com"],
        poll_interval=1,
    )
    # [END howto_operator_suppress_profiles]

    # [START howto_operator_unsuppress_profiles]
    unsuppress = KlaviyoUnsuppressProfilesOperator(
        task_id="unsuppress",
        emails=["sales@example.com"],
        poll_interval=1,
    )
    # [END howto_operator_unsuppress_profiles]

    newsletter >> subscribe >> unsubscribe
    suppress >> unsuppress

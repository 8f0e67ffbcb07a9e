# SPDX-License-Identifier: Apache-2.0
"""
Webhooks: see what there is to be told of, have it sent to an address, change, read and delete that, and read what was sent.

Needs the connection ``klaviyo_default`` of an OAuth app with the scopes ``webhooks:read``, ``webhooks:write`` and ``events:read``,
and with the extra ``webhook_secret``.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, ObjectStoragePath, task

from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.operators.webhooks import (
    KlaviyoCreateWebhookOperator,
    KlaviyoDeleteWebhookOperator,
    KlaviyoGetWebhookOperator,
    KlaviyoListWebhooksOperator,
    KlaviyoListWebhookTopicsOperator,
    KlaviyoUpdateWebhookOperator,
)

with DAG(
    dag_id="klaviyo_webhooks",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    params={"inbox": "file:///srv/klaviyo-webhooks"},
    tags=["klaviyo"],
) as dag:
    # [START howto_operator_list_webhook_topics]
    list_webhook_topics = KlaviyoListWebhookTopicsOperator(task_id="list_webhook_topics")
    # [END howto_operator_list_webhook_topics]

    # [START howto_operator_create_webhook]
    create = KlaviyoCreateWebhookOperator(
        task_id="create",
        name="Unsubscribed, for the warehouse",
        endpoint_url="https://hooks.example.com/klaviyo",
        topics=["event:klaviyo.unsubscribed_from_email_marketing", "event:klaviyo.marked_email_as_spam"],
        if_exists="use",
    )
    # [END howto_operator_create_webhook]

    # [START howto_operator_update_webhook]
    update = KlaviyoUpdateWebhookOperator(
        task_id="update",
        webhook_id="{{ ti.xcom_pull('create')['id'] }}",
        description="Owned by the data team",
        enabled=True,
    )
    # [END howto_operator_update_webhook]

    # [START howto_operator_get_webhook]
    get = KlaviyoGetWebhookOperator(
        task_id="get",
        webhook_id="{{ ti.xcom_pull('create')['id'] }}",
        fields={"webhook": ["name", "enabled"]},
    )
    # [END howto_operator_get_webhook]

    # [START howto_operator_list_webhooks]
    list_webhooks = KlaviyoListWebhooksOperator(task_id="list_webhooks", fields={"webhook": ["name", "enabled"]})
    # [END howto_operator_list_webhooks]

    # [START howto_operator_delete_webhook]
    delete = KlaviyoDeleteWebhookOperator(
        task_id="delete",
        webhook_id="{{ ti.xcom_pull('create')['id'] }}",
    )
    # [END howto_operator_delete_webhook]

    # [START howto_verify_signature]
    @task
    def read_deliveries(inbox: str) -> list[str]:
        """Return the topics of all events that a service has received and put away, one request a file."""
        hook, topics = KlaviyoHook(), []
        for path in ObjectStoragePath(inbox).glob("*.json"):
            request = json.loads(path.read_text())
            signature, timestamp = request["headers"]["klaviyo-signature"], request["headers"]["klaviyo-timestamp"]
            delivery = hook.verify_signature(request["body"].encode(), signature, timestamp, tolerance=timedelta(days=1))
            topics += [event["topic"] for event in delivery["data"]]
        return topics

    # [END howto_verify_signature]

    read_deliveries("{{ params.inbox }}")
    list_webhook_topics >> create >> update >> [get, list_webhooks] >> delete

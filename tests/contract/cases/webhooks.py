# SPDX-License-Identifier: Apache-2.0
"""Webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_klaviyo.api import webhooks
from airflow_provider_klaviyo.api.request import Json
from tests.contract.kit import Case

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer
    from airflow_provider_klaviyo.session import Session

OPENED, CLICKED = "event:klaviyo.opened_email", "event:klaviyo.clicked_email"
NEW: Json = {"name": "Opens", "endpoint_url": "https://shop.example/hooks/7", "secret_key": "0123456789abcdef", "topics": [OPENED]}
FIELDS = {"webhook": ["name", "enabled"], "webhook-topic": "id"}


def a_webhook(klaviyo: Session, sandbox: SandboxServer) -> Json:
    """Make a webhook."""
    return {"webhook_id": klaviyo.send(webhooks.create(**NEW))["data"]["id"]}


CASES = [
    Case(webhooks.create, "create_webhook", NEW),
    Case(webhooks.create, "create_webhook", {**NEW, "topics": [OPENED, CLICKED], "description": "For the warehouse"}),
    Case(webhooks.get, "get_webhook", {"webhook_id": "W1"}, a_webhook),
    Case(webhooks.get, "get_webhook", {"webhook_id": "W1", "include": "webhook-topics"}, a_webhook),
    Case(webhooks.get, "get_webhook", {"webhook_id": "W1", "fields": FIELDS, "include": "webhook-topics"}, a_webhook),
    Case(webhooks.list_, "get_webhooks", {}, a_webhook),
    Case(webhooks.list_, "get_webhooks", {"include": "webhook-topics"}, a_webhook),
    Case(webhooks.list_, "get_webhooks", {"fields": FIELDS, "include": "webhook-topics"}, a_webhook),
    Case(
        webhooks.update,
        "update_webhook",
        {
            "webhook_id": "W1",
            "name": "Clicks",
            "endpoint_url": "https://shop.example/hooks/8",
            "secret_key": "fedcba9876543210",
            "topics": [CLICKED],
            "description": "For the warehouse",
            "enabled": False,
        },
        a_webhook,
    ),
    Case(webhooks.update, "update_webhook", {"webhook_id": "W1", "topics": [CLICKED]}, a_webhook),
    Case(webhooks.delete, "delete_webhook", {"webhook_id": "W1"}, a_webhook),
    Case(webhooks.topics, "get_webhook_topics", {}),
    Case(webhooks.topics, "get_webhook_topics", {"fields": {"webhook-topic": "id"}}),
    Case(webhooks.topic, "get_webhook_topic", {"topic_id": OPENED}),
    Case(webhooks.topic, "get_webhook_topic", {"topic_id": OPENED, "fields": {"webhook-topic": "id"}}),
]

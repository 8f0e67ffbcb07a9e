# SPDX-License-Identifier: Apache-2.0
"""Operators for webhooks: where Klaviyo sends events as they happen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_klaviyo.api import webhooks
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.operators.base import KlaviyoOperator, Personal
from airflow_provider_klaviyo.operators.listing import Fields, GettingOperator, Names, PagedOperator
from airflow_provider_klaviyo.operators.making import CreatingOperator, DeletingOperator


class KlaviyoCreateWebhookOperator(CreatingOperator):
    """
    Have Klaviyo send events to an address.

    A webhook is known by its name and the host of its address: the rest of the address Klaviyo does not show.

    https://developers.klaviyo.com/en/reference/create_webhook
    https://developers.klaviyo.com/en/reference/get_webhooks
    In a retry: https://developers.klaviyo.com/en/reference/get_webhook

    :param endpoint_url: Where to, with https. Airflow does not show it, since it may hold a token.
    :param topics: What of, by the ids that ``KlaviyoListWebhookTopicsOperator`` returns, such as ``event:klaviyo.opened_email``.
    :param secret_key: What Klaviyo signs with, 16 characters or more; the connection's ``webhook_secret`` where left out.
    :param description: What it is for.
    """

    noun = "webhooks"

    endpoint_url: Personal[str]
    topics: Sequence[str]
    secret_key: Personal[str | None] = None
    description: str | None = None

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return webhooks.create(
            name=self.name,
            endpoint_url=str(self.endpoint_url),
            secret_key=str(self.secret_key or self.hook.webhook_secret),
            topics=self.topics,
            description=self.description,
        )

    def listed(self) -> Request[Json]:
        """Make the request that lists all webhooks."""
        return webhooks.list_()

    def named(self, item: Json) -> bool:
        """Say whether a webhook has the name, and leads to the host."""
        return super().named(item) and _host(item["attributes"]["endpoint_url"]) == _host(str(self.endpoint_url))

    def got(self, identity: str) -> Request[Json]:
        """Make the request that reads one by its id."""
        return webhooks.get(webhook_id=identity)


class KlaviyoGetWebhookOperator(GettingOperator):
    """
    Read a webhook. Klaviyo shows of its address the host alone, and never the secret.

    https://developers.klaviyo.com/en/reference/get_webhook

    :param webhook_id: Klaviyo's id of it.
    """

    webhook_id: str

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return webhooks.get(webhook_id=self.webhook_id, **self.query)


class KlaviyoListWebhooksOperator(PagedOperator):
    """
    Read all webhooks.

    https://developers.klaviyo.com/en/reference/get_webhooks

    :param fields: The fields to return, by resource type: ``{"webhook": ["name", "enabled"]}``.
    :param include: Relationships whose resources to return as well, under ``included`` of each webhook.
    :return: The webhooks, each with ``id``, ``attributes``, ``relationships``.
    """

    fields: Fields | None = None
    include: Names | None = None

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return webhooks.list_(fields=self.fields, include=self.include)


class KlaviyoUpdateWebhookOperator(KlaviyoOperator):
    """
    Change a webhook.

    https://developers.klaviyo.com/en/reference/update_webhook

    :param webhook_id: Klaviyo's id of it.
    :param name: Its new name.
    :param endpoint_url: Where to from now on, with https. Airflow does not show it.
    :param secret_key: What Klaviyo signs with from now on, 16 characters or more.
    :param topics: All it is told of from now on, by their ids.
    :param description: What it is for; it cannot be cleared.
    :param enabled: Whether Klaviyo sends to it. It stops by itself after two days of failures.
    :return: The webhook: ``id``, ``attributes``, ``relationships``.
    """

    webhook_id: str
    name: str | None = None
    endpoint_url: Personal[str | None] = None
    secret_key: Personal[str | None] = None
    topics: Sequence[str] | None = None
    description: str | None = None
    enabled: bool | None = None

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return webhooks.update(
            webhook_id=self.webhook_id,
            name=self.name,
            endpoint_url=None if self.endpoint_url is None else str(self.endpoint_url),
            secret_key=None if self.secret_key is None else str(self.secret_key),
            topics=self.topics,
            description=self.description,
            enabled=self.enabled,
        )


class KlaviyoDeleteWebhookOperator(DeletingOperator):
    """
    Delete a webhook.

    https://developers.klaviyo.com/en/reference/delete_webhook

    :param webhook_id: Klaviyo's id of it.
    """

    webhook_id: str

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return webhooks.delete(webhook_id=self.webhook_id)


class KlaviyoListWebhookTopicsOperator(PagedOperator):
    """
    Read what a webhook can be told of: Klaviyo's own topics, and one for each of the account's metrics.

    https://developers.klaviyo.com/en/reference/get_webhook_topics

    :return: The topics' ids, such as ``event:klaviyo.opened_email`` and ``event:api.placed_order``.
    """

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return webhooks.topics()

    def result(self, answer: Any) -> list[str]:
        """Return the ids: a topic has nothing else."""
        return [each["id"] for each in answer]


def _host(address: str) -> str | None:
    return urlsplit(address).hostname

# SPDX-License-Identifier: Apache-2.0
"""Webhooks: where Klaviyo sends events as they happen, and whether what arrives there is Klaviyo's."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Unpack
from urllib.parse import urlsplit

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError, KlaviyoSignatureError
from airflow_provider_klaviyo.api.jsonapi import Listing, Reading, document, given, identifiers, listing, reading
from airflow_provider_klaviyo.api.request import Json, Request, at

SHORTEST_SECRET = 16
SIGNATURE = re.compile(r"[0-9a-fA-F]{64}")
TOLERANCE = timedelta(minutes=5)


def create(*, name: str, endpoint_url: str, secret_key: str, topics: Sequence[str], description: str | None = None) -> Request[Json]:
    """
    Have Klaviyo send events to an address.

    https://developers.klaviyo.com/en/reference/create_webhook

    :param name: Its name in Klaviyo; two webhooks may have the same.
    :param endpoint_url: Where to, with https.
    :param secret_key: What Klaviyo signs with, 16 characters or more; it is not shown again.
    :param topics: What of, by the ids of :func:`topics`, such as ``event:klaviyo.opened_email``.
    :param description: What it is for.
    :raises KlaviyoConfigError: No name or topic, an address without https, or a secret that is too short.
    """
    _check(name, endpoint_url, secret_key, topics)
    attributes = given(name=name, description=description, endpoint_url=endpoint_url, secret_key=secret_key)
    return Request("POST", "/api/webhooks", json=document("webhook", attributes, relationships=_related(topics)))


def get(*, webhook_id: str, **query: Unpack[Reading]) -> Request[Json]:
    """
    Read a webhook; for the query see :class:`~airflow_provider_klaviyo.api.jsonapi.Reading`.

    Klaviyo shows of the address the host alone, and never the secret.

    https://developers.klaviyo.com/en/reference/get_webhook

    :param webhook_id: Klaviyo's id of it.
    """
    return reading(at("/api/webhooks/{}", webhook_id), **query)


def list_(**query: Unpack[Listing]) -> Request[Json]:
    """
    Read webhooks; for the query see :class:`~airflow_provider_klaviyo.api.jsonapi.Listing`.

    https://developers.klaviyo.com/en/reference/get_webhooks
    """
    return listing("/api/webhooks", **query)


def update(
    *,
    webhook_id: str,
    name: str | None = None,
    endpoint_url: str | None = None,
    secret_key: str | None = None,
    topics: Sequence[str] | None = None,
    description: str | None = None,
    enabled: bool | None = None,
) -> Request[Json]:
    """
    Change a webhook.

    https://developers.klaviyo.com/en/reference/update_webhook

    :param webhook_id: Klaviyo's id of it.
    :param name: Its new name.
    :param endpoint_url: Where to from now on, with https.
    :param secret_key: What Klaviyo signs with from now on, 16 characters or more.
    :param topics: All it is told of from now on, by the ids of :func:`topics`.
    :param description: What it is for; it cannot be cleared.
    :param enabled: Whether Klaviyo sends to it. It stops by itself after two days of failures.
    :raises KlaviyoConfigError: Nothing to change, or as for :func:`create`.
    """
    attributes = given(name=name, description=description, endpoint_url=endpoint_url, secret_key=secret_key, enabled=enabled)
    if not attributes and topics is None:
        raise KlaviyoConfigError("nothing to change: give a name, endpoint_url, secret_key, topics, description or enabled")
    _check(name, endpoint_url, secret_key, topics)
    body = document("webhook", attributes, identity=webhook_id, relationships=None if topics is None else _related(topics))
    return Request("PATCH", at("/api/webhooks/{}", webhook_id), json=body, replayable=True)


def delete(*, webhook_id: str) -> Request[Json]:
    """
    Delete a webhook.

    https://developers.klaviyo.com/en/reference/delete_webhook

    :param webhook_id: Klaviyo's id of it.
    """
    return Request("DELETE", at("/api/webhooks/{}", webhook_id))


def topics(**query: Unpack[Listing]) -> Request[Json]:
    """
    Read what a webhook can be told of: Klaviyo's own topics, and one for each of the account's metrics.

    For the query see :class:`~airflow_provider_klaviyo.api.jsonapi.Listing`.

    https://developers.klaviyo.com/en/reference/get_webhook_topics
    """
    return listing("/api/webhook-topics", **query)


def topic(*, topic_id: str, **query: Unpack[Reading]) -> Request[Json]:
    """
    Read one topic, which is to see that it is there; for the query see :class:`~airflow_provider_klaviyo.api.jsonapi.Reading`.

    https://developers.klaviyo.com/en/reference/get_webhook_topic

    :param topic_id: Its id, such as ``event:klaviyo.opened_email``.
    """
    return reading(at("/api/webhook-topics/{}", topic_id), **query)


def verify_signature(
    body: bytes, signature: str | None, timestamp: str | None, secret: str, *, tolerance: timedelta = TOLERANCE, now: datetime | None = None
) -> Json:
    """
    Return what a webhook brought, after making sure that Klaviyo has sent it just now.

    Klaviyo signs the body and the header ``Klaviyo-Timestamp``. Of its age only the body's own ``meta.timestamp`` tells: the clock
    of that header is wrong by hours.

    :param body: The body as it came, byte for byte: not parsed, not decoded.
    :param signature: The header ``Klaviyo-Signature``, ``None`` where there is none.
    :param timestamp: The header ``Klaviyo-Timestamp`` as it came, ``None`` where there is none.
    :param secret: The webhook's ``secret_key``.
    :param tolerance: How far its time may lie from now, either way.
    :param now: The time, if not that of this machine; aware.
    :return: ``{"data": [{"topic", "external_id", "payload"}, ...], "meta": {"klaviyo_webhook_id", ...}}``, up to 1,000 events.
    :raises KlaviyoSignatureError: It is not Klaviyo's, or old. Nothing in it is to be believed.
    :raises KlaviyoConfigError: There is no secret, or the body is not in bytes.
    """
    if not secret:
        raise KlaviyoConfigError("there is no secret to check the signature with")
    if not isinstance(body, (bytes, bytearray, memoryview)):
        raise KlaviyoConfigError(
            f"body is the request's own bytes, not a {type(body).__name__}: what was parsed or decoded cannot be checked"
        )
    if not timestamp or not SIGNATURE.fullmatch(signature or ""):
        raise KlaviyoSignatureError(
            "headers", "the headers Klaviyo-Signature, 64 hexadecimal digits, and Klaviyo-Timestamp are not both there"
        )
    signed = hmac.new(secret.encode(), bytes(body) + timestamp.encode("utf-8", "replace"), sha256)
    if not hmac.compare_digest(signed.hexdigest(), (signature or "").lower()):
        raise KlaviyoSignatureError(
            "signature", "the signature is not that of the secret, or body or timestamp are not as Klaviyo sent them"
        )
    brought, sent = _read(bytes(body))
    if abs((now or datetime.now(UTC)) - sent) > tolerance:
        raise KlaviyoSignatureError("age", f"its time is further than {tolerance} from now: it was sent before, or a clock is wrong")
    return brought


def _read(body: bytes) -> tuple[Json, datetime]:
    try:
        brought: Json = json.loads(body)
        sent = datetime.fromisoformat(brought["meta"]["timestamp"])
    except (ValueError, TypeError, KeyError):
        sent = None
    if sent is None or sent.tzinfo is None:
        raise KlaviyoSignatureError("age", "its body has no meta.timestamp with a time zone")
    return brought, sent


def _check(name: str | None, endpoint_url: str | None, secret_key: str | None, topics: Sequence[str] | None) -> None:
    if name is not None and not name.strip():
        raise KlaviyoConfigError("a webhook needs a name")
    if endpoint_url is not None and not _is_https(endpoint_url):
        raise KlaviyoConfigError("endpoint_url is an address that begins with https://")
    if secret_key is not None and len(secret_key) < SHORTEST_SECRET:
        raise KlaviyoConfigError(f"secret_key has {SHORTEST_SECRET} characters or more")
    if topics is not None and (isinstance(topics, str) or not topics or not all(topics)):
        raise KlaviyoConfigError("topics is a list of topics' ids such as event:klaviyo.opened_email, at least one")


def _is_https(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname)


def _related(topics: Sequence[str]) -> Json:
    return {"webhook-topics": identifiers("webhook-topic", topics)}

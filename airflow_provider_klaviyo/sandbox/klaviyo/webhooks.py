# SPDX-License-Identifier: Apache-2.0
"""
``/api/webhooks``: where events are sent as they happen.

The sandbox sends nothing by itself: :func:`delivery` makes what Klaviyo would send, for tests of a receiver.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from email.utils import format_datetime
from hashlib import sha256
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints

from airflow_provider_klaviyo.sandbox.klaviyo import bodies, documents, resources
from airflow_provider_klaviyo.sandbox.klaviyo.behaviour import ACCOUNT
from airflow_provider_klaviyo.sandbox.klaviyo.bodies import Strict
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Answer, Call, answers
from airflow_provider_klaviyo.sandbox.klaviyo.database import iso, moment, ulid
from airflow_provider_klaviyo.sandbox.klaviyo.problems import Problem, Refused, not_found
from airflow_provider_klaviyo.sandbox.klaviyo.resources import Kind, Resource
from airflow_provider_klaviyo.sandbox.klaviyo.state import KlaviyoState

Json = dict[str, Any]
WEBHOOK = Kind("webhook", "webhooks", "Webhook", times=("created_at", "updated_at"))
TOPIC, TOPICS = "webhook-topic", "webhook-topics"
SYSTEM_TOPICS = tuple(
    f"event:klaviyo.{each}"
    for each in (
        *("bounced_email", "clicked_email", "dropped_email", "marked_email_as_spam", "opened_email", "received_email"),
        *("clicked_text_message", "failed_to_deliver_text_message", "received_text_message", "sent_text_message"),
        *("bounced_push", "opened_push", "received_push", "merged_profile", "ready_to_review", "submitted_review"),
        *("manually_suppressed_from_email_marketing", "manually_unsuppressed_from_email_marketing"),
        *("subscribed_to_back_in_stock", "subscribed_to_email_marketing", "subscribed_to_list", "subscribed_to_sms_marketing"),
        *("unsubscribed_from_email_marketing", "unsubscribed_from_list", "unsubscribed_from_sms_marketing"),
    )
)
"""Klaviyo has more of them."""
CLOCK_IS_WRONG_BY = timedelta(hours=5)


def _https(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError("Must be a valid https URL.")
    return address


Name = Annotated[str, StringConstraints(min_length=1)]
Address = Annotated[str, AfterValidator(_https)]
Secret = Annotated[str, StringConstraints(min_length=16)]


class New(Strict):
    """Attributes of a new webhook."""

    name: Name
    endpoint_url: Address
    secret_key: Secret
    description: str | None = None


class Change(Strict):
    """Attributes of a changed webhook."""

    name: Name | None = None
    endpoint_url: Address | None = None
    secret_key: Secret | None = None
    description: str | None = None
    enabled: bool | None = None


class About(Strict):
    """What a webhook is told of."""

    topics: Annotated[bodies.some_of(TOPIC), Field(alias=TOPICS)]  # type: ignore[valid-type]


CREATE = bodies.document("webhook", New, relationships=About, needed=True)
UPDATE = bodies.document("webhook", Change, identified=True, relationships=About)


@answers("get_webhooks")
def get_webhooks(call: Call) -> Answer:
    """List webhooks."""
    _may(call)
    found = [each for each in resources.every(call.state, WEBHOOK) if each.created <= call.state.listed_until()]
    return Answer(200, call.page([_show(call, each) for each in found], None, _included(call, found)))


@answers("get_webhook")
def get_webhook(call: Call) -> Answer:
    """Read one webhook."""
    _may(call)
    found = resources.load(call.state, WEBHOOK, call.ids[0])
    return Answer(200, call.document(_show(call, found), _included(call, [found])))


@answers("create_webhook")
def create_webhook(call: Call) -> Answer:
    """Make a webhook."""
    _may(call)
    asked = bodies.parse(call, CREATE)
    attributes = {"description": None, "enabled": True, **asked.attributes.given()}
    identity = ulid(call.state.now())
    made = resources.make(call.state, WEBHOOK, attributes, identity=identity, related={TOPICS: _topics(call, asked)})
    return Answer(201, call.document(_show(call, made)))


@answers("update_webhook")
def update_webhook(call: Call) -> Answer:
    """Change a webhook; a null is ignored, as recorded."""
    _may(call)
    found = resources.load(call.state, WEBHOOK, call.ids[0])
    asked = bodies.parse(call, UPDATE)
    related = {TOPICS: _topics(call, asked)} if asked.relationships else None
    return Answer(200, call.document(_show(call, resources.change(call.state, found, asked.attributes.changes(), related=related))))


@answers("delete_webhook")
def delete_webhook(call: Call) -> Answer:
    """Delete a webhook."""
    _may(call)
    resources.remove(call.state, resources.load(call.state, WEBHOOK, call.ids[0]))
    return Answer(204)


@answers("get_webhook_topics")
def get_webhook_topics(call: Call) -> Answer:
    """List topics."""
    _may(call)
    return Answer(200, call.page([_topic(call, each) for each in _known(call.state)], None))


@answers("get_webhook_topic")
def get_webhook_topic(call: Call) -> Answer:
    """Read one topic."""
    _may(call)
    if call.ids[0] not in _known(call.state):
        raise not_found("Not found.")
    return Answer(200, call.document(_topic(call, call.ids[0])))


def sign(body: bytes, timestamp: str, secret: str) -> str:
    """
    Return the header ``Klaviyo-Signature``.

    :param body: The body of a delivery.
    :param timestamp: Its header ``Klaviyo-Timestamp``.
    :param secret: The webhook's ``secret_key``.
    """
    signed = hmac.new(secret.encode(), body, sha256)
    signed.update(timestamp.encode())
    return signed.hexdigest()


def delivery(state: KlaviyoState, webhook_id: str, events: Sequence[Json]) -> tuple[bytes, Mapping[str, str]]:
    """
    Return body and headers of what Klaviyo would send to a webhook just now, the wrong clock of its header included.

    :param state: The account.
    :param webhook_id: The webhook's id.
    :param events: Each as ``{"external_id", "topic", "payload"}``.
    """
    secret = resources.load(state, WEBHOOK, webhook_id).attributes["secret_key"]
    now = moment(state.now())
    meta = {"klaviyo_webhook_id": webhook_id, "timestamp": now.isoformat(), "version": "2024-06-28", "klaviyo_account_id": ACCOUNT}
    body = json.dumps({"data": list(events), "meta": meta}).encode()
    timestamp = format_datetime(now + CLOCK_IS_WRONG_BY, usegmt=True)
    headers = {"Klaviyo-Webhook-Id": webhook_id, "Klaviyo-Timestamp": timestamp, "Klaviyo-Signature": sign(body, timestamp, secret)}
    return body, headers


def _may(call: Call) -> None:
    if not call.state.behaviour.advanced_kdp:
        raise Refused(403, "permission_denied", Problem("You must have Advanced KDP enabled to use this endpoint.", "/data/"))


def _known(state: KlaviyoState) -> list[str]:
    """Return the topics there are, those of the account's metrics among them."""
    metrics = state.db.execute("SELECT DISTINCT service, name FROM metrics").fetchall()
    return sorted({*SYSTEM_TOPICS, *(f"event:{_slug(service)}.{_slug(name)}" for service, name in metrics)})


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def _topics(call: Call, asked: Any) -> list[str]:
    named = [each.id for each in asked.relationships.topics.data]
    known = _known(call.state)
    call.refuse(
        [
            Problem(f"'{each}' is not a valid webhook topic.", f"/data/relationships/{TOPICS}/data/{at}/id")
            for at, each in enumerate(named)
            if each not in known
        ]
    )
    return sorted(set(named))


def _topic(call: Call, identity: str) -> Json:
    return documents.resource(call.base, TOPIC, identity, {}, path="webhook-topics")


def _show(call: Call, webhook: Resource) -> Json:
    """Return a webhook as recorded: the secret is not shown, of the address the host alone, and topics without links."""
    stored = webhook.attributes
    attributes = {name: stored[name] for name in ("name", "description", "enabled")}
    attributes |= {
        "endpoint_url": f"https://{urlsplit(stored['endpoint_url']).netloc}/*****",
        "created_at": iso(webhook.created),
        "updated_at": iso(webhook.updated),
    }
    shown = documents.resource(
        call.base, WEBHOOK.type, webhook.id, documents.pick(attributes, call.fields(WEBHOOK.type)), path=WEBHOOK.path, related=()
    )
    shown["relationships"] = {TOPICS: {"data": [documents.identity(TOPIC, each) for each in webhook.related[TOPICS]]}}
    return shown


def _included(call: Call, found: Sequence[Resource]) -> list[Json] | None:
    if TOPICS not in call.query.include:
        return None
    return [_topic(call, each) for each in sorted({each for webhook in found for each in webhook.related[TOPICS]})]

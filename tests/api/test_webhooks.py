# SPDX-License-Identifier: Apache-2.0
"""Requests about webhooks, compared as values, and what is believed of a delivery."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest

from airflow_provider_klaviyo.api import webhooks
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError, KlaviyoError, KlaviyoSignatureError
from airflow_provider_klaviyo.api.request import Request
from airflow_provider_klaviyo.sandbox.klaviyo.webhooks import sign

SECRET = "whsec 0123456789 ü"
NEW: dict[str, Any] = {
    "name": "Opens",
    "endpoint_url": "https://shop.example/hooks/7",
    "secret_key": "0123456789abcdef",
    "topics": ["event:klaviyo.opened_email"],
}


def test_create() -> None:
    assert webhooks.create(**NEW, description="For the warehouse") == Request(
        "POST",
        "/api/webhooks",
        json={
            "data": {
                "type": "webhook",
                "attributes": {
                    "name": "Opens",
                    "description": "For the warehouse",
                    "endpoint_url": "https://shop.example/hooks/7",
                    "secret_key": "0123456789abcdef",
                },
                "relationships": {"webhook-topics": {"data": [{"type": "webhook-topic", "id": "event:klaviyo.opened_email"}]}},
            }
        },
    )
    assert not webhooks.create(**NEW).repeatable


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"name": " "}, "needs a name"),
        ({"endpoint_url": "http://shop.example/hooks"}, "https://"),
        ({"endpoint_url": "https://"}, "https://"),
        ({"endpoint_url": "https://[shop"}, "https://"),
        ({"endpoint_url": "shop.example"}, "https://"),
        ({"secret_key": "0123456789abcde"}, "16 characters"),
        ({"secret_key": ""}, "16 characters"),
        ({"topics": []}, "topics is a list"),
        ({"topics": "event:klaviyo.opened_email"}, "topics is a list"),
        ({"topics": [""]}, "topics is a list"),
    ],
)
def test_what_klaviyo_would_refuse_is_refused_here(wrong: dict[str, Any], says: str) -> None:
    for make in (webhooks.create, lambda **fields: webhooks.update(webhook_id="W1", **fields)):
        with pytest.raises(KlaviyoConfigError, match=says) as refused:
            make(**{**NEW, **wrong})
        assert "0123456789" not in str(refused.value)
        assert "hooks" not in str(refused.value).removeprefix("a webhook")


def test_update_sends_what_changes_and_may_be_repeated() -> None:
    request = webhooks.update(webhook_id="W1", enabled=False)
    assert request.json == {"data": {"type": "webhook", "id": "W1", "attributes": {"enabled": False}}}
    assert (request.method, request.path, request.repeatable) == ("PATCH", "/api/webhooks/W1", True)
    topics = webhooks.update(webhook_id="W1", topics=["event:api.placed_order"]).json
    assert topics is not None
    assert topics["data"]["attributes"] == {}
    assert topics["data"]["relationships"] == {"webhook-topics": {"data": [{"type": "webhook-topic", "id": "event:api.placed_order"}]}}
    with pytest.raises(KlaviyoConfigError, match="nothing to change"):
        webhooks.update(webhook_id="W1")


def test_reading_and_deleting() -> None:
    assert webhooks.get(webhook_id="W/1", include="webhook-topics") == Request(
        "GET", "/api/webhooks/W%2F1", params={"include": "webhook-topics"}
    )
    assert webhooks.list_(fields={"webhook": ["name"]}) == Request("GET", "/api/webhooks", params={"fields[webhook]": "name"})
    assert webhooks.delete(webhook_id="W1") == Request("DELETE", "/api/webhooks/W1")
    assert webhooks.topics() == Request("GET", "/api/webhook-topics")
    assert webhooks.topic(topic_id="event:klaviyo.opened_email").path == "/api/webhook-topics/event%3Aklaviyo.opened_email"
    with pytest.raises(KlaviyoConfigError):
        webhooks.list_(filter='equals(name,"Opens")')


# ── is it Klaviyo's, and new? ───────────────────────────────────────────────────────

NOW = datetime(2026, 9, 4, 13, 16, 53, tzinfo=UTC)
# As recorded: the header says GMT, and is five hours ahead.
TIMESTAMP = "Fri, 04 Sep 2026 18:16:52 GMT"
META = {"klaviyo_webhook_id": "W1", "timestamp": "2026-09-04T13:16:52.101159+00:00", "version": "2024-06-28", "klaviyo_account_id": "A"}
EVENTS = [{"external_id": "E1", "topic": "event:klaviyo.opened_email", "payload": {"data": {"email": "zoë@example.com"}}}]


def body(**meta: Any) -> bytes:
    """Return the body of a delivery, as Klaviyo writes it and not as we would."""
    return json.dumps({"data": EVENTS, "meta": {**META, **meta}}, indent=1, ensure_ascii=False).encode() + b"\n"


def check(given: Any, signature: Any = None, timestamp: Any = TIMESTAMP, secret: str = SECRET, **more: Any) -> Any:
    """Check a delivery that is rightly signed, unless it is said otherwise."""
    signature = sign(given, str(timestamp), SECRET) if signature is None else signature
    return webhooks.verify_signature(given, signature, timestamp, secret, **{"now": NOW, **more})


def test_what_klaviyo_signed_is_returned() -> None:
    assert check(body()) == {"data": EVENTS, "meta": META}
    assert check(bytearray(body())) == check(memoryview(body()).toreadonly(), sign(body(), TIMESTAMP, SECRET))


def test_the_signature_is_over_body_and_then_timestamp() -> None:
    signature = hmac.new(SECRET.encode(), body() + TIMESTAMP.encode(), sha256).hexdigest()
    assert webhooks.verify_signature(body(), signature, TIMESTAMP, SECRET, now=NOW)["meta"]["klaviyo_webhook_id"] == "W1"
    assert webhooks.verify_signature(body=body(), signature=signature.upper(), timestamp=TIMESTAMP, secret=SECRET, now=NOW)
    turned = hmac.new(SECRET.encode(), TIMESTAMP.encode() + body(), sha256).hexdigest()
    with pytest.raises(KlaviyoSignatureError, match="signature is not that of the secret"):
        check(body(), turned)


def flipped(text: str) -> str:
    return ("1" if text[0] == "0" else "0") + text[1:]


ATTEMPTS: dict[str, tuple[Callable[[], Any], str]] = {
    "one digit is another": (lambda: check(body(), flipped(sign(body(), TIMESTAMP, SECRET))), "signature"),
    "an event is another": (lambda: check(body().replace(b"E1", b"E2"), sign(body(), TIMESTAMP, SECRET)), "signature"),
    "it was parsed and written again": (
        lambda: check(json.dumps(json.loads(body())).encode(), sign(body(), TIMESTAMP, SECRET)),
        "signature",
    ),
    "another secret": (lambda: check(body(), secret="another secret of theirs"), "signature"),
    "another second": (lambda: check(body(), sign(body(), TIMESTAMP, SECRET), "Fri, 04 Sep 2026 18:16:53 GMT"), "signature"),
    "half a character": (lambda: check(body(), sign(body(), TIMESTAMP, SECRET), "\udcff"), "signature"),
    "no body": (lambda: check(b"", sign(body(), TIMESTAMP, SECRET)), "signature"),
    "no signature": (lambda: check(body(), ""), "headers"),
    "no header of the signature": (lambda: webhooks.verify_signature(body(), None, TIMESTAMP, SECRET), "headers"),
    "no header of the time": (lambda: webhooks.verify_signature(body(), "0" * 64, None, SECRET), "headers"),
    "an empty time": (lambda: check(body(), "0" * 64, ""), "headers"),
    "no hexadecimal digits": (lambda: check(body(), "z" * 64), "headers"),
    "too few digits": (lambda: check(body(), "0" * 63), "headers"),
    "a prefix": (lambda: check(body(), "sha256=" + sign(body(), TIMESTAMP, SECRET)), "headers"),
    "digits of another script": (lambda: check(body(), "٣" * 64), "headers"),
    "six minutes old": (lambda: check(body(), now=NOW + timedelta(minutes=6)), "age"),
    "six minutes ahead": (lambda: check(body(), now=NOW - timedelta(minutes=6)), "age"),
    "as old as the header's clock is wrong": (lambda: check(body(), now=NOW + timedelta(hours=5)), "age"),
    "older than is tolerated": (lambda: check(body(), tolerance=timedelta(seconds=0.5)), "age"),
    "a time without a zone": (lambda: check(body(timestamp="2026-09-04T13:16:52")), "age"),
    "a number for a time": (lambda: check(body(timestamp=1788527812)), "age"),
    "no time": (lambda: check(body(timestamp="soon")), "age"),
    "no meta": (lambda: check(b'{"data": []}'), "age"),
    "a list": (lambda: check(b"[]"), "age"),
    "no JSON": (lambda: check(b"not json"), "age"),
    "no text": (lambda: check(b"\xff"), "age"),
}


@pytest.mark.parametrize("attempted", ATTEMPTS)
def test_what_is_not_klaviyo_s_or_not_new_is_not_believed(attempted: str) -> None:
    attempt, failed = ATTEMPTS[attempted]
    with pytest.raises(KlaviyoSignatureError) as refused:
        attempt()
    assert refused.value.check == failed
    assert refused.value.permanent
    said = str(refused.value)
    assert not any(secret in said for secret in (SECRET, "E1", "zoë", sign(body(), TIMESTAMP, SECRET)))
    assert refused.value.__context__ is None or refused.value.__suppress_context__, "a traceback would quote what came"


def test_age_is_read_from_the_body_because_the_header_s_clock_is_wrong() -> None:
    assert check(body(), now=NOW + timedelta(minutes=4, seconds=59))
    assert check(body(timestamp="2026-09-04T15:16:52+02:00"))
    assert check(body(), timestamp="yesterday"), "signed, and otherwise of no matter"
    assert check(body(), now=NOW + timedelta(days=1), tolerance=timedelta(days=2))


def test_the_machine_s_own_time_is_now() -> None:
    fresh = body(timestamp=datetime.now(UTC).isoformat())
    assert webhooks.verify_signature(fresh, sign(fresh, TIMESTAMP, SECRET), TIMESTAMP, SECRET)


@pytest.mark.parametrize(("given", "secret"), [(b"{}", ""), ("{}", SECRET), ({"data": []}, SECRET), (None, SECRET)])
def test_a_receiver_that_is_wrong_itself_is_told_so(given: Any, secret: str) -> None:
    with pytest.raises(KlaviyoConfigError) as refused:
        webhooks.verify_signature(given, "0" * 64, TIMESTAMP, secret)
    assert isinstance(refused.value, KlaviyoError)
    assert not isinstance(refused.value, KlaviyoSignatureError)

# SPDX-License-Identifier: Apache-2.0
"""Webhooks of the local Klaviyo, as recorded."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from airflow_provider_klaviyo.sandbox.klaviyo.webhooks import delivery
from tests.sandbox.klaviyo_client import client

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

Json = dict[str, Any]
OPENED, CLICKED = "event:klaviyo.opened_email", "event:klaviyo.clicked_email"
SECRET = "0123456789abcdef"
NEW: Json = {"name": "Opens", "endpoint_url": "https://hooks.example.com:8443/klaviyo?token=1", "secret_key": SECRET}


@pytest.fixture
def http(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    with client(sandbox) as opened:
        yield opened


def body(attributes: Json, *topics: str, **more: Any) -> Json:
    """Return the body of a webhook."""
    related = {"webhook-topics": {"data": [{"type": "webhook-topic", "id": each} for each in topics]}}
    return {"data": {"type": "webhook", "attributes": attributes, **({"relationships": related} if topics else {}), **more}}


def make(http: httpx.Client, *topics: str) -> Json:
    """Make a webhook and return it."""
    answer = http.post("/api/webhooks", json=body(NEW, *(topics or (OPENED,))))
    assert answer.status_code == 201
    made: Json = answer.json()["data"]
    return made


def test_a_webhook_is_shown_as_recorded(http: httpx.Client) -> None:
    made = make(http, OPENED, CLICKED)
    assert made["attributes"].keys() == {"name", "description", "endpoint_url", "enabled", "created_at", "updated_at"}
    assert made["attributes"] | {"created_at": "", "updated_at": ""} == {
        "name": "Opens",
        "description": None,
        "endpoint_url": "https://hooks.example.com:8443/*****",
        "enabled": True,
        "created_at": "",
        "updated_at": "",
    }
    assert made["relationships"] == {
        "webhook-topics": {"data": [{"type": "webhook-topic", "id": CLICKED}, {"type": "webhook-topic", "id": OPENED}]}
    }
    assert made["links"]["self"].endswith(f"/api/webhooks/{made['id']}/")
    assert len(made["id"]) == 26
    read = http.get(f"/api/webhooks/{made['id']}", params={"include": "webhook-topics"}).json()
    assert [each["id"] for each in read["included"]] == [CLICKED, OPENED]
    assert read["included"][0] | {"links": {}} == {"type": "webhook-topic", "id": CLICKED, "attributes": {}, "links": {}}
    listed = http.get("/api/webhooks", params={"fields[webhook]": "name"}).json()
    assert [each["attributes"] for each in listed["data"]] == [{"name": "Opens"}]
    assert listed["links"]["next"] is None


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        (body(NEW), "/data/relationships"),
        (body(NEW, "event:klaviyo.no_such"), "/data/relationships/webhook-topics/data/0/id"),
        (body({**NEW, "endpoint_url": "http://hooks.example.com"}, OPENED), "/data/attributes/endpoint_url"),
        (body({**NEW, "secret_key": "short"}, OPENED), "/data/attributes/secret_key"),
        (body({**NEW, "name": None}, OPENED), "/data/attributes/name"),
        (body({**NEW, "enabled": True}, OPENED), "/data/attributes/enabled"),
        (body({"name": "Opens", "secret_key": SECRET}, OPENED), "/data/attributes/endpoint_url"),
        (body(NEW, OPENED, id="W1"), "/data/id"),
        ({"data": {**body(NEW)["data"], "relationships": {"topics": {"data": []}}}}, "/data/relationships/webhook-topics"),
    ],
)
def test_what_is_no_webhook_is_refused(http: httpx.Client, sent: Json, pointer: str) -> None:
    refused = http.post("/api/webhooks", json=sent)
    assert refused.status_code == 400
    assert pointer in [each["source"]["pointer"] for each in refused.json()["errors"]]
    assert http.get("/api/webhooks").json()["data"] == []


def test_a_change_ignores_null_and_replaces_topics(http: httpx.Client) -> None:
    identity = make(http)["id"]
    changes = {"description": "For the warehouse", "enabled": False}
    changed = http.patch(f"/api/webhooks/{identity}", json=body(changes, CLICKED, id=identity)).json()["data"]
    assert changed["attributes"]["enabled"] is False
    assert changed["relationships"]["webhook-topics"]["data"] == [{"type": "webhook-topic", "id": CLICKED}]
    kept = http.patch(f"/api/webhooks/{identity}", json=body({"description": None}, id=identity)).json()["data"]
    assert kept["attributes"]["description"] == "For the warehouse"
    assert kept["relationships"] == changed["relationships"]
    assert http.patch(f"/api/webhooks/{identity}", json=body({}, id="other")).status_code == 400
    assert http.delete(f"/api/webhooks/{identity}").status_code == 204
    for gone in (http.get(f"/api/webhooks/{identity}"), http.delete(f"/api/webhooks/{identity}")):
        assert gone.status_code == 404


def test_topics_are_known_by_their_ids(http: httpx.Client) -> None:
    found = [each["id"] for each in http.get("/api/webhook-topics").json()["data"]]
    assert OPENED in found
    assert http.get(f"/api/webhook-topics/{OPENED}").json()["data"]["id"] == OPENED
    assert http.get("/api/webhook-topics/event:klaviyo.no_such").status_code == 404


def test_an_account_without_advanced_kdp_is_refused_all_of_it(sandbox: SandboxServer, http: httpx.Client) -> None:
    identity = make(http)["id"]
    sandbox.klaviyo.behaviour.advanced_kdp = False
    refused = [
        http.get("/api/webhooks"),
        http.get(f"/api/webhooks/{identity}"),
        http.post("/api/webhooks", json=body(NEW, OPENED)),
        http.patch(f"/api/webhooks/{identity}", json=body({}, id=identity)),
        http.delete(f"/api/webhooks/{identity}"),
        http.get("/api/webhook-topics"),
        http.get(f"/api/webhook-topics/{OPENED}"),
    ]
    assert {each.status_code for each in refused} == {403}
    (error,) = refused[0].json()["errors"]
    assert error["detail"] == "You must have Advanced KDP enabled to use this endpoint."
    assert error["code"] == "permission_denied"


def test_a_delivery_is_signed_over_body_and_header_and_its_header_s_clock_is_wrong(sandbox: SandboxServer, http: httpx.Client) -> None:
    identity = make(http)["id"]
    sent, headers = delivery(sandbox.klaviyo, identity, [{"external_id": "E1", "topic": OPENED, "payload": {}}])
    signed = hmac.new(SECRET.encode(), sent + headers["Klaviyo-Timestamp"].encode(), hashlib.sha256).hexdigest()
    assert headers["Klaviyo-Signature"] == signed
    meta = json.loads(sent)["meta"]
    assert headers["Klaviyo-Webhook-Id"] == meta["klaviyo_webhook_id"] == identity
    ahead = parsedate_to_datetime(headers["Klaviyo-Timestamp"]) - datetime.fromisoformat(meta["timestamp"])
    assert timedelta(hours=4, minutes=59) < ahead <= timedelta(hours=5)

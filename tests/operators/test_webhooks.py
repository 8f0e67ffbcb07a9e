# SPDX-License-Identifier: Apache-2.0
"""Operators for webhooks, against the sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_klaviyo.api import events, webhooks
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError, KlaviyoInDoubt, KlaviyoSignatureError
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.operators.webhooks import (
    KlaviyoCreateWebhookOperator,
    KlaviyoDeleteWebhookOperator,
    KlaviyoGetWebhookOperator,
    KlaviyoListWebhooksOperator,
    KlaviyoListWebhookTopicsOperator,
    KlaviyoUpdateWebhookOperator,
)
from airflow_provider_klaviyo.sandbox.klaviyo.behaviour import WEBHOOK_SECRET
from airflow_provider_klaviyo.sandbox.klaviyo.webhooks import delivery
from tests.operators.kit import Killed, Store, context
from tests.operators.test_examples import load

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

    from airflow_provider_klaviyo.sandbox.server import SandboxServer

    Run = Callable[..., Any]

POST = "POST /api/webhooks"
OPENED, CLICKED = "event:klaviyo.opened_email", "event:klaviyo.clicked_email"
URL = "https://hooks.example.com/klaviyo/tok3n"
OPENS: dict[str, Any] = {"name": "Opens", "endpoint_url": URL, "topics": [OPENED]}


def make(**fields: Any) -> str:
    """Make a webhook and return its id."""
    with KlaviyoHook().session() as klaviyo:
        return str(klaviyo.send(webhooks.create(**{**OPENS, "secret_key": "0123456789abcdef", **fields}))["data"]["id"])


def there() -> list[dict[str, Any]]:
    """Read all webhooks."""
    with KlaviyoHook().session() as klaviyo:
        return [*klaviyo.walk(webhooks.list_())]


def redefine(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxServer, **extra: Any) -> None:
    """Give the connection another extra."""
    connection = json.loads(sandbox.connections["AIRFLOW_CONN_KLAVIYO_DEFAULT"])
    monkeypatch.setenv("AIRFLOW_CONN_KLAVIYO_DEFAULT", json.dumps({**connection, "extra": extra}))


def test_a_webhook_is_made_with_the_connections_secret(sandbox: SandboxServer, run: Run) -> None:
    made = run(KlaviyoCreateWebhookOperator, **{**OPENS, "name": "Opens {{ 1 + 1 }}"}, description="For the warehouse")
    sent = sandbox.klaviyo.received[-1].body["data"]
    assert sent["attributes"] == {
        "name": "Opens 2",
        "description": "For the warehouse",
        "endpoint_url": URL,
        "secret_key": WEBHOOK_SECRET,
    }
    assert sent["relationships"] == {"webhook-topics": {"data": [{"type": "webhook-topic", "id": OPENED}]}}
    assert made.returned["attributes"]["endpoint_url"] == "https://hooks.example.com/*****"
    assert made.returned["relationships"] == sent["relationships"]
    assert WEBHOOK_SECRET not in made.said
    assert "tok3n" not in made.said


def test_a_secret_of_its_own_is_nowhere_shown(sandbox: SandboxServer, run: Run) -> None:
    made = run(KlaviyoCreateWebhookOperator, **OPENS, secret_key="{{ 'another' ~ '_secret_of_ours' }}")
    assert sandbox.klaviyo.received[-1].body["data"]["attributes"]["secret_key"] == "another_secret_of_ours"
    assert "secret_of_ours" not in made.said + str(made.returned)
    refused = run(KlaviyoCreateWebhookOperator, **OPENS, secret_key="too_short_one", retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert "too_short_one" not in refused.said


def test_without_any_secret_nothing_is_sent(sandbox: SandboxServer, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    redefine(monkeypatch, sandbox)
    refused = run(KlaviyoCreateWebhookOperator, **OPENS, retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert "no extra `webhook_secret`" in refused.said
    assert POST not in sandbox.klaviyo.requests


def test_if_exists_use_returns_the_webhook_of_that_name_and_host(sandbox: SandboxServer, run: Run) -> None:
    first, *_ = make(), make(name="opens"), make(endpoint_url="https://other.example.com/klaviyo")
    assert run(KlaviyoCreateWebhookOperator, **{**OPENS, "endpoint_url": URL + "/2"}, if_exists="use").returned["id"] == first
    assert sandbox.klaviyo.requests[POST] == 3
    make()
    refused = run(KlaviyoCreateWebhookOperator, **OPENS, if_exists="use", retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert first in refused.said


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_webhook_whose_making_was_not_answered_is_made_once(sandbox: SandboxServer, run: Run, drop: Any) -> None:
    first = make()
    sandbox.fail(method="POST", path="/api/webhooks", drop=drop)
    made = run(KlaviyoCreateWebhookOperator, **OPENS, retries=1)
    assert (made.state, made.tries) == ("success", 2)
    assert {each["id"] for each in there()} == {first, made.returned["id"]}
    assert made.returned["id"] != first


def test_a_worker_killed_between_leaves_one_webhook(sandbox: SandboxServer) -> None:
    store = Store()
    store.writes_left = 2  # what it is about, and that it is sent
    operator = KlaviyoCreateWebhookOperator(task_id="hook", **OPENS)
    with pytest.raises(Killed):
        operator.execute(context(store))
    store.writes_left = None
    (made,) = there()
    assert operator.execute(context(store))["id"] == made["id"]
    assert len(there()) == 1
    assert sandbox.klaviyo.requests[POST] == 1
    assert not any(secret in str(dict(store)) for secret in (WEBHOOK_SECRET, "tok3n"))


def test_two_that_were_made_meanwhile_leave_doubt(sandbox: SandboxServer) -> None:
    store = Store()
    store.writes_left = 2
    operator = KlaviyoCreateWebhookOperator(task_id="hook", **OPENS)
    with pytest.raises(Killed):
        operator.execute(context(store))
    store.writes_left = None
    make()
    with pytest.raises(KlaviyoInDoubt):
        operator.execute(context(store))
    assert sandbox.klaviyo.requests[POST] == 2


def test_a_webhook_is_read_changed_and_deleted(sandbox: SandboxServer, run: Run) -> None:
    first = make()
    read = run(KlaviyoGetWebhookOperator, webhook_id=first, fields={"webhook": "name,enabled"}, include="webhook-topics")
    assert read.returned["attributes"] == {"name": "Opens", "enabled": True}
    assert [each["id"] for each in read.returned["included"]] == [OPENED]
    changed = run(KlaviyoUpdateWebhookOperator, webhook_id=first, topics=[CLICKED], enabled="{{ 'False' }}")
    assert sandbox.klaviyo.received[-1].body["data"]["attributes"] == {"enabled": False}
    assert changed.returned["attributes"]["enabled"] is False
    assert changed.returned["relationships"]["webhook-topics"]["data"] == [{"type": "webhook-topic", "id": CLICKED}]
    moved = run(KlaviyoUpdateWebhookOperator, webhook_id=first, endpoint_url="https://new.example.com/x", secret_key="a_secret_of_16_chars")
    assert moved.returned["attributes"]["endpoint_url"] == "https://new.example.com/*****"
    assert "a_secret_of_16_chars" not in moved.said
    assert run(KlaviyoUpdateWebhookOperator, webhook_id=first, retries=2).tries == 1
    assert run(KlaviyoDeleteWebhookOperator, webhook_id=first).state == "success"
    assert there() == []
    assert run(KlaviyoDeleteWebhookOperator, webhook_id=first, must_exist=True, retries=2).tries == 1


def test_webhooks_are_listed_each_with_its_topics(sandbox: SandboxServer, run: Run) -> None:
    make(), make(name="Clicks", topics=[CLICKED])
    read = run(KlaviyoListWebhooksOperator, include="webhook-topics").returned
    assert [(each["attributes"]["name"], [topic["id"] for topic in each["included"]]) for each in read] == [
        ("Opens", [OPENED]),
        ("Clicks", [CLICKED]),
    ]
    assert run(KlaviyoListWebhooksOperator, max_items=1, retries=2).tries == 1


def test_topics_are_klaviyos_and_the_accounts_own(sandbox: SandboxServer, run: Run) -> None:
    with KlaviyoHook().session() as klaviyo:
        klaviyo.send(events.create(metric="Placed Order", profile={"email": "sarah@example.com"}, unique_id="1"))
    found = run(KlaviyoListWebhookTopicsOperator).returned
    assert {OPENED, CLICKED, "event:api.placed_order"} <= set(found)
    refused = run(KlaviyoCreateWebhookOperator, **{**OPENS, "topics": [OPENED, "event:api.no_such_metric"]}, retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert "/data/relationships/webhook-topics/data/1/id" in refused.said


def test_a_key_that_may_not_manage_webhooks_is_told_why(sandbox: SandboxServer, run: Run) -> None:
    sandbox.klaviyo.behaviour.advanced_kdp = False
    refused = run(KlaviyoCreateWebhookOperator, **OPENS, retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert "You must have Advanced KDP enabled to use this endpoint." in refused.said
    assert "OAuth" in refused.said


def test_what_klaviyo_sends_to_it_is_believed(sandbox: SandboxServer, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    made = run(KlaviyoCreateWebhookOperator, **OPENS).returned["id"]
    opened = {"external_id": "E1", "topic": OPENED, "payload": {"data": {"type": "event", "id": "E1"}}}
    body, headers = delivery(sandbox.klaviyo, made, [opened])
    signed = headers["Klaviyo-Signature"], headers["Klaviyo-Timestamp"]
    brought = KlaviyoHook().verify_signature(body, *signed)
    assert brought["data"] == [opened]
    assert brought["meta"]["klaviyo_webhook_id"] == made
    with pytest.raises(KlaviyoSignatureError):
        KlaviyoHook().verify_signature(body + b" ", *signed)
    redefine(monkeypatch, sandbox, webhook_secret="another secret of ours")
    with pytest.raises(KlaviyoSignatureError):
        KlaviyoHook().verify_signature(body, *signed)
    redefine(monkeypatch, sandbox)
    with pytest.raises(KlaviyoConfigError, match="webhook_secret"):
        KlaviyoHook().verify_signature(body, *signed)


@pytest.mark.parametrize("forged", [False, True])
def test_the_example_reads_what_a_service_has_put_away(
    sandbox: SandboxServer, run_dag: Callable[..., DagRun], tmp_path: Path, forged: bool
) -> None:
    body, headers = delivery(sandbox.klaviyo, make(secret_key=WEBHOOK_SECRET), [{"external_id": "E1", "topic": OPENED, "payload": {}}])
    text = body.decode().replace("E1", "E2") if forged else body.decode()
    request = {"headers": {name.lower(): value for name, value in headers.items()}, "body": text}
    (tmp_path / "1.json").write_text(json.dumps(request))
    finished = run_dag(load("klaviyo_webhooks"), run_conf={"inbox": tmp_path.as_uri()})
    instance = finished.get_task_instance("read_deliveries")
    assert instance is not None
    assert instance.state == ("failed" if forged else "success")
    assert forged or instance.xcom_pull(task_ids="read_deliveries") == [OPENED]

# SPDX-License-Identifier: Apache-2.0
"""Poking, rescheduled or deferred, the sensor waits until a campaign is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_klaviyo.sandbox.klaviyo import resources
from airflow_provider_klaviyo.sandbox.klaviyo.campaigns import CAMPAIGN, MESSAGE
from airflow_provider_klaviyo.sensors.campaigns import KlaviyoCampaignSensor
from tests.contract.agreement import agree

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

Wait = Callable[..., Any]
After = Callable[[int, Callable[[], object]], None]

ONCE = '{"conn_type": "klaviyo", "host": "%s", "password": "pk_sandbox", "extra": {"max_attempts": 1}}'


@pytest.fixture
def wait(wait_with: Wait) -> Wait:
    """Return a function that waits for a campaign."""
    return lambda campaign_id, **fields: wait_with(KlaviyoCampaignSensor, campaign_id=campaign_id, **fields)


def make(sandbox: SandboxServer, *statuses: str) -> tuple[str, list[str]]:
    """Make a campaign with a message of each status, and return its id and theirs."""
    state = sandbox.klaviyo
    with state.lock:
        messages = [resources.make(state, MESSAGE, {"definition": {"name": "m", "status": each}}).id for each in statuses]
        campaign = resources.make(state, CAMPAIGN, {"definition": {"name": "Sale"}}, related={"campaign-messages": messages})
    return campaign.id, messages


def turn(sandbox: SandboxServer, message_id: str, status: str) -> None:
    """Give a message another status."""
    state = sandbox.klaviyo
    with state.lock:
        resources.change(state, resources.load(state, MESSAGE, message_id), {"definition": {"name": "m", "status": status}})


def test_it_returns_when_all_messages_are_sent(sandbox: SandboxServer, wait: Wait, after_looks: After) -> None:
    campaign_id, (first, second) = make(sandbox, "sending", "draft")
    after_looks(2, lambda: turn(sandbox, first, "sent"))
    after_looks(4, lambda: turn(sandbox, second, "sent"))
    done = wait("{{ '" + campaign_id + "' }}")
    assert (done.state, done.tries) == ("success", 1)
    assert done.returned == {"id": campaign_id, "statuses": {first: "Sent", second: "Sent"}}


def test_a_campaign_that_is_sent_already_needs_one_look(sandbox: SandboxServer, wait: Wait) -> None:
    campaign_id, _ = make(sandbox, "sent")
    assert wait(campaign_id).state == "success"
    assert sandbox.klaviyo.requests == {"GET /api/campaigns/{id}": 1}


@pytest.mark.parametrize("looks", [0, 3])
def test_a_cancelled_campaign_fails_at_once(sandbox: SandboxServer, wait: Wait, after_looks: After, looks: int) -> None:
    campaign_id, (first, _) = make(sandbox, "sending" if looks else "cancelled", "scheduled")
    after_looks(looks, lambda: turn(sandbox, first, "cancelled"))
    failed = wait(campaign_id)
    assert (failed.state, failed.tries) == ("failed", 1)
    assert f"the campaign {campaign_id} was not sent as a whole: Cancelled, Scheduled" in failed.error


def test_a_campaign_without_messages_fails_at_once(sandbox: SandboxServer, wait: Wait) -> None:
    campaign_id, _ = make(sandbox)
    failed = wait(campaign_id)
    assert (failed.state, failed.tries) == ("failed", 1)
    assert f"the campaign {campaign_id} has no messages: there is nothing to send" in failed.error
    assert sandbox.klaviyo.requests == {"GET /api/campaigns/{id}": 1}


def test_a_status_never_seen_is_waited_out(sandbox: SandboxServer, wait: Wait, after_looks: After) -> None:
    campaign_id, (message_id,) = make(sandbox, "warming up")
    after_looks(3, lambda: turn(sandbox, message_id, "sent"))
    assert wait(campaign_id).state == "success"


def test_when_the_time_is_up_it_is_not_sent(sandbox: SandboxServer, wait: Wait) -> None:
    campaign_id, _ = make(sandbox, "scheduled")
    late = wait(campaign_id, timeout=0.2)
    assert (late.state, late.tries) == ("failed", 1)
    assert late.error.startswith("airflow.sdk.exceptions.AirflowSensorTimeout: Sensor has timed out")


def test_a_campaign_that_is_not_there_fails_at_once(sandbox: SandboxServer, wait: Wait) -> None:
    failed = wait("NoSuch")
    assert (failed.state, failed.tries) == ("failed", 1)
    assert "GET /api/campaigns/NoSuch answered 404" in failed.error


def test_an_outage_is_waited_out(sandbox: SandboxServer, wait: Wait, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign_id, _ = make(sandbox, "sent")
    monkeypatch.setenv("AIRFLOW_CONN_KLAVIYO_DEFAULT", ONCE % sandbox.url)
    fault = sandbox.fail(path="/api/campaigns/", status=503, times=3)
    done = wait(campaign_id)
    assert (done.state, done.tries, fault.hits) == ("success", 1, 3)


def test_what_is_asked_and_answered_is_klaviyos_contract(sandbox: SandboxServer, wait: Wait) -> None:
    campaign_id, _ = make(sandbox, "sent", "sent")
    assert wait(campaign_id).state == "success"
    agree(sandbox.klaviyo.received)

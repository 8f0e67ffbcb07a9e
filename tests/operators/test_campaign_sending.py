# SPDX-License-Identifier: Apache-2.0
"""Operators that send campaigns, against the sandbox. None goes out twice, whatever dies in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_klaviyo.api import campaign_sending, campaigns, lists, profiles
from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoConfigError, KlaviyoError, KlaviyoInDoubt, KlaviyoUnanswered
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.operators.campaign_sending import (
    KlaviyoCancelCampaignSendOperator,
    KlaviyoEstimateCampaignRecipientsOperator,
    KlaviyoScheduleCampaignOperator,
    KlaviyoSendCampaignOperator,
    read,
)
from tests.operators.kit import Killed, Store, context

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

    Run = Callable[..., Any]

SEND, SCHEDULE, ESTIMATE = "POST /api/campaign-send-jobs", "POST /api/campaign-schedule", "POST /api/campaign-recipient-estimation-jobs"
EMAIL = {"channel": "email", "subject": "Hi"}
MODES = pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferred"])


@pytest.fixture
def campaign(sandbox: SandboxServer) -> str:
    """Make a campaign with one message, to a list of two people."""
    with KlaviyoHook().session() as klaviyo:
        vip = klaviyo.send(lists.create(name="VIP"))["data"]["id"]
        people = [klaviyo.send(profiles.create(profile={"email": f"{name}@example.com"}))["data"]["id"] for name in ("a", "b")]
        klaviyo.send(lists.add_profiles(list_id=vip, profile_ids=people))
        return str(klaviyo.send(campaigns.create(name="Sale", included=[vip], message=EMAIL))["data"]["id"])


def standing(campaign_id: str) -> str:
    """Return where a campaign stands."""
    with KlaviyoHook().session() as klaviyo:
        return read(klaviyo, campaign_id).standing


def send(campaign_id: str, store: Store, max_tries: int = 2, **fields: Any) -> Any:
    """Run the operator as a task whose state is in a store."""
    operator = KlaviyoSendCampaignOperator(
        task_id="send", campaign_id=campaign_id, **{"poll_interval": 0.02, "deferrable": False, **fields}
    )
    return operator.execute(context(store, max_tries))


def stop(campaign_id: str, action: Any) -> None:
    """Stop a campaign, as somebody else would."""
    with KlaviyoHook().session() as klaviyo:
        klaviyo.send(campaign_sending.cancel_send(campaign_id=campaign_id, action=action))


# ── sending ─────────────────────────────────────────────────────────────────────────


@MODES
def test_a_campaign_is_sent_and_waited_for(sandbox: SandboxServer, run: Run, campaign: str, deferrable: bool) -> None:
    done = run(KlaviyoSendCampaignOperator, campaign_id=campaign, poll_interval=0.02, deferrable=deferrable)
    assert (done.state, done.tries) == ("success", 1)
    assert done.returned["id"] == campaign
    assert [*done.returned["statuses"].values()] == ["Sent"]
    assert sandbox.klaviyo.requests[SEND] == 1


def test_without_waiting_it_returns_where_the_campaign_stands(sandbox: SandboxServer, run: Run, campaign: str) -> None:
    sandbox.klaviyo.behaviour.job_seconds = 600
    started = run(KlaviyoSendCampaignOperator, campaign_id=campaign, wait_for_completion=False)
    assert [*started.returned["statuses"].values()] == ["Draft"], "at first its job alone shows it"


@MODES
def test_a_campaign_that_is_cancelled_in_the_end_fails_at_once(sandbox: SandboxServer, run: Run, campaign: str, deferrable: bool) -> None:
    sandbox.klaviyo.behaviour.campaigns_end = "cancelled"
    failed = run(KlaviyoSendCampaignOperator, campaign_id=campaign, poll_interval=0.02, deferrable=deferrable, retries=2)
    assert (failed.state, failed.tries) == ("failed", 1)
    assert f"the campaign {campaign} was not sent as a whole: Cancelled" in failed.said


@MODES
def test_a_try_whose_time_is_up_is_followed_by_one_that_waits_on(sandbox: SandboxServer, run: Run, campaign: str, deferrable: bool) -> None:
    sandbox.klaviyo.behaviour.job_seconds = 600
    failed = run(KlaviyoSendCampaignOperator, campaign_id=campaign, poll_interval=0.02, job_timeout=0.1, deferrable=deferrable, retries=1)
    assert (failed.state, failed.tries) == ("failed", 2)
    assert f"the campaign {campaign} is not sent: Draft" in failed.said
    assert sandbox.klaviyo.requests[SEND] == 1


def test_an_outage_after_the_start_is_waited_out(sandbox: SandboxServer, campaign: str, monkeypatch: pytest.MonkeyPatch) -> None:
    once = '{"conn_type": "klaviyo", "host": "%s", "password": "pk_sandbox", "extra": {"max_attempts": 1}}'
    monkeypatch.setenv("AIRFLOW_CONN_KLAVIYO_DEFAULT", once % sandbox.url)
    fault = sandbox.fail(method="GET", path="/api/campaigns/", status=503, skip=1, times=2)
    assert [*send(campaign, Store())["statuses"].values()] == ["Sent"]
    assert fault.hits == 2


def test_what_is_sent_already_is_not_sent_again(sandbox: SandboxServer, run: Run, campaign: str) -> None:
    send(campaign, Store())
    refused = run(KlaviyoSendCampaignOperator, campaign_id=campaign, retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert "it goes out once; clone it to send it again" in refused.said
    assert sandbox.klaviyo.requests[SEND] == 1


def test_a_task_that_is_cleared_does_not_send_it_again(sandbox: SandboxServer, campaign: str) -> None:
    store = Store()
    send(campaign, store)
    assert send(campaign, store), "another try of the same run returns what is there"
    with pytest.raises(KlaviyoConfigError, match="goes out once"):
        send(campaign, store, max_tries=5)
    assert sandbox.klaviyo.requests[SEND] == 1


def test_a_task_that_is_cleared_after_a_cancellation_asks_klaviyo_to_send_it(sandbox: SandboxServer, campaign: str) -> None:
    store = Store()
    sandbox.klaviyo.behaviour.campaigns_end = "cancelled"
    with pytest.raises(KlaviyoError, match="not sent as a whole"):
        send(campaign, store)
    with pytest.raises(KlaviyoApiError, match="no message left to send"):
        send(campaign, store, max_tries=5)
    assert sandbox.klaviyo.requests[SEND] == 2


@pytest.mark.parametrize("seconds", [600, 0], ids=["queued", "begun"])
def test_a_sending_that_was_not_answered_is_recognised(sandbox: SandboxServer, campaign: str, seconds: float) -> None:
    """By its job, while the campaign is still a draft, and by the campaign itself."""
    store = Store()
    sandbox.klaviyo.behaviour.job_seconds = seconds
    sandbox.fail(method="POST", path="/api/campaign-send-jobs", drop="after")
    with pytest.raises(KlaviyoUnanswered):
        send(campaign, store, wait_for_completion=False)
    assert send(campaign, store, wait_for_completion=False)["id"] == campaign
    assert sandbox.klaviyo.requests[SEND] == 1


@pytest.mark.parametrize("writes", [2, 3])
@pytest.mark.parametrize("seconds", [600, 0], ids=["queued", "begun"])
def test_a_worker_that_died_does_not_send_it_again(sandbox: SandboxServer, campaign: str, writes: int, seconds: float) -> None:
    """Before it could note the result, or just after."""
    store = Store()
    sandbox.klaviyo.behaviour.job_seconds = seconds
    store.writes_left = writes
    with pytest.raises(Killed):
        send(campaign, store, wait_for_completion=False)
    store.writes_left = None
    assert send(campaign, store, wait_for_completion=False)["id"] == campaign
    assert sandbox.klaviyo.requests[SEND] == 1


def test_where_nothing_has_moved_nobody_can_tell_and_one_clear_sends_it(sandbox: SandboxServer, campaign: str) -> None:
    store = Store()
    sandbox.fail(method="POST", path="/api/campaign-send-jobs", drop="before")
    with pytest.raises(KlaviyoUnanswered):
        send(campaign, store)
    for _ in range(2):
        with pytest.raises(KlaviyoInDoubt, match="clear this task to send it again"):
            send(campaign, store)
    assert sandbox.klaviyo.requests[SEND] == 1, "the one that did not arrive"
    assert [*send(campaign, store, max_tries=5)["statuses"].values()] == ["Sent"]


def test_a_job_of_an_earlier_sending_proves_nothing(sandbox: SandboxServer, campaign: str) -> None:
    """It was sent once, and made a draft again."""
    sandbox.klaviyo.behaviour.job_seconds = 600
    send(campaign, Store(), wait_for_completion=False)
    stop(campaign, "revert")
    store = Store()
    sandbox.fail(method="POST", path="/api/campaign-send-jobs", drop="before")
    with pytest.raises(KlaviyoUnanswered):
        send(campaign, store)
    with pytest.raises(KlaviyoInDoubt):
        send(campaign, store)
    assert standing(campaign) == "Draft"


def test_a_campaign_that_klaviyo_does_not_send_leaves_no_doubt(sandbox: SandboxServer, run: Run, campaign: str) -> None:
    sandbox.fail(method="POST", path="/api/campaign-send-jobs", status=400)
    refused = run(KlaviyoSendCampaignOperator, campaign_id=campaign, retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert "in doubt" not in refused.said


# ── scheduling and stopping ─────────────────────────────────────────────────────────


def schedule(campaign_id: str, store: Store, **fields: Any) -> Any:
    """Run the operator as a task whose state is in a store."""
    given = {"send_time": "2030-11-30T09:00:00+01:00", **fields}
    operator = KlaviyoScheduleCampaignOperator(task_id="schedule", campaign_id=campaign_id, **given)
    operator.render_template_fields({})
    return operator.execute(context(store))


def test_all_messages_are_scheduled(sandbox: SandboxServer, run: Run, campaign: str) -> None:
    done = run(KlaviyoScheduleCampaignOperator, campaign_id=campaign, send_time="{{ '2030-11-30T09:00:00+01:00' }}")
    assert [*done.returned["statuses"].values()] == ["Scheduled"]
    (body,) = [each.body["data"]["attributes"] for each in sandbox.klaviyo.received if each.name == SCHEDULE]
    (plan,) = body["message_schedules"]
    assert (plan["message_id"], plan["send_time"]) == (*done.returned["statuses"], "2030-11-30T09:00:00+01:00")


@pytest.mark.parametrize(
    "wrong", [{"send_time": "2030-11-30T09:00:00"}, {}, {"send_time": "2020-11-30T09:00:00Z"}, {"send_date": "2030-11-30"}], ids=str
)
def test_a_time_that_cannot_be_fails_at_once(sandbox: SandboxServer, run: Run, campaign: str, wrong: dict[str, Any]) -> None:
    refused = run(KlaviyoScheduleCampaignOperator, campaign_id=campaign, retries=2, **wrong)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert standing(campaign) == "Draft"


def test_a_campaign_without_messages_is_not_scheduled(sandbox: SandboxServer, run: Run) -> None:
    with KlaviyoHook().session() as klaviyo:
        empty = klaviyo.send(campaigns.create(name="Empty"))["data"]["id"]
    refused = run(KlaviyoScheduleCampaignOperator, campaign_id=empty, send_time="2030-11-30T09:00:00Z", retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert "there is nothing to send" in refused.said


@pytest.mark.parametrize("writes", [2, 3])
def test_a_worker_that_died_does_not_schedule_again(sandbox: SandboxServer, campaign: str, writes: int) -> None:
    store = Store()
    store.writes_left = writes
    with pytest.raises(Killed):
        schedule(campaign, store)
    store.writes_left = None
    assert [*schedule(campaign, store)["statuses"].values()] == ["Scheduled"]
    assert sandbox.klaviyo.requests[SCHEDULE] == 1


def test_a_schedule_that_did_not_arrive_is_sent_again(sandbox: SandboxServer, campaign: str) -> None:
    store = Store()
    sandbox.fail(method="POST", path="/api/campaign-schedule", drop="before")
    with pytest.raises(KlaviyoUnanswered):
        schedule(campaign, store)
    assert [*schedule(campaign, store)["statuses"].values()] == ["Scheduled"]


@pytest.mark.parametrize(("action", "standing"), [("cancel", "Cancelled"), ("revert", "Draft")])
@pytest.mark.parametrize("drop", [None, "after"])
def test_a_campaign_is_stopped(sandbox: SandboxServer, run: Run, campaign: str, action: str, standing: str, drop: Any) -> None:
    """Also where the answer is lost: asked again, Klaviyo refuses, for it is stopped already."""
    schedule(campaign, Store())
    if drop:
        sandbox.fail(method="PATCH", path="/api/campaign-send-jobs/", drop=drop)
    done = run(KlaviyoCancelCampaignSendOperator, campaign_id=campaign, action=action)
    assert (done.state, done.tries) == ("success", 1)
    assert [*done.returned["statuses"].values()] == [standing]


def test_what_is_sent_cannot_be_stopped(sandbox: SandboxServer, run: Run, campaign: str) -> None:
    send(campaign, Store())
    refused = run(KlaviyoCancelCampaignSendOperator, campaign_id=campaign, retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert standing(campaign) == "Sent"


# ── estimating ──────────────────────────────────────────────────────────────────────


@MODES
def test_recipients_are_estimated(sandbox: SandboxServer, run: Run, campaign: str, deferrable: bool) -> None:
    done = run(KlaviyoEstimateCampaignRecipientsOperator, campaign_id=campaign, poll_interval=0.02, deferrable=deferrable)
    assert (done.state, done.returned) == ("success", 2)


@MODES
def test_an_estimate_that_never_comes_is_said_to_be_so_when_the_time_is_up(
    sandbox: SandboxServer, run: Run, campaign: str, deferrable: bool
) -> None:
    sandbox.klaviyo.behaviour.estimations = False
    failed = run(
        KlaviyoEstimateCampaignRecipientsOperator, campaign_id=campaign, poll_interval=0.02, job_timeout=0.2, deferrable=deferrable
    )
    assert failed.state == "failed"
    assert "Klaviyo shows no job for it" in failed.said
    assert "known to get no estimate at all" in failed.said


def test_an_estimation_need_not_be_waited_for(sandbox: SandboxServer, run: Run, campaign: str) -> None:
    sandbox.klaviyo.behaviour.job_seconds = 600
    started = run(KlaviyoEstimateCampaignRecipientsOperator, campaign_id=campaign, wait_for_completion=False)
    assert (started.state, started.returned) == ("success", None)
    assert sandbox.klaviyo.requests[ESTIMATE] == 1


@MODES
def test_a_campaign_that_is_not_there_fails_at_once(sandbox: SandboxServer, run: Run, deferrable: bool) -> None:
    for operator in (KlaviyoEstimateCampaignRecipientsOperator, KlaviyoSendCampaignOperator, KlaviyoCancelCampaignSendOperator):
        waiting = {} if operator is KlaviyoCancelCampaignSendOperator else {"deferrable": deferrable}
        failed = run(operator, campaign_id="NoSuch", retries=2, **waiting)
        assert (failed.state, failed.tries) == ("failed", 1)
    assert SEND not in sandbox.klaviyo.requests

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
from airflow_provider_klaviyo.sandbox.klaviyo import resources
from airflow_provider_klaviyo.sandbox.klaviyo.campaigns import load, messages_of
from tests.operators.kit import Killed, Store, context

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

    Run = Callable[..., Any]

SEND, SCHEDULE, ESTIMATE = "POST /api/campaign-send-jobs", "POST /api/campaign-schedule", "POST /api/campaign-recipient-estimation-jobs"
EMAIL = {"channel": "email", "subject": "Hi"}
ONCE = '{"conn_type": "klaviyo", "host": "%s", "password": "pk_sandbox", "extra": {"max_attempts": 1}}'
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


@pytest.fixture
def two() -> str:
    """Make a campaign with two messages."""
    with KlaviyoHook().session() as klaviyo:
        vip = klaviyo.send(lists.create(name="VIP"))["data"]["id"]
        audiences = [{"temporary_id": each, "included": [vip]} for each in "ab"]
        messages = [{"audience_temporary_id": each, "variations": [{"definition": {"details": EMAIL}}]} for each in "ab"]
        return str(klaviyo.send(campaigns.create(name="Sale", audiences=audiences, messages=messages))["data"]["id"])


def turn(sandbox: SandboxServer, campaign_id: str, *statuses: str) -> list[str]:
    """Give the messages of a campaign other statuses, in the order of their ids, and return those."""
    state = sandbox.klaviyo
    with state.lock:
        messages = sorted(messages_of(state, load(state, campaign_id)), key=lambda each: each.id)
        for message, status in zip(messages, statuses, strict=True):
            resources.change(state, message, {"definition": {**message.attributes["definition"], "status": status}})
    return [each.id for each in messages]


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
    monkeypatch.setenv("AIRFLOW_CONN_KLAVIYO_DEFAULT", ONCE % sandbox.url)
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
    store = Store()
    sandbox.fail(method="POST", path="/api/campaign-send-jobs", status=400, times=2)
    refused = run(KlaviyoSendCampaignOperator, campaign_id=campaign, retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert "KlaviyoInDoubt" not in refused.said
    assert "is not known" not in refused.said
    with pytest.raises(KlaviyoApiError):
        send(campaign, store)
    assert "sent_at" not in store["klaviyo"]["record"]
    assert [*send(campaign, store)["statuses"].values()] == ["Sent"]


@pytest.mark.parametrize("reading", ["refuse", "take"])
@pytest.mark.parametrize("store", [True, False], ids=["cleared", "another task"])
def test_what_a_job_is_about_to_send_is_not_sent_again(sandbox: SandboxServer, campaign: str, reading: Any, store: bool) -> None:
    """Its messages are drafts still, and whether Klaviyo would refuse is not known."""
    sandbox.klaviyo.behaviour.job_seconds = 600
    sandbox.klaviyo.behaviour.sent_again = reading
    first = Store()
    send(campaign, first, wait_for_completion=False)
    with pytest.raises(KlaviyoConfigError, match="its job is queued: it goes out once"):
        send(campaign, first if store else Store(), max_tries=5, wait_for_completion=False)
    assert sandbox.klaviyo.requests[SEND] == 1


@pytest.mark.parametrize("gone", ["sent", "sending"])
@pytest.mark.parametrize("other", ["draft", "cancelled", "scheduled"])
def test_a_campaign_of_which_any_message_is_gone_is_not_sent(sandbox: SandboxServer, two: str, gone: str, other: str) -> None:
    _, message_id = turn(sandbox, two, other, gone)
    with pytest.raises(KlaviyoConfigError, match=f"of the campaign {two}, {message_id} is {gone.title()}: it goes out once"):
        send(two, Store(), wait_for_completion=False)
    assert SEND not in sandbox.klaviyo.requests


def test_what_is_scheduled_is_not_sent_at_once(sandbox: SandboxServer, run: Run, campaign: str) -> None:
    schedule(campaign, Store())
    refused = run(KlaviyoSendCampaignOperator, campaign_id=campaign, wait_for_completion=False, retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert f"the campaign {campaign} is Scheduled: revert it first" in refused.said
    assert SEND not in sandbox.klaviyo.requests
    assert standing(campaign) == "Scheduled"


def test_what_somebody_has_scheduled_since_is_no_sign_of_the_sending(sandbox: SandboxServer, campaign: str) -> None:
    store = Store()
    sandbox.fail(method="POST", path="/api/campaign-send-jobs", drop="before")
    with pytest.raises(KlaviyoUnanswered):
        send(campaign, store, wait_for_completion=False)
    schedule(campaign, Store())
    with pytest.raises(KlaviyoInDoubt):
        send(campaign, store, wait_for_completion=False)
    assert (sandbox.klaviyo.requests[SEND], standing(campaign)) == (1, "Scheduled")


def test_a_sending_that_somebody_has_cancelled_since_is_told_as_that(sandbox: SandboxServer, campaign: str) -> None:
    store = Store()
    sandbox.klaviyo.behaviour.job_seconds = 600
    sandbox.fail(method="POST", path="/api/campaign-send-jobs", drop="after")
    with pytest.raises(KlaviyoUnanswered):
        send(campaign, store)
    stop(campaign, "cancel")
    with pytest.raises(KlaviyoError, match="not sent as a whole: Cancelled"):
        send(campaign, store)
    assert sandbox.klaviyo.requests[SEND] == 1


def test_a_campaign_without_messages_is_not_sent(sandbox: SandboxServer, run: Run) -> None:
    with KlaviyoHook().session() as klaviyo:
        empty = klaviyo.send(campaigns.create(name="Empty"))["data"]["id"]
    refused = run(KlaviyoSendCampaignOperator, campaign_id=empty, wait_for_completion=False, retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert "there is nothing to send" in refused.said
    assert SEND not in sandbox.klaviyo.requests


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


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_schedule_that_was_not_answered_is_sent_again(
    sandbox: SandboxServer, two: str, drop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that was to take the place of another: to stand scheduled is no sign of it."""
    monkeypatch.setenv("AIRFLOW_CONN_KLAVIYO_DEFAULT", ONCE % sandbox.url)
    schedule(two, Store(), send_time="2029-01-01T09:00:00Z")
    store = Store()
    sandbox.fail(method="POST", path="/api/campaign-schedule", drop=drop)
    with pytest.raises(KlaviyoUnanswered):
        schedule(two, store)
    assert [*schedule(two, store)["statuses"].values()] == ["Scheduled", "Scheduled"]
    with KlaviyoHook().session() as klaviyo:
        messages = klaviyo.send(campaigns.get(campaign_id=two, include="campaign-messages"))["included"]
    assert {each["attributes"]["definition"]["send_options"]["send_time"] for each in messages} == {"2030-11-30T08:00:00+00:00"}


@pytest.mark.parametrize("status", ["cancelled", "sending", "sent"])
def test_a_campaign_that_is_cancelled_or_gone_in_part_is_not_scheduled(sandbox: SandboxServer, two: str, status: str) -> None:
    turn(sandbox, two, "draft", status)
    with pytest.raises(KlaviyoError, match=status.title()):
        schedule(two, Store())
    assert SCHEDULE not in sandbox.klaviyo.requests


def test_a_schedule_that_somebody_has_cancelled_since_is_not_done(sandbox: SandboxServer, campaign: str) -> None:
    schedule(campaign, Store())
    stop(campaign, "cancel")
    with pytest.raises(KlaviyoError, match="not sent as a whole: Cancelled"):
        schedule(campaign, Store())


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


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409])
def test_a_refused_stop_of_what_is_about_to_be_sent_is_no_success(sandbox: SandboxServer, run: Run, campaign: str, status: int) -> None:
    """Its messages are drafts, as they would be if it was reverted."""
    sandbox.klaviyo.behaviour.job_seconds = 600
    send(campaign, Store(), wait_for_completion=False)
    sandbox.fail(method="PATCH", path="/api/campaign-send-jobs/", status=status)
    refused = run(KlaviyoCancelCampaignSendOperator, campaign_id=campaign, action="revert")
    assert (refused.state, refused.tries) == ("failed", 1)
    assert f"answered {status}" in refused.said


@pytest.mark.parametrize("status", [401, 403])
def test_who_may_not_stop_a_campaign_is_told_so_though_it_is_stopped(sandbox: SandboxServer, run: Run, campaign: str, status: int) -> None:
    schedule(campaign, Store())
    stop(campaign, "revert")
    sandbox.fail(method="PATCH", path="/api/campaign-send-jobs/", status=status)
    assert run(KlaviyoCancelCampaignSendOperator, campaign_id=campaign, action="revert").state == "failed"


@pytest.mark.parametrize(("action", "standing"), [("cancel", "Cancelled"), ("revert", "Draft")])
def test_what_is_stopped_already_is_a_success(sandbox: SandboxServer, run: Run, campaign: str, action: Any, standing: str) -> None:
    schedule(campaign, Store())
    stop(campaign, action)
    done = run(KlaviyoCancelCampaignSendOperator, campaign_id=campaign, action=action)
    assert (done.state, [*done.returned["statuses"].values()]) == ("success", [standing])


@pytest.mark.parametrize("taken", [False, True], ids=["refused", "taken"])
def test_to_revert_what_was_never_scheduled_is_no_success(sandbox: SandboxServer, run: Run, campaign: str, taken: bool) -> None:
    if taken:
        sandbox.fail(method="PATCH", path="/api/campaign-send-jobs/", status=204)
    refused = run(KlaviyoCancelCampaignSendOperator, campaign_id=campaign, action="revert", retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert f"the campaign {campaign} was a draft without a job: there was nothing to revert" in refused.said


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

# SPDX-License-Identifier: Apache-2.0
"""Subscribing people, against the sandbox: each once, and nobody against their word."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, task

from airflow_provider_klaviyo.api import lists, profiles
from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoConfigError, KlaviyoInDoubt, KlaviyoUnanswered
from airflow_provider_klaviyo.api.filters import equals
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.operators.subscriptions import KlaviyoSubscribeProfilesOperator, KlaviyoUnsubscribeProfilesOperator
from airflow_provider_klaviyo.transfers.sql_to_klaviyo import SqlToKlaviyoConsentOperator
from tests.operators.kit import Killed, Store, context

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

    from airflow_provider_klaviyo.sandbox.server import SandboxServer

    Run = Callable[..., Any]

SUBSCRIBE = "POST /api/profile-subscription-bulk-create-jobs"
SARAH, TOM = {"email": "sarah@example.com"}, {"email": "tom@example.com"}


@pytest.fixture(autouse=True)
def at_once(sandbox: SandboxServer) -> None:
    """Let Klaviyo carry out at once what it accepts."""
    sandbox.klaviyo.behaviour.job_seconds = 0


def people(count: int) -> list[dict[str, Any]]:
    return [{"email": f"P{number}@example.com"} for number in range(count)]


def make_list(opt_in_process: lists.OptIn = "single_opt_in") -> str:
    with KlaviyoHook().session() as klaviyo:
        return str(klaviyo.send(lists.create(name="VIP", opt_in_process=opt_in_process))["data"]["id"])


def told(*, email: str = "sarah@example.com") -> Any:
    """Read what somebody agreed to by e-mail, or ``None`` where there is nobody."""
    with KlaviyoHook().session() as klaviyo:
        found = klaviyo.send(profiles.get_by(lookup={"email": email}, additional_fields={"profile": "subscriptions"}))
    return found and found["data"]["attributes"]["subscriptions"]["email"]["marketing"]


def consent(**whom: str) -> Any:
    return (told(**whom) or {}).get("consent")


def members(list_id: str) -> int:
    with KlaviyoHook().session() as klaviyo:
        return len([*klaviyo.walk(lists.profiles(list_id=list_id))])


def subscribe(store: Store | None = None, *whom: dict[str, Any], max_tries: int = 2, **fields: Any) -> int:
    operator = KlaviyoSubscribeProfilesOperator(task_id="subscribe", profiles=list(whom) or [SARAH], **fields)
    return operator.execute(context(store, max_tries=max_tries))


def sent(sandbox: SandboxServer, name: str) -> list[int]:
    """Return how many profiles each request was about."""
    return [len(each.body["data"]["attributes"]["profiles"]["data"]) for each in sandbox.klaviyo.received if each.name == name]


def test_people_are_subscribed_and_counted(sandbox: SandboxServer, run: Run) -> None:
    vip = make_list()
    done = run(
        KlaviyoSubscribeProfilesOperator,
        profiles=[{"email": "{{ 'sarah' }}@example.com"}, {"phone_number": "+14155550123", "channels": ["sms.marketing"]}],
        list_id=vip,
        custom_source="{{ dag.dag_id }}",
    )
    assert done.returned == 2
    assert told()["consent"] == "SUBSCRIBED"
    assert told()["custom_method_detail"] == "one"
    assert members(vip) == 2
    assert "sarah@" not in done.said


def test_history_needs_nobodys_confirmation(sandbox: SandboxServer) -> None:
    vip = make_list("double_opt_in")
    assert subscribe(None, {**SARAH, "consented_at": "2025-01-01T10:00:00+01:00"}, list_id=vip, historical_import=True) == 1
    assert told()["consent_timestamp"] == "2025-01-01T09:00:00+00:00"
    subscribe(None, TOM, list_id=vip)
    assert consent(email="tom@example.com") is None
    sandbox.klaviyo.confirm("tom@example.com")
    assert consent(email="tom@example.com") == "SUBSCRIBED"


def test_many_go_in_several_requests_and_nobody_in_none(sandbox: SandboxServer) -> None:
    vip = make_list()
    assert subscribe(None, *people(2100), list_id=vip) == 2100
    assert sent(sandbox, SUBSCRIBE) == [1000, 1000, 100]
    assert KlaviyoSubscribeProfilesOperator(task_id="nobody", profiles=[]).execute({}) == 0
    assert sandbox.klaviyo.requests[SUBSCRIBE] == 3


@pytest.mark.parametrize(
    ("wrong", "fields", "message"),
    [
        ({"first_name": "Sarah"}, {}, "at position 0: a subscriber has no"),
        ({"phone_number": "+14155550123"}, {}, "email.marketing needs an email"),
        ({**SARAH, "consented_at": "2025-01-01T10:00:00"}, {"historical_import": True}, "needs its time zone"),
        ({**SARAH, "consented_at": "2025-01-01T10:00:00Z"}, {}, "needs historical_import=True"),
        (SARAH, {"historical_import": True}, "needs a consented_at"),
        (SARAH, {"list_id": ""}, "list_id is empty"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_sent(
    sandbox: SandboxServer, wrong: dict[str, Any], fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(KlaviyoConfigError, match=message):
        subscribe(None, wrong, **fields)
    assert SUBSCRIBE not in sandbox.klaviyo.requests


def test_a_wrong_row_far_down_keeps_the_first_request_from_leaving(sandbox: SandboxServer) -> None:
    with pytest.raises(KlaviyoConfigError, match="of the rows from position 1000 on, at position 5: email is an address"):
        subscribe(None, *people(1005), {"email": "nobody"})
    assert SUBSCRIBE not in sandbox.klaviyo.requests


def test_a_next_try_goes_on_after_the_last_request_that_is_known(sandbox: SandboxServer) -> None:
    """The second request is carried out and not answered: it is recognised, and the third follows."""
    vip, store = make_list(), Store()
    sandbox.fail(method="POST", path="subscription-bulk-create", drop="after", skip=1)
    with pytest.raises(KlaviyoUnanswered):
        subscribe(store, *people(2100), list_id=vip)
    assert subscribe(store, *people(2100), list_id=vip) == 2100
    assert sent(sandbox, SUBSCRIBE) == [1000, 1000, 100]
    assert members(vip) == 2100
    assert "example.com" not in str(store)


def test_a_request_that_did_not_arrive_is_in_doubt_and_not_sent_again(sandbox: SandboxServer) -> None:
    vip, store = make_list(), Store()
    sandbox.fail(method="POST", path="subscription-bulk-create", drop="before")
    with pytest.raises(KlaviyoUnanswered):
        subscribe(store, list_id=vip)
    with pytest.raises(KlaviyoInDoubt) as doubt:
        subscribe(store, list_id=vip)
    assert doubt.value.permanent
    assert sandbox.klaviyo.requests[SUBSCRIBE] == 1
    assert subscribe(store, list_id=vip, max_tries=5) == 1, "to clear the task is to say: send it"
    assert consent() == "SUBSCRIBED"


@pytest.mark.parametrize("listed", [True, False])
def test_a_worker_that_died_before_its_note_does_not_subscribe_again(sandbox: SandboxServer, listed: bool) -> None:
    sandbox.klaviyo.behaviour.opt_in_process = "single_opt_in"
    fields: dict[str, Any] = {"list_id": make_list()} if listed else {}
    whom: list[dict[str, Any]] = [{**SARAH, "phone_number": "+14155550123", "channels": ["sms.marketing"]}, TOM]
    store = Store()
    store.writes_left = 2  # the request, the intent; not the result
    with pytest.raises(Killed):
        subscribe(store, *whom, **fields)
    assert consent(email="tom@example.com") == "SUBSCRIBED"
    store.writes_left = None
    assert subscribe(store, *whom, **fields) == 2
    assert sandbox.klaviyo.requests[SUBSCRIBE] == 1


@pytest.mark.parametrize("meanwhile", ["unsubscribed", "unconfirmed"])
def test_what_cannot_be_seen_is_in_doubt_and_not_done_again(sandbox: SandboxServer, meanwhile: str) -> None:
    """Somebody unsubscribed since: to subscribe again would take that back. Or somebody has yet to confirm."""
    vip = make_list("double_opt_in" if meanwhile == "unconfirmed" else "single_opt_in")
    store = Store()
    store.writes_left = 2
    with pytest.raises(Killed):
        subscribe(store, list_id=vip)
    store.writes_left = None
    if meanwhile == "unsubscribed":
        sandbox.klaviyo.unsubscribe("sarah@example.com")
    with pytest.raises(KlaviyoInDoubt):
        subscribe(store, list_id=vip)
    assert sandbox.klaviyo.requests[SUBSCRIBE] == 1
    assert consent() == ("UNSUBSCRIBED" if meanwhile == "unsubscribed" else None)


def test_a_mended_row_is_sent_with_its_request_alone(sandbox: SandboxServer) -> None:
    """A number of a region the account cannot send to refuses its whole request, not those before it."""
    sandbox.klaviyo.behaviour.sms_regions = frozenset({"+1"})
    rows: list[dict[str, Any]] = people(1001)
    rows[1000] |= {"phone_number": "+493012345678", "channels": ["sms.marketing"]}
    vip, store = make_list(), Store()
    with pytest.raises(KlaviyoApiError, match="data/0/attributes/phone_number") as refused:
        subscribe(store, *rows, list_id=vip)
    assert "+49" not in str(refused.value)
    rows[1000]["channels"] = ["email.marketing"]
    assert subscribe(store, *rows, list_id=vip, max_tries=5) == 1001
    assert sent(sandbox, SUBSCRIBE) == [1000, 1, 1]


# ── a person who said no ────────────────────────────────────────────────────────────


def test_clearing_a_task_in_doubt_resends_what_is_in_doubt_and_nothing_else(sandbox: SandboxServer) -> None:
    vip, store = make_list(), Store()
    sandbox.fail(method="POST", path="subscription-bulk-create", drop="before", skip=1)
    with pytest.raises(KlaviyoUnanswered):
        subscribe(store, *people(2100), list_id=vip)
    for _ in range(2):  # it stays in doubt, until somebody clears the task
        with pytest.raises(KlaviyoInDoubt):
            subscribe(store, *people(2100), list_id=vip)
    sandbox.klaviyo.unsubscribe("p5@example.com")
    assert subscribe(store, *people(2100), list_id=vip, max_tries=5) == 2100
    assert sent(sandbox, SUBSCRIBE) == [1000, 1000, 100], "beside the one that did not arrive"
    assert sandbox.klaviyo.requests[SUBSCRIBE] == 4
    assert consent(email="p5@example.com") == "UNSUBSCRIBED"
    assert consent(email="p1005@example.com") == "SUBSCRIBED"


@pytest.mark.parametrize("no", ["unsubscribed", "complained"])
def test_history_does_not_override_a_later_no(sandbox: SandboxServer, no: str) -> None:
    long_ago = {"consented_at": "2020-01-01T00:00:00Z"}
    subscribe(None, SARAH | long_ago, TOM | long_ago, historical_import=True)
    if no == "unsubscribed":
        sandbox.klaviyo.unsubscribe("sarah@example.com")
    else:
        sandbox.klaviyo.bounce("sarah@example.com", "SPAM_COMPLAINT")
    with pytest.raises(KlaviyoConfigError, match="1 profiles have unsubscribed") as refused:
        subscribe(None, SARAH | long_ago, TOM | long_ago, historical_import=True)
    assert "sarah@" not in str(refused.value)
    assert sandbox.klaviyo.requests[SUBSCRIBE] == 1
    subscribe(None, TOM | long_ago, historical_import=True)
    subscribe(None, SARAH | long_ago, historical_import=True, resubscribe=True)
    assert (consent(), told()["can_receive_email_marketing"]) == ("SUBSCRIBED", True)


def test_a_no_without_a_later_date_is_not_taken_back_by_a_yes_of_today_unless_asked_for(sandbox: SandboxServer) -> None:
    vip = make_list()
    subscribe(None, SARAH, TOM, list_id=vip)
    sandbox.klaviyo.unsubscribe("sarah@example.com")
    with pytest.raises(KlaviyoConfigError, match="1 profiles have unsubscribed") as refused:
        subscribe(None, SARAH, TOM, list_id=vip)
    assert "resubscribe=True" in str(refused.value)
    assert sandbox.klaviyo.requests[SUBSCRIBE] == 1
    subscribe(None, SARAH, list_id=vip, resubscribe=True)
    assert consent() == "SUBSCRIBED"


def test_a_no_at_the_very_moment_of_a_consent_stands(sandbox: SandboxServer) -> None:
    moment = {"consented_at": "2025-06-01T00:00:00Z"}
    subscribe(None, SARAH | moment, historical_import=True)
    sandbox.klaviyo.unsubscribe("sarah@example.com")
    said_no = told()["consent_timestamp"]
    with pytest.raises(KlaviyoConfigError, match="1 profiles have unsubscribed"):
        subscribe(None, SARAH | {"consented_at": said_no}, historical_import=True)


def test_who_left_another_list_is_not_put_back_in_both(sandbox: SandboxServer) -> None:
    """Klaviyo would lift what stands against all lists."""
    left, joined = make_list(), make_list()
    subscribe(None, list_id=left)
    KlaviyoUnsubscribeProfilesOperator(task_id="leave", profiles=[SARAH], list_id=left).execute(context(None))
    with pytest.raises(KlaviyoConfigError, match="left a list"):
        subscribe(None, list_id=joined)
    assert [each["list_id"] for each in told()["list_suppressions"]] == [left]


def test_an_id_that_leads_to_somebody_else_is_refused_and_one_that_agrees_is_not(sandbox: SandboxServer) -> None:
    sandbox.klaviyo.behaviour.opt_in_process = "single_opt_in"
    subscribe(None, SARAH, TOM)
    with KlaviyoHook().session() as klaviyo:
        (tom,) = [each["id"] for each in klaviyo.walk(profiles.list_(filter=equals("email", TOM["email"])))]
    with pytest.raises(KlaviyoConfigError, match=r"1 profiles .* or their id leads to somebody else"):
        subscribe(None, SARAH | {"id": tom})
    assert subscribe(None, TOM | {"id": tom}) == 1


def test_what_klaviyo_does_not_tell_of_a_channel_is_no_no(sandbox: SandboxServer) -> None:
    """WhatsApp is null for who never had anything to do with it."""
    sandbox.klaviyo.behaviour.opt_in_process = "single_opt_in"
    row = {**SARAH, "phone_number": "+14155550123"}
    subscribe(None, row)
    assert subscribe(None, row | {"channels": ["whatsapp.marketing"]}) == 1


def test_a_bounce_is_nobodys_word(sandbox: SandboxServer) -> None:
    store, vip = Store(), make_list()
    subscribe(None, list_id=vip)
    sandbox.klaviyo.bounce("sarah@example.com")
    subscribe(None, {**SARAH, "consented_at": "2020-01-01T00:00:00Z"}, historical_import=True)
    store.writes_left = 2
    with pytest.raises(Killed):
        subscribe(store, list_id=vip)
    store.writes_left = None
    assert subscribe(store, list_id=vip) == 1


def test_a_complaint_leaves_the_doubt(sandbox: SandboxServer) -> None:
    store, vip = Store(), make_list()
    store.writes_left = 2
    with pytest.raises(Killed):
        subscribe(store, list_id=vip)
    store.writes_left = None
    sandbox.klaviyo.bounce("sarah@example.com", "SPAM_COMPLAINT")
    with pytest.raises(KlaviyoInDoubt):
        subscribe(store, list_id=vip)


def test_an_address_and_a_number_of_two_people_leave_the_doubt(sandbox: SandboxServer) -> None:
    vip, number = make_list(), {"phone_number": "+14155550123", "channels": ["sms.marketing"]}
    subscribe(None, SARAH, number, list_id=vip)
    store = Store()
    sandbox.fail(method="POST", path="subscription-bulk-create", drop="before")
    with pytest.raises(KlaviyoUnanswered):
        subscribe(store, SARAH | number, list_id=vip)
    with pytest.raises(KlaviyoInDoubt):
        subscribe(store, SARAH | number, list_id=vip)


def test_a_list_that_came_to_nothing_is_not_no_list(sandbox: SandboxServer, run: Run) -> None:
    refused = run(KlaviyoSubscribeProfilesOperator, profiles=[SARAH], list_id="{{ params.get('list') }}", retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert SUBSCRIBE not in sandbox.klaviyo.requests


def test_the_output_of_a_task_that_is_nothing_is_not_no_list(sandbox: SandboxServer, run_dag: Callable[..., DagRun]) -> None:
    with DAG("nothing", schedule=None, start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)) as dag:

        @task
        def find() -> None:
            return None

        KlaviyoSubscribeProfilesOperator(task_id="it", profiles=[SARAH], list_id=find())  # type: ignore[arg-type]
    assert str(run_dag(dag).get_task_instance("it").state) == "failed"  # type: ignore[union-attr]
    assert SUBSCRIBE not in sandbox.klaviyo.requests


@pytest.mark.parametrize("field", ["list_id", "max_change", "audit_path"])
@pytest.mark.parametrize("nothing", ["{{ params.get('none') }}", "{{ none }}", "{{ '' }}", "{{ ' ' }}"])
def test_a_load_whose_list_limit_or_trail_came_to_nothing_is_refused(field: str, nothing: str) -> None:
    """Without a list its noes would hold everywhere, without a limit for any number of people, without a trail unrecorded."""
    with DAG("nothing", schedule=None, start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)):
        given: dict[str, Any] = {"sql_conn_id": "crm", "sql": "SELECT 1", field: nothing}
        load = SqlToKlaviyoConsentOperator(task_id="load", **given)
        left_out = SqlToKlaviyoConsentOperator(
            task_id="left_out", sql_conn_id="crm", sql="SELECT 1", list_id="{{ params.get('list', 'L1') }}"
        )
    with pytest.raises(KlaviyoConfigError, match=f"{field} was given and came to nothing"):
        load.render_template_fields({"params": {}})
    left_out.render_template_fields({"params": {}})
    assert (left_out.list_id, left_out.max_change, left_out.audit_path) == ("L1", None, None)

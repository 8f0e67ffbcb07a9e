# SPDX-License-Identifier: Apache-2.0
"""Unsubscribing people, against the sandbox: from a list nobody but its members, and nobody everywhere who was not meant."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, task

from airflow_provider_klaviyo.api import lists, profiles, subscriptions
from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoConfigError, KlaviyoInDoubt, KlaviyoUnanswered
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.operators.subscriptions import KlaviyoUnsubscribeProfilesOperator
from tests.operators.kit import Killed, Store, context
from tests.operators.test_subscriptions import SARAH, TOM, at_once, consent, make_list, members, people, sent, told

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

    from airflow_provider_klaviyo.sandbox.server import SandboxServer

    Run = Callable[..., Any]

__all__ = ["at_once"]

UNSUBSCRIBE = "POST /api/profile-subscription-bulk-delete-jobs"


def unsubscribe(store: Store | None = None, *whom: dict[str, Any], max_tries: int = 2, **fields: Any) -> int:
    given = fields if "list_id" in fields else {"everywhere": True, **fields}
    operator = KlaviyoUnsubscribeProfilesOperator(task_id="unsubscribe", profiles=list(whom) or [SARAH], **given)
    return operator.execute(context(store, max_tries=max_tries))


def subscribed(count: int) -> str:
    """Subscribe people to a new list."""
    vip = make_list()
    with KlaviyoHook().session() as klaviyo:
        klaviyo.send(subscriptions.subscribe(profiles=people(count), list_id=vip))
    return vip


def unsubscribed_everywhere() -> int:
    with KlaviyoHook().session() as klaviyo:
        reason = 'equals(subscriptions.email.marketing.suppression.reason,"UNSUBSCRIBE")'
        return len([*klaviyo.walk(profiles.list_(filter=reason))])


def test_without_a_list_people_are_unsubscribed_everywhere(sandbox: SandboxServer, run: Run) -> None:
    vip = subscribed(250)
    done = run(KlaviyoUnsubscribeProfilesOperator, profiles=people(250), everywhere=True)
    assert done.returned == 250
    assert sent(sandbox, UNSUBSCRIBE) == [100, 100, 50]
    assert unsubscribed_everywhere() == 250
    assert members(vip) == 250, "they are in the list, and get nothing"
    assert "example.com" not in done.said


def test_members_leave_the_list_and_stay_subscribed(sandbox: SandboxServer) -> None:
    vip = subscribed(150)
    assert unsubscribe(None, *people(150), list_id=vip) == 150
    assert (members(vip), unsubscribed_everywhere()) == (0, 0)
    assert consent(email="p7@example.com") == "SUBSCRIBED"


def test_who_is_not_in_the_list_keeps_anything_from_being_sent(sandbox: SandboxServer) -> None:
    vip = subscribed(2)
    with pytest.raises(KlaviyoConfigError, match="2 of 4 profiles are not in the list") as refused:
        unsubscribe(None, *people(2), TOM, SARAH, list_id=vip)
    assert "position 2" in str(refused.value)
    assert "tom@" not in str(refused.value)
    assert UNSUBSCRIBE not in sandbox.klaviyo.requests


def test_who_is_not_in_the_list_is_left_out_if_asked(sandbox: SandboxServer, caplog: pytest.LogCaptureFixture) -> None:
    vip = subscribed(2)
    assert unsubscribe(None, TOM, *people(2), list_id=vip, not_in_list="skip") == 2
    assert sent(sandbox, UNSUBSCRIBE) == [2]
    assert (members(vip), unsubscribed_everywhere()) == (0, 0)


def test_who_is_not_in_the_list_is_unsubscribed_everywhere_if_asked(sandbox: SandboxServer) -> None:
    vip = subscribed(2)
    assert unsubscribe(None, TOM, *people(2), list_id=vip, not_in_list="unsubscribe_everywhere") == 3
    assert unsubscribed_everywhere() == 1
    assert consent(email="tom@example.com") == "UNSUBSCRIBED"


@pytest.mark.parametrize("policy", ["fail", "skip"])
def test_a_next_try_does_not_take_those_who_left_for_strangers(sandbox: SandboxServer, policy: str) -> None:
    vip, store = subscribed(250), Store()
    whom = [*people(250), *([TOM] if policy == "skip" else [])]
    sandbox.fail(method="POST", path="subscription-bulk-delete", drop="after", skip=1)
    with pytest.raises(KlaviyoUnanswered):
        unsubscribe(store, *whom, list_id=vip, not_in_list=policy)
    assert unsubscribe(store, *whom, list_id=vip, not_in_list=policy) == 250
    assert sent(sandbox, UNSUBSCRIBE) == [100, 100, 50]
    assert (members(vip), unsubscribed_everywhere()) == (0, 0)
    assert "example.com" not in str(store)


def test_a_worker_that_died_before_its_note_unsubscribes_nobody_everywhere(sandbox: SandboxServer) -> None:
    vip, store = subscribed(3), Store()
    store.writes_left = 3  # who is in the list, the request, the intent; not the result
    with pytest.raises(Killed):
        unsubscribe(store, *people(3), list_id=vip)
    assert members(vip) == 0
    store.writes_left = None
    assert unsubscribe(store, *people(3), list_id=vip) == 3
    assert sandbox.klaviyo.requests[UNSUBSCRIBE] == 1
    assert unsubscribed_everywhere() == 0


def test_leaving_a_list_in_doubt_is_not_repeated(sandbox: SandboxServer) -> None:
    vip, store = subscribed(3), Store()
    sandbox.fail(method="POST", path="subscription-bulk-delete", drop="before")
    with pytest.raises(KlaviyoUnanswered):
        unsubscribe(store, *people(3), list_id=vip)
    with pytest.raises(KlaviyoInDoubt):
        unsubscribe(store, *people(3), list_id=vip)
    assert sandbox.klaviyo.requests[UNSUBSCRIBE] == 1
    assert (members(vip), unsubscribed_everywhere()) == (3, 0)


def test_without_a_list_a_request_is_repeated_at_once(sandbox: SandboxServer) -> None:
    sandbox.fail(method="POST", path="subscription-bulk-delete", drop="after")
    assert unsubscribe(Store()) == 1
    assert sandbox.klaviyo.requests[UNSUBSCRIBE] == 2
    assert consent() == "UNSUBSCRIBED"


# ── who is not meant ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("policy", ["fail", "skip", "unsubscribe_everywhere"])
def test_clearing_a_task_in_doubt_unsubscribes_nobody_everywhere(sandbox: SandboxServer, policy: str) -> None:
    vip, store = subscribed(250), Store()
    sandbox.fail(method="POST", path="subscription-bulk-delete", drop="before", skip=1)
    with pytest.raises(KlaviyoUnanswered):
        unsubscribe(store, *people(250), list_id=vip, not_in_list=policy)
    with pytest.raises(KlaviyoInDoubt):
        unsubscribe(store, *people(250), list_id=vip, not_in_list=policy)
    assert unsubscribe(store, *people(250), list_id=vip, not_in_list=policy, max_tries=5) == 250
    assert sent(sandbox, UNSUBSCRIBE) == [100, 100, 50], "beside the one that did not arrive"
    assert sandbox.klaviyo.requests[UNSUBSCRIBE] == 4
    assert (members(vip), unsubscribed_everywhere()) == (0, 0)


@pytest.mark.parametrize("policy", ["fail", "skip", "unsubscribe_everywhere"])
def test_mended_rows_unsubscribe_nobody_everywhere(sandbox: SandboxServer, policy: str) -> None:
    """One row is gone, so that all requests are others; the first hundred have left the list already."""
    vip, store = subscribed(150), Store()
    sandbox.fail(method="POST", path="subscription-bulk-delete", status=400, skip=1)
    with pytest.raises(KlaviyoApiError):
        unsubscribe(store, *people(150), list_id=vip, not_in_list=policy)
    assert unsubscribe(store, *people(150)[1:], list_id=vip, not_in_list=policy, max_tries=5) == 150, "over all tries"
    assert (members(vip), unsubscribed_everywhere()) == (0, 0)


def test_who_stands_twice_goes_once(sandbox: SandboxServer) -> None:
    vip = subscribed(100)
    rows = [*people(100), {"email": "p0@EXAMPLE.com"}]
    assert unsubscribe(None, *rows, list_id=vip) == 100
    assert sent(sandbox, UNSUBSCRIBE) == [100]
    assert (members(vip), unsubscribed_everywhere()) == (0, 0)


@pytest.mark.parametrize("policy", ["fail", "skip", "unsubscribe_everywhere"])
def test_who_has_left_before_is_left_alone(sandbox: SandboxServer, policy: str) -> None:
    vip = subscribed(3)
    assert unsubscribe(None, *people(3), list_id=vip) == 3
    assert unsubscribe(None, *people(3), list_id=vip, not_in_list=policy) == 0
    assert unsubscribed_everywhere() == 0


def test_membership_is_read_anew_for_what_was_not_sent(sandbox: SandboxServer) -> None:
    vip, store = subscribed(3), Store()
    sandbox.fail(method="POST", path="subscription-bulk-delete", status=403)
    with pytest.raises(KlaviyoApiError):
        unsubscribe(store, *people(3), list_id=vip)
    with KlaviyoHook().session() as klaviyo:
        ids = [each["id"] for each in klaviyo.walk(lists.profiles(list_id=vip))]
        klaviyo.send(lists.remove_profiles(list_id=vip, profile_ids=ids[:2]))
    with pytest.raises(KlaviyoConfigError, match="2 of 3 profiles are not in the list"):
        unsubscribe(store, *people(3), list_id=vip, max_tries=5)
    assert unsubscribe(store, *people(3), list_id=vip, not_in_list="skip", max_tries=5) == 1
    assert (members(vip), unsubscribed_everywhere()) == (0, 0)


@pytest.mark.parametrize("arrived", [True, False])
def test_a_stranger_is_not_taken_for_one_who_left(sandbox: SandboxServer, arrived: bool) -> None:
    """A request without an answer is about members alone; those who never were are in another, which is repeated."""
    subscribed(3)
    other = make_list()
    sandbox.fail(method="POST", path="subscription-bulk-delete", drop="after" if arrived else "before")
    assert unsubscribe(Store(), *people(3), list_id=other, not_in_list="unsubscribe_everywhere") == 3
    assert unsubscribed_everywhere() == 3


def test_a_worker_that_died_between_members_and_others_goes_on_with_the_others(sandbox: SandboxServer) -> None:
    vip, store = subscribed(2), Store()
    sandbox.fail(method="POST", path="subscription-bulk-delete", status=400, skip=1)
    whom = [*people(2), TOM]
    with pytest.raises(KlaviyoApiError):
        unsubscribe(store, *whom, list_id=vip, not_in_list="unsubscribe_everywhere")
    assert unsubscribe(store, *whom, list_id=vip, not_in_list="unsubscribe_everywhere") == 3
    assert sent(sandbox, UNSUBSCRIBE) == [2, 1]
    assert (members(vip), unsubscribed_everywhere()) == (0, 1)


@pytest.mark.parametrize("fields", [{}, {"list_id": "L1", "everywhere": True}, {"list_id": ""}])
def test_a_list_or_everywhere_has_to_be_said(sandbox: SandboxServer, run: Run, fields: dict[str, Any]) -> None:
    refused = run(KlaviyoUnsubscribeProfilesOperator, profiles=[SARAH], retries=2, **fields)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert UNSUBSCRIBE not in sandbox.klaviyo.requests


@pytest.mark.parametrize("everywhere", [True, False])
def test_a_list_that_came_to_nothing_is_not_everywhere(sandbox: SandboxServer, run: Run, everywhere: bool) -> None:
    given: dict[str, Any] = {"profiles": [SARAH], "list_id": "{{ params.get('list') }}", "everywhere": everywhere}
    assert run(KlaviyoUnsubscribeProfilesOperator, **given).state == "failed"
    assert UNSUBSCRIBE not in sandbox.klaviyo.requests


@pytest.mark.parametrize("mapped", [True, False])
def test_the_output_of_a_task_that_is_nothing_is_not_everywhere(
    sandbox: SandboxServer, run_dag: Callable[..., DagRun], mapped: bool
) -> None:
    with DAG("nothing", schedule=None, start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)) as dag:

        @task
        def find() -> Any:
            return [None] if mapped else None

        if mapped:
            KlaviyoUnsubscribeProfilesOperator.partial(task_id="it", profiles=[SARAH]).expand(list_id=find())
        else:
            KlaviyoUnsubscribeProfilesOperator(task_id="it", profiles=[SARAH], list_id=find())  # type: ignore[arg-type]
    assert str(run_dag(dag).state) == "failed"
    assert UNSUBSCRIBE not in sandbox.klaviyo.requests


@pytest.mark.parametrize("channels", [["sms.marketing"], ["email.marketing", "sms.marketing"]])
def test_a_list_is_left_by_email_alone(sandbox: SandboxServer, channels: list[str]) -> None:
    vip = subscribed(1)
    row = {**people(1)[0], "phone_number": "+14155550123"}
    with pytest.raises(KlaviyoConfigError, match=r"by email\.marketing alone"):
        unsubscribe(None, {**row, "channels": channels}, list_id=vip)
    assert UNSUBSCRIBE not in sandbox.klaviyo.requests
    assert unsubscribe(None, row, list_id=vip) == 1
    assert sandbox.klaviyo.received[-1].body["data"]["attributes"]["profiles"]["data"][0]["attributes"].keys() == {"email", "subscriptions"}
    assert [each["list_id"] for each in told(email="p0@example.com")["list_suppressions"]] == [vip]

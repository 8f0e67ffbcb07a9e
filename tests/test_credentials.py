# SPDX-License-Identifier: Apache-2.0
"""Sessions of an OAuth app against the sandbox. Waiting is simulated, for both sides; processes are simulated by grants that share a store."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_klaviyo.api import lists
from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoConfigError, KlaviyoError
from airflow_provider_klaviyo.api.request import Request
from airflow_provider_klaviyo.credentials import ApiKey, Grant, acarry_out, carry_out, credentials_of
from airflow_provider_klaviyo.oauth import KlaviyoNotRenewed, Renewal, Reply
from airflow_provider_klaviyo.pacing import Pacer
from airflow_provider_klaviyo.sandbox.klaviyo.oauth import CLIENT_SECRET
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from airflow_provider_klaviyo.session import open_async_session, open_session
from airflow_provider_klaviyo.settings import Settings
from airflow_provider_klaviyo.sharing import Consult, Pause
from tests.oauth_kit import Clock, Process, Texts, given

READ = lists.list_()
CREATE = lists.create(name="VIP")
RENEW = "POST /oauth/token"
Start = Callable[..., Process]


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[SandboxServer, Clock]]:
    clock = Clock()
    with SandboxServer(limits="off", customers=1, orders=1, clock=clock) as server:
        yield server, clock


@pytest.fixture
def klaviyo(served: tuple[SandboxServer, Clock]) -> SandboxServer:
    served[0].reset()
    served[1].slept.clear()
    return served[0]


@pytest.fixture
def clock(served: tuple[SandboxServer, Clock]) -> Clock:
    return served[1]


@pytest.fixture
def texts() -> Texts:
    return Texts()


@pytest.fixture(params=["blocking", "awaiting"])
def start(request: pytest.FixtureRequest, klaviyo: SandboxServer, clock: Clock, texts: Texts) -> Start:
    """Return a function that starts a process."""
    refresh = klaviyo.klaviyo.grants.authorise()

    def start(shared: Texts | None = texts, **settings: Any) -> Process:
        return Process(request.param, clock, shared, **{"base_url": klaviyo.url, "refresh_token": refresh, **settings})

    return start


def renewals(klaviyo: SandboxServer) -> int:
    return klaviyo.klaviyo.requests[RENEW]


# ── a token is had, kept and shared ─────────────────────────────────────────────────


def test_the_refresh_token_is_traded_for_a_token_which_is_kept_whole(
    start: Start, klaviyo: SandboxServer, clock: Clock, texts: Texts
) -> None:
    process = start()
    assert process.send(READ, READ)["data"] == []
    assert process.requests == {RENEW: 1, "GET /api/lists": 2}
    record = texts.record()
    assert klaviyo.klaviyo.received[-1].headers["authorization"] == f"Bearer {record['access_token']}"
    assert record.keys() == {"access_token", "token_type", "expires_in", "refresh_token", "scope", "expires_at"}
    assert record["expires_at"] == int(clock()) + 3600
    assert texts.lease() == "{}"


def test_the_next_process_takes_the_token_that_is_stored(start: Start, klaviyo: SandboxServer) -> None:
    start().send(READ)
    start().send(READ)
    assert renewals(klaviyo) == 1


@pytest.mark.parametrize("rotation", ["same", "rotate"])
def test_a_token_is_renewed_a_minute_before_its_end_and_not_earlier(
    start: Start, klaviyo: SandboxServer, clock: Clock, rotation: Any
) -> None:
    klaviyo.klaviyo.behaviour.rotation = rotation
    one, other = start(), start()
    one.send(READ)
    clock.now += 3500
    one.send(READ)
    assert renewals(klaviyo) == 1
    clock.now += 50
    one.send(READ)
    other.send(READ)
    assert renewals(klaviyo) == 2
    clock.now += 7200
    other.send(READ)
    one.send(READ)
    assert renewals(klaviyo) == 3


def test_a_token_that_ended_early_is_renewed_and_the_request_sent_again(start: Start, klaviyo: SandboxServer) -> None:
    process = start()
    process.send(READ)
    klaviyo.klaviyo.grants.end_access()
    assert process.send(CREATE)["data"]["attributes"]["name"] == "VIP"
    assert process.requests == {"POST /api/lists": 2, RENEW: 1}
    assert klaviyo.klaviyo.counts()["lists"] == 1


def test_a_token_that_ended_early_and_was_renewed_elsewhere_is_not_renewed_again(start: Start, klaviyo: SandboxServer) -> None:
    one, other = start(), start()
    one.send(READ)
    other.send(READ)
    klaviyo.klaviyo.grants.end_access()
    other.send(READ)
    one.send(READ)
    assert renewals(klaviyo) == 2
    assert one.requests == {"GET /api/lists": 2}


def test_a_second_401_is_an_error_that_says_to_reconnect(start: Start, klaviyo: SandboxServer) -> None:
    klaviyo.fail(path="/api/lists", status=401, times=9)
    process = start()
    with pytest.raises(KlaviyoApiError, match=r"'shop', though it was just renewed\. Reconnect: authorise the app again") as refused:
        process.send(READ)
    assert refused.value.permanent
    assert process.requests == {RENEW: 2, "GET /api/lists": 2}


def test_a_token_that_ends_while_the_request_queues_is_renewed_before_it_goes(start: Start, klaviyo: SandboxServer) -> None:
    process = start(deadline=9000)
    process.send(READ)
    with process.pacer.turn("GET /api/lists", None) as another:
        another.hold(4000)
    process.send(READ)
    assert process.requests == {RENEW: 1, "GET /api/lists": 1}


def test_a_token_that_ends_again_after_another_answer_is_renewed_again(start: Start, klaviyo: SandboxServer) -> None:
    for status in (401, 503, 401):
        klaviyo.fail(path="/api/lists", status=status)
    process = start()
    process.send(READ)
    assert process.requests == {RENEW: 3, "GET /api/lists": 4}


def test_a_missing_scope_is_the_app_s(start: Start, klaviyo: SandboxServer) -> None:
    refresh = klaviyo.klaviyo.grants.authorise(frozenset({"lists:read"}))
    with pytest.raises(KlaviyoApiError, match=r"The app of the connection 'shop' needs the scopes lists:write: add what is missing"):
        start(refresh_token=refresh).send(CREATE)


def test_a_browser_s_endpoint_needs_no_token(start: Start, klaviyo: SandboxServer) -> None:
    klaviyo.fail(path="/client/", status=202)
    process = start(public_key="SandBx")
    process.send(Request("POST", "/client/events", json={"data": {}}))
    assert list(process.requests) == ["POST /client/events"]


def test_outside_airflow_a_token_is_kept_in_memory(start: Start, klaviyo: SandboxServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    process = start(None)
    process.send(READ)
    process.send(READ)
    assert renewals(klaviyo) == 1
    [record] = [each for each in caplog.records if "in memory" in each.getMessage()]
    assert record.levelno == logging.DEBUG


def test_outside_airflow_a_replaced_refresh_token_is_warned_of(
    start: Start, klaviyo: SandboxServer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    klaviyo.klaviyo.behaviour.rotation = "rotate"
    process = start(None)
    process.send(READ)
    clock.now += 7200
    process.send(READ)
    warnings = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert len(warnings) == 2
    assert "'shop' is kept in memory. Klaviyo has replaced the refresh token: once this process has ended" in warnings[0]


# ── the connection is changed ───────────────────────────────────────────────────────


def test_a_new_refresh_token_in_the_connection_wins_over_the_stored_one(start: Start, klaviyo: SandboxServer, texts: Texts) -> None:
    start().send(READ)
    process = start(refresh_token=klaviyo.klaviyo.grants.authorise(frozenset({"accounts:read"})))
    with pytest.raises(KlaviyoApiError, match="lists:read"):
        process.send(READ)
    assert texts.record(process.token_name)["scope"] == "accounts:read"


def test_who_goes_on_with_the_connection_as_it_was_leaves_the_new_token_alone(
    start: Start, klaviyo: SandboxServer, clock: Clock, texts: Texts
) -> None:
    klaviyo.klaviyo.behaviour.rotation = "rotate"
    new = start(refresh_token=klaviyo.klaviyo.grants.authorise())
    new.send(READ)
    stored = texts[new.token_name]
    for _ in range(2):
        start().send(READ)
        clock.now += 7200
    assert texts[new.token_name] == stored
    new.send(READ)
    start().send(READ)


def test_a_new_grant_that_was_tested_before_it_was_saved_lives_on(start: Start, klaviyo: SandboxServer, clock: Clock) -> None:
    klaviyo.klaviyo.behaviour.rotation = "rotate"
    start().send(READ)
    new = klaviyo.klaviyo.grants.authorise()
    button = start(refresh_token=new, conn_id="a_copy_of_shop")
    button.send(READ)
    start(refresh_token=new).send(READ)
    clock.now += 7200
    start(refresh_token=new).send(READ)
    button.send(READ)
    assert renewals(klaviyo) == 3


def test_a_copy_of_the_connection_shares_its_token(start: Start, klaviyo: SandboxServer, clock: Clock, texts: Texts) -> None:
    klaviyo.klaviyo.behaviour.rotation = "rotate"
    one = start()
    one.send(READ)
    copy = start(conn_id="shop_copy")
    copy.send(READ)
    clock.now += 7200
    copy.send(READ)
    start().send(READ)
    assert renewals(klaviyo) == 2
    assert sorted(texts) == [one.token_name, one.lease_name]


# ── the refresh token is dead ───────────────────────────────────────────────────────


def test_a_dead_refresh_token_is_an_error_that_says_to_reconnect(start: Start, klaviyo: SandboxServer, texts: Texts) -> None:
    process = start(refresh_token="nobody's")
    with pytest.raises(KlaviyoError, match=r"the refresh token of the connection 'shop' \(invalid_grant\)\. Reconnect: authorise") as dead:
        process.send(READ)
    assert "put the new refresh_token in the extra of the connection 'shop'" in str(dead.value)
    assert dead.value.permanent
    assert process.requests == {RENEW: 1}
    assert texts.lease() == "{}"


@pytest.mark.parametrize("life", [3600, 30])
def test_a_refresh_token_that_another_process_replaced_meanwhile_is_followed(start: Start, texts: Texts, life: int) -> None:
    one, other = start(), start()
    asked: list[str] = []

    def ask(renewal: Renewal) -> Reply:
        asked.append((renewal.request.form or {})["refresh_token"])
        if len(asked) == 1:  # the other was quicker, past the lease
            texts[one.lease_name] = "{}"
            other.renew(lambda _: given("access-2", "refresh-2", expires_in=life))
            return Reply(400, {"error": "invalid_grant"})
        return given("access-3", "refresh-3")

    one.renew(ask)
    assert asked == [one.settings.refresh_token, "refresh-2"][: 1 if life == 3600 else 2]
    assert one.grant.header == ("Bearer access-2" if life == 3600 else "Bearer access-3")


@pytest.mark.parametrize("rotation", ["same", "rotate"])
def test_a_worker_that_dies_between_the_answer_and_the_store_costs_as_much(
    start: Start, klaviyo: SandboxServer, texts: Texts, clock: Clock, rotation: Any
) -> None:
    klaviyo.klaviyo.behaviour.rotation = rotation
    one = start()
    steps = one.grant.ready()
    step = next(steps)
    while not isinstance(step, Renewal):
        if isinstance(step, Pause):
            clock.sleep(step.seconds)
        step = steps.send(step() if isinstance(step, Consult) else None)
    klaviyo.klaviyo.grants.renew(one.settings.refresh_token, rotation, 3600)
    if rotation == "same":
        start().send(READ)
    else:
        with pytest.raises(KlaviyoError, match="Reconnect"):
            start().send(READ)
    assert sum(clock.slept) > one.grant.patience


@pytest.mark.parametrize("rotation", ["same", "rotate"])
def test_a_lost_answer_costs_the_connection_only_where_the_refresh_token_was_replaced(
    start: Start, klaviyo: SandboxServer, rotation: Any
) -> None:
    klaviyo.klaviyo.behaviour.rotation = rotation
    klaviyo.fail(path="/oauth/token", drop="after")
    process = start()
    if rotation == "same":
        process.send(CREATE)
    else:
        with pytest.raises(KlaviyoError, match=r"The answer to an earlier renewal was lost.* Reconnect"):
            process.send(CREATE)
    assert process.requests[RENEW] == 2
    assert klaviyo.klaviyo.counts()["lists"] == (rotation == "same")


# ── the token endpoint is not well ──────────────────────────────────────────────────


@pytest.mark.parametrize("status", [429, 503])
def test_the_endpoint_s_wish_to_wait_is_followed(start: Start, klaviyo: SandboxServer, clock: Clock, status: int) -> None:
    klaviyo.fail(path="/oauth/token", status=status, headers={"retry-after": "7"})
    process = start()
    process.send(CREATE)
    assert 7 in clock.slept
    assert process.requests == {RENEW: 2, "POST /api/lists": 1}


def test_429s_are_no_attempts(start: Start, klaviyo: SandboxServer) -> None:
    klaviyo.fail(path="/oauth/token", status=429, times=8)
    process = start(max_attempts=2)
    process.send(READ)
    assert process.requests[RENEW] == 9


@pytest.mark.parametrize(
    "fault",
    [{"status": 500}, {"status": 200, "body": {}}, {"status": 200, "body": "<html>"}, {"drop": "before"}, {"truncate": 0.5}],
    ids=repr,
)
def test_an_endpoint_that_is_down_is_asked_again_and_nothing_else_sent(start: Start, klaviyo: SandboxServer, fault: Any) -> None:
    klaviyo.fail(path="/oauth/token", times=3, **fault)
    process = start(max_attempts=2)
    with pytest.raises(KlaviyoNotRenewed, match="token of the connection 'shop' could not be renewed") as failed:
        process.send(CREATE)
    assert not failed.value.permanent
    assert not failed.value.sent
    assert process.requests == {RENEW: 2}
    start().send(CREATE)
    assert klaviyo.klaviyo.counts()["lists"] == 1


def test_an_unknown_app_is_the_connection_s_fault(start: Start) -> None:
    process = start(client_secret="wrong-secret")
    with pytest.raises(KlaviyoConfigError, match="does not know the app of the connection 'shop': check client_id and client_secret"):
        process.send(READ)
    assert process.requests == {RENEW: 1}


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"status": 400, "body": {"error": "invalid_scope"}}, r"answered 400 \(invalid_scope\) to the connection 'shop'"),
        ({"status": 400, "body": {"error": "It was refresh-me, wasn't it?"}}, "answered 400 to the connection 'shop'"),
        ({"status": 403, "body": "<html>"}, "answered 403 to the connection 'shop'"),
    ],
)
def test_any_other_refusal_is_told_without_its_words(start: Start, klaviyo: SandboxServer, fault: Any, says: str) -> None:
    klaviyo.fail(path="/oauth/token", **fault)
    with pytest.raises(KlaviyoError, match=says) as refused:
        start().send(READ)
    assert refused.value.permanent


# ── the store is not well ───────────────────────────────────────────────────────────


def test_a_token_that_cannot_be_stored_serves_its_process(
    start: Start, klaviyo: SandboxServer, clock: Clock, texts: Texts, caplog: pytest.LogCaptureFixture
) -> None:
    klaviyo.klaviyo.behaviour.rotation = "rotate"
    process = start()
    process.send(READ)
    before = texts[process.token_name]
    texts.unwritable = True
    for _ in range(2):
        clock.now += 7200
        process.send(READ)
    assert texts[process.token_name] == before
    errors = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
    assert len(errors) == 2
    assert errors[0].startswith(
        f"The token of the connection 'shop' could not be stored as {process.token_name}: see that Airflow's Variables can be written."
    )
    assert "once this process has ended, the app has to be authorised again" in errors[0]
    texts.unwritable = False
    clock.now += 7200
    process.send(READ)
    start().send(READ)
    assert renewals(klaviyo) == 4


def test_a_store_that_fails_for_a_moment_loses_nothing(start: Start, klaviyo: SandboxServer, clock: Clock, texts: Texts) -> None:
    process, waits = start(), iter(range(3))
    process.send(READ)
    texts.unwritable = True

    def ask(_: Renewal) -> Reply:
        return given("access-2", "refresh-2")

    def sleep(seconds: float) -> None:
        clock.now += seconds
        texts.unwritable = next(waits, None) is not None

    clock.now += 7200
    carry_out(process.grant.ready(), sleep, ask)
    assert texts.record()["refresh_token"] == "refresh-2"


@pytest.mark.parametrize("how", ["raises", "is silent"])
def test_a_store_that_cannot_be_read_stops_the_renewal(start: Start, klaviyo: SandboxServer, texts: Texts, how: str) -> None:
    process = start(max_attempts=1)
    if how == "raises":
        texts.unreadable = True
    else:
        texts[process.token_name] = ""  # as Airflow has it whose Fernet key was changed: the name is there, and nothing to read
        texts.read = lambda name: texts.get(name) or None  # type: ignore[method-assign]
    with pytest.raises(KlaviyoNotRenewed, match=f"{process.token_name} .*be read"):
        process.send(READ)
    assert renewals(klaviyo) == 0


def test_a_store_that_falls_silent_later_stops_the_renewal_as_well(
    start: Start, klaviyo: SandboxServer, clock: Clock, texts: Texts
) -> None:
    process = start(max_attempts=1)
    process.send(READ)
    texts.read = lambda _: None  # type: ignore[method-assign, assignment]
    clock.now += 7200
    with pytest.raises(KlaviyoNotRenewed, match=f"{process.token_name} is stored, and cannot be read"):
        process.send(READ)
    assert renewals(klaviyo) == 1


def test_a_variable_that_somebody_deleted_is_stored_again(start: Start, klaviyo: SandboxServer, clock: Clock, texts: Texts) -> None:
    klaviyo.klaviyo.behaviour.rotation = "rotate"
    process = start()
    process.send(READ)
    texts.clear()
    clock.now += 7200
    process.send(READ)
    assert texts.record()["refresh_token"] == klaviyo.klaviyo.grants.families[-1].refresh


@pytest.mark.parametrize("text", ["no JSON", "[]", "{}", '{"access_token": "a"}'])
def test_what_somebody_wrote_there_by_hand_is_no_token(start: Start, klaviyo: SandboxServer, texts: Texts, text: str) -> None:
    process = start()
    texts[process.token_name] = text
    process.send(READ)
    assert texts.record()["access_token"] in klaviyo.klaviyo.grants.families[-1].access


# ── several at once ─────────────────────────────────────────────────────────────────


def test_threads_of_a_session_renew_once(klaviyo: SandboxServer, texts: Texts) -> None:
    klaviyo.klaviyo.behaviour.rotation = "rotate"
    process = Process("blocking", Clock(), texts, base_url=klaviyo.url, refresh_token=klaviyo.klaviyo.grants.authorise())
    with open_session(process.settings, pacer=Pacer(), credentials=process.grant) as session, ThreadPoolExecutor(8) as threads:
        assert len(list(threads.map(session.send, [READ] * 40))) == 40
        assert session.requests == {RENEW: 1, "GET /api/lists": 40}


def test_coroutines_and_threads_renew_once(klaviyo: SandboxServer, texts: Texts) -> None:
    klaviyo.klaviyo.behaviour.rotation = "rotate"
    process = Process("awaiting", Clock(), texts, base_url=klaviyo.url, refresh_token=klaviyo.klaviyo.grants.authorise())

    async def awaiting() -> None:
        async with open_async_session(process.settings, pacer=Pacer(), credentials=process.grant) as session:
            await asyncio.gather(*(session.send(READ) for _ in range(20)))

    def run(at: int) -> None:
        if at % 2:
            asyncio.run(awaiting())
        else:
            with open_session(process.settings, pacer=Pacer(), credentials=process.grant) as session:
                session.send(READ)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(run, range(6)))
    assert renewals(klaviyo) == 1


def test_a_renewal_that_nobody_waits_for_any_more_is_finished(klaviyo: SandboxServer, texts: Texts) -> None:
    klaviyo.klaviyo.behaviour.rotation = "rotate"
    klaviyo.fail(path="/oauth/token", delay_after=0.5)
    process = Process("awaiting", Clock(), texts, base_url=klaviyo.url, refresh_token=klaviyo.klaviyo.grants.authorise())

    async def cancelled() -> None:
        async with open_async_session(process.settings, pacer=Pacer(), credentials=process.grant, sleep=process.clock.asleep) as session:
            async with asyncio.timeout(0.1):
                await session.send(READ)

    with pytest.raises(TimeoutError):
        asyncio.run(cancelled())
    assert texts.record()["access_token"]
    process.send(READ)
    assert renewals(klaviyo) == 1


class Ended(BaseException):
    """What Airflow raises where a task's time is over."""


def test_who_is_ended_gives_the_lease_and_the_lock_back(start: Start, texts: Texts) -> None:
    process = start()

    def ask(_: Renewal) -> Reply:
        raise Ended

    async def aask(_: Renewal) -> Reply:
        raise Ended

    async def awaiting() -> None:
        await acarry_out(process.grant.ready(), process.clock.asleep, aask)

    with pytest.raises(Ended):
        process.renew(ask) if process.kind == "blocking" else asyncio.run(awaiting())
    assert texts.lease() == "{}"
    assert process.grant.lock.acquire(blocking=False)


def test_who_is_ended_while_it_takes_the_lease_gives_it_back(start: Start, texts: Texts) -> None:
    process = start()

    def sleep(_: float) -> None:
        raise Ended

    with pytest.raises(Ended):
        carry_out(process.grant.ready(), sleep, lambda _: given("access-2", "refresh-2"))
    assert texts.lease() == "{}"


@pytest.mark.parametrize("kind", ["blocking", "awaiting"])
def test_a_request_for_a_token_is_given_up_as_a_whole(kind: str) -> None:
    replies: list[Reply] = []
    ended = threading.Event()

    def steps() -> Generator[Renewal, Reply, None]:
        replies.append((yield replace(Renewal.of(Settings(conn_id="shop"), "r"), seconds=0.05)))

    def ask(_: Renewal) -> Reply:  # an answer that comes byte by byte
        ended.wait(60)
        return given("access-2", "refresh-2")

    async def aask(_: Renewal) -> Reply:
        await asyncio.Event().wait()
        return given("access-2", "refresh-2")

    if kind == "blocking":
        carry_out(steps(), lambda _: None, ask)
    else:
        asyncio.run(acarry_out(steps(), asyncio.sleep, aask))
    ended.set()
    assert [(each.renewed, each.doubtful) for each in replies] == [(False, True)]


def test_waiting_for_another_process_ends_with_the_request_s_deadline(start: Start, clock: Clock, texts: Texts) -> None:
    process = start(deadline=10, max_attempts=1)
    texts[process.lease_name] = json.dumps({"holder": "slow", "until": clock() + 9999})
    began = clock()
    with pytest.raises(KlaviyoNotRenewed, match="another process is at it"):
        process.send(READ)
    assert 10 <= clock() - began < 13


def test_a_thread_that_does_not_come_to_an_end_is_not_waited_for_for_ever(start: Start) -> None:
    process = start(max_attempts=1)
    assert process.grant.lock.acquire()
    began = process.clock()
    with pytest.raises(KlaviyoNotRenewed, match="another thread is at it"):
        process.send(READ)
    assert process.clock() - began < process.grant.patience + 1


# ── secrets ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "fault",
    [
        None,
        {"status": 401},
        {"path": "/oauth/token", "status": 400, "body": {"error": "invalid_grant"}},
        {"path": "/oauth/token", "status": 400, "body": {"error": "invalid_request"}},
        {"path": "/oauth/token", "status": 503},
        {"path": "/oauth/token", "drop": "after"},
        {"path": "/oauth/token", "truncate": 0.9},
        {"unwritable": True},
    ],
    ids=repr,
)
def test_no_secret_is_logged_or_raised(
    start: Start, klaviyo: SandboxServer, texts: Texts, caplog: pytest.LogCaptureFixture, fault: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    klaviyo.klaviyo.behaviour.rotation = "rotate"
    texts.unwritable = bool(fault and fault.pop("unwritable", False))
    if fault:
        klaviyo.fail(**{"times": 9, **fault})
    process, said = start(max_attempts=2), ""
    try:
        process.send(READ)
    except KlaviyoError as error:
        said = f"{error} {error!r} {error.__cause__!r} {vars(error)}"
    if process.grant.token:
        said += repr(process.grant.token)
    said += (
        f"{process.settings!r} {process.settings} {process.grant!r} {process.grant.shelf!r} {Renewal.of(process.settings, 'r')!r}"
        + caplog.text
    )
    family = klaviyo.klaviyo.grants.families[-1]
    secrets = {CLIENT_SECRET, process.settings.refresh_token, family.refresh, *family.spent, *family.access} - {""}
    assert len(secrets) >= 2
    assert [each for each in secrets if each in said] == []


# ── one grant a process ─────────────────────────────────────────────────────────────


def test_all_sessions_of_a_process_share_the_grant(klaviyo: SandboxServer, texts: Texts) -> None:
    app: dict[str, Any] = {"conn_id": "shop", "base_url": klaviyo.url, "client_id": "app", "client_secret": "s", "refresh_token": "r"}
    one = credentials_of(Settings(**app), texts)
    assert isinstance(one, Grant)
    assert credentials_of(Settings(**{**app, "client_secret": "another", "timeout": 9}), texts) is one
    assert one.settings.client_secret == "another"
    assert credentials_of(Settings(**{**app, "refresh_token": "r2"}), texts) is not one
    assert credentials_of(Settings(**app)) is not one
    assert credentials_of(Settings(conn_id="shop", key="pk_1")) == ApiKey("pk_1")
    assert "pk_1" not in repr(ApiKey("pk_1"))


FORK = """
import os
from airflow_provider_klaviyo.credentials import credentials_of
from airflow_provider_klaviyo.settings import Settings
grant = credentials_of(Settings(conn_id="shop", client_id="app", client_secret="s", refresh_token="r"))
with grant.lock:  # as another thread may hold it at the moment of a fork
    child = os.fork()
    if not child:
        os._exit(not grant.lock.acquire(blocking=False))
assert os.waitpid(child, 0)[1] == 0
"""


def test_a_fork_does_not_wait_for_a_thread_it_does_not_have() -> None:
    subprocess.run([sys.executable, "-c", FORK], check=True, timeout=60)

# SPDX-License-Identifier: Apache-2.0
"""The right to renew alone, step by step: two processes whose steps mix in every way that matters."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

import pytest

from airflow_provider_klaviyo.oauth import KlaviyoNotRenewed, Renewal, Reply
from airflow_provider_klaviyo.sharing import SETTLE, Consult, Pause, Shelf
from tests.oauth_kit import Clock, Process, Texts, given

PATIENCE = 80.0
"""Seconds that a process with the tests' timeout gives a renewal."""


class Hand:
    """Takes the steps of one process, one after the other."""

    def __init__(self, steps: Generator[Any, Any, Any], clock: Clock) -> None:
        self.steps, self.clock = steps, clock
        self.step: Any = next(steps)
        self.result: Any = None

    def take(self, times: int = 1) -> None:
        """Take the next steps, but for pauses: those are :meth:`wait`'s."""
        for _ in range(times):
            assert isinstance(self.step, Consult)
            self._send(self.step())

    def wait(self) -> None:
        """Take the pause that is next."""
        assert isinstance(self.step, Pause)
        self.clock.sleep(self.step.seconds)
        self._send(None)

    def _send(self, answer: Any) -> None:
        try:
            self.step = self.steps.send(answer)
        except StopIteration as done:
            self.step, self.result = None, done.value


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def texts() -> Texts:
    return Texts()


LEASE = "klaviyo_oauth_lease__grant"


def lease(texts: Texts, clock: Clock) -> Hand:
    return Hand(Shelf(texts, "shop", "grant").lease(clock, PATIENCE), clock)


def test_who_is_alone_gets_it(texts: Texts, clock: Clock) -> None:
    one = lease(texts, clock)
    one.take(3)  # there is none, and none that cannot be read; it is written
    one.wait()
    one.take()
    assert one.result is True
    assert clock.slept == [SETTLE]


def test_of_two_that_saw_none_the_last_to_write_gets_it(texts: Texts, clock: Clock) -> None:
    one, other = lease(texts, clock), lease(texts, clock)
    one.take(2)
    other.take(2)
    one.take()
    other.take()
    one.wait()
    other.wait()
    one.take()
    other.take()
    assert (one.result, other.result) == (False, True)


def test_who_comes_while_it_is_held_waits_and_does_not_get_it(texts: Texts, clock: Clock) -> None:
    one = lease(texts, clock)
    one.take(3)
    other = lease(texts, clock)
    other.take()
    other.wait()
    assert other.result is False
    one.wait()
    one.take()
    assert one.result is True


def test_who_was_slow_to_write_waits_longer_and_sees_that_another_was_quicker(texts: Texts, clock: Clock) -> None:
    slow = lease(texts, clock)
    slow.take(2)
    quick = lease(texts, clock)
    quick.take(3)
    quick.wait()
    quick.take()
    assert quick.result is True
    clock.now += 1
    slow.take()  # over the other's name, past its look
    texts[LEASE] = "{}"  # and the other has given it back
    slow.wait()
    assert clock.slept[-1] == 6
    slow.take()
    assert slow.result is False


def test_it_is_free_once_its_holder_must_be_dead(texts: Texts, clock: Clock) -> None:
    one = lease(texts, clock)
    one.take(3)
    clock.now += PATIENCE
    other = lease(texts, clock)
    other.take(2)
    other.wait()
    other.take()
    assert other.result is True


def test_where_nothing_can_be_written_nobody_is_kept_out(texts: Texts, clock: Clock) -> None:
    texts.unwritable = True
    for _ in range(2):
        one = lease(texts, clock)
        one.take(3)
        one.wait()
        assert one.result is True


@pytest.mark.parametrize("text", ["x", "[]", '{"until": "x"}', '{"until": null}', '{"until": NaN}', '{"until": Infinity}'])
def test_what_somebody_wrote_there_by_hand_is_no_lease(texts: Texts, clock: Clock, text: str) -> None:
    texts[LEASE] = text
    one = lease(texts, clock)
    one.take(2)
    one.wait()
    one.take()
    assert one.result is True


def test_who_is_late_leaves_the_lease_of_another_alone(texts: Texts, clock: Clock) -> None:
    shelf = Shelf(texts, "shop", "grant")
    late = Hand(shelf.lease(clock, PATIENCE), clock)
    late.take(3)
    late.wait()
    late.take()
    clock.now += PATIENCE
    other = lease(texts, clock)
    other.take(2)
    other.wait()
    stored = texts[LEASE]
    giving_back = Hand(shelf.release(), clock)
    giving_back.take()
    assert giving_back.step is None
    assert texts[LEASE] == stored
    other.take()
    assert other.result is True


@pytest.fixture
def process(texts: Texts, clock: Clock) -> Process:
    return Process("blocking", clock, texts, refresh_token="refresh-1")


def test_who_waits_takes_the_token_as_soon_as_it_is_there(process: Process, texts: Texts, clock: Clock) -> None:
    other = Process("blocking", clock, texts, refresh_token="refresh-1")
    waiting: list[Hand] = []

    def renewing(_: Renewal) -> Reply:
        steps = Hand(other.grant.ready(), clock)
        steps.take(3)  # the token, which is not there, and the lease
        steps.wait()
        waiting.append(steps)
        return given("access-2", "refresh-2")

    process.renew(renewing)
    waiting[0].take()
    assert waiting[0].step is None
    assert other.grant.header == "Bearer access-2"


def test_who_waits_takes_over_from_one_that_died(process: Process, texts: Texts, clock: Clock) -> None:
    texts[process.lease_name] = json.dumps({"holder": "dead", "until": clock() + 5})
    process.renew(lambda _: given("access-2", "refresh-2"))
    assert 5 <= sum(clock.slept) <= 8
    assert texts.record()["access_token"] == "access-2"


def test_who_waits_does_not_wait_for_ever(process: Process, texts: Texts, clock: Clock) -> None:
    texts[process.lease_name] = json.dumps({"holder": "slow", "until": clock() + 9999})
    with pytest.raises(KlaviyoNotRenewed, match="another process is at it"):
        process.renew(lambda _: given("access-2", "refresh-2"))
    assert PATIENCE < sum(clock.slept) < PATIENCE + 5
    assert process.token_name not in texts


@pytest.mark.parametrize("reply", [Reply(503), Reply(400, {"error": "invalid_grant"}), Reply(cause="ConnectError", sent=False)], ids=repr)
def test_who_fails_gives_it_back(process: Process, texts: Texts, reply: Reply) -> None:
    with pytest.raises(Exception, match="shop"):
        process.renew(lambda _: reply)
    assert texts.lease() == "{}"


def taken(step: Any, clock: Clock) -> Any:
    """Take a step, and return what came of it."""
    if isinstance(step, Consult):
        return step()
    clock.sleep(step.seconds)
    return None


def asking(process: Process) -> Generator[Any, Any, None]:
    """Take the steps of a process until it asks Klaviyo."""
    steps = process.grant.ready()
    step = next(steps)
    while not isinstance(step, Renewal):
        step = steps.send(taken(step, process.clock))
    return steps


def test_a_lease_outlasts_the_request_for_a_token_and_the_storing_of_it(process: Process, texts: Texts, clock: Clock) -> None:
    steps = asking(process)
    clock.now += Renewal.of(process.settings, "refresh-1").seconds
    texts.unwritable = True
    step = steps.send(given("access-2", "refresh-2"))
    for _ in range(8):  # all that it tries to store it
        step = steps.send(taken(step, clock))
    assert json.loads(texts.lease())["until"] > clock()
    steps.close()


def test_who_was_held_up_by_the_store_does_not_ask_with_too_little_of_its_lease(process: Process, texts: Texts, clock: Clock) -> None:
    read, asked = texts.read, []

    def slow(name: str) -> str | None:
        clock.now += 20
        return read(name)

    def ask(renewal: Renewal) -> Reply:
        asked.append(renewal)
        return given("access-2", "refresh-2")

    texts.read = slow  # type: ignore[method-assign]
    with pytest.raises(KlaviyoNotRenewed, match="too little is left of klaviyo_oauth_lease__"):
        process.renew(ask)
    assert asked == []
    assert texts.lease() == "{}"


def test_two_connections_with_one_grant_renew_one_after_the_other(process: Process, texts: Texts, clock: Clock) -> None:
    other = Process("blocking", clock, texts, refresh_token="refresh-1", conn_id="shop_too")
    asking(process)
    steps = Hand(other.grant.ready(), clock)
    steps.take(3)
    steps.wait()
    steps.take()
    assert other.token_name == process.token_name
    assert other.grant.token is None
    assert isinstance(steps.step, Consult)  # it looks at the lease again, and at nothing else


def test_a_lease_that_cannot_be_read_is_not_free(process: Process, texts: Texts, clock: Clock) -> None:
    other = Process("blocking", clock, texts, refresh_token="refresh-1")
    holding, read = asking(process), texts.read

    def silent(name: str) -> str | None:  # as Airflow answers where its server did not
        return None if name == process.lease_name else read(name)

    texts.read = silent  # type: ignore[method-assign]
    with pytest.raises(KlaviyoNotRenewed, match=f"{process.lease_name} is stored, and cannot be read"):
        other.renew(lambda _: given("access-2", "refresh-2"))
    holding.close()

# SPDX-License-Identifier: Apache-2.0
"""The right to renew alone, step by step: two processes whose steps mix in every way that matters."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

import pytest

from airflow_provider_klaviyo.oauth import KlaviyoNotRenewed, Renewal, Reply
from airflow_provider_klaviyo.sharing import SETTLE, Consult, Pause, Shelf
from tests.oauth_kit import LEASE, TOKEN, Clock, Process, Texts, given

PATIENCE = 35.0
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


def lease(texts: Texts, clock: Clock) -> Hand:
    return Hand(Shelf(texts, "shop", "grant").lease(clock, PATIENCE), clock)


def test_who_is_alone_gets_it(texts: Texts, clock: Clock) -> None:
    one = lease(texts, clock)
    one.take(2)
    one.wait()
    one.take()
    assert one.result is True
    assert clock.slept == [SETTLE]


def test_of_two_that_saw_none_the_last_to_write_gets_it(texts: Texts, clock: Clock) -> None:
    one, other = lease(texts, clock), lease(texts, clock)
    one.take()
    other.take()
    one.take()
    other.take()
    one.wait()
    other.wait()
    one.take()
    other.take()
    assert (one.result, other.result) == (False, True)


def test_who_comes_while_it_is_held_waits_and_does_not_get_it(texts: Texts, clock: Clock) -> None:
    one = lease(texts, clock)
    one.take(2)
    other = lease(texts, clock)
    other.take()
    other.wait()
    assert other.result is False
    one.wait()
    one.take()
    assert one.result is True


def test_who_was_slow_to_write_waits_longer_and_sees_that_another_was_quicker(texts: Texts, clock: Clock) -> None:
    slow = lease(texts, clock)
    slow.take()
    quick = lease(texts, clock)
    quick.take(2)
    quick.wait()
    quick.take()
    assert quick.result is True
    clock.now += 1
    slow.take()  # over the other's name, past its look
    for _ in Shelf(texts, "shop", "grant").release():
        texts[LEASE] = "{}"
    slow.wait()
    assert clock.slept[-1] == 6
    slow.take()
    assert slow.result is False


def test_it_is_free_once_its_holder_must_be_dead(texts: Texts, clock: Clock) -> None:
    one = lease(texts, clock)
    one.take(2)
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
        one.take(2)
        one.wait()
        assert one.result is True


@pytest.fixture
def process(texts: Texts, clock: Clock) -> Process:
    return Process("blocking", clock, texts, refresh_token="refresh-1")


def test_who_waits_takes_the_token_as_soon_as_it_is_there(process: Process, texts: Texts, clock: Clock) -> None:
    other = Process("blocking", clock, texts, refresh_token="refresh-1")
    waiting: list[Hand] = []

    def renewing(_: Renewal) -> Reply:
        steps = Hand(other.grant.ready(), clock)
        steps.take(3)  # the token, any other's, the lease
        steps.wait()
        waiting.append(steps)
        return given("access-2", "refresh-2")

    process.renew(renewing)
    waiting[0].take()
    assert waiting[0].step is None
    assert other.grant.header == "Bearer access-2"


def test_who_waits_takes_over_from_one_that_died(process: Process, texts: Texts, clock: Clock) -> None:
    texts[LEASE] = json.dumps({"holder": "dead", "until": clock() + 5})
    process.renew(lambda _: given("access-2", "refresh-2"))
    assert 5 <= sum(clock.slept) <= 8
    assert texts.record()["access_token"] == "access-2"


def test_who_waits_does_not_wait_for_ever(process: Process, texts: Texts, clock: Clock) -> None:
    texts[LEASE] = json.dumps({"holder": "slow", "until": clock() + 9999})
    with pytest.raises(KlaviyoNotRenewed, match="another process is at it"):
        process.renew(lambda _: given("access-2", "refresh-2"))
    assert PATIENCE < sum(clock.slept) < PATIENCE + 5
    assert TOKEN not in texts


@pytest.mark.parametrize("reply", [Reply(503), Reply(400, {"error": "invalid_grant"}), Reply(cause="ConnectError", sent=False)], ids=repr)
def test_who_fails_gives_it_back(process: Process, texts: Texts, reply: Reply) -> None:
    with pytest.raises(Exception, match="shop"):
        process.renew(lambda _: reply)
    assert texts[LEASE] == "{}"

# SPDX-License-Identifier: Apache-2.0
"""Time is simulated: a clock that only waiting moves, workers as generators, and referees that judge what arrived."""

from __future__ import annotations

import heapq
import math
import random
import subprocess
import sys
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_klaviyo.api.limits import Operation
from airflow_provider_klaviyo.pacing import DAY, KlaviyoLimitSpent, Pacer, Rate, pacer_of
from airflow_provider_klaviyo.settings import Settings

MINUTE = 60
# Every pair of burst and steady limits that Klaviyo uses often, and the odd ones.
TIERS = [(1, 15), (3, 60), (10, 150), (75, 750), (350, 3500), (150, 1400), (350, 750), (1, 2), (3, 15)]


def operation(burst: int, steady: int, daily: int | None = None) -> Operation:
    return Operation("get_lists", "GET", "/api/lists", burst=burst, steady=steady, daily=daily)


class World:
    """
    Workers that send as fast as they may, over a network that takes its time.

    :param latency: The least and the most seconds from sending to the answer; a request arrives somewhere within.
    """

    def __init__(self, seed: int, latency: tuple[float, float] = (0.05, 0.8), began: float | None = None) -> None:
        self.random = random.Random(seed)
        self.latency = latency
        self.began = self.now = self.random.uniform(0, 1000) if began is None else began
        self.pacer = Pacer(lambda: self.now)
        self.arrivals: list[float] = []

    def worker(self, target: Operation, share: float, idle: float) -> Iterator[float]:
        while True:
            with self.pacer.turn(target.id, target, share=share) as turn:
                yield from turn
                travel = self.random.uniform(*self.latency)
                self.arrivals.append(self.now + self.random.uniform(0, travel))
                yield travel
            yield self.random.uniform(0, idle)

    def run(self, target: Operation, *, workers: int, minutes: float, share: float = 1, idle: float = 0) -> list[float]:
        """Let the workers work, and return when their requests arrived."""
        agenda = [(self.now, number, self.worker(target, share, idle)) for number in range(workers)]
        while (due := agenda[0])[0] < self.began + minutes * MINUTE:
            moment, number, worker = due
            self.now = max(self.now, moment)
            # Nobody wakes up exactly in time.
            heapq.heapreplace(agenda, (self.now + next(worker) + self.random.uniform(0, 0.003), number, worker))
        return sorted(self.arrivals)


def overruns(arrivals: list[float], limit: int, seconds: float) -> list[float]:
    """
    Return the moments at which more than ``limit`` arrivals lie within ``seconds``.

    A window that slides, closed at both ends, covers every fixed window of the same length, wherever that begins.
    """
    return [later for earlier, later in zip(arrivals, arrivals[limit:], strict=False) if later - earlier <= seconds]


def weighed_overruns(arrivals: list[float], limit: int, seconds: float, phase: float) -> list[float]:
    """Return the arrivals that a server refuses which keeps one count a window and weighs the window before."""
    refused = []
    for moment in arrivals:
        start = moment - (moment - phase) % seconds
        before = bisect_left(arrivals, start) - bisect_left(arrivals, start - seconds)
        current = bisect_right(arrivals, moment) - bisect_left(arrivals, start)
        if before * (1 - (moment - start) / seconds) + current > limit + 1:
            refused.append(moment)
    return refused


@pytest.mark.parametrize(("burst", "steady"), TIERS)
def test_no_window_is_overrun_and_the_limit_is_used(burst: int, steady: int) -> None:
    minutes = 4 if steady > 1000 else 12
    world = World(seed=steady, latency=(0.3, 0.5))
    arrivals = world.run(operation(burst, steady), workers=min(64, max(4, steady // 20)), minutes=minutes)
    assert overruns(arrivals, burst, 1) == []
    assert overruns(arrivals, steady, MINUTE) == []
    # The first burst counts for the two minutes after it, in which it is evened out.
    later = [moment for moment in arrivals if moment >= world.began + 2 * MINUTE]
    assert len(later) >= math.floor(0.98 * steady * (minutes - 2)) - 1


@settings(max_examples=40, deadline=None)
@given(
    tier=st.sampled_from([(1, 15), (3, 60), (10, 150), (75, 750)]),
    seed=st.integers(0, 2**32),
    workers=st.integers(1, 40),
    idle=st.sampled_from([0.0, 1.0, 40.0]),
    share=st.sampled_from([1.0, 0.5, 0.3, 0.05]),
)
def test_no_window_is_overrun_whatever_the_network_does(tier: tuple[int, int], seed: int, workers: int, idle: float, share: float) -> None:
    burst, steady = tier
    arrivals = World(seed, latency=(0.01, 1.0)).run(operation(burst, steady), workers=workers, minutes=4, idle=idle, share=share)
    for limit, seconds in ((burst, 1), (steady, MINUTE)):
        mine = limit * share
        assert overruns(arrivals, max(1, int(mine + 1e-9)), seconds if mine >= 1 else seconds / mine) == []


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), phase=st.floats(0, 60))
def test_a_server_that_weighs_the_window_before_is_content_too(seed: int, phase: float) -> None:
    arrivals = World(seed, latency=(0.05, 0.1)).run(operation(10, 150), workers=16, minutes=6)
    assert weighed_overruns(arrivals, 150, MINUTE, phase) == []


def test_two_workers_with_half_the_account_each_stay_within_it() -> None:
    target = operation(10, 150)
    arrivals = [moment for seed in (1, 2) for moment in World(seed, began=0).run(target, workers=8, minutes=5, share=0.5)]
    assert overruns(sorted(arrivals), 150, MINUTE) == []
    assert len(arrivals) > 0.97 * 150 * 5


class Now:
    """A clock, and one request after the other."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pacer = Pacer(lambda: self.now)

    def send(self, target: Operation | None, *, name: str = "GET /api/lists", until: float = math.inf, **answer: str | float) -> float:
        """Send a request that is answered at once, and return how long it had to wait."""
        began = self.now
        with self.pacer.turn(name, target, until=until) as turn:
            for pause in turn:
                self.now += pause
            waited = self.now - began
            if "retry_after" in answer:
                turn.hold(float(answer["retry_after"]))
            turn.learn(str(answer.get("limit", "")), str(answer.get("remaining", "")))
        return waited


def test_the_first_burst_goes_at_once_and_what_follows_is_spread() -> None:
    now, target = Now(), operation(10, 150)
    assert [now.send(target) for _ in range(10)] == [0.0] * 10
    assert 1 < now.send(target) < 1.1
    waits = [now.send(target) for _ in range(300)]
    assert 0.4 < waits[-1] < 0.41


def test_a_429_holds_the_operation_for_everyone_and_no_other() -> None:
    now, target = Now(), operation(10, 150)
    now.send(target, retry_after=30)
    with now.pacer.turn("GET /api/lists", target) as another:
        assert next(iter(another)) == 30
    assert now.send(operation(10, 150), name="GET /api/profiles") == 0
    assert now.send(target) == 30


def test_those_already_waiting_wait_on_when_a_429_comes() -> None:
    now, target = Now(), operation(1, 15)
    now.send(target)
    with now.pacer.turn("GET /api/lists", target) as waiting, now.pacer.turn("GET /api/lists", target) as behind:
        pauses = iter(waiting)
        first = next(pauses)
        assert next(iter(behind)) > first
        now.pacer.turn("GET /api/lists", target).hold(50)
        now.now += first
        assert first + next(pauses) == pytest.approx(50)


def test_after_a_429_requests_are_spread() -> None:
    now, target = Now(), operation(10, 150)
    now.send(target, retry_after=1)
    assert now.send(target) == 1
    assert [round(now.send(target), 2) for _ in range(3)] == [0.4, 0.4, 0.4]


def test_a_request_refused_with_429_does_not_count() -> None:
    now, target = Now(), operation(1, 15, daily=1)
    now.send(target, retry_after=5)
    assert now.send(target) == 5


def test_a_lower_limit_in_an_answer_lowers_the_pace_and_the_next_answer_lifts_it() -> None:
    now, target = Now(), operation(10, 150)
    now.send(target, limit="1, 1;w=1, 15;w=60")
    assert now.send(target, limit="1, 1;w=1, 15;w=60") > 1
    now.send(target, limit="10, 10;w=1, 150;w=60")
    assert [now.send(target) for _ in range(5)] == [0.0] * 5


def test_a_higher_limit_in_an_answer_does_not_raise_the_pace() -> None:
    now, target = Now(), operation(1, 15)
    now.send(target, limit="75, 75;w=1, 750;w=60")
    assert now.send(target) > 1


def test_an_undocumented_operation_keeps_to_what_answers_say() -> None:
    now = Now()
    assert now.send(None, limit="3, 3;w=1, 60;w=60") == 0
    assert [now.send(None, limit="3, 3;w=1, 60;w=60") for _ in range(2)] == [0.0] * 2
    assert now.send(None) > 1


def test_a_second_that_others_have_spent_is_waited_for() -> None:
    now, target = Now(), operation(10, 150)
    now.send(target, remaining="0")
    assert now.send(target) == 1


def test_a_spent_day_is_an_error_and_not_a_wait_of_hours() -> None:
    now, target = Now(), operation(10, 150, daily=5)
    for _ in range(5):
        now.send(target)
    with pytest.raises(KlaviyoLimitSpent, match=r"GET /api/lists was not sent: Klaviyo allows 5 a day") as spent:
        now.send(target, until=now.now + 600)
    assert spent.value.wait > DAY - MINUTE
    now.now += spent.value.wait
    assert now.send(target, until=now.now + 600) == 0


def test_giving_up_leaves_no_trace_in_the_queue() -> None:
    now, target = Now(), operation(1, 15)
    now.send(target)
    with pytest.raises(KlaviyoLimitSpent):
        now.send(target, until=now.now + 0.5)
    with now.pacer.turn("GET /api/lists", target) as turn:
        wait = next(iter(turn))
    assert now.send(target) == wait


def test_a_share_below_one_request_widens_the_window() -> None:
    assert (Rate.of(1, 1, 0.25).limit, round(Rate.of(1, 1, 0.25).window, 2)) == (1, 4.05)
    assert Rate.of(100, 60, 0.29).limit == 29


def test_sessions_of_one_account_share_a_pacer() -> None:
    one = Settings(conn_id="one", key="pk_1")
    assert pacer_of(one) is pacer_of(Settings(conn_id="two", key="pk_1", rate_share=0.5))
    assert pacer_of(one) is not pacer_of(Settings(conn_id="one", key="pk_2"))
    assert pacer_of(one) is not pacer_of(Settings(conn_id="one", key="pk_1", base_url="http://127.0.0.1:8080"))
    app = Settings(conn_id="one", client_id="app", client_secret="s", refresh_token="r")
    assert pacer_of(app) is pacer_of(Settings(conn_id="two", client_id="app", client_secret="s2", refresh_token="r"))
    assert pacer_of(app) is not pacer_of(Settings(conn_id="one", client_id="app2", client_secret="s", refresh_token="r"))
    assert pacer_of(app) is not pacer_of(one)


def test_many_threads_never_go_together() -> None:
    """Real threads, a real lock, and a limit that lets one go: the others are told to wait."""
    pacer, target = Pacer(lambda: 5.0), operation(1, 15)
    turns = [pacer.turn("GET /api/lists", target) for _ in range(20)]
    pauses: list[float] = []

    def ask() -> None:
        pauses.append(next(iter(turns.pop()), 0.0))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert min(pauses) == 0
    assert len(set(pauses)) == 20, "each has its own moment"


FORK = """
import os, threading
from airflow_provider_klaviyo.pacing import pacer_of
from airflow_provider_klaviyo.settings import Settings
account = Settings(conn_id="one", key="pk_fork")
assert threading.active_count() == 1
with pacer_of(account)._lock:  # as another thread may hold it at the moment of a fork
    child = os.fork()
    if not child:
        with pacer_of(account).turn("GET /api/lists", None) as turn:
            os._exit(len(list(turn)))
assert os.waitpid(child, 0)[1] == 0
"""


def test_a_fork_begins_afresh_and_no_thread_runs() -> None:
    subprocess.run([sys.executable, "-c", FORK], check=True, timeout=60)

# SPDX-License-Identifier: Apache-2.0
"""
Keep under Klaviyo's limits before Klaviyo has to say so, for all sessions of one account in this process.

A request is counted from the moment its answer came, and never later than :data:`ARRIVES` after it was sent: whatever the
network did in between, two requests that are a window apart here are a window apart at Klaviyo. So neither a fixed nor
a sliding window is ever overrun, wherever it begins. ``docs/decisions/0004-pacing.md`` has the reasons.
"""

from __future__ import annotations

import math
import os
import re
import threading
import time
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_klaviyo.api.errors import KlaviyoError

if TYPE_CHECKING:
    from airflow_provider_klaviyo.api.limits import Operation
    from airflow_provider_klaviyo.settings import Settings

Clock = Callable[[], float]

SECOND, MINUTE, HOUR, DAY = 1, 60, 3600, 86_400
ARRIVES = 1.0
NEVER = -math.inf


class KlaviyoLimitSpent(KlaviyoError):  # noqa: N818 - the name says what is known
    """
    The account's limit leaves no room before the deadline. Nothing was sent.

    :param operation: Method and path.
    :param wait: Seconds until there is room.
    :param limit: The limit in words.
    """

    permanent = False

    def __init__(self, operation: str, *, wait: float, limit: str) -> None:
        self.operation, self.wait = operation, wait
        super().__init__(
            f"{operation} was not sent: {limit}, and there is no room for {math.ceil(wait)} s, which is past the deadline."
            " Try later, or let fewer tasks share the account."
        )


@dataclass(frozen=True, slots=True)
class Rate:
    """
    So many requests in so many seconds.

    :param limit: Requests.
    :param window: Seconds, a little more than Klaviyo's: clocks differ, and some servers count in whole seconds.
    :param words: What Klaviyo documents, for messages.
    """

    limit: int
    window: float
    words: str

    @classmethod
    def of(cls, limit: int, seconds: int, share: float) -> Rate:
        """Take a share of a limit. Where less than one request remains, the window grows instead."""
        mine = limit * share + 1e-9
        window = seconds if mine >= 1 else seconds / mine
        unit = {SECOND: "second", MINUTE: "minute", DAY: "day"}.get(seconds, f"{seconds} s")
        words = f"Klaviyo allows {limit} a {unit}" + (f", of which this connection takes {share:.0%}" if share < 1 else "")
        return cls(max(1, int(mine)), window * 1.008 + 0.02, words)

    @property
    def gap(self) -> float:
        """Seconds between two requests that are evenly spread."""
        return self.window / self.limit


@dataclass(eq=False, slots=True)
class Turn:
    """
    One request's place in the queue of its operation.

    Enter it, sleep through its pauses, send, and leave it when the answer is there::

        with pacer.turn(name, operation, until=deadline) as turn:
            for pause in turn:
                sleep(pause)
            ...

    Iterating raises :class:`KlaviyoLimitSpent` where the queue is longer than ``until``.
    """

    pace: _Pace
    rates: list[Rate]
    until: float
    asked: float = NEVER
    at: float = NEVER
    refused: bool = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.pace.leave(self)

    def __iter__(self) -> Iterator[float]:
        while (pause := self.pace.ask(self)) > 0:
            yield pause

    def hold(self, seconds: float) -> None:
        """Let nobody else send this operation for a while: Klaviyo answered 429, and did not count the request."""
        self.refused = True
        self.pace.hold(seconds or 1.0, refused=True)

    def learn(self, limit: str, remaining: str) -> None:
        """
        Take what Klaviyo says of the limits with each answer. It can lower the pace and never raises it.

        :param limit: ``ratelimit-limit``, such as ``75, 75;w=1, 750;w=60``.
        :param remaining: ``ratelimit-remaining``, what is left of the current second.
        """
        if limit:
            self.pace.learned = {int(seconds): int(count) for count, seconds in re.findall(r"(\d+);w=(\d+)", limit)}
        if remaining.strip() == "0":
            self.pace.hold(SECOND)


@dataclass(eq=False, slots=True)
class _Pace:
    """
    What one operation of one account has been asked for.

    :param answered: When requests were answered, ascending.
    :param flying: When requests without an answer yet were sent.
    :param queue: When the waiting ones expect to be sent, in order.
    :param last: When the latest request was due.
    :param held: Nothing is sent before.
    :param smooth: Requests are evenly spread until a window after this.
    """

    name: str
    clock: Clock
    lock: Any = field(default_factory=threading.Lock)
    answered: list[float] = field(default_factory=list)
    flying: dict[Turn, float] = field(default_factory=dict)
    queue: dict[Turn, float] = field(default_factory=dict)
    learned: dict[int, int] = field(default_factory=dict)
    last: float = NEVER
    held: float = NEVER
    smooth: float = NEVER

    def ask(self, turn: Turn) -> float:
        """Return the seconds to wait, or 0 and count the turn as sent."""
        with self.lock:
            now = self.clock()
            turn.asked = now if turn.asked == NEVER else turn.asked
            turn.at, why = self._due(turn, now)
            if turn.at > turn.until:
                raise KlaviyoLimitSpent(self.name, wait=turn.at - now, limit=why)
            if turn.at > now:
                self.queue[turn] = turn.at
                return turn.at - now
            self.queue.pop(turn, None)
            self.flying[turn] = now
            self.last = max(self.last, turn.at)
            return 0.0

    def leave(self, turn: Turn) -> None:
        """Note that a turn is over."""
        with self.lock:
            self.queue.pop(turn, None)
            sent = self.flying.pop(turn, None)
            if sent is None or turn.refused:
                return
            now = self.clock()
            insort(self.answered, min(now, sent + ARRIVES))
            longest = max((rate.window for rate in turn.rates), default=0)
            del self.answered[: bisect_left(self.answered, now - 2 * longest)]

    def hold(self, seconds: float, *, refused: bool = False) -> None:
        """Let nothing go for some seconds."""
        with self.lock:
            self.held = max(self.held, self.clock() + seconds)
            self.smooth = self.held if refused else self.smooth

    def _due(self, turn: Turn, now: float) -> tuple[float, str]:
        """Find the moment at which a turn may go, and what keeps it until then."""
        ahead = self._ahead(turn)
        before = sorted([*(min(now, sent + ARRIVES) for sent in self.flying.values()), *(max(now, at) for at in ahead)])
        previous = max(ahead, default=self.last)
        due = [(turn.asked, ""), (self.held, "Klaviyo asked to wait")]
        for rate in turn.rates:
            # The first burst goes at once. What follows is spread evenly, which suits other clients of the account,
            # and servers that weigh the window before. A day is not spread: nobody waits for hours.
            recent = len(self.answered) - bisect_left(self.answered, now - 2 * rate.window) + len(before)
            if rate.window < HOUR and (recent >= rate.limit or now < self.smooth + rate.window):
                due.append((previous + rate.gap, rate.words))
            counted = sorted([*self.answered[-rate.limit :], *before])
            if len(counted) >= rate.limit:
                due.append((counted[-rate.limit] + rate.window, rate.words))
        return max(due)

    def _ahead(self, turn: Turn) -> list[float]:
        ahead = []
        for other, at in self.queue.items():
            if other is turn:
                break
            ahead.append(at)
        return ahead


class Pacer:
    """
    The pace of one account.

    :param clock: Seconds, never going back.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._paces: dict[str, _Pace] = {}

    def turn(self, name: str, operation: Operation | None, *, share: float = 1, until: float = math.inf) -> Turn:
        """
        Queue for one request.

        :param name: Method and path template: what Klaviyo counts together.
        :param operation: Its documented limits; without, only those that answers tell are kept.
        :param share: The part of the limits to use, above 0 and up to 1.
        :param until: The moment of ``clock`` after which waiting is pointless.
        """
        with self._lock:
            pace = self._paces.setdefault(name, _Pace(name, self.clock))
        limits = {SECOND: operation.burst, MINUTE: operation.steady, DAY: operation.daily} if operation else {}
        lowest = {**pace.learned, **{seconds: min(limit, pace.learned.get(seconds) or limit) for seconds, limit in limits.items() if limit}}
        return Turn(pace, [Rate.of(limit, seconds, share) for seconds, limit in lowest.items() if limit], until)


_pacers: dict[str, Pacer] = {}


def pacer_of(settings: Settings) -> Pacer:
    """
    Return the pacer that all sessions of an account share in this process.

    Klaviyo gives each OAuth app limits of its own in each account: what an app may do takes nothing from what a key may.
    """
    return _pacers.setdefault(settings.digest, Pacer())


def forget() -> None:
    """Forget what was sent, and what limits were learned: for an account that was made anew, such as a test's."""
    _pacers.clear()


# A forked child has none of its parent's requests under way, and must not find a lock that a thread of the parent holds.
os.register_at_fork(after_in_child=forget)

# SPDX-License-Identifier: Apache-2.0
"""The referee of Klaviyo's rate limits: who comes too often is told so."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from airflow_provider_klaviyo.api.limits import Operation

SECOND, MINUTE, DAY = 1, 60, 86_400

#: Limits that a parameter brings along, beside those of the operation: burst and steady, by operation and parameter.
BY_PARAMETER: Mapping[tuple[str, str], tuple[int, int]] = {
    ("get_list", "profile_count"): (1, 15),
    ("get_profile", "lists"): (1, 15),
    ("get_profile", "segments"): (1, 15),
    ("get_profiles", "predictive_analytics"): (10, 150),
    ("get_profiles_for_list", "predictive_analytics"): (10, 150),
}


@dataclass(frozen=True, slots=True)
class Ruling:
    """
    What the limits say to one request.

    :param wait: Whole seconds until it would be let in, 0 where it is.
    :param headers: What an answer carries about the limits.
    """

    wait: int
    headers: Mapping[str, str] = field(default_factory=dict)


class _Window:
    """How often something happened within a span of time."""

    def __init__(self, span: int, limit: int, kind: Literal["fixed", "sliding"]) -> None:
        self.span, self.limit, self.kind = span, limit, kind
        self.times: deque[float] = deque()

    def wait(self, now: float, foreign: float) -> float:
        """Return the seconds until one more fits, 0 where it does now."""
        start = self._start(now)
        while self.times and self.times[0] < start:
            self.times.popleft()
        room = self.limit - len(self.times) - math.floor(self._foreign(now, foreign))
        if room >= 1:
            return 0.0
        if self.kind == "fixed" or not self.times:
            return start + self.span - now if self.kind == "fixed" else self.span
        return max(self.times[0] + self.span - now, 0.001)

    def _start(self, now: float) -> float:
        return now - now % self.span if self.kind == "fixed" else now - self.span

    def _foreign(self, now: float, share: float) -> float:
        elapsed = (now % self.span) / self.span if self.kind == "fixed" else 1.0
        return share * self.limit * elapsed


class Limiter:
    """
    Counts requests against an account's limits.

    Refused requests do not count.

    :param clock: Seconds, any origin.
    :param kind: Whether a window starts at the full second, minute, day, or slides.
    """

    def __init__(self, clock: Callable[[], float], kind: Literal["fixed", "sliding"] = "fixed") -> None:
        self.clock, self.kind = clock, kind
        self.foreign_share = 0.0  #: What other clients use of every limit, from 0 to 1.
        self._windows: dict[str, list[_Window]] = {}

    def admit(self, operation: Operation, parameters: frozenset[str]) -> Ruling:
        """
        Count a request, or say how long it has to wait.

        :param operation: What is asked for.
        :param parameters: Words of ``include`` and ``additional-fields``, some of which have limits of their own.
        """
        now = self.clock()
        extra = [(name, *limits) for (owner, name), limits in BY_PARAMETER.items() if owner == operation.id and name in parameters]
        windows = list(self._of(operation.id, operation.burst, operation.steady, operation.daily))
        shown = windows
        for name, burst, steady in extra:
            shown = self._of(f"{operation.id}:{name}", burst, steady, None)
            windows += shown
        wait = max((window.wait(now, self.foreign_share) for window in windows), default=0.0)
        if wait > 0:
            return Ruling(math.ceil(wait))
        for window in windows:
            window.times.append(now)
        return Ruling(0, _headers(shown))

    def clear(self) -> None:
        """Forget what was counted."""
        self._windows.clear()

    def _of(self, name: str, burst: int | None, steady: int | None, daily: int | None) -> list[_Window]:
        if name not in self._windows:
            spans = ((SECOND, burst), (MINUTE, steady), (DAY, daily))
            self._windows[name] = [_Window(span, limit, self.kind) for span, limit in spans if limit]
        return self._windows[name]


def describe(operation: Operation) -> Mapping[str, str]:
    """Return the headers of an answer to the first request of a second."""
    spans = ((SECOND, operation.burst), (MINUTE, operation.steady), (DAY, operation.daily))
    return _headers([_Window(span, limit, "fixed") for span, limit in spans if limit], used=1)


def _headers(windows: list[_Window], used: int | None = None) -> dict[str, str]:
    """As recorded: all limits are named, but what remains is told of the one-second window alone."""
    if not windows:
        return {}
    first = windows[0]
    listed = ", ".join(f"{window.limit};w={window.span}" for window in windows)
    remaining = first.limit - (len(first.times) if used is None else used)
    return {"ratelimit-limit": f"{first.limit}, {listed}", "ratelimit-remaining": str(max(remaining, 0)), "ratelimit-reset": "0"}

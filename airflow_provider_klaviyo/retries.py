# SPDX-License-Identifier: Apache-2.0
"""Whether a failed attempt is made again, and after how long. One policy feeds tenacity's ``Retrying`` and ``AsyncRetrying``."""

from __future__ import annotations

import logging
import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from http import HTTPStatus
from typing import Any

from tenacity import RetryCallState

from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoUnanswered

LONGEST_BACKOFF = 60.0
NOTABLE_WAIT = 10.0

log = logging.getLogger(__name__)


class Again(Enum):
    """What follows a failed attempt."""

    NEVER = "raise the error"
    COUNTED = "try again, as one of max_attempts"
    FREE = "try again, as often as the deadline allows"
    INFLATED = "try again at once, uncompressed"
    RENEWED = "try again at once, with another token"


def again(error: BaseException, *, repeatable: bool, compressed: bool = False, renewable: bool = False) -> Again:
    """
    Decide what follows a failed attempt.

    :param error: How it failed.
    :param repeatable: Whether sending the request twice leaves Klaviyo as sending it once does.
    :param compressed: Whether its body went compressed.
    :param renewable: Whether it went with a token that can be had anew.
    """
    match error:
        case KlaviyoApiError(status=HTTPStatus.TOO_MANY_REQUESTS):
            return Again.FREE
        case KlaviyoApiError(status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE) if compressed:
            return Again.INFLATED
        case KlaviyoApiError(status=HTTPStatus.UNAUTHORIZED) if renewable:
            return Again.RENEWED
        case KlaviyoUnanswered(sent=False):
            return Again.COUNTED
        case KlaviyoApiError(status=status) if status >= HTTPStatus.INTERNAL_SERVER_ERROR and repeatable:
            return Again.COUNTED
        case KlaviyoUnanswered() if repeatable:
            return Again.COUNTED
    return Again.NEVER


def seconds_to_wait(retry_after: str, *, now: datetime | None = None) -> float:
    """
    Read a ``Retry-After`` header.

    :param retry_after: Whole or broken seconds, or an HTTP date.
    :param now: The moment an HTTP date is compared with.
    :return: Seconds; 0 where the header is absent, in the past or no time at all.
    """
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            moment = parsedate_to_datetime(retry_after)
        except ValueError:
            return 0.0
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = (aware - (now or datetime.now(UTC))).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else 0.0


def backoff(failures: int) -> float:
    """Return the seconds to wait after so many failures: 1, 2, 4 ... 60, and up to one more so that clients part ways."""
    return min(2.0 ** min(failures - 1, 6), LONGEST_BACKOFF) + random.random()  # noqa: S311 - no secret


@dataclass(slots=True)
class Retries:
    """
    The retries of one request.

    :param repeatable: Whether the request may be repeated when its fate is unknown.
    :param max_attempts: Attempts, 429s not counted.
    :param deadline: Until when, by ``clock``, the last attempt must have begun.
    :param clock: Seconds, never going back.
    :param compressed: Whether the latest attempt's body went compressed.
    :param renewable: Whether the latest attempt went with a token that can be had anew.
    :param doubtful: Whether an attempt may have been carried out although it failed.
    """

    repeatable: bool
    max_attempts: int
    deadline: float
    clock: Callable[[], float]
    compressed: bool = False
    renewable: bool = False
    doubtful: bool = False
    failures: Counter[Again] = field(default_factory=Counter)

    def policy(self) -> dict[str, Any]:
        """Return the keywords of ``Retrying`` and ``AsyncRetrying``."""
        return {"retry": self._retry, "wait": self._wait, "stop": self._stop, "before_sleep": self._tell, "reraise": True}

    def _retry(self, state: RetryCallState) -> bool:
        if (error := _error(state)) is None:
            return False
        verdict = self._verdict(error)
        self.failures[verdict] += 1
        self.doubtful |= verdict is Again.COUNTED and getattr(error, "sent", True)
        return verdict is not Again.NEVER

    def _wait(self, state: RetryCallState) -> float:
        error = _error(state)
        if error is None or (verdict := self._verdict(error)) in {Again.INFLATED, Again.RENEWED}:
            return 0.0
        asked: float = getattr(error, "retry_after", 0.0)
        # Pacing holds the operation until a 429's Retry-After, so no backoff is needed on top. A 503 may name a time, too.
        return asked if asked and verdict is Again.FREE else max(asked, backoff(self.failures[verdict]))

    def _stop(self, state: RetryCallState) -> bool:
        spent = self.failures[Again.COUNTED] >= self.max_attempts
        return spent or self.clock() + state.upcoming_sleep > self.deadline

    def _tell(self, state: RetryCallState) -> None:
        # A 429 that is over in a moment is the ordinary course of things.
        notable = state.upcoming_sleep >= NOTABLE_WAIT or self.failures[Again.COUNTED]
        log.log(logging.INFO if notable else logging.DEBUG, "%s Again in %.1f s.", _error(state), state.upcoming_sleep)

    def _verdict(self, error: BaseException) -> Again:
        return again(error, repeatable=self.repeatable, compressed=self.compressed, renewable=self.renewable)


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None

# SPDX-License-Identifier: Apache-2.0
"""
When each batch was last looked at, and how it is sent after that: soon or not at all, and once.

A request that has to wait longer than :data:`FRESH`, for its turn or because Klaviyo says "later", goes back to be looked at.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoError, KlaviyoUnanswered
from airflow_provider_klaviyo.pacing import KlaviyoLimitSpent
from airflow_provider_klaviyo.retries import backoff

if TYPE_CHECKING:
    from airflow_provider_klaviyo.loading.consent import Verdict
    from airflow_provider_klaviyo.loading.guard import Guard
    from airflow_provider_klaviyo.loading.rows import Json
    from airflow_provider_klaviyo.session import Session

FRESH = 30.0
"""Seconds after a look at whose end what it saw is no ground any more to send something."""


@dataclass(slots=True)
class _Look:
    """
    What is known of a batch.

    :param until: The moment after which it is not tried again.
    :param at: When it was last looked at.
    :param verdicts: What was seen, until it is sent.
    :param failures: How often it got no answer.
    :param wait: Seconds to let pass before the next look.
    """

    until: float
    at: float = -math.inf
    verdicts: Sequence[Verdict] = field(default=())
    failures: int = 0
    wait: float = 0.0


class Looks:
    """
    The looks of one sending.

    :param guard: Who looks.
    :param session: Open session, which stops waiting when the task is ended.
    """

    def __init__(self, guard: Guard, session: Session) -> None:
        self._guard, self._session = guard, session
        self._clock = session.line.pacer.clock
        self._known: dict[str, _Look] = {}

    def due(self, batch: str, wait: float) -> bool:
        """
        Say whether a batch has to be looked at before it is sent.

        :param batch: Its name.
        :param wait: Seconds that it still has to wait for its turn.
        """
        return batch not in self._known or self._clock() + wait > self._known[batch].at + FRESH

    def look(self, batch: str, lane: str, words: Sequence[Json], wait: float) -> list[Verdict]:
        """
        Look at Klaviyo's state for a batch, once it is its turn.

        :param batch: Its name.
        :param lane: How it would be sent.
        :param words: Its words.
        :param wait: Seconds that it still has to wait for its turn.
        :return: One verdict for each word.
        """
        known = self._known.setdefault(batch, _Look(self._clock() + self._session.line.settings.deadline))
        if (wait := max(wait, known.wait)) > 0:
            self._session.sleep(wait)
        verdicts = self._guard.look(lane, words)
        known.at, known.wait = self._clock(), 0.0
        return verdicts

    def keep(self, batch: str, verdicts: Sequence[Verdict], *, seen_as: str) -> None:
        """
        Keep what was seen until the batch is sent.

        :param batch: Its name.
        :param verdicts: One verdict for each of its words, all of which are to be sent.
        :param seen_as: The name of the batch that was looked at; what is left of it goes on under the other.
        """
        self._known[batch] = replace(self._known.pop(seen_as), verdicts=tuple(verdicts))

    def forget(self, batch: str) -> None:
        """Forget a batch, of which it is known what became of it."""
        self._known.pop(batch, None)

    def befores(self, batch: str) -> list[str]:
        """Return what Klaviyo had of each word of a batch, which is about to be sent; the verdicts are not needed any more."""
        known = self._known[batch]
        verdicts, known.verdicts = known.verdicts, ()
        return [each.before for each in verdicts]

    def session(self, batch: str) -> Session:
        """Return a session that sends a batch while what was seen is fresh or not at all, and makes one attempt."""
        line = self._session.line
        left = self._known[batch].at + FRESH - self._clock()
        settings = line.settings.model_copy(update={"deadline": left, "max_attempts": 1})
        return replace(self._session, line=replace(line, settings=settings))

    def again(self, batch: str, error: KlaviyoError) -> bool:
        """
        Say whether a batch that may be sent again is, and let the next look wait as long as the error asks for.

        :param batch: Its name.
        :param error: Why nobody knows that Klaviyo took it.
        """
        known, settings = self._known[batch], self._session.line.settings
        match error:
            case KlaviyoLimitSpent():
                wait = error.wait
            case KlaviyoApiError(status=HTTPStatus.TOO_MANY_REQUESTS):
                wait = error.retry_after or 1.0
            case KlaviyoUnanswered() | KlaviyoApiError() if getattr(error, "status", 500) >= HTTPStatus.INTERNAL_SERVER_ERROR:
                known.failures += 1
                if known.failures >= settings.max_attempts:
                    return False
                wait = max(getattr(error, "retry_after", 0.0), backoff(known.failures))
            case _:
                return False
        known.at, known.wait = -math.inf, wait
        return self._clock() + wait <= known.until

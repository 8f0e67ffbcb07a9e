# SPDX-License-Identifier: Apache-2.0
"""A line in the log every few seconds: how far, how fast, how long still."""

from __future__ import annotations

import logging
import time

log = logging.getLogger(__name__)

EVERY = 5.0


class Progress:
    """
    Count something and say so now and then.

    :param what: What is counted, as a log message with one ``%s``.
    :param name: What goes there.
    :param total: How many there will be, where that is known.
    :param limit: How many a minute Klaviyo allows, where that is known.
    """

    def __init__(self, what: str, name: str, *, total: int | None = None, limit: float | None = None) -> None:
        self._what = what % name
        self._total, self._limit = total, limit
        self._started = self._told = time.monotonic()

    def at(self, count: int) -> None:
        """Note that so many are done; say so if the last word was a while ago."""
        if count & 0xFF and self._total is None:  # reading the clock costs more than a row
            return
        now = time.monotonic()
        if now - self._told >= EVERY:
            self._told = now
            self.say(count)

    def say(self, count: int) -> None:
        """Say how far it has come."""
        rate = count / max(time.monotonic() - self._started, 0.001)
        parts = [f"{self._what}: {count:,}" + (f" of {self._total:,}" if self._total else ""), f"{rate:,.0f}/s"]
        if self._limit:
            parts.append(f"{rate * 60 / self._limit:.0%} of Klaviyo's limit")
        if self._total and rate:
            parts.append(f"about {max(self._total - count, 0) / rate:,.0f} s left")
        log.info(", ".join(parts))

# SPDX-License-Identifier: Apache-2.0
"""How processes share a token: they read it, renew it one at a time, and write it, in a store that can do no more than that."""

from __future__ import annotations

import json
import logging
import math
import secrets
from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from airflow_provider_klaviyo.api.request import Json
from airflow_provider_klaviyo.oauth import KlaviyoNotRenewed

TOKENS, LEASES = "klaviyo_oauth__", "klaviyo_oauth_lease__"
"""Beginnings of the names under which a token, and the right to renew it, are stored. The first digits of the grant's digest follow."""
DIGITS = 16
SETTLE = 1.0
"""Seconds within which a process that saw no lease must have written its own."""
WRITES = 5

log = logging.getLogger(__name__)


class Store(Protocol):
    """Where texts are kept for other processes, and for later. Its methods may block, and raise what they like."""

    def read(self, name: str) -> str | None:
        """Return a text, ``None`` where there is none."""

    def write(self, name: str, text: str, description: str) -> None:
        """Keep a text in place of what there was under its name."""

    def names(self, beginning: str) -> Collection[str]:
        """Return the names that begin so."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Consult:
    """Call what may block. An error is an answer like any other."""

    call: Callable[[], Any] = field(repr=False)

    def __call__(self) -> Any:
        """Return what the call returns or raises."""
        try:
            return self.call()
        except Exception as error:  # noqa: BLE001 - whoever waits for the answer judges it
            return error


class Shelf:
    """
    The place of one grant's token in a store, whatever connections hold that grant. Its methods yield steps, and are sent what came of them.

    :param store: The store.
    :param conn_id: An Airflow connection with this grant, for messages.
    :param grant: What tells this grant from another: the token and the lease are stored under names that come from it.
    """

    def __init__(self, store: Store, conn_id: str, grant: str) -> None:
        self.store, self.conn_id = store, conn_id
        self.name, self.lease_name = TOKENS + grant[:DIGITS], LEASES + grant[:DIGITS]
        self.until = 0.0
        """When the right to renew ends that :meth:`lease` gave last."""
        self._holder = ""
        self._seen: str | None = None

    def news(self) -> Generator[Consult, Any, Json]:
        """
        Return the record that another process stored since the last look, ``{}`` for none.

        :raises KlaviyoNotRenewed: The store cannot be read.
        """
        text = yield from self._read(self.name)
        if text == self._seen:
            return {}
        self._seen = text
        return parsed(text)

    def keep(self, record: Json) -> Generator[Pause | Consult, Any, bool]:
        """Store a record, and tell whether that worked."""
        text = json.dumps(record)
        for attempt in range(WRITES):
            if attempt:
                yield Pause(SETTLE * 2 ** (attempt - 1))
            if (yield from self._written(self.name, text)):
                self._seen = text
                return True
        return False

    def lease(self, now: Callable[[], float], seconds: float) -> Generator[Pause | Consult, Any, bool]:
        """
        Try to get the right to renew alone, and tell whether it is ours. It takes a second.

        A store reads and writes and compares nothing, so this is Fischer's algorithm: write one's name where there is none, wait until
        whoever else saw none must have written, and go on if the name is still one's own.

        :param now: Seconds since 1970.
        :param seconds: How long the right is ours. After that its holder is taken for dead.
        :raises KlaviyoNotRenewed: The store cannot be read, so nobody knows whether it is free.
        """
        began, self._holder = now(), secrets.token_hex(8)
        free = _end(parsed((yield from self._read(self.lease_name)))) <= now()
        self.until = now() + seconds
        stored = free and (yield from self._written(self.lease_name, json.dumps({"holder": self._holder, "until": self.until})))
        yield Pause(max(SETTLE, 3 * (now() - began)))  # who was slow may have been too late, and sees what the other did
        # Where nothing can be written nobody can be kept out: then it has to go without.
        return free and (not stored or parsed((yield from self._read(self.lease_name))).get("holder") == self._holder)

    def release(self) -> Generator[Consult, Any, None]:
        """Give the right back, if it is still ours: who was late may find that of another there."""
        text = yield Consult(partial(self.store.read, self.lease_name))
        if isinstance(text, str) and parsed(text).get("holder") == self._holder:
            yield from self._written(self.lease_name, "{}")

    def _read(self, name: str) -> Generator[Consult, Any, str | None]:
        text: str | None = yield from self._consulted(self.store.read, name)
        if text is None and name in (yield from self._consulted(self.store.names, name)):
            raise KlaviyoNotRenewed(self.conn_id, f"{name} is stored, and cannot be read")
        return text

    def _consulted(self, call: Callable[[str], Any], name: str) -> Generator[Consult, Any, Any]:
        answer = yield Consult(partial(call, name))
        if isinstance(answer, Exception):
            raise KlaviyoNotRenewed(self.conn_id, f"{name} could not be read: {type(answer).__name__}")
        return answer

    def _written(self, name: str, text: str) -> Generator[Consult, Any, bool]:
        error = yield Consult(partial(self.store.write, name, text, f"OAuth of the Klaviyo connection {self.conn_id!r}"))
        if error:
            log.debug("%s was not stored: %s", name, type(error).__name__)  # the error's own words may quote the text
        return error is None


def parsed(text: str | None) -> Json:
    """
    Read a stored text; what is no JSON object is as good as nothing.

    :param text: What a store returned.
    """
    try:
        record = json.loads(text or "{}")
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _end(lease: Json) -> float:
    """Return when a lease ends, as a Unix time; one that somebody has changed by hand has ended."""
    until = lease.get("until")
    return until if isinstance(until, int | float) and math.isfinite(until) else 0.0

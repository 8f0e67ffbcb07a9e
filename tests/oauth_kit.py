# SPDX-License-Identifier: Apache-2.0
"""What tests of OAuth share: a clock that only waiting moves, a store of texts, and processes that share it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.credentials import Grant, carry_out
from airflow_provider_klaviyo.oauth import Renewal, Reply
from airflow_provider_klaviyo.pacing import Pacer
from airflow_provider_klaviyo.sandbox.klaviyo.oauth import CLIENT_ID, CLIENT_SECRET
from airflow_provider_klaviyo.session import open_async_session, open_session
from airflow_provider_klaviyo.settings import Settings


def names_of(settings: Settings) -> tuple[str, str]:
    """Return the names under which a grant's token and lease are stored."""
    return f"klaviyo_oauth__{settings.digest[:16]}", f"klaviyo_oauth_lease__{settings.digest[:16]}"


class Clock:
    """Seconds since 1970, which waiting moves."""

    def __init__(self) -> None:
        self.now = 1_795_000_000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Move on."""
        self.now += seconds
        self.slept.append(seconds)

    async def asleep(self, seconds: float) -> None:
        """Move on, and let others go."""
        self.sleep(seconds)
        await asyncio.sleep(0)


class Texts(dict[str, str]):
    """A store in memory, whose methods can be made to fail."""

    unreadable = unwritable = False
    reads = 0

    def read(self, name: str) -> str | None:
        """Return a text."""
        self.reads += 1
        if self.unreadable:
            raise OSError(f"no reading of {name}")
        return self.get(name)

    def write(self, name: str, text: str, description: str) -> None:
        """Keep a text."""
        if self.unwritable:
            raise OSError(f"no writing of {text}")
        assert "shop" in description
        self[name] = text

    def names(self, beginning: str) -> list[str]:
        """Return names."""
        return [name for name in self if name.startswith(beginning)]

    def record(self, name: str = "") -> Json:
        """Return the token that is stored under a name, or the only one."""
        record: Json = json.loads(self[name or self.names("klaviyo_oauth__")[0]])
        return record

    def lease(self) -> str:
        """Return the only lease."""
        [name] = self.names("klaviyo_oauth_lease__")
        return self[name]


class Process:
    """
    A process that shares a store with others.

    :param kind: Whether it blocks or awaits.
    :param settings: The connection; what is not given leads to the sandbox.
    """

    def __init__(self, kind: str, clock: Clock, texts: Texts | None, **settings: Any) -> None:
        app = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        self.kind, self.clock = kind, clock
        self.settings = Settings(**{"conn_id": "shop", "timeout": 5, **app, **settings})
        self.grant = Grant(self.settings, texts, clock)
        self.requests: dict[str, int] = {}
        self.pacer = Pacer(clock)
        self.token_name, self.lease_name = names_of(self.settings)

    def send(self, *requests: Request[Any]) -> Any:
        """Send requests in one session, and return what the last one gave."""
        return asyncio.run(self._asend(requests)) if self.kind == "awaiting" else self._send(requests)

    def _send(self, requests: tuple[Request[Any], ...]) -> Any:
        with open_session(self.settings, pacer=self.pacer, credentials=self.grant, sleep=self.clock.sleep) as session:
            try:
                return [session.send(each) for each in requests][-1]
            finally:
                self.requests = dict(session.requests)

    async def _asend(self, requests: tuple[Request[Any], ...]) -> Any:
        async with open_async_session(self.settings, pacer=self.pacer, credentials=self.grant, sleep=self.clock.asleep) as session:
            try:
                return [await session.send(each) for each in requests][-1]
            finally:
                self.requests = dict(session.requests)

    def renew(self, ask: Callable[[Renewal], Reply], refused: str = "") -> None:
        """Have the token renewed by somebody else than the sandbox."""
        carry_out(self.grant.ready(refused), self.clock.sleep, ask)


def given(access: str, refresh: str, **fields: Any) -> Reply:
    """Return an answer with a new token."""
    return Reply(200, {"access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": 3600, **fields})

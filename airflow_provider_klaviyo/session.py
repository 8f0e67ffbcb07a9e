# SPDX-License-Identifier: Apache-2.0
"""
Send requests, blocking or awaiting, under one policy.

The only module of the Klaviyo side that knows the HTTP library, so that changing it is a matter of this file.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Generic

import httpx
from tenacity import AsyncRetrying, Retrying

from airflow_provider_klaviyo import wire
from airflow_provider_klaviyo.api import limits
from airflow_provider_klaviyo.api.errors import KlaviyoUnanswered, refusal
from airflow_provider_klaviyo.api.pages import items, once
from airflow_provider_klaviyo.api.request import Json, Request, T
from airflow_provider_klaviyo.credentials import Credentials, Steps, acarry_out, carry_out, credentials_of
from airflow_provider_klaviyo.oauth import OPERATION, Renewal, Reply
from airflow_provider_klaviyo.pacing import Pacer, Turn, pacer_of
from airflow_provider_klaviyo.quiet import hush
from airflow_provider_klaviyo.retries import Retries, seconds_to_wait

if TYPE_CHECKING:
    from airflow_provider_klaviyo.settings import Settings

NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)


@dataclass(frozen=True, slots=True)
class Session:
    """
    Sends requests, blocking. Several threads may share one.

    :param requests: What was sent, as ``{"GET /api/lists": n, "429": n}``.
    """

    client: httpx.Client
    line: Line
    sleep: Callable[[float], None] = time.sleep

    @property
    def requests(self) -> Counter[str]:
        """What was sent, by method and path template, and how often the answer was 429."""
        return self.line.requests

    def send(self, request: Request[T]) -> T:
        """
        Send a request and return what it reads from the answer.

        :raises KlaviyoApiError: Klaviyo will not do it.
        :raises KlaviyoUnanswered: No answer came; ``sent`` says whether it may have been carried out.
        :raises KlaviyoLimitSpent: The limits leave no room before the deadline.
        """
        call = Call(self.line, request)
        for attempt in Retrying(**call.retries.policy(), sleep=self.sleep):
            with attempt, call.turn() as turn:
                carry_out(call.ready(), self.sleep, self._ask)
                for pause in turn:
                    self.sleep(pause)
                    carry_out(call.ready(), self.sleep, self._ask)  # a token may end in the queue
                return call.read(self.client.send(call.write(self.client)), turn)
        raise AssertionError(UNREACHABLE)

    def _ask(self, renewal: Renewal) -> Reply:
        try:
            return _reply(self.client.send(self.line.ask(self.client, renewal)))
        except httpx.RequestError as error:
            return Reply(cause=wire.cause(error), sent=not isinstance(error, NOT_SENT))

    def walk(self, request: Request[Json] | None) -> Iterator[Json]:
        """
        Yield the items of a page and of all that follow it.

        :raises KlaviyoError: An answer holds no list, or its links go round in a circle. Otherwise as :meth:`send` does.
        """
        seen: set[int] = set()
        while request:
            page = self.send(once(request, seen))
            yield from items(request, page)
            request = request.following(page)


@dataclass(frozen=True, slots=True)
class AsyncSession:
    """Sends requests, awaiting. Otherwise a :class:`Session`."""

    client: httpx.AsyncClient
    line: Line
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    @property
    def requests(self) -> Counter[str]:
        """What was sent, by method and path template, and how often the answer was 429."""
        return self.line.requests

    async def send(self, request: Request[T]) -> T:
        """Send a request and return what it reads from the answer, or raise as :meth:`Session.send` does."""
        call = Call(self.line, request)
        async for attempt in AsyncRetrying(**call.retries.policy(), sleep=self.sleep):
            with attempt, call.turn() as turn:
                await acarry_out(call.ready(), self.sleep, self._ask)
                for pause in turn:
                    await self.sleep(pause)
                    await acarry_out(call.ready(), self.sleep, self._ask)
                return call.read(await self.client.send(call.write(self.client)), turn)
        raise AssertionError(UNREACHABLE)

    async def _ask(self, renewal: Renewal) -> Reply:
        try:
            return _reply(await self.client.send(self.line.ask(self.client, renewal)))
        except httpx.RequestError as error:
            return Reply(cause=wire.cause(error), sent=not isinstance(error, NOT_SENT))

    async def walk(self, request: Request[Json] | None) -> AsyncIterator[Json]:
        """Yield the items of a page and of all that follow it, or raise as :meth:`Session.walk` does."""
        seen: set[int] = set()
        while request:
            page = await self.send(once(request, seen))
            for item in items(request, page):
                yield item
            request = request.following(page)


@contextmanager
def open_session(
    settings: Settings,
    *,
    pacer: Pacer | None = None,
    credentials: Credentials | None = None,
    sleep: Callable[[float], None] = time.sleep,
    transport: httpx.BaseTransport | None = None,
) -> Iterator[Session]:
    """
    Open a session and close its connections at the end.

    :param settings: Where to and as whom.
    :param pacer: Another pace than the one that all sessions of the account share.
    :param credentials: Others than those that all sessions of the connection share; the token of an OAuth app in those is kept in memory.
    :param sleep: How to wait.
    :param transport: Another way to Klaviyo than the network.
    """
    with httpx.Client(**_client(settings), transport=transport) as client:
        yield Session(client, Line(settings, pacer or pacer_of(settings), credentials or credentials_of(settings)), sleep)


@asynccontextmanager
async def open_async_session(
    settings: Settings,
    *,
    pacer: Pacer | None = None,
    credentials: Credentials | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    transport: httpx.AsyncBaseTransport | None = None,
) -> AsyncIterator[AsyncSession]:
    """Open an awaiting session; the parameters are those of :func:`open_session`."""
    async with httpx.AsyncClient(**_client(settings), transport=transport) as client:
        yield AsyncSession(client, Line(settings, pacer or pacer_of(settings), credentials or credentials_of(settings)), sleep)


# ── what both share: no waiting, no sending ─────────────────────────────────────────

UNREACHABLE = "tenacity either returns an attempt or raises"


@dataclass(slots=True)
class Line:
    """
    What one session knows.

    :param plain: Klaviyo does not take compressed bodies: it answered 415.
    """

    settings: Settings
    pacer: Pacer
    credentials: Credentials
    requests: Counter[str] = field(default_factory=Counter)
    plain: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def ask(self, client: httpx.Client | httpx.AsyncClient, renewal: Renewal) -> httpx.Request:
        """Put the request for a token into the library's words."""
        self.count(OPERATION)
        words = wire.written(renewal.request, self.settings, plain=False)
        words["headers"]["authorization"] = renewal.authorization
        return client.build_request(**words)

    def count(self, name: str) -> None:
        """Count a request."""
        with self.lock:
            self.requests[name] += 1


class Call(Generic[T]):
    """One request on its way, with all its attempts."""

    def __init__(self, line: Line, request: Request[T]) -> None:
        self.line, self.request, self.settings = line, request, line.settings
        wire.check(request, self.settings)
        self.operation = limits.find(request.method, request.path)
        self.name = f"{request.method} {self.operation.path}" if self.operation else request.name.partition("?")[0]
        clock = line.pacer.clock
        self.deadline = clock() + self.settings.deadline
        self.retries = Retries(request.repeatable, self.settings.max_attempts, self.deadline, clock)
        self.credentials = None if wire.is_client(request) else line.credentials
        self.header = self.refused = ""

    def ready(self) -> Steps:
        """Yield what is to be done before an attempt, so that it goes with a token that is good."""
        if self.credentials:
            yield from self.credentials.ready(self.refused, self.deadline - self.retries.clock())

    @contextmanager
    def turn(self) -> Iterator[Turn]:
        """Queue for one attempt, and turn the library's network errors into ours."""
        share, until = self.settings.rate_share, self.deadline
        try:
            with self.line.pacer.turn(self.name, self.operation, share=share, until=until) as turn:
                yield turn
        except httpx.RequestError as error:
            sent = self.retries.doubtful or not isinstance(error, NOT_SENT)
            # Without the library's error behind it, which carries the request and with it the key.
            raise KlaviyoUnanswered(self.request.name, sent=sent, cause=wire.cause(error)) from None

    def write(self, client: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        """Put the request into the library's words."""
        self.retries.compressed = self.request.body is not None and not self.line.plain
        self.line.count(self.name)
        words = wire.written(self.request, self.settings, plain=self.line.plain)
        if self.credentials:
            words["headers"]["authorization"] = self.header = self.credentials.header
            self.retries.renewable = self.credentials.renewable and not self.refused
        return client.build_request(**words)

    def read(self, response: httpx.Response, turn: Turn) -> T:
        """Read an answer, or raise what it says."""
        turn.learn(response.headers.get("ratelimit-limit", ""), response.headers.get("ratelimit-remaining", ""))
        self.refused = self.header if response.status_code == HTTPStatus.UNAUTHORIZED else ""
        if response.is_success and self.request.answer != "json":
            return self.request.read(response.text if self.request.answer == "text" else response.content)
        answer, sound = wire.parsed(response.content, response.headers.get("content-type", ""), redirect=response.is_redirect)
        lack = wire.lack(self.request, answer, known=self.operation is not None) if sound else "with a body that is no JSON object"
        if response.is_success and lack:
            raise KlaviyoUnanswered(self.request.name, sent=True, cause=f"{response.status_code} {lack}")
        if response.is_success or self._gone_already(response):
            return self.request.read(answer if response.is_success else wire.NOTHING[self.request.answer])
        retry_after = seconds_to_wait(response.headers.get("retry-after", ""))
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            self.line.count("429")
            turn.hold(retry_after)
        if response.status_code == HTTPStatus.UNSUPPORTED_MEDIA_TYPE and self.retries.compressed:
            self.line.plain = True
        oauth, conn_id = self.line.credentials.renewable, self.settings.conn_id
        raise refusal(self.request, response.status_code, answer, conn_id=conn_id, retry_after=retry_after, oauth=oauth)

    def _gone_already(self, response: httpx.Response) -> bool:
        """Tell whether an earlier attempt of this DELETE may be why there is nothing left to delete."""
        return self.request.method == "DELETE" and response.status_code == HTTPStatus.NOT_FOUND and self.retries.doubtful


def _reply(response: httpx.Response) -> Reply:
    answer, _ = wire.parsed(response.content, response.headers.get("content-type", ""), redirect=response.is_redirect)
    return Reply(response.status_code, answer, seconds_to_wait(response.headers.get("retry-after", "")))


def _client(settings: Settings) -> Json:
    """Return what both of the library's clients are made with."""
    hush(httpx.URL(settings.base_url))
    return {
        "headers": wire.common_headers(settings),
        "timeout": httpx.Timeout(settings.timeout, connect=min(settings.timeout, 15)),
        "limits": httpx.Limits(max_connections=100, max_keepalive_connections=32),
        "follow_redirects": False,
        "verify": _tls(),
        # A proxy is for Klaviyo, not for a sandbox on this machine.
        "trust_env": not settings.loopback,
    }


@cache
def _tls() -> Any:
    """Read the trusted certificates once a process: it takes longer than a request."""
    return httpx.create_ssl_context()

# SPDX-License-Identifier: Apache-2.0
"""The two transports for Shopify, blocking and awaiting. What they do is decided in ``shopify/``; with ``session.py`` they alone import httpx."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from typing import Any, TypeVar, cast

import httpx

from airflow_provider_klaviyo import __version__
from airflow_provider_klaviyo.api.request import Json
from airflow_provider_klaviyo.quiet import hush
from airflow_provider_klaviyo.retries import backoff
from airflow_provider_klaviyo.shopify.bulk import BulkOperation
from airflow_provider_klaviyo.shopify.download import NAME, Download, checked, lines
from airflow_provider_klaviyo.shopify.errors import Code, ShopifyApiError, ShopifyDataError, ShopifyUnanswered
from airflow_provider_klaviyo.shopify.graphql import Call, Reply
from airflow_provider_klaviyo.shopify.settings import ShopifySettings
from airflow_provider_klaviyo.shopify.stitching import stitch
from airflow_provider_klaviyo.shopify_conversation import Dropped, Http, Pause, Talker

T = TypeVar("T")

NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)


class ShopifySession:
    """
    A blocking session with one shop.

    :param settings: The connection.
    :param client: An httpx client for the shop's address.
    :param sleep: How to wait.
    """

    def __init__(self, settings: ShopifySettings, client: httpx.Client, sleep: Callable[[float], None] = time.sleep) -> None:
        self.settings, self.sleep = settings, sleep
        self.requests: Counter[str] = Counter()
        """How many requests of each operation were sent, for reports."""
        self._client, self._talker = client, Talker(settings)

    def send(self, call: Call[T]) -> T:
        """
        Carry out a call.

        :param call: What to do.
        :returns: What the call reads in the answer.
        :raises ShopifyApiError: Shopify will not do it, or did not answer.
        """
        talk = self._talker.carry_out(call)
        step: Http | Pause = next(talk)
        while True:
            try:
                match step:
                    case Pause(seconds=seconds):
                        self.sleep(seconds)
                        step = talk.send(None)
                    case Http():
                        self.requests[step.operation] += 1
                        step = talk.send(self._post(step))
            except StopIteration as done:
                return cast("T", done.value)

    def _post(self, http: Http) -> Reply | Dropped:
        try:
            return _reply(self._client.post(http.path, headers=dict(http.headers), json=http.json, data=http.form))
        except httpx.TransportError as error:
            return _dropped(error)

    def nodes(self, operation: BulkOperation, children: Mapping[str, str] | None = None) -> Iterator[Json]:
        """
        Yield the objects of a completed bulk operation.

        :param operation: As Shopify described it a moment ago. Without an address it has no objects.
        :param children: See :func:`airflow_provider_klaviyo.shopify.stitching.stitch`.
        :raises ShopifyBulkFailed: It ended without its result.
        :raises ShopifyDataError: The result cannot be read.
        """
        operation.check()
        return stitch(self.lines(operation.url, operation.file_size), children=children) if operation.url else iter(())

    def lines(self, url: str, size: int = 0) -> Iterator[bytes]:
        """
        Stream the lines of a bulk result, each once, over as many connections as it takes.

        :param url: The signed address. The token is not sent there.
        :param size: Bytes that the file has at least, as Shopify says: what ends earlier is not taken for whole.
        :raises ShopifyUnanswered: The connection broke again and again without a byte in between.
        :raises ShopifyApiError: The address is no longer valid.
        """
        return lines(self._pieces(checked(url), Download(size)))

    def _pieces(self, url: str, download: Download) -> Iterator[bytes]:
        failures = 0
        while True:
            had = download.given
            try:
                yield from self._piece(url, download)
            except (httpx.TransportError, ShopifyApiError, ShopifyDataError) as error:
                if isinstance(error, ShopifyApiError) and error.code != Code.INTERNAL_SERVER_ERROR:
                    raise
                failures = 0 if download.given > had else failures + 1
                if failures >= self.settings.max_attempts:
                    if isinstance(error, httpx.TransportError):
                        raise ShopifyUnanswered(NAME, Code.UNANSWERED, type(error).__name__, self.settings.conn_id, 0) from None
                    raise
                self.sleep(backoff(failures or 1))
            else:
                return

    def _piece(self, url: str, download: Download) -> Iterator[bytes]:
        hush(httpx.URL(url))  # it is signed, and lies elsewhere
        with self._client.stream("GET", url, headers=download.headers()) as response:
            self.requests[NAME] += 1
            download.begin(response.status_code, response.headers)
            for chunk in response.iter_raw():
                yield download.feed(chunk)
            download.finish()


class AsyncShopifySession:
    """
    An awaiting session with one shop, for triggers: it asks, and downloads nothing.

    :param settings: The connection.
    :param client: An httpx client for the shop's address.
    :param sleep: How to wait.
    """

    def __init__(
        self, settings: ShopifySettings, client: httpx.AsyncClient, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self.settings, self.sleep = settings, sleep
        self._client, self._talker = client, Talker(settings)

    async def send(self, call: Call[T]) -> T:
        """
        Carry out a call.

        :param call: What to do.
        :returns: What the call reads in the answer.
        :raises ShopifyApiError: Shopify will not do it, or did not answer.
        """
        talk = self._talker.carry_out(call)
        step: Http | Pause = next(talk)
        while True:
            try:
                match step:
                    case Pause(seconds=seconds):
                        await self.sleep(seconds)
                        step = talk.send(None)
                    case Http():
                        step = talk.send(await self._post(step))
            except StopIteration as done:
                return cast("T", done.value)

    async def _post(self, http: Http) -> Reply | Dropped:
        try:
            return _reply(await self._client.post(http.path, headers=dict(http.headers), json=http.json, data=http.form))
        except httpx.TransportError as error:
            return _dropped(error)


@contextmanager
def open_shopify_session(
    settings: ShopifySettings, *, sleep: Callable[[float], None] = time.sleep, transport: httpx.BaseTransport | None = None
) -> Iterator[ShopifySession]:
    """
    Open a blocking session and close its connections at the end.

    :param settings: The connection.
    :param sleep: How to wait.
    :param transport: Another way to Shopify than the network.
    """
    with httpx.Client(**_options(settings), transport=transport) as client:
        yield ShopifySession(settings, client, sleep)


@asynccontextmanager
async def open_async_shopify_session(
    settings: ShopifySettings,
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    transport: httpx.AsyncBaseTransport | None = None,
) -> AsyncIterator[AsyncShopifySession]:
    """Open an awaiting session; the parameters are those of :func:`open_shopify_session`."""
    async with httpx.AsyncClient(**_options(settings), transport=transport) as client:
        yield AsyncShopifySession(settings, client, sleep)


def _options(settings: ShopifySettings) -> dict[str, Any]:
    """Return what both clients are made of. Redirects are not followed: the token stays with the shop's own address."""
    hush(httpx.URL(settings.base_url))
    return {
        "base_url": settings.base_url,
        "headers": {"User-Agent": f"airflow-provider-klaviyo/{__version__}", "Accept": "application/json"},
        "timeout": httpx.Timeout(settings.timeout, connect=min(settings.timeout, 15.0)),
        "follow_redirects": False,
        "verify": _tls(),
        # A proxy is for Shopify, not for a sandbox on this machine.
        "trust_env": not settings.loopback,
    }


@cache
def _tls() -> Any:
    """Read the trusted certificates once a process: it takes longer than a request."""
    return httpx.create_ssl_context()


def _reply(response: httpx.Response) -> Reply:
    return Reply(response.status_code, response.headers, response.content)


def _dropped(error: httpx.TransportError) -> Dropped:
    return Dropped(sent=not isinstance(error, NOT_SENT), cause=type(error).__name__)

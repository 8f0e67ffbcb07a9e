# SPDX-License-Identifier: Apache-2.0
"""
The conversation that carries out a call to Shopify: tokens, limits and retries, decided once for both transports.

It is a generator: it yields what to do next (:class:`Http`, :class:`Pause`) and is sent what came of it. The sessions of
``shopify_session`` drive it, one blocking, one awaiting.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeVar

from airflow_provider_klaviyo.api.request import Json
from airflow_provider_klaviyo.retries import backoff, seconds_to_wait
from airflow_provider_klaviyo.shopify.errors import Code, ShopifyApiError, ShopifyUnanswered
from airflow_provider_klaviyo.shopify.graphql import Call, Reply, answer_of, cost_wait, refusal_in
from airflow_provider_klaviyo.shopify.settings import ShopifySettings

T = TypeVar("T")

GRANT = "client credentials grant"
GRANTED_SECONDS = 86_399
EARLY_SECONDS = 300
"""How long before its end a token is not used any more."""


@dataclass(frozen=True, slots=True)
class Http:
    """Send a POST: JSON, or a form."""

    operation: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    json: Json | None = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Dropped:
    """Nothing came back: whether the request may have arrived, and what the network did in a word."""

    sent: bool
    cause: str


Talk = Generator[Http | Pause, Reply | Dropped | None, T]


@dataclass(slots=True)
class Talker:
    """
    What one session knows.

    :param settings: The connection.
    :param clock: Seconds, never going back.
    :param token: The access token of a connection with client credentials, and until when it is good.
    """

    settings: ShopifySettings
    clock: Callable[[], float] = time.monotonic
    token: str = field(default="", repr=False)
    until: float = 0.0

    def carry_out(self, call: Call[T]) -> Talk[T]:
        """
        Carry out a call.

        Spent limits are waited for until the deadline and are no attempts. What may have arrived goes again only if the call is
        replayable. A token of the client credentials grant is fetched before it ends, and once when it is refused.

        :param call: What to do.
        :returns: What the call reads in the answer.
        :raises ShopifyApiError: Shopify will not do it, or did not answer.
        """
        settings, tries, renewed = self.settings, self._tries(), False
        body = {"query": call.document, "variables": call.variables}
        while True:
            token = settings.token or (yield from self._granted(tries))
            http = Http(call.name, settings.path, {"X-Shopify-Access-Token": token}, json=body)
            reply = yield from self._answered(http, tries, replayable=call.replayable)
            if reply.status == HTTPStatus.UNAUTHORIZED and not settings.token and not renewed:
                self.until, renewed = 0.0, True
                continue
            answer = answer_of(reply, settings, call.name)
            error = refusal_in(answer, settings, call.name)
            if error is None:
                return self._read(call, answer)
            if error.code == Code.THROTTLED:
                yield tries.wait(cost_wait(answer), error)
            elif error.code == Code.INTERNAL_SERVER_ERROR and call.replayable:
                yield tries.again(error)
            else:
                raise error

    def _granted(self, tries: _Tries) -> Talk[str]:
        """Return a token that is good, from Shopify where there is none.

        `Shopify: client credentials grant
        <https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens/client-credentials-grant>`__.
        """
        if self.token and self.clock() < self.until:
            return self.token
        settings = self.settings
        form = {"grant_type": "client_credentials", "client_id": settings.client_id, "client_secret": settings.client_secret}
        reply = yield from self._answered(Http(GRANT, "/admin/oauth/access_token", form=form), tries, replayable=True)
        granted = reply.json() or {}
        if reply.status != HTTPStatus.OK or not granted.get("access_token"):
            code = Code.NOT_FOUND if reply.status == HTTPStatus.NOT_FOUND else Code.UNAUTHORIZED
            raise ShopifyApiError(GRANT, code, "", settings.conn_id, reply.status)
        self.token = granted["access_token"]
        self.until = self.clock() + float(granted.get("expires_in") or GRANTED_SECONDS) - EARLY_SECONDS
        return self.token

    def _answered(self, http: Http, tries: _Tries, *, replayable: bool) -> Talk[Reply]:
        """Send until something comes back that waiting does not change."""
        name, conn_id = http.operation, self.settings.conn_id
        while True:
            match (yield http):
                case Dropped(sent=sent, cause=cause):
                    outcome = "it may have been carried out" if sent else "it was not sent"
                    unanswered = ShopifyUnanswered(name, Code.UNANSWERED, f"no answer ({cause}), {outcome}", conn_id, 0)
                    if sent and not replayable:
                        raise unanswered
                    yield tries.again(unanswered)
                case Reply(status=HTTPStatus.TOO_MANY_REQUESTS as status, headers=headers):
                    error = ShopifyApiError(name, Code.THROTTLED, "", conn_id, status)
                    yield tries.wait(max(1.0, seconds_to_wait(headers.get("retry-after", ""))), error)
                case Reply(status=status) if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    error = ShopifyApiError(name, Code.INTERNAL_SERVER_ERROR, "", conn_id, status)
                    if not replayable:
                        raise error
                    yield tries.again(error)
                case Reply() as reply:
                    return reply

    def _read(self, call: Call[T], answer: Json) -> T:
        try:
            return call.read(answer.get("data") or {})
        except ShopifyApiError as error:
            error.conn_id = self.settings.conn_id
            raise

    def _tries(self) -> _Tries:
        return _Tries(self.settings.max_attempts, self.clock() + self.settings.deadline, self.clock)


@dataclass(slots=True)
class _Tries:
    """How often, and until when, one call is tried."""

    most: int
    deadline: float
    clock: Callable[[], float]
    failures: int = 0

    def again(self, error: ShopifyApiError) -> Pause:
        """Return the wait before another attempt, or raise the error after the last."""
        self.failures += 1
        if self.failures >= self.most:
            raise error
        return self.wait(backoff(self.failures), error)

    def wait(self, seconds: float, error: ShopifyApiError) -> Pause:
        """Return a wait that is no attempt, or raise the error where it would go past the deadline."""
        if self.clock() + seconds > self.deadline:
            raise error
        return Pause(seconds)

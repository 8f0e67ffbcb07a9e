# SPDX-License-Identifier: Apache-2.0
"""
A call to Shopify's GraphQL Admin API, and the conversation that carries it out.

The conversation is a generator: it yields what to do next (:class:`Http`, :class:`Pause`) and is sent what came of it.
A blocking and an awaiting session drive the same one, so that tokens, limits and retries are decided once.
`Shopify: API limits <https://shopify.dev/docs/api/usage/limits>`__.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Generic, TypeVar

from airflow_provider_klaviyo.api.errors import redacted
from airflow_provider_klaviyo.api.request import Json
from airflow_provider_klaviyo.shopify.errors import Code, ShopifyApiError, ShopifyUnanswered
from airflow_provider_klaviyo.shopify.settings import ShopifySettings

T = TypeVar("T")
Talk = Generator["Http | Pause", "Reply | Dropped | None", T]

EARLY = 300.0
"""Seconds before its end in which a token is not used any more."""
SCOPE = re.compile(r"`?\b((?:read|write)_\w+)\b`?")
BY_STATUS: dict[int, Code] = {
    HTTPStatus.UNAUTHORIZED: Code.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN: Code.UNAUTHORIZED,
    HTTPStatus.NOT_FOUND: Code.NOT_FOUND,
    HTTPStatus.PAYMENT_REQUIRED: Code.SHOP_INACTIVE,
    HTTPStatus.LOCKED: Code.SHOP_INACTIVE,
    HTTPStatus.TOO_MANY_REQUESTS: Code.THROTTLED,
}


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """
    One GraphQL operation.

    :param name: Its name, for messages.
    :param document: The document.
    :param variables: Its variables.
    :param read: What a session makes of the answer's ``data``.
    :param replayable: Whether it may be sent again when nobody knows if it arrived.
    """

    name: str
    document: str
    variables: Json = field(default_factory=dict)
    read: Callable[[Json], T] = lambda data: data  # type: ignore[assignment,return-value]  # noqa: E731
    replayable: bool = True


@dataclass(frozen=True, slots=True)
class Http:
    """Send a POST: JSON, or a form."""

    path: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    json: Json | None = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, the names of its headers in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def json(self) -> Json | None:
        """Return the body as an object, or ``None`` where it is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return None
        return found if isinstance(found, dict) else None


@dataclass(frozen=True, slots=True)
class Dropped:
    """Nothing came back: whether the request may have arrived, and what the network did in a word."""

    sent: bool
    cause: str


@dataclass(slots=True)
class Tokens:
    """The access token of a session that gets its own."""

    token: str = field(default="", repr=False)
    until: float = 0.0


@dataclass(slots=True)
class _Patience:
    """How often, and until when, a call is tried."""

    attempts: int
    deadline: float

    def pause(self, seconds: float | None, error: ShopifyApiError) -> Pause:
        """Return the wait before another try, or raise the error. ``None``: it was an attempt, and the wait grows."""
        if seconds is None:
            self.attempts -= 1
            seconds = random.uniform(0.5, 1.0) * min(30.0, 2.0 ** (4 - min(self.attempts, 4)))  # noqa: S311 - spreads retries
        if self.attempts <= 0 or time.monotonic() + seconds > self.deadline:
            raise error
        return Pause(seconds)


def conversation(settings: ShopifySettings, tokens: Tokens, call: Call[T]) -> Talk[T]:
    """
    Carry out a call.

    Spent limits are waited for until the deadline and are no attempts. What may have arrived goes again only if the call is
    replayable. A token of the client credentials grant is fetched before it ends, and once when it is refused.

    :param settings: The connection.
    :param tokens: The session's token.
    :param call: What to do.
    :returns: What the call reads in the answer.
    :raises ShopifyApiError: Shopify will not do it.
    :raises ShopifyUnanswered: No answer came.
    """
    patience, renewed = _Patience(settings.max_attempts, time.monotonic() + settings.deadline), False
    body = {"query": call.document, "variables": call.variables}
    while True:
        token = settings.token or (yield from _token(settings, tokens, patience))
        headers = {"X-Shopify-Access-Token": token}
        reply = yield from _answered(Http(settings.path, headers, json=body), settings, patience, call.name, replayable=call.replayable)
        if reply.status == HTTPStatus.UNAUTHORIZED and not settings.token and not renewed:
            tokens.until, renewed = 0.0, True
            continue
        answer = _answer(reply, settings, call.name)
        error = _refusal(answer, settings, call.name)
        if error is None:
            return _read(call, answer, settings)
        if error.code == Code.THROTTLED:
            yield patience.pause(cost_wait(answer), error)
        elif error.code == Code.INTERNAL_SERVER_ERROR and call.replayable:
            yield patience.pause(None, error)
        else:
            raise error


def cost_wait(answer: Json) -> float:
    """Return the seconds until the bucket holds what the query costs, at least one."""
    cost = (answer.get("extensions") or {}).get("cost") or {}
    bucket = cost.get("throttleStatus") or {}
    missing = (cost.get("requestedQueryCost") or 0) - (bucket.get("currentlyAvailable") or 0)
    return float(max(1.0, missing / (bucket.get("restoreRate") or 100.0)))


def _token(settings: ShopifySettings, tokens: Tokens, patience: _Patience) -> Talk[str]:
    """`Client credentials grant <https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens/client-credentials-grant>`__."""
    if tokens.token and time.monotonic() < tokens.until:
        return tokens.token
    form = {"grant_type": "client_credentials", "client_id": settings.client_id, "client_secret": settings.client_secret}
    name = "client credentials grant"
    reply = yield from _answered(Http("/admin/oauth/access_token", form=form), settings, patience, name, replayable=True)
    granted = reply.json() or {}
    if reply.status != HTTPStatus.OK or not granted.get("access_token"):
        code = Code.NOT_FOUND if reply.status == HTTPStatus.NOT_FOUND else Code.UNAUTHORIZED
        raise ShopifyApiError(name, code, str(granted.get("error") or ""), settings.conn_id, reply.status)
    tokens.token = granted["access_token"]
    tokens.until = time.monotonic() + float(granted.get("expires_in") or 86_399) - EARLY
    return tokens.token


def _answered(http: Http, settings: ShopifySettings, patience: _Patience, name: str, *, replayable: bool) -> Talk[Reply]:
    """Send until something comes back that waiting does not change."""
    while True:
        reply = yield http
        match reply:
            case Dropped(sent=sent, cause=cause):
                outcome = "it may have been carried out" if sent else "it was not sent"
                error: ShopifyApiError = ShopifyUnanswered(name, Code.UNANSWERED, f"no answer ({cause}), {outcome}", settings.conn_id, 0)
                if sent and not replayable:
                    raise error
                yield patience.pause(None, error)
            case Reply(status=HTTPStatus.TOO_MANY_REQUESTS, headers=headers):
                error = ShopifyApiError(name, Code.THROTTLED, "", settings.conn_id, reply.status)
                yield patience.pause(_seconds(headers.get("retry-after")), error)
            case Reply(status=status) if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                error = ShopifyApiError(name, Code.INTERNAL_SERVER_ERROR, "", settings.conn_id, status)
                if not replayable:
                    raise error
                yield patience.pause(None, error)
            case Reply():
                return reply
            case None:  # pragma: no cover - a driver answers every Http
                raise AssertionError


def _answer(reply: Reply, settings: ShopifySettings, name: str) -> Json:
    """Return the body of an answer that came from the version asked for."""
    answer = reply.json()
    if reply.status != HTTPStatus.OK or answer is None:
        code = BY_STATUS.get(reply.status, Code.NOT_FOUND)
        raise ShopifyApiError(name, code, "" if answer else "the answer is not JSON", settings.conn_id, reply.status)
    served = reply.headers.get("x-shopify-api-version", settings.api_version)
    if served != settings.api_version:
        detail = f"asked for version {settings.api_version}, Shopify answered with {served}: the one asked for is retired or not out yet"
        raise ShopifyApiError(name, Code.VERSION, detail, settings.conn_id)
    return answer


def _refusal(answer: Json, settings: ShopifySettings, name: str) -> ShopifyApiError | None:
    """Read the errors, and the search warnings: Shopify drops a term it does not know and answers with everything."""
    if errors := answer.get("errors"):
        first = errors[0] if isinstance(errors, list) else {"message": str(errors)}
        extensions: dict[str, Any] = first.get("extensions") or {}
        said = str(first.get("message") or "")
        scopes = SCOPE.findall(f"{extensions.get('requiredAccess') or ''} {said}")
        detail = f"it needs the access scope {', '.join(dict.fromkeys(scopes))}" if scopes else redacted(said)
        return ShopifyApiError(name, extensions.get("code") or "ERROR", detail, settings.conn_id)
    for search in (answer.get("extensions") or {}).get("search") or []:
        for warning in search.get("warnings") or []:
            detail = redacted(f"{warning.get('field')}: {warning.get('message')}")
            return ShopifyApiError(name, Code.SEARCH_WARNING, detail, settings.conn_id)
    return None


def _read(call: Call[T], answer: Json, settings: ShopifySettings) -> T:
    try:
        return call.read(answer.get("data") or {})
    except ShopifyApiError as error:
        error.conn_id = settings.conn_id
        raise


def _seconds(header: str | None) -> float:
    try:
        return max(1.0, float(header or 1))
    except ValueError:
        return 1.0

# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between a client and the sandbox, queued by tests and carried out in front of everything else."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

Drop = Literal["before", "after"]
TOO_MANY = 429
IMPOSSIBLE = 422
Meanwhile = Mapping[str, Any] | Callable[[], object]


@dataclass
class Fault:
    """
    Something that goes wrong with requests that match.

    :param method: HTTP method, ``""`` for any.
    :param path: Regular expression that is found in the path.
    :param times: How many requests it hits, where ``seconds`` is not given.
    :param seconds: Hit every request for so long, counted from the first.
    :param skip: Let this many matching requests pass before.
    :param status: Answer with this status.
    :param body: Answer with this: a text as it is, anything else as JSON; ``None`` for JSON:API errors, a 429's among them as recorded.
    :param headers: Answer with these headers, too.
    :param acted: Whether the request is carried out, although it is answered with ``status``.
    :param delay: Wait so many seconds before anything is done.
    :param delay_after: Wait so many seconds after it is done, before the answer.
    :param drop: Close the connection without an answer, before or after the request is carried out.
    :param truncate: Carry it out, send this share of the answer's body, and close the connection.
    :param meanwhile: What others do to the Klaviyo account just before the request is carried out, such as
        ``{"unsubscribe": "sarah@example.com"}``; a test in the same process may give a function. Where it cannot happen, the answer is 422.
    :raises TypeError: Nothing of that name happens, or it takes other arguments.
    """

    method: str = ""
    path: str = ""
    times: int = 1
    seconds: float | None = None
    skip: int = 0
    status: int | None = None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    acted: bool = False
    delay: float = 0.0
    delay_after: float = 0.0
    drop: Drop | None = None
    truncate: float | None = None
    meanwhile: Meanwhile | None = None
    hits: int = field(default=0, init=False)
    _until: float | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        re.compile(self.path)
        if isinstance(self.meanwhile, Mapping):
            from airflow_provider_klaviyo.sandbox.klaviyo import meanwhile

            meanwhile.check(self.meanwhile)

    def takes(self, method: str, path: str) -> bool:
        """Tell whether it hits a request, and count that it does."""
        if (self.method and self.method.upper() != method) or not re.search(self.path, path) or self.spent:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.seconds is not None and self._until is None:
            self._until = time.monotonic() + self.seconds
        self.hits += 1
        return True

    @property
    def spent(self) -> bool:
        """Whether it will hit nothing any more."""
        if self.seconds is None:
            return self.hits >= self.times
        return self._until is not None and time.monotonic() >= self._until

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Fault:
        """
        Make one of JSON.

        :raises TypeError: A name is not one of a fault's.
        """
        return cls(**data)

    def describe(self) -> dict[str, Any]:
        """Return it as JSON, with what is left of it."""
        shown = {each.name: getattr(self, each.name) for each in fields(self) if each.name[0] != "_"}
        if callable(self.meanwhile):
            shown["meanwhile"] = repr(self.meanwhile)
        return {**shown, "spent": self.spent}


class Faults:
    """The faults to come. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queue: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        """Queue a fault; of several that match, the first that is not spent hits."""
        with self._lock:
            self._queue.append(fault)
        return fault

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._queue.clear()

    def match(self, method: str, path: str) -> Fault | None:
        """Return the fault that hits a request."""
        with self._lock:
            return next((each for each in self._queue if each.takes(method, path)), None)


class Protocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """uvicorn's HTTP, but that the application gets hold of its connection, so that it can cut it."""

    app: Any

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Show the connection to the application."""
        super().connection_made(transport)
        app = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            """Pass a request on, the transport with it."""
            scope["sandbox.transport"] = transport
            await app(scope, receive, send)

        self.app = with_transport


class FaultMiddleware:
    """
    Stands in front of an application and lets things go wrong.

    :param app: The application.
    :param faults: The faults to come.
    :param happen: Lets others do to the account what a fault says.
    """

    def __init__(self, app: ASGIApp, faults: Faults, happen: Callable[[Mapping[str, Any]], None]) -> None:
        self.app, self.faults, self.happen = app, faults, happen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or do not."""
        fault = None
        if scope["type"] == "http" and not scope["path"].startswith("/_sandbox"):
            fault = self.faults.match(scope["method"], scope["path"])
        if fault is None:
            await self.app(scope, receive, send)
            return
        body = await _whole(receive)
        await asyncio.sleep(fault.delay)
        if why := await self._meanwhile(fault):
            await _deliver(scope, receive, send, _impossible(why), None)
            return
        if fault.drop == "before":
            await _cut(scope, receive)
            return
        answer = Recorded()
        if fault.acted or fault.drop == "after" or fault.truncate is not None or fault.status is None:
            await self.app(scope, _replay(body), answer.send)
        await asyncio.sleep(fault.delay_after)
        if fault.drop == "after":
            await _cut(scope, receive)
            return
        if fault.status is not None:
            answer = _stand_in(fault)
        await _deliver(scope, receive, send, answer, fault.truncate)

    async def _meanwhile(self, fault: Fault) -> str:
        """Let happen what was to; return why it cannot."""
        try:
            if callable(fault.meanwhile):
                await run_in_threadpool(fault.meanwhile)
            elif fault.meanwhile:
                await run_in_threadpool(self.happen, fault.meanwhile)
        except KeyError as error:
            return f"What was to happen meanwhile cannot: {error.args[0]}"
        return ""


class Recorded:
    """An answer that was caught on its way."""

    def __init__(self, status: int = 200, headers: Mapping[str, str] | None = None, body: bytes = b"") -> None:
        self.status, self.body = status, body
        self.headers = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]

    async def send(self, message: Message) -> None:
        """Take a part of it."""
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message.get("headers", []))
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")


def _stand_in(fault: Fault) -> Recorded:
    status = fault.status or 500
    headers = dict(fault.headers)
    if isinstance(fault.body, str):
        return Recorded(
            status, {"content-type": "text/html", "content-length": str(len(fault.body.encode())), **headers}, fault.body.encode()
        )
    document, kind = fault.body, {"content-type": "application/vnd.api+json"}
    if document is None:
        from airflow_provider_klaviyo.sandbox.klaviyo.problems import Problem, errors, throttled

        if status == TOO_MANY:
            headers, kind = {"retry-after": "1", **headers}, {}
            document = throttled(int(headers["retry-after"]) if headers["retry-after"].isdecimal() else 1)
        else:
            document = errors(status, "error", [Problem("A server error occurred.", "/data/")])
    text = json.dumps(document).encode()
    return Recorded(status, {**kind, "content-length": str(len(text)), **headers}, text)


def _impossible(why: str) -> Recorded:
    from airflow_provider_klaviyo.sandbox.klaviyo.problems import Problem, errors

    text = json.dumps(errors(IMPOSSIBLE, "impossible", [Problem(why, "/data/")])).encode()
    return Recorded(IMPOSSIBLE, {"content-type": "application/vnd.api+json", "content-length": str(len(text))}, text)


async def _deliver(scope: Scope, receive: Receive, send: Send, answer: Recorded, truncate: float | None) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    if truncate is None:
        await send({"type": "http.response.body", "body": answer.body})
        return
    await send({"type": "http.response.body", "body": answer.body[: int(len(answer.body) * truncate)], "more_body": True})
    scope["sandbox.transport"].close()
    await _gone(receive)


async def _cut(scope: Scope, receive: Receive) -> None:
    scope["sandbox.transport"].close()
    await _gone(receive)


async def _gone(receive: Receive) -> None:
    """Wait until the connection is known to be closed: the server would answer 500 otherwise."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _whole(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return b"".join(parts)


def _replay(body: bytes) -> Receive:
    """Return a ``receive`` that hands a body out once more."""
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            await asyncio.Event().wait()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive

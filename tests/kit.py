# SPDX-License-Identifier: Apache-2.0
"""A server on this machine that answers as told, and a session to it whose waiting is simulated."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.pacing import Pacer
from airflow_provider_klaviyo.session import open_async_session, open_session
from airflow_provider_klaviyo.settings import Settings

KEY = "pk_doNotShowThis0123456789"
FULL = os.environ.get("KLAVIYO_TEST_FULL") == "1"
"""Whether tests that take minutes run whole. Otherwise they run in part, the same part each time: all at once would not fit two cores and half an hour."""


@dataclass
class Answer:
    """
    What the server does with one request.

    :param fate: ``answer``, ``drop`` the connection once the request was read, ``cut`` the body short, or ``stall``.
    """

    status: int = 200
    body: bytes | Json = field(default_factory=lambda: {"data": []})
    headers: dict[str, str] = field(default_factory=dict)
    fate: str = "answer"


@dataclass
class Received:
    """What arrived."""

    name: str
    headers: dict[str, str]
    body: bytes


class Klaviyo:
    """A server with a list of answers to give; the last one is given for ever."""

    def __init__(self) -> None:
        self.answers: list[Answer] = [Answer()]
        self.received: list[Received] = []
        self.closing = threading.Event()
        klaviyo = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def do(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                klaviyo.received.append(
                    Received(f"{self.command} {self.path}", {name.lower(): value for name, value in self.headers.items()}, body)
                )
                answer = klaviyo.answers.pop(0) if len(klaviyo.answers) > 1 else klaviyo.answers[0]
                if answer.fate == "stall":
                    klaviyo.closing.wait(10)
                if answer.fate in {"drop", "stall"}:
                    # A reset, as a proxy that dies sends it.
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.close_connection = True
                    return
                content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                content = b"" if answer.status == 204 else content
                self.send_response(answer.status)
                for name, value in {"Content-Type": "application/vnd.api+json", **answer.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: len(content) // 2] if answer.fate == "cut" else content)
                self.close_connection = answer.fate == "cut"

            do_GET = do_POST = do_PATCH = do_DELETE = do  # noqa: N815 - http.server's names

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    @property
    def names(self) -> list[str]:
        return [each.name for each in self.received]


class Client:
    """One session, blocking or awaiting, behind the same two methods, and a clock that only waiting moves."""

    def __init__(self, kind: str, url: str, while_waiting: Callable[[], None] = lambda: None, **settings: Any) -> None:
        self.kind = kind
        self.settings = Settings(**{"conn_id": "shop", "base_url": url, "key": KEY, "timeout": 5, **settings})
        self.now = 0.0
        self.slept: list[float] = []
        self.while_waiting = while_waiting
        self.pacer = Pacer(lambda: self.now)
        self.requests: dict[str, int] = {}

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)
        self.while_waiting()

    async def asleep(self, seconds: float) -> None:
        self.sleep(seconds)

    def send(self, *requests: Request[Any]) -> Any:
        """Send requests in one session and return what the last one gave."""
        return self._run(list(requests))[-1]

    def walk(self, request: Request[Json]) -> list[Json]:
        result: list[Json] = self._run([request], walk=True)
        return result

    def _run(self, requests: list[Request[Any]], *, walk: bool = False) -> list[Any]:
        if self.kind == "awaiting":
            return asyncio.run(self._arun(requests, walk=walk))
        with open_session(self.settings, pacer=self.pacer, sleep=self.sleep) as session:
            try:
                return list(session.walk(requests[0])) if walk else [session.send(each) for each in requests]
            finally:
                self.requests = dict(session.requests)

    async def _arun(self, requests: list[Request[Any]], *, walk: bool) -> list[Any]:
        async with open_async_session(self.settings, pacer=self.pacer, sleep=self.asleep) as session:
            try:
                return [item async for item in session.walk(requests[0])] if walk else [await session.send(each) for each in requests]
            finally:
                self.requests = dict(session.requests)

# SPDX-License-Identifier: Apache-2.0
"""The sandbox as a server: a Klaviyo and a Shopify on one port."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import uvicorn

from airflow_provider_klaviyo.sandbox.app import create_app
from airflow_provider_klaviyo.sandbox.faults import Fault, Faults, Protocol
from airflow_provider_klaviyo.sandbox.klaviyo import Behaviour, KlaviyoState
from airflow_provider_klaviyo.sandbox.klaviyo.behaviour import ACCOUNT, KEY, WEBHOOK_SECRET
from airflow_provider_klaviyo.sandbox.shopify import STATIC_TOKEN, create

START_SECONDS = 30
KEEP_ALIVE_SECONDS = 75
EVERYWHERE = "0.0.0.0"
LOOPBACK = "127.0.0.1"


class SandboxServer:
    """
    A local Klaviyo and a local Shopify, served by a thread of this process.

    Use it as a context manager, in a test or a session-wide fixture::

        with SandboxServer(limits="off") as sandbox:
            sandbox.klaviyo.next_job("cancelled")
            sandbox.fail(path="/api/events", status=503, times=2)

    :param store: Folder with a shop's ``customers.jsonl.gz`` and ``orders.jsonl.gz``; a small shop is made up otherwise.
    :param limits: Whether the documented rate limits hold, Klaviyo's and Shopify's.
    :param job_seconds: How long an import job, or a bulk operation, takes.
    :param host: Address to listen at. Connections lead to this machine alone, for keys do not travel in plain http.
    :param port: Port to listen at, 0 for any free one.
    :param window: Whether Klaviyo's rate limit windows begin at full seconds and minutes, or slide.
    :param clock: Seconds since 1970; a test may bring its own, and so move the sandbox's time.
    :param keep: How many requests ``klaviyo.received`` remembers.
    :param customers: Customers of the shop that is made up.
    :param orders: Its orders.
    """

    def __init__(
        self,
        store: Path | None = None,
        *,
        limits: Literal["documented", "off"] = "documented",
        job_seconds: float = 2.0,
        host: str = "127.0.0.1",
        port: int = 0,
        window: Literal["fixed", "sliding"] = "fixed",
        clock: Callable[[], float] = time.time,
        keep: int = 200,
        customers: int = 2000,
        orders: int = 3000,
    ) -> None:
        self.faults = Faults()
        self._socket = socket.create_server((host, port), backlog=2048)
        self.host, self.port = self._socket.getsockname()[:2]
        behaviour = Behaviour(limits=limits, job_seconds=job_seconds)
        self.klaviyo = KlaviyoState(behaviour, clock=clock, window=window, keep=keep)
        shop, self.shopify = create(
            store, lambda: self.url, customers=customers, orders=orders, job_seconds=job_seconds, limits=limits, clock=clock
        )
        app = create_app(self.klaviyo, self.faults, self.reset, shop)
        config = uvicorn.Config(
            app, http=Protocol, ws="none", lifespan="off", log_level="error", access_log=False, timeout_keep_alive=KEEP_ALIVE_SECONDS
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, name="klaviyo-sandbox", daemon=True)
        self._closing = ExitStack()  # all of it is closed, whatever befalls a part
        for close in (self.shopify.close, self.klaviyo.close, self._socket.close):
            self._closing.callback(close)

    @property
    def url(self) -> str:
        """Where this machine finds it, such as ``http://127.0.0.1:8765``."""
        return f"http://{LOOPBACK if self.host == EVERYWHERE else self.host}:{self.port}"

    @property
    def connections(self) -> dict[str, str]:
        """The environment variables that give Airflow its connections to the sandbox."""
        return connections(self.url)

    def start(self) -> Self:
        """
        Begin to serve.

        :raises RuntimeError: It does not start.
        """
        self._thread.start()
        self._closing.callback(self._end)
        deadline = time.monotonic() + START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the sandbox did not start")
            time.sleep(0.002)
        return self

    def stop(self) -> None:
        """Stop serving, open connections or not, and forget everything."""
        self._closing.close()

    def _end(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(timeout=10)

    def wait(self) -> None:
        """Serve until :meth:`stop` is called elsewhere."""
        while self._thread.is_alive():
            self._thread.join(timeout=0.5)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def fail(self, path: str = "", **fault: Any) -> Fault:
        """
        Queue a fault.

        :param path: Regular expression that is found in the path.
        :param fault: The other fields of :class:`~airflow_provider_klaviyo.sandbox.faults.Fault`.
        :returns: The fault: its ``hits`` tell how often it struck.
        :raises TypeError: A name is not one of a fault's.
        """
        return self.faults.add(Fault(path=path, **fault))

    def reset(self) -> None:
        """Return to the start: no profiles, no faults, the settings it was made with, and the shop as it was."""
        self.faults.clear()
        self.klaviyo.reset()
        self.shopify.reset()


def connections(url: str) -> dict[str, str]:
    """
    Return the environment variables that give Airflow its connections to a sandbox.

    :param url: Where it listens.
    """
    extra = {"public_key": ACCOUNT, "webhook_secret": WEBHOOK_SECRET}
    klaviyo = {"conn_type": "klaviyo", "host": url, "password": KEY, "extra": extra}
    shopify = {"conn_type": "shopify", "host": url, "password": STATIC_TOKEN}
    return {"AIRFLOW_CONN_KLAVIYO_DEFAULT": json.dumps(klaviyo), "AIRFLOW_CONN_SHOPIFY_DEFAULT": json.dumps(shopify)}

# SPDX-License-Identifier: Apache-2.0
"""A local Shopify on a port of its own, with a clock that a test moves, and a plain client."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from airflow_provider_klaviyo.sandbox.faults import Protocol
from airflow_provider_klaviyo.sandbox.shopify import STATIC_TOKEN, ShopState, Store, create

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]

SHARED = Path(__file__).parents[2].parent / "shared"
SCHEMA = SHARED / "contract" / "shopify" / "admin_2026-10.json.gz"
RUN = (
    "mutation Run($query: String!, $group: Boolean! = false) { bulkOperationRunQuery(query: $query, groupObjects: $group)"
    " { bulkOperation { id status } userErrors { code field message } } }"
)
POLL = (
    "query Poll($id: ID!) { bulkOperation(id: $id)"
    " { id status errorCode completedAt objectCount rootObjectCount fileSize url partialDataUrl } }"
)


def shared(*parts: str) -> Path:
    """Return a file that lies beside the clone, or skip."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{path.name} is not beside the clone")
    return path


@dataclass
class Clock:
    """Time that passes only when a test says so."""

    now: float = field(default_factory=time.time)

    def __call__(self) -> float:
        return self.now


@dataclass
class Shop:
    """The server, its state and a client with a token."""

    http: httpx.Client
    state: ShopState
    clock: Clock

    def post(self, text: str, variables: Json | None = None, headers: dict[str, str] | None = None) -> httpx.Response:
        """Send a document."""
        return self.http.post("/admin/api/2026-10/graphql.json", json={"query": text, "variables": variables or {}}, headers=headers)

    def ask(self, text: str, **variables: Any) -> Json:
        """Send a document and return the answer."""
        answer = self.post(text, variables)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def data(self, text: str, **variables: Any) -> Json:
        """Send a document and return the data of an answer without errors."""
        answer = self.ask(text, **variables)
        assert "errors" not in answer, answer
        return dict(answer["data"])

    def run(self, query: str, *, group: bool = False) -> Json:
        """Start a bulk query and return what Shopify says."""
        return dict(self.data(RUN, query=query, group=group)["bulkOperationRunQuery"])

    def poll(self, operation_id: str) -> Json:
        """Look at a bulk operation."""
        return dict(self.data(POLL, id=operation_id)["bulkOperation"])

    def bulk(self, query: str, *, group: bool = False) -> Json:
        """Run a bulk query to its end."""
        started = self.run(query, group=group)
        assert not started["userErrors"], started
        self.finish()
        return self.poll(started["bulkOperation"]["id"])

    def finish(self) -> None:
        """Let enough time pass for all bulk operations."""
        self.state.bulk.settle()
        self.clock.now += self.state.settings.job_seconds

    def rows(self, query: str, *, group: bool = False) -> list[Json]:
        """Run a bulk query and return the rows of its result."""
        url = self.bulk(query, group=group)["url"]
        return [json.loads(line) for line in httpx.get(url).raise_for_status().text.splitlines()] if url else []


@contextmanager
def serve(store: Path | Store | None = None, **options: Any) -> Iterator[Shop]:
    """Serve a shop."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    clock = Clock()
    routes, state = create(store, lambda: url, **{"customers": 120, "orders": 150, "clock": clock, **options})
    app = FastAPI()
    app.include_router(routes)
    server = uvicorn.Server(uvicorn.Config(app, http=Protocol, ws="none", lifespan="off", log_level="error", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        # The socket listens already: the first request waits until the server takes it.
        with httpx.Client(base_url=url, headers={"X-Shopify-Access-Token": STATIC_TOKEN}, timeout=30) as http:
            yield Shop(http, state, clock)
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
        state.close()

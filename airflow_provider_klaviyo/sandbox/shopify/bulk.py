# SPDX-License-Identifier: Apache-2.0
"""Bulk operations: run in a thread, watched by polls, ended by the clock or by a fault."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from urllib.parse import urlencode

from airflow_provider_klaviyo.sandbox.shopify.documents import Json, Refused
from airflow_provider_klaviyo.sandbox.shopify.faults import Fault, ShopFault
from airflow_provider_klaviyo.sandbox.shopify.results import Line

AT_ONCE = 5
FIRST_ID = 7_900_000_000_001
KEPT = 7 * 86400.0
CREATED_SHARE = 0.1
CANCELING = 0.5
ENDED = {ShopFault.BULK_FAILED: "FAILED", ShopFault.BULK_CANCELED: "CANCELED", ShopFault.BULK_EXPIRED: "EXPIRED"}

log = logging.getLogger(__name__)


@dataclass
class Operation:
    """
    One bulk query.

    :param made: When it was asked for, in seconds since 1970.
    :param seconds: How long it takes at least.
    :param fault: What goes wrong with it.
    """

    number: int
    query: str
    made: float
    seconds: float
    path: Path
    fault: Fault | None = None
    cancelled: float | None = None
    objects: int = 0
    roots: int = 0
    size: int = 0
    trouble: str = ""
    finished: float | None = None
    work: Future[None] | None = None

    @property
    def id(self) -> str:
        """Its global id."""
        return f"gid://shopify/BulkOperation/{self.number}"

    def status(self, now: float) -> str:
        """Return where it stands: a status of Shopify's, or the one a fault made up."""
        kind = self.fault.kind if self.fault else None
        if self.cancelled is not None:
            return "CANCELED" if now >= self.cancelled + CANCELING else "CANCELING"
        if now < self.made + self.seconds * CREATED_SHARE:
            return "CREATED"
        if now < self.made + self.seconds or self.finished is None or kind is ShopFault.BULK_STALLED:
            return "RUNNING"
        if self.fault and kind is ShopFault.BULK_STATUS:
            return self.fault.detail or "SLEEPING"
        return ENDED.get(kind, "COMPLETED") if kind else "FAILED" if self.trouble else "COMPLETED"

    def running(self, now: float) -> bool:
        """Whether it takes one of the places."""
        return self.status(now) in {"CREATED", "RUNNING", "CANCELING"}

    def shown(self, now: float, url: Callable[[Operation], str]) -> Json:
        """Return what Shopify tells of it."""
        status = self.status(now)
        over = not self.running(now)
        failed = status == "FAILED"
        code = (self.fault.detail if self.fault else self.trouble) or "INTERNAL_SERVER_ERROR"
        address = url(self) if over and self.size and status in {"COMPLETED", "FAILED"} else None
        ended = max(self.made + self.seconds, self.finished or 0)
        return {
            "id": self.id,
            "type": "QUERY",
            "status": status,
            "errorCode": code if failed else None,
            "createdAt": _time(self.made),
            "completedAt": _time(ended) if status == "COMPLETED" else None,
            "objectCount": str(self.objects),
            "rootObjectCount": str(self.roots),
            "fileSize": str(self.size) if address and not failed else None,
            "query": self.query,
            "url": None if failed else address,
            "partialDataUrl": address if failed else None,
        }


@dataclass
class BulkOperations:
    """
    All bulk operations of the shop.

    :param clock: Seconds since 1970.
    :param public_url: Address of the server, without a path.
    """

    clock: Callable[[], float]
    public_url: Callable[[], str]
    all: dict[str, Operation] = field(default_factory=dict)
    lock: RLock = field(default_factory=RLock, repr=False)
    secret: bytes = field(default_factory=lambda: os.urandom(16), repr=False)

    def __post_init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="sandbox-shop-")
        self._last = FIRST_ID - 1
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="bulk")

    def run(self, query: str, lines: Callable[[], Iterator[Line]], *, seconds: float, fault: Fault | None) -> Operation:
        """
        Start an operation.

        :param query: Its document, as it was sent.
        :param lines: Makes its result.
        :param seconds: How long it takes at least.
        :param fault: What goes wrong with it.
        """
        operation = self._add(query, seconds, fault)
        operation.work = self._threads.submit(self._work, operation, lines)
        return operation

    def settle(self) -> None:
        """Wait until every result is written: how long an operation takes is then up to the clock alone."""
        wait([each.work for each in self.all.values() if each.work])

    def occupy(self, places: int = AT_ONCE) -> list[str]:
        """
        Let another client's operations take places until they are cancelled.

        :param places: How many.
        """
        fault = Fault(ShopFault.BULK_STALLED)
        return [self._add("{ products { edges { node { id } } } }", 0.0, fault).id for _ in range(places)]

    def busy(self) -> list[str]:
        """Return the ids of the operations that take a place."""
        with self.lock:
            return [each.id for each in self.all.values() if each.running(self.clock())]

    def shown(self, operation: Operation) -> Json:
        """Return what Shopify tells of an operation."""
        return operation.shown(self.clock(), self.address)

    def cancel(self, operation: Operation) -> str:
        """Cancel an operation, or return why not."""
        with self.lock:
            if operation.running(self.clock()):
                operation.cancelled = self.clock() if operation.cancelled is None else operation.cancelled
                return ""
        return f"A bulk operation cannot be canceled when it is {operation.status(self.clock()).lower()}"

    def address(self, operation: Operation) -> str:
        """Return the signed address of a result."""
        expires = int(operation.made + KEPT)
        name = f"bulk-{operation.number}.jsonl"
        query = {
            "Expires": expires,
            "Signature": self.signature(operation, expires),
            "response-content-disposition": f'attachment; filename="{name}"',
            "response-content-type": "application/jsonl",
        }
        return f"{self.public_url()}/bulk/{operation.number}?{urlencode(query)}"

    def signature(self, operation: Operation, expires: int) -> str:
        """Sign an address."""
        return hmac.new(self.secret, f"{operation.number}:{expires}".encode(), hashlib.sha256).hexdigest()

    def reset(self) -> None:
        """Forget all operations, and their results."""
        with self.lock:
            for operation in self.all.values():
                operation.cancelled = operation.cancelled or self.clock()
                operation.path.unlink(missing_ok=True)
            self.all.clear()

    def close(self) -> None:
        """Remove the results."""
        self.reset()
        self._threads.shutdown(cancel_futures=True)
        self._folder.cleanup()

    def _add(self, query: str, seconds: float, fault: Fault | None) -> Operation:
        with self.lock:
            self._last += 1
            path = Path(self._folder.name) / f"{self._last}.jsonl"
            operation = Operation(self._last, query, self.clock(), seconds, path, fault)
            self.all[operation.id] = operation
            return operation

    def _work(self, operation: Operation, lines: Callable[[], Iterator[Line]]) -> None:
        """Write the result; half of it where the operation is to fail."""
        try:
            with operation.path.open("wb") as out:
                for line in lines():
                    if operation.cancelled is not None:
                        return
                    operation.size += out.write(line.text + b"\n")
                    operation.objects += 1
                    operation.roots += line.root
        except Refused as refused:
            log.warning("The bulk operation %s fails: %s", operation.number, refused)
            code = refused.errors[0].get("extensions", {}).get("code")
            operation.trouble = "ACCESS_DENIED" if code == "ACCESS_DENIED" else "INTERNAL_SERVER_ERROR"
        except Exception:
            log.exception("The bulk operation %s fails: the sandbox is at fault", operation.number)
            operation.trouble = "INTERNAL_SERVER_ERROR"
        if operation.fault and operation.fault.kind is ShopFault.BULK_FAILED:
            self._halve(operation)
        operation.finished = self.clock()

    @staticmethod
    def _halve(operation: Operation) -> None:
        """Keep the first half of the lines, or none where access was denied."""
        keep = 0 if operation.fault and operation.fault.detail == "ACCESS_DENIED" else operation.objects // 2
        with operation.path.open("r+b") as out:
            for _ in range(keep):
                out.readline()
            operation.size = out.tell()
            out.truncate(operation.size)
        operation.objects = keep


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

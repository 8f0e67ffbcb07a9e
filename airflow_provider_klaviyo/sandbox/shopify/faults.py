# SPDX-License-Identifier: Apache-2.0
"""Things that go wrong at Shopify, queued by a test and met by the next request they fit."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock


class ShopFault(StrEnum):
    """What can go wrong. What ``detail`` means stands beside each."""

    THROTTLED = "throttled"
    """A GraphQL request is answered 200 with THROTTLED."""
    INTERNAL_ERROR = "internal_error"
    """200 with INTERNAL_SERVER_ERROR."""
    ACCESS_DENIED = "access_denied"
    """200 with ACCESS_DENIED; detail: the missing scope."""
    HTTP_STATUS = "http_status"
    """An HTTP error; detail: its status, 502 and 504 with an HTML page."""
    UNAUTHORIZED = "unauthorized"
    """401, as if the token had just been revoked."""
    DROP_BEFORE = "drop_before"
    """The connection ends without an answer and nothing was done."""
    DROP_AFTER = "drop_after"
    """The connection ends without an answer, but the request was carried out."""
    BULK_FAILED = "bulk_failed"
    """The next bulk operation fails half-way; detail: the error code."""
    BULK_CANCELED = "bulk_canceled"
    """Shopify cancels it."""
    BULK_EXPIRED = "bulk_expired"
    """It ends EXPIRED, its result gone."""
    BULK_STATUS = "bulk_status"
    """It ends in a status nobody knows; detail: the status."""
    BULK_STALLED = "bulk_stalled"
    """It runs until it is cancelled."""
    DOWNLOAD_STATUS = "download_status"
    """A download is answered with an HTTP error; detail: its status."""
    DOWNLOAD_DROPPED = "download_dropped"
    """A download's connection ends; detail: after how many bytes, else at the half."""
    DOWNLOAD_TRUNCATED = "download_truncated"
    """A download ends early as if whole, in the middle of a line; detail: after how many bytes."""


REQUEST_FAULTS = frozenset(
    {
        ShopFault.THROTTLED,
        ShopFault.INTERNAL_ERROR,
        ShopFault.ACCESS_DENIED,
        ShopFault.HTTP_STATUS,
        ShopFault.UNAUTHORIZED,
        ShopFault.DROP_BEFORE,
        ShopFault.DROP_AFTER,
    }
)
BULK_FAULTS = frozenset({each for each in ShopFault if each.startswith("bulk_")})
DOWNLOAD_FAULTS = frozenset({each for each in ShopFault if each.startswith("download_")})


@dataclass(frozen=True, slots=True)
class Fault:
    """
    One thing that will go wrong.

    :param root: Only for requests that ask this root field, such as ``bulkOperation``; any, where empty.
    """

    kind: ShopFault
    detail: str = ""
    root: str = ""


@dataclass
class Faults:
    """The queue: each fault is met once, first in first out."""

    waiting: list[Fault] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock, repr=False)

    def queue(self, kind: ShopFault | str, *, times: int = 1, detail: str = "", root: str = "") -> None:
        """
        Queue a fault.

        :param kind: What goes wrong.
        :param times: How often.
        :param detail: What the kind says it means.
        :param root: Only for requests that ask this root field.
        :raises ValueError: There is no such kind.
        """
        with self.lock:
            self.waiting += [Fault(ShopFault(kind), detail, root)] * times

    def take(self, kinds: Collection[ShopFault], roots: Collection[str] = ()) -> Fault | None:
        """
        Take the first waiting fault that fits.

        :param kinds: What could go wrong here.
        :param roots: The root fields that are asked.
        """
        with self.lock:
            fitting = (each for each in self.waiting if each.kind in kinds and (not each.root or each.root in roots))
            if fault := next(fitting, None):
                self.waiting.remove(fault)
            return fault

    def clear(self) -> None:
        """Forget all."""
        with self.lock:
            self.waiting.clear()

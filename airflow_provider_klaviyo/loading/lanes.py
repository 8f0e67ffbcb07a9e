# SPDX-License-Identifier: Apache-2.0
"""A lane is one way in which rows are sent: what a request of them looks like, and what Klaviyo tells of it afterwards."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_klaviyo.api import jobs
from airflow_provider_klaviyo.api.request import Request
from airflow_provider_klaviyo.loading.rows import Fate, Json

ITEM: Any = "\x00item\x00"
"""Stands in the request of a bulk lane where its items go."""
SINGLE = "single"
"""The lane of rows that go by themselves, because Klaviyo may have them."""
PROFILES = re.compile(r"/data/attributes/profiles/data/(\d+)(/.*)?")
"""What points at a row of all requests about profiles."""


def encode(value: Any) -> bytes:
    """Write JSON as short as it gets."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Lane:
    """
    One way in which rows are sent.

    :param name: Begins the names of its batches.
    :param most: Rows a request at most.
    :param frame: What stands before and behind the items in a staged body.
    :param request: Makes the request from a staged body.
    :param items: Finds the items in a body that was read back.
    :param path: Where it is sent to.
    :param repeatable: Whether a batch whose fate is open may be sent again.
    :param pointer: What points at a row in a refusal.
    :param job: The kind of job that a request becomes; without one Klaviyo tells nothing afterwards.
    :param fate: What becomes of the rows of a request that is answered well and has no job.
    :param singly: Makes the request of one item by itself, which may be repeated: so doubt is settled.
    :param counted: Whether its rows were read from the source.
    """

    name: str
    most: int
    frame: tuple[bytes, bytes]
    request: Callable[[bytes], Request[Any]]
    items: Callable[[Any], list[Json]]
    path: str
    repeatable: bool
    pointer: re.Pattern[str] = PROFILES
    job: jobs.Kind | None = None
    fate: Fate = Fate.ACCEPTED
    singly: Callable[[Json], Request[Any]] | None = None
    counted: bool = True

    def pack(self, items: Iterable[bytes]) -> bytes:
        """Write a body, compressed as it will be sent."""
        head, tail = self.frame
        return gzip.compress(head + b",".join(items) + tail, compresslevel=1, mtime=0)

    def unpack(self, body: bytes) -> list[Json]:
        """Read the items of a body back."""
        return self.items(json.loads(gzip.decompress(body)))


def bulk_lane(name: str, request: Request[Any], attribute: str, **more: Any) -> Lane:
    """
    Make a lane whose staged bodies are sent as they lie.

    :param name: Its name.
    :param request: The request, with :data:`ITEM` in the place of its rows.
    :param attribute: The attribute of the body that holds them.
    :param more: Other parameters of :class:`Lane`.
    """
    head, tail = encode(request.json).split(encode(ITEM))
    return Lane(
        name=name,
        frame=(head, tail),
        request=lambda body: replace(request, json=None, body=body),
        items=lambda whole: list(whole["data"]["attributes"][attribute]["data"]),
        path=request.path,
        repeatable=request.repeatable,
        **more,
    )


def rows_lane(name: str, path: str, make: Callable[[Sequence[Json]], Request[Any]], *, repeatable: bool, **more: Any) -> Lane:
    """
    Make a lane whose requests are made of staged rows when they leave.

    :param name: Its name.
    :param path: Where its requests go.
    :param make: Makes the request for some rows.
    :param repeatable: Whether it may be sent again.
    :param more: Other parameters of :class:`Lane`.
    """

    def rows(body: bytes) -> list[Json]:
        return list(json.loads(gzip.decompress(body)))

    return Lane(
        name=name,
        frame=(b"[", b"]"),
        request=lambda body: make(rows(body)),
        items=list,
        path=path,
        repeatable=repeatable,
        **more,
    )

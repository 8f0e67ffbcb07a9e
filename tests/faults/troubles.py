# SPDX-License-Identifier: Apache-2.0
"""What can befall one request of a load, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

CLOUDFLARE = "<!DOCTYPE html><html><head><title>Attention Required! | Cloudflare</title></head><body>Ray ID: 0</body></html>"
AHEAD = 10_000
"""Hits of a trouble that does not go away by itself."""


def _errors(status: int, code: str, pointer: str = "") -> dict[str, Any]:
    return {"errors": [{"id": "1", "status": status, "code": code, "title": "No.", "detail": "No.", "source": {"pointer": pointer}}]}


@dataclass(frozen=True, slots=True)
class Nature:
    """
    What a trouble does.

    :param fault: Fields of the sandbox's fault; none where the network loses the request.
    :param lost: How the network loses it: ``connect``, ``before`` or ``after`` it is carried out.
    :param lies: Whether it refuses rows that are sound.
    """

    fault: Mapping[str, Any] = field(default_factory=dict)
    lost: Literal["", "connect", "before", "after"] = ""
    lies: bool = False

    @property
    def doubtful(self) -> bool:
        """Whether the request may have been carried out, for all its sender knows."""
        status = self.fault.get("status")
        return self.lost in {"before", "after"} or "drop" in self.fault or "truncate" in self.fault or (status or 0) >= 500 or status == 202


TROUBLES: Mapping[str, Nature] = {
    "could not connect": Nature(lost="connect"),
    "timeout, not done": Nature(lost="before"),
    "timeout, done": Nature(lost="after"),
    "dropped before": Nature({"drop": "before"}),
    "dropped after": Nature({"drop": "after"}),
    "half an answer": Nature({"truncate": 0.5}),
    "429": Nature({"status": 429, "headers": {"retry-after": "2"}}),
    "429 for a minute": Nature({"status": 429, "headers": {"retry-after": "60"}}),
    "429 with a date": Nature({"status": 429, "headers": {"retry-after": "Fri, 20 Nov 2026 12:00:00 GMT"}}),
    "429 without a time": Nature({"status": 429, "body": _errors(429, "throttled")}),
    "429 for a day": Nature({"status": 429, "headers": {"retry-after": "86400"}}),
    "500": Nature({"status": 500}),
    "500, done": Nature({"status": 500, "acted": True}),
    "502 with a page, done": Nature({"status": 502, "body": CLOUDFLARE, "acted": True}),
    "503 with a page": Nature({"status": 503, "body": CLOUDFLARE}),
    "503 with a time": Nature({"status": 503, "headers": {"retry-after": "30"}}),
    "504, done": Nature({"status": 504, "body": "", "acted": True}),
    "202 with a page": Nature({"status": 202, "body": CLOUDFLARE, "acted": True}),
    "200 and nothing": Nature({"status": 200, "body": {"data": [], "links": {"self": "", "next": None}}}),
    "400 about nothing": Nature({"status": 400, "body": _errors(400, "invalid")}, lies=True),
    "400 about the whole": Nature({"status": 400, "body": _errors(400, "invalid", "/data/attributes")}, lies=True),
    "400 about the key": Nature({"status": 400, "body": _errors(400, "authentication_failed", "/data/")}),
    "400 with a page": Nature({"status": 400, "body": CLOUDFLARE}),
    "401": Nature({"status": 401, "body": _errors(401, "not_authenticated", "/data/")}),
    "403": Nature({"status": 403, "body": _errors(403, "permission_denied", "/data/")}),
    "403 with a page": Nature({"status": 403, "body": CLOUDFLARE}),
    "404": Nature({"status": 404, "body": _errors(404, "not_found", "/data/")}),
    "409": Nature({"status": 409, "body": _errors(409, "conflict", "/data/")}),
    "410": Nature({"status": 410, "body": _errors(410, "revision_retired", "/data/")}),
    "413": Nature({"status": 413, "body": CLOUDFLARE}, lies=True),
    "422": Nature({"status": 422, "body": _errors(422, "invalid")}, lies=True),
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """
    A trouble of a load to come.

    :param step: The step it befalls, as the kind of load names it.
    :param what: What happens, a name of :data:`TROUBLES`.
    :param skip: How many requests of that step pass before.
    :param times: How many it hits.
    """

    step: str
    what: str
    skip: int = 0
    times: int = 1

    @property
    def nature(self) -> Nature:
        """What it does."""
        return TROUBLES[self.what]

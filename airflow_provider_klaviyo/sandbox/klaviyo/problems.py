# SPDX-License-Identifier: Apache-2.0
"""Klaviyo's refusals, worded and shaped as recorded."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

RATE_LIMIT_PAGE = "https://developers.klaviyo.com/en/docs/rate_limits_and_error_handling#rate-limits"

TITLES = {
    "authentication_failed": "Incorrect authentication credentials.",
    "permission_denied": "You do not have permission to perform this action.",
    "not_found": "Not found.",
    "invalid": "Invalid input.",
    "duplicate_profile": "Conflict.",
    "conflict": "Conflict.",
    "method_not_allowed": "Method not allowed.",
    "unsupported_media_type": "Unsupported media type.",
    "revision_retired": "Gone.",
    "tag_service_error": "Tag Service Error",
    "throttled": "Request was throttled.",
    "error": "A server error occurred.",
    "not_emulated": "Not emulated.",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """
    One thing that is wrong with a request.

    :param detail: A sentence.
    :param pointer: JSON pointer into the body, or ``""``.
    :param parameter: Name of the query parameter, or ``""``.
    :param meta: What else is told.
    """

    detail: str
    pointer: str = ""
    parameter: str = ""
    meta: dict[str, Any] = field(default_factory=dict)


class Refused(Exception):  # noqa: N818 - it is an answer, not a failure
    """
    The request is answered with errors, and nothing of it is done.

    :param status: HTTP status.
    :param code: Klaviyo's word for it.
    :param problems: What is wrong, at least one.
    """

    def __init__(self, status: int, code: str, *problems: Problem) -> None:
        super().__init__(f"{status} {code}")
        self.status, self.code, self.problems = status, code, problems

    def body(self) -> dict[str, Any]:
        """Return the ``errors`` document."""
        return errors(self.status, self.code, self.problems)


def errors(status: int, code: str, problems: Iterable[Problem]) -> dict[str, Any]:
    """Return a document of ``errors``: validation errors carry ``links`` and ``meta``, the others do not."""
    return {"errors": [_error(status, code, each) for each in problems]}


def _error(status: int, code: str, problem: Problem) -> dict[str, Any]:
    source = {"parameter": problem.parameter} if problem.parameter else {"pointer": problem.pointer or "/data"}
    entry: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "status": status,
        "code": code,
        "title": TITLES.get(code, code),
        "detail": problem.detail,
        "source": source,
    }
    if code in {"invalid", "duplicate_profile", "conflict", "throttled"}:
        entry |= {"links": {}, "meta": problem.meta}
    return entry


def invalid(detail: str, pointer: str = "", *, parameter: str = "") -> Refused:
    """Return the 400 of one problem."""
    return Refused(400, "invalid", Problem(detail, pointer, parameter))


def not_found(detail: str) -> Refused:
    """Return the 404 of an id nothing has."""
    return Refused(404, "not_found", Problem(detail, "/data/"))


def throttled(seconds: int) -> dict[str, Any]:
    """Return the body of a 429."""
    unit = "second" if seconds == 1 else "seconds"
    document = errors(429, "throttled", [Problem(f"Request was throttled. Expected available in {seconds} {unit}.", "/data")])
    document["errors"][0]["links"] = {"type": RATE_LIMIT_PAGE}
    return document

# SPDX-License-Identifier: Apache-2.0
"""What flows through a load: rows to be sent, and what became of those that were not."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

Json = dict[str, Any]


class Fate(StrEnum):
    """
    What became of a row. Every row that was read has exactly one.

    ``LOADED``: a job of Klaviyo's confirmed it. ``ACCEPTED``: Klaviyo took it and does not say what it made of it.
    ``UNKNOWN``: nobody knows.
    """

    LOADED = "loaded"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    DUPLICATE = "duplicate"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Row:
    """
    One thing to be sent.

    :param key: What the source calls it: an id, never a person.
    :param data: A profile's attributes, or an event.
    """

    key: str
    data: Json


@dataclass(frozen=True, slots=True)
class Skip:
    """
    A row that the source itself says is not to be sent, such as a test order.

    :param key: What the source calls it.
    :param code: A short name of the reason, to count by.
    :param reason: A sentence.
    """

    key: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reject:
    """
    A row that could not even be read, such as a line of a file that is broken.

    :param key: What the source calls it, such as the file and the line.
    :param code: A short name of the reason, to count by.
    :param reason: A sentence a person can act on.
    """

    key: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    A row that was not loaded, and why: one line of the rejects file.

    :param key: What the source calls the row.
    :param fate: What became of it.
    :param stage: Where in the load it happened: ``source``, ``map``, ``check``, ``dedupe``, ``guard``, ``submit``, ``settle`` or ``verify``.
    :param code: A short name of the reason, to count by.
    :param reason: A sentence a person can act on.
    :param pointer: The field at fault, as a path.
    :param job: The job of Klaviyo's that said so.
    :param attempt: How many requests had carried the row by then: 0 for one that never left.
    :param at: Its place in its batch; that stays in the stage.
    """

    key: str
    fate: Fate
    stage: str
    code: str
    reason: str
    pointer: str = ""
    job: str = ""
    attempt: int = 0
    at: int | None = None

    def as_json(self) -> Json:
        """Return the line as it stands in the stage."""
        return asdict(self)

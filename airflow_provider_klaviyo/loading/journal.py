# SPDX-License-Identifier: Apache-2.0
"""
What a load has done, written down before and after each step, so that whoever comes next goes on where it stood.

The journal lives in the task state store: ids, states and counts, never a person.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from airflow_provider_klaviyo.loading.rows import Fate, Json


class Store(Protocol):
    """Where a journal is kept: what a task state store has."""

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key."""

    def set(self, key: str, value: Any) -> None:
        """Set a key to a JSON value."""


class MemoryStore(dict[str, Any]):
    """A store that goes with the process."""

    def set(self, key: str, value: Any) -> None:
        """Set a key."""
        self[key] = value


class Phase(StrEnum):
    """How far a load has come. From ``STAGED`` on, the source is not read again."""

    STAGING = "staging"
    STAGED = "staged"
    DONE = "done"


class State(StrEnum):
    """How far a batch has come."""

    NEW = "new"
    INTENT = "intent"
    """A request is about to be sent, or was: nobody knows."""
    DOUBT = "doubt"
    """The request may have been carried out: its events are sent one by one, which is harmless."""
    ACCEPTED = "accepted"
    """Klaviyo took it; its job has not been read to the end."""
    SPLIT = "split"
    """Klaviyo refused it whole; its children go in its place."""
    SETTLED = "settled"
    """Every row has its fate, but for those that went on in the batch's children."""


HALVES = ("a", "b", "c")
"""Ends the names of what goes in the place of a batch that was refused: the first has all of the rest, where it is known whose fault it was."""
GUARDED = "g"
"""Ends the name of what is left of a batch once Klaviyo's state was looked at."""
WITHOUT_PHONE = "p"
"""Ends the name of the rows that go again without their phone number."""


@dataclass(slots=True)
class Batch:
    """
    What is known of a batch.

    :param name: Its name in the stage.
    :param rows: How many rows it has.
    :param state: How far it has come.
    :param job: The job of Klaviyo's that works on it.
    :param children: The batches that go in its place.
    :param counts: The fates of its rows, its children's left out.
    :param verified: Whether its rows were read back.
    """

    name: str
    rows: int
    state: State = State.NEW
    job: str = ""
    children: tuple[str, ...] = ()
    counts: dict[Fate, int] = field(default_factory=dict)
    verified: bool = False

    @property
    def attempt(self) -> int:
        """How many requests have carried its rows once it is sent: one more than those of the batch in whose place it goes."""
        letters = self.name.lstrip(string.ascii_lowercase + "-").lstrip(string.digits)
        return self.name.count("-") + len(letters.replace(GUARDED, ""))


class Journal:
    """
    The record of one load.

    :param store: Where it is kept.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def load_id(self) -> str:
        """The load's id, or ``""`` before it began."""
        return str(self._load.get("id", ""))

    @property
    def phase(self) -> Phase | None:
        """How far the load has come."""
        return Phase(self._load["phase"]) if self._load else None

    @property
    def report(self) -> Json | None:
        """The report of a load that is done."""
        return self._load.get("report")

    @property
    def requests(self) -> Counter[str]:
        """The requests that earlier hops of the load have sent."""
        return Counter(self._load.get("requests", {}))

    def write(self, phase: Phase, *, load_id: str = "", requests: Mapping[str, int] | None = None, report: Json | None = None) -> None:
        """
        Write down how far the load has come.

        :param phase: How far.
        :param load_id: The load's id, of one that begins.
        :param requests: The requests that were sent so far, where that is to be kept for the report.
        :param report: The report of a load that is done.
        """
        known: Json = {"id": load_id or self.load_id, "phase": phase.value}
        if requests:
            known["requests"] = dict(requests)
        if report:
            known["report"] = report
        self._store.set("load", known)

    def batch(self, name: str, rows: int = 0) -> Batch:
        """
        Return what is known of a batch.

        :param name: Its name.
        :param rows: How many rows it has, for one of which nothing is known yet.
        """
        known: Mapping[str, Any] = self._store.get(f"{self.load_id}:{name}") or {}
        counts = {Fate(fate): int(count) for fate, count in (known.get("counts") or {}).items()}
        state, job, children = State(known.get("state", State.NEW)), known.get("job", ""), tuple(known.get("children", ()))
        return Batch(name, int(known.get("rows", rows)), state, job, children, counts, verified=bool(known.get("verified")))

    def record(self, batch: Batch) -> None:
        """Write down what is known of a batch."""
        known: Json = {"state": batch.state.value, "rows": batch.rows}
        if batch.job:
            known["job"] = batch.job
        if batch.children:
            known["children"] = list(batch.children)
        if batch.counts:
            known["counts"] = {fate.value: count for fate, count in batch.counts.items()}
        if batch.verified:
            known["verified"] = True
        self._store.set(f"{self.load_id}:{batch.name}", known)

    @property
    def _load(self) -> Mapping[str, Any]:
        return self._store.get("load") or {}

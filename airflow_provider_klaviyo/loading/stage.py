# SPDX-License-Identifier: Apache-2.0
"""
The stage: every batch as it will be sent, lying ready before the first request.

Whoever goes on with a load reads the stage and never the source again: the source may have changed.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from airflow_provider_klaviyo.api.errors import KlaviyoInDoubt
from airflow_provider_klaviyo.loading.plan import Folder
from airflow_provider_klaviyo.loading.rows import Fate, Json, Outcome
from airflow_provider_klaviyo.loading.seen import WIDTH

UNSEEN = "-unseen"
"""Ends the name of the outcomes of a batch's rows that were read back and not shown."""


class StageLost(KlaviyoInDoubt):
    """The stage of a load that has begun is not there."""

    def __init__(self, folder: Folder) -> None:
        super().__init__(
            f"The stage of this load is gone from {folder}: whether all of it was sent is not known any more. Clear this task to load"
            " anew. Profiles and members are then written again, which changes nothing; of events Klaviyo keeps the first; of consent, look in"
            " Klaviyo first whether it has what was sent, because a subscription that is asked for twice may be mailed twice. staging_path must"
            " be a folder that every worker reaches and nobody empties while a load is under way."
        )


@dataclass(slots=True)
class Manifest:
    """
    What staging found.

    :param read: Rows read from the source.
    :param reasons: Rows that ended while staging, by ``fate: code``.
    :param dropped: Optional fields left out, by ``field: reason``.
    :param batches: The batches in order, each with its number of rows.
    :param outcome_files: How many files hold the rows that ended while staging.
    :param left_out: Rows that were read and are none of those to be loaded.
    :param removed: People who are to be taken out of the list.
    :param account: Klaviyo's id of the account the rows are for, where that is known.
    :param bound: What the load cannot change any more, in a digest.
    :param staged_at: When, as ISO 8601: the age of events counts from it.
    """

    read: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    batches: dict[str, int] = field(default_factory=dict)
    outcome_files: int = 0
    left_out: int = 0
    removed: int = 0
    account: str = ""
    bound: str = ""
    staged_at: str = ""

    def count(self, outcome: Outcome) -> None:
        """Count a row that ended while staging."""
        reason = f"{outcome.fate}: {outcome.code}"
        self.reasons[reason] = self.reasons.get(reason, 0) + 1

    def ended(self, fate: Fate) -> int:
        """Return how many rows ended so while staging."""
        return sum(count for reason, count in self.reasons.items() if reason.startswith(f"{fate}: "))


class Stage:
    """
    The files of one load.

    :param folder: The load's own folder.
    """

    def __init__(self, folder: Folder) -> None:
        self.folder = folder

    def create(self) -> None:
        """Make the folder, empty."""
        self.remove()
        self.folder.mkdir(parents=True, exist_ok=True)

    def put(self, name: str, body: bytes, keys: list[str], identities: Iterable[bytes], marks: Iterable[bytes] = ()) -> None:
        """
        Lay a batch ready.

        :param name: The batch's name.
        :param body: The compressed body.
        :param keys: The keys of its rows, in order.
        :param identities: Whom or what its rows are about, in order.
        :param marks: What its rows say, in order, where that is compared with the next load's.
        """
        (self.folder / f"{name}.keys.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, keys)).encode(), 1))
        (self.folder / f"{name}.ids").write_bytes(b"".join(identities))
        if packed := b"".join(marks):
            (self.folder / f"{name}.marks").write_bytes(packed)
        (self.folder / f"{name}.json.gz").write_bytes(body)

    def body(self, name: str) -> bytes:
        """Return a batch's body, compressed."""
        return self._read(f"{name}.json.gz")

    def keys(self, name: str) -> list[str]:
        """Return the keys of a batch's rows."""
        return [json.loads(line) for line in gzip.decompress(self._read(f"{name}.keys.gz")).decode().splitlines()]

    def identities(self, name: str) -> list[bytes]:
        """Return whom or what a batch's rows are about."""
        return self._cut(f"{name}.ids")

    def marks(self, name: str) -> list[bytes]:
        """Return what a batch's rows say; nothing where that is not compared."""
        return self._cut(f"{name}.marks") if (self.folder / f"{name}.marks").exists() else []

    def _cut(self, name: str) -> list[bytes]:
        packed = self._read(name)
        return [packed[at : at + WIDTH] for at in range(0, len(packed), WIDTH)]

    def put_outcomes(self, name: str, outcomes: Iterable[Outcome]) -> None:
        """Write down which rows were not loaded, and why."""
        lines = "".join(json.dumps(each.as_json()) + "\n" for each in outcomes)
        (self.folder / f"{name}.outcomes.jsonl.gz").write_bytes(gzip.compress(lines.encode(), 1))

    def outcomes(self, name: str) -> Iterator[Json]:
        """Yield the rows of a batch that were not loaded."""
        path = self.folder / f"{name}.outcomes.jsonl.gz"
        if path.exists():
            yield from map(json.loads, gzip.decompress(path.read_bytes()).decode().splitlines())

    def put_manifest(self, manifest: Manifest) -> None:
        """Write down what staging found."""
        (self.folder / "manifest.json").write_bytes(json.dumps(asdict(manifest)).encode())

    def manifest(self) -> Manifest:
        """
        Return what staging found.

        :raises StageLost: Nothing is there.
        """
        return Manifest(**json.loads(self._read("manifest.json")))

    def _read(self, name: str) -> bytes:
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            raise StageLost(self.folder) from None

    def remove(self) -> None:
        """Delete the folder with all that is in it."""
        if self.folder.exists():
            # The manifest first: without it nobody takes the rest for a stage.
            for path in sorted(self.folder.iterdir(), key=lambda each: each.name != "manifest.json"):
                path.unlink()
            _rmdir(self.folder)


def _rmdir(folder: Any) -> None:
    """Delete an empty folder; object storage has none, and says so in its own way."""
    try:
        folder.rmdir()
    except (OSError, NotImplementedError):
        return

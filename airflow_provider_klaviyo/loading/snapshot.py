# SPDX-License-Identifier: Apache-2.0
"""
The snapshot: what Klaviyo was last known to hold of each row, so that a load sends only what has changed.

A row that is wrongly taken for unchanged is never sent again, so what is not certain is not in it. Before a load sends a row it puts
its mark on it (:meth:`Snapshot.begin`), which looks like no row's fingerprint. When it is done, a row that still has its mark gets the
fingerprint of what was sent (:meth:`Snapshot.replace`). One that has another mark or none was sent by two loads at once, and nobody
can tell whose Klaviyo holds: it leaves the snapshot and is sent again. A load that dies leaves its marks, with the same effect. What
is not noticed is a load that dies for good while another sends the same rows: loads that share a snapshot belong one behind the other.

A snapshot is a file that is written under a new name, ``<number>-<load>.snapshot``, and counts only with its last bytes: object
storage cannot rename, and a process may die while it writes. The one before is removed when it is complete. Beside the rows it says of
each load that has begun that it has, and of the last that it was taken in: a load may die before it has written that down itself.
"""

from __future__ import annotations

import logging
import re
import sqlite3
import struct
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from hashlib import blake2b
from itertools import chain, islice
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_klaviyo.loading.plan import Folder

log = logging.getLogger(__name__)

PAIR = struct.Struct(">qq")
"""An identity and a fingerprint, as SQLite's whole numbers."""
ONE = struct.Struct(">q")
TRAILER = struct.Struct(">8sQ16s")
"""What a complete file ends with: :data:`FORMAT`, the number of its pairs, and their digest."""
FORMAT = b"klvsnap1"
BLOCK = 16_384
"""Pairs that are read or written at once."""
NAME = re.compile(r"(\d{12})-.+\.snapshot")
TAKEN = blake2b(b"", digest_size=8, person=b"taken").digest()
"""What stands in place of a load's mark where it says that it has begun, once it was taken in."""
ATTEMPTS = 5
"""How often a snapshot is written while others write theirs."""

BEGUN = """
SELECT identity, fingerprint FROM given
UNION ALL SELECT identity, fingerprint FROM held WHERE identity NOT IN (SELECT identity FROM given)
ORDER BY 1"""
DONE = """
SELECT held.identity,
    CASE WHEN given.identity IS NULL THEN nullif(held.fingerprint, :taken) WHEN held.fingerprint = :mark THEN given.fingerprint END AS kept
FROM held LEFT JOIN given ON given.identity = held.identity
WHERE kept IS NOT NULL
ORDER BY 1"""


class Fingerprints:
    """
    Fingerprints by identity, each of eight bytes, on disk: the memory a load takes does not grow with its rows.

    :param database: An open SQLite database that nobody else uses.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute("BEGIN")  # never committed: it goes with the load
        for table in ("held", "given"):
            self._database.execute(f"CREATE TABLE {table} (identity INTEGER PRIMARY KEY, fingerprint INTEGER)")

    def get(self, identity: bytes) -> bytes | None:
        """Return the fingerprint of an identity, ``None`` for one that is not known."""
        found = self._database.execute("SELECT fingerprint FROM held WHERE identity = ?", ONE.unpack(identity)).fetchone()
        return None if found is None else ONE.pack(found[0])

    def update(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Add identities with their fingerprints, both as numbers, in place of what was known of them."""
        self._database.executemany("INSERT OR REPLACE INTO held VALUES (?, ?)", pairs)

    def clear(self) -> None:
        """Forget everything but what was given."""
        self._database.execute("DELETE FROM held")

    def give(self, pairs: Iterable[tuple[bytes, bytes | None]]) -> bool:
        """Keep what :meth:`merged` takes in; ``None`` is to be forgotten, the last of each counts. Return whether there is anything."""
        numbers = ((*ONE.unpack(identity), None if each is None else ONE.unpack(each)[0]) for identity, each in pairs)
        while block := list(islice(numbers, BLOCK)):
            block.sort(key=itemgetter(0))  # neighbours lie on one page: twice as fast
            self._database.executemany("INSERT OR REPLACE INTO given VALUES (?, ?)", block)
        return self._database.execute("SELECT 1 FROM given").fetchone() is not None

    def merged(self, query: str, values: Mapping[str, int]) -> Iterator[bytes]:
        """Yield blocks of pairs in the order of their identities: what is known, and what was given, by a query over the two."""
        rows = self._database.execute(query, values)
        while block := rows.fetchmany(BLOCK):
            yield b"".join([PAIR.pack(*row) for row in block])


@contextmanager
def fingerprints() -> Iterator[Fingerprints]:
    """Open an empty set of fingerprints in a temporary file."""
    with (
        tempfile.TemporaryDirectory(prefix="klaviyo-snapshot-") as folder,
        closing(sqlite3.connect(Path(folder) / "fingerprints.db", isolation_level=None)) as database,
    ):
        database.execute("PRAGMA cache_size = -8000")
        yield Fingerprints(database)


class Snapshot:
    """
    The snapshot in a folder.

    :param folder: The folder of one account, and of the loads that are about the same rows.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def read(self, into: Fingerprints) -> None:
        """
        Read the newest snapshot that is complete; there may be none.

        :param into: Where it goes, in place of what was there.
        """
        self._read(into, besides=set())

    def begin(self, load_id: str, identities: Iterable[bytes]) -> None:
        """
        Put a load's mark on the rows it is about to send, before the first request; again does nothing.

        :param load_id: The load.
        :param identities: Its rows.
        """
        mark, entry = _mark(load_id), _entry(load_id)
        self._write(load_id, ((each, mark) for each in identities), (entry, mark), BEGUN)

    def replace(self, load_id: str, rows: Iterable[tuple[bytes, bytes]], forget: Iterable[bytes]) -> None:
        """
        Take in what became of the rows a load has begun, and remove the snapshots before; again does nothing.

        :param load_id: The load.
        :param rows: What Klaviyo took, by identity with its fingerprint.
        :param forget: The rows of which it is not known what Klaviyo holds now; ``rows`` may have some of them, which are kept.
        """
        given = chain(((each, None) for each in forget), rows)
        self._write(load_id, given, (_entry(load_id), TAKEN), DONE, taken=ONE.unpack(TAKEN)[0], mark=ONE.unpack(_mark(load_id))[0])

    def _write(
        self,
        load_id: str,
        given: Iterable[tuple[bytes, bytes | None]],
        entry: tuple[bytes, bytes],
        query: str,
        **values: int,
    ) -> None:
        """Write a snapshot where none has the entry, and once more if somebody else has written one meanwhile, who did not see this one."""
        written: set[str] = set()
        with fingerprints() as held:
            if not held.give(given):
                return
            held.give([entry])
            for _ in range(ATTEMPTS):
                self._read(held, besides=written)
                if held.get(entry[0]) == entry[1]:
                    return
                path = self._next(load_id)
                _put(path, held.merged(query, values))
                written.add(path.name)
                if not any(each.name[:12] >= path.name[:12] and each.name not in written for each in self._files()):
                    break
        for each in self._files():
            if each.name[:12] < path.name[:12]:
                with suppress(FileNotFoundError):
                    each.unlink()

    def _read(self, into: Fingerprints, *, besides: set[str]) -> None:
        passed = set(besides)
        while path := next((each for each in self._files() if each.name not in passed), None):
            into.clear()
            try:
                if _fill(path, into):
                    return
                log.warning("%s is not complete: whoever wrote it died, or is at it. The snapshot before is used.", path)
            except FileNotFoundError:
                pass  # another load has written a newer one, and removed it
            passed.add(path.name)
        into.clear()

    def _next(self, load_id: str) -> Folder:
        self._folder.mkdir(parents=True, exist_ok=True)
        number = max((int(each.name[:12]) for each in self._files()), default=0) + 1
        return self._folder / f"{number:012d}-{load_id}.snapshot"

    def _files(self) -> list[Folder]:
        """Return the snapshots, the newest first."""
        found = [each for each in self._folder.iterdir() if NAME.fullmatch(each.name)] if self._folder.exists() else []
        return sorted(found, key=lambda each: each.name, reverse=True)


def _put(path: Folder, blocks: Iterable[bytes]) -> None:
    digest, count = _digest(), 0
    with path.open("wb") as file:
        for block in blocks:
            file.write(block)
            digest.update(block)
            count += len(block) // PAIR.size
        file.write(TRAILER.pack(FORMAT, count, digest.digest()))


def _fill(path: Folder, into: Fingerprints) -> bool:
    """Read a file; return whether it is complete."""
    digest, count, rest = _digest(), 0, b""
    with path.open("rb") as file:
        while read := file.read(BLOCK * PAIR.size):
            rest += read
            block, rest = _cut(rest)
            digest.update(block)
            count += len(block) // PAIR.size
            into.update(PAIR.iter_unpack(block))
    return rest == TRAILER.pack(FORMAT, count, digest.digest())


def _cut(read: bytes) -> tuple[bytes, bytes]:
    """Cut off the pairs that are whole, and leave as much as the trailer has."""
    at = max(0, len(read) - TRAILER.size) // PAIR.size * PAIR.size
    return read[:at], read[at:]


def _digest() -> Any:
    return blake2b(digest_size=16)


def _mark(load_id: str) -> bytes:
    """Return what stands for the fingerprint of a row that a load sends."""
    return blake2b(load_id.encode(), digest_size=8, person=b"mark").digest()


def _entry(load_id: str) -> bytes:
    """Return the identity under which stands how far a load has come."""
    return blake2b(load_id.encode(), digest_size=8, person=b"load").digest()

# SPDX-License-Identifier: Apache-2.0
"""A set of eight-byte names on disk: the memory a load takes does not grow with its rows."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

WIDTH = 8


class Seen:
    """
    Names that were met, each with a number that says how.

    :param database: An open SQLite database that nobody else uses.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute("BEGIN")  # never committed: it goes with the load
        self._database.execute("CREATE TABLE seen (name INTEGER PRIMARY KEY, how INTEGER)")

    def add(self, name: bytes, how: int = 0) -> bool:
        """Add a name; return whether it is new."""
        return self._database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (_number(name), how)).rowcount == 1

    def update(self, names: Iterable[bytes], how: int) -> None:
        """Add many names, taking the last ``how`` of each."""
        self._database.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?)", ((_number(name), how) for name in names))

    def get(self, name: bytes) -> int | None:
        """Return how a name was met, or ``None`` if it was not."""
        found = self._database.execute("SELECT how FROM seen WHERE name = ?", (_number(name),)).fetchone()
        return None if found is None else int(found[0])


@contextmanager
def seen() -> Iterator[Seen]:
    """Open an empty set in a temporary file."""
    with (
        tempfile.TemporaryDirectory(prefix="klaviyo-seen-") as folder,
        closing(sqlite3.connect(Path(folder) / "seen.db", isolation_level=None)) as database,
    ):
        database.execute("PRAGMA cache_size = -8000")
        yield Seen(database)


def _number(name: bytes) -> int:
    return int.from_bytes(name, "big", signed=True)

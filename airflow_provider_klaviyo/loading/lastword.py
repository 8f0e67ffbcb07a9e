# SPDX-License-Identifier: Apache-2.0
"""
Of several words that a load has about one person and channel, find the one that holds.

It is found before any is sent. Klaviyo carries requests out some minutes after it has accepted them, and in no known order: a yes and
a no that were both sent could end either way.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from airflow_provider_klaviyo.loading.consent import identity
from airflow_provider_klaviyo.loading.rows import Fate, Json, Outcome
from airflow_provider_klaviyo.loading.said import NOES, Action

Kept = tuple[str, str, int, str]
"""Whose word it is and about what, what it asks for, how late it is, and the row's key with the word."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
AT_ONCE = 1_000
OVERRULED_BY = {
    Action.SUBSCRIBE: (Action.UNSUBSCRIBE, Action.SUPPRESS),
    Action.UNSUBSCRIBE: (Action.SUBSCRIBE,),
    Action.SUPPRESS: (Action.SUBSCRIBE, Action.UNSUPPRESS),
    Action.UNSUPPRESS: (Action.SUPPRESS,),
}
"""Which words a word cannot stand beside. To be unsubscribed and to be suppressed are two things, and one does not take the other back."""
REASONS = {
    "duplicate": (Fate.DUPLICATE, "another row of this load says the same of the same person and channel, and is as late or later"),
    "contradicted": (
        Fate.SKIPPED,
        "another row of this load says the opposite of the same person and channel; the later word is sent, and where no date tells, the no",
    ),
}


def rank(word: Mapping[str, Any]) -> int:
    """
    Return how late a word is.

    A no without a date is later than all others, a yes without one earlier than all. Of two at the same time the no is later.
    """
    no = word["action"] in NOES
    if "consented_at" not in word:
        return 2**63 - 1 if no else 0
    return (datetime.fromisoformat(word["consented_at"]) - EPOCH) // MICROSECOND * 2 + no


def overruled(said: Mapping[int, tuple[str, int]]) -> dict[int, str]:
    """
    Return which words about one person and channel do not hold, and why in a word.

    :param said: What each asks for and how late it is, by its place.
    """
    latest: dict[str, tuple[int, int]] = {}
    for at, (action, late) in said.items():
        if action not in latest or late > latest[action][1]:
            latest[action] = at, late
    holding = {at for at, _ in latest.values()}
    lost = {at: "duplicate" for at in said if at not in holding}
    for action, (at, late) in latest.items():
        if any(latest[other][1] > late for other in OVERRULED_BY[Action(action)] if other in latest):
            lost[at] = "contradicted"
    return lost


def last_words(said: Iterable[tuple[str, Json] | Outcome]) -> Iterator[tuple[str, Json] | Outcome]:
    """
    Yield the words that hold, and for each other one what became of it.

    All are read before the first word is yielded; they lie in a temporary file meanwhile, not in memory.

    :param said: Words with the keys of their rows. Rows that have ended go through.
    """
    with _database() as database:
        words: list[Kept] = []
        for each in said:
            if isinstance(each, Outcome):
                yield each
                continue
            word = each[1]
            words.append(("\x00".join(identity(word)), word["action"], rank(word), json.dumps(each)))
            if len(words) == AT_ONCE:
                _keep(database, words)
        _keep(database, words)
        _judge(database)
        for kept, code in database.execute("SELECT word, code FROM words LEFT JOIN lost USING (at) ORDER BY at"):
            key, word = json.loads(kept)
            if code is None:
                yield key, word
            else:
                fate, reason = REASONS[code]
                yield Outcome(key, fate, "dedupe", code, reason)


@contextmanager
def _database() -> Iterator[sqlite3.Connection]:
    with (
        tempfile.TemporaryDirectory(prefix="klaviyo-words-") as folder,
        closing(sqlite3.connect(Path(folder) / "words.db", isolation_level=None)) as database,
    ):
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
        database.execute("PRAGMA cache_size = -8000")
        database.execute("BEGIN")  # never committed: it goes with the load
        database.execute("CREATE TABLE words (at INTEGER PRIMARY KEY, who TEXT, action TEXT, late INTEGER, word TEXT)")
        database.execute("CREATE TABLE lost (at INTEGER PRIMARY KEY, code TEXT)")
        yield database


def _keep(database: sqlite3.Connection, words: list[Kept]) -> None:
    database.executemany("INSERT INTO words (who, action, late, word) VALUES (?, ?, ?, ?)", words)
    words.clear()


def _judge(database: sqlite3.Connection) -> None:
    """Write down which words do not hold."""
    database.execute("CREATE INDEX people ON words (who)")
    met_again = "SELECT who FROM words GROUP BY who HAVING count(*) > 1"
    several = f"SELECT who, at, action, late FROM words WHERE who IN ({met_again}) ORDER BY who, at"  # noqa: S608 - our own words
    for _, said in groupby(database.execute(several), key=itemgetter(0)):
        lost = overruled({at: (action, late) for _, at, action, late in said})
        database.executemany("INSERT INTO lost VALUES (?, ?)", lost.items())

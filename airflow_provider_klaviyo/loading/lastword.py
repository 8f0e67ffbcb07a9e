# SPDX-License-Identifier: Apache-2.0
"""
Of several words that a load has about one person and channel, find the one that holds.

It is found before any is sent. Klaviyo carries requests out some minutes after it has accepted them, and in no known order: a yes and
a no that were both sent could end either way. For the same reason two people who share an identifier, such as a family's phone number, are
told apart here: Klaviyo's state does not show it where both are new to it.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import groupby, permutations
from operator import itemgetter
from pathlib import Path
from typing import Any

from airflow_provider_klaviyo.loading.consent import identity
from airflow_provider_klaviyo.loading.rows import Fate, Json, Outcome
from airflow_provider_klaviyo.loading.said import NOES, Action
from airflow_provider_klaviyo.loading.standing import NAMES, own

Kept = tuple[str, str, int, str]
"""Whose word it is and about what, what it asks for, how late it is, and the row's key with the word."""
Pair = tuple[str, str, str]
"""An identifier, and of another that stands in the same row the kind and the value."""
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

    All are read before the first word is yielded; they lie in a temporary file meanwhile, not in memory. A yes comes without those
    identifiers of its row that other words of the load have beside another one of the same kind: it is not told whose they are.

    :param said: Words with the keys of their rows. Rows that have ended go through.
    """
    with _database() as database:
        words: list[Kept] = []
        pairs: list[Pair] = []
        for each in said:
            if isinstance(each, Outcome):
                yield each
                continue
            word = each[1]
            words.append(("\x00".join(identity(word)), word["action"], rank(word), json.dumps(each)))
            pairs.extend(_pairs(word))
            if len(words) == AT_ONCE:
                _keep(database, words, pairs)
        _keep(database, words, pairs)
        _judge(database)
        for kept, code in database.execute("SELECT word, code FROM words LEFT JOIN lost USING (at) ORDER BY at"):
            key, word = json.loads(kept)
            if code is None:
                yield key, _without_shared(database, word)
            else:
                fate, reason = REASONS[code]
                yield Outcome(key, fate, "dedupe", code, reason)


def _pairs(word: Mapping[str, Any]) -> Iterator[Pair]:
    """Yield which identifiers stand together, each with the kind and the value of each other."""
    known = {name: f"{name}:{str(word[name]) if name == 'id' else str(word[name]).lower()}" for name in NAMES if word.get(name)}
    yield from ((known[one], other, known[other]) for one, other in permutations(known, 2))


def _without_shared(database: sqlite3.Connection, word: Json) -> Json:
    """Leave those identifiers out of a yes that are not its person's alone, or of which its person has several."""
    if word["action"] != Action.SUBSCRIBE:
        return word
    kind, ask = own(word), "SELECT 1 FROM shared WHERE (one = ? AND kind = ?) OR (one = ? AND kind = ?)"
    left_out = {
        name
        for mine, name, value in _pairs(word)
        if mine.startswith(f"{kind}:") and database.execute(ask, (mine, name, value, kind)).fetchone()
    }
    return {name: value for name, value in word.items() if name not in left_out}


@contextmanager
def _database() -> Iterator[sqlite3.Connection]:
    with tempfile.TemporaryDirectory(prefix="klaviyo-words-") as folder:
        database = sqlite3.connect(Path(folder) / "words.db", isolation_level=None)
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
        database.execute("PRAGMA cache_size = -8000")
        database.execute("BEGIN")  # never committed: it goes with the load
        database.execute("CREATE TABLE words (at INTEGER PRIMARY KEY, who TEXT, action TEXT, late INTEGER, word TEXT)")
        database.execute("CREATE TABLE pairs (one TEXT, kind TEXT, other TEXT)")
        database.execute("CREATE TABLE lost (at INTEGER PRIMARY KEY, code TEXT)")
        database.execute("CREATE TABLE shared (one TEXT, kind TEXT, PRIMARY KEY (one, kind)) WITHOUT ROWID")
    # From here on the file has no name: a worker that is killed leaves nobody's address behind.
    with closing(database):
        yield database


def _keep(database: sqlite3.Connection, words: list[Kept], pairs: list[Pair]) -> None:
    database.executemany("INSERT INTO words (who, action, late, word) VALUES (?, ?, ?, ?)", words)
    database.executemany("INSERT INTO pairs VALUES (?, ?, ?)", pairs)
    words.clear()
    pairs.clear()


def _judge(database: sqlite3.Connection) -> None:
    """Write down which words do not hold, and which identifiers stand beside several of a kind."""
    database.execute("INSERT INTO shared SELECT one, kind FROM pairs GROUP BY one, kind HAVING min(other) != max(other)")
    database.execute("CREATE INDEX people ON words (who)")
    met_again = "SELECT who FROM words GROUP BY who HAVING count(*) > 1"
    several = f"SELECT who, at, action, late FROM words WHERE who IN ({met_again}) ORDER BY who, at"  # noqa: S608 - our own words
    for _, said in groupby(database.execute(several), key=itemgetter(0)):
        lost = overruled({at: (action, late) for _, at, action, late in said})
        database.executemany("INSERT INTO lost VALUES (?, ?)", lost.items())

# SPDX-License-Identifier: Apache-2.0
"""Make the members of a list exactly the people that rows name: who is missing is added, who is named by no row is taken out."""

from __future__ import annotations

import logging
import re
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_klaviyo.api import lists
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.pages import in_large_pages
from airflow_provider_klaviyo.loading.checks import Check
from airflow_provider_klaviyo.loading.kinds import Kind, Profiles, digest, person
from airflow_provider_klaviyo.loading.lanes import Lane, encode, rows_lane
from airflow_provider_klaviyo.loading.rows import Fate, Json, Outcome, Reject, Skip

if TYPE_CHECKING:
    from airflow_provider_klaviyo.session import Session

log = logging.getLogger(__name__)

FOUND_BY = ("id", "email", "phone_number", "external_id")
PAGE = 100
MOST_REMOVED = 0.5
"""The share of the members that may be taken out, where nothing else is said."""


class Members(Kind):
    """
    The members of a list: https://developers.klaviyo.com/en/reference/add_profiles_to_list and its like. That subscribes and unsubscribes nobody.

    Rows name people by Klaviyo's ``id``, or by ``email``, ``phone_number`` or ``external_id``; who is unknown becomes a profile. While rows
    are rejected it is not known whom they name, and nobody is taken out.

    :param list_id: The list.
    :param max_change: The most members who may be taken out: a count, or below 1 a share.
    :param allows: Whether so many rows of so many may be rejected: then people are only added. By default that stops the load.
    """

    def __init__(
        self, list_id: str, max_change: float | None = None, allows: Callable[[int, int], bool] = lambda rejected, _read: not rejected
    ) -> None:
        def ids(rows: Sequence[Json]) -> list[str]:
            return [each["id"] for each in rows]

        people = Profiles(list_id)
        super().__init__(
            people.lanes["bulk"],
            rows_lane(
                "remove",
                f"/api/lists/{list_id}/relationships/profiles",
                lambda rows: lists.remove_profiles(list_id=list_id, profile_ids=ids(rows)),
                repeatable=True,
                most=lists.MOST_MEMBERS,
                pointer=re.compile(r"/data/(\d+)(/.*)?"),
                fate=Fate.LOADED,
                counted=False,
            ),
        )
        self.list_id, self.people = list_id, people
        self.max_change = MOST_REMOVED if max_change is None else max_change
        self.allows = allows
        self._members: sqlite3.Connection | None = None
        self._read = self._named = 0
        self._rejected: Counter[str] = Counter()
        self._still_there: set[str] = set()
        self._shown: set[str] | None = None

    def open(self, session: Session, stack: ExitStack) -> None:
        """Read who is in the list now."""
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="klaviyo-members-"))
        database = stack.enter_context(closing(sqlite3.connect(Path(folder) / "members.db", isolation_level=None)))
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA cache_size = -8000")
        database.execute("BEGIN")
        database.execute("CREATE TABLE members (id TEXT PRIMARY KEY, wanted INTEGER DEFAULT 0) WITHOUT ROWID")
        database.execute("CREATE TABLE names (name BLOB PRIMARY KEY, id TEXT) WITHOUT ROWID")
        asked = lists.profiles(list_id=self.list_id, fields={"profile": list(FOUND_BY[1:])}, page_size=PAGE)
        for member in session.walk(asked):
            database.execute("INSERT OR IGNORE INTO members (id) VALUES (?)", (member["id"],))
            known = {"id": member["id"], **member["attributes"]}
            names = ((_name(name, value), member["id"]) for name in FOUND_BY if (value := known.get(name)))
            database.executemany("INSERT OR IGNORE INTO names VALUES (?, ?)", names)
        self._members = database
        stack.callback(self._forget)

    def _forget(self) -> None:
        self._members = None

    def rows(self, data: Mapping[str, Any], check: Check) -> Iterator[tuple[str, Json] | Skip | Reject]:
        """Yield whom a row names."""
        for name in data:
            if name not in FOUND_BY:
                raise KlaviyoConfigError(f"{name!r}: a row of a list's members has nothing but {', '.join(FOUND_BY)}.")
        yield "", check.profile(data)

    def identity(self, data: Json) -> bytes:
        """Name the person."""
        return digest(person(data))

    def item(self, data: Json) -> bytes:
        """Write down whom a row names."""
        return encode(data) if "removed" in data else self.people.item(data)

    def lane(self, data: Json) -> str:
        """Return the lane of somebody to be added or taken out."""
        return "remove" if "removed" in data else "bulk"

    def holding(self, said: Iterator[tuple[str, Json] | Outcome]) -> Iterator[tuple[str, Json] | Outcome]:
        """Count the rows, and those that name nobody because they are rejected."""
        for each in said:
            self._read += 1
            if isinstance(each, Outcome) and each.fate is Fate.REJECTED:
                self._rejected[each.code] += 1
            yield each

    def known(self, key: str, data: Json) -> Outcome | None:
        """Return what becomes of somebody who is in the list."""
        database = self._opened
        self._named += 1
        for name in FOUND_BY:
            if not (value := data.get(name)):
                continue
            found = database.execute(
                "SELECT m.id, m.wanted FROM names n JOIN members m USING (id) WHERE n.name = ?", (_name(name, value),)
            ).fetchone()
            if found and found[1]:
                return Outcome(key, Fate.DUPLICATE, "dedupe", "duplicate", "an earlier row names the same member")
            if found:
                database.execute("UPDATE members SET wanted = 1 WHERE id = ?", (found[0],))
                return Outcome(key, Fate.UNCHANGED, "dedupe", "member", "is in the list already")
        return None

    def leftovers(self) -> Iterator[tuple[str, Json]]:
        """
        Yield the members whom no row has named.

        :raises KlaviyoConfigError: They are more than may be taken out, or it is not known whom all rows name.
        """
        members, surplus = self._opened.execute("SELECT count(*), count(*) FILTER (WHERE NOT wanted) FROM members").fetchone()
        if not self._named:
            raise KlaviyoConfigError(
                "no row names anybody, and the list would be emptied: nothing is sent. Delete the list if that is meant."
            )
        if surplus and not self._all_are_known(surplus):
            return
        most = self.max_change * members if self.max_change < 1 else self.max_change
        if surplus > most:
            raise KlaviyoConfigError(
                f"{surplus:,} of the list's {members:,} members are named by no row and would be taken out, more than"
                f" max_change={self.max_change:g}: nothing is sent. Check the source, or raise max_change."
            )
        for (profile_id,) in self._opened.execute("SELECT id FROM members WHERE NOT wanted ORDER BY id"):
            yield f"member {profile_id}", {"id": profile_id, "removed": True}

    def _all_are_known(self, surplus: int) -> bool:
        if not self._rejected:
            return True
        count = self._rejected.total()
        why = ", ".join(f"{code}: {each:,}" for code, each in self._rejected.most_common())
        unread = f"{count:,} of {self._read:,} rows are rejected ({why}), and whom they name is not known"
        if not self.allows(count, self._read):
            raise KlaviyoConfigError(
                f"{unread}; {surplus:,} of the list's members are named by no other row: nothing is sent. Mend the rows, or say with"
                " allowed_rejects how many there may be: then people are only added, and the rejects file says which rows they are."
            )
        log.warning("%s: people are added, and nobody is taken out; %s of the list's members are named by no other row.", unread, surplus)
        return False

    @property
    def _opened(self) -> sqlite3.Connection:
        if self._members is None:
            raise RuntimeError("the members are read before the rows are")
        return self._members

    def shown(self, session: Session, lane: Lane, items: Sequence[Json]) -> list[bool] | None:
        """Look who is in the list; who was taken out is not."""
        if lane.name == "bulk":
            return self.people.shown(session, lane, items)
        ids = [each["id"] for each in items]
        if self._shown is None or not self._still_there.isdisjoint(ids):  # these were asked for before
            self._shown = {each["id"] for each in session.walk(in_large_pages(lists.profile_ids(list_id=self.list_id)))}
        self._still_there = self._shown.intersection(ids)
        return [each not in self._shown for each in ids]


def _name(name: str, value: Any) -> bytes:
    """Shorten an identifier in the form in which two are compared."""
    return digest(name, str(value).lower() if name == "email" else str(value))

# SPDX-License-Identifier: Apache-2.0
"""What the local Klaviyo holds, how it behaves, and what was asked of it."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from airflow_provider_klaviyo.sandbox.klaviyo import database
from airflow_provider_klaviyo.sandbox.klaviyo.limiter import Limiter

KEY = "pk_sandbox"
ACCOUNT = "SandBx"
MICROS = 1_000_000
KEEP_BYTES = 64_000_000


@dataclass
class Behaviour:
    """
    How the local Klaviyo acts where Klaviyo's own behaviour is set by the account, or is not known.

    :param keys: Private keys and their scopes; ``None`` for all scopes.
    :param limits: Whether the documented rate limits hold.
    :param job_seconds: How long an import job takes.
    :param reused_unique_id: What a bulk request gets whose event was sent before: the event is dropped in silence, or the request refused.
    :param appended_again: What becomes of a value that is appended to a list which holds it.
    :param late_checks: Attributes of profiles that are not checked at the request, so that a bad one is an import error after the job.
    :param unwelcome: E-mail addresses that are refused although nothing can be seen to be wrong with them: not all of Klaviyo's rules are known.
    :param pointers: How much of what is wrong with a body is told.
    :param plain_import_errors: Import errors point at ``/data`` and leave out the payload, as the specification allows.
    :param gzip_bodies: Whether compressed bodies are taken; 415 otherwise.
    :param links: Where links lead, such as ``https://a.klaviyo.com``; ``None`` for the host that was asked, always with ``https``, since
        the official SDK follows no other.
    """

    keys: dict[str, frozenset[str] | None] = field(default_factory=lambda: {KEY: None})
    limits: Literal["documented", "off"] = "documented"
    job_seconds: float = 2.0
    reused_unique_id: Literal["drop", "refuse"] = "drop"
    appended_again: Literal["add", "drop"] = "add"
    late_checks: frozenset[str] = frozenset()
    unwelcome: frozenset[str] = frozenset()
    pointers: Literal["all", "first", "none"] = "all"
    plain_import_errors: bool = False
    gzip_bodies: bool = True
    links: str | None = None


@dataclass(frozen=True)
class JobPlan:
    """
    How an import job to come ends.

    :param status: Any word, known or not; the rows of a job that is not ``complete`` are not imported.
    :param fail: Rows that become import errors, by their place in the request.
    :param late: Attributes that are checked when the job runs, not before.
    """

    status: str = "complete"
    fail: frozenset[int] = frozenset()
    late: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Received:
    """
    A request as it came.

    :param name: Method and path template, such as ``POST /api/profile-bulk-import-jobs``.
    :param path: The path with its ids.
    :param query: The query, unquoted.
    :param headers: Names in lower case.
    :param raw: The body, compressed or not.
    :param status: The status it was answered with.
    """

    name: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes
    status: int

    @property
    def body(self) -> Any:
        """The JSON that was sent, ``None`` for none."""
        text = gzip.decompress(self.raw) if self.headers.get("content-encoding") == "gzip" else self.raw
        return json.loads(text) if text else None


class KlaviyoState:
    """
    An account of the local Klaviyo.

    :param behaviour: How it acts; :meth:`reset` returns to this.
    :param clock: Seconds since 1970. A test may bring its own, and so move time.
    :param window: Whether rate limit windows begin at full seconds and minutes, or slide.
    :param keep: How many requests :attr:`received` remembers; fewer, if they are large.
    """

    def __init__(
        self,
        behaviour: Behaviour | None = None,
        *,
        clock: Callable[[], float] = time.time,
        window: Literal["fixed", "sliding"] = "fixed",
        keep: int = 200,
    ) -> None:
        self._initial = behaviour or Behaviour()
        self.behaviour = replace(self._initial, keys=dict(self._initial.keys))
        self.clock = clock
        self.limiter = Limiter(clock, window)
        self.lock = threading.RLock()
        self.db = database.connect()
        self.requests: Counter[str] = Counter()  #: Requests by method and path template, and under ``"429"`` those that came too often.
        self.received: deque[Received] = deque(maxlen=keep)  #: The latest requests that got past any fault, oldest first.
        self.pending: dict[str, tuple[list[dict[str, Any]], JobPlan]] = {}
        self.plans: deque[JobPlan] = deque()

    def now(self) -> int:
        """Return the clock in microseconds."""
        return int(self.clock() * MICROS)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all of the block or nothing of it."""
        self.db.execute("BEGIN")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def reset(self) -> None:
        """Forget everything, and behave as at the start."""
        with self.lock:
            for table in database.TABLES:
                self.db.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
            self.behaviour = replace(self._initial, keys=dict(self._initial.keys))
            self.limiter.clear()
            self.limiter.foreign_share = 0.0
            self.requests.clear()
            self.received.clear()
            self.pending.clear()
            self.plans.clear()

    def remember(self, received: Received) -> None:
        """Keep a request for :attr:`received`, and let go of old ones where they are large."""
        with self.lock:
            self.received.append(received)
            while len(self.received) > 1 and sum(len(each.raw) for each in self.received) > KEEP_BYTES:
                self.received.popleft()

    def close(self) -> None:
        """Let go of the database."""
        with self.lock:
            self.db.close()

    def next_job(self, status: str = "complete", *, fail: Iterable[int] = ()) -> None:
        """
        Decide how the next import job ends; several calls line up.

        :param status: ``complete``, ``cancelled``, or any other word.
        :param fail: Rows of the job, by place, that become import errors.
        """
        with self.lock:
            self.plans.append(JobPlan(status, frozenset(fail)))

    def add_foreign_jobs(self, count: int, *, status: str = "complete") -> list[str]:
        """
        Add import jobs of other clients to the job list, made just now.

        :param count: How many.
        :param status: What they are at.
        """
        with self.lock, self.transaction():
            now = self.now()
            ids = [database.job_token(ACCOUNT, now) for _ in range(count)]
            done = 100 if status == "complete" else 0
            rows = [(each, now + at, now + at, now + at, status, 100, done, 0, "[]") for at, each in enumerate(ids)]
            self.db.executemany("INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        return ids

    def unsubscribe(self, email: str) -> None:
        """
        Let a person unsubscribe from e-mail, as people do while a load runs.

        :param email: The person's address.
        :raises KeyError: Nobody has it.
        """
        consent = {"consent": "UNSUBSCRIBED", "at": self.now()}
        with self.lock:
            changed = self.db.execute(
                "UPDATE profiles SET consent = ?, updated = ? WHERE email = ?", (json.dumps(consent), consent["at"], email.lower())
            )
            if not changed.rowcount:
                raise KeyError(email)

    def counts(self) -> dict[str, int]:
        """Return how many rows each table holds, for tests and a look around."""
        with self.lock:
            return {table: self.db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in database.TABLES}  # noqa: S608

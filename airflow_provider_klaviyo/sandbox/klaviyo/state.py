# SPDX-License-Identifier: Apache-2.0
"""What the local Klaviyo holds, and what other people do to it."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal

from airflow_provider_klaviyo.sandbox.klaviyo import database, subscriptions
from airflow_provider_klaviyo.sandbox.klaviyo.behaviour import ACCOUNT, Behaviour, JobPlan
from airflow_provider_klaviyo.sandbox.klaviyo.limiter import Limiter
from airflow_provider_klaviyo.sandbox.klaviyo.oauth import Grants
from airflow_provider_klaviyo.sandbox.klaviyo.received import Received

MICROS = 1_000_000
KEEP_BYTES = 64_000_000


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
        self.grants = Grants(clock)  #: What accounts have granted OAuth apps.
        self.lock = threading.RLock()
        self.db = database.connect()
        self.requests: Counter[str] = Counter()  #: Requests by method and path template, and under ``"429"`` those that came too often.
        self.received: deque[Received] = deque(maxlen=keep)  #: The latest requests that got past any fault, oldest first.
        self.pending: dict[str, tuple[list[dict[str, Any]], JobPlan]] = {}
        self.plans: deque[JobPlan] = deque()
        self.reports: dict[str, list[dict[str, Any]]] = {}  #: What reports tell: groupings and numbers of rows, by subject.

    def now(self) -> int:
        """Return the clock in microseconds."""
        return int(self.clock() * MICROS)

    def listed_until(self) -> int:
        """Return the moment, in microseconds, up to which what was made is in lists."""
        return self.now() - int(self.behaviour.list_lag * MICROS)

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
            self.grants.clear()
            self.requests.clear()
            self.received.clear()
            self.pending.clear()
            self.plans.clear()
            self.reports.clear()

    def remember(self, received: Received) -> None:
        """Keep a request for :attr:`received`, and let go of old ones where they are large."""
        with self.lock:
            self.received.append(received)
            while len(self.received) > 1 and sum(len(each.raw) + len(each.answered) for each in self.received) > KEEP_BYTES:
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

    def add_flow(
        self,
        name: str,
        *,
        status: Literal["draft", "manual", "live"] = "draft",
        trigger_type: Literal["Added to List", "Metric", "Unconfigured"] = "Added to List",
    ) -> str:
        """
        Add a flow, as people make one in Klaviyo, and return its id.

        :param name: Its name.
        :param status: Whether it sends.
        :param trigger_type: What sets it off.
        """
        from airflow_provider_klaviyo.sandbox.klaviyo import flows

        with self._meanwhile():
            return flows.add(self, name, status, trigger_type).id

    def unsubscribe(self, email: str) -> None:
        """
        Let a person unsubscribe from e-mail, as people do while a load runs.

        :param email: The person's address.
        :raises KeyError: Nobody has it.
        """
        word = subscriptions.Word("UNSUBSCRIBED", self.now(), "PREFERENCE_PAGE")
        with self._meanwhile():
            subscriptions.record(self.db, self._named(email), subscriptions.EMAIL, word)

    def bounce(self, email: str, reason: str = "HARD_BOUNCE") -> None:
        """
        Let Klaviyo find that an address takes no e-mail.

        :param email: The person's address.
        :param reason: ``HARD_BOUNCE``, ``INVALID_EMAIL`` or ``SPAM_COMPLAINT``; ``USER_SUPPRESSED`` where a colleague says so.
        :raises KeyError: Nobody has it.
        """
        with self._meanwhile():
            subscriptions.suppress(self.db, self._named(email), reason, self.now())

    def confirm(self, identifier: str) -> None:
        """
        Let a person follow the link in the message that asks to confirm a subscription.

        :param identifier: The e-mail address or phone number that was asked.
        :raises KeyError: Nobody asked it.
        """
        from airflow_provider_klaviyo.sandbox.klaviyo import consent

        with self._meanwhile():
            consent.confirm(self, identifier)

    def meanwhile(self, deeds: Mapping[str, Any]) -> None:
        """
        Let others do something, as ``{"leave_list": [list_id, "sarah@example.com"]}``; a fault does it just before a request.

        :param deeds: What, by the names in :data:`~airflow_provider_klaviyo.sandbox.klaviyo.meanwhile.DEEDS`.
        :raises TypeError: Nothing of that name happens, or it takes other arguments.
        :raises KeyError: Nobody has the address, or there is no such list.
        """
        from airflow_provider_klaviyo.sandbox.klaviyo import meanwhile

        meanwhile.carry_out(self, deeds)

    @contextmanager
    def _meanwhile(self) -> Iterator[None]:
        """Let people do something, after what Klaviyo accepted before."""
        from airflow_provider_klaviyo.sandbox.klaviyo import later

        with self.lock:
            later.settle(self)
            with self.transaction():
                yield

    def _named(self, email: str) -> str:
        """Return the id of the profile of an address, which changes now."""
        changed = self.db.execute("UPDATE profiles SET updated = ? WHERE email = ? RETURNING id", (self.now(), email.lower())).fetchone()
        if changed is None:
            raise KeyError(f"nobody has the address {email}")
        return str(changed[0])

    def counts(self) -> dict[str, int]:
        """Return how many rows each table holds, for tests and a look around."""
        with self.lock:
            return {table: self.db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in database.TABLES}  # noqa: S608

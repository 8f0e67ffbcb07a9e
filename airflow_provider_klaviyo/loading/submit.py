# SPDX-License-Identifier: Apache-2.0
"""Send the staged batches, a few at once, each written into the journal before and after."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus

from airflow_provider_klaviyo.api import limits
from airflow_provider_klaviyo.api.errors import Fault, KlaviyoApiError, KlaviyoError, KlaviyoUnanswered
from airflow_provider_klaviyo.loading.journal import Batch, Journal, State
from airflow_provider_klaviyo.loading.kinds import Kind, bulk, encode, pack, single, unpack
from airflow_provider_klaviyo.loading.progress import Progress
from airflow_provider_klaviyo.loading.rows import Fate, Json, Outcome
from airflow_provider_klaviyo.loading.stage import Stage
from airflow_provider_klaviyo.loading.staging import Lane
from airflow_provider_klaviyo.session import Session

log = logging.getLogger(__name__)

SINGLES_IN_FLIGHT = 32
TOO_MUCH = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY})
"""Answers that can be one row's fault."""
WHOLE = frozenset({"", "/data", "/data/attributes", "/data/attributes/profiles", "/data/attributes/events-bulk-create"})
"""Pointers that name the rows as a whole and none of them."""
NOT_ROWS = frozenset({"authentication_failed", "not_authenticated", "permission_denied", "not_json"})
"""Codes that are no row's fault, whatever the status."""
HALVES = ("a", "b")
BLIND_REFUSALS = 32
"""Refusals without a pointer and without one success between, after which it is not the rows."""
UNEXPLAINED = Fault("invalid", "Klaviyo refused the row without saying why")


class Stopped(KlaviyoError):  # noqa: N818 - the name says what is known
    """The task was ended while a request waited for its turn; it was not sent."""

    permanent = False


@dataclass(slots=True)
class Submission:
    """
    The sending of one load.

    :param session: Open session; it paces and retries.
    :param kind: What is sent.
    :param stage: Where the batches lie.
    :param journal: Where each step is written down.
    :param in_flight: Requests at once.
    """

    session: Session
    kind: Kind
    stage: Stage
    journal: Journal
    in_flight: int = 6
    _doubtful: list[Batch] = field(default_factory=list)
    _blind: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self, batches: Mapping[str, int]) -> None:
        """
        Send every batch that has not been sent, and those that go in the place of a refused one.

        :param batches: The staged batches in order, each with its number of rows.
        :raises KlaviyoError: Klaviyo refused for a reason that is no row's fault, or cannot be reached: what was
            sent is in the journal, and the next try goes on behind it.
        """
        operation = limits.find("POST", self.kind.request.path)
        per_minute = (operation.steady or 0) * self.kind.max_items if operation else None
        rows = sum(batches.values())
        progress = Progress("%s: rows sent", self.kind.request.path.rpartition("/")[2], total=rows, limit=per_minute)
        queue = deque(self.journal.batch(name, count) for name, count in batches.items())
        flying: dict[Future[Json], Batch] = {}
        failure: KlaviyoError | None = None
        sent = 0
        session = replace(self.session, sleep=self._pause)
        with ThreadPoolExecutor(self.in_flight, thread_name_prefix="klaviyo-submit") as pool:
            try:
                while flying or self._doubtful or (queue and failure is None):
                    # While the fate of a batch is open, Klaviyo may be down: no other is put at the same risk.
                    while queue and failure is None and not self._doubtful and len(flying) < self.in_flight:
                        batch = queue.popleft()
                        if self._to_send(batch, queue):
                            body = self.stage.body(batch.name)
                            batch.state = State.INTENT
                            self.journal.record(batch)
                            flying[pool.submit(session.send, bulk(self.kind, body))] = batch
                    for future in wait(flying, return_when=FIRST_COMPLETED).done:
                        batch = flying.pop(future)
                        try:
                            self._answered(batch, future, queue)
                        except KlaviyoError as error:
                            failure = failure or error
                        sent += batch.rows if batch.state is not State.SPLIT else sum(batch.counts.values())
                        progress.at(sent)
                    if not flying and failure:
                        raise failure
                    if not flying:
                        self._settle_doubts(session)
            except BaseException:
                self._land(flying, queue)
                raise

    def _pause(self, seconds: float) -> None:
        """Wait as the session does, but not on after the task was ended."""
        while seconds > 0:
            if self._stop.is_set():
                message = "The task was ended while a request waited; it was not sent."
                raise Stopped(message)
            piece = min(seconds, 1.0)
            self.session.sleep(piece)
            seconds -= piece

    def _land(self, flying: Mapping[Future[Json], Batch], queue: deque[Batch]) -> None:
        """Let the requests on their way come to an end, none of them waiting any longer, and write down what became of them."""
        self._stop.set()
        for future, batch in flying.items():
            with suppress(KlaviyoError):
                self._answered(batch, future, queue)

    def _to_send(self, batch: Batch, queue: deque[Batch]) -> bool:
        """Whether a batch goes out in bulk now. One whose fate is open goes one by one, unless a repeat is harmless."""
        single_file = batch.name.startswith(Lane.SINGLE)
        match batch.state:
            case State.SPLIT:
                self._queue_children(batch, queue)
            case State.NEW | State.INTENT if not single_file and (batch.state is State.NEW or self.kind.request.repeatable):
                return True
            case State.NEW | State.INTENT | State.DOUBT:
                self._doubtful.append(batch)
        return False

    def _queue_children(self, batch: Batch, queue: deque[Batch]) -> None:
        queue.extendleft(self.journal.batch(name) for name in reversed(batch.children))

    def _answered(self, batch: Batch, future: Future[Json], queue: deque[Batch]) -> None:
        """Write down what became of a request."""
        try:
            answer = future.result()
        except KlaviyoApiError as error:
            if error.status in TOO_MUCH:
                self._refused(batch, error)
                self._queue_children(batch, queue)
                return
            self._failed(batch, error, carried_out=error.status >= HTTPStatus.INTERNAL_SERVER_ERROR)
        except KlaviyoUnanswered as error:
            self._failed(batch, error, carried_out=error.sent)
        except KlaviyoError as error:  # it was not sent: the limit is spent, say
            self._failed(batch, error, carried_out=False)
        else:
            batch.job = str((answer.get("data") or {}).get("id") or "")
            if batch.job:
                batch.state = State.ACCEPTED
            else:
                batch.state, batch.counts = State.SETTLED, {Fate.ACCEPTED: batch.rows}
            self._blind = 0
            self.journal.record(batch)

    def _failed(self, batch: Batch, error: KlaviyoError, *, carried_out: bool) -> None:
        """Write down that a request got no verdict; if it may have been carried out and must not be repeated, its rows go one by one."""
        if carried_out and not self.kind.request.repeatable:
            log.warning("Whether Klaviyo took %s is not known; its events are sent one by one, which is harmless.", batch.name)
            batch.state = State.DOUBT
            self.journal.record(batch)
            self._doubtful.append(batch)
            return
        if not carried_out:
            batch.state = State.NEW
            self.journal.record(batch)
        raise error

    def _refused(self, batch: Batch, error: KlaviyoApiError) -> None:
        """
        Klaviyo refused a whole batch: find whose fault it is, and send the others again.

        Rows that are pointed at are rejected. Where none is, or where not all were, the batch is halved until the guilty rows
        stand alone; events go one by one instead, for each of them has an answer of its own then.
        """
        every = range(batch.rows)
        guilty = self._pointed_at(error, batch.rows)
        reused = {at for at, fault in guilty.items() if _about_unique_id(fault)}
        if not guilty:
            self._blind += 1
            if not _about_rows(error) or self._blind > BLIND_REFUSALS:
                self._failed(batch, error, carried_out=False)
            if not self.kind.request.repeatable:
                reused = set(every)
            elif batch.rows == 1:
                guilty = {0: error.faults[0] if error.faults else UNEXPLAINED}
        rejected = {at: fault for at, fault in guilty.items() if at not in reused}
        rest = [at for at in every if at not in rejected and at not in reused]
        told_all = bool(guilty) and not batch.name.endswith(HALVES)  # a second refusal shows that the first told not all
        middle = len(rest) if told_all else len(rest) // 2
        first, second = HALVES
        parts = {
            f"{batch.name}{first}": rest[:middle],
            f"{batch.name}{second}": rest[middle:],
            f"{Lane.SINGLE}-{batch.name}": sorted(reused),
        }
        batch.children = tuple(name for name, part in parts.items() if part)
        self._divide(batch, {name: parts[name] for name in batch.children})
        keys = self.stage.keys(batch.name)
        self.stage.put_outcomes(batch.name, (_rejected(keys[at], fault) for at, fault in sorted(rejected.items())))
        batch.state, batch.counts = State.SPLIT, {Fate.REJECTED: len(rejected)} if rejected else {}
        self.journal.record(batch)
        log.info(
            "Klaviyo refused the %s rows of %s whole: %s are rejected, %s sent again.",
            batch.rows,
            batch.name,
            len(rejected),
            batch.rows - len(rejected),
        )

    def _divide(self, batch: Batch, parts: Mapping[str, Sequence[int]]) -> None:
        """Lay the parts of a batch ready as batches of their own."""
        items, keys, identities = (
            unpack(self.kind, self.stage.body(batch.name)),
            self.stage.keys(batch.name),
            self.stage.identities(batch.name),
        )
        for name, part in parts.items():
            self.stage.put(
                name, pack(self.kind, (encode(items[at]) for at in part)), [keys[at] for at in part], (identities[at] for at in part)
            )
            self.journal.record(Batch(name, len(part)))

    def _pointed_at(self, error: KlaviyoApiError, rows: int) -> dict[int, Fault]:
        """Return the rows that an answer points at."""
        found: dict[int, Fault] = {}
        for fault in error.faults:
            match = self.kind.pointer.match(fault.pointer)
            if match and int(match[1]) < rows:
                found.setdefault(int(match[1]), fault)
        return found

    def _settle_doubts(self, session: Session) -> None:
        """Send the events of doubtful batches one by one: Klaviyo keeps the first of each ``unique_id``."""
        with ThreadPoolExecutor(SINGLES_IN_FLIGHT, thread_name_prefix="klaviyo-single") as pool:
            try:
                for batch in self._doubtful:
                    self._settle_one_by_one(batch, session, pool)
            except BaseException:
                self._stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        self._doubtful.clear()

    def _settle_one_by_one(self, batch: Batch, session: Session, pool: ThreadPoolExecutor) -> None:
        items, keys = unpack(self.kind, self.stage.body(batch.name)), self.stage.keys(batch.name)
        outcomes = [
            _rejected(key, refused.faults[0] if refused.faults else UNEXPLAINED)
            for key, refused in zip(keys, pool.map(partial(_send_one, session), items), strict=True)
            if refused is not None
        ]
        self.stage.put_outcomes(batch.name, outcomes)
        batch.state = State.SETTLED
        batch.counts = {Fate.ACCEPTED: len(items) - len(outcomes)} | ({Fate.REJECTED: len(outcomes)} if outcomes else {})
        self.journal.record(batch)


def _send_one(session: Session, item: Json) -> KlaviyoApiError | None:
    """Send one event; return the error of one that Klaviyo refuses for its content."""
    try:
        session.send(single(item))
    except KlaviyoApiError as error:
        if error.status not in TOO_MUCH or any(fault.code in NOT_ROWS for fault in error.faults):
            raise
        return error
    return None


def _rejected(key: str, fault: Fault) -> Outcome:
    return Outcome(key, Fate.REJECTED, "submit", fault.code or "invalid", fault.detail, fault.pointer)


def _about_unique_id(fault: Fault) -> bool:
    return "unique_id" in fault.pointer or "unique_id" in fault.detail or "unique id" in fault.detail.lower()


def _about_rows(error: KlaviyoApiError) -> bool:
    """Whether a refusal can be a row's fault; one that points at the list, say, cannot, nor can some proxy's page."""
    if error.status != HTTPStatus.REQUEST_ENTITY_TOO_LARGE and any(fault.code in NOT_ROWS for fault in error.faults):
        return False
    return all(fault.pointer.rstrip("/") in WHOLE and not fault.parameter for fault in error.faults)

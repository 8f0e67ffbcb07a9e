# SPDX-License-Identifier: Apache-2.0
"""Send the staged batches, a few at once, each written into the journal before and after."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from airflow_provider_klaviyo.api import limits
from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoError, KlaviyoUnanswered
from airflow_provider_klaviyo.loading.doubt import settle_doubts
from airflow_provider_klaviyo.loading.journal import GUARDED, Batch, Journal, State
from airflow_provider_klaviyo.loading.lanes import SINGLE, encode
from airflow_provider_klaviyo.loading.progress import Progress
from airflow_provider_klaviyo.loading.refusals import BLIND_REFUSALS, TOO_MUCH, about_rows, judge
from airflow_provider_klaviyo.loading.rows import Fate, Outcome

if TYPE_CHECKING:
    from airflow_provider_klaviyo.loading.audit import Audit
    from airflow_provider_klaviyo.loading.consent import Verdict
    from airflow_provider_klaviyo.loading.guard import Guard
    from airflow_provider_klaviyo.loading.kinds import Kind
    from airflow_provider_klaviyo.loading.stage import Stage
    from airflow_provider_klaviyo.session import Session

log = logging.getLogger(__name__)


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
    :param waiting_time: Seconds between two requests.
    :param settle_seconds: How long Klaviyo may take to show what it carried out.
    :param audit: Where changes of consent are written down.
    """

    session: Session
    kind: Kind
    stage: Stage
    journal: Journal
    in_flight: int = 6
    waiting_time: float = 0.0
    settle_seconds: float = 180.0
    audit: Audit | None = None
    _guard: Guard | None = None
    _looked: dict[str, list[Verdict]] = field(default_factory=dict)
    _doubtful: list[Batch] = field(default_factory=list)
    _blind: int = 0
    _next_at: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self, batches: Mapping[str, int]) -> None:
        """
        Send every batch that has not been sent, and those that go in the place of a refused one.

        :param batches: The staged batches in order, each with its number of rows.
        :raises KlaviyoError: Klaviyo refused for a reason that is no row's fault, or cannot be reached: what was
            sent is in the journal, and the next try goes on behind it.
        """
        order = list(self.kind.lanes)
        queue = deque(
            self.journal.batch(name, batches[name]) for name in sorted(batches, key=lambda each: order.index(self.kind.lane_of(each).name))
        )
        if self._guard is None and (guard := self.kind.guard(self.session)):
            guard.open()
            self._guard = guard
        flying: dict[Future[Any], Batch] = {}
        failure: KlaviyoError | None = None
        sent, progress = 0, self._progress(batches)
        session = replace(self.session, sleep=self._pause)
        with ThreadPoolExecutor(self.in_flight, thread_name_prefix="klaviyo-submit") as pool:
            try:
                while flying or self._doubtful or (queue and failure is None):
                    # While the fate of a batch is open, Klaviyo may be down: no other is put at the same risk.
                    while queue and failure is None and not self._doubtful and len(flying) < self.in_flight:
                        if flying and self._lane(queue[0]) is not self._lane(next(iter(flying.values()))):
                            break  # a yes before a no about the same person: a lane is through before the next begins
                        batch = queue.popleft()
                        if self._to_send(batch, queue):
                            flying[self._start(batch, session, pool)] = batch
                    for future in wait(flying, return_when=FIRST_COMPLETED).done:
                        batch = flying.pop(future)
                        try:
                            self._ended(batch, future, queue)
                        except KlaviyoError as error:
                            failure = failure or error
                        sent += self._rows_through(batch)
                        progress.at(sent)
                    if not flying and failure:
                        raise failure
                    if not flying and self._doubtful:
                        settle_doubts(self, session, self._doubtful)
                        self._doubtful.clear()
            except BaseException:
                self._land(flying, queue)
                raise

    def _progress(self, batches: Mapping[str, int]) -> Progress:
        lanes = [self.kind.lane_of(name) for name in batches]
        path = lanes[0].path if lanes else ""
        operation = limits.find("POST", path) if path else None
        per_minute = (operation.steady or 0) * lanes[0].most if operation else None
        return Progress("%s: rows sent", path.rpartition("/")[2], total=sum(batches.values()), limit=per_minute)

    def _lane(self, batch: Batch) -> Any:
        return self.kind.lane_of(batch.name)

    @staticmethod
    def _rows_through(batch: Batch) -> int:
        if batch.state in {State.SETTLED, State.SPLIT}:
            return sum(batch.counts.values())
        return batch.rows if batch.state is State.ACCEPTED else 0

    def _pause(self, seconds: float) -> None:
        """Wait as the session does, but not on after the task was ended."""
        while seconds > 0:
            if self._stop.is_set():
                message = "The task was ended while a request waited; it was not sent."
                raise Stopped(message)
            piece = min(seconds, 1.0)
            self.session.sleep(piece)
            seconds -= piece

    def stop(self) -> None:
        """Let no request wait any longer."""
        self._stop.set()

    def _land(self, flying: Mapping[Future[Any], Batch], queue: deque[Batch]) -> None:
        """Let the requests on their way come to an end, none of them waiting any longer, and write down what became of them."""
        self.stop()
        for future, batch in flying.items():
            if batch.state is State.INTENT:
                with suppress(KlaviyoError):
                    self._answered(batch, future, queue)

    def _to_send(self, batch: Batch, queue: deque[Batch]) -> bool:
        """Whether a batch goes out now. One whose fate is open is settled otherwise, unless a repeat is harmless."""
        lane = self._lane(batch)
        match batch.state:
            case State.SPLIT | State.SETTLED if batch.children:
                self._queue_children(batch, queue)
            case State.NEW if lane.name != SINGLE:
                return True
            case State.INTENT if lane.repeatable and lane.name != SINGLE:
                batch.state = State.NEW  # it is looked at again, where its kind is
                return True
            case State.NEW | State.INTENT | State.DOUBT:
                self._doubtful.append(batch)
        return False

    def _queue_children(self, batch: Batch, queue: deque[Batch]) -> None:
        queue.extendleft(self.journal.batch(name) for name in reversed(batch.children))

    def _start(self, batch: Batch, session: Session, pool: ThreadPoolExecutor) -> Future[Any]:
        """Look at Klaviyo's state for a batch, where its kind asks for that, or send it."""
        if self._guard and batch.name not in self._looked:
            return pool.submit(self._guard.look, self._lane(batch).name, self._items(batch))
        if (wait_for := self._next_at - time.monotonic()) > 0:
            self._pause(wait_for)
        self._next_at = time.monotonic() + self.waiting_time
        request = self._lane(batch).request(self.stage.body(batch.name))
        if self.audit:
            before = [each.before for each in self._looked[batch.name]]
            self.audit.asked(batch.name, self._items(batch), before, self.stage.keys(batch.name))
        batch.state = State.INTENT
        self.journal.record(batch)
        return pool.submit(session.send, request)

    def _ended(self, batch: Batch, future: Future[Any], queue: deque[Batch]) -> None:
        if batch.state is State.INTENT:
            self._answered(batch, future, queue)
        else:
            self._judged(batch, future.result(), queue)

    def _judged(self, batch: Batch, verdicts: Sequence[Verdict], queue: deque[Batch]) -> None:
        """Give the rows that are not to be sent their fate; the others go on, at once."""
        kept = [at for at, each in enumerate(verdicts) if each.send]
        if len(kept) == batch.rows:
            self._looked[batch.name] = list(verdicts)
            queue.appendleft(batch)
            return
        keys = self.stage.keys(batch.name)
        ended = [
            Outcome(keys[at], each.fate, "guard", each.code, each.reason, attempt=batch.attempt - 1, at=at)
            for at, each in enumerate(verdicts)
            if not each.send
        ]
        child = f"{batch.name}{GUARDED}"
        self._looked[child] = [verdicts[at] for at in kept]
        self.divide(batch, {child: kept} if kept else {}, ended)
        self._queue_children(batch, queue)

    def divide(self, batch: Batch, parts: Mapping[str, Sequence[int]], ended: Sequence[Outcome]) -> None:
        """
        Lay parts of a batch ready as batches that go in its place, and write down which of its rows have ended.

        :param batch: The batch, which is not sent any more.
        :param parts: The rows of each part, by its name.
        :param ended: Rows that are in none of them.
        """
        lane, stage, name = self._lane(batch), self.stage, batch.name
        items, keys, identities, marks = lane.unpack(stage.body(name)), stage.keys(name), stage.identities(name), stage.marks(name)
        for part, rows in parts.items():
            stage.put(
                part,
                lane.pack(encode(items[at]) for at in rows),
                [keys[at] for at in rows],
                [identities[at] for at in rows],
                [marks[at] for at in rows] if marks else (),
            )
            self.journal.record(Batch(part, len(rows)))
        stage.put_outcomes(name, ended)
        batch.children, batch.state = tuple(parts), State.SPLIT if parts else State.SETTLED
        batch.counts = {fate: count for fate in Fate if (count := sum(each.fate is fate for each in ended))}
        self.journal.record(batch)

    def _items(self, batch: Batch) -> list[Any]:
        return self._lane(batch).unpack(self.stage.body(batch.name))

    def _answered(self, batch: Batch, future: Future[Any], queue: deque[Batch]) -> None:
        """Write down what became of a request."""
        try:
            answer = future.result()
        except KlaviyoApiError as error:
            if error.status in TOO_MUCH:
                self._refused(batch, error, queue)
                return
            self._failed(batch, error, carried_out=error.status >= HTTPStatus.INTERNAL_SERVER_ERROR)
        except KlaviyoUnanswered as error:
            self._failed(batch, error, carried_out=error.sent)
        except KlaviyoError as error:  # it was not sent: the limit is spent, say
            self._failed(batch, error, carried_out=False)
        else:
            lane = self._lane(batch)
            batch.job = str(((answer or {}).get("data") or {}).get("id") or "") if lane.job else ""
            if batch.job:
                batch.state = State.ACCEPTED
            else:
                batch.state, batch.counts = State.SETTLED, {lane.fate: batch.rows}
            self._blind = 0
            self.journal.record(batch)
            self._tell(batch, "accepted")

    def _tell(self, batch: Batch, outcome: Any) -> None:
        if self.audit:
            self.audit.told(batch.name, outcome, batch.job)

    def _failed(self, batch: Batch, error: KlaviyoError, *, carried_out: bool) -> None:
        """Write down that a request got no verdict; one that may have been carried out and must not be repeated is settled otherwise."""
        if carried_out and not self._lane(batch).repeatable:
            log.warning("Whether Klaviyo took %s is not known: that is found out before anything else is sent.", batch.name)
            batch.state = State.DOUBT
            self.journal.record(batch)
            self._doubtful.append(batch)
            return
        if not carried_out:
            batch.state = State.NEW
            self.journal.record(batch)
            self._tell(batch, "not_sent")
        raise error

    def _refused(self, batch: Batch, error: KlaviyoApiError, queue: deque[Batch]) -> None:
        """Klaviyo refused a whole batch: find whose fault it is, and send the others again."""
        self._tell(batch, "refused")
        lane = self._lane(batch)
        judgement = judge(error, batch, lane)
        if judgement.blind:
            self._blind += 1
            if not about_rows(error) or self._blind > BLIND_REFUSALS:
                self._failed(batch, error, carried_out=False)
        keys = self.stage.keys(batch.name)
        ended = [
            Outcome(keys[at], Fate.REJECTED, "submit", fault.code or "invalid", fault.detail, fault.pointer, "", batch.attempt, at)
            for at, fault in sorted(judgement.rejected.items())
        ]
        self.divide(batch, judgement.parts, ended)
        self._queue_children(batch, queue)
        log.info(
            "Klaviyo refused the %s rows of %s whole: %s are rejected, %s sent again.", batch.rows, batch.name, len(ended), batch.rows - len(ended)
        )

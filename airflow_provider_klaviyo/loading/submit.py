# SPDX-License-Identifier: Apache-2.0
"""Send the staged batches, a few at once, each written into the journal before and after."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from airflow_provider_klaviyo.api import limits
from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoError, KlaviyoUnanswered
from airflow_provider_klaviyo.loading.doubt import asked_once, settle_doubts
from airflow_provider_klaviyo.loading.journal import GUARDED, Batch, Journal, State
from airflow_provider_klaviyo.loading.lanes import SINGLE, Lane, encode
from airflow_provider_klaviyo.loading.looks import Looks
from airflow_provider_klaviyo.loading.progress import Progress
from airflow_provider_klaviyo.loading.refusals import BLIND_REFUSALS, TOO_MUCH, about_rows, about_stage, in_a_row, judge
from airflow_provider_klaviyo.loading.rows import Fate, Json, Outcome
from airflow_provider_klaviyo.loading.settle import family

if TYPE_CHECKING:
    from airflow_provider_klaviyo.loading.audit import Audit, Told
    from airflow_provider_klaviyo.loading.consent import Verdict
    from airflow_provider_klaviyo.loading.kinds import Kind
    from airflow_provider_klaviyo.loading.stage import Stage
    from airflow_provider_klaviyo.session import Session

log = logging.getLogger(__name__)


class Stopped(KlaviyoError):  # noqa: N818 - the name says what is known
    """The task was ended while there was something left to send."""

    permanent = False

    def __init__(self) -> None:
        super().__init__("The task was ended. What was sent is noted: its next try, or the task cleared, goes on behind it.")


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
    :param ended: Set when the task is ended: nothing more is sent then.
    """

    session: Session
    kind: Kind
    stage: Stage
    journal: Journal
    in_flight: int = 6
    waiting_time: float = 0.0
    settle_seconds: float = 180.0
    audit: Audit | None = None
    ended: threading.Event = field(default_factory=threading.Event)
    _looks: Looks | None = None
    _queue: deque[Batch] = field(default_factory=deque)
    _flying: dict[Future[Any], Batch] = field(default_factory=dict)
    _doubtful: list[Batch] = field(default_factory=list)
    _failure: KlaviyoError | None = None
    _stage_refused: bool = False
    _through: int = 0
    _blind: int = 0
    _next_at: float = 0.0

    def run(self, batches: Mapping[str, int]) -> None:
        """
        Send every batch that has not been sent, and those that go in the place of a refused one.

        :param batches: The staged batches in order, each with its number of rows.
        :raises KlaviyoError: Klaviyo refused for a reason that is no row's fault, or cannot be reached: what was
            sent is in the journal, and the next try goes on behind it.
        """
        order = list(self.kind.lanes)
        by_lane = sorted(batches, key=lambda each: order.index(self.kind.lane_of(each).name))
        self._queue.extend(self.journal.batch(name, batches[name]) for name in by_lane)
        if self.audit:
            self.audit.reconcile(family(self.journal, batches))
        session = replace(self.session, sleep=self._pause)
        if guard := self.kind.guard(session):
            self._open(guard.open)
            self._looks = Looks(guard, session)
        progress = self._progress(batches)
        with ThreadPoolExecutor(self.in_flight, thread_name_prefix="klaviyo-submit") as pool:
            try:
                while self._flying or self._doubtful or (self._queue and self._failure is None):
                    self._launch(session, pool)
                    self._collect(progress)
                    if self._flying:
                        continue
                    if self._failure:
                        raise self._failure
                    if self.ended.is_set() and (self._queue or self._doubtful):
                        raise Stopped
                    if self._doubtful:
                        settle_doubts(self, session, self._doubtful)
                        self._doubtful.clear()
            except BaseException:
                self._land()
                raise

    def may_abandon(self, batches: Mapping[str, int]) -> bool:
        """
        Say, after :meth:`run` has raised, whether the load may be staged anew.

        It may if the stage holds what Klaviyo refuses, such as a list that is gone, and Klaviyo was asked for nothing yet that must be
        asked for once: who was asked to confirm a subscription is not asked again, and who left a list is not unsubscribed everywhere.

        :param batches: The staged batches.
        """
        return self._stage_refused and not any(asked_once(each, self._lane(each)) for each in family(self.journal, batches))

    def _open(self, look: Callable[[], None]) -> None:
        try:
            look()
        except KlaviyoApiError as error:
            self._stage_refused = about_stage(error)  # the list is not there
            raise

    def _launch(self, session: Session, pool: ThreadPoolExecutor) -> None:
        """Send as much as may be on its way at once. While the fate of a batch is open, Klaviyo may be down: no other is put at that risk."""
        most = 1 if self._looks and self.waiting_time else self.in_flight  # a look ahead of its turn would be made again
        while self._queue and not (self._failure or self._doubtful or self.ended.is_set()) and len(self._flying) < most:
            if self._flying and self._lane(self._queue[0]) is not self._lane(next(iter(self._flying.values()))):
                return  # a yes before a no about the same person: a lane is through before the next begins
            batch = self._queue.popleft()
            if self._to_send(batch):
                self._flying[self._start(batch, session, pool)] = batch

    def _collect(self, progress: Progress) -> None:
        """Wait for the next answer, and write down what follows from it."""
        for future in wait(self._flying, return_when=FIRST_COMPLETED).done:
            batch = self._flying[future]
            try:
                self._ended(batch, future)
            except KlaviyoError as error:
                self._failure = self._failure or error
            del self._flying[future]
            self._through += self._rows_through(batch)
            progress.at(self._through)
        if self.audit and (errors := self.audit.write()):
            raise errors[0]

    def _progress(self, batches: Mapping[str, int]) -> Progress:
        lanes = [self.kind.lane_of(name) for name in batches]
        path = lanes[0].path if lanes else ""
        operation = limits.find("POST", path) if path else None
        per_minute = (operation.steady or 0) * lanes[0].most if operation else None
        return Progress("%s: rows sent", path.rpartition("/")[2], total=sum(batches.values()), limit=per_minute)

    def _lane(self, batch: Batch) -> Lane:
        return self.kind.lane_of(batch.name)

    @staticmethod
    def _rows_through(batch: Batch) -> int:
        if batch.state in {State.SETTLED, State.SPLIT}:
            return sum(batch.counts.values())
        return batch.rows if batch.state is State.ACCEPTED else 0

    def _pause(self, seconds: float) -> None:
        """Wait as the session does, but not on after the task was ended."""
        while not self.ended.is_set():
            if seconds <= 0:
                return
            piece = min(seconds, 1.0)
            self.session.sleep(piece)
            seconds -= piece
        raise Stopped

    def stop(self) -> None:
        """Let no request wait any longer."""
        self.ended.set()

    def _land(self) -> None:
        """
        Let the requests on their way come to an end, none of them waiting any longer, and write down what became of them.

        What cannot be written down of one takes nothing from the others; the trail of all comes last.
        """
        self.stop()
        for future, batch in self._flying.items():
            try:
                if batch.state is State.INTENT:
                    self._answered(batch, future)
                elif future.done():
                    self.journal.record(batch)  # it could not be written the first time
            except KlaviyoError:
                continue  # that it was not sent, or that nobody knows, is written down
            except Exception:
                log.exception(
                    "What became of %s could not be written down: the next try takes it for a request without an answer.", batch.name
                )
        if self.audit:
            self.audit.write()

    def _to_send(self, batch: Batch) -> bool:
        """Whether a batch goes out now. One whose fate is open is settled otherwise, unless a repeat is harmless."""
        lane = self._lane(batch)
        match batch.state:
            case State.SPLIT | State.SETTLED if batch.children:
                self._queue_children(batch)
            case State.NEW if lane.name != SINGLE:
                return True
            case State.INTENT if lane.repeatable and lane.name != SINGLE:
                batch.state = State.NEW  # it is looked at again, where its kind is
                return True
            case State.NEW | State.INTENT | State.DOUBT:
                self._doubtful.append(batch)
        return False

    def _queue_children(self, batch: Batch) -> None:
        self._queue.extendleft(self.journal.batch(name) for name in reversed(batch.children))

    def _start(self, batch: Batch, session: Session, pool: ThreadPoolExecutor) -> Future[Any]:
        """Look at Klaviyo's state for a batch, where its kind asks for that, or send it."""
        lane, clock = self._lane(batch), self.session.line.pacer.clock
        wait_for = max(self._next_at - clock(), 0.0)
        if self._looks and self._looks.due(batch.name, wait_for):
            return pool.submit(self._looks.look, batch.name, lane.name, self._items(batch), wait_for)
        if wait_for:
            self._pause(wait_for)
        self._next_at = clock() + self.waiting_time
        request = lane.request(self.stage.body(batch.name))
        if self._looks:
            before = self._looks.befores(batch.name)
            if self.audit:
                self.audit.asked(batch.name, self._items(batch), before, self.stage.keys(batch.name))
            request = replace(request, replayable=False)  # each time is looked at first
            session = self._looks.session(batch.name)
        batch.state = State.INTENT
        self.journal.record(batch)
        return pool.submit(session.send, request)

    def _ended(self, batch: Batch, future: Future[Any]) -> None:
        if batch.state is State.INTENT:
            self._answered(batch, future)
        elif self._looks:
            self._judged(batch, future.result(), self._looks)

    def _judged(self, batch: Batch, verdicts: Sequence[Verdict], looks: Looks) -> None:
        """Give the rows that are not to be sent their fate; the others go on at once."""
        kept = [at for at, each in enumerate(verdicts) if each.send]
        items = [each.word for each in verdicts]
        if len(kept) == batch.rows and items == self._items(batch):
            looks.keep(batch.name, verdicts, seen_as=batch.name)
            self._queue.appendleft(batch)
            return
        keys = self.stage.keys(batch.name)
        ended = [
            Outcome(keys[at], each.fate, "guard", each.code, each.reason, attempt=batch.attempt - 1, at=at)
            for at, each in enumerate(verdicts)
            if not each.send
        ]
        child = f"{batch.name}{GUARDED}"
        self.divide(batch, {child: kept} if kept else {}, ended, items)
        if kept:
            looks.keep(child, [verdicts[at] for at in kept], seen_as=batch.name)
        looks.forget(batch.name)
        self._queue_children(batch)

    def divide(
        self, batch: Batch, parts: Mapping[str, Sequence[int]], ended: Sequence[Outcome], items: Sequence[Json] | None = None
    ) -> None:
        """
        Lay parts of a batch ready as batches that go in its place, and write down which of its rows have ended.

        :param batch: The batch, which is not sent any more.
        :param parts: The rows of each part, by its name.
        :param ended: Rows that are in none of them.
        :param items: The rows as they are to go on, where that is not as they were staged.
        """
        lane, stage, name = self._lane(batch), self.stage, batch.name
        items = self._items(batch) if items is None else items
        keys, identities, marks = stage.keys(name), stage.identities(name), stage.marks(name)
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

    def _answered(self, batch: Batch, future: Future[Any]) -> None:
        """Write down what became of a request."""
        try:
            answer = future.result()
        except KlaviyoApiError as error:
            if error.status in TOO_MUCH:
                self._refused(batch, error)
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
            self._forget(batch)

    def taken(self) -> None:
        """Note that Klaviyo took something: the refusals before were not about the load as a whole."""
        self._blind = 0

    def _forget(self, batch: Batch) -> None:
        if self._looks:
            self._looks.forget(batch.name)

    def _tell(self, batch: Batch, outcome: Told) -> None:
        if self.audit:
            self.audit.note(batch.name, outcome, batch.job)

    def _failed(self, batch: Batch, error: KlaviyoError, *, carried_out: bool) -> None:
        """Write down that a request got no verdict; one that may have been carried out and must not be repeated is settled otherwise."""
        if carried_out and not self._lane(batch).repeatable:
            log.warning("Whether Klaviyo took %s is not known: that is found out before anything else is sent.", batch.name)
            batch.state = State.DOUBT
            self.journal.record(batch)
            self._doubtful.append(batch)
            self._forget(batch)
            return
        if not carried_out:
            batch.state = State.NEW
            self.journal.record(batch)
        self._tell(batch, "unknown" if carried_out else "not_sent")
        if self._looks and self._looks.again(batch.name, error):
            batch.state = State.NEW
            self._queue.appendleft(batch)
            return
        self._stage_refused = self._stage_refused or about_stage(error)
        raise error

    def _refused(self, batch: Batch, error: KlaviyoApiError) -> None:
        """Klaviyo refused a whole batch: find whose fault it is, and send the others again."""
        lane = self._lane(batch)
        judgement = judge(error, batch, lane)
        if judgement.blind:
            self._blind += 1
            if not about_rows(error) or self._blind > BLIND_REFUSALS:
                self._failed(batch, in_a_row(error, self._blind), carried_out=False)
                return
        keys = self.stage.keys(batch.name)
        ended = [
            Outcome(keys[at], Fate.REJECTED, "submit", fault.code or "invalid", fault.detail, fault.pointer, "", batch.attempt, at)
            for at, fault in sorted(judgement.rejected.items())
        ]
        self.divide(batch, judgement.parts, ended)
        self._tell(batch, "refused")
        self._forget(batch)
        self._queue_children(batch)
        log.info(
            "Klaviyo refused the %s rows of %s whole: %s are rejected, %s sent again.",
            batch.rows,
            batch.name,
            len(ended),
            batch.rows - len(ended),
        )

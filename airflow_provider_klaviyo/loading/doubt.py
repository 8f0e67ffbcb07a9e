# SPDX-License-Identifier: Apache-2.0
"""What is done about batches that Klaviyo may have taken: events go one by one, the rest is read back, and doubt that stays is reported."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_klaviyo.api.errors import KlaviyoApiError
from airflow_provider_klaviyo.api.request import Request
from airflow_provider_klaviyo.loading.journal import Batch, State
from airflow_provider_klaviyo.loading.refusals import NOT_ROWS, TOO_MUCH, UNEXPLAINED
from airflow_provider_klaviyo.loading.rows import Fate, Json, Outcome

if TYPE_CHECKING:
    from airflow_provider_klaviyo.loading.lanes import Lane
    from airflow_provider_klaviyo.loading.submit import Submission
    from airflow_provider_klaviyo.session import Session

log = logging.getLogger(__name__)

SINGLES_IN_FLIGHT = 32
LOOK_EVERY = 10.0
"""Seconds between two looks for what Klaviyo may have carried out."""


def asked_once(batch: Batch, lane: Lane) -> bool:
    """
    Say whether Klaviyo was asked for something, or may have been, that it must not be asked for again.

    :param batch: What it was asked with.
    :param lane: How.
    """
    if lane.repeatable or lane.singly:
        return False
    taken = {Fate.LOADED, Fate.ACCEPTED, Fate.UNKNOWN} & batch.counts.keys()
    return batch.state in {State.INTENT, State.DOUBT, State.ACCEPTED} or bool(taken)


def settle_doubts(submission: Submission, session: Session, batches: Sequence[Batch]) -> None:
    """
    Give the rows of batches whose fate is open a fate.

    :param submission: The sending they belong to.
    :param session: Open session, which stops waiting when the task is ended.
    :param batches: The batches.
    """
    with ThreadPoolExecutor(SINGLES_IN_FLIGHT, thread_name_prefix="klaviyo-single") as pool:
        try:
            for batch in batches:
                lane = submission.kind.lane_of(batch.name)
                if lane.singly:
                    _one_by_one(submission, batch, partial(_send_one, session, lane.singly), pool)
                else:
                    _read_back(submission, batch, session)
        except BaseException:
            submission.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _one_by_one(submission: Submission, batch: Batch, send: Callable[[Json], KlaviyoApiError | None], pool: ThreadPoolExecutor) -> None:
    """Send rows by themselves: Klaviyo keeps the first of each ``unique_id``."""
    stage, keys = submission.stage, submission.stage.keys(batch.name)
    items = submission.kind.lane_of(batch.name).unpack(stage.body(batch.name))
    refusals = [(at, refused) for at, refused in enumerate(pool.map(send, items)) if refused is not None]
    if len(refusals) < len(items):
        submission.taken()
    ended = []
    for at, refused in refusals:
        fault = refused.faults[0] if refused.faults else UNEXPLAINED
        ended.append(
            Outcome(keys[at], Fate.REJECTED, "submit", fault.code or "invalid", fault.detail, fault.pointer, "", batch.attempt, at)
        )
    _settle(submission, batch, Fate.ACCEPTED, ended)


def _send_one(session: Session, request: Callable[[Json], Request[Any]], item: Json) -> KlaviyoApiError | None:
    """Send one row; return the error of one that Klaviyo refuses for its content."""
    session.sleep(0)  # raises once the task was ended
    try:
        session.send(request(item))
    except KlaviyoApiError as error:
        if error.status not in TOO_MUCH or any(fault.code in NOT_ROWS for fault in error.faults):
            raise
        return error
    return None


def _read_back(submission: Submission, batch: Batch, session: Session) -> None:
    """Look whether Klaviyo has carried out what it was asked, as long as that may take; what it does not show then stays unknown."""
    lane, keys = submission.kind.lane_of(batch.name), submission.stage.keys(batch.name)
    items = lane.unpack(submission.stage.body(batch.name))
    guard = submission.kind.guard(session)
    done = [False] * len(items)
    waited = 0.0
    while guard is not None:
        done = guard.carried_out(lane.name, items)
        if all(done) or waited >= submission.settle_seconds:
            break
        log.info("Klaviyo shows %s of the %s rows of %s; it is asked again.", sum(done), len(done), batch.name)
        session.sleep(LOOK_EVERY)
        waited += LOOK_EVERY
    why = "Klaviyo did not answer the request, and does not show that it was carried out"
    ended = [
        Outcome(key, Fate.UNKNOWN, "submit", "no_answer", why, attempt=batch.attempt, at=at) for at, key in enumerate(keys) if not done[at]
    ]
    _settle(submission, batch, lane.fate, ended)
    if submission.audit:
        submission.audit.told(batch.name, "unknown" if ended else "accepted")


def _settle(submission: Submission, batch: Batch, fate: Fate, ended: Sequence[Outcome]) -> None:
    submission.stage.put_outcomes(batch.name, ended)
    counts = {fate: batch.rows - len(ended)}
    for each in ended:
        counts[each.fate] = counts.get(each.fate, 0) + 1
    batch.state, batch.counts = State.SETTLED, {each: count for each, count in counts.items() if count}
    submission.journal.record(batch)

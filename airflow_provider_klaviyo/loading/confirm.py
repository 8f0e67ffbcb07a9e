# SPDX-License-Identifier: Apache-2.0
"""Ask Klaviyo for each row afterwards: what it shows is loaded, and what it does not show in time nobody knows."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_klaviyo.loading.journal import Batch, Journal
from airflow_provider_klaviyo.loading.kinds import Kind
from airflow_provider_klaviyo.loading.lanes import Lane
from airflow_provider_klaviyo.loading.rows import Fate, Outcome
from airflow_provider_klaviyo.loading.stage import UNSEEN, Stage

if TYPE_CHECKING:
    from airflow_provider_klaviyo.session import Session

log = logging.getLogger(__name__)

LOOK_EVERY = 10.0
"""Seconds between two looks for rows that Klaviyo does not show yet."""
STAGE = "verify"
TAKEN = (Fate.LOADED, Fate.ACCEPTED)


def confirm(session: Session, kind: Kind, stage: Stage, journal: Journal, batches: Sequence[Batch], *, patience: float) -> None:
    """
    Read back the rows that Klaviyo took.

    :param session: Open session.
    :param kind: What was sent.
    :param stage: Where it lies.
    :param journal: Where it is written down that a batch was read back.
    :param batches: The batches, settled.
    :param patience: Seconds that Klaviyo may take to show them.
    """
    left = patience
    for batch in batches:
        lane = kind.lane_of(batch.name)
        items = lane.unpack(stage.body(batch.name))
        told = stage.outcomes(batch.name)
        ended = [Outcome(**{**line, "fate": Fate(line["fate"])}) for line in told]
        if any(each.at is None for each in ended):
            continue  # which of its rows Klaviyo took is not known
        open_ = [at for at in range(batch.rows) if at not in {each.at for each in ended} | _elsewhere(batch, stage)]
        missing = _missing(session, kind, lane, items, open_)
        while missing and left > 0:
            log.info("Klaviyo does not show %s of the %s rows of %s yet: it is asked again.", len(missing), batch.rows, batch.name)
            session.sleep(LOOK_EVERY)
            left -= LOOK_EVERY
            missing = _missing(session, kind, lane, items, missing)
        if missing is not None:
            _told(batch, stage, missing, len(open_))
        batch.verified = True
        journal.record(batch)


def _missing(session: Session, kind: Kind, lane: Lane, items: Sequence[dict[str, object]], places: Sequence[int]) -> list[int] | None:
    """Return the places of the rows that Klaviyo does not show, or ``None`` where it never shows any."""
    shown = kind.shown(session, lane, [items[at] for at in places]) if places else []
    return None if shown is None else [at for at, found in zip(places, shown, strict=True) if not found]


def _elsewhere(batch: Batch, stage: Stage) -> set[int]:
    """Return the places of rows that went again in another batch."""
    again = {key for child in batch.children for key in stage.identities(child)}
    return {at for at, identity in enumerate(stage.identities(batch.name)) if identity in again} if again else set()


def _told(batch: Batch, stage: Stage, missing: Sequence[int], taken: int) -> None:
    keys = stage.keys(batch.name)
    why = "Klaviyo took the row and does not show it"
    unseen = [Outcome(keys[at], Fate.UNKNOWN, STAGE, "not_shown", why, job=batch.job, attempt=batch.attempt, at=at) for at in missing]
    stage.put_outcomes(f"{batch.name}{UNSEEN}", unseen)  # a file of its own: a try that dies of writing it loses nothing else
    counts = {fate: count for fate, count in batch.counts.items() if fate not in TAKEN}
    counts[Fate.LOADED] = taken - len(missing)
    counts[Fate.UNKNOWN] = counts.get(Fate.UNKNOWN, 0) + len(missing)
    batch.counts = {fate: count for fate, count in counts.items() if count}

# SPDX-License-Identifier: Apache-2.0
"""What a load would do, without doing any of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from airflow_provider_klaviyo.loading import rejects
from airflow_provider_klaviyo.loading.checks import Check
from airflow_provider_klaviyo.loading.history import History
from airflow_provider_klaviyo.loading.kinds import Kind, kind_of
from airflow_provider_klaviyo.loading.load import account_of
from airflow_provider_klaviyo.loading.plan import Plan
from airflow_provider_klaviyo.loading.prepare import Item, Preparation, Source
from airflow_provider_klaviyo.loading.report import LoadReport
from airflow_provider_klaviyo.loading.rows import Fate, Json, Outcome
from airflow_provider_klaviyo.loading.said import NOES
from airflow_provider_klaviyo.loading.seen import seen
from airflow_provider_klaviyo.loading.stage import Manifest
from airflow_provider_klaviyo.session import Session

if TYPE_CHECKING:
    from airflow_provider_klaviyo.loading.guard import Guard

log = logging.getLogger(__name__)

PREVIEWED = 5
LOOKED_AT = 100
"""Rows that are held against Klaviyo's state at once."""


class _Counting:
    """The counting of what would be sent, and of what would not."""

    def __init__(self, manifest: Manifest, payloads: list[Json], kind: Kind, guard: Guard | None, plan: Plan) -> None:
        self.manifest, self.payloads, self.kind, self.guard, self.plan = manifest, payloads, kind, guard, plan
        self._waiting: dict[str, list[Item]] = {name: [] for name in kind.lanes}
        self._changes: dict[str, int] = {}

    def of(self, prepared: Iterable[Item | Outcome]) -> None:
        for result in prepared:
            if isinstance(result, Outcome):
                self.manifest.read += 1
                self.manifest.count(result)
            elif not result.lane.counted:
                self.manifest.removed += 1
            else:
                self.manifest.read += 1
                waiting = self._waiting[result.lane.name]
                waiting.append(result)
                if len(waiting) == LOOKED_AT:
                    self._look(result.lane.name)
        for name in self._waiting:
            self._look(name)
        if self.guard and self.plan.max_change is not None:
            self.guard.change_check({name: count for name, count in self._changes.items() if name in NOES})

    def _look(self, lane: str) -> None:
        """Hold rows against Klaviyo's state, where their kind does."""
        waiting, self._waiting[lane] = self._waiting[lane], []
        rows = [json.loads(each.written) for each in waiting]
        verdicts = self.guard.look(lane, rows) if self.guard and rows else [None] * len(rows)
        for item, row, verdict in zip(waiting, rows, verdicts, strict=True):
            if verdict is not None and not verdict.send:
                self.manifest.count(Outcome(item.key, verdict.fate, "guard", verdict.code, verdict.reason))
                continue
            self._changes[lane] = self._changes.get(lane, 0) + 1
            if len(self.payloads) < PREVIEWED:
                self.payloads.append(row)


def preview(rows: Source, plan: Plan, session: Session) -> LoadReport:
    """
    Map, check and count rows, and compare them with what earlier loads have sent, without sending any.

    :param rows: The source.
    :param plan: The rules; its stage is not touched.
    :param session: Open session: Klaviyo is only read.
    :return: The counts, and in ``payloads`` up to five rows as they would be sent.
    :raises KlaviyoConfigError: More people would be taken out, unsubscribed or suppressed than ``max_change`` allows.
    """
    check = Check(plan.on_invalid, plan.default_region)
    kind = kind_of(plan, check.now)
    manifest = Manifest()
    payloads: list[Json] = []
    with ExitStack() as stack:
        kind.open(session, stack)
        history, met = History(plan, account_of(plan, session)), stack.enter_context(seen())
        stack.enter_context(history.read(met, ""))
        only = rejects.keys_in(plan.retry_rejects, stack) if plan.retry_rejects else None
        preparation = Preparation(plan, kind, check, history=history, seen=met, only=only)
        _Counting(manifest, payloads, kind, kind.guard(session), plan).of(preparation.items(rows))
    if dropped := check.dropped:
        log.warning("Left out of what would be sent: %s", dropped)
    report = LoadReport(
        kind=plan.kind,
        read=manifest.read,
        **{fate.value: manifest.ended(fate) for fate in Fate},  # type: ignore[arg-type]
        removed=manifest.removed,
        left_out=preparation.left_out,
        reasons=manifest.reasons,
        dropped=check.dropped,
        preview=True,
        payloads=payloads,
    )
    log.info("Preview, nothing sent: %s", report)
    return report

# SPDX-License-Identifier: Apache-2.0
"""What a load would do, without doing any of it."""

from __future__ import annotations

import json
import logging
from contextlib import ExitStack

from airflow_provider_klaviyo.loading import rejects
from airflow_provider_klaviyo.loading.checks import Check
from airflow_provider_klaviyo.loading.history import History
from airflow_provider_klaviyo.loading.kinds import kind_of
from airflow_provider_klaviyo.loading.load import account_of
from airflow_provider_klaviyo.loading.plan import Plan
from airflow_provider_klaviyo.loading.prepare import Item, Preparation, Source
from airflow_provider_klaviyo.loading.report import LoadReport
from airflow_provider_klaviyo.loading.rows import Fate, Json
from airflow_provider_klaviyo.loading.seen import seen
from airflow_provider_klaviyo.loading.stage import Manifest
from airflow_provider_klaviyo.session import Session

log = logging.getLogger(__name__)

PREVIEWED = 5


def preview(rows: Source, plan: Plan, session: Session) -> LoadReport:
    """
    Map, check and count rows, and compare them with what earlier loads have sent, without sending any.

    :param rows: The source.
    :param plan: The rules; its stage is not touched.
    :param session: Open session: Klaviyo is only read.
    :return: The counts, and in ``payloads`` up to five rows as they would be sent.
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
        for result in preparation.items(rows):
            if not isinstance(result, Item):
                manifest.read += 1
                manifest.count(result)
            elif not result.lane.counted:
                manifest.removed += 1
            else:
                manifest.read += 1
                if len(payloads) < PREVIEWED:
                    payloads.append(json.loads(result.written))
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

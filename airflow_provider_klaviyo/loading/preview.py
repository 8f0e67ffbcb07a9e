# SPDX-License-Identifier: Apache-2.0
"""What a load would do, without doing any of it."""

from __future__ import annotations

import json
import logging
from typing import Any

from airflow_provider_klaviyo.loading.checks import Check
from airflow_provider_klaviyo.loading.kinds import kind_of
from airflow_provider_klaviyo.loading.plan import Plan
from airflow_provider_klaviyo.loading.report import LoadReport
from airflow_provider_klaviyo.loading.rows import Fate
from airflow_provider_klaviyo.loading.seen import seen
from airflow_provider_klaviyo.loading.stage import Manifest
from airflow_provider_klaviyo.loading.staging import Item, Source, prepare

log = logging.getLogger(__name__)

PREVIEWED = 5


def preview(rows: Source, plan: Plan) -> LoadReport:
    """
    Map, check and count rows without sending any.

    :param rows: The source.
    :param plan: The rules; its stage is not touched.
    :return: The counts, and in ``payloads`` up to five rows as they would be sent.
    """
    check = Check(plan.on_invalid, plan.default_region)
    kind = kind_of(plan, check.now)
    manifest = Manifest()
    payloads: list[bytes] = []
    with seen() as known:
        for result in prepare(rows, plan, kind, check, known):
            manifest.read += 1
            if not isinstance(result, Item):
                manifest.count(result)
            elif len(payloads) < PREVIEWED:
                payloads.append(result.written)
    fates: dict[str, Any] = {fate.value: manifest.ended(fate) for fate in Fate}
    report = LoadReport(
        kind=plan.kind,
        read=manifest.read,
        **fates,
        reasons=manifest.reasons,
        dropped=check.dropped,
        preview=True,
        payloads=[json.loads(each) for each in payloads],
    )
    log.info("Preview, nothing sent: %s", report)
    return report

# SPDX-License-Identifier: Apache-2.0
"""Rows that are read back afterwards: whoever dies over it has counted none of them twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_klaviyo.api.errors import KlaviyoLoadFailed
from airflow_provider_klaviyo.loading import load as load_rows
from airflow_provider_klaviyo.loading.journal import Journal
from airflow_provider_klaviyo.loading.report import LoadReport
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from tests.loading.kit import KeptStore, Killed, accounted, people, plan, session


@pytest.mark.parametrize("written", [False, True], ids=["before a write", "after a write"])
def test_killed_at_every_step_of_reading_back_each_row_is_unknown_once(klaviyo: SandboxServer, tmp_path: Path, written: bool) -> None:
    kills, unknown = 0, set()
    while True:
        kills += 1
        klaviyo.reset()
        klaviyo.klaviyo.behaviour.job_seconds = 0
        klaviyo.fail(method="GET", path=r"^/api/profiles", status=200, body={"data": [], "links": {"next": None}}, times=10**6)
        store = KeptStore(kill_at=kills, written=written)
        made = plan("profiles", tmp_path / str(kills), verify=True, settle_seconds=0.0, max_batch_items=2)
        died = False
        with session(klaviyo) as api:
            for _ in range(2):
                try:
                    load_rows(api, people(3), made, store=store, sleep=lambda _: None)
                except Killed:
                    died = True
                    store.revive()
                except KlaviyoLoadFailed:
                    break
        report = accounted(LoadReport.of(Journal(store).report or {}))
        unknown.add((report.read, report.unknown))
        if not died:
            break
    assert unknown == {(3, 3)}
    assert kills > 6

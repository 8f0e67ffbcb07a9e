# SPDX-License-Identifier: Apache-2.0
"""The example DAG that reads files does what it says, against the local Klaviyo."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_klaviyo.sandbox.server import SandboxServer
from tests.loading.kit import held
from tests.operators.test_examples import load

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

DUE = datetime(2026, 11, 20, 5, tzinfo=UTC)
CUSTOMERS = """customer_no,mail,mobile,name,points
1,Ann@Example.com,07400 123456, Ann ,12
2,bob@example.com,,Bob,
3,,,Nobody,1
"""
CONSENT = """customer_no,mail,newsletter,said_at
1,ann@example.com,yes,2026-01-05 10:00:00
2,bob@example.com,no,2026-02-05 10:00:00
"""


def exports(folder: Path) -> None:
    """Lay the exports of the day that the run covers."""
    day = folder / "2026-11-19"
    day.mkdir(parents=True)
    (day / "customers.csv.gz").write_bytes(gzip.compress(CUSTOMERS.encode()))
    (day / "consent.csv").write_text(CONSENT)
    order = {
        "order_no": 7,
        "placed_at": "2026-11-19T12:00:00",
        "total": "19.90",
        "currency": "GBP",
        "customer": {"mail": "Ann@example.com"},
    }
    lines = [json.dumps({**order, "order_no": at, "lines": [{"sku": "A", "quantity": at}]}) for at in (7, 8)]
    (day / "orders-01.jsonl.gz").write_bytes(gzip.compress("\n".join([*lines, '{"order_no": 9, ']).encode()))


def test_a_days_exports_become_profiles_events_and_consent(
    sandbox: SandboxServer, run_dag: Callable[..., DagRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exports(tmp_path / "exports")
    monkeypatch.setenv("AIRFLOW_VAR_KLAVIYO_EXPORTS", f"file://{tmp_path}/exports")
    for option in ("staging_path", "state_path", "audit_path"):
        monkeypatch.setenv(f"AIRFLOW__KLAVIYO__{option.upper()}", f"file://{tmp_path}/{option}")
    dag = load("files_to_klaviyo")
    for each in dag.tasks:
        each.retries, each.allowed_rejects = 0, 1
    done = run_dag(dag, logical_date=DUE)
    reports: dict[str, Any] = {each.task_id: each.xcom_pull(task_ids=each.task_id) for each in done.get_task_instances()}
    assert done.state == "success", reports
    assert [(reports["customers"][name]) for name in ("read", "loaded", "rejected")] == [3, 2, 1]
    assert [(reports["orders"][name]) for name in ("read", "accepted", "rejected")] == [3, 2, 1]
    assert [(reports["consent"][name]) for name in ("read", "accepted")] == [2, 2]
    assert json.loads(Path(reports["orders"]["rejects_path"].removeprefix("file://")).read_text())["key"].endswith("orders-01.jsonl.gz:3")
    there = held(sandbox)
    assert {row[0]: row[1] for row in there["profiles"]} == {"ann@example.com": "+447400123456", "bob@example.com": ""}
    assert [row[3] for row in there["events"]] == ["7", "8"]

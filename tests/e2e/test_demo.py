# SPDX-License-Identifier: Apache-2.0
"""The main job, as a newcomer runs it: ``klaviyo-sandbox demo``, and what it says afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

STORE = Path(__file__).parents[2].parent / "shared" / "data" / "store"
LATER_THE_SAME = {"load_id", "seconds", "jobs", "requests", "rejects_path"}
"""What two runs may differ in."""

Json = dict[str, Any]


def demo(folder: Path, *arguments: str) -> tuple[str, Json]:
    """Run the demo; return what it printed and its report."""
    report = folder / "report.json"
    command = [sys.executable, "-m", "airflow_provider_klaviyo.sandbox.cli", "demo", "--report", str(report), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout, json.loads(report.read_text())


def essence(report: Json) -> Json:
    """Leave out what differs between two equal runs."""
    loads = [{name: value for name, value in load.items() if name not in LATER_THE_SAME} for load in report["loads"]]
    return {
        "shop": report["shop"],
        "klaviyo": report["klaviyo"],
        "value": report["value"],
        "loads": loads,
        "accounted": report["accounted"],
    }


@pytest.fixture(scope="module")
def in_process(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Json]:
    return demo(tmp_path_factory.mktemp("demo"))


@pytest.mark.slow
@pytest.mark.xdist_group("demo")
def test_the_demo_accounts_for_every_row(in_process: tuple[str, Json]) -> None:
    printed, report = in_process
    profiles, events = report["loads"]
    assert report["accounted"] is True
    assert report["shop"]["customers"] == profiles["read"] == profiles["loaded"] + profiles["skipped"]
    assert report["klaviyo"]["list_members"] == profiles["loaded"]
    assert sum(report["klaviyo"]["events"].values()) == events["accepted"] == events["read"] - events["skipped"]
    assert report["requests"]["429"] == 0
    assert report["requests"]["klaviyo"]["POST /api/profile-bulk-import-jobs"] == profiles["batches"]
    assert report["requests"]["klaviyo"]["POST /api/event-bulk-create-jobs"] == events["batches"]
    assert "Every row is accounted for." in printed
    for reason in (*profiles["reasons"], *events["reasons"]):
        assert reason in printed


@pytest.mark.slow
@pytest.mark.xdist_group("demo")
def test_under_a_real_scheduler_and_triggerer_the_report_is_equal(in_process: tuple[str, Json], tmp_path: Path) -> None:
    printed, report = demo(tmp_path, "--scheduler")
    assert essence(report) == essence(in_process[1])
    assert "deferred" in printed


@pytest.mark.slow
def test_a_real_shop_agrees_with_the_tallies_and_a_second_run_changes_nothing(tmp_path: Path) -> None:
    if not STORE.exists():
        pytest.skip("the real shop (../shared/data/store) is not beside the clone")
    expected = json.loads((STORE / "expected.json").read_text())
    tallies = {metric: expected["events"][metric] for metric in expected["events"] if "events" in expected["events"][metric]}
    _, report = demo(tmp_path, "--store", str(STORE), "--runs", "2", "--reused-unique-id", "refuse")
    assert report["accounted"] is True
    assert report["shop"] == {
        "customers": expected["customers"]["rows"],
        "orders": expected["orders"]["rows"],
        "lines": expected["orders"]["lines"],
    }
    people = expected["customers"]["loadable_by_usable_email_or_phone"]
    assert report["klaviyo"] == {
        "profiles": people,
        "events": {metric: tally["events"] for metric, tally in sorted(tallies.items())},
        "list_members": people,
    }
    assert report["value"] == {
        metric: {"USD": next(tally[name] for name in tally if name.startswith("value_") and name != "value_subtotal_plus_shipping")}
        for metric, tally in sorted(tallies.items())
        if any(name.startswith("value_") for name in tally)
    }
    profiles, events = report["loads"]
    assert profiles["reasons"] == {"skipped: malformed_email": 15, "skipped: no_identifier": 45}
    assert events["unchanged"] == sum(report["klaviyo"]["events"].values())
    assert events["accepted"] == 0
    assert report["requests"]["429"] == 0

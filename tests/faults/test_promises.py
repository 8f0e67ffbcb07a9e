# SPDX-License-Identifier: Apache-2.0
"""What is promised of loads that are disturbed, case by case."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_klaviyo.api import lists
from airflow_provider_klaviyo.api.errors import KlaviyoApiError
from airflow_provider_klaviyo.loading import load as load_rows
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from tests.faults import process
from tests.loading.kit import (
    BULK,
    PROFILE_JOBS,
    KeptStore,
    accounted,
    emails,
    event_ids,
    held,
    load,
    new_list,
    people,
    plan,
    rejects,
    requests,
    session,
    untouchable,
)

CLONE = Path(__file__).parents[2]
MANY = 10_000


@pytest.fixture
def klaviyo(sandbox: SandboxServer) -> Iterator[SandboxServer]:
    """Hand out the sandbox with jobs that are done when they are first asked for."""
    sandbox.klaviyo.behaviour.job_seconds = 0
    yield sandbox
    sandbox.faults.clear()


@pytest.mark.parametrize(
    ("pointers", "most", "bad"),
    [("all", 3, 0), ("first", 3, MANY - 1), *(("none", 2 * math.log2(MANY) + 2, bad) for bad in (0, 624, 6_789, MANY - 1))],
)
def test_one_bad_row_in_ten_thousand_costs_few_requests(
    klaviyo: SandboxServer, tmp_path: Path, pointers: str, most: float, bad: int
) -> None:
    klaviyo.klaviyo.behaviour.pointers = pointers  # type: ignore[assignment]
    klaviyo.klaviyo.behaviour.unwelcome = frozenset({f"p{bad:05d}@example.com"})
    report = load(klaviyo, people(MANY), plan("profiles", tmp_path, allowed_rejects=1))
    assert (report.loaded, report.rejected, len(emails(klaviyo))) == (MANY - 1, 1, MANY - 1)
    assert [line["key"] for line in rejects(report)] == [f"customer {bad}"]
    assert requests(klaviyo, PROFILE_JOBS) <= most


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["profiles", "events"])
def test_killed_for_good_with_a_request_in_the_air(klaviyo: SandboxServer, tmp_path: Path, kind: str) -> None:
    """Each try is killed while Klaviyo carries out a request; the last one finds everything done but for what was never sent."""
    killed = 0
    for skip in (1, 2, 1):
        caught = klaviyo.fail(path=BULK, method="POST", skip=skip, delay=0.2)
        worker = worker_of(klaviyo, tmp_path, kind)
        while worker.poll() is None and not caught.hits:
            time.sleep(0.001)
        worker.kill()
        killed += worker.wait() < 0
        time.sleep(0.3)  # what was in the air is carried out
        klaviyo.faults.clear()
    assert killed == 3
    assert worker_of(klaviyo, tmp_path, kind).wait() == 0
    if kind == "profiles":
        assert emails(klaviyo) == {row.data["email"] for row in people(process.ROWS)}
    else:
        assert event_ids(klaviyo) == sorted(f"o{at}" for at in range(process.ROWS))
    assert not list((tmp_path / "stage").iterdir())


def worker_of(sandbox: SandboxServer, folder: Path, kind: str) -> subprocess.Popen[bytes]:
    """Start a try of the task on a machine that shares the folder."""
    return subprocess.Popen([sys.executable, "-m", "tests.faults.process", sandbox.url, str(folder), kind], cwd=CLONE)


def test_a_list_that_is_deleted_midway_fails_the_task_and_another_list_mends_it(klaviyo: SandboxServer, tmp_path: Path) -> None:
    list_id = new_list(klaviyo)
    store, made = KeptStore(), plan("profiles", tmp_path, max_batch_items=5, in_flight=1, list_id=list_id)
    klaviyo.fail(path=PROFILE_JOBS.partition(" ")[2], method="POST", status=503, skip=2, times=100)
    with session(klaviyo, max_attempts=2) as api:
        with pytest.raises(KlaviyoApiError, match="503"):
            load_rows(api, people(20), made, store=store)
        klaviyo.faults.clear()
        api.send(lists.delete(list_id=list_id))
        with pytest.raises(KlaviyoApiError, match="404") as gone:
            load_rows(api, untouchable(), made, store=store)
        assert gone.value.permanent
        mended = replace(made, list_id=new_list(klaviyo, "Again"))
        report = accounted(load_rows(api, people(20), mended, store=store))
    assert (report.read, report.loaded, len(emails(klaviyo))) == (20, 20, 20)
    assert [name for name, _ in held(klaviyo)["members"]] == ["Again"] * 20

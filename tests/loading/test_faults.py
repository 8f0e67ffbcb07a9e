# SPDX-License-Identifier: Apache-2.0
"""Whatever the network and Klaviyo do to a load of profiles, it ends as an undisturbed one, or says what to do and can go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoUnanswered
from airflow_provider_klaviyo.loading import load as load_rows
from airflow_provider_klaviyo.pacing import KlaviyoLimitSpent
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from tests.loading.kit import (
    EVENT,
    EVENT_JOBS,
    PROFILE_JOBS,
    Clock,
    KeptStore,
    accounted,
    emails,
    event_ids,
    happenings,
    held,
    load,
    new_list,
    people,
    plan,
    requests,
    session,
    untouchable,
)
from tests.loading.test_events import FAULTS

KIND = pytest.mark.parametrize("kind", ["profiles", "events"])
ROWS: dict[str, Any] = {"profiles": people, "events": happenings}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("where", ["profile-bulk-import-jobs$", "profile-bulk-import-jobs/[^/]+$", "import-errors$"])
def test_a_fault_changes_nothing_in_the_end(klaviyo: SandboxServer, tmp_path: Path, fault: str, where: str) -> None:
    how = FAULTS[fault] | ({"status": 502} if fault.startswith("202") and where != "profile-bulk-import-jobs$" else {})
    klaviyo.klaviyo.next_job(fail=[1])
    klaviyo.fail(path=where, times=2, **how)
    made = plan("profiles", tmp_path, max_batch_items=10, list_id=new_list(klaviyo), allowed_rejects=1, in_flight=1)
    report = load(klaviyo, people(30), made)
    # A batch that was carried out without an answer was sent again, as a job of its own that failed no row.
    assert (report.loaded, report.rejected) in {(29, 1), (30, 0)}
    assert len(emails(klaviyo)) == len(held(klaviyo)["members"]) == report.loaded
    assert len(report.jobs) == 3


def test_a_timeout_of_a_profile_import(klaviyo: SandboxServer, tmp_path: Path) -> None:
    klaviyo.fail(path="profile-bulk-import-jobs$", delay_after=0.6)
    report = load(klaviyo, people(20), plan("profiles", tmp_path), timeout=0.3)
    assert (report.loaded, len(emails(klaviyo)), requests(klaviyo, PROFILE_JOBS)) == (20, 20, 2)


@KIND
def test_429_for_a_whole_minute(klaviyo: SandboxServer, tmp_path: Path, kind: str) -> None:
    clock = Clock()
    klaviyo.fail(path="bulk", method="POST", status=429, headers={"retry-after": "5"}, times=12)
    report = load(klaviyo, ROWS[kind](30), plan(kind, tmp_path, max_batch_items=10, in_flight=1), clock=clock)
    assert clock.now >= 1060
    assert report.loaded + report.accepted == 30
    assert report.requests["429"] == 12
    assert requests(klaviyo, PROFILE_JOBS) + requests(klaviyo, EVENT_JOBS) == 15
    assert requests(klaviyo, EVENT) == 0  # a 429 leaves no doubt


@KIND
def test_a_limit_that_stays_spent_fails_the_try_and_leaves_no_doubt(klaviyo: SandboxServer, tmp_path: Path, kind: str) -> None:
    klaviyo.fail(path="bulk", method="POST", status=429, headers={"retry-after": "100"}, skip=1, times=1)
    store, made = KeptStore(), plan(kind, tmp_path, max_batch_items=10, in_flight=2)
    with session(klaviyo, deadline=50) as api, pytest.raises((KlaviyoApiError, KlaviyoLimitSpent)) as spent:
        load_rows(api, ROWS[kind](60), made, store=store)
    assert not spent.value.permanent
    with session(klaviyo) as api:
        report = accounted(load_rows(api, untouchable(), made, store=store))
    assert report.loaded + report.accepted == 60
    assert requests(klaviyo, EVENT) == 0
    assert len(event_ids(klaviyo) if kind == "events" else emails(klaviyo)) == 60


@KIND
def test_where_klaviyo_takes_no_compressed_bodies_it_gets_plain_ones(klaviyo: SandboxServer, tmp_path: Path, kind: str) -> None:
    klaviyo.klaviyo.behaviour.gzip_bodies = False
    report = load(klaviyo, ROWS[kind](30), plan(kind, tmp_path, max_batch_items=10, in_flight=1))
    assert report.loaded + report.accepted == 30
    assert [each.status for each in klaviyo.klaviyo.received if each.raw].count(415) == 1


@KIND
@pytest.mark.parametrize(("status", "says"), [(401, "pk_"), (403, "scopes"), (410, "revision")])
def test_an_error_nobody_can_wait_out_names_what_to_do_and_rejects_nobody(
    klaviyo: SandboxServer, tmp_path: Path, kind: str, status: int, says: str
) -> None:
    settings: dict[str, Any] = {401: {"key": "pk_wrong"}, 403: {}, 410: {"revision": "2020-01-15"}}[status]
    klaviyo.klaviyo.behaviour.keys["pk_sandbox"] = frozenset({"lists:read"}) if status == 403 else None
    store, made = KeptStore(), plan(kind, tmp_path, allowed_rejects=10**9)
    with session(klaviyo, **settings) as api, pytest.raises(KlaviyoApiError, match=says) as refused:
        load_rows(api, ROWS[kind](10), made, store=store)
    assert (refused.value.status, refused.value.permanent) == (status, True)
    assert "pk_wrong" not in str(refused.value)
    klaviyo.klaviyo.behaviour.keys["pk_sandbox"] = None
    with session(klaviyo) as api:
        report = accounted(load_rows(api, untouchable(), made, store=store))
    assert (report.loaded + report.accepted, report.rejected) == (10, 0)
    assert requests(klaviyo, EVENT) == 0


@KIND
def test_when_nothing_listens_the_try_fails_and_the_next_goes_on(klaviyo: SandboxServer, tmp_path: Path, kind: str) -> None:
    store, made = KeptStore(), plan(kind, tmp_path)
    with session(klaviyo, base_url="http://127.0.0.1:9", max_attempts=2) as api, pytest.raises(KlaviyoUnanswered) as down:
        load_rows(api, ROWS[kind](10), made, store=store)
    assert (down.value.sent, down.value.permanent) == (False, False)
    with session(klaviyo) as api:
        report = accounted(load_rows(api, untouchable(), made, store=store))
    assert report.loaded + report.accepted == 10
    assert requests(klaviyo, EVENT) == 0


def test_a_long_outage_in_the_middle(klaviyo: SandboxServer, tmp_path: Path) -> None:
    """What was sent stays sent, what was not goes with the next try, and what may have been goes again."""
    klaviyo.fail(path="profile-bulk-import-jobs$", drop="after", skip=2, times=10**6)
    store, made = KeptStore(), plan("profiles", tmp_path, max_batch_items=5, in_flight=2)
    for _ in range(2):
        with session(klaviyo, max_attempts=2) as api, pytest.raises(KlaviyoUnanswered):
            load_rows(api, people(40) if not store else untouchable(), made, store=store)
    klaviyo.faults.clear()
    with session(klaviyo) as api:
        report = accounted(load_rows(api, untouchable(), made, store=store))
    assert (report.loaded, len(report.jobs), len(emails(klaviyo))) == (40, 8, 40)

# SPDX-License-Identifier: Apache-2.0
"""Operators that put addresses off marketing and take that back, against the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_klaviyo.api import lists, profiles
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError, KlaviyoJobFailed
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.operators.subscriptions import KlaviyoSuppressProfilesOperator, KlaviyoUnsuppressProfilesOperator
from tests.operators.kit import Store, context

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

    Run = Callable[..., Any]

SUPPRESS = "POST /api/profile-suppression-bulk-create-jobs"
JOB = {"type": "profile-suppression-bulk-create-job", "id": "J9"}
MANY = [f"p{number}@example.com" for number in range(150)]


def suppressed(reason: str = "USER_SUPPRESSED") -> int:
    with KlaviyoHook().session() as klaviyo:
        return len([*klaviyo.walk(profiles.list_(filter=f'equals(subscriptions.email.marketing.suppression.reason,"{reason}")'))])


def suppress(store: Store | None = None, max_tries: int = 2, **fields: Any) -> Any:
    given = {"poll_interval": 0.02, "job_timeout": 60, "deferrable": False, **fields}
    return KlaviyoSuppressProfilesOperator(task_id="suppress", **given).execute(context(store, max_tries=max_tries))


@pytest.mark.parametrize("deferrable", [False, True])
def test_many_addresses_are_several_jobs_that_are_waited_for(sandbox: SandboxServer, run: Run, deferrable: bool) -> None:
    waiting = {"deferrable": deferrable, "poll_interval": 0.02}
    done = run(KlaviyoSuppressProfilesOperator, emails="{{ " + repr(MANY) + " }}", **waiting)
    assert {name: done.returned[name] for name in ("total", "completed", "failed", "skipped")} == {
        "total": 150,
        "completed": 150,
        "failed": 0,
        "skipped": 0,
    }
    assert len(set(done.returned["jobs"])) == sandbox.klaviyo.requests[SUPPRESS] == 2
    assert suppressed() == 150
    sandbox.klaviyo.bounce("p0@example.com")
    undone = run(KlaviyoUnsuppressProfilesOperator, emails=[*MANY[:10], "nobody@example.com"], **waiting)
    assert (undone.returned["total"], undone.returned["completed"], undone.returned["skipped"]) == (11, 10, 1)
    assert (suppressed(), suppressed("HARD_BOUNCE")) == (140, 1)
    assert "example.com" not in done.said + undone.said


def test_the_members_of_a_list_are_suppressed(sandbox: SandboxServer) -> None:
    with KlaviyoHook().session() as klaviyo:
        vip = klaviyo.send(lists.create(name="VIP"))["data"]["id"]
        made = klaviyo.send(profiles.create(profile={"email": MANY[0]}))["data"]["id"]
        klaviyo.send(lists.add_profiles(list_id=vip, profile_ids=[made]))
    assert suppress(list_id=vip)["completed"] == 1
    assert suppressed() == 1


def test_nobody_is_no_job(sandbox: SandboxServer) -> None:
    assert suppress(emails=[]) == {"jobs": [], "total": 0, "completed": 0, "failed": 0, "skipped": 0}
    assert SUPPRESS not in sandbox.klaviyo.requests


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"emails": [], "list_id": "L1"},
        {"emails": ["a@example.com"], "segment_id": "S1"},
        {"list_id": ""},
        {"emails": [*MANY, "nobody"]},
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_sent(sandbox: SandboxServer, wrong: dict[str, Any]) -> None:
    with pytest.raises(KlaviyoConfigError):
        suppress(**wrong)
    assert SUPPRESS not in sandbox.klaviyo.requests


def test_a_next_try_goes_on_with_the_jobs_that_are_there(sandbox: SandboxServer) -> None:
    store = Store()
    sandbox.klaviyo.behaviour.job_seconds = 600
    with pytest.raises(TimeoutError, match="another try goes on waiting"):
        suppress(store, emails=MANY, job_timeout=0.05)
    sandbox.klaviyo.behaviour.job_seconds = 0
    with pytest.raises(TimeoutError):
        suppress(store, emails=MANY, job_timeout=0.05)
    assert sandbox.klaviyo.requests[SUPPRESS] == 2


def test_a_job_that_was_cancelled_fails_the_task_and_is_started_again_alone(sandbox: SandboxServer) -> None:
    store = Store()
    sandbox.klaviyo.next_job("complete")
    sandbox.klaviyo.next_job("cancelled")
    with pytest.raises(KlaviyoJobFailed, match="cancelled"):
        suppress(store, emails=MANY)
    assert suppressed() == 100
    assert suppress(store, emails=MANY, max_tries=5)["completed"] == 150
    assert sandbox.klaviyo.requests[SUPPRESS] == 3
    assert suppressed() == 150


def test_a_job_whose_start_was_not_answered_is_started_again(sandbox: SandboxServer) -> None:
    """It does the same twice."""
    sandbox.fail(method="POST", path="suppression-bulk-create", drop="after")
    done = suppress(emails=MANY[:2], wait_for_completion=False)
    assert (len(done["jobs"]), done["total"]) == (1, 0)
    assert sandbox.klaviyo.requests[SUPPRESS] == 2


def test_failures_are_summed_over_all_jobs_and_told_at_once(sandbox: SandboxServer) -> None:
    """Two jobs fall short by two rows each; three may fail."""
    store = Store()
    short = {"status": "complete", "total_count": 100, "completed_count": 95, "skipped_count": 3}
    for job in ("J1", "J2"):
        resource = {"data": {"type": "profile-suppression-bulk-create-job", "id": job, "attributes": {"status": "processing"}}}
        sandbox.fail(method="POST", path="suppression-bulk-create", status=202, body=resource)
        ended = {"data": {"type": "profile-suppression-bulk-create-job", "id": job, "attributes": short}}
        sandbox.fail(method="GET", path=f"/{job}", status=200, body=ended)
    with pytest.raises(KlaviyoJobFailed, match=r"2 of 2 jobs went wrong: .*J1.*2 of 100 rows failed.*J2"):
        suppress(store, emails=MANY, allowed_failures=3)
    assert suppress(store, emails=MANY, max_tries=5)["completed"] == 150


def test_a_cancelled_job_takes_no_other_with_it(sandbox: SandboxServer) -> None:
    """What failed within what is allowed is not started again."""
    store = Store()
    sandbox.klaviyo.next_job("cancelled")
    ended = {"status": "complete", "total_count": 50, "completed_count": 49, "skipped_count": 0}
    sandbox.fail(method="POST", path="suppression-bulk-create", status=202, skip=1, body={"data": {**JOB, "attributes": ended}})
    with pytest.raises(KlaviyoJobFailed, match="1 of 2 jobs went wrong"):
        suppress(store, emails=MANY, allowed_failures=1)
    sandbox.fail(method="GET", path="/J9", status=200, body={"data": {**JOB, "attributes": ended}})
    done = suppress(store, emails=MANY, allowed_failures=1, max_tries=5)
    assert (done["completed"], done["failed"]) == (149, 1)
    assert sandbox.klaviyo.requests[SUPPRESS] == 3


def test_many_jobs_are_looked_at_in_few_requests(sandbox: SandboxServer) -> None:
    many = [f"p{number}@example.com" for number in range(1200)]
    sandbox.klaviyo.behaviour.job_seconds = 0.3
    assert suppress(emails=many, poll_interval=0.5)["completed"] == 1200
    assert sandbox.klaviyo.requests[f"GET {SUPPRESS.removeprefix('POST ')}"] >= 1
    assert sum(count for name, count in sandbox.klaviyo.requests.items() if name.startswith("GET ")) < 12


def test_the_same_addresses_twice_are_one_job(sandbox: SandboxServer) -> None:
    twice = [*MANY[:100], *MANY[:100]]
    done = suppress(Store(), emails=twice)
    assert (len(done["jobs"]), done["completed"]) == (1, 100)

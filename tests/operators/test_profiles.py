# SPDX-License-Identifier: Apache-2.0
"""Operators for profiles, against the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import literal

from airflow_provider_klaviyo.api import lists, profiles
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.operators.profiles import (
    KlaviyoBulkImportProfilesOperator,
    KlaviyoCreateProfileOperator,
    KlaviyoGetProfileOperator,
    KlaviyoListProfilesOperator,
    KlaviyoUpdateProfileOperator,
    KlaviyoUpsertProfileOperator,
)

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

    Run = Callable[..., Any]

SARAH = {"email": "sarah@example.com", "first_name": "Sarah"}
JOBS = "POST /api/profile-bulk-import-jobs"


def stored(**lookup: str) -> Any:
    """Read a profile's attributes back, or ``None``."""
    with KlaviyoHook().session() as klaviyo:
        found = klaviyo.send(profiles.get_by(lookup=lookup))
    return found and found["data"]["attributes"]


def test_a_profile_is_made_and_its_id_returned(sandbox: SandboxServer, run: Run) -> None:
    made = run(KlaviyoCreateProfileOperator, profile={**SARAH, "last_name": "{{ 'O' ~ 'Hara' }}"})
    read = run(KlaviyoGetProfileOperator, lookup={"email": "sarah@example.com"})
    assert made.returned == read.returned
    assert stored(email="sarah@example.com")["last_name"] == "OHara"


def test_a_profile_that_is_there_is_refused_with_its_id(sandbox: SandboxServer, run: Run) -> None:
    first = run(KlaviyoCreateProfileOperator, profile=SARAH)
    second = run(KlaviyoCreateProfileOperator, profile=SARAH, retries=3)
    assert (second.state, second.tries) == ("failed", 1)
    assert first.returned in second.said


def test_a_profile_whose_making_was_not_answered_is_found_again(sandbox: SandboxServer, run: Run) -> None:
    sandbox.fail(method="POST", path="/api/profiles", drop="after")
    made = run(KlaviyoCreateProfileOperator, profile=SARAH, retries=1)
    assert (made.state, made.tries) == ("success", 2)
    assert sandbox.klaviyo.counts()["profiles"] == 1


def test_an_upsert_is_repeated_at_once(sandbox: SandboxServer, run: Run) -> None:
    sandbox.fail(method="POST", path="/api/profile-import", drop="after")
    made = run(KlaviyoUpsertProfileOperator, profile=SARAH, return_objects=True)
    assert (made.state, made.tries) == ("success", 1)
    assert made.returned["attributes"]["first_name"] == "Sarah"
    assert sandbox.klaviyo.counts()["profiles"] == 1


def test_appending_in_doubt_is_not_repeated_and_says_so(sandbox: SandboxServer, run: Run) -> None:
    run(KlaviyoUpsertProfileOperator, profile={**SARAH, "properties": {"skus": ["A"]}})
    sandbox.fail(method="POST", path="/api/profile-import", drop="after")
    doubt = run(KlaviyoUpsertProfileOperator, profile=SARAH, append={"skus": "B"}, retries=5)
    assert (doubt.state, doubt.tries) == ("failed", 1)
    assert "whether Klaviyo carried it out is not known" in doubt.said
    assert stored(email="sarah@example.com")["properties"]["skus"] == ["A", "B"]
    assert "sarah@" not in doubt.said


def test_a_profile_is_updated(sandbox: SandboxServer, run: Run) -> None:
    made = run(KlaviyoUpsertProfileOperator, profile={**SARAH, "properties": {"old": 1}})
    updated = run(KlaviyoUpdateProfileOperator, profile_id=made.returned, profile={"first_name": None, "title": "Dr"}, unset=["old"])
    assert updated.returned == made.returned
    now = stored(email="sarah@example.com")
    assert (now["first_name"], now["title"], now["properties"]) == (None, "Dr", {})


def test_klaviyos_own_tags_arrive_byte_for_byte(sandbox: SandboxServer, run: Run) -> None:
    tags = "{{ first_name|default:'friend' }} {% unsubscribe %}"
    assert run(KlaviyoUpsertProfileOperator, profile={**SARAH, "properties": {"greeting": literal(tags)}}).state == "success"
    assert sandbox.klaviyo.received[-1].body["data"]["attributes"]["properties"] == {"greeting": tags}


def test_nobody_is_an_error_unless_it_may_be(sandbox: SandboxServer, run: Run) -> None:
    missing = run(KlaviyoGetProfileOperator, lookup={"email": "nobody@example.com"}, retries=3)
    assert (missing.state, missing.tries) == ("failed", 1)
    assert "no profile has the email that was looked up" in missing.said
    assert "nobody@" not in missing.said
    assert run(KlaviyoGetProfileOperator, lookup={"email": "nobody@example.com"}, must_exist=False).state == "success"
    assert run(KlaviyoGetProfileOperator).state == "failed"
    assert "give either profile_id or lookup" in run(KlaviyoGetProfileOperator, profile_id="X", lookup={"email": "a@example.com"}).said


def test_profiles_are_listed_as_ids_across_pages(sandbox: SandboxServer, run: Run) -> None:
    people = [{"email": f"p{number}@example.com"} for number in range(130)]
    assert run(KlaviyoBulkImportProfilesOperator, profiles=people, poll_interval=0.02).state == "success"
    listed = run(KlaviyoListProfilesOperator)
    assert len(set(listed.returned)) == 130
    one = run(KlaviyoListProfilesOperator, filter='equals(email,"p7@example.com")', return_objects=True)
    assert [each["attributes"]["email"] for each in one.returned] == ["p7@example.com"]
    assert run(KlaviyoListProfilesOperator, max_items=100).state == "failed"
    assert len(run(KlaviyoListProfilesOperator, max_items=100, truncate=True).returned) == 100


@pytest.mark.parametrize("deferrable", [False, True])
def test_an_import_is_waited_for(sandbox: SandboxServer, run: Run, deferrable: bool) -> None:
    with KlaviyoHook().session() as klaviyo:
        list_id = klaviyo.send(lists.create(name="VIP"))["data"]["id"]
    done = run(
        KlaviyoBulkImportProfilesOperator,
        profiles=[SARAH, {"external_id": "7"}],
        list_id=list_id,
        deferrable=deferrable,
        poll_interval=0.02,
    )
    assert {name: done.returned[name] for name in ("kind", "status", "total", "completed", "failed")} == {
        "kind": "profile-bulk-import",
        "status": "complete",
        "total": 2,
        "completed": 2,
        "failed": 0,
    }
    assert sandbox.klaviyo.requests[JOBS] == 1


def test_an_import_that_is_not_waited_for_is_returned_as_started(sandbox: SandboxServer, run: Run) -> None:
    started = run(KlaviyoBulkImportProfilesOperator, profiles=[SARAH], wait_for_completion=False)
    assert started.returned["status"] in {"queued", "processing"}


@pytest.mark.parametrize("deferrable", [False, True])
def test_failed_rows_fail_the_task_unless_allowed(sandbox: SandboxServer, run: Run, deferrable: bool) -> None:
    waiting = {"deferrable": deferrable, "poll_interval": 0.02, "retries": 3}
    sandbox.klaviyo.next_job("complete", fail=[0])
    failed = run(KlaviyoBulkImportProfilesOperator, profiles=[SARAH, {"external_id": "7"}], **waiting)
    assert (failed.state, failed.tries) == ("failed", 1)
    assert "1 of 2 rows failed (0 allowed)" in failed.said
    sandbox.klaviyo.next_job("complete", fail=[0])
    allowed = run(KlaviyoBulkImportProfilesOperator, profiles=[SARAH, {"external_id": "7"}], allowed_failures=1, **waiting)
    assert allowed.returned["failed"] == 1


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_retry_goes_on_with_the_job_that_is_there(sandbox: SandboxServer, run: Run, deferrable: bool) -> None:
    sandbox.fail(method="GET", path="/api/profile-bulk-import-jobs", status=401)
    done = run(KlaviyoBulkImportProfilesOperator, profiles=[SARAH], retries=1, retry_policy=None, deferrable=deferrable, poll_interval=0.02)
    assert (done.state, done.tries) == ("success", 2)
    assert sandbox.klaviyo.requests[JOBS] == 1
    assert "going on with it" in done.said


def test_a_job_that_takes_too_long_is_left_to_the_next_try(sandbox: SandboxServer, run: Run) -> None:
    sandbox.klaviyo.behaviour.job_seconds = 600
    late = run(KlaviyoBulkImportProfilesOperator, profiles=[SARAH], job_timeout=0.1, poll_interval=0.05, retries=1)
    assert (late.state, late.tries) == ("failed", 2)
    assert "another try goes on waiting for it" in late.said
    assert sandbox.klaviyo.requests[JOBS] == 1

# SPDX-License-Identifier: Apache-2.0
"""Merging profiles, which nothing undoes: it is asked for once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_klaviyo.api import profiles
from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoConfigError, KlaviyoInDoubt, KlaviyoUnanswered
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.operators.profiles import KlaviyoMergeProfilesOperator
from tests.operators.kit import Killed, Store, context

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

    Run = Callable[..., Any]

MERGE = "POST /api/profile-merge"


@pytest.fixture
def two(sandbox: SandboxServer) -> dict[str, str]:
    """Make two profiles, in a Klaviyo that carries out at once what it accepts."""
    sandbox.klaviyo.behaviour.job_seconds = 0
    with KlaviyoHook().session() as klaviyo:
        made = [klaviyo.send(profiles.create(profile={"external_id": each}))["data"]["id"] for each in "ab"]
    return dict(zip(("destination_id", "source_id"), made, strict=True))


def merge(store: Store, two: dict[str, str]) -> Any:
    ids: dict[str, Any] = {**two}
    return KlaviyoMergeProfilesOperator(task_id="merge", **ids).execute(context(store))


def test_two_profiles_become_one(sandbox: SandboxServer, run: Run, two: dict[str, str]) -> None:
    merged = run(KlaviyoMergeProfilesOperator, **two)
    assert merged.returned == two["destination_id"]
    with KlaviyoHook().session() as klaviyo:
        assert [each["id"] for each in klaviyo.walk(profiles.list_())] == [two["destination_id"]]


def test_a_merge_without_an_answer_is_seen_to_be_done(sandbox: SandboxServer, two: dict[str, str]) -> None:
    store = Store()
    sandbox.fail(method="POST", path="/api/profile-merge", drop="after")
    with pytest.raises(KlaviyoUnanswered):
        merge(store, two)
    assert merge(store, two) == two["destination_id"]
    assert sandbox.klaviyo.requests[MERGE] == 1


@pytest.mark.parametrize("writes", [2, 3])
def test_a_worker_that_died_does_not_merge_again(sandbox: SandboxServer, two: dict[str, str], writes: int) -> None:
    """Before it could note the result, or just after."""
    store = Store()
    store.writes_left = writes
    with pytest.raises(Killed):
        merge(store, two)
    store.writes_left = None
    assert merge(store, two) == two["destination_id"]
    assert sandbox.klaviyo.requests[MERGE] == 1


@pytest.mark.parametrize("arrived", [True, False])
def test_while_the_source_is_there_nobody_can_tell(sandbox: SandboxServer, two: dict[str, str], arrived: bool) -> None:
    """It may not have arrived, or not be carried out yet: Klaviyo does that later."""
    store = Store()
    sandbox.klaviyo.behaviour.job_seconds = 3600
    sandbox.fail(method="POST", path="/api/profile-merge", drop="after" if arrived else "before")
    with pytest.raises(KlaviyoUnanswered):
        merge(store, two)
    with pytest.raises(KlaviyoInDoubt, match="Look in Klaviyo"):
        merge(store, two)
    assert sandbox.klaviyo.requests[MERGE] == 1


def test_a_merged_id_may_lead_to_the_profile_that_stays(sandbox: SandboxServer, two: dict[str, str]) -> None:
    store = Store()
    sandbox.fail(method="POST", path="/api/profile-merge", drop="before")
    with pytest.raises(KlaviyoUnanswered):
        merge(store, two)
    resource = {"type": "profile", "id": two["destination_id"], "attributes": {}}
    sandbox.fail(method="GET", path=two["source_id"], status=200, body={"data": resource})
    assert merge(store, two) == two["destination_id"]


def test_what_cannot_be_merged_is_refused(sandbox: SandboxServer, two: dict[str, str]) -> None:
    with pytest.raises(KlaviyoApiError) as unknown:
        merge(Store(), {**two, "source_id": "01NOBODY"})
    assert unknown.value.status == 404
    with pytest.raises(KlaviyoConfigError):
        merge(Store(), {**two, "source_id": two["destination_id"]})


@pytest.mark.parametrize("missing", ["destination_id", "source_id"])
def test_a_profile_that_is_not_there_is_told_before_anything_is_sent(sandbox: SandboxServer, two: dict[str, str], missing: str) -> None:
    """Otherwise a source that never was would look merged."""
    store = Store()
    for _ in range(2):
        with pytest.raises(KlaviyoApiError) as unknown:
            merge(store, {**two, missing: "01NOBODY"})
        assert unknown.value.status == 404
    assert MERGE not in sandbox.klaviyo.requests


def test_a_source_that_leads_to_somebody_else_was_not_merged_by_us(sandbox: SandboxServer, two: dict[str, str]) -> None:
    store = Store()
    sandbox.fail(method="POST", path="/api/profile-merge", drop="before")
    with pytest.raises(KlaviyoUnanswered):
        merge(store, two)
    resource = {"type": "profile", "id": "01SOMEBODY", "attributes": {}}
    sandbox.fail(method="GET", path=two["source_id"], status=200, body={"data": resource})
    with pytest.raises(KlaviyoInDoubt):
        merge(store, two)
    assert sandbox.klaviyo.requests[MERGE] == 1


def test_an_id_that_was_merged_before_is_told(sandbox: SandboxServer, two: dict[str, str]) -> None:
    resource = {"type": "profile", "id": two["destination_id"], "attributes": {}}
    sandbox.fail(method="GET", path=two["source_id"], status=200, body={"data": resource})
    with pytest.raises(KlaviyoConfigError, match="was merged into another before"):
        merge(Store(), two)
    assert MERGE not in sandbox.klaviyo.requests

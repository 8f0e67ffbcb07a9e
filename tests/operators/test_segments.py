# SPDX-License-Identifier: Apache-2.0
"""Operators for segments, against the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_klaviyo.api import lists, profiles, segments
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.operators.segments import (
    KlaviyoCreateSegmentOperator,
    KlaviyoDeleteSegmentOperator,
    KlaviyoGetSegmentOperator,
    KlaviyoListSegmentProfilesOperator,
    KlaviyoListSegmentsOperator,
    KlaviyoUpdateSegmentOperator,
)

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

    Run = Callable[..., Any]

POST = "POST /api/segments"


def of_members(list_id: str) -> dict[str, Any]:
    """Return the definition of a segment of a list's members."""
    return {"condition_groups": [{"conditions": [{"type": "profile-group-membership", "is_member": True, "group_ids": [list_id]}]}]}


def a_list(members: int = 0) -> tuple[str, list[str]]:
    """Make a list with members, and return its id and theirs."""
    with KlaviyoHook().session() as klaviyo:
        list_id = klaviyo.send(lists.create(name="VIP"))["data"]["id"]
        ids = [klaviyo.send(profiles.upsert(profile={"external_id": str(at)}))["data"]["id"] for at in range(members)]
        if ids:
            klaviyo.send(lists.add_profiles(list_id=list_id, profile_ids=ids))
    return list_id, ids


def all_segments() -> list[str]:
    """Return the ids of all segments."""
    with KlaviyoHook().session() as klaviyo:
        return [each["id"] for each in klaviyo.walk(segments.list_())]


def test_a_segment_is_made_read_changed_and_deleted(sandbox: SandboxServer, run: Run) -> None:
    list_id, ids = a_list(members=3)
    made = run(KlaviyoCreateSegmentOperator, name="{{ 'V' ~ 'IP' }}", definition=of_members("{{ '" + list_id + "' }}")).returned
    assert (made["attributes"]["name"], made["attributes"]["is_processing"]) == ("VIP", True)
    read = run(KlaviyoGetSegmentOperator, segment_id=made["id"], additional_fields={"segment": "profile_count"}).returned
    assert read["attributes"]["profile_count"] == 3
    assert sorted(run(KlaviyoListSegmentProfilesOperator, segment_id=made["id"]).returned) == sorted(ids)
    changed = run(KlaviyoUpdateSegmentOperator, segment_id=made["id"], is_starred="{{ 'True' }}").returned
    assert (changed["attributes"]["is_starred"], changed["attributes"]["name"]) == (True, "VIP")
    assert [each["id"] for each in run(KlaviyoListSegmentsOperator, filter="equals(is_starred,true)").returned] == [made["id"]]
    assert run(KlaviyoDeleteSegmentOperator, segment_id=made["id"], must_exist=True).state == "success"
    assert all_segments() == []


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_segment_whose_making_was_not_answered_is_made_once(sandbox: SandboxServer, run: Run, drop: Any) -> None:
    list_id, _ = a_list()
    sandbox.fail(method="POST", path="/api/segments", drop=drop)
    made = run(KlaviyoCreateSegmentOperator, name="VIP", definition=of_members(list_id), retries=1)
    assert (made.state, made.tries) == ("success", 2)
    assert all_segments() == [made.returned["id"]]


@pytest.mark.parametrize(
    "definition",
    [
        {},
        {"condition_groups": []},
        {"condition_groups": 5},
        {"condition_groups": "conditions"},
        {"condition_groups": [{"conditions": []}]},
        {"condition_groups": [{"conditions": 5}]},
        {"condition_groups": [{"conditions": ["profile-property"]}]},
        {"condition_groups": [{"condition": [{"type": "profile-property"}]}]},
        {"condition_groups": [{"conditions": [{"type": "profile-property"}]}], "operator": "or"},
    ],
)
def test_a_segment_without_conditions_is_refused_before_it_is_sent(sandbox: SandboxServer, run: Run, definition: Any) -> None:
    refused = run(KlaviyoCreateSegmentOperator, name="VIP", definition=definition, retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert "KlaviyoConfigError" in refused.said
    assert sandbox.klaviyo.requests[POST] == 0


def test_what_klaviyo_refuses_is_told_with_its_place(sandbox: SandboxServer, run: Run) -> None:
    wrong = {"condition_groups": [{"conditions": [{"type": "profile-mood"}]}]}
    refused = run(KlaviyoCreateSegmentOperator, name="VIP", definition=wrong, retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert "/data/attributes/definition/condition_groups/0/conditions/0/type" in refused.said
    nothing = run(KlaviyoUpdateSegmentOperator, segment_id="S1", retries=2)
    assert (nothing.state, nothing.tries) == ("failed", 1)

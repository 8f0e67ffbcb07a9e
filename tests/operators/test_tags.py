# SPDX-License-Identifier: Apache-2.0
"""Operators for tags, against the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_klaviyo.api import lists, tags
from airflow_provider_klaviyo.api.request import Request
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.operators.tags import (
    KlaviyoCreateTagOperator,
    KlaviyoDeleteTagOperator,
    KlaviyoListTagsOperator,
    KlaviyoTagResourcesOperator,
)

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

    Run = Callable[..., Any]

POST = "POST /api/tags"


def make(*names: str) -> list[str]:
    """Make tags and return their ids."""
    with KlaviyoHook().session() as klaviyo:
        return [klaviyo.send(tags.create(name=name))["data"]["id"] for name in names]


def tagged(tag_id: str) -> set[str]:
    """Return the ids of the lists that have a tag."""
    with KlaviyoHook().session() as klaviyo:
        answer = klaviyo.send(Request[Any]("GET", f"/api/tags/{tag_id}/relationships/lists"))
    return {each["id"] for each in answer["data"]}


def test_a_tag_is_made_found_and_deleted(sandbox: SandboxServer, run: Run) -> None:
    made = run(KlaviyoCreateTagOperator, name="Loyal{{ 'ty' }}").returned
    assert made["attributes"] == {"name": "Loyalty"}
    assert run(KlaviyoCreateTagOperator, name="Loyalty", if_exists="use").returned["id"] == made["id"]
    again = run(KlaviyoCreateTagOperator, name="Loyalty", retries=2)
    assert (again.state, again.tries) == ("failed", 1), "a group has each name once"
    listed = run(KlaviyoListTagsOperator, filter='contains(name,"oyal")', include="tag-group").returned
    assert [(each["id"], each["included"][0]["type"]) for each in listed] == [(made["id"], "tag-group")]
    assert run(KlaviyoDeleteTagOperator, tag_id=made["id"], must_exist=True).state == "success"
    assert run(KlaviyoListTagsOperator).returned == []


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_tag_whose_making_was_not_answered_is_made_once(sandbox: SandboxServer, run: Run, drop: Any) -> None:
    sandbox.fail(method="POST", path="/api/tags", drop=drop)
    made = run(KlaviyoCreateTagOperator, name="Loyalty", retries=1)
    assert (made.state, made.tries) == ("success", 2)
    assert [each["id"] for each in run(KlaviyoListTagsOperator).returned] == [made.returned["id"]]


def test_lists_are_tagged_and_untagged(sandbox: SandboxServer, run: Run) -> None:
    (tag_id,) = make("Loyalty")
    with KlaviyoHook().session() as klaviyo:
        ids = [klaviyo.send(lists.create(name=name))["data"]["id"] for name in ("A", "B")]
    assert run(KlaviyoTagResourcesOperator, tag_id=tag_id, list_ids=str(ids)).returned == 2
    assert tagged(tag_id) == set(ids)
    assert run(KlaviyoTagResourcesOperator, tag_id=tag_id, list_ids=ids[:1], action="remove").returned == 1
    assert tagged(tag_id) == {ids[1]}


def test_nothing_to_tag_is_refused_and_what_is_not_there_is_told(sandbox: SandboxServer, run: Run) -> None:
    (tag_id,) = make("Loyalty")
    for wrong in ({}, {"list_ids": ["nosuch"]}, {"segment_ids": ["nosuch"]}, {"flow_ids": [""]}):
        refused = run(KlaviyoTagResourcesOperator, tag_id=tag_id, retries=2, **wrong)
        assert (refused.state, refused.tries) == ("failed", 1)
    assert run(KlaviyoTagResourcesOperator, tag_id="nosuch", list_ids=["L1"], retries=2).tries == 1

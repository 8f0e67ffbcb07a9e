# SPDX-License-Identifier: Apache-2.0
"""What reads lists asks for no more than it returns, and never returns nothing for everything."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_klaviyo.api import events, lists, profiles, segments
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.operators.events import KlaviyoListEventsOperator
from airflow_provider_klaviyo.operators.lists import KlaviyoListListProfilesOperator, KlaviyoListListsOperator
from airflow_provider_klaviyo.operators.profiles import KlaviyoListProfilesOperator
from airflow_provider_klaviyo.operators.segments import KlaviyoListSegmentProfilesOperator

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

    Run = Callable[..., Any]


def fill() -> dict[str, str]:
    """Make a person with an event, in a list and in a segment, and return their ids."""
    with KlaviyoHook().session() as klaviyo:
        klaviyo.send(events.create(metric="Placed Order", profile={"email": "sarah@example.com"}, unique_id="1"))
        sarah = klaviyo.send(profiles.upsert(profile={"email": "sarah@example.com"}))["data"]["id"]
        list_id = klaviyo.send(lists.create(name="VIP"))["data"]["id"]
        klaviyo.send(lists.add_profiles(list_id=list_id, profile_ids=[sarah]))
        members = {"type": "profile-group-membership", "is_member": True, "group_ids": [list_id]}
        segment = klaviyo.send(segments.create(name="VIP", definition={"condition_groups": [{"conditions": [members]}]}))
        (event,) = klaviyo.walk(events.list_())
    return {"profile": sarah, "list": list_id, "segment": segment["data"]["id"], "event": event["id"]}


@pytest.mark.parametrize(
    ("operator", "kind", "of"),
    [
        (KlaviyoListProfilesOperator, "profile", None),
        (KlaviyoListListProfilesOperator, "profile", "list"),
        (KlaviyoListSegmentProfilesOperator, "profile", "segment"),
        (KlaviyoListEventsOperator, "event", None),
    ],
)
def test_where_ids_are_wanted_one_field_is_read_unless_others_are_named(
    sandbox: SandboxServer, run: Run, operator: type[Any], kind: str, of: str | None
) -> None:
    ids = fill()
    given = {f"{of}_id": ids[of]} if of else {}
    assert run(operator, **given).returned == [ids[kind]]
    (one,) = sandbox.klaviyo.received[-1].query[f"fields[{kind}]"].split(",")
    named = "updated" if kind == "profile" else "uuid"
    assert run(operator, **given, fields={kind: [named, one]}).returned == [ids[kind]]
    assert sandbox.klaviyo.received[-1].query[f"fields[{kind}]"] == f"{named},{one}"
    (whole,) = run(operator, **given, return_objects=True).returned
    assert len(whole["attributes"]) > 2
    assert not any(name.startswith("fields") for name in sandbox.klaviyo.received[-1].query)


@pytest.mark.parametrize("max_items", [0, -1])
def test_no_items_at_all_are_refused_and_not_read(sandbox: SandboxServer, run: Run, max_items: int) -> None:
    refused = run(KlaviyoListListsOperator, max_items=max_items, truncate=True, retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert "max_items is 1 or more" in refused.said
    assert not sandbox.klaviyo.requests

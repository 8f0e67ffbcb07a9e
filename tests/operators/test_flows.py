# SPDX-License-Identifier: Apache-2.0
"""Operators for flows, against the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_klaviyo.api import tags
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.operators.flows import KlaviyoGetFlowOperator, KlaviyoListFlowsOperator, KlaviyoUpdateFlowStatusOperator

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

    Run = Callable[..., Any]

PATCH = "PATCH /api/flows/{id}"


def status_of(flow: dict[str, Any]) -> list[str]:
    """Return the status of a flow, and of the action that is included."""
    [action] = flow["included"]
    return [flow["attributes"]["status"], action["attributes"]["definition"]["data"]["status"]]


def test_a_flow_is_turned_on_with_all_its_actions(sandbox: SandboxServer, run: Run) -> None:
    flow_id = sandbox.klaviyo.add_flow("Welcome")
    read = {"flow_id": flow_id, "include": "flow-actions"}
    assert status_of(run(KlaviyoGetFlowOperator, **read).returned) == ["draft", "draft"]
    changed = run(KlaviyoUpdateFlowStatusOperator, flow_id=flow_id, status="{{ 'live' }}")
    assert changed.returned["attributes"]["status"] == "live"
    assert sandbox.klaviyo.received[-1].body == {"data": {"type": "flow", "id": flow_id, "attributes": {"status": "live"}}}
    assert status_of(run(KlaviyoGetFlowOperator, **read).returned) == ["live", "live"]


def test_a_change_that_was_not_answered_is_sent_again(sandbox: SandboxServer, run: Run) -> None:
    flow_id = sandbox.klaviyo.add_flow("Welcome", status="live")
    sandbox.fail(method="PATCH", path="/api/flows/", drop="after")
    done = run(KlaviyoUpdateFlowStatusOperator, flow_id=flow_id, status="manual")
    assert (done.state, done.tries, sandbox.klaviyo.requests[PATCH]) == ("success", 1, 2)
    assert done.returned["attributes"]["status"] == "manual"


@pytest.mark.parametrize("status", ["Live", "archived", "{{ 'on' }}"])
def test_a_status_that_klaviyo_does_not_have_is_not_sent(sandbox: SandboxServer, run: Run, status: str) -> None:
    flow_id = sandbox.klaviyo.add_flow("Welcome")
    refused = run(KlaviyoUpdateFlowStatusOperator, flow_id=flow_id, status=status, retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert not sandbox.klaviyo.requests


def test_flows_are_read_across_pages_as_filtered(sandbox: SandboxServer, run: Run) -> None:
    names = [f"F{number:02}" for number in range(60)]
    ids = {name: sandbox.klaviyo.add_flow(name) for name in names}
    live = sandbox.klaviyo.add_flow("F60", status="live", trigger_type="Metric")
    read = run(KlaviyoListFlowsOperator, filter='starts-with(name,"F"),equals(status,"draft"),equals(archived,false)', sort="-name")
    assert [each["id"] for each in read.returned] == [ids[name] for name in reversed(names)]
    assert [each["id"] for each in run(KlaviyoListFlowsOperator, filter='equals(trigger_type,"Metric")').returned] == [live]


def test_what_a_flow_is_made_of_is_told_where_it_is_asked_for(sandbox: SandboxServer, run: Run) -> None:
    flow_id = sandbox.klaviyo.add_flow("Welcome", trigger_type="Metric")
    with KlaviyoHook().session() as klaviyo:
        tag_id = klaviyo.send(tags.create(name="Onboarding"))["data"]["id"]
        klaviyo.send(tags.add(tag_id=tag_id, to="flows", ids=[flow_id]))
    [listed] = run(KlaviyoListFlowsOperator, include=["flow-actions", "tags"]).returned
    assert "definition" not in listed["attributes"]
    assert [each["type"] for each in listed["included"]] == ["flow-action", "tag"]
    assert listed["included"][1]["attributes"] == {"name": "Onboarding"}
    read = run(KlaviyoGetFlowOperator, flow_id=flow_id, additional_fields={"flow": ["definition"]}).returned
    assert [each["type"] for each in read["attributes"]["definition"]["triggers"]] == ["metric"]
    assert [each["type"] for each in read["attributes"]["definition"]["actions"]] == ["send-email"]
    assert run(KlaviyoGetFlowOperator, flow_id=flow_id, fields={"flow": "definition"}).returned["attributes"].keys() == {"definition"}


def test_what_klaviyo_refuses_fails_at_once(sandbox: SandboxServer, run: Run) -> None:
    for operator, fields, said in (
        (KlaviyoGetFlowOperator, {"flow_id": "NOPE01"}, "answered 404"),
        (KlaviyoUpdateFlowStatusOperator, {"flow_id": "NOPE01", "status": "live"}, "answered 404"),
        (KlaviyoListFlowsOperator, {"filter": "less-than(created,2099-01-01T00:00:00Z)"}, "answered 400"),
        (KlaviyoListFlowsOperator, {"filter": "greater-than(created,2026-01-01T00:00:00Z)", "sort": "name"}, "answered 400"),
        (KlaviyoListFlowsOperator, {"fields": {"flow": "definition"}}, "answered 400"),
    ):
        refused = run(operator, retries=2, **fields)
        assert (refused.state, refused.tries) == ("failed", 1)
        assert said in refused.said

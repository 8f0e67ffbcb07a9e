# SPDX-License-Identifier: Apache-2.0
"""Flows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_klaviyo.api import flows, tags
from airflow_provider_klaviyo.api.request import Json
from tests.contract.kit import Case

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer
    from airflow_provider_klaviyo.session import Session

ALL: Json = {"include": ["flow-actions", "tags"]}


def a_flow(klaviyo: Session, sandbox: SandboxServer) -> Json:
    """Make a flow."""
    return {"flow_id": sandbox.klaviyo.add_flow("Welcome", trigger_type="Metric")}


def tagged(klaviyo: Session, sandbox: SandboxServer) -> Json:
    """Make a flow that has a tag."""
    made = a_flow(klaviyo, sandbox)
    tag_id = klaviyo.send(tags.create(name="Onboarding"))["data"]["id"]
    klaviyo.send(tags.add(tag_id=tag_id, to="flows", ids=[made["flow_id"]]))
    return made


CASES = [
    Case(flows.get, "get_flow", {"flow_id": "F1"}, a_flow),
    Case(flows.get, "get_flow", {"flow_id": "F1", "additional_fields": {"flow": "definition"}, **ALL}, tagged),
    Case(flows.list_, "get_flows", {}, a_flow),
    Case(
        flows.list_,
        "get_flows",
        {
            "filter": 'equals(status,"draft"),greater-than(updated,2026-01-01T00:00:00Z),equals(trigger_type,"Metric")',
            "sort": "-updated",
            "page_size": 50,
            **ALL,
        },
        tagged,
    ),
    Case(
        flows.list_,
        "get_flows",
        {"fields": {"flow": ["name", "status"], "flow-action": "definition", "tag": "name"}, **ALL},
        tagged,
    ),
    *(Case(flows.update_status, "update_flow", {"flow_id": "F1", "status": status}, a_flow) for status in ("draft", "manual", "live")),
]

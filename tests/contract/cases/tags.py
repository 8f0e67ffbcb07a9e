# SPDX-License-Identifier: Apache-2.0
"""Tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_klaviyo.api import tags
from airflow_provider_klaviyo.api.request import Json
from tests.contract.cases.campaigns import a_campaign
from tests.contract.cases.flows import a_flow
from tests.contract.cases.lists import a_list
from tests.contract.cases.segments import a_segment
from tests.contract.kit import Case

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer
    from airflow_provider_klaviyo.session import Session


def a_tag(klaviyo: Session, sandbox: SandboxServer) -> Json:
    """Make a tag."""
    made = klaviyo.send(tags.create(name="Loyalty"))["data"]
    return {"tag_id": made["id"], "tag_group_id": made["relationships"]["tag-group"]["data"]["id"]}


def on_a_list(klaviyo: Session, sandbox: SandboxServer) -> Json:
    """Make a tag and a list to put it on."""
    return {**a_tag(klaviyo, sandbox), "ids": [a_list(klaviyo, sandbox)["list_id"]]}


def on_a_segment(klaviyo: Session, sandbox: SandboxServer) -> Json:
    """Make a tag and a segment to put it on."""
    return {**a_tag(klaviyo, sandbox), "ids": [a_segment(klaviyo, sandbox)["segment_id"]]}


def on_a_campaign(klaviyo: Session, sandbox: SandboxServer) -> Json:
    """Make a tag and a campaign to put it on."""
    return {**a_tag(klaviyo, sandbox), "ids": [a_campaign(klaviyo, sandbox)["campaign_id"]]}


def on_a_flow(klaviyo: Session, sandbox: SandboxServer) -> Json:
    """Make a tag and a flow to put it on."""
    return {**a_tag(klaviyo, sandbox), "ids": [a_flow(klaviyo, sandbox)["flow_id"]]}


CASES = [
    Case(tags.create, "create_tag", {"name": "Loyalty"}),
    Case(tags.create, "create_tag", {"name": "Gold", "tag_group_id": "G1"}, a_tag),
    Case(tags.get, "get_tag", {"tag_id": "T1"}, a_tag),
    Case(tags.get, "get_tag", {"tag_id": "T1", "fields": {"tag": "name"}, "include": "tag-group"}, a_tag),
    Case(tags.list_, "get_tags", {}, a_tag),
    Case(tags.list_, "get_tags", {"filter": 'starts-with(name,"L")', "sort": "-name", "include": "tag-group", "page_size": 50}, a_tag),
    Case(tags.delete, "delete_tag", {"tag_id": "T1"}, a_tag),
    Case(tags.add, "tag_lists", {"tag_id": "T1", "to": "lists", "ids": ["L1"]}, on_a_list),
    Case(tags.add, "tag_segments", {"tag_id": "T1", "to": "segments", "ids": ["S1"]}, on_a_segment),
    Case(tags.add, "tag_campaigns", {"tag_id": "T1", "to": "campaigns", "ids": ["C1"]}, on_a_campaign),
    Case(tags.add, "tag_flows", {"tag_id": "T1", "to": "flows", "ids": ["F1"]}, on_a_flow),
    Case(tags.remove, "remove_tag_from_campaigns", {"tag_id": "T1", "of": "campaigns", "ids": ["C1"]}, on_a_campaign),
    Case(tags.remove, "remove_tag_from_flows", {"tag_id": "T1", "of": "flows", "ids": ["F1"]}, on_a_flow),
    Case(tags.remove, "remove_tag_from_lists", {"tag_id": "T1", "of": "lists", "ids": ["L1"]}, on_a_list),
    Case(tags.remove, "remove_tag_from_segments", {"tag_id": "T1", "of": "segments", "ids": ["S1"]}, on_a_segment),
]

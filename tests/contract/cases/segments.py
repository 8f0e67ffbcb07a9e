# SPDX-License-Identifier: Apache-2.0
"""Segments, and who is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_klaviyo.api import segments
from airflow_provider_klaviyo.api.request import Json
from tests.contract.cases.lists import a_member
from tests.contract.cases.profiles import ADDITIONAL, FIELDS
from tests.contract.kit import Case

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer
    from airflow_provider_klaviyo.session import Session


def of_members(list_id: str) -> Json:
    """Return the definition of a segment of a list's members."""
    condition = {"type": "profile-group-membership", "is_member": True, "group_ids": [list_id]}
    return {"condition_groups": [{"conditions": [condition]}]}


def a_segment(klaviyo: Session, sandbox: SandboxServer) -> Json:
    """Make a segment that somebody is in."""
    definition = of_members(a_member(klaviyo, sandbox)["list_id"])
    made = klaviyo.send(segments.create(name="VIP", definition=definition))
    return {"segment_id": made["data"]["id"], "definition": definition}


DEFINITION = of_members("L1")

CASES = [
    Case(segments.create, "create_segment", {"name": "VIP", "definition": DEFINITION}, a_segment),
    Case(segments.create, "create_segment", {"name": "VIP", "definition": DEFINITION, "is_starred": True}, a_segment),
    Case(segments.get, "get_segment", {"segment_id": "S1"}, a_segment),
    Case(
        segments.get,
        "get_segment",
        {"segment_id": "S1", "additional_fields": {"segment": "profile_count"}, "include": ["tags", "flow-triggers"]},
        a_segment,
    ),
    Case(segments.list_, "get_segments", {}, a_segment),
    Case(
        segments.list_,
        "get_segments",
        {"filter": 'any(name,["VIP"]),equals(is_starred,false)', "sort": "-created", "fields": {"segment": "name"}, "page_size": 10},
        a_segment,
    ),
    Case(segments.update, "update_segment", {"segment_id": "S1", "name": "Gold", "definition": DEFINITION, "is_starred": True}, a_segment),
    Case(segments.delete, "delete_segment", {"segment_id": "S1"}, a_segment),
    Case(segments.profiles, "get_profiles_for_segment", {"segment_id": "S1", "additional_fields": ADDITIONAL}, a_segment),
    Case(
        segments.profiles,
        "get_profiles_for_segment",
        {
            "segment_id": "S1",
            "filter": "greater-than(joined_group_at,2026-01-01T00:00:00Z)",
            "sort": "-joined_group_at",
            "fields": FIELDS,
            "page_size": 100,
        },
        a_segment,
    ),
]

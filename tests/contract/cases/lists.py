# SPDX-License-Identifier: Apache-2.0
"""Lists, and who is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_klaviyo.api import lists
from airflow_provider_klaviyo.api.request import Json
from tests.contract.cases.profiles import ADDITIONAL, FIELDS, a_profile
from tests.contract.kit import Case

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer
    from airflow_provider_klaviyo.session import Session


def a_list(klaviyo: Session, sandbox: SandboxServer) -> Json:
    """Make a list."""
    return {"list_id": klaviyo.send(lists.create(name="VIP"))["data"]["id"]}


def a_member(klaviyo: Session, sandbox: SandboxServer) -> Json:
    """Make a list with a profile in it."""
    made, people = a_list(klaviyo, sandbox), [a_profile(klaviyo, sandbox)["profile_id"]]
    klaviyo.send(lists.add_profiles(**made, profile_ids=people))
    return {**made, "profile_ids": people}


CASES = [
    Case(lists.create, "create_list", {"name": "VIP"}),
    Case(lists.create, "create_list", {"name": "VIP", "opt_in_process": "double_opt_in"}),
    Case(lists.get, "get_list", {"list_id": "L1", "additional_fields": {"list": "profile_count"}, "include": "tags"}, a_list),
    Case(lists.get, "get_list", {"list_id": "L1", "fields": {"list": "name"}}, a_list),
    Case(lists.list_, "get_lists", {}, a_list),
    Case(
        lists.list_,
        "get_lists",
        {"filter": 'equals(name,"VIP")', "sort": "-created", "fields": {"list": "name"}, "include": "tags", "page_size": 10},
        a_list,
    ),
    Case(lists.profiles, "get_profiles_for_list", {"list_id": "L1", "additional_fields": ADDITIONAL}, a_member),
    Case(
        lists.profiles,
        "get_profiles_for_list",
        {
            "list_id": "L1",
            "filter": "greater-than(joined_group_at,2026-01-01T00:00:00Z)",
            "sort": "joined_group_at",
            "fields": FIELDS,
            "page_size": 100,
        },
        a_member,
    ),
    Case(lists.profile_ids, "get_profile_ids_for_list", {"list_id": "L1", "sort": "-joined_group_at", "page_size": 100}, a_member),
    Case(lists.update, "update_list", {"list_id": "L1", "name": "Gold", "opt_in_process": "single_opt_in"}, a_list),
    Case(lists.delete, "delete_list", {"list_id": "L1"}, a_list),
    Case(lists.add_profiles, "add_profiles_to_list", {"list_id": "L1", "profile_ids": ["01J", "01K"]}, a_member),
    Case(lists.remove_profiles, "remove_profiles_from_list", {"list_id": "L1", "profile_ids": ["01J", "01K"]}, a_member),
]

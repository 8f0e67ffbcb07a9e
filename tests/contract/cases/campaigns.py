# SPDX-License-Identifier: Apache-2.0
"""Campaigns: making and changing them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_klaviyo.api import campaigns, lists, templates
from airflow_provider_klaviyo.api.request import Json
from tests.contract.kit import Case

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer
    from airflow_provider_klaviyo.session import Session

EMAIL: Json = {"channel": "email", "subject": "Hi {{ first_name }}", "from_email": "shop@example.com", "from_label": "Shop"}


def a_list(klaviyo: Session, sandbox: SandboxServer) -> Json:
    """Make a list."""
    made = klaviyo.send(lists.create(name="VIP"))["data"]["id"]
    audience = {"temporary_id": "a", "name": "VIP", "included": [made], "excluded": []}
    return {"included": [made], "excluded": [made], "audiences": [audience, {"temporary_id": "b"}]}


def a_campaign(klaviyo: Session, sandbox: SandboxServer) -> Json:
    """Make a campaign with a message, and a template."""
    made = klaviyo.send(campaigns.create(name="Sale", included=a_list(klaviyo, sandbox)["included"], message=EMAIL))["data"]
    return {
        "campaign_id": made["id"],
        "message_ids": [each["id"] for each in made["relationships"]["campaign-messages"]["data"]],
        "message_id": made["relationships"]["campaign-messages"]["data"][0]["id"],
        "template_id": klaviyo.send(templates.create(name="Hi", html="<p>Hi</p>"))["data"]["id"],
    }


CASES = [
    Case(campaigns.create, "create_campaign", {"name": "Sale"}),
    Case(
        campaigns.create,
        "create_campaign",
        {
            "name": "Sale",
            "included": ["L1"],
            "excluded": ["L2"],
            "message": EMAIL,
            "send_settings": {
                "send_timezone": "UTC",
                "send_strategy": "static",
                "send_passed_rltz_immediately": False,
                "exit_condition_enabled": True,
                "exit_condition_conversion_metric_id": "M1",
            },
            "description": "For all",
        },
        a_list,
    ),
    Case(
        campaigns.create,
        "create_campaign",
        {
            "name": "Sale",
            "audiences": [{"temporary_id": "a", "name": "VIP", "included": ["L1"], "excluded": []}, {"temporary_id": "b"}],
            "messages": [
                {
                    "audience_temporary_id": "a",
                    "name": "First",
                    "is_add_utm": True,
                    "throttling_type": "FOR_CAMPAIGNS",
                    "variations": [{"definition": {"name": "A", "details": EMAIL}}, {"definition": {"name": "B"}}],
                },
                {"audience_temporary_id": "b"},
            ],
        },
        a_list,
    ),
    Case(campaigns.get, "get_campaign", {"campaign_id": "C1"}, a_campaign),
    Case(campaigns.get, "get_campaign", {"campaign_id": "C1", "include": ["campaign-audiences", "campaign-messages", "tags"]}, a_campaign),
    Case(campaigns.list_, "get_campaigns", {}, a_campaign),
    Case(
        campaigns.list_,
        "get_campaigns",
        {
            "filter": 'contains(name,"S"),equals(archived,false),greater-than(created_at,2026-01-01T00:00:00Z)',
            "sort": "-updated_at",
            "include": "campaign-messages",
            "page_size": 100,
        },
        a_campaign,
    ),
    Case(
        campaigns.list_,
        "get_campaigns",
        {"sort": "name", "fields": {"campaign": ["definition.name", "created_at"], "campaign-message": ["definition"]}},
        a_campaign,
    ),
    Case(
        campaigns.update,
        "update_campaign",
        {"campaign_id": "C1", "name": "Sold", "description": "Over", "archived": True, "send_settings": {"send_timezone": "UTC"}},
        a_campaign,
    ),
    Case(campaigns.delete, "delete_campaign", {"campaign_id": "C1"}, a_campaign),
    Case(campaigns.clone, "clone_campaign", {"campaign_id": "C1"}, a_campaign),
    Case(campaigns.clone, "clone_campaign", {"campaign_id": "C1", "name": "Sale again"}, a_campaign),
    Case(
        campaigns.assign_template,
        "assign_template_to_campaign_message",
        {"message_id": "M1", "template_id": "T1"},
        a_campaign,
    ),
]

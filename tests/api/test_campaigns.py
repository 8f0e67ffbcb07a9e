# SPDX-License-Identifier: Apache-2.0
"""What is said to make and to change a campaign."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_klaviyo.api import campaigns
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.request import Request

EMAIL = {"channel": "email", "subject": "Hi {{ first_name }}"}


def made(**fields: Any) -> dict[str, Any]:
    """Return the attributes that a campaign is made with."""
    request = campaigns.create(**{"name": "Sale", **fields})
    assert request.json is not None
    return dict(request.json["data"]["attributes"])


def test_one_message_to_one_audience_is_said_in_plain_words() -> None:
    assert made(included=("L1", "S1"), excluded=["L2"], message=EMAIL, send_settings={"send_timezone": "UTC"}) == {
        "definition": {"name": "Sale", "send_settings": {"send_timezone": "UTC"}},
        "audiences": [{"temporary_id": "audience", "name": "Sale", "included": ["L1", "S1"], "excluded": ["L2"]}],
        "messages": [
            {
                "audience_temporary_id": "audience",
                "name": "Sale",
                "variations": [{"definition": {"name": "Sale", "details": EMAIL}}],
            }
        ],
    }


def test_any_number_of_them_are_said_as_klaviyo_takes_them() -> None:
    audiences = [{"temporary_id": "a", "included": ["L1"]}]
    messages = [{"audience_temporary_id": "a"}, {"audience_temporary_id": "a", "variations": []}]
    assert made(audiences=audiences, messages=messages) == {"definition": {"name": "Sale"}, "audiences": audiences, "messages": messages}


def test_a_campaign_may_begin_empty() -> None:
    assert made() == {"definition": {"name": "Sale"}}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": " "}, "needs a name"),
        ({"included": "L1"}, "lists of ids"),
        ({"included": ["L1"], "audiences": [{"temporary_id": "a"}]}, "in their place"),
        ({"included": ["L1"], "message": EMAIL, "messages": [{"audience_temporary_id": "a"}]}, "in their place"),
        ({"message": EMAIL}, "position 0 has no audience"),
        ({"audiences": [{"temporary_id": "a"}], "messages": [{"audience_temporary_id": "a"}, {}]}, "position 1 has no audience"),
    ],
)
def test_what_cannot_be_a_campaign_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(KlaviyoConfigError, match=message):
        made(**wrong)


def test_a_campaign_is_read_by_its_id() -> None:
    assert campaigns.get(campaign_id="C/1", include="campaign-messages") == Request(
        "GET", "/api/campaigns/C%2F1", params={"include": "campaign-messages"}
    )


def test_campaigns_are_not_listed_by_channel_any_more() -> None:
    with pytest.raises(KlaviyoConfigError, match=r"does not filter by messages\.channel"):
        campaigns.list_(filter='equals(messages.channel,"email")')


def test_a_campaign_is_changed_by_its_definition() -> None:
    assert campaigns.update(campaign_id="C1", archived=False) == Request(
        "PATCH",
        "/api/campaigns/C1",
        json={"data": {"type": "campaign", "id": "C1", "attributes": {"definition": {"archived": False}}}},
        replayable=True,
    )
    with pytest.raises(KlaviyoConfigError, match="nothing to change"):
        campaigns.update(campaign_id="C1")
    with pytest.raises(KlaviyoConfigError, match="needs a name"):
        campaigns.update(campaign_id="C1", name="")

# SPDX-License-Identifier: Apache-2.0
"""What is said to send a campaign, and where it stands, from the answers of two revisions."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from airflow_provider_klaviyo.api import campaign_sending
from airflow_provider_klaviyo.api.campaign_sending import Campaign, CampaignStatus
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError, KlaviyoError


def answer(*statuses: str | None) -> dict[str, Any]:
    """Return a campaign of 2026-10-15, with a message of each status."""
    included: list[dict[str, Any]] = [
        {"type": "campaign-message", "id": f"M{number}", "attributes": {"definition": {"name": "m", "status": status}}}
        for number, status in enumerate(statuses)
    ]
    return {
        "data": {"type": "campaign", "id": "C1", "attributes": {"definition": {"name": "Sale"}}},
        "included": [{"type": "tag", "id": "T", "attributes": {"name": "x"}}, *included],
    }


def older(status: str) -> dict[str, Any]:
    """Return a campaign of the revisions before."""
    message = {"type": "campaign-message", "id": "M0", "attributes": {"definition": {"channel": "email", "content": {}}}}
    return {"data": {"type": "campaign", "id": "C1", "attributes": {"status": status}}, "included": [message]}


def test_it_is_sent_when_all_its_messages_are() -> None:
    assert Campaign.read(answer("sent", "sent")).as_data() == {"id": "C1", "statuses": {"M0": "Sent", "M1": "Sent"}}
    assert Campaign.read(answer("sent", "sent")).check().sent
    assert not Campaign.read(answer("sent", "sending")).sent
    assert not Campaign.read(answer()).sent, "without messages there is nothing that was sent"


def test_it_is_cancelled_when_a_message_is() -> None:
    with pytest.raises(KlaviyoError, match="the campaign C1 was not sent as a whole: Cancelled, Sent"):
        Campaign.read(answer("sent", "cancelled")).check()


@pytest.mark.parametrize("status", list(CampaignStatus))
def test_an_older_revision_tells_the_status_of_the_campaign_itself(status: CampaignStatus) -> None:
    campaign = Campaign.read(older(status.value))
    assert campaign.statuses == {"C1": status.value}
    assert campaign.sent == (status is CampaignStatus.SENT)
    assert campaign.cancelled == status.value.startswith("Cancelled")
    assert not campaign.unknown


def test_a_status_never_seen_is_no_end_and_a_new_reason_to_cancel_is_one() -> None:
    paused = Campaign.read(answer("paused"))
    assert (paused.sent, paused.cancelled, paused.unknown) == (False, False, ["paused"])
    assert Campaign.read(older("Cancelled: Out of Stamps")).cancelled


def test_a_message_without_a_status_is_a_draft() -> None:
    assert Campaign.read(answer(None)).standing == "Draft"


def test_it_survives_the_way_through_a_trigger() -> None:
    campaign = Campaign.read(answer("sent", "paused"))
    assert Campaign.from_data(campaign.as_data()) == campaign


def test_what_is_no_campaign_is_an_error() -> None:
    with pytest.raises(KlaviyoError, match="no campaign"):
        Campaign.read({"data": {"type": "list", "id": "L"}})


def test_it_is_new_as_long_as_no_message_is_on_its_way() -> None:
    with pytest.raises(KlaviyoConfigError, match="of the campaign C1, M0 is Sending, M2 is Sent: it goes out once"):
        Campaign.read(answer("sending", "draft", "sent")).check_new()
    with pytest.raises(KlaviyoConfigError, match="C1 is Variations Sent"):
        Campaign.read(older("Variations Sent")).check_new()
    with pytest.raises(KlaviyoConfigError, match="no messages"):
        Campaign.read(answer()).check_new()
    assert not Campaign.read(answer("scheduled", "draft", "cancelled")).check_new().going


def test_it_is_scheduled_when_a_message_is() -> None:
    assert Campaign.read(answer("draft", "scheduled")).scheduled
    assert Campaign.read(older("Preparing to schedule")).scheduled
    assert not Campaign.read(answer("draft", "sending")).scheduled


def test_without_messages_there_is_nothing_to_wait_for() -> None:
    assert Campaign.read(answer()).over
    assert not Campaign.read(answer("draft", "sent")).over
    with pytest.raises(KlaviyoError, match="the campaign C1 has no messages"):
        Campaign.read(answer()).check()


NINE = datetime(2030, 11, 30, 9, tzinfo=UTC)


def schedule(**fields: Any) -> dict[str, Any]:
    """Return what is said of each of two messages."""
    request = campaign_sending.schedule(campaign_id="C1", message_ids=["M1", "M2"], **fields)
    assert request.repeatable
    assert request.json is not None
    first, second = request.json["data"]["attributes"]["message_schedules"]
    assert (first.pop("message_id"), second.pop("message_id")) == ("M1", "M2")
    assert first == second
    return dict(first)


def test_messages_are_scheduled_as_the_strategy_needs() -> None:
    assert schedule(send_time=NINE) == {"strategy": "static", "send_time": "2030-11-30T09:00:00+00:00"}
    assert schedule(send_date=date(2030, 11, 30), strategy="smart_send_time") == {"strategy": "smart_send_time", "send_date": "2030-11-30"}
    throttled = {"throttling_percentage": 20, "throttle_unit": "hour"}
    assert schedule(send_time=NINE, strategy="throttled", throttled_options=throttled)["throttled_options"] == throttled


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({}, "every other strategy a send_time"),
        ({"send_time": NINE, "send_date": date(2030, 11, 30)}, "every other strategy a send_time"),
        ({"send_time": NINE, "strategy": "smart_send_time"}, "takes a send_date"),
        ({"send_time": datetime(2030, 11, 30)}, "no time zone"),  # noqa: DTZ001 - that is the fault
        ({"send_time": NINE, "strategy": "throttled"}, "takes throttled_options"),
        ({"send_time": NINE, "timezone_options": {}}, "local_timezone"),
        ({"send_time": NINE, "strategy": "soon"}, "strategy is one of static"),
        ({"send_time": NINE, "message_ids": []}, "not empty"),
        ({"send_time": NINE, "message_ids": "M1"}, "list of ids"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(KlaviyoConfigError, match=message):
        campaign_sending.schedule(**{"campaign_id": "C1", "message_ids": ["M1"], **wrong})


def test_sending_is_not_repeatable_and_stopping_is() -> None:
    assert not campaign_sending.send(campaign_id="C1").repeatable
    assert campaign_sending.cancel_send(campaign_id="C1", action="cancel").repeatable
    with pytest.raises(KlaviyoConfigError, match="action is one of cancel, revert"):
        campaign_sending.cancel_send(campaign_id="C1", action="stop")  # type: ignore[arg-type]

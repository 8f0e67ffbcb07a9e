# SPDX-License-Identifier: Apache-2.0
"""Campaigns: sending them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from airflow_provider_klaviyo.api import campaign_sending, jobs
from airflow_provider_klaviyo.api.request import Json
from tests.contract.cases.campaigns import a_campaign
from tests.contract.kit import Case

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer
    from airflow_provider_klaviyo.session import Session

SOME_DAY = datetime(2030, 11, 30, 9, tzinfo=UTC)
MESSAGES: Json = {"campaign_id": "C1", "message_ids": ["M1"]}


def sent(klaviyo: Session, sandbox: SandboxServer) -> Json:
    """Send a campaign."""
    made = a_campaign(klaviyo, sandbox)
    klaviyo.send(campaign_sending.send(campaign_id=made["campaign_id"]))
    return {**made, "job_id": made["campaign_id"]}


def estimated(klaviyo: Session, sandbox: SandboxServer) -> Json:
    """Have the recipients of a campaign estimated."""
    sandbox.klaviyo.behaviour.job_seconds = 0
    made = a_campaign(klaviyo, sandbox)
    klaviyo.send(campaign_sending.refresh_recipient_estimation(campaign_id=made["campaign_id"]))
    return {**made, "job_id": made["campaign_id"]}


CASES = [
    Case(campaign_sending.schedule, "schedule_campaign", {**MESSAGES, "send_time": SOME_DAY}, a_campaign),
    Case(
        campaign_sending.schedule,
        "schedule_campaign",
        {**MESSAGES, "send_date": date(2030, 11, 30), "strategy": "smart_send_time"},
        a_campaign,
    ),
    Case(
        campaign_sending.schedule,
        "schedule_campaign",
        {
            **MESSAGES,
            "send_time": SOME_DAY,
            "strategy": "throttled",
            "throttled_options": {"throttling_percentage": 20, "throttle_unit": "hour"},
        },
        a_campaign,
    ),
    Case(
        campaign_sending.schedule,
        "schedule_campaign",
        {**MESSAGES, "send_time": SOME_DAY, "strategy": "local_timezone", "timezone_options": {"send_past_timezones_tomorrow": True}},
        a_campaign,
    ),
    Case(campaign_sending.send, "send_campaign", {"campaign_id": "C1"}, a_campaign),
    Case(campaign_sending.cancel_send, "cancel_campaign_send", {"campaign_id": "C1", "action": "cancel"}, sent),
    Case(campaign_sending.cancel_send, "cancel_campaign_send", {"campaign_id": "C1", "action": "revert"}, sent),
    Case(campaign_sending.refresh_recipient_estimation, "refresh_campaign_recipient_estimation", {"campaign_id": "C1"}, a_campaign),
    Case(campaign_sending.recipient_estimation, "get_campaign_recipient_estimation", {"campaign_id": "C1"}, estimated),
    Case(jobs.get, "get_campaign_send_job", {"kind": "campaign-send", "job_id": "C1"}, sent),
    Case(jobs.get, "get_campaign_recipient_estimation_job", {"kind": "campaign-recipient-estimation", "job_id": "C1"}, estimated),
]

# SPDX-License-Identifier: Apache-2.0
"""Reports."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_klaviyo.api import reporting
from airflow_provider_klaviyo.api.request import Json
from tests.contract.cases.events import an_event
from tests.contract.kit import Case

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer
    from airflow_provider_klaviyo.session import Session

WEEK = (datetime(2026, 11, 1), datetime(2026, 11, 8))  # noqa: DTZ001 - the account's own time


def numbers(klaviyo: Session, sandbox: SandboxServer) -> Json:
    """Let there be something to report."""
    sandbox.klaviyo.reports |= {
        "campaign": [{"campaign_id": "01C", "campaign_message_id": "01M", "send_channel": "email", "opens": 7}],
        "flow": [{"flow_id": "F1", "flow_message_id": "M1", "send_channel": "sms", "clicks": 3}],
        "form": [{"form_id": "O1", "form_version_id": "1", "submits": 2}],
        "segment": [{"segment_id": "S1", "total_members": 9}],
    }
    return {"conversion_metric_id": an_event(klaviyo, sandbox)["metric_id"]}


MESSAGES: Json = {"statistics": ["opens", "conversion_value"], "conversion_metric_id": "M1"}
CHOSEN = 'and(equals(send_channel,"email"),contains-any(tag_id,["T1","T2"]))'

CASES = [
    Case(reporting.campaign_values, "query_campaign_values", {**MESSAGES, "timeframe": "last_30_days"}, numbers),
    Case(
        reporting.campaign_values,
        "query_campaign_values",
        {**MESSAGES, "timeframe": WEEK, "group_by": ["campaign_id", "campaign_message_id", "tag_name"], "filter": CHOSEN},
        numbers,
    ),
    Case(reporting.flow_values, "query_flow_values", {**MESSAGES, "timeframe": "yesterday"}, numbers),
    Case(
        reporting.flow_values,
        "query_flow_values",
        {**MESSAGES, "timeframe": WEEK, "group_by": ["flow_id", "flow_message_id"], "filter": 'equals(flow_id,"F1")'},
        numbers,
    ),
    Case(
        reporting.flow_series,
        "query_flow_series",
        {**MESSAGES, "timeframe": WEEK, "interval": "daily", "group_by": ["flow_id", "flow_message_id"], "filter": CHOSEN},
        numbers,
    ),
    Case(
        reporting.form_values,
        "query_form_values",
        {
            "statistics": ["submits"],
            "timeframe": WEEK,
            "group_by": ["form_id", "form_version_id"],
            "filter": 'and(equals(form_id,"O1"),any(form_version_id,["1"]))',
        },
        numbers,
    ),
    Case(
        reporting.form_series,
        "query_form_series",
        {
            "statistics": ["submits"],
            "timeframe": "last_week",
            "interval": "hourly",
            "group_by": ["form_id"],
            "filter": 'equals(form_id,"O1")',
        },
        numbers,
    ),
    Case(
        reporting.segment_values,
        "query_segment_values",
        {"statistics": ["total_members"], "timeframe": "last_12_months", "filter": 'any(segment_id,["S1"])'},
        numbers,
    ),
    Case(
        reporting.segment_series,
        "query_segment_series",
        {"statistics": ["members_added"], "timeframe": WEEK, "interval": "weekly", "filter": 'equals(segment_id,"S1")'},
        numbers,
    ),
]

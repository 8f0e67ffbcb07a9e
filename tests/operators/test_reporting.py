# SPDX-License-Identifier: Apache-2.0
"""Operators for reports, against the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_klaviyo.api import events, metrics
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.operators.reporting import (
    KlaviyoQueryCampaignValuesOperator,
    KlaviyoQueryFlowSeriesOperator,
    KlaviyoQueryFormValuesOperator,
    KlaviyoQuerySegmentSeriesOperator,
)

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

    Run = Callable[..., Any]

POST = "POST /api/campaign-values-reports"
SPRING = {"campaign_id": "01SPRING", "campaign_message_id": "01M", "send_channel": "email", "opens": 7, "conversion_value": 99.5}
AUTUMN = {"campaign_id": "01AUTUMN", "campaign_message_id": "01N", "send_channel": "sms", "opens": 3}


@pytest.fixture
def metric(sandbox: SandboxServer) -> str:
    """Make a metric and return its id."""
    with KlaviyoHook().session() as klaviyo:
        klaviyo.send(events.create(metric="Placed Order", profile={"email": "sarah@example.com"}, unique_id="1"))
        (found,) = klaviyo.walk(metrics.list_())
    return str(found["id"])


def test_rows_have_groupings_and_statistics(sandbox: SandboxServer, run: Run, metric: str) -> None:
    sandbox.klaviyo.reports["campaign"] = [SPRING, AUTUMN]
    asked = {"statistics": ["opens", "conversion_value"], "timeframe": "last_30_days", "conversion_metric_id": metric}
    assert run(KlaviyoQueryCampaignValuesOperator, **asked).returned == [
        {"campaign_id": "01SPRING", "campaign_message_id": "01M", "send_channel": "email", "opens": 7.0, "conversion_value": 99.5},
        {"campaign_id": "01AUTUMN", "campaign_message_id": "01N", "send_channel": "sms", "opens": 3.0, "conversion_value": 0.0},
    ]
    chosen = run(
        KlaviyoQueryCampaignValuesOperator, **asked, filter='equals(send_channel,"sms")', group_by=["campaign_id", "campaign_message_id"]
    )
    assert chosen.returned == [{"campaign_id": "01AUTUMN", "campaign_message_id": "01N", "opens": 3.0, "conversion_value": 0.0}]


def test_a_report_is_read_across_its_pages(sandbox: SandboxServer, run: Run, metric: str) -> None:
    sandbox.klaviyo.reports["campaign"] = [{**SPRING, "campaign_id": str(number)} for number in range(150)]
    asked = {"statistics": ["opens"], "timeframe": "yesterday", "conversion_metric_id": metric}
    read = run(KlaviyoQueryCampaignValuesOperator, **asked)
    assert [each["campaign_id"] for each in read.returned] == [str(number) for number in range(150)]
    assert sandbox.klaviyo.requests[POST] == 2


def test_a_series_has_a_row_for_each_interval(sandbox: SandboxServer, run: Run, metric: str) -> None:
    sandbox.klaviyo.reports["flow"] = [{"flow_id": "F1", "flow_message_id": "M1", "send_channel": "email", "clicks": 2}]
    read = run(
        KlaviyoQueryFlowSeriesOperator,
        statistics=["clicks"],
        start="2026-11-01T00:00:00",
        end="2026-11-{{ '04' }}T00:00:00",
        conversion_metric_id=metric,
    )
    assert [each["date_time"] for each in read.returned] == [f"2026-11-0{day}T00:00:00+00:00" for day in (1, 2, 3)]
    assert {(each["flow_id"], each["clicks"]) for each in read.returned} == {("F1", 2.0)}
    assert sandbox.klaviyo.received[-1].body["data"]["attributes"]["timeframe"] == {
        "start": "2026-11-01T00:00:00+00:00",
        "end": "2026-11-04T00:00:00+00:00",
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"statistics": ["opens"]},
        {"statistics": "opens", "timeframe": "yesterday"},
        {"statistics": ["openings"], "timeframe": "yesterday"},
        {"statistics": [], "timeframe": "yesterday"},
        {"statistics": ["opens"], "timeframe": "whenever"},
        {"statistics": ["opens"], "timeframe": "yesterday", "start": "2026-11-01T00:00:00", "end": "2026-11-02T00:00:00"},
        {"statistics": ["opens"], "start": "2026-11-02T00:00:00", "end": "2026-11-01T00:00:00"},
        {"statistics": ["opens"], "start": "2024-11-02T00:00:00", "end": "2026-11-01T00:00:00"},
        {"statistics": ["opens"], "start": "2026-11-01T00:00:00", "end": "2026-11-02T00:00:00+00:00"},
        {"statistics": ["opens"], "timeframe": "yesterday", "group_by": ["campaign_id"]},
        {"statistics": ["opens"], "timeframe": "yesterday", "group_by": ["campaign_id", "campaign_message_id", "flow_id"]},
        {"statistics": ["opens"], "timeframe": "yesterday", "filter": "equals(campaign_id,"},
    ],
)
def test_what_is_no_report_is_refused_before_a_request_is_spent(sandbox: SandboxServer, run: Run, wrong: dict[str, Any]) -> None:
    refused = run(KlaviyoQueryCampaignValuesOperator, **wrong, conversion_metric_id="M1", retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert sandbox.klaviyo.requests[POST] == 0


def test_a_series_is_no_longer_than_its_interval_allows(sandbox: SandboxServer, run: Run) -> None:
    asked = {"statistics": ["members_added"], "start": "2026-01-01T00:00:00", "end": "2026-04-01T00:00:00"}
    refused = run(KlaviyoQuerySegmentSeriesOperator, **asked, interval="daily", retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert "60 days" in refused.said
    assert run(KlaviyoQuerySegmentSeriesOperator, **asked, interval="weekly").state == "success"


def test_a_spent_day_is_told_and_tried_again_later(sandbox: SandboxServer, run: Run) -> None:
    fault = sandbox.fail(method="POST", path="/api/form-values-reports", status=429, headers={"retry-after": "40000"}, times=9)
    spent = run(KlaviyoQueryFormValuesOperator, statistics=["submits"], timeframe="yesterday", retries=1)
    assert (spent.state, spent.tries) == ("failed", 2), "it may have room when the next try begins"
    assert "POST /api/form-values-reports was not sent" in spent.said
    assert "past the deadline" in spent.said
    assert fault.hits == 1, "the second try knows how long there is no room"

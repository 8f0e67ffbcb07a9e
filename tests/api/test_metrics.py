# SPDX-License-Identifier: Apache-2.0
"""Requests about metrics, compared as values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from openapi_client.models.metric_aggregate_query_resource_object_attributes import MetricAggregateQueryResourceObjectAttributes

from airflow_provider_klaviyo.api import metrics
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.request import Request


def test_get() -> None:
    assert metrics.get(metric_id="M1", fields={"metric": "name"}) == Request("GET", "/api/metrics/M1", params={"fields[metric]": "name"})


def test_list() -> None:
    assert metrics.list_(filter='equals(integration.name,"Shopify")') == Request(
        "GET", "/api/metrics", params={"filter": 'equals(integration.name,"Shopify")'}
    )


def asked(**changes: Any) -> Request[Any]:
    """Return the request for counts, changed."""
    noon = datetime(2026, 10, 24, 12, tzinfo=UTC)
    return metrics.aggregates(**{"metric_id": "M1", "measurements": ["count"], "start": noon, "end": noon + timedelta(days=2), **changes})


def attributes(request: Request[Any]) -> Any:
    """Return what a request asks for."""
    assert request.json is not None
    return request.json["data"]["attributes"]


def test_the_time_is_asked_for_as_the_clocks_of_the_time_zone_show_it() -> None:
    around = attributes(asked(timezone="Europe/Berlin"))["filter"]
    assert around == ["greater-or-equal(datetime,2026-10-24T14:00:00)", "less-than(datetime,2026-10-26T13:00:00)"]


@pytest.mark.parametrize("hour", [0, 1])
@pytest.mark.parametrize("edge", ["start", "end"])
def test_a_moment_that_clocks_show_twice_is_refused(edge: str, hour: int) -> None:
    twice = {edge: datetime(2026, 10, 25, hour, 30, tzinfo=UTC)}  # half past two in Berlin, in summer time and then in winter time
    with pytest.raises(KlaviyoConfigError, match='use timezone="UTC"'):
        asked(**twice, timezone="Europe/Berlin")
    assert "datetime,2026-10-25T" in "".join(attributes(asked(**twice))["filter"])


@pytest.mark.parametrize(
    ("dimensions", "named"),
    [
        (["F1", "C1"], {"$attributed_flow": "F1", "$attributed_channel": "C1"}),
        ([], {"$attributed_flow": None, "$attributed_channel": None}),
        (["C1"], {"dimensions": ["C1"]}),
    ],
)
def test_a_value_of_a_dimension_that_cannot_be_told_is_not_guessed(dimensions: list[str], named: dict[str, Any]) -> None:
    row = {"dimensions": dimensions, "measurements": {"count": [3.0]}}
    page = {"data": {"attributes": {"dates": ["2026-10-24T00:00:00+00:00"], "data": [row]}}}
    request = asked(by=["$attributed_flow", "$attributed_channel"])
    assert request.read(page)["data"] == [{"date": "2026-10-24T00:00:00+00:00", **named, "count": 3.0}]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"by": ["$attributed_flows"]}, "by is a list of"),
        ({"filters": ['equals(email,"sarah@example.com")']}, "it does not filter by email, but by"),
        ({"filters": ["greater-than(datetime,2026-10-25T00:00:00)"]}, "it does not filter by datetime"),
        ({"filters": ['not(equals($attributed_flows,""))']}, "it does not filter by that field"),
    ],
)
def test_what_counts_are_not_told_by_is_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(KlaviyoConfigError, match=says) as refused:
        asked(**wrong)
    assert "sarah" not in str(refused.value)


def test_filters_may_be_turned_round_and_one_that_rendered_to_nothing_is_none() -> None:
    not_flows = 'not(equals($attributed_flow,""))'
    assert attributes(asked(filters=[not_flows, ""]))["filter"][2:] == [not_flows]


def test_klaviyo_knows_all_the_dimensions() -> None:
    official = MetricAggregateQueryResourceObjectAttributes(metric_id="M1", measurements=["count"], by=list(metrics.DIMENSIONS), filter=[])
    assert official.by == list(metrics.DIMENSIONS)

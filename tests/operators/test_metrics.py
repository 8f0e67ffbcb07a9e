# SPDX-License-Identifier: Apache-2.0
"""Operators for metrics and accounts, against the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_klaviyo.api import bodies, events, metrics
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.operators.accounts import KlaviyoGetAccountOperator, KlaviyoListAccountsOperator
from airflow_provider_klaviyo.operators.metrics import (
    KlaviyoGetMetricOperator,
    KlaviyoListMetricsOperator,
    KlaviyoQueryMetricAggregatesOperator,
)

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

    Run = Callable[..., Any]

POST = "POST /api/metric-aggregates"
WEEK = {"start": "2026-11-02T00:00:00+00:00", "end": "2026-11-05T00:00:00+00:00"}


def order(number: int, moment: datetime, *, who: str = "sarah", value: float = 10, domain: str | None = None) -> None:
    """Record an order."""
    properties = {} if domain is None else {"Email Domain": domain}
    with KlaviyoHook().session() as klaviyo:
        person = {"email": f"{who}@example.com"}
        klaviyo.send(
            events.create(metric="Placed Order", profile=person, time=moment, value=value, unique_id=str(number), properties=properties)
        )


def metric() -> str:
    """Return the id of the one metric."""
    with KlaviyoHook().session() as klaviyo:
        (found,) = klaviyo.walk(metrics.list_())
    return str(found["id"])


def test_metrics_are_listed_and_read(sandbox: SandboxServer, run: Run) -> None:
    order(1, datetime(2026, 11, 2, tzinfo=UTC))
    (listed,) = run(KlaviyoListMetricsOperator, filter='equals(integration.name,"API")').returned
    assert listed["attributes"]["name"] == "Placed Order"
    read = run(KlaviyoGetMetricOperator, metric_id=listed["id"], include="flow-triggers").returned
    assert (read["id"], read["included"]) == (listed["id"], [])
    assert run(KlaviyoGetMetricOperator, metric_id="nosuch", retries=2).tries == 1


def test_events_are_counted_by_day_of_the_time_zone(sandbox: SandboxServer, run: Run) -> None:
    order(1, datetime(2026, 11, 2, 23, 30, tzinfo=UTC))  # half past midnight of the 3rd in Berlin
    order(2, datetime(2026, 11, 3, 12, tzinfo=UTC), value=5.5)
    order(3, datetime(2026, 11, 4, 12, tzinfo=UTC), who="ann")
    asked = {"metric_id": metric(), "measurements": ["count", "sum_value", "unique"]}
    assert run(KlaviyoQueryMetricAggregatesOperator, **asked, **WEEK).returned == [
        {"date": "2026-11-02T00:00:00+00:00", "count": 1.0, "sum_value": 10.0, "unique": 1.0},
        {"date": "2026-11-03T00:00:00+00:00", "count": 1.0, "sum_value": 5.5, "unique": 1.0},
        {"date": "2026-11-04T00:00:00+00:00", "count": 1.0, "sum_value": 10.0, "unique": 1.0},
    ]
    berlin = run(KlaviyoQueryMetricAggregatesOperator, **asked, **WEEK, timezone="{{ 'Europe/Berlin' }}").returned
    assert [(each["date"][:16], each["count"], each["unique"]) for each in berlin] == [
        ("2026-11-01T23:00", 0.0, 0.0),
        ("2026-11-02T23:00", 2.0, 1.0),
        ("2026-11-03T23:00", 1.0, 1.0),
        ("2026-11-04T23:00", 0.0, 0.0),
    ]


def test_counts_are_read_across_pages_that_a_body_asks_for(sandbox: SandboxServer, run: Run) -> None:
    noon = datetime(2026, 11, 2, 12, tzinfo=UTC)
    with KlaviyoHook().session() as klaviyo:
        person = {"email": "sarah@example.com"}
        for start in range(0, 1200, 300):
            made = [
                {
                    "metric": "Opened",
                    "profile": person,
                    "time": noon,
                    "unique_id": str(at),
                    "properties": {"URL": f"https://example.com/{at}"},
                }
                for at in range(start, start + 300)
            ]
            klaviyo.send(events.bulk_create(events=[bodies.event_entry(each) for each in made]))
    read = run(KlaviyoQueryMetricAggregatesOperator, metric_id=metric(), **WEEK, by=["URL"], interval="week").returned
    assert {each["URL"] for each in read} == {f"https://example.com/{at}" for at in range(1200)}
    assert {each["count"] for each in read} == {1.0}
    assert sandbox.klaviyo.requests[POST] == 3


def test_what_lacks_a_dimension_counts_under_none(sandbox: SandboxServer, run: Run) -> None:
    order(1, datetime(2026, 11, 2, 12, tzinfo=UTC), domain="example.com")
    order(2, datetime(2026, 11, 2, 13, tzinfo=UTC))
    read = run(KlaviyoQueryMetricAggregatesOperator, metric_id=metric(), **WEEK, by=["Email Domain"], interval="month").returned
    assert {(each["Email Domain"], each["count"]) for each in read} == {("example.com", 1.0), (None, 1.0)}
    chosen = run(
        KlaviyoQueryMetricAggregatesOperator, metric_id=metric(), **WEEK, filters=['equals(Email Domain,"example.com")'], interval="month"
    )
    assert [each["count"] for each in chosen.returned] == [1.0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"start": "2026-11-02T00:00:00"},
        {"start": "2026-11-06T00:00:00+00:00"},
        {"start": "2024-11-06T00:00:00+00:00"},
        {"timezone": "Berlin"},
        {"measurements": ["average"]},
        {"measurements": []},
        {"interval": "year"},
        {"filters": ["equals(Email Domain"]},
    ],
)
def test_what_cannot_be_counted_is_refused_before_it_is_sent(sandbox: SandboxServer, run: Run, wrong: dict[str, Any]) -> None:
    refused = run(KlaviyoQueryMetricAggregatesOperator, **{"metric_id": "M1", **WEEK, **wrong}, retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert sandbox.klaviyo.requests[POST] == 0


def test_the_account_is_read(sandbox: SandboxServer, run: Run) -> None:
    (account,) = run(KlaviyoListAccountsOperator, fields={"account": "timezone"}).returned
    assert account["attributes"] == {"timezone": "Europe/London"}
    assert run(KlaviyoGetAccountOperator, account_id=account["id"]).returned["id"] == account["id"]
    assert run(KlaviyoGetAccountOperator, account_id="Other1", retries=2).tries == 1

# SPDX-License-Identifier: Apache-2.0
"""Metrics: an event makes them."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow_provider_klaviyo.api import metrics
from tests.contract.cases.events import an_event
from tests.contract.kit import Case

WEEK = {"start": datetime(2026, 11, 1, tzinfo=UTC), "end": datetime(2026, 11, 8, tzinfo=UTC)}

CASES = [
    Case(metrics.aggregates, "query_metric_aggregates", {"metric_id": "M1", "measurements": ["count"], **WEEK}, an_event),
    Case(
        metrics.aggregates,
        "query_metric_aggregates",
        {
            "metric_id": "M1",
            "measurements": ["count", "sum_value", "unique"],
            **WEEK,
            "interval": "week",
            "by": ["$attributed_flow", "Email Domain"],
            "timezone": "America/New_York",
            "filters": ['equals(Email Domain,"example.com")'],
        },
        an_event,
    ),
    Case(metrics.get, "get_metric", {"metric_id": "M1"}, an_event),
    Case(metrics.get, "get_metric", {"metric_id": "M1", "fields": {"metric": "name"}, "include": "flow-triggers"}, an_event),
    Case(metrics.list_, "get_metrics", {}, an_event),
    Case(
        metrics.list_,
        "get_metrics",
        {"filter": 'equals(integration.name,"API")', "fields": {"metric": "name"}, "include": "flow-triggers"},
    ),
]

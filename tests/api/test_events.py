# SPDX-License-Identifier: Apache-2.0
"""Requests about events, compared as values."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from airflow_provider_klaviyo.api import bodies, events
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.request import Request

SARAH = {"email": "sarah@example.com"}


def test_create() -> None:
    request = events.create(
        metric="Placed Order",
        profile=SARAH,
        properties={"paid": Decimal("9.99")},
        time=datetime(2026, 11, 1, 10, tzinfo=UTC),
        value=9.99,
        unique_id="1001",
        backfill=True,
    )
    assert request == Request(
        "POST",
        "/api/events",
        json={
            "data": {
                "type": "event",
                "attributes": {
                    "metric": {"data": {"type": "metric", "attributes": {"name": "Placed Order"}}},
                    "properties": {"paid": 9.99},
                    "time": "2026-11-01T10:00:00+00:00",
                    "value": 9.99,
                    "unique_id": "1001",
                    "backfill": True,
                    "profile": {"data": {"type": "profile", "attributes": SARAH}},
                },
            }
        },
        replayable=True,
    )


def test_only_an_event_with_a_unique_id_may_be_repeated() -> None:
    assert events.create(metric="Seen", profile=SARAH, unique_id="1").repeatable
    assert not events.create(metric="Seen", profile=SARAH).repeatable


def test_an_event_worth_nothing_says_so() -> None:
    body = events.create(metric="Seen", profile=SARAH, value=0).json
    assert body is not None
    assert body["data"]["attributes"]["value"] == 0


def test_bulk_create() -> None:
    entry = bodies.event_entry({"metric": "Seen", "profile": SARAH})
    assert events.bulk_create(events=[entry]) == Request(
        "POST",
        "/api/event-bulk-create-jobs",
        json={"data": {"type": "event-bulk-create-job", "attributes": {"events-bulk-create": {"data": [entry]}}}},
    )
    assert not events.bulk_create(events=[entry]).repeatable


@pytest.mark.parametrize("count", [0, 1_001])
def test_bulk_create_takes_no_more_than_klaviyo(count: int) -> None:
    with pytest.raises(KlaviyoConfigError, match="1 to 1,000"):
        events.bulk_create(events=[{}] * count)


def test_get() -> None:
    assert events.get(event_id="4vR/pBT", include="metric") == Request("GET", "/api/events/4vR%2FpBT", params={"include": "metric"})


def test_list() -> None:
    assert events.list_(filter='equals(metric_id,"M1")', sort="datetime", page_size=1000) == Request(
        "GET", "/api/events", params={"filter": 'equals(metric_id,"M1")', "sort": "datetime", "page[size]": 1000}
    )

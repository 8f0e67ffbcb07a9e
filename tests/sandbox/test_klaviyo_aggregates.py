# SPDX-License-Identifier: Apache-2.0
"""Aggregates of metrics: what the local Klaviyo counts, and what it refuses to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.contract.agreement import agree
from tests.sandbox.klaviyo_client import client, pointers, single_body

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

FILTER = "/data/attributes/filter"
DAY = ["greater-or-equal(datetime,2026-11-02T00:00:00)", "less-than(datetime,2026-11-03T00:00:00)"]


@pytest.fixture
def http(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    with client(sandbox) as made:
        yield made
    agree(sandbox.klaviyo.received)


def happen(http: httpx.Client, number: int, time: str = "2026-11-02T12:00:00Z", **properties: Any) -> None:
    """Record that something was opened."""
    body = single_body({"email": "a@example.com"}, metric="Opened", time=time, unique_id=str(number), properties=properties)
    assert http.post("/api/events", json=body).status_code == 202


def count(http: httpx.Client, **attributes: Any) -> httpx.Response:
    """Ask for counts of what was opened."""
    (metric,) = http.get("/api/metrics").json()["data"]
    usual = {"interval": "day", "timezone": "UTC", "page_size": 500}
    asked = {"metric_id": metric["id"], "measurements": ["count"], "filter": DAY, **usual, **attributes}
    return http.post("/api/metric-aggregates", json={"data": {"type": "metric-aggregate", "attributes": asked}})


def rows(answer: httpx.Response) -> list[tuple[list[str], list[float]]]:
    """Return the dimensions and the counts of each row."""
    assert answer.status_code == 200
    return [(each["dimensions"], each["measurements"]["count"]) for each in answer.json()["data"]["attributes"]["data"]]


@pytest.mark.parametrize(
    ("condition", "counted"),
    [
        ('equals(URL,"https://a")', 1),
        ('not(equals(URL,"https://a"))', 2),
        ('or(equals(URL,"https://a"),equals(URL,"https://b"))', 2),
        ('any(URL,["https://a","https://b"])', 2),
        ('and(contains(URL,"https"),not(equals(Email Domain,"example.com")))', 1),
    ],
)
def test_conditions_nest(http: httpx.Client, condition: str, counted: int) -> None:
    happen(http, 1, URL="https://a")
    happen(http, 2, URL="https://b", **{"Email Domain": "example.com"})
    happen(http, 3)
    assert rows(count(http, filter=[*DAY, condition])) == [([], [counted])]


@pytest.mark.parametrize(
    ("filters", "at"),
    [
        (DAY[:1], ""),
        (["greater-or-equal(datetime,foo)", DAY[1]], "/0"),
        ([DAY[0], "less-than(datetime,2026-11-03T00:00:00+01:00)"], "/1"),
        ([DAY[0], "less-than(datetime,2026-11-03)"], "/1"),
        ([DAY[0], 'less-than(datetime,"2026-11-03T00:00:00")'], "/1"),
        ([*DAY, "less-than(datetime,2026-11-04T00:00:00)"], "/2"),
        ([*DAY, "equals(datetime,2026-11-04T00:00:00)"], "/2"),
        ([*DAY, "not(less-than(datetime,2026-11-02T10:00:00))"], "/2"),
        ([*DAY, 'equals(Colour,"red")'], "/2"),
        ([*DAY, 'not(equals(Colour,"red"))'], "/2"),
        ([*DAY, "equals(URL"], "/2"),
        ([*DAY, "equals(URL,5)"], "/2"),
        (["greater-or-equal(datetime,2026-11-03T00:00:00)", "less-than(datetime,2026-11-02T00:00:00)"], ""),
    ],
)
def test_what_cannot_be_filtered_by_is_refused_in_the_body(http: httpx.Client, filters: list[str], at: str) -> None:
    happen(http, 1, URL="https://a")
    refused = count(http, filter=filters)
    assert (refused.status_code, pointers(refused)) == (400, [FILTER + at])


@pytest.mark.parametrize("cursor", ["zzz", "WyJhIiwxXQ", "Wy0xLDBd"])
def test_a_cursor_that_is_none_is_refused(http: httpx.Client, cursor: str) -> None:
    happen(http, 1)
    refused = count(http, page_cursor=cursor)
    assert (refused.status_code, pointers(refused)) == (400, ["/data/attributes/page_cursor"])


@pytest.mark.parametrize(
    ("day", "after", "hours"), [("2026-10-25", "2026-10-26", 25), ("2026-03-29", "2026-03-30", 23), ("2026-06-01", "2026-06-02", 24)]
)
def test_a_day_has_the_hours_that_pass_in_it(http: httpx.Client, day: str, after: str, hours: int) -> None:
    happen(http, 1, f"{day}T00:30:00Z")
    happen(http, 2, f"{day}T01:30:00Z")
    edges = [f"greater-or-equal(datetime,{day}T00:00:00)", f"less-than(datetime,{after}T00:00:00)"]
    counted = count(http, filter=edges, interval="hour", timezone="Europe/Berlin")
    dates = counted.json()["data"]["attributes"]["dates"]
    ((_, told),) = rows(counted)
    assert len(set(dates)) == len(dates) == len(told) == hours
    assert {date: each for date, each in zip(dates, told, strict=True) if each} == {
        f"{day}T00:00:00+00:00": 1,
        f"{day}T01:00:00+00:00": 1,
    }
    assert rows(count(http, filter=edges, timezone="Europe/Berlin")) == [([], [2])]


@pytest.mark.parametrize(("lacking", "told"), [("left_out", ["https://a"]), ("blank", ["", "https://a"])])
def test_what_stands_for_a_dimension_that_is_lacking_is_set(
    sandbox: SandboxServer, http: httpx.Client, lacking: Any, told: list[str]
) -> None:
    sandbox.klaviyo.behaviour.lacking_dimension = lacking
    happen(http, 1, URL="https://a")
    happen(http, 2)
    happen(http, 3, URL="https://a", **{"Email Domain": "example.com"})
    counted = rows(count(http, by=["Email Domain", "URL"]))
    assert sorted(counted) == sorted([(told, [1]), ([], [1]), (["example.com", "https://a"], [1])])

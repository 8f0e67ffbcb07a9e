# SPDX-License-Identifier: Apache-2.0
"""Reports: what the local Klaviyo takes, and which of them have pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from airflow_provider_klaviyo.api import limits
from tests.contract.agreement import agree
from tests.sandbox.klaviyo_client import client, pointers, single_body

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

REPORTS = {
    each.path.removeprefix("/api/").removesuffix("s"): "page_cursor" in each.params
    for each in limits.OPERATIONS
    if each.path.startswith("/api/") and each.path.endswith("-reports")
}
STATISTIC = {"campaign": "opens", "flow": "opens", "form": "submits", "segment": "total_members"}
WEEK = {"start": "2026-11-02T00:00:00+00:00", "end": "2026-11-09T00:00:00+00:00"}
FILTER, TIMEFRAME = "/data/attributes/filter", "/data/attributes/timeframe"


@pytest.fixture
def http(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    sandbox.klaviyo.behaviour.limits = "off"
    with client(sandbox) as made:
        yield made
    agree(sandbox.klaviyo.received)


def ask(http: httpx.Client, kind: str, cursor: str | None = None, **attributes: Any) -> httpx.Response:
    """Ask for a report."""
    subject, form, _ = kind.split("-")
    asked: dict[str, Any] = {"statistics": [STATISTIC[subject]], "timeframe": WEEK}
    if form == "series":
        asked["interval"] = "daily"
    if subject in {"campaign", "flow"}:
        http.post("/api/events", json=single_body({"email": "a@example.com"}))
        asked["conversion_metric_id"] = http.get("/api/metrics").json()["data"][0]["id"]
    params = {} if cursor is None else {"page_cursor": cursor}
    return http.post(f"/api/{kind}s", params=params, json={"data": {"type": kind, "attributes": {**asked, **attributes}}})


@pytest.mark.parametrize(("kind", "paged"), REPORTS.items())
def test_a_report_has_pages_if_klaviyo_takes_a_cursor_for_it(sandbox: SandboxServer, http: httpx.Client, kind: str, *, paged: bool) -> None:
    subject = kind.partition("-")[0]
    sandbox.klaviyo.reports[subject] = [
        {f"{subject}_id": str(number), f"{subject}_message_id": str(number), "send_channel": "email", STATISTIC[subject]: number}
        for number in range(150)
    ]
    first = ask(http, kind).json()
    following = first["links"]["next"]
    found = [each["groupings"][f"{subject}_id"] for each in first["data"]["attributes"]["results"]]
    assert len(found) == (100 if paged else 150)
    assert bool(following) == paged
    if paged:
        second = ask(http, kind, cursor=httpx.URL(following).params["page_cursor"]).json()
        found += [each["groupings"][f"{subject}_id"] for each in second["data"]["attributes"]["results"]]
        assert second["links"]["next"] is None
    assert found == [str(number) for number in range(150)]
    refused = ask(http, kind, cursor="WyJhIiwxXQ")
    assert (refused.status_code, pointers(refused)) == (400, ["page_cursor"])


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("campaign-values-report", 'and(equals(campaign_id,"abc"),contains-any(send_channel,["email","push-notification"]))'),
        ("campaign-values-report", 'contains-all(tag_id,["a","b"])'),
        ("flow-series-report", 'equals(flow_name,"Welcome")'),
        ("form-values-report", 'and(equals(form_id,"abc"),any(form_version_id,["1","2"]))'),
        ("segment-values-report", 'any(segment_id,["S1","S2"])'),
    ],
)
def test_takes_the_filters_that_there_are(http: httpx.Client, kind: str, text: str) -> None:
    assert ask(http, kind, filter=text).status_code == 200


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("campaign-values-report", 'equals(campaign_id,"a"),equals(send_channel,"email")'),
        ("campaign-values-report", 'and(equals(campaign_id,"a"),equals(campaign_id,"b"))'),
        ("campaign-values-report", 'or(equals(campaign_id,"a"),equals(send_channel,"sms"))'),
        ("campaign-values-report", 'not(equals(campaign_id,"a"))'),
        ("campaign-values-report", 'equals(send_channel,"pigeon")'),
        ("campaign-values-report", "equals(campaign_id,5)"),
        ("campaign-values-report", 'equals(group,"a")'),
        ("campaign-values-report", 'any(campaign_id,["a"])'),
        ("campaign-values-report", 'equals(tag_id,"a")'),
        ("campaign-values-report", "contains-any(campaign_id,[" + ",".join(['"a"'] * 101) + "])"),
        ("campaign-values-report", "equals(campaign_id"),
        ("flow-values-report", 'equals(campaign_id,"a")'),
        ("form-series-report", 'contains-any(form_id,["a"])'),
        ("segment-series-report", 'equals(form_id,"a")'),
    ],
)
def test_refuses_other_filters_in_the_body(http: httpx.Client, kind: str, text: str) -> None:
    refused = ask(http, kind, filter=text)
    assert (refused.status_code, pointers(refused)) == (400, [FILTER])


@pytest.mark.parametrize(
    ("frame", "wrong"),
    [
        ({"start": "2026-11-02T00:00:00", "end": "2026-11-09T00:00:00"}, ["/start", "/end"]),
        ({**WEEK, "end": "2026-11-09T00:00:00"}, ["/end"]),
        ({**WEEK, "start": "2026-11-09T00:00:00+02:00"}, [""]),
        ({**WEEK, "start": "2024-11-09T00:00:00+00:00"}, [""]),
    ],
)
def test_refuses_a_time_that_is_none(http: httpx.Client, frame: dict[str, str], wrong: list[str]) -> None:
    refused = ask(http, "segment-values-report", timeframe=frame)
    assert refused.status_code == 400
    assert set(wrong) <= {each.removeprefix(TIMEFRAME) for each in pointers(refused)}


def test_a_time_is_as_long_as_its_clocks_say(http: httpx.Client) -> None:
    """Klaviyo ignores offsets: 60 days across the end of summer time are 60 days."""
    frame = {"start": "2026-09-01T00:00:00+02:00", "end": "2026-10-31T00:00:00+01:00"}
    read = ask(http, "form-series-report", timeframe=frame)
    assert read.status_code == 200
    assert len(read.json()["data"]["attributes"]["date_times"]) == 60


def test_of_segments_there_are_numbers_since_june_2023(http: httpx.Client) -> None:
    for start, status in (("2023-05-31T00:00:00+00:00", 400), ("2023-06-01T00:00:00+00:00", 200)):
        answer = ask(http, "segment-values-report", timeframe={"start": start, "end": "2024-01-01T00:00:00+00:00"})
        assert answer.status_code == status
    early = ask(http, "form-values-report", timeframe={"start": "2022-06-01T00:00:00+00:00", "end": "2023-01-01T00:00:00+00:00"})
    assert early.status_code == 200

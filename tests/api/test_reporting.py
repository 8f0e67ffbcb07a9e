# SPDX-License-Identifier: Apache-2.0
"""Reports: what Klaviyo would refuse is refused before one of the day's requests is spent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_klaviyo.api import filters, reporting
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.reporting import CAMPAIGNS, FLOWS, FORMS, SEGMENTS, Subject

BERLIN = ZoneInfo("Europe/Berlin")
MESSAGES: dict[str, Any] = {"statistics": ["opens"], "timeframe": "yesterday", "conversion_metric_id": "M1"}
BUILDERS: dict[str, Callable[[str, Any], str]] = {
    "equals": filters.equals,
    "any": filters.any_,
    "contains-any": filters.contains_any,
    "contains-all": filters.contains_all,
}


def asked(subject: Subject, text: str) -> Any:
    """Return the filter that a report asks with."""
    statistics = [subject.statistics[0]]
    match subject.name:
        case "campaign":
            request = reporting.campaign_values(**MESSAGES, filter=text)
        case "flow":
            request = reporting.flow_values(**MESSAGES, filter=text)
        case "form":
            request = reporting.form_values(statistics=statistics, timeframe="yesterday", filter=text)
        case _:
            request = reporting.segment_values(statistics=statistics, timeframe="yesterday", filter=text)
    assert request.json is not None
    return request.json["data"]["attributes"].get("filter")


@pytest.mark.parametrize("subject", [CAMPAIGNS, FLOWS, FORMS, SEGMENTS], ids=lambda subject: subject.name)
def test_each_report_takes_its_own_fields_and_operators_and_no_others(subject: Subject) -> None:
    for field, operators in subject.filters.items():
        for operator, build in BUILDERS.items():
            value: Any = "email" if operator == "equals" else ["email"]
            text = build(field, value)
            if operator in operators:
                assert asked(subject, text) == text
            else:
                with pytest.raises(KlaviyoConfigError, match=f"{field} does not take {operator}"):
                    asked(subject, text)
    every = filters.and_(*[BUILDERS[operators[-1]](field, ["email"]) for field, operators in subject.filters.items()])
    assert asked(subject, every) == every


@pytest.mark.parametrize(
    ("subject", "text", "says"),
    [
        (CAMPAIGNS, 'equals(flow_id,"F1")', "does not filter by flow_id, but by campaign_id"),
        (FLOWS, 'equals(campaign_id,"01J")', "does not filter by campaign_id, but by flow_id"),
        (FORMS, 'equals(send_channel,"email")', "does not filter by send_channel, but by form_id, form_version_id"),
        (SEGMENTS, 'equals(name,"sarah")', "does not filter by name, but by segment_id"),
        (CAMPAIGNS, 'equals(campaign_id,"01J"),equals(send_channel,"sms")', r"join several as and\(...\)"),
        (CAMPAIGNS, 'or(equals(campaign_id,"01J"),equals(send_channel,"sms"))', r"takes no or\(...\)"),
        (CAMPAIGNS, 'not(equals(send_channel,"sms"))', r"takes no not\(...\)"),
        (CAMPAIGNS, 'and(equals(campaign_id,"1"),contains-any(campaign_id,["2"]))', "each field once"),
        (CAMPAIGNS, 'equals(send_channel,"pigeon")', "send_channel is one of email, sms, push-notification, whatsapp"),
        (CAMPAIGNS, "equals(campaign_id,5)", "campaign_id is compared with a text between quotes"),
        (SEGMENTS, filters.any_("segment_id", [str(number) for number in range(101)]), "segment_id is compared with 100 values at most"),
    ],
)
def test_a_filter_that_a_report_does_not_take_is_refused(subject: Subject, text: str, says: str) -> None:
    with pytest.raises(KlaviyoConfigError, match=says) as refused:
        asked(subject, text)
    assert "sarah" not in str(refused.value)


def test_a_hundred_values_are_taken_and_an_empty_filter_is_none() -> None:
    hundred = filters.any_("segment_id", [str(number) for number in range(100)])
    assert asked(SEGMENTS, hundred) == hundred
    assert asked(SEGMENTS, " ") is None


def test_a_time_is_as_long_as_clocks_say_for_klaviyo_ignores_its_offsets() -> None:
    def days(start: datetime, end: datetime) -> Any:
        return reporting.flow_series(**{**MESSAGES, "timeframe": (start, end)}, interval="hourly")

    back = datetime(2026, 10, 20, tzinfo=BERLIN), datetime(2026, 10, 27, tzinfo=BERLIN)  # an hour more goes by
    assert days(*back).json["data"]["attributes"]["timeframe"] == {"start": "2026-10-20T00:00:00+02:00", "end": "2026-10-27T00:00:00+01:00"}
    from_elsewhere = datetime.fromisoformat("2026-10-20T00:00:00-11:00"), datetime.fromisoformat("2026-10-27T06:00:00+12:00")
    with pytest.raises(KlaviyoConfigError, match="a report with hourly intervals goes over 7 days at most"):
        days(*from_elsewhere)
    with pytest.raises(KlaviyoConfigError, match="start is before end"):
        days(datetime.fromisoformat("2026-10-20T12:00:00+12:00"), datetime.fromisoformat("2026-10-20T01:00:00-11:00"))


def test_a_series_of_which_one_edge_has_a_zone_is_refused() -> None:
    with pytest.raises(KlaviyoConfigError, match="both a time zone, or neither"):
        reporting.flow_series(
            **{**MESSAGES, "timeframe": (datetime(2026, 10, 20), datetime(2026, 10, 27, tzinfo=BERLIN))},  # noqa: DTZ001
            interval="daily",
        )


def test_segments_have_no_numbers_before_june_2023() -> None:
    def since(*start: int) -> Any:
        return reporting.segment_values(statistics=["total_members"], timeframe=(datetime(*start), datetime(2023, 7, 1)))  # type: ignore[arg-type] # noqa: DTZ001

    assert since(2023, 6, 1).json
    with pytest.raises(KlaviyoConfigError, match="segment reports begin on 2023-06-01"):
        since(2023, 5, 31)

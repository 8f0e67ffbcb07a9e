# SPDX-License-Identifier: Apache-2.0
"""Metrics: the kinds of events an account has."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Literal, Unpack, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from airflow_provider_klaviyo.api import filter_grammar
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.filters import check_field
from airflow_provider_klaviyo.api.jsonapi import Listing, Reading, document, given, listing, reading
from airflow_provider_klaviyo.api.request import Json, Request, at

Measurement = Literal["count", "sum_value", "unique"]
Interval = Literal["hour", "day", "week", "month"]
YEAR = timedelta(days=366)

DIMENSIONS = (
    *("$attributed_channel", "$attributed_flow", "$attributed_message", "$attributed_variation", "$campaign_channel", "$flow"),
    *("$flow_channel", "$message", "$message_send_cohort", "$usage_amount", "$value_currency", "$variation", "$variation_send_cohort"),
    *("Bot Click", "Bounce Type", "Campaign Name", "Client Canonical", "Client Name", "Client Type", "Email Domain", "Failure Source"),
    *("Failure Type", "From Number", "From Phone Region", "Inbox Provider", "List", "Message Format", "Message Name", "Message Type"),
    *("Method", "Segment Count", "Subject", "To Number", "To Phone Region", "URL", "form_id"),
)
"""What Klaviyo groups counts by, and filters them by."""


def get(*, metric_id: str, **query: Unpack[Reading]) -> Request[Json]:
    """
    Read a metric; for the query see :class:`~airflow_provider_klaviyo.api.jsonapi.Reading`.

    https://developers.klaviyo.com/en/reference/get_metric

    :param metric_id: Klaviyo's id of it.
    """
    return reading(at("/api/metrics/{}", metric_id), **query)


def list_(**query: Unpack[Listing]) -> Request[Json]:
    """
    Read metrics, page by page, in the order and the pages that Klaviyo chooses.

    By name it does not filter; by ``integration.name`` it does. For the query see :class:`~airflow_provider_klaviyo.api.jsonapi.Listing`.

    https://developers.klaviyo.com/en/reference/get_metrics
    """
    return listing("/api/metrics", **query)


def aggregates(
    *,
    metric_id: str,
    measurements: Sequence[Measurement],
    start: datetime,
    end: datetime,
    interval: Interval = "day",
    by: Sequence[str] | None = None,
    timezone: str = "UTC",
    filters: Sequence[str] | None = None,
) -> Request[Json]:
    """
    Count the events of a metric in a time, as rows of ``date``, what they are grouped by, and the measurements; page by page.

    Events that have none of the dimensions count under ``None``. Of those that have some but not all, Klaviyo does not say which value
    belongs to which dimension: such a row has a list, ``dimensions``, in their place.

    https://developers.klaviyo.com/en/reference/query_metric_aggregates

    :param metric_id: Klaviyo's id of the metric.
    :param measurements: ``count`` of events, ``sum_value`` of their values, ``unique`` profiles.
    :param start: When the time begins, aware. Klaviyo takes it as clocks of the time zone show it: one that they show twice, when they are
        put back, is refused.
    :param end: When it ends, exclusively; a year later at most. It is taken as ``start`` is.
    :param interval: What makes a row: an hour, a day, a week or a month of the time zone.
    :param by: What else does: some of :data:`DIMENSIONS`, such as ``$attributed_flow`` or ``Email Domain``.
    :param timezone: The IANA name of the time zone that days begin in.
    :param filters: More conditions on :data:`DIMENSIONS`, each as ``equals(Email Domain,"example.com")``.
    :raises KlaviyoConfigError: A time that is naive or ambiguous, an unknown word, or more than a year.
    """
    if isinstance(measurements, str) or not measurements or not set(measurements) <= set(get_args(Measurement)):
        raise KlaviyoConfigError(f"measurements is a list of {', '.join(get_args(Measurement))}")
    if interval not in get_args(Interval):
        raise KlaviyoConfigError(f"interval is one of {', '.join(get_args(Interval))}")
    dimensions = None if by is None else [by] if isinstance(by, str) else list(by)
    if not set(dimensions or ()) <= set(DIMENSIONS):
        raise KlaviyoConfigError(f"by is a list of {', '.join(DIMENSIONS)}")
    chosen = [each for each in filters or () if each.strip()]
    for term in (term for each in chosen for term in filter_grammar.terms(each)):
        check_field(term, DIMENSIONS)
    begins, ends = _local(start, timezone), _local(end, timezone)
    if not begins < ends <= begins + YEAR:
        raise KlaviyoConfigError("start is before end, by a year at most")
    between = [f"greater-or-equal(datetime,{begins.isoformat()})", f"less-than(datetime,{ends.isoformat()})"]
    attributes = given(
        metric_id=metric_id,
        measurements=list(measurements),
        interval=interval,
        by=dimensions,
        timezone=timezone,
        filter=[*between, *chosen],
    )
    read = partial(_rows, by=dimensions or [])
    return Request(
        "POST", "/api/metric-aggregates", json=document("metric-aggregate", attributes), replayable=True, cursor="page_cursor", read=read
    )


def _local(moment: datetime, timezone: str) -> datetime:
    """Return a moment as Klaviyo wants it here: as the time that clocks of the time zone show, without an offset."""
    if moment.tzinfo is None:
        raise KlaviyoConfigError("start and end need a time zone, such as 2026-11-01T00:00:00+00:00")
    try:
        shown = moment.astimezone(ZoneInfo(timezone))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise KlaviyoConfigError("timezone is the IANA name of a time zone, such as Europe/Berlin") from None
    if shown.replace(fold=0).utcoffset() != shown.replace(fold=1).utcoffset():
        raise KlaviyoConfigError(f'clocks of {timezone} show start or end twice, as they are put back: use timezone="UTC", or another hour')
    return shown.replace(tzinfo=None, fold=0)


def _rows(page: Json, *, by: Sequence[str]) -> Json:
    """Read a page: a row has the date, the dimensions and the measurements of an interval."""
    told = page["data"]["attributes"]
    rows = [
        {
            "date": date,
            **_dimensions(by, each["dimensions"]),
            **{name: of[at] for name, of in each["measurements"].items()},
        }
        for each in told["data"]
        for at, date in enumerate(told["dates"])
    ]
    return {**page, "data": rows}


def _dimensions(by: Sequence[str], values: Sequence[str]) -> Json:
    """Name the values of dimensions, where it can be told which is which."""
    if values and len(values) < len(by):
        return {"dimensions": list(values)}
    return dict(zip(by, values, strict=False)) if values else dict.fromkeys(by)

# SPDX-License-Identifier: Apache-2.0
"""Metrics: the kinds of events an account has."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import zip_longest
from typing import Literal, Unpack, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from airflow_provider_klaviyo.api import filter_grammar
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.jsonapi import Listing, Reading, document, given, listing, reading
from airflow_provider_klaviyo.api.request import Json, Request, at

Measurement = Literal["count", "sum_value", "unique"]
Interval = Literal["hour", "day", "week", "month"]
YEAR = timedelta(days=366)


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

    https://developers.klaviyo.com/en/reference/query_metric_aggregates

    :param metric_id: Klaviyo's id of the metric.
    :param measurements: ``count`` of events, ``sum_value`` of their values, ``unique`` profiles.
    :param start: When the time begins, aware.
    :param end: When it ends, exclusively; a year later at most.
    :param interval: What makes a row: an hour, a day, a week or a month of the time zone.
    :param by: What else does: up to a handful of Klaviyo's dimensions, such as ``$attributed_flow`` or ``Email Domain``.
    :param timezone: The IANA name of the time zone that days begin in.
    :param filters: More conditions, each as ``equals(Email Domain,"example.com")``.
    :raises KlaviyoConfigError: A naive time, an unknown word, or more than a year.
    """
    if isinstance(measurements, str) or not measurements or not set(measurements) <= set(get_args(Measurement)):
        raise KlaviyoConfigError(f"measurements is a list of {', '.join(get_args(Measurement))}")
    if interval not in get_args(Interval):
        raise KlaviyoConfigError(f"interval is one of {', '.join(get_args(Interval))}")
    for each in filters or ():
        filter_grammar.parse(each)
    between = [f"greater-or-equal(datetime,{_local(start, timezone)})", f"less-than(datetime,{_local(end, timezone)})"]
    if not start < end <= start + YEAR:
        raise KlaviyoConfigError("start is before end, by a year at most")
    dimensions = None if by is None else [by] if isinstance(by, str) else list(by)
    attributes = given(
        metric_id=metric_id,
        measurements=list(measurements),
        interval=interval,
        by=dimensions,
        timezone=timezone,
        filter=[*between, *(filters or ())],
    )
    read = partial(_rows, by=dimensions or [])
    return Request(
        "POST", "/api/metric-aggregates", json=document("metric-aggregate", attributes), replayable=True, cursor="page_cursor", read=read
    )


def _local(moment: datetime, timezone: str) -> str:
    """Return a moment as Klaviyo wants it here: as the time that clocks of the time zone show, without an offset."""
    if moment.tzinfo is None:
        raise KlaviyoConfigError("start and end need a time zone, such as 2026-11-01T00:00:00+00:00")
    try:
        return moment.astimezone(ZoneInfo(timezone)).replace(tzinfo=None).isoformat()
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise KlaviyoConfigError("timezone is the IANA name of a time zone, such as Europe/Berlin") from None


def _rows(page: Json, *, by: Sequence[str]) -> Json:
    """Read a page: a row has the date, the dimensions (``None`` for events that lack one) and the measurements of an interval."""
    told = page["data"]["attributes"]
    rows = [
        {
            "date": date,
            **dict(zip_longest(by, each["dimensions"][: len(by)])),
            **{name: of[at] for name, of in each["measurements"].items()},
        }
        for each in told["data"]
        for at, date in enumerate(told["dates"])
    ]
    return {**page, "data": rows}

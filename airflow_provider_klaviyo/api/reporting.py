# SPDX-License-Identifier: Apache-2.0
"""Reports: how campaigns, flows, forms and segments did, in the numbers that Klaviyo's own pages show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

from airflow_provider_klaviyo.api import filter_grammar, filters
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.jsonapi import document, given
from airflow_provider_klaviyo.api.limits import Words
from airflow_provider_klaviyo.api.request import Json, Request

Interval = Literal["hourly", "daily", "weekly", "monthly"]
Window = tuple[datetime, datetime]

TIMEFRAMES = (
    *("today", "yesterday", "this_week", "last_week", "this_month", "last_month", "this_year", "last_year"),
    *("last_7_days", "last_30_days", "last_90_days", "last_3_months", "last_12_months", "last_365_days"),
)
YEAR = timedelta(days=366)
LONGEST = {"hourly": timedelta(days=7), "daily": timedelta(days=60), "weekly": YEAR, "monthly": timedelta(weeks=52)}
MOST_VALUES = 100
"""Values that one comparison of a filter may have."""
FILTER_WORDS = {"send_channel": ("email", "sms", "push-notification", "whatsapp")}

OF_MESSAGES = (
    *("average_order_value", "bounce_rate", "bounced", "bounced_or_failed", "bounced_or_failed_rate", "click_rate", "click_to_open_rate"),
    *("clicks", "clicks_unique", "conversion_rate", "conversion_uniques", "conversion_value", "conversions", "delivered", "delivery_rate"),
    *("failed", "failed_rate", "message_segment_count_sum", "open_rate", "opens", "opens_unique", "recipients", "revenue_per_recipient"),
    *("spam_complaint_rate", "spam_complaints", "text_message_credit_usage_amount", "text_message_roi", "text_message_spend"),
    *("unsubscribe_rate", "unsubscribe_uniques", "unsubscribes"),
)
OF_FORMS = (
    *("closed_form", "closed_form_uniques", "qualified_form", "qualified_form_uniques", "submit_rate", "submits", "submitted_form_step"),
    *("submitted_form_step_uniques", "viewed_form", "viewed_form_step", "viewed_form_step_uniques", "viewed_form_uniques"),
)
OF_SEGMENTS = ("members_added", "members_removed", "net_members_changed", "total_members")
MESSAGE_GROUPS = ("send_channel", "tag_id", "tag_name", "text_message_format", "variation", "variation_name")


@dataclass(frozen=True)
class Subject:
    """
    What a report is about.

    :param name: Klaviyo's name of it.
    :param statistics: What can be counted.
    :param filters: What it is filtered by: the operators of each field.
    :param needed: What rows are always grouped by, if they are grouped otherwise than Klaviyo does.
    :param groups: What they may be grouped by as well.
    :param since: When its numbers begin, in the account's own time.
    """

    name: str
    statistics: tuple[str, ...]
    filters: Words = field(hash=False)
    needed: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    since: datetime | None = None


def _of_messages(*fields: str) -> Words:
    """Return what a report about messages is filtered by, beside the fields of its own."""
    single = (*fields, "send_channel", "text_message_format", "variation", "variation_name")
    return {**dict.fromkeys(single, ("equals", "contains-any")), **dict.fromkeys(("tag_id", "tag_name"), ("contains-any", "contains-all"))}


CAMPAIGNS = Subject(
    "campaign",
    OF_MESSAGES,
    _of_messages("campaign_id", "campaign_message_id", "campaign_message_name"),
    ("campaign_id", "campaign_message_id"),
    ("campaign_message_name", "group", "group_name", *MESSAGE_GROUPS),
)
FLOWS = Subject(
    "flow",
    OF_MESSAGES,
    _of_messages("flow_id", "flow_message_id", "flow_message_name", "flow_name"),
    ("flow_id", "flow_message_id"),
    ("flow_message_name", "flow_name", *MESSAGE_GROUPS),
)
FORMS = Subject("form", OF_FORMS, dict.fromkeys(("form_id", "form_version_id"), ("equals", "any")), ("form_id",), ("form_version_id",))
SEGMENTS = Subject("segment", OF_SEGMENTS, {"segment_id": ("equals", "any")}, since=datetime(2023, 6, 1))  # noqa: DTZ001 - the account's


def campaign_values(
    *,
    statistics: Sequence[str],
    timeframe: str | Window,
    conversion_metric_id: str,
    group_by: Sequence[str] | None = None,
    filter: str | None = None,  # noqa: A002 - Klaviyo's name
) -> Request[Json]:
    """
    Read how campaigns did in a time, as rows of groupings and statistics, page by page.

    https://developers.klaviyo.com/en/reference/query_campaign_values

    :param statistics: What to count, of :data:`OF_MESSAGES`; rates are fractions of 1.
    :param timeframe: One of :data:`TIMEFRAMES`, or start and end, a year apart at most. Klaviyo ignores their offsets and takes them
        for times of the account's own time zone.
    :param conversion_metric_id: The metric that counts as a conversion, such as that of Placed Order.
    :param group_by: What makes a row: ``campaign_id`` and ``campaign_message_id``, and any of the others that :data:`CAMPAIGNS` has.
    :param filter: Klaviyo's filter, such as ``and(equals(campaign_id,"01J"),contains-any(send_channel,["email"]))``: a field is compared
        once, with :data:`MOST_VALUES` values at most.
    :raises KlaviyoConfigError: Klaviyo has no such statistic, time, grouping or filter.
    """
    return _values(
        CAMPAIGNS,
        statistics=statistics,
        timeframe=timeframe,
        conversion_metric_id=conversion_metric_id,
        group_by=group_by,
        filter=filter,
    )


def flow_values(
    *,
    statistics: Sequence[str],
    timeframe: str | Window,
    conversion_metric_id: str,
    group_by: Sequence[str] | None = None,
    filter: str | None = None,  # noqa: A002 - Klaviyo's name
) -> Request[Json]:
    """
    Read how flows did in a time; the parameters are those of :func:`campaign_values`.

    https://developers.klaviyo.com/en/reference/query_flow_values

    :param group_by: What makes a row: ``flow_id`` and ``flow_message_id``, and any of the others that :data:`FLOWS` has.
    """
    return _values(
        FLOWS, statistics=statistics, timeframe=timeframe, conversion_metric_id=conversion_metric_id, group_by=group_by, filter=filter
    )


def flow_series(
    *,
    statistics: Sequence[str],
    timeframe: str | Window,
    interval: Interval,
    conversion_metric_id: str,
    group_by: Sequence[str] | None = None,
    filter: str | None = None,  # noqa: A002 - Klaviyo's name
) -> Request[Json]:
    """
    Read how flows did from interval to interval, a row each; the other parameters are those of :func:`flow_values`.

    https://developers.klaviyo.com/en/reference/query_flow_series

    :param interval: ``hourly`` goes over 7 days at most, ``daily`` over 60, ``monthly`` over 52 weeks.
    """
    return _series(
        FLOWS,
        statistics=statistics,
        timeframe=timeframe,
        interval=interval,
        conversion_metric_id=conversion_metric_id,
        group_by=group_by,
        filter=filter,
    )


def form_values(
    *,
    statistics: Sequence[str],
    timeframe: str | Window,
    group_by: Sequence[str] | None = None,
    filter: str | None = None,  # noqa: A002 - Klaviyo's name
) -> Request[Json]:
    """
    Read how forms did in a time; the parameters are those of :func:`campaign_values`.

    https://developers.klaviyo.com/en/reference/query_form_values

    :param statistics: What to count, of :data:`OF_FORMS`.
    :param group_by: What makes a row: ``form_id``, and with it ``form_version_id``.
    """
    return _values(FORMS, statistics=statistics, timeframe=timeframe, group_by=group_by, filter=filter)


def form_series(
    *,
    statistics: Sequence[str],
    timeframe: str | Window,
    interval: Interval,
    group_by: Sequence[str] | None = None,
    filter: str | None = None,  # noqa: A002 - Klaviyo's name
) -> Request[Json]:
    """
    Read how forms did from interval to interval, a row each; the parameters are those of :func:`form_values` and :func:`flow_series`.

    https://developers.klaviyo.com/en/reference/query_form_series
    """
    return _series(FORMS, statistics=statistics, timeframe=timeframe, interval=interval, group_by=group_by, filter=filter)


def segment_values(
    *,
    statistics: Sequence[str],
    timeframe: str | Window,
    filter: str | None = None,  # noqa: A002 - Klaviyo's name
) -> Request[Json]:
    """
    Read how segments grew in a time, from June 2023 on; the parameters are those of :func:`campaign_values`.

    https://developers.klaviyo.com/en/reference/query_segment_values

    :param statistics: What to count, of :data:`OF_SEGMENTS`.
    """
    return _values(SEGMENTS, statistics=statistics, timeframe=timeframe, filter=filter)


def segment_series(
    *,
    statistics: Sequence[str],
    timeframe: str | Window,
    interval: Interval,
    filter: str | None = None,  # noqa: A002 - Klaviyo's name
) -> Request[Json]:
    """
    Read how segments grew from interval to interval, a row each; the parameters are those of :func:`segment_values` and :func:`flow_series`.

    https://developers.klaviyo.com/en/reference/query_segment_series
    """
    return _series(SEGMENTS, statistics=statistics, timeframe=timeframe, interval=interval, filter=filter)


def _values(subject: Subject, **asked: Any) -> Request[Json]:
    return _report(subject, "values", _rows, **asked)


def _series(subject: Subject, *, interval: Interval, **asked: Any) -> Request[Json]:
    if interval not in get_args(Interval):
        raise KlaviyoConfigError(f"interval is one of {', '.join(get_args(Interval))}")
    return _report(subject, "series", _rows_over_time, interval=interval, **asked)


def _report(
    subject: Subject,
    form: str,
    read: Callable[[Json], Json],
    *,
    statistics: Sequence[str],
    timeframe: str | Window,
    interval: Interval | None = None,
    group_by: Sequence[str] | None = None,
    filter: str | None = None,  # noqa: A002 - Klaviyo's name
    **asked: Any,
) -> Request[Json]:
    if isinstance(statistics, str) or not statistics or not set(statistics) <= set(subject.statistics):
        raise KlaviyoConfigError(f"statistics is a list of {', '.join(subject.statistics)}")
    if group_by is not None and (
        isinstance(group_by, str) or not set(subject.needed) <= set(group_by) <= {*subject.needed, *subject.groups}
    ):
        raise KlaviyoConfigError(f"group_by is a list of {' and '.join(subject.needed)}, and any of {', '.join(subject.groups)}")
    chosen = (filter or "").strip() or None
    if chosen:
        _check_filter(chosen, subject)
    kind = f"{subject.name}-{form}-report"
    groups = None if group_by is None else list(group_by)
    told = _timeframe(timeframe, subject, interval)
    attributes = given(statistics=list(statistics), timeframe=told, interval=interval, group_by=groups, filter=chosen, **asked)
    return Request("POST", f"/api/{kind}s", json=document(kind, attributes), replayable=True, read=read)


def _check_filter(text: str, subject: Subject) -> None:
    if len(filter_grammar.parse(text)) > 1:
        raise KlaviyoConfigError("a report takes one filter: join several as and(...)")
    terms = list(filter_grammar.conditions(text))
    for term in terms:
        filters.check_term(term, subject.filters, words=FILTER_WORDS)
        if len(term.words) > MOST_VALUES:
            raise KlaviyoConfigError(f"{term.field} is compared with {MOST_VALUES} values at most")
    if len({term.field for term in terms}) < len(terms):
        raise KlaviyoConfigError("a report compares each field once: give several values to one comparison")


def _timeframe(timeframe: str | Window, subject: Subject, interval: Interval | None) -> Json:
    if isinstance(timeframe, str):
        if timeframe not in TIMEFRAMES:
            raise KlaviyoConfigError(f"timeframe is one of {', '.join(TIMEFRAMES)}; or give a start and an end")
        return {"key": timeframe}
    if len({each.tzinfo is None for each in timeframe}) > 1:
        raise KlaviyoConfigError("start and end have both a time zone, or neither")
    start, end = (each.replace(tzinfo=None) for each in timeframe)  # as Klaviyo reads them
    if not start < end <= start + YEAR:
        raise KlaviyoConfigError("start is before end, by a year at most")
    if interval and end - start > LONGEST[interval]:
        raise KlaviyoConfigError(f"a report with {interval} intervals goes over {LONGEST[interval].days} days at most: split it")
    if subject.since and start < subject.since:
        raise KlaviyoConfigError(f"{subject.name} reports begin on {subject.since:%Y-%m-%d}: give a later start")
    told = (each.replace(tzinfo=each.tzinfo or UTC).isoformat() for each in timeframe)  # some offset must stand there
    return dict(zip(("start", "end"), told, strict=True))


def _rows(page: Json) -> Json:
    """Read a page of values: a row has the groupings and the statistics."""
    results = page["data"]["attributes"]["results"]
    return {**page, "data": [{**each["groupings"], **each["statistics"]} for each in results]}


def _rows_over_time(page: Json) -> Json:
    """Read a page of series: a row has the groupings, the time an interval begins, and the statistics of that interval."""
    attributes = page["data"]["attributes"]
    rows = [
        {**each["groupings"], "date_time": moment, **{name: series[at] for name, series in each["statistics"].items()}}
        for each in attributes["results"]
        for at, moment in enumerate(attributes["date_times"])
    ]
    return {**page, "data": rows}

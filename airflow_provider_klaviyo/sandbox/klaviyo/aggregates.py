# SPDX-License-Identifier: Apache-2.0
"""``/api/metric-aggregates``: the events of a metric, counted."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field

from airflow_provider_klaviyo.sandbox.klaviyo import bodies, filters, views
from airflow_provider_klaviyo.sandbox.klaviyo.bodies import Strict
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Answer, Call, answers
from airflow_provider_klaviyo.sandbox.klaviyo.problems import invalid
from airflow_provider_klaviyo.sandbox.klaviyo.query import pack, unpack

Json = dict[str, Any]
LEAST_PAGE = 500
YEAR = timedelta(days=366)


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"'{name}' is not a valid timezone.")
    return name


Dimension = Literal[
    "$attributed_channel", "$attributed_flow", "$attributed_message", "$attributed_variation", "$campaign_channel", "$flow", "$flow_channel",
    "$message", "$message_send_cohort", "$usage_amount", "$value_currency", "$variation", "$variation_send_cohort", "Bot Click", "Bounce Type",
    "Campaign Name", "Client Canonical", "Client Name", "Client Type", "Email Domain", "Failure Source", "Failure Type", "From Number",
    "From Phone Region", "Inbox Provider", "List", "Message Format", "Message Name", "Message Type", "Method", "Segment Count", "Subject",
    "To Number", "To Phone Region", "URL", "form_id",
]  # fmt: skip


class Asked(Strict):
    """What is to be counted. Klaviyo fails wherever ``sort`` is given, so it is not taken."""

    metric_id: str
    measurements: Annotated[list[Literal["count", "sum_value", "unique"]], Field(min_length=1)]
    filter: list[str]
    interval: Literal["hour", "day", "week", "month"] = "day"
    by: list[Dimension] | None = None
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"
    page_cursor: str | None = None
    page_size: Annotated[int, Field(ge=LEAST_PAGE)] = LEAST_PAGE


BODY = bodies.document("metric-aggregate", Asked)


@answers("query_metric_aggregates")
def query_metric_aggregates(call: Call) -> Answer:
    """Count events; what nobody's event has, an attribution for one, is an empty dimension."""
    asked = bodies.parse(call, BODY).attributes
    views.load_metric(call, asked.metric_id)
    start, end, terms = _window(asked)
    dates = _dates(start, end, asked.interval)
    rows: dict[tuple[str, ...], list[list[tuple[float, str]]]] = defaultdict(lambda: [[] for _ in dates])
    sql = "SELECT timestamp, profile_id, properties FROM events WHERE metric_id = ? AND timestamp >= ? AND timestamp < ?"
    for at, profile_id, text in call.state.db.execute(sql, (asked.metric_id, start.timestamp(), end.timestamp())):
        properties = json.loads(text)
        if all(filters.matches(term, properties.get(term.field)) for term in terms):
            told = tuple(str(properties[name]) for name in asked.by or () if name in properties)
            place = max(index for index, date in enumerate(dates) if date.timestamp() <= at)
            rows[told][place].append((float(properties.get("$value") or 0), profile_id))
    if not asked.by and not rows:
        rows[()] = [[] for _ in dates]
    first = int(unpack(asked.page_cursor)[0]) if asked.page_cursor else 0
    chosen = sorted(rows.items())[first : first + asked.page_size]
    data = [
        {"dimensions": list(told), "measurements": {name: _measured(name, each) for name in asked.measurements}} for told, each in chosen
    ]
    attributes = {"data": data, "dates": [each.astimezone(UTC).isoformat() for each in dates]}
    here = f"{call.base}{call.path}"
    resource = {"type": "metric-aggregate", "id": str(abs(hash(str(call.body)))), "attributes": attributes, "links": {"self": f"{here}/"}}
    document = call.document(resource)
    following = first + asked.page_size < len(rows)
    document["links"] |= {"next": f"{here}?page_cursor={pack([first + asked.page_size, 0])}" if following else None, "prev": None}
    return Answer(200, document)


def _measured(name: str, intervals: list[list[tuple[float, str]]]) -> list[float]:
    match name:
        case "sum_value":
            return [float(sum(value for value, _ in each)) for each in intervals]
        case "unique":
            return [float(len({profile_id for _, profile_id in each})) for each in intervals]
    return [float(len(each)) for each in intervals]


def _window(asked: Any) -> tuple[datetime, datetime, list[filters.Term]]:
    """Read the time, whose moments are those of the time zone's clocks, and the other conditions."""
    edges: dict[str, datetime] = {}
    others: list[filters.Term] = []
    for text in asked.filter:
        for term in filters.parse(text):
            if term.field == "datetime" and term.operator in {"greater-or-equal", "less-than"}:
                edges[term.operator] = datetime.fromisoformat(term.words[0].text).replace(tzinfo=ZoneInfo(asked.timezone))
            else:
                others.append(term)
    if len(edges) != 2:  # noqa: PLR2004 - a start and an end
        raise invalid("A time range is required: greater-or-equal and less-than on datetime.", "/data/attributes/filter")
    start, end = edges["greater-or-equal"], edges["less-than"]
    if not start < end <= start + YEAR:
        raise invalid("The time range cannot be longer than 1 year.", "/data/attributes/filter")
    return start, end, others


def _dates(start: datetime, end: datetime, interval: str) -> list[datetime]:
    """Return the beginnings of the intervals that the time touches."""
    date = start.replace(minute=0, second=0, microsecond=0)
    if interval != "hour":
        date = date.replace(hour=0)
    if interval == "week":
        date -= timedelta(days=date.weekday())
    if interval == "month":
        date = date.replace(day=1)
    dates = []
    while date < end:
        dates.append(date)
        match interval:
            case "month":
                date = (date + timedelta(days=32)).replace(day=1)
            case "hour":
                date += timedelta(hours=1)
            case _:
                date += timedelta(days=7 if interval == "week" else 1)
    return dates

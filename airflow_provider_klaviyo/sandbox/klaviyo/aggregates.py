# SPDX-License-Identifier: Apache-2.0
"""``/api/metric-aggregates``: the events of a metric, counted."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field

from airflow_provider_klaviyo.sandbox.klaviyo import bodies, filters, views
from airflow_provider_klaviyo.sandbox.klaviyo.bodies import Strict
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Answer, Call, answers
from airflow_provider_klaviyo.sandbox.klaviyo.problems import invalid
from airflow_provider_klaviyo.sandbox.klaviyo.query import pack, unpack_place

Json = dict[str, Any]
LEAST_PAGE = 500
YEAR = timedelta(days=366)
FILTER = "/data/attributes/filter"
Conditions = list[tuple[str, filters.Condition]]


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
    start, end, conditions = _window(asked)
    dates = _dates(start, end, asked.interval)
    rows: dict[tuple[str, ...], list[list[tuple[float, str]]]] = defaultdict(lambda: [[] for _ in dates])
    sql = "SELECT timestamp, profile_id, properties FROM events WHERE metric_id = ? AND timestamp >= ? AND timestamp < ?"
    for at, profile_id, text in call.state.db.execute(sql, (asked.metric_id, start.timestamp(), end.timestamp())):
        properties = json.loads(text)
        if all(_holds(condition, properties, pointer) for pointer, condition in conditions):
            told = _told(call, asked.by or [], properties)
            place = max(index for index, date in enumerate(dates) if date.timestamp() <= at)
            rows[told][place].append((float(properties.get("$value") or 0), profile_id))
    if not asked.by and not rows:
        rows[()] = [[] for _ in dates]
    first = unpack_place(asked.page_cursor, pointer="/data/attributes/page_cursor") if asked.page_cursor else 0
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


def _holds(condition: filters.Condition, properties: Json, pointer: str) -> bool:
    with filters.inside(pointer):
        return filters.holds(condition, properties.get)


def _told(call: Call, by: list[str], properties: Json) -> tuple[str, ...]:
    """Return an event's dimensions: none where it has none of them; whether a blank stands for one that it lacks is not known."""
    if not any(name in properties for name in by):
        return ()
    blank = call.state.behaviour.lacking_dimension == "blank"
    return tuple(str(properties.get(name, "")) for name in by if blank or name in properties)


def _measured(name: str, intervals: list[list[tuple[float, str]]]) -> list[float]:
    match name:
        case "sum_value":
            return [float(sum(value for value, _ in each)) for each in intervals]
        case "unique":
            return [float(len({profile_id for _, profile_id in each})) for each in intervals]
    return [float(len(each)) for each in intervals]


def _window(asked: Any) -> tuple[datetime, datetime, Conditions]:
    """Read the time, whose moments are those of the time zone's clocks, and the other conditions with their places."""
    edges: dict[str, datetime] = {}
    others: Conditions = []
    for at, text in enumerate(asked.filter):
        pointer = f"{FILTER}/{at}"
        for each in filters.nested(text, pointer):
            if isinstance(each, filters.Term) and each.field == "datetime":
                if each.operator not in {"greater-or-equal", "less-than"} or each.operator in edges:
                    raise invalid("datetime has one greater-or-equal and one less-than.", pointer)
                edges[each.operator] = _edge(each, ZoneInfo(asked.timezone), pointer)
            else:
                _check(each, pointer)
                others.append((pointer, each))
    if len(edges) != 2:  # noqa: PLR2004 - a start and an end
        raise invalid("A time range is required: greater-or-equal and less-than on datetime.", FILTER)
    start, end = edges["greater-or-equal"], edges["less-than"]
    if not start < end <= start + YEAR:
        raise invalid("The time range cannot be longer than 1 year.", FILTER)
    return start, end, others


def _edge(term: filters.Term, zone: ZoneInfo, pointer: str) -> datetime:
    """Read a time; what an offset would mean beside the time zone is not documented, so none is taken."""
    (word,) = term.words
    try:
        moment = datetime.fromisoformat(word.text)
    except ValueError:
        moment = None
    if moment is None or word.quoted or "T" not in word.text or moment.tzinfo:
        raise invalid("datetime is compared with an unquoted ISO 8601 datetime without an offset.", pointer)
    return moment.replace(tzinfo=zone)


def _check(condition: filters.Condition, pointer: str) -> None:
    """Refuse what cannot be filtered by."""
    if isinstance(condition, filters.Group):
        for each in condition.members:
            _check(each, pointer)
    elif condition.field not in get_args(Dimension):
        raise invalid(f"'{condition.field}' is not a filterable field for this resource.", pointer)


def _dates(start: datetime, end: datetime, interval: str) -> list[datetime]:
    """Return the beginnings of the intervals that the time touches: hours pass, days and more begin at the zone's midnight."""
    date, step = start.replace(minute=0, second=0, microsecond=0), timedelta(hours=1)
    if interval == "hour":
        date, end = date.astimezone(UTC), end.astimezone(UTC)
    else:
        date, step = date.replace(hour=0), timedelta(days=1)
    if interval == "week":
        date, step = date - timedelta(days=date.weekday()), timedelta(weeks=1)
    if interval == "month":
        date = date.replace(day=1)
    dates = []
    while date < end:
        dates.append(date)
        date = (date + timedelta(days=32)).replace(day=1) if interval == "month" else date + step
    return dates

# SPDX-License-Identifier: Apache-2.0
"""``/api/events``: reading them, and writing one."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from airflow_provider_klaviyo.sandbox.klaviyo import checks, documents, event_checks, filters, views
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Answer, Call, answers
from airflow_provider_klaviyo.sandbox.klaviyo.database import event_uuid, iso
from airflow_provider_klaviyo.sandbox.klaviyo.listing import Where, read_page
from airflow_provider_klaviyo.sandbox.klaviyo.problems import Problem, invalid, not_found
from airflow_provider_klaviyo.sandbox.klaviyo.recorder import Recorder
from airflow_provider_klaviyo.sandbox.klaviyo.state import MICROS

Json = dict[str, Any]
COLUMNS = "e.id, e.profile_id, e.metric_id, e.timestamp, e.properties"
EVENT_ID = re.compile("[0-9A-Za-z]{11}")


@answers("create_event")
def create_event(call: Call) -> Answer:
    """Record an event, once however often it is sent."""
    problems: list[Problem] = []
    now = datetime.fromtimestamp(call.state.clock(), UTC)
    if checks.keys(call.body, "", problems, required=("data",)) and checks.keys(
        call.body["data"], "/data", problems, required=("type", "attributes")
    ):
        checks.typed(call.body["data"]["type"], "event", "/data", problems)
        given = call.body["data"]["attributes"]
        event_checks.event(given, "/data/attributes", problems, now, extra=("profile",))
        if isinstance(given, dict) and "profile" in given:
            event_checks.profile(given["profile"], "/data/attributes/profile", problems)
    call.refuse(problems)
    checks.welcome(given["profile"]["data"], "/data/attributes/profile/data", problems, call.state.behaviour.unwelcome)
    call.refuse(problems)
    with call.state.transaction():
        recorder = Recorder(call.state)
        recorder.record(recorder.profile(given["profile"]["data"], "/data/attributes/profile/data"), given)
    return Answer(202)


@answers("get_events")
def get_events(call: Call) -> Answer:
    """List events, the newest first unless asked otherwise."""
    where = Where()
    for term in call.query.terms:
        match term.field:
            case "metric_id" | "profile_id":
                where.text(f"e.{term.field}", term)
            case "timestamp":
                where.add(f"e.timestamp {filters.COMPARISONS[term.operator]} ?", filters.number(term))
            case "datetime":
                at = filters.moment(term).timestamp()
                where.add(f"e.timestamp {filters.COMPARISONS[term.operator]} ?", at)
            case _:
                pass  # every event here has its metric and its profile
    descending = call.query.descending if call.query.sort else True
    rows, following = read_page(
        call, source="events e", columns=COLUMNS, where=where, key="e.timestamp", identifier="e.id", descending=descending
    )
    return Answer(200, call.page([_render(call, row) for row in rows], following, _included(call, rows)))


@answers("get_event")
def get_event(call: Call) -> Answer:
    """Read one event."""
    row = _load(call)
    return Answer(200, call.document(_render(call, row), _included(call, [row])))


@answers("get_metric_for_event")
def get_metric_for_event(call: Call) -> Answer:
    """Read an event's metric."""
    return Answer(200, call.document(views.metric(call, views.load_metric(call, _load(call)[2]))))


@answers("get_metric_id_for_event")
def get_metric_id_for_event(call: Call) -> Answer:
    """Read the id of an event's metric."""
    return Answer(200, call.document(documents.identity("metric", _load(call)[2])))


@answers("get_profile_for_event")
def get_profile_for_event(call: Call) -> Answer:
    """Read an event's profile."""
    return Answer(200, call.document(views.profile(call, views.load_profile(call, _load(call)[1]))))


@answers("get_profile_id_for_event")
def get_profile_id_for_event(call: Call) -> Answer:
    """Read the id of an event's profile."""
    return Answer(200, call.document(documents.identity("profile", _load(call)[1])))


def _render(call: Call, row: Sequence[Any]) -> Json:
    identifier, profile_id, metric_id, timestamp, properties = row
    attributes = {
        "timestamp": timestamp,
        "event_properties": json.loads(properties),
        "datetime": iso(timestamp * MICROS),
        "uuid": event_uuid(timestamp, identifier),
    }
    data = {"profile": documents.identity("profile", profile_id), "metric": documents.identity("metric", metric_id)}
    return documents.resource(call.base, "event", identifier, documents.pick(attributes, call.fields("event")), data=data)


def _included(call: Call, rows: Sequence[Sequence[Any]]) -> list[Json] | None:
    """Return the metrics and profiles of events, each once."""
    if not call.query.include:
        return None
    included: list[Json] = []
    if "metric" in call.query.include:
        included += [views.metric(call, views.load_metric(call, each)) for each in dict.fromkeys(row[2] for row in rows)]
    if "profile" in call.query.include:
        included += [views.profile(call, views.load_profile(call, each)) for each in dict.fromkeys(row[1] for row in rows)]
    return included


def _load(call: Call) -> Sequence[Any]:
    if not EVENT_ID.fullmatch(call.ids[0]):
        raise invalid(f"Invalid Event ID: '{call.ids[0]}'", "/data/id")
    row = call.state.db.execute(f"SELECT {COLUMNS} FROM events e WHERE e.id = ?", call.ids).fetchone()  # noqa: S608 - our own names
    if row is None:
        raise not_found(f"An event with id {call.ids[0]} does not exist.")
    return row  # type: ignore[no-any-return]

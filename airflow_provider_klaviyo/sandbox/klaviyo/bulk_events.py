# SPDX-License-Identifier: Apache-2.0
"""``/api/event-bulk-create-jobs``: events by the thousand, with no word on what became of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow_provider_klaviyo.sandbox.klaviyo import checks, event_checks
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Answer, Call, answers
from airflow_provider_klaviyo.sandbox.klaviyo.problems import Problem
from airflow_provider_klaviyo.sandbox.klaviyo.recorder import Recorder

EVENTS_A_REQUEST = 1000
ENTRIES = "/data/attributes/events-bulk-create/data"
Key = tuple[str, str, str]


@answers("bulk_create_events")
def bulk_create_events(call: Call) -> Answer:
    """
    Record events, all of them or none.

    An event that repeats another of the request refuses the request. One that repeats an event of the past is dropped in silence or
    refuses the request, too, as the account is set to: which of the two Klaviyo does is not known.
    """
    problems: list[Problem] = []
    _check(call, problems)
    call.refuse(problems)
    with call.state.transaction():
        _record(call, problems)
        call.refuse(problems)
    return Answer(202)


def _record(call: Call, problems: list[Problem]) -> None:
    recorder = Recorder(call.state)
    refuse_old = call.state.behaviour.reused_unique_id == "refuse"
    seen: set[Key] = set()
    for at, entry in enumerate(call.body["data"]["attributes"]["events-bulk-create"]["data"]):
        here = f"{ENTRIES}/{at}/attributes"
        attributes = entry["attributes"]
        checks.welcome(attributes["profile"]["data"], f"{here}/profile/data", problems, call.state.behaviour.unwelcome)
        profile_id = recorder.profile(attributes["profile"]["data"], f"{here}/profile/data")
        for number, event in enumerate(attributes["events"]["data"]):
            given = event["attributes"]
            repeated = recorder.record(profile_id, given, backfill=bool(attributes.get("backfill")))
            explicit = given.get("unique_id")
            if repeated and explicit and (refuse_old or repeated in seen):
                detail = f"The unique_id '{explicit}' is repeated for the same profile and metric."
                problems.append(Problem(detail, f"{here}/events/data/{number}/attributes/unique_id"))
            if explicit:
                seen.add((profile_id, recorder.metric(given["metric"]["data"]["attributes"]), explicit))


def _check(call: Call, problems: list[Problem]) -> None:
    if not checks.keys(call.body, "", problems, required=("data",)):
        return
    data = call.body["data"]
    if not checks.keys(data, "/data", problems, required=("type", "attributes")):
        return
    checks.typed(data["type"], "event-bulk-create-job", "/data", problems)
    where = "/data/attributes/events-bulk-create"
    if not checks.keys(data["attributes"], "/data/attributes", problems, required=("events-bulk-create",)):
        return
    bulk = data["attributes"]["events-bulk-create"]
    if not checks.keys(bulk, where, problems, required=("data",)):
        return
    if checks.items(bulk["data"], ENTRIES, problems, at_most=EVENTS_A_REQUEST, noun="event"):
        now = datetime.fromtimestamp(call.state.clock(), UTC)
        count = sum(_entry(entry, f"{ENTRIES}/{at}", problems, now) for at, entry in enumerate(bulk["data"]))
        if count > EVENTS_A_REQUEST:
            problems.append(Problem(f"At most {EVENTS_A_REQUEST} events are allowed in a request.", ENTRIES))


def _entry(entry: Any, where: str, problems: list[Problem], now: datetime) -> int:
    """Check one profile's events and count them."""
    if not checks.keys(entry, where, problems, required=("type", "attributes")):
        return 0
    checks.typed(entry["type"], "event-bulk-create", where, problems)
    attributes, here = entry["attributes"], f"{where}/attributes"
    if not checks.keys(attributes, here, problems, required=("profile", "events"), optional=("backfill",)):
        return 0
    if fault := event_checks.backfill(attributes.get("backfill")):
        problems.append(Problem(fault, f"{here}/backfill"))
    event_checks.profile(attributes["profile"], f"{here}/profile", problems)
    events, there = attributes["events"], f"{here}/events"
    if not checks.keys(events, there, problems, required=("data",)):
        return 0
    if not checks.items(events["data"], f"{there}/data", problems, at_most=EVENTS_A_REQUEST, noun="event"):
        return 0
    for at, event in enumerate(events["data"]):
        if checks.keys(event, f"{there}/data/{at}", problems, required=("type", "attributes")):
            checks.typed(event["type"], "event", f"{there}/data/{at}", problems)
            event_checks.event(event["attributes"], f"{there}/data/{at}/attributes", problems, now)
    return len(events["data"])

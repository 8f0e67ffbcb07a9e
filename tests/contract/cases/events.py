# SPDX-License-Identifier: Apache-2.0
"""Events: everything that one may have, and the least."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_provider_klaviyo.api import bodies, events
from airflow_provider_klaviyo.api.request import Json
from tests.contract.cases.profiles import IMPORTED, LEAST, known
from tests.contract.kit import Case

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer
    from airflow_provider_klaviyo.session import Session

LEAST_EVENT: Json = {"metric": "Placed Order", "profile": LEAST}
EVENT: Json = {
    **LEAST_EVENT,
    "profile": {**IMPORTED, "anonymous_id": "anon"},
    "time": datetime(2026, 11, 1, 10, tzinfo=UTC),
    "value": 9.99,
    "value_currency": "USD",
    "unique_id": "1001",
    "properties": {"OrderId": "1001", "Items": [{"SKU": "A1"}]},
}
INCLUDE = ["metric", "profile"]


def doer(klaviyo: Session, sandbox: SandboxServer) -> Json:
    """Make the profile that the event is about."""
    profile = known(klaviyo, sandbox)["profile"] | {"anonymous_id": "anon"}
    full = bodies.event_entry({**EVENT, "profile": profile}, backfill=True)
    return {"profile": profile, "events": [bodies.event_entry(LEAST_EVENT), full]}


def an_event(klaviyo: Session, sandbox: SandboxServer) -> Json:
    """Make an event."""
    klaviyo.send(events.create(**LEAST_EVENT))
    (event,) = klaviyo.walk(events.list_(include="metric"))
    metric = event["relationships"]["metric"]["data"]["id"]
    return {"event_id": event["id"], "metric_id": metric, "filter": f'equals(metric_id,"{metric}")'}


CASES = [
    Case(events.create, "create_event", LEAST_EVENT),
    Case(events.create, "create_event", {**EVENT, "backfill": True}, doer),
    Case(
        events.bulk_create,
        "bulk_create_events",
        {"events": [bodies.event_entry(LEAST_EVENT), bodies.event_entry(EVENT, backfill=True)]},
        doer,
    ),
    Case(events.get, "get_event", {"event_id": "4vRpBT"}, an_event),
    Case(events.get, "get_event", {"event_id": "4vRpBT", "fields": {"event": "datetime"}, "include": INCLUDE}, an_event),
    Case(events.list_, "get_events", {"include": INCLUDE}, an_event),
    Case(
        events.list_,
        "get_events",
        {
            "filter": 'equals(metric_id,"M1")',
            "sort": "datetime",
            "fields": {"profile": ["email"], "metric": "name", "event": ["event_properties", "uuid"]},
            "include": INCLUDE,
            "page_size": 1000,
        },
        an_event,
    ),
]

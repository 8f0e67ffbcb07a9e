# SPDX-License-Identifier: Apache-2.0
"""The trigger reads, awaits, and tells; who the events are about it does not know."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import TaskDeferred
from airflow.sdk.serde import deserialize, serialize
from airflow.triggers.base import TriggerEvent

from airflow_provider_klaviyo.api import events
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.sensors.events import KlaviyoEventSensor
from airflow_provider_klaviyo.triggers.base import outcome
from airflow_provider_klaviyo.triggers.events import KlaviyoEventTrigger

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

START = "2026-11-01T10:00:00.750+05:00"
SARAH = {"email": "sarah@example.com"}


def happen(number: int = 1, **more: Any) -> None:
    """Record an event."""
    event = {"metric": "Placed Order", "profile": SARAH, "time": dt.datetime(2026, 11, 2, tzinfo=dt.UTC), "unique_id": str(number), **more}
    KlaviyoHook().send(events.create(**event))


def fired(**fields: Any) -> Any:
    """Make a trigger again from what it serializes to, as a triggerer does, and return its event through Airflow's serde."""
    path, kept = KlaviyoEventTrigger(**{"start": START, "interval": 0.02, "deadline": time.time() + 1, **fields}).serialize()
    assert path == "airflow_provider_klaviyo.triggers.events.KlaviyoEventTrigger"
    again = KlaviyoEventTrigger(**deserialize(serialize(kept)))  # type: ignore[arg-type]
    assert again.serialize() == (path, kept)

    async def first() -> TriggerEvent:
        return await anext(again.run())

    return deserialize(serialize(asyncio.run(first()).payload))


def test_it_tells_of_the_events(sandbox: SandboxServer) -> None:
    happen()
    seen = outcome(fired(metric="Placed Order"))
    assert (seen["count"], len(seen["event_ids"])) == (1, 1)


def test_what_it_asks_for(sandbox: SandboxServer) -> None:
    happen()
    outcome(fired(metric="Placed Order", filter="has(metric)", min_count=1))
    asked = sandbox.klaviyo.received[-1].query
    metric, start, end, more = asked["filter"].split("),")
    assert metric.startswith('equals(metric_id,"')
    assert start == "greater-or-equal(datetime,2026-11-01T05:00:00Z", "in UTC, from the second it begins in"
    assert end.startswith("less-or-equal(datetime,20")
    assert more == "has(metric)"
    assert {name: value for name, value in asked.items() if name != "filter"} == {
        "sort": "datetime",
        "fields[event]": "datetime",
        "page[size]": "100",
    }


def test_it_only_reads(sandbox: SandboxServer) -> None:
    happen()
    sandbox.klaviyo.requests.clear()
    fired(metric="Placed Order")
    assert {name.split()[0] for name in sandbox.klaviyo.requests} == {"GET"}


def test_the_time_is_kept_and_it_says_how_far_it_came(sandbox: SandboxServer) -> None:
    happen()
    with pytest.raises(TimeoutError, match="1 of 2 events"):
        outcome(fired(metric="Placed Order", min_count=2, deadline=time.time() + 0.1))
    with pytest.raises(TimeoutError, match="no metric of that name"):
        outcome(fired(metric="Sneezed", deadline=time.time() + 0.1))


def test_it_leaves_the_look_for_a_person_to_the_sensor(sandbox: SandboxServer) -> None:
    happen()
    sandbox.klaviyo.requests.clear()
    assert outcome(fired(metric="Placed Order", unknown_profile=True)) == {"unknown_profile": True}
    assert not sandbox.klaviyo.requests


def test_the_metric_that_the_sensor_found_is_not_looked_for_again(sandbox: SandboxServer) -> None:
    happen()
    sensor = KlaviyoEventSensor(task_id="it", metric="Placed Order", start="2026-11-10T00:00:00Z", profile=SARAH, deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute({})
    _, kept = deferred.value.trigger.serialize()
    assert kept["metric_id"]
    assert kept["profile_id"]
    assert not kept["unknown_profile"]


@pytest.mark.parametrize("profile", [SARAH, {"email": "nobody@example.com"}])
def test_nothing_about_people_goes_to_airflows_database(sandbox: SandboxServer, profile: dict[str, str]) -> None:
    happen()
    sensor = KlaviyoEventSensor(task_id="it", metric="Placed Order", start="2026-11-10T00:00:00Z", profile=profile, deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute({})
    assert "@example.com" not in str(deferred.value.trigger.serialize())
    assert "@example.com" not in repr(deferred.value.trigger)

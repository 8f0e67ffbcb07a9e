# SPDX-License-Identifier: Apache-2.0
"""Poking, rescheduled or deferred, the sensor waits for the events that count, and for no others."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_klaviyo.api import bodies, events, metrics, profiles
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.sensors.events import KlaviyoEventSensor
from tests.contract.agreement import agree

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

Wait = Callable[..., Any]
After = Callable[[int, Callable[[], object]], None]

ONCE = '{"conn_type": "klaviyo", "host": "%s", "password": "pk_sandbox", "extra": {"max_attempts": 1}}'
SARAH = {"email": "sarah@example.com"}
LATER = {"timeout": 0.4, "retries": 0}


@pytest.fixture
def wait(wait_with: Wait) -> Wait:
    """Return a function that waits for events."""
    return lambda **fields: wait_with(KlaviyoEventSensor, **fields)


def now(**shift: float) -> dt.datetime:
    """Return the present, shifted."""
    return dt.datetime.now(dt.UTC) + dt.timedelta(**shift)


def happen(
    metric: str = "Placed Order", *, time: dt.datetime | None = None, number: int = 1, profile: Any = None, service: str | None = None
) -> str:
    """Record an event, and return the id of its metric."""
    request = events.create(metric=metric, profile=profile or SARAH, time=time or now(), unique_id=str(number))
    assert request.json is not None
    if service:
        request.json["data"]["attributes"]["metric"]["data"]["attributes"]["service"] = service
    with KlaviyoHook().session() as klaviyo:
        klaviyo.send(request)
        return next(str(each["id"]) for each in klaviyo.walk(metrics.list_()) if each["attributes"]["name"] == metric)


def stored() -> list[str]:
    """Return the ids of all events, oldest first."""
    with KlaviyoHook().session() as klaviyo:
        return [each["id"] for each in klaviyo.walk(events.list_(sort="datetime"))]


def test_it_returns_the_events_that_are_there(sandbox: SandboxServer, wait: Wait) -> None:
    metric_id = happen()
    happen(number=2)
    happen("Viewed Product")
    sandbox.klaviyo.requests.clear()
    done = wait(metric="{{ 'Placed' }} Order", start=now(minutes=-5), min_count="{{ 2 }}")
    assert (done.state, done.tries) == ("success", 1)
    assert sandbox.klaviyo.requests == {"GET /api/metrics": 1, "GET /api/events": 1}
    assert done.returned["metric_id"] == metric_id
    assert done.returned["count"] == 2
    assert set(done.returned["event_ids"]) < set(stored())


def test_by_its_id_an_event_that_is_there_is_one_request(sandbox: SandboxServer, wait: Wait) -> None:
    metric_id = happen()
    sandbox.klaviyo.requests.clear()
    assert wait(metric_id=metric_id, start=now(minutes=-5)).returned["count"] == 1
    assert sandbox.klaviyo.requests == {"GET /api/events": 1}


def test_it_waits_for_an_event_and_by_default_for_one_of_this_run(sandbox: SandboxServer, wait: Wait, after_looks: After) -> None:
    metric_id = happen(time=now(hours=-1))
    sandbox.klaviyo.requests.clear()
    after_looks(4, lambda: happen(number=2))
    done = wait(metric_id=metric_id)
    assert (done.state, done.tries, done.returned["count"]) == ("success", 1, 1)
    assert done.returned["event_ids"] == stored()[1:]


def test_a_metric_that_is_not_there_yet_is_waited_for(sandbox: SandboxServer, wait: Wait, after_looks: After) -> None:
    happen("Viewed Product")
    sandbox.klaviyo.requests.clear()
    after_looks(3, happen)
    done = wait(metric="Placed Order")
    assert (done.state, done.tries, done.returned["count"]) == ("success", 1, 1)


def test_it_waits_for_as_many_as_there_have_to_be(sandbox: SandboxServer, wait: Wait, after_looks: After) -> None:
    metric_id = happen()
    sandbox.klaviyo.requests.clear()
    after_looks(3, lambda: [happen(number=number) for number in (2, 3)])
    assert wait(metric_id=metric_id, min_count=3, start=now(minutes=-1)).returned["count"] == 3


def test_of_many_events_the_first_ids_are_returned(sandbox: SandboxServer, wait: Wait) -> None:
    metric_id = happen(time=now(seconds=-200))
    many = [{"metric": "Placed Order", "profile": SARAH, "time": now(seconds=-number), "unique_id": f"n{number}"} for number in range(130)]
    KlaviyoHook().send(events.bulk_create(events=[bodies.event_entry(bodies.checked_event(each)) for each in many]))
    found = wait(metric_id=metric_id, min_count=120, start=now(minutes=-5)).returned
    assert found["count"] == 120
    assert found["event_ids"] == stored()[:100]


def test_the_count_is_of_what_it_read_and_there_may_be_more(sandbox: SandboxServer, wait: Wait) -> None:
    metric_id = happen(time=now(seconds=-200))
    many = [{"metric": "Placed Order", "profile": SARAH, "time": now(seconds=-number), "unique_id": f"n{number}"} for number in range(130)]
    KlaviyoHook().send(events.bulk_create(events=[bodies.event_entry(bodies.checked_event(each)) for each in many]))
    found = wait(metric_id=metric_id, start=now(minutes=-5), filter=" ").returned
    assert found == {"metric_id": metric_id, "count": 100, "event_ids": stored()[:100]}


def test_an_event_that_arrives_late_counts_if_it_happened_in_time(sandbox: SandboxServer, wait: Wait, after_looks: After) -> None:
    metric_id = happen(time=now(hours=-3))
    sandbox.klaviyo.requests.clear()
    after_looks(3, lambda: happen(number=2, time=now(hours=-1)))
    assert wait(metric_id=metric_id, start=now(hours=-2).isoformat()).returned["event_ids"] == stored()[1:]


def test_an_event_dated_in_the_future_does_not_count_yet(sandbox: SandboxServer, wait: Wait) -> None:
    metric_id = happen(time=now(days=30))
    late = wait(metric_id=metric_id, **LATER)
    assert (late.state, late.tries) == ("failed", 1)
    assert late.error.startswith("airflow.sdk.exceptions.AirflowSensorTimeout: Sensor has timed out")


def test_an_event_dated_a_moment_ahead_counts_when_it_is_time(sandbox: SandboxServer, wait: Wait) -> None:
    metric_id = happen(time=now(seconds=1.2))
    due = now(seconds=1.2).replace(microsecond=0)
    assert wait(metric_id=metric_id).state == "success"
    assert now() >= due


def test_an_event_of_the_second_in_which_it_starts_counts(sandbox: SandboxServer, wait: Wait) -> None:
    happened = now(minutes=-1).replace(microsecond=100)
    metric_id = happen(time=happened)
    start = happened.replace(microsecond=50).astimezone(dt.timezone(dt.timedelta(hours=5)))
    assert wait(metric_id=metric_id, start=start).state == "success"


@pytest.mark.parametrize("person", ["profile", "profile_id"])
def test_it_may_be_about_one_person(sandbox: SandboxServer, wait: Wait, after_looks: After, person: str) -> None:
    metric_id = happen(profile={"email": "bob@example.com"}, time=now(seconds=-10))
    sarah = KlaviyoHook().send(profiles.upsert(profile=SARAH))["data"]["id"]
    sandbox.klaviyo.requests.clear()
    after_looks(4, lambda: happen(number=2))
    whom = {"profile": {"email": "{{ 'sarah@example.com' }}"}} if person == "profile" else {"profile_id": sarah}
    assert wait(metric_id=metric_id, start=now(minutes=-1), **whom).returned["event_ids"] == stored()[1:]


def test_a_person_whom_klaviyo_does_not_know_yet_is_waited_for(sandbox: SandboxServer, wait: Wait, after_looks: After) -> None:
    metric_id = happen(profile={"email": "bob@example.com"}, time=now(seconds=-10))
    sandbox.klaviyo.requests.clear()
    after_looks(3, lambda: happen(number=2))
    done = wait(metric_id=metric_id, start=now(minutes=-1), profile=SARAH)
    assert (done.state, done.tries) == ("success", 1)
    assert done.returned["event_ids"] == stored()[1:]


def test_a_person_who_stays_unknown_is_waited_for_until_the_time_is_up(sandbox: SandboxServer, wait: Wait) -> None:
    metric_id = happen()
    late = wait(metric_id=metric_id, profile={"external_id": "nobody"}, soft_fail=True, **LATER)
    assert (late.state, late.tries) == ("skipped", 1)


def test_it_takes_more_conditions(sandbox: SandboxServer, wait: Wait) -> None:
    metric_id = happen(time=now(hours=-1))
    happen(number=2, time=now(hours=-3))
    before = f"less-than(datetime,{now(hours=-2).isoformat()})".replace("+00:00", "Z")
    assert wait(metric_id=metric_id, start=now(hours=-4), filter=before).returned["event_ids"] == stored()[:1]


def test_what_is_asked_and_answered_is_klaviyos_contract(sandbox: SandboxServer, wait: Wait, after_looks: After) -> None:
    happen(time=now(hours=-1))
    sandbox.klaviyo.requests.clear()
    after_looks(3, lambda: happen(number=2))
    assert wait(metric="Placed Order", profile=SARAH).state == "success"
    agree(sandbox.klaviyo.received)


def test_a_metric_id_that_nothing_has_fails_at_once(sandbox: SandboxServer, wait: Wait) -> None:
    failed = wait(metric_id="NoSuch")
    assert (failed.state, failed.tries) == ("failed", 1)
    assert "GET /api/metrics/NoSuch answered 404" in failed.error


def test_several_metrics_of_a_name_fail_at_once_and_are_named(sandbox: SandboxServer, wait: Wait) -> None:
    happen()
    happen(number=2, service="shopify")
    failed = wait(metric="Placed Order")
    assert (failed.state, failed.tries) == ("failed", 1)
    with KlaviyoHook().session() as klaviyo:
        assert all(f"{each['id']} ({each['attributes']['integration']['name']})" in failed.error for each in klaviyo.walk(metrics.list_()))


def test_several_metrics_of_a_name_that_appear_later_fail_it_too(sandbox: SandboxServer, wait: Wait, after_looks: After) -> None:
    after_looks(2, lambda: (happen("Added", service="one", time=now(days=-1)), happen("Added", number=2, service="two")))
    failed = wait(metric="Added", start=now(days=300))
    assert (failed.state, failed.tries) == ("failed", 1)


def test_an_outage_is_waited_out(sandbox: SandboxServer, wait: Wait, monkeypatch: pytest.MonkeyPatch) -> None:
    metric_id = happen()
    monkeypatch.setenv("AIRFLOW_CONN_KLAVIYO_DEFAULT", ONCE % sandbox.url)
    fault = sandbox.fail(path="/api/events", status=503, times=3)
    done = wait(metric_id=metric_id, start=now(minutes=-1))
    assert (done.state, done.tries, fault.hits) == ("success", 1, 3)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "give either metric_id or metric"),
        ({"metric_id": "M", "metric": "Placed Order"}, "give either metric_id or metric"),
        ({"metric": "A", "profile_id": "P", "profile": SARAH}, "give either profile_id or profile"),
        ({"metric": "A", "profile": {"name": "sarah@example.com"}}, "lookup is one of"),
        ({"metric": "A", "min_count": 0}, "min_count is 1 or more"),
        ({"metric": "A", "filter": 'equals(email,"sarah@example.com")'}, "get_events"),
        ({"metric": "A", "start": "2026-11-01T10:00:00"}, "needs its time zone"),
        ({"metric": "A", "start": "yesterday"}, "ISO 8601"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_sent(sandbox: SandboxServer, fields: dict[str, Any], said: str) -> None:
    sensor = KlaviyoEventSensor(task_id="it", **{"start": "2026-11-01T00:00:00Z", **fields})
    with pytest.raises(KlaviyoConfigError, match=said) as refused:
        sensor.poke({})
    assert "sarah" not in str(refused.value)
    assert not sandbox.klaviyo.requests

# SPDX-License-Identifier: Apache-2.0
"""Operators for events, against the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_klaviyo.api import events
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.operators.events import (
    KlaviyoBulkCreateEventsOperator,
    KlaviyoCreateEventOperator,
    KlaviyoGetEventOperator,
    KlaviyoListEventsOperator,
)

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

    Run = Callable[..., Any]

SARAH = {"email": "sarah@example.com"}


def stored() -> list[dict[str, Any]]:
    """Read all events back."""
    with KlaviyoHook().session() as klaviyo:
        return [each["attributes"] for each in klaviyo.walk(events.list_())]


def order(number: int, **more: Any) -> dict[str, Any]:
    """Return an event."""
    return {"metric": "Placed Order", "profile": SARAH, "unique_id": f"order-{number}", "time": "2026-11-01T10:00:00+00:00", **more}


def test_an_event_is_recorded(sandbox: SandboxServer, run: Run) -> None:
    done = run(
        KlaviyoCreateEventOperator,
        metric="Placed Order",
        profile=SARAH,
        properties={"OrderId": "{{ 1001 }}"},
        time="{{ '2026-11-01T10:00:00+00:00' }}",
        value="{{ 12.5 }}",
        value_currency="EUR",
        unique_id="1001",
        backfill="{{ False }}",
    )
    assert (done.state, done.returned) == ("success", None)
    (event,) = stored()
    assert event["event_properties"]["OrderId"] == "1001"
    assert event["event_properties"]["$value"] == 12.5
    assert event["datetime"].startswith("2026-11-01")


def test_an_event_with_a_unique_id_is_repeated_and_kept_once(sandbox: SandboxServer, run: Run) -> None:
    sandbox.fail(method="POST", path="/api/events", drop="after")
    assert run(KlaviyoCreateEventOperator, metric="Placed Order", profile=SARAH, unique_id="1").tries == 1
    assert len(stored()) == 1


def test_an_event_without_a_unique_id_is_not_sent_twice(sandbox: SandboxServer, run: Run) -> None:
    sandbox.fail(method="POST", path="/api/events", drop="after")
    doubt = run(KlaviyoCreateEventOperator, metric="Placed Order", profile=SARAH, retries=5)
    assert (doubt.state, doubt.tries) == ("failed", 1)
    assert "KlaviyoInDoubt" in doubt.said
    assert len(stored()) == 1


def test_a_server_error_leaves_doubt_and_a_refusal_leaves_none(sandbox: SandboxServer, run: Run) -> None:
    sandbox.fail(method="POST", path="/api/events", status=503)
    assert "KlaviyoInDoubt" in run(KlaviyoCreateEventOperator, metric="Placed Order", profile=SARAH, retries=1).said
    sandbox.fail(method="POST", path="/api/events", status=400)
    assert run(KlaviyoCreateEventOperator, metric="Placed Order", profile=SARAH, retries=1).tries == 1


def test_many_events_are_accepted(sandbox: SandboxServer, run: Run) -> None:
    done = run(KlaviyoBulkCreateEventsOperator, events=[order(number, value=number) for number in range(5)], backfill=True)
    assert done.returned == {"accepted": 5}
    assert len(stored()) == 5


def test_events_of_unknown_fate_are_settled_one_by_one(sandbox: SandboxServer, run: Run) -> None:
    for reading in ("drop", "refuse"):
        sandbox.klaviyo.behaviour.reused_unique_id = reading
        sandbox.fail(method="POST", path="/api/event-bulk-create-jobs", drop="after")
        done = run(KlaviyoBulkCreateEventsOperator, events=[order(number) for number in range(5)], retries=1)
        assert (done.state, done.tries, done.returned) == ("success", 2, {"accepted": 5})
        assert len(stored()) == 5
        sandbox.reset()


def test_events_of_unknown_fate_without_ids_stay_in_doubt(sandbox: SandboxServer, run: Run) -> None:
    sandbox.fail(method="POST", path="/api/event-bulk-create-jobs", drop="after")
    doubt = run(KlaviyoBulkCreateEventsOperator, events=[order(1), order(2, unique_id=None)], retries=5)
    assert (doubt.state, doubt.tries) == ("failed", 1)
    assert len(stored()) == 2


def test_a_misspelt_field_is_refused_before_anything_is_sent(sandbox: SandboxServer, run: Run) -> None:
    refused = run(KlaviyoBulkCreateEventsOperator, events=[order(1, propertys={"a": 1})], retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert "details go under properties" in refused.said
    missing = run(KlaviyoBulkCreateEventsOperator, events=[{"profile": SARAH}])
    assert "an event needs metric" in missing.said
    assert not sandbox.klaviyo.requests


def happened(number: int, **more: Any) -> str:
    """Record an event and return its id."""
    with KlaviyoHook().session() as klaviyo:
        before = {each["id"] for each in klaviyo.walk(events.list_())}
        klaviyo.send(events.create(**order(number, **more)))
        (made,) = {each["id"] for each in klaviyo.walk(events.list_())} - before
    return str(made)


def test_an_event_is_read_as_ids_or_as_a_whole(sandbox: SandboxServer, run: Run) -> None:
    event_id = happened(1, properties={"OrderId": "1001"})
    ids = run(KlaviyoGetEventOperator, event_id="{{ '" + event_id + "' }}").returned
    assert ids["id"] == event_id
    whole = run(
        KlaviyoGetEventOperator, event_id=event_id, include=["metric", "profile"], fields={"profile": "external_id"}, return_objects=True
    ).returned
    assert whole["attributes"]["event_properties"]["OrderId"] == "1001"
    assert {(each["type"], each["id"]) for each in whole["included"]} == {("metric", ids["metric_id"]), ("profile", ids["profile_id"])}
    assert "sarah@" not in str(whole)


def test_an_event_that_is_not_there_is_not_tried_again(sandbox: SandboxServer, run: Run) -> None:
    for event_id in ("abcdefghijk", "nosuch"):  # what Klaviyo's ids look like, and what they do not
        missing = run(KlaviyoGetEventOperator, event_id=event_id, retries=2)
        assert (missing.state, missing.tries) == ("failed", 1)


def test_events_are_listed_as_ids_or_as_a_whole(sandbox: SandboxServer, run: Run) -> None:
    first = happened(1)
    second = happened(2, time="2026-11-02T10:00:00+00:00", profile={"email": "bob@example.com"}, properties={"OrderId": "2"})
    happened(3, metric="Viewed Product")
    metric_id = run(KlaviyoGetEventOperator, event_id=first).returned["metric_id"]
    of_metric = f'equals(metric_id,"{metric_id}")'
    assert run(KlaviyoListEventsOperator, filter=of_metric, sort="-datetime").returned == [second, first]
    late = of_metric + ",greater-than(datetime,{{ '2026-11-01T12:00:00Z' }})"
    (whole,) = run(
        KlaviyoListEventsOperator,
        filter=late,
        include="profile",
        fields={"event": ["event_properties"], "profile": ["email"]},
        return_objects="{{ True }}",
    ).returned
    assert whole["attributes"] == {"event_properties": {"OrderId": "2", "$event_id": "order-2"}}
    assert whole["included"][0]["attributes"] == {"email": "bob@example.com"}


def test_a_list_of_events_is_never_cut_in_silence(sandbox: SandboxServer, run: Run) -> None:
    run(KlaviyoBulkCreateEventsOperator, events=[order(number) for number in range(5)])
    cut = run(KlaviyoListEventsOperator, max_items=4, retries=2)
    assert (cut.state, cut.tries) == ("failed", 1)
    assert "more than max_items=4" in cut.said
    assert len(run(KlaviyoListEventsOperator, max_items=4, truncate=True).returned) == 4


def test_what_klaviyo_does_not_filter_events_by_is_refused_before_anything_is_sent(sandbox: SandboxServer, run: Run) -> None:
    refused = run(KlaviyoListEventsOperator, filter='equals(email,"sarah@example.com")', retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert "get_events" in refused.said
    assert "sarah@" not in refused.said
    assert not sandbox.klaviyo.requests

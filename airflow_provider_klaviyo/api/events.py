# SPDX-License-Identifier: Apache-2.0
"""Events: what people did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Unpack

from airflow_provider_klaviyo.api import bodies
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.jsonapi import Listing, Reading, document, listing, reading
from airflow_provider_klaviyo.api.request import Json, Request, at

MOST_CREATED = 1_000


def create(
    *,
    metric: str,
    profile: bodies.EventProfile | Mapping[str, Any],
    properties: Mapping[str, Any] | None = None,
    time: datetime | str | None = None,
    value: float | None = None,
    value_currency: str | None = None,
    unique_id: str | None = None,
    backfill: bool = False,
) -> Request[Json]:
    """
    Record an event; Klaviyo answers before it has worked on it, and with nothing.

    https://developers.klaviyo.com/en/reference/create_event

    :param metric: The name of what happened; one that is new makes a metric.
    :param profile: Whom it happened to: attributes with an identifier. Who is unknown becomes a profile.
    :param properties: Details of it.
    :param time: When, as an aware datetime or ISO 8601 text with an offset; Klaviyo takes its own time where it is left out.
    :param value: What it was worth.
    :param value_currency: The value's currency, ISO 4217.
    :param unique_id: Of the events of one metric and profile with the same one, Klaviyo keeps the first: with it, the request
        may be repeated. Without it, there is one event a second.
    :param backfill: Whether it is history, for which no flow is started.
    :raises KlaviyoConfigError: See :func:`bodies.checked_event`.
    """
    event = bodies.checked_event(
        {
            "metric": metric,
            "profile": profile,
            "properties": properties,
            "time": time,
            "value": value,
            "value_currency": value_currency,
            "unique_id": unique_id,
        }
    )
    body = {"data": bodies.event_resource(event, backfill=backfill)}
    return Request("POST", "/api/events", json=body, replayable=unique_id is not None)


def bulk_create(*, events: Sequence[Json]) -> Request[Json]:
    """
    Record up to 1,000 events. Klaviyo shows no job of it, and refuses all where one ``unique_id`` is repeated.

    https://developers.klaviyo.com/en/reference/bulk_create_events

    :param events: Checked events, each by :func:`bodies.event_entry`; 5 MB in all.
    :raises KlaviyoConfigError: None, or more than 1,000.
    """
    if not 1 <= len(events) <= MOST_CREATED:
        raise KlaviyoConfigError(f"a bulk create takes 1 to {MOST_CREATED:,} events, not {len(events):,}: split them")
    body = document("event-bulk-create-job", {"events-bulk-create": {"data": events}})
    return Request("POST", "/api/event-bulk-create-jobs", json=body)


def get(*, event_id: str, **query: Unpack[Reading]) -> Request[Json]:
    """
    Read an event; for the query see :class:`~airflow_provider_klaviyo.api.jsonapi.Reading`.

    https://developers.klaviyo.com/en/reference/get_event

    :param event_id: Klaviyo's id of it.
    """
    return reading(at("/api/events/{}", event_id), **query)


def list_(**query: Unpack[Listing]) -> Request[Json]:
    """
    Read events, page by page; for the query see :class:`~airflow_provider_klaviyo.api.jsonapi.Listing`.

    https://developers.klaviyo.com/en/reference/get_events
    """
    return listing("/api/events", **query)

# SPDX-License-Identifier: Apache-2.0
"""Operators for events: what people did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_klaviyo.api import bodies, events
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.operators.base import Journal, KlaviyoOperator, Personal, in_doubt
from airflow_provider_klaviyo.operators.listing import GettingOperator, IdsOperator

if TYPE_CHECKING:
    from airflow_provider_klaviyo.session import Session


class KlaviyoCreateEventOperator(KlaviyoOperator):
    """
    Record an event.

    With a ``unique_id`` it is recorded once, however often the task is tried. Without one, the task fails at once where the
    outcome is not known, and no retry sends it again.

    https://developers.klaviyo.com/en/reference/create_event

    :param metric: The name of what happened; one that is new makes a metric.
    :param profile: Whom it happened to: attributes with an identifier. Who is unknown becomes a profile.
    :param properties: Details of it.
    :param time: When, as an aware datetime or ISO 8601 text with an offset; the time of arrival where left out.
    :param value: What it was worth.
    :param value_currency: The value's currency, ISO 4217.
    :param unique_id: What tells it from others: of the events of one metric and profile with the same, Klaviyo keeps the first.
    :param backfill: Whether it is history, for which no flow is started.
    :return: Nothing: Klaviyo has accepted it, and works on it later.
    """

    metric: str
    profile: Personal[Mapping[str, Any]]
    properties: Personal[Mapping[str, Any] | None] = None
    time: datetime | str | None = None
    value: float | None = None
    value_currency: str | None = None
    unique_id: str | None = None
    backfill: bool = False

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return events.create(
            metric=self.metric,
            profile=self.profile,
            properties=self.properties,
            time=self.time,
            value=self.value,
            value_currency=self.value_currency,
            unique_id=self.unique_id,
            backfill=self.backfill,
        )

    def result(self, answer: Any) -> None:
        """Return nothing: Klaviyo answers with nothing."""


class KlaviyoBulkCreateEventsOperator(KlaviyoOperator):
    """
    Record up to 1,000 events in one request. For more, and for rows from a database, there are the transfers.

    Klaviyo shows no job of it. Where the outcome of a try is not known, the next one sends the events again one by one, which
    records none twice, if each has a ``unique_id``; otherwise the task fails and says so.

    https://developers.klaviyo.com/en/reference/bulk_create_events
    In a retry: https://developers.klaviyo.com/en/reference/create_event

    :param events: Each as ``{"metric", "profile", "time", "value", "value_currency", "unique_id", "properties"}``; ``metric`` and
        ``profile`` are needed. Klaviyo refuses them all where one ``unique_id`` is repeated.
    :param backfill: Whether they are history, for which no flow is started.
    :return: ``{"accepted": n}``: Klaviyo works on them later, and does not tell how it went.
    """

    events: Personal[Sequence[Mapping[str, Any]]]
    backfill: bool = False

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return events.bulk_create(events=[bodies.event_entry(bodies.checked_event(_event(each)), self.backfill) for each in self.events])

    def result(self, answer: Any) -> Json:  # noqa: ARG002
        """Return how many events Klaviyo has accepted."""
        return {"accepted": len(self.events)}

    def recallable(self) -> bool:
        """Say whether each event has a ``unique_id``."""
        return all(each.get("unique_id") for each in self.events)

    def recall(self, klaviyo: Session, request: Request[Any], journal: Journal) -> Any:
        """Send each event alone: with a ``unique_id`` it is recorded once."""
        if not self.recallable():
            raise in_doubt(request, journal)
        for each in self.events:
            klaviyo.send(events.create(**_event(each), backfill=self.backfill))
        return {}


class KlaviyoGetEventOperator(GettingOperator):
    """
    Read an event.

    https://developers.klaviyo.com/en/reference/get_event

    :param event_id: Klaviyo's id of it.
    :param return_objects: Whether to return the whole event, which then stands in Airflow's database; otherwise ids.
    :return: ``{"id", "metric_id", "profile_id"}``.
    """

    event_id: str
    return_objects: bool = False

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return events.get(event_id=self.event_id, **self.query)

    def result(self, answer: Any) -> Any:
        """Return ids, or the event and what is included with it."""
        if self.return_objects:
            return super().result(answer)
        related = answer["data"].get("relationships") or {}
        ids = {f"{name}_id": ((related.get(name) or {}).get("data") or {}).get("id") for name in ("metric", "profile")}
        return {"id": answer["data"]["id"], **ids}


class KlaviyoListEventsOperator(IdsOperator):
    """
    Read events, all pages of them.

    https://developers.klaviyo.com/en/reference/get_events

    :param return_objects: Whether to return whole events, which then stand in Airflow's database; otherwise their ids.
    :return: The events' ids.
    """

    least = ("event", "timestamp")

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return events.list_(**self.query)


def _event(row: Mapping[str, Any]) -> Any:
    """Refuse a misspelt or missing field of an event, which Klaviyo would not miss."""
    known = bodies.Event.__annotations__.keys()
    if unknown := row.keys() - known:
        raise KlaviyoConfigError(
            f"an event has {', '.join(sorted(known))}; {len(unknown)} other fields were given: details go under properties"
        )
    if missing := {"metric", "profile"} - row.keys():
        raise KlaviyoConfigError(f"an event needs {' and '.join(sorted(missing))}")
    return dict(row)

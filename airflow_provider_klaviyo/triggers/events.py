# SPDX-License-Identifier: Apache-2.0
"""The awaiting half of whatever waits for events."""

from __future__ import annotations

import math
from collections.abc import Generator
from datetime import UTC, datetime
from typing import Unpack

from airflow_provider_klaviyo.api import events, filters, metrics
from airflow_provider_klaviyo.api.errors import KlaviyoError
from airflow_provider_klaviyo.api.pages import items, once
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.triggers.base import KlaviyoTrigger, Look, Waiting

KEPT = 100
"""Ids of events that are returned."""
LARGEST_PAGE = 1_000


class KlaviyoEventTrigger(KlaviyoTrigger):
    """
    Fires once there are enough events of a metric, when the time is up, or when asking cannot succeed.

    Events dated in the future do not count until then. For the other parameters see
    :class:`~airflow_provider_klaviyo.triggers.base.KlaviyoTrigger`.

    :param metric_id: Klaviyo's id of the metric.
    :param metric: In place of the id, its name. It may be that there is none yet.
    :param profile_id: Klaviyo's id of whom they happened to; anyone where left out.
    :param unknown_profile: Whether Klaviyo does not know yet whom they are to happen to. Then it fires after an interval, and the sensor
        looks for the person itself: a trigger may not hold who it is.
    :param filter: More conditions, as Klaviyo's filter.
    :param start: When the first that counts may have happened, as ISO 8601 text with an offset.
    :param min_count: How many there have to be.
    """

    fields = ("metric_id", "metric", "profile_id", "unknown_profile", "filter", "start", "min_count")

    def __init__(
        self,
        *,
        start: str,
        metric_id: str | None = None,
        metric: str | None = None,
        profile_id: str | None = None,
        unknown_profile: bool = False,
        filter: str | None = None,  # noqa: A002 - Klaviyo's name
        min_count: int = 1,
        **waiting: Unpack[Waiting],
    ) -> None:
        super().__init__(**waiting)
        self.metric_id, self.metric = metric_id, metric
        self.profile_id, self.unknown_profile = profile_id, unknown_profile
        self.filter = filter
        self.start = start
        self.min_count = min_count
        self.event_ids: list[str] = []

    def look(self) -> Look:
        """Look for the metric, as long as it has no id, and read its events."""
        if self.unknown_profile:
            return True
        if self.metric_id is None:
            self.metric_id = yield from _metric_id(self.metric or "")
        if self.metric_id is None:
            return False
        found = yield from _items(self._request(self.metric_id), self.min_count)
        self.event_ids = [each["id"] for each in found]
        return len(found) >= self.min_count

    def seen(self) -> Json:
        """Return how many events it read, and ids of the first; or that it is for the sensor to look for the person."""
        if self.unknown_profile:
            return {"unknown_profile": True}
        return {"metric_id": self.metric_id, "count": len(self.event_ids), "event_ids": self.event_ids[:KEPT]}

    def missing(self) -> str:
        """Say how many events there are."""
        if self.unknown_profile:
            return "Klaviyo does not know the person yet"
        if self.metric_id is None:
            return "the account has no metric of that name yet"
        return f"{len(self.event_ids):,} of {self.min_count:,} events have arrived"

    def _request(self, metric_id: str) -> Request[Json]:
        conditions = [
            filters.equals("metric_id", metric_id),
            *([filters.equals("profile_id", self.profile_id)] if self.profile_id else []),
            filters.greater_or_equal("datetime", _to_the_second(datetime.fromisoformat(self.start))),
            filters.less_or_equal("datetime", _to_the_second(datetime.now(UTC))),
            *([self.filter] if self.filter else []),
        ]
        size = min(max(self.min_count, KEPT), LARGEST_PAGE)
        return events.list_(filter=filters.all_of(*conditions), sort="datetime", fields={"event": "datetime"}, page_size=size)


def _metric_id(name: str) -> Generator[Request[Json], Json, str | None]:
    """
    Look for a metric among all: Klaviyo does not find them by name.

    :raises KlaviyoError: There are several, of different integrations.
    """
    request = metrics.list_(fields={"metric": ["name", "integration"]})
    found = [each for each in (yield from _items(request)) if each["attributes"]["name"] == name]
    if len(found) > 1:
        shown = ", ".join(f"{each['id']} ({(each['attributes'].get('integration') or {}).get('name', 'unknown')})" for each in found)
        raise KlaviyoError(f"{len(found)} metrics have that name: give the metric_id of one, {shown}")
    return found[0]["id"] if found else None


def _items(request: Request[Json] | None, enough: float = math.inf) -> Generator[Request[Json], Json, list[Json]]:
    """Read items, page by page, until there are enough of them."""
    found: list[Json] = []
    seen: set[int] = set()
    while request and len(found) < enough:
        page = yield once(request, seen)
        found += items(request, page)
        request = request.following(page)
    return found


def _to_the_second(moment: datetime) -> datetime:
    """Cut a moment as Klaviyo cuts the times of events: one that happened within the first second counts."""
    return moment.replace(microsecond=0)

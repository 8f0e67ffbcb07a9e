# SPDX-License-Identifier: Apache-2.0
"""Wait for events: until something has happened."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_klaviyo.api import bodies, events, metrics, profiles
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.request import Json
from airflow_provider_klaviyo.operators.base import Personal
from airflow_provider_klaviyo.sensors.base import KlaviyoSensor

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_klaviyo.triggers.base import Look
    from airflow_provider_klaviyo.triggers.events import KlaviyoEventTrigger


class KlaviyoEventSensor(KlaviyoSensor):
    """
    Wait until an event of a metric has arrived, or several.

    What counts is when an event happened, not when it arrived: one that arrives late counts if it happened at ``start`` or after,
    one that is dated in the future does not until then.

    https://developers.klaviyo.com/en/reference/get_events; by ``metric`` also https://developers.klaviyo.com/en/reference/get_metrics,
    by ``profile`` https://developers.klaviyo.com/en/reference/get_profiles

    :param metric_id: Klaviyo's id of the metric.
    :param metric: In place of the id, its exact name, such as ``Placed Order``. A name that no metric has yet is waited for; several
        metrics of that name, of different integrations, are an error that names their ids.
    :param profile_id: Klaviyo's id of whom it happened to; anyone where left out.
    :param profile: In place of the id, one identifier: ``{"email": "sarah@example.com"}``, ``phone_number`` or ``external_id``. A
        person whom Klaviyo does not know yet is waited for.
    :param filter: More conditions, as Klaviyo's filter: events have ``datetime``, ``timestamp``, ``has(metric)``, ``has(profile)``.
    :param start: When the first that counts may have happened, as an aware datetime or ISO 8601 text with an offset; by default when
        the DAG run was due, so that retries and a later clear count the same events.
    :param min_count: How many there have to be.
    :return: ``{"metric_id", "count", "event_ids"}``: how many it read, at least ``min_count``, and the ids of the earliest, up to 100.
        It reads whole pages until there are enough, and none after: there may be more.
    """

    metric_id: str | None = None
    metric: str | None = None
    profile_id: str | None = None
    profile: Personal[Mapping[str, str] | None] = None
    filter: Personal[str | None] = None
    start: datetime | str = "{{ dag_run.run_after.isoformat() }}"
    min_count: int = 1

    _metric_found = False

    def trigger(self) -> KlaviyoEventTrigger:
        """Make the trigger from the rendered fields."""
        from airflow_provider_klaviyo.triggers.events import KlaviyoEventTrigger

        if bool(self.metric_id) == bool(self.metric):
            raise KlaviyoConfigError("give either metric_id or metric")
        if self.profile_id and self.profile:
            raise KlaviyoConfigError("give either profile_id or profile, or neither for anyone")
        if self.min_count < 1:
            raise KlaviyoConfigError("min_count is 1 or more")
        more = str(self.filter or "").strip() or None
        events.list_(filter=more)  # refused here where it is wrong; Klaviyo's conditions on events name nobody but by Klaviyo's ids
        return KlaviyoEventTrigger(
            metric_id=self.metric_id,
            metric=self.metric,
            profile_id=self.profile_id,
            unknown_profile=bool(self.profile),
            filter=more,
            start=bodies.moment(self.start),
            min_count=self.min_count,
            **self.waiting,
        )

    def look(self, trigger: KlaviyoEventTrigger) -> Look:  # type: ignore[override] # it is the one this sensor makes
        """Look for the person, which is not for a trigger to do, and for the events; without any, see that there is such a metric."""
        if trigger.unknown_profile:
            found = yield profiles.get_by(lookup=self.profile or {})
            if found is None:
                return False
            trigger.profile_id, trigger.unknown_profile = found["data"]["id"], False
        over = yield from trigger.look()
        if self.metric_id and not over and not self._metric_found:
            yield metrics.get(metric_id=self.metric_id)
            self._metric_found = True
        return bool(over)

    def resume(self, context: Context, event: Json) -> Any:
        """Go on where the trigger ended: with its events, or with another look for the person."""
        if event["missing"] is None and event["seen"].get("unknown_profile"):
            return self.wait(context, deadline=event["deadline"])
        return super().resume(context, event)

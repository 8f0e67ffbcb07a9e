# SPDX-License-Identifier: Apache-2.0
"""Operators for metrics: the kinds of events an account has."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from airflow_provider_klaviyo.api import metrics
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.operators.listing import GettingOperator, ListingOperator, PagedOperator


class KlaviyoGetMetricOperator(GettingOperator):
    """
    Read a metric.

    https://developers.klaviyo.com/en/reference/get_metric

    :param metric_id: Klaviyo's id of it.
    """

    metric_id: str

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return metrics.get(metric_id=self.metric_id, **self.query)


class KlaviyoListMetricsOperator(ListingOperator):
    """
    Read metrics, all pages of them.

    https://developers.klaviyo.com/en/reference/get_metrics

    :return: The metrics, each with ``id``, ``attributes``, ``relationships``.
    """

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return metrics.list_(**self.query)


class KlaviyoQueryMetricAggregatesOperator(PagedOperator):
    """
    Count the events of a metric in a time, all pages of the counts.

    https://developers.klaviyo.com/en/reference/query_metric_aggregates

    :param metric_id: Klaviyo's id of the metric.
    :param measurements: ``count`` of events, ``sum_value`` of their values, ``unique`` profiles.
    :param start: When the time begins, with an offset: ``{{ data_interval_start | ts }}``. Klaviyo takes it as clocks of the time zone
        show it: one that they show twice, when they are put back, is refused.
    :param end: When it ends, exclusively; a year later at most. It is taken as ``start`` is.
    :param interval: What makes a row: an hour, a day, a week or a month of the time zone.
    :param by: What else does: Klaviyo's dimensions, such as ``$attributed_flow`` or ``Email Domain``.
    :param timezone: The IANA name of the time zone that days begin in.
    :param filters: More conditions on Klaviyo's dimensions, each as ``equals(Email Domain,"example.com")``.
    :return: The rows, each with ``date``, the dimensions (``None`` where the events have none of them) and the measurements. Where the
        events have some of them but not all, Klaviyo does not say which: the row has a list, ``dimensions``, in their place.
    """

    metric_id: str
    measurements: Sequence[metrics.Measurement] = ("count",)
    start: datetime
    end: datetime
    interval: metrics.Interval = "day"
    by: Sequence[str] | None = None
    timezone: str = "UTC"
    filters: Sequence[str] | None = None

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return metrics.aggregates(
            metric_id=self.metric_id,
            measurements=self.measurements,
            start=self.start,
            end=self.end,
            interval=self.interval,
            by=self.by,
            timezone=self.timezone,
            filters=self.filters,
        )

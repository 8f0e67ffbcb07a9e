# SPDX-License-Identifier: Apache-2.0
"""
Operators for reports: how campaigns, flows, forms and segments did.

Klaviyo answers 2 of each a minute and 225 a day. An operator waits for its turn up to the connection's ``deadline``; where the day's are
spent, the task fails and says when there is room again, and a retry is worth its while then.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from airflow_provider_klaviyo.api import reporting
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.operators.listing import PagedOperator


class ReportOperator(PagedOperator):
    """
    Read a report, all pages of it.

    :param statistics: What to count; rates are fractions of 1.
    :param timeframe: A time that Klaviyo has a name for, such as ``last_30_days`` or ``yesterday``.
    :param start: In place of ``timeframe``, when the time begins. Klaviyo ignores its offset, and takes it for the account's own time.
    :param end: When it ends, a year after ``start`` at most.
    :param filter: Klaviyo's filter, such as ``equals(campaign_id,"01J")``; several go into ``and(...)``, each about another field.
    :return: The rows, each a mapping of groupings and statistics; in a series, of ``date_time`` as well.
    """

    statistics: Sequence[str]
    timeframe: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    filter: str | None = None

    @property
    def time(self) -> str | reporting.Window:
        """The time that the report is about."""
        match self.timeframe, self.start, self.end:
            case str(key), None, None:
                return key
            case None, datetime() as start, datetime() as end:
                return start, end
        raise KlaviyoConfigError("give either timeframe, or start and end")


class KlaviyoQueryCampaignValuesOperator(ReportOperator):
    """
    Read how campaigns did in a time.

    https://developers.klaviyo.com/en/reference/query_campaign_values

    :param conversion_metric_id: The metric that counts as a conversion, such as that of Placed Order.
    :param group_by: What makes a row: ``campaign_id`` and ``campaign_message_id``, and ``send_channel`` where left out.
    """

    conversion_metric_id: str
    group_by: Sequence[str] | None = None

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return reporting.campaign_values(
            statistics=self.statistics,
            timeframe=self.time,
            conversion_metric_id=self.conversion_metric_id,
            group_by=self.group_by,
            filter=self.filter,
        )


class KlaviyoQueryFlowValuesOperator(ReportOperator):
    """
    Read how flows did in a time.

    https://developers.klaviyo.com/en/reference/query_flow_values

    :param conversion_metric_id: The metric that counts as a conversion, such as that of Placed Order.
    :param group_by: What makes a row: ``flow_id`` and ``flow_message_id``, and ``send_channel`` where left out.
    """

    conversion_metric_id: str
    group_by: Sequence[str] | None = None

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return reporting.flow_values(
            statistics=self.statistics,
            timeframe=self.time,
            conversion_metric_id=self.conversion_metric_id,
            group_by=self.group_by,
            filter=self.filter,
        )


class KlaviyoQueryFlowSeriesOperator(ReportOperator):
    """
    Read how flows did from interval to interval.

    https://developers.klaviyo.com/en/reference/query_flow_series

    :param interval: ``hourly`` goes over 7 days at most, ``daily`` over 60, ``monthly`` over 52 weeks.
    :param conversion_metric_id: The metric that counts as a conversion, such as that of Placed Order.
    :param group_by: What makes a row: ``flow_id`` and ``flow_message_id``, and ``send_channel`` where left out.
    """

    conversion_metric_id: str
    interval: reporting.Interval = "daily"
    group_by: Sequence[str] | None = None

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return reporting.flow_series(
            statistics=self.statistics,
            timeframe=self.time,
            interval=self.interval,
            conversion_metric_id=self.conversion_metric_id,
            group_by=self.group_by,
            filter=self.filter,
        )


class KlaviyoQueryFormValuesOperator(ReportOperator):
    """
    Read how forms did in a time.

    https://developers.klaviyo.com/en/reference/query_form_values

    :param group_by: What makes a row: ``form_id``, and with it ``form_version_id``.
    """

    group_by: Sequence[str] | None = None

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return reporting.form_values(statistics=self.statistics, timeframe=self.time, group_by=self.group_by, filter=self.filter)


class KlaviyoQueryFormSeriesOperator(ReportOperator):
    """
    Read how forms did from interval to interval.

    https://developers.klaviyo.com/en/reference/query_form_series

    :param interval: ``hourly`` goes over 7 days at most, ``daily`` over 60, ``monthly`` over 52 weeks.
    :param group_by: What makes a row: ``form_id``, and with it ``form_version_id``.
    """

    interval: reporting.Interval = "daily"
    group_by: Sequence[str] | None = None

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return reporting.form_series(
            statistics=self.statistics, timeframe=self.time, interval=self.interval, group_by=self.group_by, filter=self.filter
        )


class KlaviyoQuerySegmentValuesOperator(ReportOperator):
    """
    Read how segments grew in a time, from June 2023 on.

    https://developers.klaviyo.com/en/reference/query_segment_values
    """

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return reporting.segment_values(statistics=self.statistics, timeframe=self.time, filter=self.filter)


class KlaviyoQuerySegmentSeriesOperator(ReportOperator):
    """
    Read how segments grew from interval to interval, from June 2023 on.

    https://developers.klaviyo.com/en/reference/query_segment_series

    :param interval: ``hourly`` goes over 7 days at most, ``daily`` over 60, ``monthly`` over 52 weeks.
    """

    interval: reporting.Interval = "daily"

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return reporting.segment_series(statistics=self.statistics, timeframe=self.time, interval=self.interval, filter=self.filter)

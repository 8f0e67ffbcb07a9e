# SPDX-License-Identifier: Apache-2.0
"""
Reports: yesterday's numbers of campaigns, flows, forms and segments, as rows.

Needs the connection ``klaviyo_default`` with the scopes ``metrics:read``, ``campaigns:read``, ``flows:read``, ``forms:read`` and
``segments:read``, and the metric Placed Order.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG

from airflow_provider_klaviyo.operators.metrics import KlaviyoListMetricsOperator
from airflow_provider_klaviyo.operators.reporting import (
    KlaviyoQueryCampaignValuesOperator,
    KlaviyoQueryFlowSeriesOperator,
    KlaviyoQueryFlowValuesOperator,
    KlaviyoQueryFormSeriesOperator,
    KlaviyoQueryFormValuesOperator,
    KlaviyoQuerySegmentSeriesOperator,
    KlaviyoQuerySegmentValuesOperator,
)

PLACED_ORDER = "{{ (ti.xcom_pull('metrics') | selectattr('attributes.name', 'equalto', 'Placed Order') | first)['id'] }}"

with DAG(dag_id="klaviyo_reports", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), tags=["klaviyo"]) as dag:
    metrics = KlaviyoListMetricsOperator(task_id="metrics", fields={"metric": ["name"]})

    # [START howto_operator_query_campaign_values]
    campaigns = KlaviyoQueryCampaignValuesOperator(
        task_id="campaigns",
        statistics=["recipients", "open_rate", "click_rate", "conversion_value"],
        timeframe="yesterday",
        conversion_metric_id=PLACED_ORDER,
    )
    # [END howto_operator_query_campaign_values]

    # [START howto_operator_query_flow_values]
    flows = KlaviyoQueryFlowValuesOperator(
        task_id="flows",
        statistics=["recipients", "conversions", "conversion_value"],
        timeframe="last_30_days",
        conversion_metric_id=PLACED_ORDER,
        group_by=["flow_id", "flow_message_id", "flow_name"],
    )
    # [END howto_operator_query_flow_values]

    # [START howto_operator_query_flow_series]
    flow_days = KlaviyoQueryFlowSeriesOperator(
        task_id="flow_days",
        statistics=["delivered", "clicks_unique"],
        start="2026-11-01T00:00:00",
        end="2026-11-08T00:00:00",
        interval="daily",
        conversion_metric_id=PLACED_ORDER,
        filter='equals(send_channel,"email")',
    )
    # [END howto_operator_query_flow_series]

    # [START howto_operator_query_form_values]
    forms = KlaviyoQueryFormValuesOperator(
        task_id="forms",
        statistics=["viewed_form_uniques", "submits", "submit_rate"],
        timeframe="last_7_days",
    )
    # [END howto_operator_query_form_values]

    # [START howto_operator_query_form_series]
    form_days = KlaviyoQueryFormSeriesOperator(
        task_id="form_days",
        statistics=["submits"],
        timeframe="last_30_days",
        interval="daily",
    )
    # [END howto_operator_query_form_series]

    # [START howto_operator_query_segment_values]
    segments = KlaviyoQuerySegmentValuesOperator(
        task_id="segments",
        statistics=["total_members", "net_members_changed"],
        timeframe="last_week",
    )
    # [END howto_operator_query_segment_values]

    # [START howto_operator_query_segment_series]
    segment_weeks = KlaviyoQuerySegmentSeriesOperator(
        task_id="segment_weeks",
        statistics=["members_added", "members_removed"],
        timeframe="last_90_days",
        interval="weekly",
    )
    # [END howto_operator_query_segment_series]

    metrics >> [campaigns, flows, flow_days]

# SPDX-License-Identifier: Apache-2.0
"""
Metrics and the account: which there are, and how much a metric was worth from day to day.

Needs the connection ``klaviyo_default`` with the scopes ``accounts:read``, ``metrics:read`` and ``events:write``.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG

from airflow_provider_klaviyo.operators.accounts import KlaviyoGetAccountOperator, KlaviyoListAccountsOperator
from airflow_provider_klaviyo.operators.events import KlaviyoCreateEventOperator
from airflow_provider_klaviyo.operators.metrics import (
    KlaviyoGetMetricOperator,
    KlaviyoListMetricsOperator,
    KlaviyoQueryMetricAggregatesOperator,
)

PLACED_ORDER = "{{ (ti.xcom_pull('list_metrics') | selectattr('attributes.name', 'equalto', 'Placed Order') | first)['id'] }}"

with DAG(dag_id="klaviyo_metrics", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), tags=["klaviyo"]) as dag:
    # [START howto_operator_list_accounts]
    list_accounts = KlaviyoListAccountsOperator(
        task_id="list_accounts",
        fields={"account": ["timezone", "preferred_currency"]},
    )
    # [END howto_operator_list_accounts]

    # [START howto_operator_get_account]
    get_account = KlaviyoGetAccountOperator(
        task_id="get_account",
        account_id="{{ ti.xcom_pull('list_accounts')[0]['id'] }}",
    )
    # [END howto_operator_get_account]

    order = KlaviyoCreateEventOperator(
        task_id="order",
        metric="Placed Order",
        profile={"email": "sarah@example.com"},
        time="2026-11-02T10:00:00+00:00",
        value=99.5,
        unique_id="1001",
    )

    # [START howto_operator_list_metrics]
    list_metrics = KlaviyoListMetricsOperator(
        task_id="list_metrics",
        filter='equals(integration.name,"API")',
    )
    # [END howto_operator_list_metrics]

    # [START howto_operator_get_metric]
    get_metric = KlaviyoGetMetricOperator(
        task_id="get_metric",
        metric_id=PLACED_ORDER,
        fields={"metric": ["name", "integration"]},
    )
    # [END howto_operator_get_metric]

    # [START howto_operator_query_metric_aggregates]
    revenue = KlaviyoQueryMetricAggregatesOperator(
        task_id="revenue",
        metric_id=PLACED_ORDER,
        measurements=["count", "sum_value", "unique"],
        start="2026-11-01T00:00:00+00:00",
        end="2026-11-08T00:00:00+00:00",
        interval="day",
        timezone="{{ ti.xcom_pull('get_account')['attributes']['timezone'] }}",
    )
    # [END howto_operator_query_metric_aggregates]

    list_accounts >> get_account >> order >> list_metrics >> [get_metric, revenue]

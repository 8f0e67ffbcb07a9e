# SPDX-License-Identifier: Apache-2.0
"""
Flows: find one, see what it is made of, turn it on or off.

Needs the connection ``klaviyo_default`` with the scopes ``flows:read`` and ``flows:write``, and a flow named "Welcome of Airflow".
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG

from airflow_provider_klaviyo.operators.flows import KlaviyoGetFlowOperator, KlaviyoListFlowsOperator, KlaviyoUpdateFlowStatusOperator

with DAG(dag_id="klaviyo_flows", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), tags=["klaviyo"]) as dag:
    # [START howto_operator_list_flows]
    list_flows = KlaviyoListFlowsOperator(
        task_id="list_flows",
        filter='equals(name,"Welcome of Airflow"),equals(archived,false)',
        sort="created",
        fields={"flow": ["name", "status"]},
    )
    # [END howto_operator_list_flows]

    # [START howto_operator_get_flow]
    get = KlaviyoGetFlowOperator(
        task_id="get",
        flow_id="{{ ti.xcom_pull('list_flows')[0]['id'] }}",
        additional_fields={"flow": ["definition"]},
        include=["tags"],
    )
    # [END howto_operator_get_flow]

    # [START howto_operator_update_flow_status]
    update_status = KlaviyoUpdateFlowStatusOperator(
        task_id="update_status",
        flow_id="{{ ti.xcom_pull('list_flows')[0]['id'] }}",
        status="manual",
    )
    # [END howto_operator_update_flow_status]

    list_flows >> get >> update_status

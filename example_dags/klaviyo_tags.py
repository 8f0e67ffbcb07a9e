# SPDX-License-Identifier: Apache-2.0
"""
Tags: make one, put it on a list, a segment, a campaign and a flow, take it off, delete it.

Needs the connection ``klaviyo_default`` with the scopes ``tags:read`` and ``tags:write``, and with those to read and write lists,
segments, campaigns and flows; and one flow at least.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG

from airflow_provider_klaviyo.operators.campaigns import KlaviyoCreateCampaignOperator
from airflow_provider_klaviyo.operators.flows import KlaviyoListFlowsOperator
from airflow_provider_klaviyo.operators.lists import KlaviyoCreateListOperator
from airflow_provider_klaviyo.operators.segments import KlaviyoCreateSegmentOperator
from airflow_provider_klaviyo.operators.tags import (
    KlaviyoCreateTagOperator,
    KlaviyoDeleteTagOperator,
    KlaviyoListTagsOperator,
    KlaviyoTagResourcesOperator,
)

with DAG(dag_id="klaviyo_tags", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), tags=["klaviyo"]) as dag:
    vip = KlaviyoCreateListOperator(task_id="vip", name="VIP", if_exists="use")
    members = {"type": "profile-group-membership", "is_member": True, "group_ids": ["{{ ti.xcom_pull('vip')['id'] }}"]}
    segment = KlaviyoCreateSegmentOperator(
        task_id="segment", name="VIP", definition={"condition_groups": [{"conditions": [members]}]}, if_exists="use"
    )
    campaign = KlaviyoCreateCampaignOperator(task_id="campaign", name="Sale", if_exists="use")
    flows = KlaviyoListFlowsOperator(task_id="flows", max_items=1, truncate=True)

    # [START howto_operator_create_tag]
    create = KlaviyoCreateTagOperator(
        task_id="create",
        name="Loyalty",
        if_exists="use",
    )
    # [END howto_operator_create_tag]

    # [START howto_operator_tag_resources]
    tag = KlaviyoTagResourcesOperator(
        task_id="tag",
        tag_id="{{ ti.xcom_pull('create')['id'] }}",
        list_ids=["{{ ti.xcom_pull('vip')['id'] }}"],
        segment_ids=["{{ ti.xcom_pull('segment')['id'] }}"],
        campaign_ids=["{{ ti.xcom_pull('campaign')['id'] }}"],
        flow_ids=["{{ ti.xcom_pull('flows')[0]['id'] }}"],
    )
    # [END howto_operator_tag_resources]

    # [START howto_operator_list_tags]
    list_tags = KlaviyoListTagsOperator(
        task_id="list_tags",
        filter='starts-with(name,"Loy")',
        sort="name",
    )
    # [END howto_operator_list_tags]

    untag = KlaviyoTagResourcesOperator(
        task_id="untag",
        tag_id="{{ ti.xcom_pull('create')['id'] }}",
        list_ids=["{{ ti.xcom_pull('vip')['id'] }}"],
        segment_ids=["{{ ti.xcom_pull('segment')['id'] }}"],
        campaign_ids=["{{ ti.xcom_pull('campaign')['id'] }}"],
        flow_ids=["{{ ti.xcom_pull('flows')[0]['id'] }}"],
        action="remove",
    )

    # [START howto_operator_delete_tag]
    delete = KlaviyoDeleteTagOperator(
        task_id="delete",
        tag_id="{{ ti.xcom_pull('create')['id'] }}",
    )
    # [END howto_operator_delete_tag]

    vip >> segment
    [segment, campaign, flows, create] >> tag >> list_tags >> untag >> delete

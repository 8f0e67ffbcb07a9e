# SPDX-License-Identifier: Apache-2.0
"""
Segments: make one of a list's members, look at it, change and delete it.

Needs the connection ``klaviyo_default`` with the scopes ``lists:read``, ``lists:write``, ``segments:read``, ``segments:write`` and
``profiles:read``.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG

from airflow_provider_klaviyo.operators.lists import KlaviyoCreateListOperator
from airflow_provider_klaviyo.operators.segments import (
    KlaviyoCreateSegmentOperator,
    KlaviyoDeleteSegmentOperator,
    KlaviyoGetSegmentOperator,
    KlaviyoListSegmentProfilesOperator,
    KlaviyoListSegmentsOperator,
    KlaviyoUpdateSegmentOperator,
)

with DAG(dag_id="klaviyo_segments", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), tags=["klaviyo"]) as dag:
    vip = KlaviyoCreateListOperator(task_id="vip", name="VIP", if_exists="use")

    # [START howto_operator_create_segment]
    create = KlaviyoCreateSegmentOperator(
        task_id="create",
        name="VIP, by membership",
        definition={
            "condition_groups": [
                {
                    "conditions": [
                        {
                            "type": "profile-group-membership",
                            "is_member": True,
                            "group_ids": ["{{ ti.xcom_pull('vip')['id'] }}"],
                        }
                    ]
                }
            ]
        },
        if_exists="use",
    )
    # [END howto_operator_create_segment]

    # [START howto_operator_get_segment]
    get = KlaviyoGetSegmentOperator(
        task_id="get",
        segment_id="{{ ti.xcom_pull('create')['id'] }}",
        additional_fields={"segment": ["profile_count"]},
    )
    # [END howto_operator_get_segment]

    # [START howto_operator_list_segments]
    list_segments = KlaviyoListSegmentsOperator(
        task_id="list_segments",
        filter="equals(is_starred,false)",
        sort="-updated",
        fields={"segment": ["name", "updated"]},
    )
    # [END howto_operator_list_segments]

    # [START howto_operator_list_segment_profiles]
    members = KlaviyoListSegmentProfilesOperator(
        task_id="members",
        segment_id="{{ ti.xcom_pull('create')['id'] }}",
        sort="-joined_group_at",
        max_items=100,
        truncate=True,
    )
    # [END howto_operator_list_segment_profiles]

    # [START howto_operator_update_segment]
    update = KlaviyoUpdateSegmentOperator(
        task_id="update",
        segment_id="{{ ti.xcom_pull('create')['id'] }}",
        is_starred=True,
    )
    # [END howto_operator_update_segment]

    # [START howto_operator_delete_segment]
    delete = KlaviyoDeleteSegmentOperator(
        task_id="delete",
        segment_id="{{ ti.xcom_pull('create')['id'] }}",
    )
    # [END howto_operator_delete_segment]

    vip >> create >> [get, list_segments, members] >> update >> delete

# SPDX-License-Identifier: Apache-2.0
"""
Lists: make one, fill it, look at it, change it, take people out, delete it.

Needs the connection ``klaviyo_default`` with the scopes ``lists:read``, ``lists:write``, ``profiles:read`` and
``profiles:write``.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG

from airflow_provider_klaviyo.operators.lists import (
    KlaviyoAddProfilesToListOperator,
    KlaviyoCreateListOperator,
    KlaviyoDeleteListOperator,
    KlaviyoGetListOperator,
    KlaviyoListListProfilesOperator,
    KlaviyoListListsOperator,
    KlaviyoRemoveProfilesFromListOperator,
    KlaviyoSyncListProfilesOperator,
    KlaviyoUpdateListOperator,
)
from airflow_provider_klaviyo.operators.profiles import KlaviyoUpsertProfileOperator

with DAG(dag_id="klaviyo_lists", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), tags=["klaviyo"]) as dag:
    # [START howto_operator_create_list]
    create = KlaviyoCreateListOperator(
        task_id="create",
        name="VIP",
        opt_in_process="double_opt_in",
        if_exists="use",
    )
    # [END howto_operator_create_list]

    sarah = KlaviyoUpsertProfileOperator(task_id="sarah", profile={"email": "sarah@example.com"})

    # [START howto_operator_add_profiles_to_list]
    add = KlaviyoAddProfilesToListOperator(
        task_id="add",
        list_id="{{ ti.xcom_pull('create')['id'] }}",
        profile_ids=["{{ ti.xcom_pull('sarah') }}"],
    )
    # [END howto_operator_add_profiles_to_list]

    # [START howto_operator_get_list]
    get = KlaviyoGetListOperator(
        task_id="get",
        list_id="{{ ti.xcom_pull('create')['id'] }}",
        additional_fields={"list": ["profile_count"]},
    )
    # [END howto_operator_get_list]

    # [START howto_operator_list_lists]
    list_lists = KlaviyoListListsOperator(
        task_id="list_lists",
        sort="name",
        fields={"list": ["name", "created"]},
    )
    # [END howto_operator_list_lists]

    # [START howto_operator_list_list_profiles]
    members = KlaviyoListListProfilesOperator(
        task_id="members",
        list_id="{{ ti.xcom_pull('create')['id'] }}",
        sort="-joined_group_at",
        max_items=100,
        truncate=True,
    )
    # [END howto_operator_list_list_profiles]

    # [START howto_operator_sync_list_profiles]
    sync = KlaviyoSyncListProfilesOperator(
        task_id="sync",
        list_id="{{ ti.xcom_pull('create')['id'] }}",
        profile_ids=["{{ ti.xcom_pull('sarah') }}"],
        max_change=0.1,
    )
    # [END howto_operator_sync_list_profiles]

    # [START howto_operator_update_list]
    update = KlaviyoUpdateListOperator(
        task_id="update",
        list_id="{{ ti.xcom_pull('create')['id'] }}",
        name="VIP, archived",
    )
    # [END howto_operator_update_list]

    # [START howto_operator_remove_profiles_from_list]
    remove = KlaviyoRemoveProfilesFromListOperator(
        task_id="remove",
        list_id="{{ ti.xcom_pull('create')['id'] }}",
        profile_ids=["{{ ti.xcom_pull('sarah') }}"],
    )
    # [END howto_operator_remove_profiles_from_list]

    # [START howto_operator_delete_list]
    delete = KlaviyoDeleteListOperator(
        task_id="delete",
        list_id="{{ ti.xcom_pull('create')['id'] }}",
    )
    # [END howto_operator_delete_list]

    [create, sarah] >> add >> sync >> [get, list_lists, members] >> update >> remove >> delete

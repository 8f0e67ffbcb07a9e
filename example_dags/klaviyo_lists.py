# SPDX-License-Identifier: Apache-2.0
"""
Lists: make one, find it, count it, fill it; and any other request.

Needs the connection ``klaviyo_default`` with the scopes ``lists:read``, ``lists:write``, ``profiles:read`` and
``profiles:write``.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG

from airflow_provider_klaviyo.operators.lists import (
    KlaviyoAddProfilesToListOperator,
    KlaviyoCreateListOperator,
    KlaviyoGetListOperator,
    KlaviyoListListsOperator,
)
from airflow_provider_klaviyo.operators.profiles import KlaviyoUpsertProfileOperator
from airflow_provider_klaviyo.operators.request import KlaviyoRequestOperator

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

    # [START howto_operator_request]
    members = KlaviyoRequestOperator(
        task_id="members",
        path="/api/lists/{{ ti.xcom_pull('create')['id'] }}/relationships/profiles",
        paginate=True,
    )
    # [END howto_operator_request]

    [create, sarah] >> add >> [get, list_lists, members]

# SPDX-License-Identifier: Apache-2.0
"""
Profiles, one call at a time: make, upsert, update, merge, read, list, and import in bulk.

Needs the connection ``klaviyo_default`` with the scopes ``lists:read``, ``lists:write``, ``profiles:read`` and ``profiles:write``.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG

from airflow_provider_klaviyo.operators.profiles import (
    KlaviyoBulkImportProfilesOperator,
    KlaviyoCreateProfileOperator,
    KlaviyoGetProfileOperator,
    KlaviyoListProfilesOperator,
    KlaviyoMergeProfilesOperator,
    KlaviyoUpdateProfileOperator,
    KlaviyoUpsertProfileOperator,
)

with DAG(dag_id="klaviyo_profiles", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), tags=["klaviyo"]) as dag:
    # [START howto_operator_create_profile]
    create = KlaviyoCreateProfileOperator(
        task_id="create",
        profile={"email": "sarah.{{ ts_nodash | lower }}@example.com", "first_name": "Sarah", "properties": {"plan": "basic"}},
    )
    # [END howto_operator_create_profile]

    # [START howto_operator_upsert_profile]
    upsert = KlaviyoUpsertProfileOperator(
        task_id="upsert",
        profile={"external_id": "customer-1001", "first_name": "Omar", "location": {"city": "Berlin", "country": "Germany"}},
        unset=["old_plan"],
    )
    # [END howto_operator_upsert_profile]

    # [START howto_operator_update_profile]
    update = KlaviyoUpdateProfileOperator(
        task_id="update",
        profile_id="{{ ti.xcom_pull('create') }}",
        profile={"title": "Engineer", "properties": {"plan": "pro"}},
    )
    # [END howto_operator_update_profile]

    twin = KlaviyoUpsertProfileOperator(task_id="twin", profile={"external_id": "newsletter-77", "last_name": "Okafor"})

    # [START howto_operator_merge_profiles]
    merge = KlaviyoMergeProfilesOperator(
        task_id="merge",
        destination_id="{{ ti.xcom_pull('upsert') }}",
        source_id="{{ ti.xcom_pull('twin') }}",
    )
    # [END howto_operator_merge_profiles]

    # [START howto_operator_get_profile]
    get = KlaviyoGetProfileOperator(
        task_id="get",
        profile_id="{{ ti.xcom_pull('create') }}",
    )

    find = KlaviyoGetProfileOperator(
        task_id="find",
        lookup={"external_id": "customer-1001"},
        additional_fields={"profile": ["subscriptions"]},
        return_objects=True,
    )
    # [END howto_operator_get_profile]

    # [START howto_operator_list_profiles]
    changed = KlaviyoListProfilesOperator(
        task_id="changed",
        filter="greater-than(updated,{{ (dag_run.run_after - macros.timedelta(days=1)) | ts }})",
        sort="-updated",
    )
    # [END howto_operator_list_profiles]

    # [START howto_operator_bulk_import_profiles]
    bulk_import = KlaviyoBulkImportProfilesOperator(
        task_id="bulk_import",
        profiles=[
            {"email": "ann@example.com", "first_name": "Ann"},
            {"email": "bob@example.com", "first_name": "Bob", "phone_number": "+493012345678"},
        ],
        deferrable=True,
    )
    # [END howto_operator_bulk_import_profiles]

    create >> [update, get]
    [upsert, twin] >> merge >> find
    [update, get, find] >> changed >> bulk_import

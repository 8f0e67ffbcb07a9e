# SPDX-License-Identifier: Apache-2.0
"""
Templates: make one, see what a recipient would get, change, copy and delete it.

Needs the connection ``klaviyo_default`` with the scopes ``templates:read`` and ``templates:write``.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG

from airflow_provider_klaviyo.operators.templates import (
    KlaviyoCloneTemplateOperator,
    KlaviyoCreateTemplateOperator,
    KlaviyoDeleteTemplateOperator,
    KlaviyoGetTemplateOperator,
    KlaviyoListTemplatesOperator,
    KlaviyoRenderTemplateOperator,
    KlaviyoUpdateTemplateOperator,
)

with DAG(dag_id="klaviyo_templates", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), tags=["klaviyo"]) as dag:
    # [START howto_operator_create_template]
    create = KlaviyoCreateTemplateOperator(
        task_id="create",
        name="Welcome",
        html="<html><body>Hello {{ first_name|default:'there' }}! {% unsubscribe %}</body></html>",
        text="Hello {{ first_name|default:'there' }}!",
        if_exists="use",
    )
    # [END howto_operator_create_template]

    # [START howto_operator_render_template]
    render = KlaviyoRenderTemplateOperator(
        task_id="render",
        template_id="{{ ti.xcom_pull('create')['id'] }}",
        variables={"first_name": "Sarah"},
    )
    # [END howto_operator_render_template]

    # [START howto_operator_update_template]
    update = KlaviyoUpdateTemplateOperator(
        task_id="update",
        template_id="{{ ti.xcom_pull('create')['id'] }}",
        text="Good morning {{ first_name|default:'there' }}!",
    )
    # [END howto_operator_update_template]

    # [START howto_operator_get_template]
    get = KlaviyoGetTemplateOperator(
        task_id="get",
        template_id="{{ ti.xcom_pull('create')['id'] }}",
        fields={"template": ["name", "text"]},
    )
    # [END howto_operator_get_template]

    # [START howto_operator_clone_template]
    clone = KlaviyoCloneTemplateOperator(
        task_id="clone",
        template_id="{{ ti.xcom_pull('create')['id'] }}",
        name="Welcome, {{ ds_nodash | default('by hand') }}",
    )
    # [END howto_operator_clone_template]

    # [START howto_operator_list_templates]
    list_templates = KlaviyoListTemplatesOperator(
        task_id="list_templates",
        filter='contains(name,"Welcome")',
        sort="name",
        fields={"template": ["name", "updated"]},
    )
    # [END howto_operator_list_templates]

    # [START howto_operator_delete_template]
    delete = KlaviyoDeleteTemplateOperator(
        task_id="delete",
        template_id="{{ ti.xcom_pull('clone')['id'] }}",
    )
    # [END howto_operator_delete_template]

    create >> [render, clone] >> update >> [get, list_templates] >> delete

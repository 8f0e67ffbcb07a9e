# SPDX-License-Identifier: Apache-2.0
"""
Campaigns: make one, estimate whom it reaches, send it and wait; copy, change, schedule, stop and delete another.

It sends an e-mail to everybody in the list ``VIP``.

Needs the connection ``klaviyo_default`` with the scopes ``campaigns:read``, ``campaigns:write``, ``lists:read``, ``lists:write``,
``templates:read`` and ``templates:write``.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG

from airflow_provider_klaviyo.operators.campaign_sending import (
    KlaviyoCancelCampaignSendOperator,
    KlaviyoEstimateCampaignRecipientsOperator,
    KlaviyoScheduleCampaignOperator,
    KlaviyoSendCampaignOperator,
)
from airflow_provider_klaviyo.operators.campaigns import (
    KlaviyoAssignTemplateToCampaignMessageOperator,
    KlaviyoCloneCampaignOperator,
    KlaviyoCreateCampaignOperator,
    KlaviyoDeleteCampaignOperator,
    KlaviyoGetCampaignOperator,
    KlaviyoListCampaignsOperator,
    KlaviyoUpdateCampaignOperator,
)
from airflow_provider_klaviyo.operators.lists import KlaviyoCreateListOperator
from airflow_provider_klaviyo.operators.templates import KlaviyoCreateTemplateOperator
from airflow_provider_klaviyo.sensors.campaigns import KlaviyoCampaignSensor

with DAG(dag_id="klaviyo_campaigns", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), tags=["klaviyo"]) as dag:
    vip = KlaviyoCreateListOperator(task_id="vip", name="VIP", if_exists="use")
    template = KlaviyoCreateTemplateOperator(task_id="template", name="Sale", html="<p>Hello {{ first_name }}!</p>", if_exists="use")

    # [START howto_operator_create_campaign]
    create = KlaviyoCreateCampaignOperator(
        task_id="create",
        name="Sale, {{ ds_nodash | default('by hand') }}",
        included=["{{ ti.xcom_pull('vip')['id'] }}"],
        message={
            "channel": "email",
            "subject": "{{ first_name|default:'You' }}, the sale begins",
            "preview_text": "For you, a day earlier",
            "from_email": "shop@example.com",
            "from_label": "The shop",
        },
    )
    # [END howto_operator_create_campaign]

    # [START howto_operator_assign_template_to_campaign_message]
    assign = KlaviyoAssignTemplateToCampaignMessageOperator(
        task_id="assign",
        campaign_id="{{ ti.xcom_pull('create')['id'] }}",
        template_id="{{ ti.xcom_pull('template')['id'] }}",
    )
    # [END howto_operator_assign_template_to_campaign_message]

    # [START howto_operator_clone_campaign]
    clone = KlaviyoCloneCampaignOperator(
        task_id="clone",
        campaign_id="{{ ti.xcom_pull('create')['id'] }}",
        name="Last day of the sale",
    )
    # [END howto_operator_clone_campaign]

    # [START howto_operator_estimate_campaign_recipients]
    estimate = KlaviyoEstimateCampaignRecipientsOperator(
        task_id="estimate",
        campaign_id="{{ ti.xcom_pull('create')['id'] }}",
        poll_interval=5,
    )
    # [END howto_operator_estimate_campaign_recipients]

    # [START howto_operator_send_campaign]
    send = KlaviyoSendCampaignOperator(
        task_id="send",
        campaign_id="{{ ti.xcom_pull('create')['id'] }}",
        wait_for_completion=False,
    )
    # [END howto_operator_send_campaign]

    # [START howto_sensor_campaign]
    sent = KlaviyoCampaignSensor(
        task_id="sent",
        campaign_id="{{ ti.xcom_pull('create')['id'] }}",
        timeout=24 * 60 * 60,
    )
    # [END howto_sensor_campaign]

    # [START howto_operator_get_campaign]
    get = KlaviyoGetCampaignOperator(
        task_id="get",
        campaign_id="{{ ti.xcom_pull('create')['id'] }}",
        include=["campaign-messages"],
    )
    # [END howto_operator_get_campaign]

    # [START howto_operator_list_campaigns]
    list_campaigns = KlaviyoListCampaignsOperator(
        task_id="list_campaigns",
        filter='contains(name,"sale"),equals(archived,false)',
        sort="-created_at",
        fields={"campaign": ["definition.name", "created_at"]},
        max_items=50,
        truncate=True,
    )
    # [END howto_operator_list_campaigns]

    # [START howto_operator_update_campaign]
    update = KlaviyoUpdateCampaignOperator(
        task_id="update",
        campaign_id="{{ ti.xcom_pull('clone')['id'] }}",
        description="Goes out on the sale's last day",
        send_settings={"send_timezone": "UTC"},
    )
    # [END howto_operator_update_campaign]

    # [START howto_operator_schedule_campaign]
    schedule = KlaviyoScheduleCampaignOperator(
        task_id="schedule",
        campaign_id="{{ ti.xcom_pull('clone')['id'] }}",
        send_time="2030-11-30T09:00:00+01:00",
    )
    # [END howto_operator_schedule_campaign]

    # [START howto_operator_cancel_campaign_send]
    cancel = KlaviyoCancelCampaignSendOperator(
        task_id="cancel",
        campaign_id="{{ ti.xcom_pull('clone')['id'] }}",
        action="revert",
    )
    # [END howto_operator_cancel_campaign_send]

    # [START howto_operator_delete_campaign]
    delete = KlaviyoDeleteCampaignOperator(
        task_id="delete",
        campaign_id="{{ ti.xcom_pull('clone')['id'] }}",
    )
    # [END howto_operator_delete_campaign]

    [vip, template] >> create >> assign >> [estimate, clone]
    estimate >> send >> sent >> [get, list_campaigns]
    clone >> update >> schedule >> cancel >> delete

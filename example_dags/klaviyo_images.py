# SPDX-License-Identifier: Apache-2.0
"""
Images: upload one from a file and one as text, find them, change one.

Needs the connection ``klaviyo_default`` with the scopes ``images:read`` and ``images:write``.
"""

from __future__ import annotations

from base64 import b64decode
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp

from airflow.sdk import DAG, task

from airflow_provider_klaviyo.operators.images import (
    KlaviyoGetImageOperator,
    KlaviyoListImagesOperator,
    KlaviyoUpdateImageOperator,
    KlaviyoUploadImageOperator,
)

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="

with DAG(dag_id="klaviyo_images", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), tags=["klaviyo"]) as dag:

    @task
    def draw() -> str:
        """Draw a chart and return where it is."""
        path = Path(mkdtemp()) / "chart.png"
        path.write_bytes(b64decode(PNG))
        return str(path)

    # [START howto_operator_upload_image]
    upload = KlaviyoUploadImageOperator(
        task_id="upload",
        path="{{ ti.xcom_pull('draw') }}",
        name="Chart of {{ ds }}",
        if_exists="use",
    )

    upload_inline = KlaviyoUploadImageOperator(
        task_id="upload_inline",
        url=f"data:image/png;base64,{PNG}",
        name="Dot of {{ ds }}",
    )
    # [END howto_operator_upload_image]

    # [START howto_operator_update_image]
    update = KlaviyoUpdateImageOperator(
        task_id="update",
        image_id="{{ ti.xcom_pull('upload_inline')['id'] }}",
        hidden=True,
    )
    # [END howto_operator_update_image]

    # [START howto_operator_get_image]
    get = KlaviyoGetImageOperator(
        task_id="get",
        image_id="{{ ti.xcom_pull('upload')['id'] }}",
        fields={"image": ["image_url"]},
    )
    # [END howto_operator_get_image]

    # [START howto_operator_list_images]
    list_images = KlaviyoListImagesOperator(
        task_id="list_images",
        filter='starts-with(name,"Chart of "),equals(format,"png")',
        sort="-updated_at",
    )
    # [END howto_operator_list_images]

    draw() >> upload >> [get, list_images]
    upload_inline >> update

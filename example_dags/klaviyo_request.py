# SPDX-License-Identifier: Apache-2.0
"""
Any request: JSON, pages, a file, and what a browser would send.

Needs the connection ``klaviyo_default`` with the scopes ``lists:read``, ``lists:write``, ``profiles:read`` and ``images:write``,
and its extra ``public_key``.
"""

from __future__ import annotations

from base64 import b64decode
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp

from airflow.sdk import DAG, task

from airflow_provider_klaviyo.operators.request import KlaviyoRequestOperator

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="

with DAG(dag_id="klaviyo_request", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), tags=["klaviyo"]) as dag:
    # [START howto_operator_request]
    create = KlaviyoRequestOperator(
        task_id="create",
        method="POST",
        path="/api/lists",
        body={"data": {"type": "list", "attributes": {"name": "VIP of {{ ds }}"}}},
    )

    members = KlaviyoRequestOperator(
        task_id="members",
        path="/api/lists/{{ ti.xcom_pull('create')['data']['id'] }}/profiles",
        query={"fields[profile]": "created"},
        paginate=True,
    )
    # [END howto_operator_request]

    @task
    def draw() -> str:
        """Draw a logo and return where it is."""
        path = Path(mkdtemp()) / "logo.png"
        path.write_bytes(b64decode(PNG))
        return str(path)

    # [START howto_operator_request_files]
    upload = KlaviyoRequestOperator(
        task_id="upload",
        method="POST",
        path="/api/image-upload",
        form={"name": "Logo of {{ ds }}"},
        files={"file": "{{ ti.xcom_pull('draw') }}"},
    )
    # [END howto_operator_request_files]

    # [START howto_operator_request_client]
    viewed = KlaviyoRequestOperator(
        task_id="viewed",
        method="POST",
        path="/client/events",
        body={
            "data": {
                "type": "event",
                "attributes": {
                    "metric": {"data": {"type": "metric", "attributes": {"name": "Viewed Page"}}},
                    "profile": {"data": {"type": "profile", "attributes": {"email": "sarah@example.com"}}},
                    "properties": {"page": "/vip"},
                    "unique_id": "{{ run_id }}",
                },
            },
        },
        replayable=True,
    )
    # [END howto_operator_request_client]

    create >> members
    draw() >> upload
    viewed

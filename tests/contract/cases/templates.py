# SPDX-License-Identifier: Apache-2.0
"""Templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_klaviyo.api import templates
from airflow_provider_klaviyo.api.request import Json
from tests.contract.kit import Case

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer
    from airflow_provider_klaviyo.session import Session

STYLES: Json = {"background_color": "#ffffff"}
BLOCKS: Json = {"body": {"properties": {}, "styles": STYLES, "sections": []}, "styles": []}


def a_template(klaviyo: Session, sandbox: SandboxServer) -> Json:
    """Make a template."""
    return {"template_id": klaviyo.send(templates.create(name="Hi", html="<p>{{ who }}</p>", text="{{ who }}"))["data"]["id"]}


def blocks(klaviyo: Session, sandbox: SandboxServer) -> Json:
    """Make a template of the drag-and-drop editor."""
    made = templates.create(name="Hi", definition=BLOCKS, editor_type="SYSTEM_DRAGGABLE")
    return {"template_id": klaviyo.send(made)["data"]["id"]}


CASES = [
    Case(templates.create, "create_template", {"name": "Hi", "html": "<p>Hi</p>"}),
    Case(
        templates.create,
        "create_template",
        {"name": "Hi", "html": "<p>Hi</p>", "text": "Hi", "amp": "<html amp4email></html>", "editor_type": "USER_DRAGGABLE"},
    ),
    Case(templates.create, "create_template", {"name": "Hi", "definition": BLOCKS, "editor_type": "SYSTEM_DRAGGABLE"}),
    Case(templates.get, "get_template", {"template_id": "T1"}, a_template),
    Case(templates.get, "get_template", {"template_id": "T1", "additional_fields": {"template": "definition"}}, blocks),
    Case(templates.list_, "get_templates", {}, a_template),
    Case(
        templates.list_,
        "get_templates",
        {
            "filter": 'contains(name,"H"),greater-than(updated,2026-01-01T00:00:00Z)',
            "sort": "-updated",
            "fields": {"template": ["name", "updated"]},
            "page_size": 10,
        },
        a_template,
    ),
    Case(
        templates.update,
        "update_template",
        {"template_id": "T1", "name": "Ho", "html": "<p>Ho</p>", "text": "Ho", "amp": "<p/>"},
        a_template,
    ),
    Case(templates.update, "update_template", {"template_id": "T1", "definition": BLOCKS}, blocks),
    Case(templates.delete, "delete_template", {"template_id": "T1"}, a_template),
    Case(templates.render, "render_template", {"template_id": "T1", "context": {"who": "Sarah"}}, a_template),
    Case(templates.clone, "clone_template", {"template_id": "T1"}, a_template),
    Case(templates.clone, "clone_template", {"template_id": "T1", "name": "Ho"}, a_template),
]

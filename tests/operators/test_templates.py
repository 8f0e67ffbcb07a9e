# SPDX-License-Identifier: Apache-2.0
"""Operators for templates, against the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, task

from airflow_provider_klaviyo.api import templates
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.operators.templates import (
    KlaviyoCloneTemplateOperator,
    KlaviyoCreateTemplateOperator,
    KlaviyoDeleteTemplateOperator,
    KlaviyoGetTemplateOperator,
    KlaviyoListTemplatesOperator,
    KlaviyoRenderTemplateOperator,
    KlaviyoUpdateTemplateOperator,
)

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

    Run = Callable[..., Any]

POST = "POST /api/templates"
HTML = "<p>{{ first_name|default:'there' }} \u00e9 {% unsubscribe %} {{ ds }} {{ '{' }}</p>\n"


def make(*names: str) -> list[str]:
    """Make templates and return their ids."""
    with KlaviyoHook().session() as klaviyo:
        return [klaviyo.send(templates.create(name=name, html="<p>Hi {{ who }}</p>"))["data"]["id"] for name in names]


def test_content_reaches_klaviyo_byte_for_byte(sandbox: SandboxServer, run: Run) -> None:
    made = run(KlaviyoCreateTemplateOperator, name="Hi {{ 1 + 1 }}", html=HTML, text="{{ ds }} {% if %}")
    sent = sandbox.klaviyo.received[-1].body["data"]["attributes"]
    assert sent == {"name": "Hi 2", "editor_type": "CODE", "html": HTML, "text": "{{ ds }} {% if %}"}
    assert made.returned["attributes"]["html"] == HTML


def test_content_may_come_from_an_upstream_task(sandbox: SandboxServer, run_dag: Callable[..., Any]) -> None:
    with DAG("upstream", schedule=None) as dag:

        @task
        def written() -> str:
            return HTML

        KlaviyoCreateTemplateOperator(task_id="one", name="One", html=written())  # type: ignore[arg-type] # a template is text whatever the field's type
        KlaviyoCreateTemplateOperator.partial(task_id="many", name="Many").expand(html=[HTML, "<p>{{ b }}</p>"])
    assert run_dag(dag).state == "success"
    sent = sorted(each.body["data"]["attributes"]["html"] for each in sandbox.klaviyo.received if each.name == POST)
    assert sent == sorted([HTML, HTML, "<p>{{ b }}</p>"])


def test_blocks_are_taken_for_the_drag_and_drop_editor_alone(sandbox: SandboxServer, run: Run) -> None:
    blocks: dict[str, Any] = {"body": {"sections": [], "properties": {}, "styles": {}}, "styles": []}
    made = run(KlaviyoCreateTemplateOperator, name="Blocks", definition=blocks, editor_type="SYSTEM_DRAGGABLE")
    assert sandbox.klaviyo.received[-1].body["data"]["attributes"]["definition"] == blocks
    assert made.returned["attributes"]["editor_type"] == "SYSTEM_DRAGGABLE"
    sent = sandbox.klaviyo.requests[POST]
    for wrong in ({"definition": blocks}, {"html": "x", "editor_type": "SYSTEM_DRAGGABLE"}, {}, {"html": "x", "definition": blocks}):
        refused = run(KlaviyoCreateTemplateOperator, name="Blocks", retries=2, **wrong)
        assert (refused.state, refused.tries) == ("failed", 1)
    assert sandbox.klaviyo.requests[POST] == sent


def test_if_exists_use_returns_the_template_of_that_name(sandbox: SandboxServer, run: Run) -> None:
    first, *_ = make("Hi", "hi")
    assert run(KlaviyoCreateTemplateOperator, name="Hi", html="x", if_exists="use").returned["id"] == first
    assert sandbox.klaviyo.requests[POST] == 2


@pytest.mark.parametrize("drop", ["before", "after"])
@pytest.mark.parametrize("path", ["/api/templates", "/api/template-clone"])
def test_a_template_whose_making_was_not_answered_is_made_once(sandbox: SandboxServer, run: Run, path: str, drop: Any) -> None:
    (first,) = make("Hi")
    sandbox.fail(method="POST", path=path, drop=drop)
    if path == "/api/templates":
        made = run(KlaviyoCreateTemplateOperator, name="Hi", html="x", retries=1)
    else:
        made = run(KlaviyoCloneTemplateOperator, template_id=first, name="Hi", retries=1)
    assert (made.state, made.tries) == ("success", 2)
    assert {each["id"] for each in run(KlaviyoListTemplatesOperator).returned} == {first, made.returned["id"]}


def test_a_template_is_read_changed_copied_and_deleted(sandbox: SandboxServer, run: Run) -> None:
    (first,) = make("Hi")
    changed = run(KlaviyoUpdateTemplateOperator, template_id=first, html=HTML)
    assert (changed.returned["attributes"]["html"], changed.returned["attributes"]["name"]) == (HTML, "Hi")
    read = run(KlaviyoGetTemplateOperator, template_id=first, fields={"template": "html"})
    assert read.returned["attributes"] == {"html": HTML}
    copy = run(KlaviyoCloneTemplateOperator, template_id=first, name="Copy").returned
    assert (copy["attributes"]["name"], copy["attributes"]["html"]) == ("Copy", HTML)
    assert run(KlaviyoDeleteTemplateOperator, template_id=first).state == "success"
    assert [each["id"] for each in run(KlaviyoListTemplatesOperator).returned] == [copy["id"]]
    assert run(KlaviyoUpdateTemplateOperator, template_id=copy["id"]).state == "failed"


def test_what_is_not_there_need_not_be_deleted_unless_it_must_exist(sandbox: SandboxServer, run: Run) -> None:
    assert run(KlaviyoDeleteTemplateOperator, template_id="nosuch").state == "success"
    missing = run(KlaviyoDeleteTemplateOperator, template_id="nosuch", must_exist=True, retries=2)
    assert (missing.state, missing.tries) == ("failed", 1)
    (first,) = make("Hi")
    sandbox.fail(method="DELETE", path="/api/templates/{id}", drop="after", times=5)
    gone = run(KlaviyoDeleteTemplateOperator, template_id=first, must_exist=True, retries=1)
    assert gone.state == "success", "an earlier attempt has deleted it"


def test_templates_are_read_across_pages_as_filtered(sandbox: SandboxServer, run: Run) -> None:
    make(*(f"T{number:02}" for number in range(12)), "Other")
    read = run(KlaviyoListTemplatesOperator, filter='contains(name,"T")', sort="-name")
    assert [each["attributes"]["name"] for each in read.returned] == [f"T{number:02}" for number in reversed(range(12))]
    refused = run(KlaviyoListTemplatesOperator, filter='starts-with(name,"T")', retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)


def test_a_template_is_rendered_for_a_recipient(sandbox: SandboxServer, run: Run) -> None:
    (first,) = make("Hi")
    rendered = run(KlaviyoRenderTemplateOperator, template_id=first, variables={"who": "{{ 'Sa' ~ 'rah' }}"})
    assert rendered.returned == {"html": "<p>Hi Sarah</p>", "text": None, "amp": None}
    assert "Sarah" not in rendered.said, "who it is rendered for is personal"


def test_what_klaviyo_cannot_render_fails_at_once(sandbox: SandboxServer, run: Run) -> None:
    with KlaviyoHook().session() as klaviyo:
        broken = klaviyo.send(templates.create(name="Hi", html="<p>{{ who "))["data"]["id"]
    failed = run(KlaviyoRenderTemplateOperator, template_id=broken, retries=2)
    assert (failed.state, failed.tries) == ("failed", 1)
    assert "could not be rendered" in failed.said

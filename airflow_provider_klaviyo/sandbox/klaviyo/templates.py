# SPDX-License-Identifier: Apache-2.0
"""``/api/templates``: what e-mails are made from."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from airflow_provider_klaviyo.sandbox.klaviyo import bodies, resources
from airflow_provider_klaviyo.sandbox.klaviyo.bodies import Strict
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Answer, Call, answers
from airflow_provider_klaviyo.sandbox.klaviyo.problems import invalid
from airflow_provider_klaviyo.sandbox.klaviyo.resources import Kind, Resource

Json = dict[str, Any]
TEMPLATE = Kind("template", "templates", "Template")
MOST = 1000
Name = Annotated[str, Field(min_length=1)]
CONTENT = ("html", "text", "amp", "definition")
MARK = re.compile(
    r"\{\{\s*(?P<path>[\w.]+)(?:\s*\|\s*default:\s*'(?P<default>[^']*)')?\s*\}\}|\{%\s*unsubscribe\s*%\}|(?P<broken>\{\{|\{%)"
)


class Content(Strict):
    """What both a new and a changed template may have."""

    html: str | None = None
    text: str | None = None
    amp: str | None = None
    definition: dict[str, Any] | None = None


class New(Content):
    """Attributes of a new template."""

    name: Name
    editor_type: Literal["CODE", "USER_DRAGGABLE", "SYSTEM_DRAGGABLE"]

    @model_validator(mode="after")
    def _has_its_editors_content(self) -> New:
        if (self.editor_type == "SYSTEM_DRAGGABLE") == (self.definition is None) or (self.definition is None) == (self.html is None):
            raise ValueError("A CODE or USER_DRAGGABLE template has html, a SYSTEM_DRAGGABLE one a definition.")
        return self


class Change(Content):
    """Attributes of a changed template."""

    name: Name | None = None


class Rendering(Strict):
    """Attributes of a template to be rendered."""

    context: dict[str, Any]


class Copy(Strict):
    """Attributes of a copy."""

    name: Name | None = None


CREATE = bodies.document("template", New)
UPDATE = bodies.document("template", Change, identified=True)
RENDER = bodies.document("template", Rendering, identified=True)
CLONE = bodies.document("template", Copy, identified=True)


@answers("get_templates")
def get_templates(call: Call) -> Answer:
    """List templates."""
    found, following = resources.page(call, TEMPLATE)
    return Answer(200, call.page([_show(call, each) for each in found], following))


@answers("get_template")
def get_template(call: Call) -> Answer:
    """Read one template."""
    return Answer(200, call.document(_show(call, resources.load(call.state, TEMPLATE, call.ids[0]))))


@answers("create_template")
def create_template(call: Call) -> Answer:
    """Make a template."""
    given = bodies.parse(call, CREATE).attributes.given()
    return Answer(201, call.document(_show(call, _make(call, dict.fromkeys(CONTENT) | given), written=True)))


@answers("update_template")
def update_template(call: Call) -> Answer:
    """Change a template; a null is ignored."""
    found = resources.load(call.state, TEMPLATE, call.ids[0])
    given = bodies.parse(call, UPDATE).attributes.changes()
    if (found.attributes["editor_type"] == "SYSTEM_DRAGGABLE" and {"html", "amp"} & given.keys()) or (
        found.attributes["editor_type"] != "SYSTEM_DRAGGABLE" and "definition" in given
    ):
        raise invalid("This content is not allowed for the template's editor type.", "/data/attributes")
    return Answer(200, call.document(_show(call, resources.change(call.state, found, given), written=True)))


@answers("delete_template")
def delete_template(call: Call) -> Answer:
    """Delete a template; recorded with 200 where the specification says 204."""
    resources.remove(call.state, resources.load(call.state, TEMPLATE, call.ids[0]))
    return Answer(200)


@answers("render_template")
def render_template(call: Call) -> Answer:
    """Render a template; recorded with 200 where the specification says 201."""
    asked = bodies.parse(call, RENDER)
    found = resources.load(call.state, TEMPLATE, asked.id)
    rendered = {name: _rendered(found.attributes[name], asked.attributes.context) for name in ("html", "text", "amp")}
    return Answer(200, call.document(_show(call, found, **rendered)))


@answers("clone_template")
def clone_template(call: Call) -> Answer:
    """Make a copy of a template; recorded with 200 where the specification says 201."""
    asked = bodies.parse(call, CLONE)
    found = resources.load(call.state, TEMPLATE, asked.id)
    name = asked.attributes.name or f"{found.attributes['name']} (copy)"
    return Answer(200, call.document(_show(call, _make(call, {**found.attributes, "name": name}), written=True)))


def _make(call: Call, attributes: Json) -> Resource:
    if len(resources.every(call.state, TEMPLATE)) >= MOST:
        raise invalid(f"There is a limit of {MOST:,} templates that can be created via the API.", "/data")
    return resources.make(call.state, TEMPLATE, attributes)


def _show(call: Call, template: Resource, **more: Any) -> Json:
    """Show a template; its blocks only where they are asked for."""
    shown = resources.show(call, template, **more)
    if "definition" not in (call.fields("template") or call.query.additional.get("template") or ()):
        shown["attributes"].pop("definition", None)
    if shown["attributes"].get("html", "") is None:
        shown["attributes"]["html"] = "<html></html>"  # made from the blocks
    return shown


def _rendered(content: str | None, context: Json) -> str | None:
    """Fill in variables as far as this sandbox can: names, with a default or without, and the link to unsubscribe."""

    def fill(mark: re.Match[str]) -> str:
        if mark["broken"]:
            raise invalid("Template could not be rendered: a tag or variable is not one the sandbox knows.", "/data/attributes/context")
        if not mark["path"]:
            return '<a href="https://example.com/unsubscribe">Unsubscribe</a>'
        value: Any = context
        for step in mark["path"].split("."):
            value = value.get(step) if isinstance(value, dict) else None
        return str(value) if value is not None else mark["default"] or ""

    return None if content is None else MARK.sub(fill, content)

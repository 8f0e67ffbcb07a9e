# SPDX-License-Identifier: Apache-2.0
"""Operators for templates: what e-mails are made from. Their content reaches Klaviyo byte for byte, its ``{{ }}`` are Klaviyo's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_klaviyo.api import templates
from airflow_provider_klaviyo.api.filters import equals
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.operators.base import KlaviyoOperator, Personal, Verbatim
from airflow_provider_klaviyo.operators.listing import GettingOperator, ListingOperator
from airflow_provider_klaviyo.operators.making import CreatingOperator, DeletingOperator


class NamedTemplate(CreatingOperator):
    """Make a template that has a name."""

    noun = "templates"

    def listed(self) -> Request[Json]:
        """Make the request that lists everything which may have the name."""
        return templates.list_(filter=equals("name", self.name))

    def got(self, identity: str) -> Request[Json]:
        """Make the request that reads one by its id."""
        return templates.get(template_id=identity)


class KlaviyoCreateTemplateOperator(NamedTemplate):
    """
    Make a template.

    https://developers.klaviyo.com/en/reference/create_template
    https://developers.klaviyo.com/en/reference/get_templates
    In a retry: https://developers.klaviyo.com/en/reference/get_template

    :param html: The HTML, for ``CODE`` and ``USER_DRAGGABLE``. Not templated by Airflow.
    :param text: The plain text. Not templated by Airflow.
    :param amp: The AMP version, where the account has AMP e-mail. Not templated by Airflow.
    :param definition: The blocks, for ``SYSTEM_DRAGGABLE``. Not templated by Airflow.
    :param editor_type: Who edits it: ``CODE`` is HTML alone, ``USER_DRAGGABLE`` HTML in the drag-and-drop editor,
        ``SYSTEM_DRAGGABLE`` the drag-and-drop editor's own.
    """

    html: Verbatim[str | None] = None
    text: Verbatim[str | None] = None
    amp: Verbatim[str | None] = None
    definition: Verbatim[Mapping[str, Any] | None] = None
    editor_type: templates.Editor = "CODE"

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return templates.create(
            name=self.name, html=self.html, text=self.text, amp=self.amp, definition=self.definition, editor_type=self.editor_type
        )


class KlaviyoGetTemplateOperator(GettingOperator):
    """
    Read a template.

    https://developers.klaviyo.com/en/reference/get_template

    :param template_id: Klaviyo's id of it.
    """

    template_id: str

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return templates.get(template_id=self.template_id, **self.query)


class KlaviyoListTemplatesOperator(ListingOperator):
    """
    Read templates, all pages of them.

    https://developers.klaviyo.com/en/reference/get_templates

    :return: The templates, each with ``id``, ``attributes``, ``relationships``.
    """

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return templates.list_(**self.query)


class KlaviyoUpdateTemplateOperator(KlaviyoOperator):
    """
    Change a template. Campaigns have copies of their own and stay as they are.

    https://developers.klaviyo.com/en/reference/update_template

    :param template_id: Klaviyo's id of it.
    :param name: Its new name.
    :param html: The new HTML. Not templated by Airflow.
    :param text: The new plain text. Not templated by Airflow.
    :param amp: The new AMP version. Not templated by Airflow.
    :param definition: The new blocks, of a ``SYSTEM_DRAGGABLE`` one. Not templated by Airflow.
    :return: The template: ``id``, ``attributes``, ``relationships``.
    """

    template_id: str
    name: str | None = None
    html: Verbatim[str | None] = None
    text: Verbatim[str | None] = None
    amp: Verbatim[str | None] = None
    definition: Verbatim[Mapping[str, Any] | None] = None

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return templates.update(
            template_id=self.template_id, name=self.name, html=self.html, text=self.text, amp=self.amp, definition=self.definition
        )


class KlaviyoDeleteTemplateOperator(DeletingOperator):
    """
    Delete a template; refused while a flow uses it.

    https://developers.klaviyo.com/en/reference/delete_template

    :param template_id: Klaviyo's id of it.
    """

    template_id: str

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return templates.delete(template_id=self.template_id)


class KlaviyoRenderTemplateOperator(KlaviyoOperator):
    """
    Render a template. Nothing is sent or changed.

    https://developers.klaviyo.com/en/reference/render_template

    :param template_id: Klaviyo's id of it.
    :param variables: What it names: ``{"first_name": "Sarah"}``.
    :return: ``{"html", "text", "amp"}``: what a recipient with these variables would get.
    """

    template_id: str
    variables: Personal[Mapping[str, Any] | None] = None

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return templates.render(template_id=self.template_id, context=self.variables)

    def result(self, answer: Any) -> Json:
        """Return the versions of the rendered e-mail."""
        attributes = answer["data"]["attributes"]
        return {name: attributes.get(name) for name in ("html", "text", "amp")}


class KlaviyoCloneTemplateOperator(NamedTemplate):
    """
    Make a copy of a template.

    https://developers.klaviyo.com/en/reference/clone_template
    https://developers.klaviyo.com/en/reference/get_templates
    In a retry: https://developers.klaviyo.com/en/reference/get_template

    :param template_id: Klaviyo's id of the original.
    """

    template_id: str

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return templates.clone(template_id=self.template_id, name=self.name)

# SPDX-License-Identifier: Apache-2.0
"""Templates: what e-mails are made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Unpack, get_args

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.jsonapi import Listing, Reading, document, given, listing, reading
from airflow_provider_klaviyo.api.request import Json, Request, at

Editor = Literal["CODE", "USER_DRAGGABLE", "SYSTEM_DRAGGABLE"]


def create(
    *,
    name: str,
    html: str | None = None,
    text: str | None = None,
    amp: str | None = None,
    definition: Mapping[str, Any] | None = None,
    editor_type: Editor = "CODE",
) -> Request[Json]:
    """
    Make a template. An account holds 1,000 that were made so.

    https://developers.klaviyo.com/en/reference/create_template

    :param name: Its name in Klaviyo; two templates may have the same.
    :param html: The HTML, for ``CODE`` and ``USER_DRAGGABLE``.
    :param text: The plain text.
    :param amp: The AMP version, where the account has AMP e-mail.
    :param definition: The blocks, for ``SYSTEM_DRAGGABLE``.
    :param editor_type: Who edits it: ``CODE`` is HTML alone, ``USER_DRAGGABLE`` HTML in the drag-and-drop editor,
        ``SYSTEM_DRAGGABLE`` the drag-and-drop editor's own.
    :raises KlaviyoConfigError: No name, an editor that Klaviyo does not have, or content that is not the editor's.
    """
    if not name.strip():
        raise KlaviyoConfigError("a template needs a name")
    if editor_type not in get_args(Editor):
        raise KlaviyoConfigError(f"editor_type is one of {', '.join(get_args(Editor))}")
    if (editor_type == "SYSTEM_DRAGGABLE") != (definition is not None) or (definition is None) == (html is None):
        raise KlaviyoConfigError("a template has html; one for the editor_type SYSTEM_DRAGGABLE has a definition instead")
    attributes = given(name=name, editor_type=editor_type, html=html, text=text, amp=amp, definition=definition)
    return Request("POST", "/api/templates", json=document("template", attributes))


def get(*, template_id: str, **query: Unpack[Reading]) -> Request[Json]:
    """
    Read a template; for the query see :class:`~airflow_provider_klaviyo.api.jsonapi.Reading`.

    https://developers.klaviyo.com/en/reference/get_template

    :param template_id: Klaviyo's id of it.
    """
    return reading(at("/api/templates/{}", template_id), **query)


def list_(**query: Unpack[Listing]) -> Request[Json]:
    """
    Read templates, page by page; for the query see :class:`~airflow_provider_klaviyo.api.jsonapi.Listing`.

    https://developers.klaviyo.com/en/reference/get_templates
    """
    return listing("/api/templates", **query)


def update(
    *,
    template_id: str,
    name: str | None = None,
    html: str | None = None,
    text: str | None = None,
    amp: str | None = None,
    definition: Mapping[str, Any] | None = None,
) -> Request[Json]:
    """
    Change a template. Campaigns have copies of their own and stay as they are.

    https://developers.klaviyo.com/en/reference/update_template

    :param template_id: Klaviyo's id of it.
    :param name: Its new name.
    :param html: The new HTML.
    :param text: The new plain text.
    :param amp: The new AMP version.
    :param definition: The new blocks, of a ``SYSTEM_DRAGGABLE`` one.
    :raises KlaviyoConfigError: Nothing to change.
    """
    attributes = given(name=name, html=html, text=text, amp=amp, definition=definition)
    if not attributes:
        raise KlaviyoConfigError("nothing to change: give a name or content")
    return Request(
        "PATCH", at("/api/templates/{}", template_id), json=document("template", attributes, identity=template_id), replayable=True
    )


def delete(*, template_id: str) -> Request[Json]:
    """
    Delete a template; refused while a flow uses it.

    https://developers.klaviyo.com/en/reference/delete_template

    :param template_id: Klaviyo's id of it.
    """
    return Request("DELETE", at("/api/templates/{}", template_id))


def render(*, template_id: str, context: Mapping[str, Any] | None = None) -> Request[Json]:
    """
    Render a template; the answer's ``html``, ``text`` and ``amp`` are what a recipient would get. Nothing is sent or changed.

    https://developers.klaviyo.com/en/reference/render_template

    :param template_id: Klaviyo's id of it.
    :param context: The variables it names: ``{"first_name": "Sarah"}``.
    """
    body = document("template", {"context": dict(context or {})}, identity=template_id)
    return Request("POST", "/api/template-render", json=body, replayable=True)


def clone(*, template_id: str, name: str | None = None) -> Request[Json]:
    """
    Make a copy of a template.

    https://developers.klaviyo.com/en/reference/clone_template

    :param template_id: Klaviyo's id of it.
    :param name: The copy's name; Klaviyo chooses one where left out.
    """
    return Request("POST", "/api/template-clone", json=document("template", given(name=name), identity=template_id))

# SPDX-License-Identifier: Apache-2.0
"""Campaigns: messages sent to many at once. How they are sent is told in :mod:`~airflow_provider_klaviyo.api.campaign_sending`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.jsonapi import Listing, Reading, document, given, listing, reading
from airflow_provider_klaviyo.api.request import Json, Request, at

AUDIENCE = "audience"
"""What a campaign's only audience is called in the body that makes it; Klaviyo gives it an id of its own."""


def create(
    *,
    name: str,
    included: Sequence[str] = (),
    excluded: Sequence[str] = (),
    message: Mapping[str, Any] | None = None,
    audiences: Sequence[Mapping[str, Any]] = (),
    messages: Sequence[Mapping[str, Any]] = (),
    send_settings: Mapping[str, Any] | None = None,
    description: str | None = None,
) -> Request[Json]:
    """
    Make a campaign, a draft: one message to one audience, or any number of them as Klaviyo takes them.

    https://developers.klaviyo.com/en/reference/create_campaign

    :param name: Its name in Klaviyo; two campaigns may have the same.
    :param included: Klaviyo's ids of the lists and segments that get it.
    :param excluded: Klaviyo's ids of the lists and segments whose members do not.
    :param message: What they get, as Klaviyo's ``details`` of a variation: ``{"channel": "email", "subject": "Sale", "preview_text": "...",
        "from_email": "shop@example.com", "from_label": "Shop"}``.
    :param audiences: In place of ``included`` and ``excluded``: ``{"temporary_id": "a", "name": "...", "included": [...], "excluded": [...]}``.
    :param messages: In place of ``message``: ``{"audience_temporary_id": "a", "name": "...", "variations": [{"definition": {"name": "...",
        "details": {...}}}]}``.
    :param send_settings: ``{"send_timezone": "UTC", ...}``.
    :param description: What it is for.
    :raises KlaviyoConfigError: No name, one text in place of several, both ways at once, or a message to an audience that is not there.
    """
    if not name.strip():
        raise KlaviyoConfigError("a campaign needs a name")
    if isinstance(included, str) or isinstance(excluded, str):
        raise KlaviyoConfigError("included and excluded are lists of ids")
    if ((included or excluded) and audiences) or (message and messages):
        raise KlaviyoConfigError("give included, excluded and message, or audiences and messages in their place")
    if included or excluded:
        audiences = [{"temporary_id": AUDIENCE, "name": name, "included": [*included], "excluded": [*excluded]}]
    if message:
        variation = {"definition": {"name": name, "details": {**message}}}
        messages = [{"audience_temporary_id": AUDIENCE, "name": name, "variations": [variation]}]
    known = {each.get("temporary_id") for each in audiences}
    for position, each in enumerate(messages):
        if each.get("audience_temporary_id") not in known:
            raise KlaviyoConfigError(
                f"the message at position {position} has no audience: give included, or audiences with the one it names"
            )
    attributes = given(
        definition=given(name=name, description=description, send_settings=send_settings),
        audiences=[*audiences] or None,
        messages=[*messages] or None,
    )
    return Request("POST", "/api/campaigns", json=document("campaign", attributes))


def get(*, campaign_id: str, **query: Unpack[Reading]) -> Request[Json]:
    """
    Read a campaign; for the query see :class:`~airflow_provider_klaviyo.api.jsonapi.Reading`.

    https://developers.klaviyo.com/en/reference/get_campaign

    :param campaign_id: Klaviyo's id of it.
    """
    return reading(at("/api/campaigns/{}", campaign_id), **query)


def list_(**query: Unpack[Listing]) -> Request[Json]:
    """
    Read campaigns, page by page; for the query see :class:`~airflow_provider_klaviyo.api.jsonapi.Listing`.

    https://developers.klaviyo.com/en/reference/get_campaigns
    """
    return listing("/api/campaigns", **query)


def update(
    *,
    campaign_id: str,
    name: str | None = None,
    description: str | None = None,
    archived: bool | None = None,
    send_settings: Mapping[str, Any] | None = None,
) -> Request[Json]:
    """
    Change a campaign; its audiences and messages are resources of their own.

    https://developers.klaviyo.com/en/reference/update_campaign

    :param campaign_id: Klaviyo's id of it.
    :param name: Its new name.
    :param description: What it is for.
    :param archived: Whether it is put away.
    :param send_settings: ``{"send_timezone": "UTC", ...}``.
    :raises KlaviyoConfigError: Nothing to change, or an empty name.
    """
    definition = given(name=name, description=description, archived=archived, send_settings=send_settings)
    if not definition:
        raise KlaviyoConfigError("nothing to change: give a name, a description, archived or send_settings")
    if name is not None and not name.strip():
        raise KlaviyoConfigError("a campaign needs a name")
    body = document("campaign", {"definition": definition}, identity=campaign_id)
    return Request("PATCH", at("/api/campaigns/{}", campaign_id), json=body, replayable=True)


def delete(*, campaign_id: str) -> Request[Json]:
    """
    Delete a campaign.

    https://developers.klaviyo.com/en/reference/delete_campaign

    :param campaign_id: Klaviyo's id of it.
    """
    return Request("DELETE", at("/api/campaigns/{}", campaign_id))


def clone(*, campaign_id: str, name: str | None = None) -> Request[Json]:
    """
    Make a copy of a campaign, a draft.

    https://developers.klaviyo.com/en/reference/clone_campaign

    :param campaign_id: Klaviyo's id of it.
    :param name: The copy's name; Klaviyo chooses one where left out.
    """
    return Request("POST", "/api/campaign-clone", json=document("campaign", given(name=name), identity=campaign_id))


def assign_template(*, message_id: str, template_id: str) -> Request[Json]:
    """
    Give a message of a campaign the content of a template: a copy of its own, which later changes do not reach.

    https://developers.klaviyo.com/en/reference/assign_template_to_campaign_message

    :param message_id: Klaviyo's id of the message.
    :param template_id: Klaviyo's id of the template.
    """
    relationships = {"template": {"data": {"type": "template", "id": template_id}}}
    body = document("campaign-message", identity=message_id, relationships=relationships)
    return Request("POST", "/api/campaign-message-assign-template", json=body, replayable=True)

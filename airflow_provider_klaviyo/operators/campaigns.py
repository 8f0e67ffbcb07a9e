# SPDX-License-Identifier: Apache-2.0
"""Operators for campaigns: messages sent to many at once. Those that send them stand in ``campaign_sending``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_klaviyo.api import campaigns
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.filters import contains
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.operators.base import KlaviyoOperator, Verbatim
from airflow_provider_klaviyo.operators.listing import GettingOperator, ListingOperator
from airflow_provider_klaviyo.operators.making import CreatingOperator, DeletingOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_klaviyo.session import Session


class NamedCampaign(CreatingOperator):
    """Make a campaign that has a name."""

    noun = "campaigns"

    def listed(self) -> Request[Json]:
        """Make the request that lists everything which may have the name."""
        return campaigns.list_(filter=contains("name", self.name))

    def named(self, item: Json) -> bool:
        """Say whether an item has exactly the name, upper and lower case told apart."""
        return bool(item["attributes"]["definition"].get("name") == self.name)

    def got(self, identity: str) -> Request[Json]:
        """Make the request that reads one by its id."""
        return campaigns.get(campaign_id=identity)


class KlaviyoCreateCampaignOperator(NamedCampaign):
    """
    Make a campaign, a draft: one message to one audience, or any number of them as Klaviyo takes them.

    https://developers.klaviyo.com/en/reference/create_campaign
    https://developers.klaviyo.com/en/reference/get_campaigns
    In a retry: https://developers.klaviyo.com/en/reference/get_campaign

    :param included: Klaviyo's ids of the lists and segments that get it.
    :param excluded: Klaviyo's ids of the lists and segments whose members do not.
    :param message: What they get, as Klaviyo's ``details`` of a variation: ``{"channel": "email", "subject": "Sale", "preview_text": "...",
        "from_email": "shop@example.com", "from_label": "Shop"}``. Not templated by Airflow.
    :param audiences: In place of ``included`` and ``excluded``: ``{"temporary_id": "a", "name": "...", "included": [...], "excluded": [...]}``.
    :param messages: In place of ``message``: ``{"audience_temporary_id": "a", "name": "...", "variations": [{"definition": {"name": "...",
        "details": {...}}}]}``. Not templated by Airflow.
    :param send_settings: ``{"send_timezone": "UTC", ...}``.
    :param description: What it is for.
    """

    included: Sequence[str] = ()
    excluded: Sequence[str] = ()
    message: Verbatim[Mapping[str, Any] | None] = None
    audiences: Sequence[Mapping[str, Any]] = ()
    messages: Verbatim[Sequence[Mapping[str, Any]]] = ()
    send_settings: Mapping[str, Any] | None = None
    description: str | None = None

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return campaigns.create(
            name=self.name,
            included=self.included,
            excluded=self.excluded,
            message=self.message,
            audiences=self.audiences,
            messages=self.messages,
            send_settings=self.send_settings,
            description=self.description,
        )


class KlaviyoGetCampaignOperator(GettingOperator):
    """
    Read a campaign.

    https://developers.klaviyo.com/en/reference/get_campaign

    :param campaign_id: Klaviyo's id of it.
    """

    campaign_id: str

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return campaigns.get(campaign_id=self.campaign_id, **self.query)


class KlaviyoListCampaignsOperator(ListingOperator):
    """
    Read campaigns, all pages of them.

    https://developers.klaviyo.com/en/reference/get_campaigns

    :return: The campaigns, each with ``id``, ``attributes``, ``relationships``.
    """

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return campaigns.list_(**self.query)


class KlaviyoUpdateCampaignOperator(KlaviyoOperator):
    """
    Change a campaign; its audiences and messages are resources of their own.

    https://developers.klaviyo.com/en/reference/update_campaign

    :param campaign_id: Klaviyo's id of it.
    :param name: Its new name.
    :param description: What it is for.
    :param archived: Whether it is put away.
    :param send_settings: ``{"send_timezone": "UTC", ...}``.
    :return: The campaign: ``id``, ``attributes``, ``relationships``.
    """

    campaign_id: str
    name: str | None = None
    description: str | None = None
    archived: bool | None = None
    send_settings: Mapping[str, Any] | None = None

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return campaigns.update(
            campaign_id=self.campaign_id,
            name=self.name,
            description=self.description,
            archived=self.archived,
            send_settings=self.send_settings,
        )


class KlaviyoDeleteCampaignOperator(DeletingOperator):
    """
    Delete a campaign.

    https://developers.klaviyo.com/en/reference/delete_campaign

    :param campaign_id: Klaviyo's id of it.
    """

    campaign_id: str

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return campaigns.delete(campaign_id=self.campaign_id)


class KlaviyoCloneCampaignOperator(NamedCampaign):
    """
    Make a copy of a campaign, a draft.

    https://developers.klaviyo.com/en/reference/clone_campaign
    https://developers.klaviyo.com/en/reference/get_campaigns
    In a retry: https://developers.klaviyo.com/en/reference/get_campaign

    :param campaign_id: Klaviyo's id of the original.
    """

    campaign_id: str

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return campaigns.clone(campaign_id=self.campaign_id, name=self.name)


class KlaviyoAssignTemplateToCampaignMessageOperator(KlaviyoOperator):
    """
    Give a message of a campaign the content of a template: a copy of its own, which later changes do not reach.

    https://developers.klaviyo.com/en/reference/assign_template_to_campaign_message
    https://developers.klaviyo.com/en/reference/get_campaign

    :param template_id: Klaviyo's id of the template.
    :param message_id: Klaviyo's id of the message.
    :param campaign_id: In its place, that of a campaign with one message.
    :return: The message: ``id``, ``attributes``, ``relationships``.
    """

    template_id: str
    message_id: str | None = None
    campaign_id: str | None = None

    def execute(self, context: Context) -> Any:  # noqa: ARG002
        """Find the message, and give it the template; doing it twice does no harm."""
        if bool(self.message_id) == bool(self.campaign_id):
            raise KlaviyoConfigError("give either message_id or campaign_id")
        with self.hook.session() as klaviyo:
            message_id = self.message_id or self._only_message(klaviyo, self.campaign_id or "")
            return self.result(klaviyo.send(campaigns.assign_template(message_id=message_id, template_id=self.template_id)))

    def _only_message(self, klaviyo: Session, campaign_id: str) -> str:
        found = message_ids(klaviyo, campaign_id)
        if len(found) != 1:
            raise KlaviyoConfigError(f"the campaign {campaign_id} has {len(found)} messages: give the message_id of one")
        return found[0]


def message_ids(klaviyo: Session, campaign_id: str) -> list[str]:
    """
    Read the ids of a campaign's messages.

    :param klaviyo: An open session.
    :param campaign_id: Klaviyo's id of the campaign.
    """
    found = klaviyo.send(campaigns.get(campaign_id=campaign_id, include="campaign-messages"))
    return [each["id"] for each in found.get("included") or () if each["type"] == "campaign-message"]

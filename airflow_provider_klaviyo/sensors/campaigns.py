# SPDX-License-Identifier: Apache-2.0
"""Wait for a campaign: until it is sent."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_klaviyo.api.campaign_sending import Campaign
from airflow_provider_klaviyo.api.request import Json
from airflow_provider_klaviyo.operators.base import Airflows
from airflow_provider_klaviyo.sensors.base import KlaviyoSensor

if TYPE_CHECKING:
    from airflow_provider_klaviyo.triggers.campaigns import KlaviyoCampaignTrigger


class KlaviyoCampaignSensor(KlaviyoSensor):
    """
    Wait until all messages of a campaign are sent; fail as soon as one is cancelled, for whichever reason, or there are none.

    A draft is waited for, and so is a status that this package does not know. The job that sends a campaign may be complete long
    before: this looks at the campaign itself.

    https://developers.klaviyo.com/en/reference/get_campaign

    :param campaign_id: Klaviyo's id of it.
    :param poke_interval: Seconds between two looks.
    :return: ``{"id", "statuses"}``: the campaign's id, and ``Sent`` by the id of each message.
    """

    campaign_id: str
    poke_interval: Airflows[timedelta | float] = 60

    def trigger(self) -> KlaviyoCampaignTrigger:
        """Make the trigger from the rendered fields."""
        from airflow_provider_klaviyo.triggers.campaigns import KlaviyoCampaignTrigger

        return KlaviyoCampaignTrigger(campaign_id=self.campaign_id, **self.waiting)

    def verdict(self, seen: Json) -> Json:
        """Return where the campaign stands, or say why it is not sent."""
        return Campaign.from_data(seen).check().as_data()

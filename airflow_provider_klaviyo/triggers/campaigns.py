# SPDX-License-Identifier: Apache-2.0
"""The awaiting half of whatever waits for campaigns."""

from __future__ import annotations

from http import HTTPStatus
from typing import Unpack

from airflow_provider_klaviyo.api import campaign_sending, campaigns, jobs
from airflow_provider_klaviyo.api.campaign_sending import Campaign
from airflow_provider_klaviyo.api.errors import KlaviyoApiError
from airflow_provider_klaviyo.api.jobs import Job, JobStatus
from airflow_provider_klaviyo.api.request import Json
from airflow_provider_klaviyo.triggers.base import KlaviyoTrigger, Look, Waiting


class KlaviyoCampaignTrigger(KlaviyoTrigger):
    """
    Fires once a campaign is sent or cancelled, or has no messages, when the time is up, or when asking cannot succeed.

    For the other parameters see :class:`~airflow_provider_klaviyo.triggers.base.KlaviyoTrigger`.

    :param campaign_id: Klaviyo's id of it.
    """

    fields = ("campaign_id",)

    def __init__(self, *, campaign_id: str, **waiting: Unpack[Waiting]) -> None:
        super().__init__(**waiting)
        self.campaign_id = campaign_id
        self._campaign = Campaign(campaign_id, {})
        self._warned: list[str] = []

    def look(self) -> Look:
        """Read the campaign and its messages. A status that is not known yet is no end."""
        self._campaign = campaign = Campaign.read((yield campaigns.get(campaign_id=self.campaign_id, include="campaign-messages")))
        if campaign.unknown and campaign.unknown != self._warned:
            self.log.warning("Klaviyo says of the campaign %s what this package does not know: %s", campaign.id, campaign.unknown)
        self._warned = campaign.unknown
        return campaign.over

    def seen(self) -> Json:
        """Return where the campaign stands."""
        return self._campaign.as_data()

    def missing(self) -> str:
        """Say where the campaign stands."""
        return f"the campaign {self.campaign_id} is not sent: {self._campaign.standing}"


class KlaviyoEstimationTrigger(KlaviyoTrigger):
    """
    Fires once the recipients of a campaign are estimated, when the time is up, or when asking cannot succeed.

    Klaviyo may show neither the job nor the estimate for a while, and never does for an account without recipients: that is waited out.

    For the other parameters see :class:`~airflow_provider_klaviyo.triggers.base.KlaviyoTrigger`.

    :param campaign_id: Klaviyo's id of the campaign.
    """

    fields = ("campaign_id",)

    def __init__(self, *, campaign_id: str, **waiting: Unpack[Waiting]) -> None:
        super().__init__(**waiting)
        self.campaign_id = campaign_id
        self._job: Job | None = None
        self._estimate: int | None = None

    def look(self) -> Look:
        """Read the job, and once that is complete the estimate."""
        try:
            job: Job = yield jobs.get(kind="campaign-recipient-estimation", job_id=self.campaign_id)
            self._job = job
            if job.status is JobStatus.COMPLETE:
                found = yield campaign_sending.recipient_estimation(campaign_id=self.campaign_id)
                self._estimate = found["data"]["attributes"]["estimated_recipient_count"]
        except KlaviyoApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return False
        return job.done

    def seen(self) -> Json:
        """Return the job and the estimate, as far as Klaviyo shows them."""
        return {"job": self._job and self._job.as_data(), "estimate": self._estimate}

    def missing(self) -> str:
        """Say how far Klaviyo is, and why it may stay there."""
        standing = f"its job is {self._job.status}" if self._job else "Klaviyo shows no job for it"
        return (
            f"the recipients of the campaign {self.campaign_id} are not estimated ({standing}): an account without anybody to send to is"
            " known to get no estimate at all"
        )

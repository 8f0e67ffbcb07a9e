# SPDX-License-Identifier: Apache-2.0
"""Operators for the sending of campaigns: estimate, schedule, send, stop. What goes to customers goes once."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from datetime import date, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from airflow.sdk import conf

from airflow_provider_klaviyo.api import campaign_sending, campaigns, jobs
from airflow_provider_klaviyo.api.campaign_sending import Campaign, CampaignStatus
from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoConfigError
from airflow_provider_klaviyo.api.jobs import Job, JobStatus
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.operators.base import Journal, KlaviyoOperator, in_doubt

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_klaviyo.session import Session
    from airflow_provider_klaviyo.triggers.base import KlaviyoTrigger, Waiting

STOPPED_ALREADY = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT})
"""What Klaviyo may answer whoever stops what is stopped."""


class WaitingOperator(KlaviyoOperator):
    """
    Start something about a campaign, and wait for its end.

    A retry goes on waiting.

    :param campaign_id: Klaviyo's id of the campaign.
    :param wait_for_completion: Whether to wait; otherwise the task ends when it is started.
    :param deferrable: Whether to wait in the triggerer, without a worker slot.
    :param poll_interval: Seconds between two looks.
    :param job_timeout: Seconds to wait in one try of the task.
    """

    campaign_id: str
    wait_for_completion: bool = True
    deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False)
    poll_interval: float = 10
    job_timeout: float = 86_400

    def trigger(self, waiting: Waiting) -> KlaviyoTrigger:
        """Make the trigger that looks whether it is over; it looks in the worker as well."""
        raise NotImplementedError

    def verdict(self, seen: Json) -> Any:
        """Make what the task returns from what was seen in the end, or raise what is wrong with it."""
        raise NotImplementedError

    def execute(self, context: Context) -> Any:
        """Start it, unless an earlier try did, and wait for it."""
        from airflow_provider_klaviyo.triggers.base import looked, waited_out

        journal, deadline = Journal(context), time.time() + self.job_timeout
        trigger = self.trigger({"klaviyo_conn_id": self.klaviyo_conn_id, "interval": self.poll_interval, "deadline": deadline})
        with self.hook.session() as klaviyo:
            self.send(klaviyo, self.request(), journal)
            while True:
                over = False
                with waited_out(self.log.warning):
                    over = looked(klaviyo, trigger.look())
                if over or self.deferrable or not self.wait_for_completion:
                    break
                if time.time() > deadline:
                    raise TimeoutError(trigger.missing())
                time.sleep(self.poll_interval)
        if over or not self.wait_for_completion:
            return self._ended(trigger.seen(), journal)
        return self.defer(trigger=trigger, method_name="resume", timeout=trigger.patience)

    def resume(self, context: Context, event: Json) -> Any:
        """Go on where the trigger ended."""
        from airflow_provider_klaviyo.triggers.base import outcome

        return self._ended(outcome(event), Journal(context))

    def _ended(self, seen: Json, journal: Journal) -> Any:
        journal.close()  # also where it went wrong: whoever clears this task wants it started again
        return self.verdict(seen)


class KlaviyoEstimateCampaignRecipientsOperator(WaitingOperator):
    """
    Have Klaviyo estimate how many people a campaign goes to.

    https://developers.klaviyo.com/en/reference/refresh_campaign_recipient_estimation
    https://developers.klaviyo.com/en/reference/get_campaign_recipient_estimation_job
    https://developers.klaviyo.com/en/reference/get_campaign_recipient_estimation

    :param job_timeout: Seconds to wait in one try of the task. An account without anybody to send to may never get an estimate.
    :return: The number of people; ``None`` where it is not there yet and the task does not wait.
    """

    job_timeout: float = 600

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return campaign_sending.refresh_recipient_estimation(campaign_id=self.campaign_id)

    def trigger(self, waiting: Waiting) -> KlaviyoTrigger:
        """Make the trigger that looks for the estimate."""
        from airflow_provider_klaviyo.triggers.campaigns import KlaviyoEstimationTrigger

        return KlaviyoEstimationTrigger(campaign_id=self.campaign_id, **waiting)

    def verdict(self, seen: Json) -> int | None:
        """Return the estimate, or say that its job was cancelled."""
        if seen["job"]:
            Job.from_data(seen["job"]).check()
        estimate: int | None = seen["estimate"]
        return estimate


class KlaviyoScheduleCampaignOperator(KlaviyoOperator):
    """
    Have all messages of a campaign sent at a time, also those that are scheduled for another.

    Where one of them is on its way, or was cancelled, nothing is scheduled.

    https://developers.klaviyo.com/en/reference/schedule_campaign
    https://developers.klaviyo.com/en/reference/get_campaign

    :param campaign_id: Klaviyo's id of the campaign.
    :param send_time: When, for all strategies but ``smart_send_time``; with a time zone.
    :param send_date: On which day, for ``smart_send_time``.
    :param strategy: ``static``: at once for all; ``local_timezone``: at that time of each recipient's day; ``throttled``: bit by bit;
        ``smart_send_time``: when it is opened most.
    :param throttled_options: For ``throttled``: ``{"throttling_percentage": 20, "throttle_unit": "hour"}``.
    :param timezone_options: For ``local_timezone``: ``{"send_past_timezones_tomorrow": True}``.
    :return: ``{"id", "statuses"}``: the campaign's id, and where each of its messages stands, by its id.
    """

    campaign_id: str
    send_time: datetime | None = None
    send_date: date | None = None
    strategy: campaign_sending.Strategy = "static"
    throttled_options: Mapping[str, Any] | None = None
    timezone_options: Mapping[str, Any] | None = None

    def scheduled(self, message_ids: list[str]) -> Request[Json]:
        """Make the request for some messages."""
        return campaign_sending.schedule(
            campaign_id=self.campaign_id,
            message_ids=message_ids,
            send_time=self.send_time,
            send_date=self.send_date,
            strategy=self.strategy,
            throttled_options=self.throttled_options,
            timezone_options=self.timezone_options,
        )

    def execute(self, context: Context) -> Json:  # noqa: ARG002
        """Read which messages there are, and schedule them; doing it twice does no harm."""
        self.scheduled(["any"])  # wrong arguments are refused before anything is asked
        with self.hook.session() as klaviyo:
            found = read(klaviyo, self.campaign_id).check_new().check()
            klaviyo.send(self.scheduled(sorted(found.statuses)))
            return read(klaviyo, self.campaign_id).as_data()


class KlaviyoSendCampaignOperator(WaitingOperator):
    """
    Send a campaign now, once. Nobody can take it back.

    A campaign of which any message is on its way, is scheduled, or is about to be sent by a job is refused before anything is sent.
    After a try whose outcome is not known, the next looks whether the campaign has moved or its job is there; where neither is so,
    or somebody has scheduled it since, Klaviyo may still begin, and the task fails in doubt.

    https://developers.klaviyo.com/en/reference/send_campaign
    https://developers.klaviyo.com/en/reference/get_campaign
    https://developers.klaviyo.com/en/reference/get_campaign_send_job

    :param wait_for_completion: Whether to wait until all of its messages are sent; otherwise the task ends when the sending is
        started.
    :return: ``{"id", "statuses"}``: the campaign's id, and where each of its messages stands, by its id.
    """

    wait_for_completion: bool = True
    poll_interval: float = 60

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return campaign_sending.send(campaign_id=self.campaign_id)

    def trigger(self, waiting: Waiting) -> KlaviyoTrigger:
        """Make the trigger that the campaign sensor waits with."""
        from airflow_provider_klaviyo.triggers.campaigns import KlaviyoCampaignTrigger

        return KlaviyoCampaignTrigger(campaign_id=self.campaign_id, **waiting)

    def verdict(self, seen: Json) -> Json:
        """Return where the campaign stands, or say why it is not sent."""
        return Campaign.from_data(seen).check().as_data()

    def note(self, klaviyo: Session) -> Json:
        """Note where the campaign and its job stand, unless it goes out without this."""
        campaign = read(klaviyo, self.campaign_id).check_new()
        if campaign.scheduled:
            raise KlaviyoConfigError(f"the campaign {campaign.id} is {campaign.standing}: revert it first to send it now")
        job = job_status(klaviyo, self.campaign_id)
        if job in {JobStatus.QUEUED, JobStatus.PROCESSING}:
            raise KlaviyoConfigError(f"Klaviyo is about to send the campaign {campaign.id}, its job is {job}: it goes out once")
        return {"statuses": dict(campaign.statuses), "job": job}

    def recall(self, klaviyo: Session, request: Request[Any], journal: Journal) -> Any:
        """Look whether anything has moved since; where nothing has, nobody can tell."""
        campaign = read(klaviyo, self.campaign_id)
        before = Campaign(campaign.id, journal.get("statuses") or {})
        moved = campaign.going or (campaign.cancelled and not before.cancelled)
        started = job_status(klaviyo, self.campaign_id) not in {None, JobStatus.CANCELLED, journal.get("job")}
        if moved or (started and not campaign.scheduled):  # what somebody has scheduled may have a job as well
            return {"data": {"type": "campaign-send-job", "id": self.campaign_id}}
        raise in_doubt(request, journal)


class KlaviyoCancelCampaignSendOperator(KlaviyoOperator):
    """
    Stop a campaign that is scheduled or being sent. What has left is not called back.

    Where Klaviyo refuses, for it is stopped already, all is well: its messages stand as asked, and no job is going to send them.

    https://developers.klaviyo.com/en/reference/cancel_campaign_send
    https://developers.klaviyo.com/en/reference/get_campaign
    https://developers.klaviyo.com/en/reference/get_campaign_send_job

    :param campaign_id: Klaviyo's id of the campaign.
    :param action: ``cancel``: for good; ``revert``: it becomes a draft.
    :return: ``{"id", "statuses"}``: the campaign's id, and where each of its messages stands, by its id.
    """

    campaign_id: str
    action: campaign_sending.Action = "cancel"

    def execute(self, context: Context) -> Json:  # noqa: ARG002
        """Stop it, and see whether a refusal means that it is stopped already."""
        request = campaign_sending.cancel_send(campaign_id=self.campaign_id, action=self.action)
        with self.hook.session() as klaviyo:
            never = self.action == "revert" and self._stands(klaviyo, CampaignStatus.DRAFT, {None})
            try:
                klaviyo.send(request)  # also where it seems to be of no use: what is seen may be behind
            except KlaviyoApiError as error:
                wanted = CampaignStatus.DRAFT if self.action == "revert" else CampaignStatus.CANCELLED
                if error.status not in STOPPED_ALREADY or not self._stands(klaviyo, wanted, {None, JobStatus.CANCELLED}):
                    raise
                self.log.info("Klaviyo refused, and the campaign does not go out.")
            if never:
                raise KlaviyoConfigError(f"the campaign {self.campaign_id} was a draft without a job: there was nothing to revert")
            return read(klaviyo, self.campaign_id).as_data()

    def _stands(self, klaviyo: Session, status: CampaignStatus, job_in: Collection[str | None]) -> bool:
        """Say whether all messages have a status, and the job that sends them one of some."""
        return job_status(klaviyo, self.campaign_id) in job_in and set(read(klaviyo, self.campaign_id).statuses.values()) == {status}


def read(klaviyo: Session, campaign_id: str) -> Campaign:
    """
    Read how far a campaign is.

    :param klaviyo: An open session.
    :param campaign_id: Klaviyo's id of it.
    """
    return Campaign.read(klaviyo.send(campaigns.get(campaign_id=campaign_id, include="campaign-messages")))


def job_status(klaviyo: Session, campaign_id: str) -> str | None:
    """
    Read how far the job is that sends a campaign; ``None`` where there is none.

    :param klaviyo: An open session.
    :param campaign_id: Klaviyo's id of the campaign.
    """
    try:
        return klaviyo.send(jobs.get(kind="campaign-send", job_id=campaign_id)).status.value
    except KlaviyoApiError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return None

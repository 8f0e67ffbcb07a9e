# SPDX-License-Identifier: Apache-2.0
"""The sending of campaigns: when, to how many, and how far it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Literal, get_args

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError, KlaviyoError
from airflow_provider_klaviyo.api.jsonapi import document, given, reading
from airflow_provider_klaviyo.api.redaction import redacted
from airflow_provider_klaviyo.api.request import Json, Request, at

Action = Literal["cancel", "revert"]
Strategy = Literal["static", "local_timezone", "throttled", "smart_send_time"]


class CampaignStatus(StrEnum):
    """
    Where a campaign stands, in the words of the revisions before 2026-10-15.

    From that one on its messages have a status and it has none; their words are five of these, in lower case.
    """

    ADDING_RECIPIENTS = "Adding Recipients"
    CANCELLED = "Cancelled"
    CANCELLED_ACCOUNT_DISABLED = "Cancelled: Account Disabled"
    CANCELLED_BILLING_LIMIT = "Cancelled: Billing Limit"
    CANCELLED_INTERNAL_ERROR = "Cancelled: Internal Error"
    CANCELLED_MISCONFIGURED = "Cancelled: Misconfigured"
    CANCELLED_NO_RECIPIENTS = "Cancelled: No Recipients"
    CANCELLED_SMART_SENDING = "Cancelled: Smart Sending"
    DRAFT = "Draft"
    PREPARING_TO_SCHEDULE = "Preparing to schedule"
    PREPARING_TO_SEND = "Preparing to send"
    QUEUED_WITHOUT_RECIPIENTS = "Queued without Recipients"
    SCHEDULED = "Scheduled"
    SENDING = "Sending"
    SENDING_SEGMENTS = "Sending Segments"
    SENT = "Sent"
    UNKNOWN = "Unknown"
    VARIATIONS_SENT = "Variations Sent"

    @classmethod
    def _missing_(cls, value: object) -> CampaignStatus | None:
        """Read a word whatever its case."""
        return next((each for each in cls if each.casefold() == str(value).casefold()), None)


GOING = frozenset(
    {
        CampaignStatus.ADDING_RECIPIENTS,
        CampaignStatus.PREPARING_TO_SEND,
        CampaignStatus.QUEUED_WITHOUT_RECIPIENTS,
        CampaignStatus.SENDING,
        CampaignStatus.SENDING_SEGMENTS,
        CampaignStatus.SENT,
        CampaignStatus.VARIATIONS_SENT,
    }
)
"""Statuses of what is being sent, or has been."""

WAITING = frozenset({CampaignStatus.PREPARING_TO_SCHEDULE, CampaignStatus.SCHEDULED})
"""Statuses of what goes out by itself, at its time."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """
    How far the sending of a campaign is, as Klaviyo last told it.

    :param id: Klaviyo's id of it.
    :param statuses: Where each of its messages stands, by the message's id; where an older revision tells it of the campaign,
        that, by the campaign's id. Words of :class:`CampaignStatus` as they stand there, others as Klaviyo wrote them.
    """

    id: str
    statuses: Mapping[str, str]

    @classmethod
    def read(cls, answer: Json) -> Campaign:
        """
        Read the answer of :func:`~airflow_provider_klaviyo.api.campaigns.get` with ``include="campaign-messages"``.

        :raises KlaviyoError: It is no campaign.
        """
        match answer.get("data"):
            case {"type": "campaign", "id": str(campaign_id), "attributes": dict(told)}:
                messages = {campaign_id: told} if told.get("status") else _messages(answer)
                return cls(campaign_id, {each: _status(about.get("status")) for each, about in messages.items()})
        raise KlaviyoError("Klaviyo answered with what is no campaign: it has no type, id or attributes")

    @classmethod
    def from_data(cls, data: Json) -> Campaign:
        """Rebuild what :meth:`as_data` wrote."""
        return cls(**data)

    def as_data(self) -> Json:
        """Return it in JSON's own types, for an XCom or a trigger's event."""
        return {"id": self.id, "statuses": dict(self.statuses)}

    @property
    def sent(self) -> bool:
        """Whether all of it is sent."""
        return set(self.statuses.values()) == {CampaignStatus.SENT}

    @property
    def cancelled(self) -> bool:
        """Whether any of it was cancelled, for whichever reason."""
        return any(each.casefold().startswith("cancelled") for each in self.statuses.values())

    @property
    def going(self) -> bool:
        """Whether any of it is being sent, or has been."""
        return not GOING.isdisjoint(self.statuses.values())

    @property
    def scheduled(self) -> bool:
        """Whether any of it goes out by itself, at its time."""
        return not WAITING.isdisjoint(self.statuses.values())

    @property
    def standing(self) -> str:
        """Its statuses in a word or a few."""
        return ", ".join(sorted(set(self.statuses.values()))) or "without messages"

    @property
    def unknown(self) -> list[str]:
        """Statuses that this package does not know."""
        return sorted(set(self.statuses.values()) - set(CampaignStatus))

    @property
    def over(self) -> bool:
        """Whether there is nothing to wait for: it is sent, cancelled, or has no messages."""
        return self.sent or self.cancelled or not self.statuses

    def check_new(self) -> Campaign:
        """
        Return it, if it has messages and none of them is on its way.

        :raises KlaviyoConfigError: It has none, or some go out for a second time.
        """
        if not self.statuses:
            raise KlaviyoConfigError(f"the campaign {self.id} has no messages: there is nothing to send")
        if self.going:
            gone = ", ".join(f"{message} is {status}" for message, status in self.statuses.items() if status in GOING)
            raise KlaviyoConfigError(f"of the campaign {self.id}, {gone}: it goes out once; clone it to send it again")
        return self

    def check(self) -> Campaign:
        """
        Return it, sent or still to be.

        :raises KlaviyoError: It was cancelled, or has no messages that could be sent.
        """
        if not self.statuses:
            raise KlaviyoError(f"the campaign {self.id} has no messages: there is nothing to send")
        if self.cancelled:
            raise KlaviyoError(f"the campaign {self.id} was not sent as a whole: {self.standing}")
        return self


def schedule(
    *,
    campaign_id: str,
    message_ids: Sequence[str],
    send_time: datetime | None = None,
    send_date: date | None = None,
    strategy: Strategy = "static",
    throttled_options: Mapping[str, Any] | None = None,
    timezone_options: Mapping[str, Any] | None = None,
) -> Request[Json]:
    """
    Have messages of a campaign sent at a time. To ask for the same time again does no harm.

    https://developers.klaviyo.com/en/reference/schedule_campaign

    :param campaign_id: Klaviyo's id of the campaign.
    :param message_ids: Klaviyo's ids of its messages.
    :param send_time: When, for all strategies but ``smart_send_time``. It needs a time zone.
    :param send_date: On which day, for ``smart_send_time``.
    :param strategy: ``static``: at once for all; ``local_timezone``: at that time of each recipient's day; ``throttled``: bit by bit;
        ``smart_send_time``: when it is opened most.
    :param throttled_options: For ``throttled``: ``{"throttling_percentage": 20, "throttle_unit": "hour"}``.
    :param timezone_options: For ``local_timezone``: ``{"send_past_timezones_tomorrow": True}``.
    :raises KlaviyoConfigError: No message, a time without its zone, or not what the strategy needs.
    """
    if strategy not in get_args(Strategy):
        raise KlaviyoConfigError(f"strategy is one of {', '.join(get_args(Strategy))}")
    if isinstance(message_ids, str) or not message_ids:
        raise KlaviyoConfigError("message_ids is a list of ids, and not empty")
    smart = strategy == "smart_send_time"
    if (send_date is None) == smart or (send_time is None) != smart:
        raise KlaviyoConfigError("smart_send_time takes a send_date, every other strategy a send_time")
    if send_time is not None and send_time.tzinfo is None:
        raise KlaviyoConfigError("send_time has no time zone: nobody can tell when it is")
    if (strategy == "throttled") != (throttled_options is not None):
        raise KlaviyoConfigError("the strategy throttled takes throttled_options, no other does")
    if timezone_options is not None and strategy != "local_timezone":
        raise KlaviyoConfigError("timezone_options belong to the strategy local_timezone")
    plan = given(
        strategy=strategy,
        send_time=send_time and send_time.isoformat(),
        send_date=send_date and send_date.isoformat(),
        throttled_options=throttled_options,
        timezone_options=timezone_options,
    )
    attributes = {"message_schedules": [{"message_id": each, **plan} for each in message_ids]}
    relationships = {"campaign": {"data": {"type": "campaign", "id": campaign_id}}}
    body = document("campaign-schedule", attributes, relationships=relationships)
    return Request("POST", "/api/campaign-schedule", json=body, replayable=True)


def send(*, campaign_id: str) -> Request[Json]:
    """
    Send a campaign now; :func:`~airflow_provider_klaviyo.api.jobs.get` reads the job.

    https://developers.klaviyo.com/en/reference/send_campaign

    :param campaign_id: Klaviyo's id of it, and of the job.
    """
    return Request("POST", "/api/campaign-send-jobs", json=document("campaign-send-job", identity=campaign_id))


def cancel_send(*, campaign_id: str, action: Action) -> Request[Json]:
    """
    Stop a campaign that is scheduled or being sent.

    https://developers.klaviyo.com/en/reference/cancel_campaign_send

    :param campaign_id: Klaviyo's id of it.
    :param action: ``cancel``: for good; ``revert``: it becomes a draft.
    :raises KlaviyoConfigError: Another action.
    """
    if action not in get_args(Action):
        raise KlaviyoConfigError(f"action is one of {', '.join(get_args(Action))}")
    body = document("campaign-send-job", {"action": action}, identity=campaign_id)
    return Request("PATCH", at("/api/campaign-send-jobs/{}", campaign_id), json=body, replayable=True)


def refresh_recipient_estimation(*, campaign_id: str) -> Request[Json]:
    """
    Have the recipients of a campaign estimated; :func:`~airflow_provider_klaviyo.api.jobs.get` reads the job.

    https://developers.klaviyo.com/en/reference/refresh_campaign_recipient_estimation

    :param campaign_id: Klaviyo's id of it, and of the job.
    """
    body = document("campaign-recipient-estimation-job", identity=campaign_id)
    return Request("POST", "/api/campaign-recipient-estimation-jobs", json=body, replayable=True)


def recipient_estimation(*, campaign_id: str) -> Request[Json]:
    """
    Read how many recipients of a campaign were estimated.

    https://developers.klaviyo.com/en/reference/get_campaign_recipient_estimation

    :param campaign_id: Klaviyo's id of it.
    """
    return reading(at("/api/campaign-recipient-estimations/{}", campaign_id))


def _messages(answer: Json) -> dict[str, Json]:
    """Return what the included messages are told to be, by their ids."""
    included = answer.get("included") or []
    return {each["id"]: each["attributes"].get("definition") or {} for each in included if each.get("type") == "campaign-message"}


def _status(told: Any) -> str:
    """Return a known status as it is written here, a new one without anything personal in it, and a draft where there is none."""
    if told is None:
        return CampaignStatus.DRAFT.value
    try:
        return CampaignStatus(told).value
    except ValueError:
        return redacted(str(told))

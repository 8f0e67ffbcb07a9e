# SPDX-License-Identifier: Apache-2.0
"""Bodies of campaigns, as pydantic models: what they are made of, and when they are sent."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from airflow_provider_klaviyo.sandbox.klaviyo import bodies
from airflow_provider_klaviyo.sandbox.klaviyo.bodies import Strict

Percentage = Literal[1, 2, 5, 10, 11, 13, 14, 17, 20, 25, 33, 50]


class SendSettings(Strict):
    """How a campaign is sent."""

    send_timezone: str | None = None
    send_strategy: str | None = None
    send_passed_rltz_immediately: bool | None = None
    exit_condition_enabled: bool | None = None
    exit_condition_conversion_metric_id: str | None = None


class Definition(Strict):
    """What a campaign is."""

    name: str | None = None
    builder: Literal["canvas", "wizard"] | None = None
    archived: bool | None = None
    color: Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{6}$")] | None = None
    description: str | None = None
    send_settings: SendSettings | None = None


class Audience(Strict):
    """Who gets a campaign."""

    temporary_id: str
    name: str | None = None
    included: list[str] | None = None
    excluded: list[str] | None = None


class Email(Strict):
    """Content of an e-mail."""

    channel: Literal["email"]
    template_id: str | None = None
    from_label: str = ""
    from_email: str = ""
    reply_to_email: str = ""
    cc_email: str = ""
    bcc_email: str = ""
    subject: str = ""
    preview_text: str = ""


class Sms(Strict):
    """Content of a text message."""

    channel: Literal["sms"]
    template_id: str | None = None
    body: str = ""
    shorten_links: bool | None = None
    include_contact_card: bool | None = None
    add_org_prefix: bool | None = None
    add_info_link: bool | None = None
    add_opt_out_language: bool | None = None
    mms_static_image_asset_id: int | None = None
    mms_dynamic_image_template: str | None = None
    text_message_type: Literal["MMS", "RCS", "SMS"] = "SMS"
    message_hierarchy: Any = None


class Push(Strict):
    """Content of a push notification."""

    channel: Literal["push"]
    title: str = ""
    body: str = ""
    badge: bool = False
    badge_config: Literal["increment-one", "set-count", "set-property"] = "increment-one"
    badge_value: str = "1"
    sound: bool = False
    sound_file_name: str = ""
    static_asset_id: int | None = None
    video_asset_id: str | None = None
    dynamic_media_template: str = ""
    open_action: int = 0
    kv_pairs: dict[str, Any] | None = None
    push_type: Literal["silent", "standard"] = "standard"
    ios_deep_link: str | None = None
    android_deep_link: str | None = None
    web_url: str | None = None
    content_available: bool | None = None
    mutable_content: bool | None = None
    action_buttons: list[dict[str, Any]] | None = None


class Whatsapp(Strict):
    """Content of a WhatsApp message."""

    channel: Literal["whatsapp"]
    template_id: str | None = None
    shorten_links: bool = True


class VariationDefinition(Strict):
    """What a variation is."""

    name: str | None = None
    details: Annotated[Email | Sms | Push | Whatsapp, Field(discriminator="channel")] | None = None


class Variation(Strict):
    """One of the contents of a message."""

    definition: VariationDefinition


class Message(Strict):
    """What an audience gets."""

    audience_temporary_id: str
    name: str | None = None
    is_add_utm: bool | None = None
    throttling_type: Literal["FOR_CAMPAIGNS", "FOR_CAMPAIGNS_AND_FLOWS", "FOR_FLOWS", "NONE"] | None = None
    variations: list[Variation] | None = None


class New(Strict):
    """Attributes of a new campaign."""

    definition: Definition
    audiences: list[Audience] | None = None
    messages: list[Message] | None = None

    @model_validator(mode="after")
    def _has_every_audience(self) -> New:
        known = [each.temporary_id for each in self.audiences or ()]
        if len(set(known)) < len(known) or any(each.audience_temporary_id not in known for each in self.messages or ()):
            raise ValueError("Each audience needs a temporary_id of its own, and each message the audience_temporary_id of one.")
        return self


class Change(Strict):
    """Attributes of a changed campaign."""

    definition: Definition


class Copy(Strict):
    """Attributes of a copy."""

    name: str | None = None


class Template(Strict):
    """What a message is given."""

    template: bodies.one_of("template")  # type: ignore[valid-type]


class Throttle(Strict):
    """How a message is sent bit by bit."""

    throttling_percentage: Percentage
    throttle_unit: Literal["hour", "minute"] | None = None


class Timezone(Strict):
    """How a message is sent at the recipients' own time."""

    send_past_timezones_tomorrow: bool | None = None


class MessageSchedule(Strict):
    """When a message is sent."""

    message_id: str
    strategy: Literal["static", "local_timezone", "throttled", "smart_send_time"]
    send_time: AwareDatetime | None = None
    send_date: date | None = None
    throttled_options: Throttle | None = None
    timezone_options: Timezone | None = None

    @model_validator(mode="after")
    def _has_what_its_strategy_needs(self) -> MessageSchedule:
        if (self.strategy == "smart_send_time") != (self.send_date is not None) or (self.send_date is None) != (self.send_time is not None):
            raise ValueError("'send_date' is required for the strategy smart_send_time, 'send_time' for every other.")
        if self.strategy == "throttled" and self.throttled_options is None:
            raise ValueError("'throttled_options' is required for the strategy throttled.")
        return self


class Schedule(Strict):
    """When the messages of a campaign are sent."""

    message_schedules: Annotated[list[MessageSchedule], Field(min_length=1)]


class Campaign(Strict):
    """Which campaign it is."""

    campaign: bodies.one_of("campaign")  # type: ignore[valid-type]


class Stop(Strict):
    """How a campaign is stopped."""

    action: Literal["cancel", "revert"]


CREATE = bodies.document("campaign", New)
UPDATE = bodies.document("campaign", Change, identified=True)
CLONE = bodies.document("campaign", Copy, identified=True)
ASSIGN = bodies.document("campaign-message", identified=True, relationships=Template, needed=True)
SCHEDULE = bodies.document("campaign-schedule", Schedule, relationships=Campaign, needed=True)
SEND = bodies.document("campaign-send-job", identified=True)
STOP = bodies.document("campaign-send-job", Stop, identified=True)
ESTIMATE = bodies.document("campaign-recipient-estimation-job", identified=True)

# SPDX-License-Identifier: Apache-2.0
"""
The conditions of a segment, as the specification has them, told apart by ``type``.

Which filters go with which channel and consent is not checked, nor which with which prediction.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from airflow_provider_klaviyo.sandbox.klaviyo.bodies import Strict
from airflow_provider_klaviyo.sandbox.klaviyo.segment_filters import (
    Happened,
    Joined,
    Numeric,
    OfConsent,
    OfEvent,
    OfObject,
    OfPrediction,
    OfProfile,
    Within,
)


class Property(Strict):
    """What a property of an event has to be."""

    property: str
    filter: OfEvent | None = None


class Status(Strict):
    """How, or when, a consent was given."""

    field: str
    method: str | None = None
    filter: OfConsent | None = None


class Consent(Strict):
    """A consent to a channel."""

    subscription: Literal["any", "subscribed", "unsubscribed", "never_subscribed"]
    filters: list[Status] | None = None


class Channel(Strict):
    """Whether a channel may be used."""

    channel: Literal["email", "sms", "push"]
    can_receive_marketing: bool
    consent_status: Consent


class Step(Strict):
    """One step of a funnel."""

    metric_exists: bool
    metric_id: str
    metric_filters: list[Property] | None = None


class Object(Strict):
    """What a property of a custom object has to be."""

    property_id: int
    filter: OfObject


class Permission(Strict):
    """Whether somebody can be reached."""

    reachable_status: Literal[
        "explicitly_reachable", "implicitly_reachable", "implicitly_or_explicitly_reachable",
        "explicitly_unreachable", "implicitly_unreachable", "implicitly_or_explicitly_unreachable",
    ]  # fmt: skip
    filters: list[Status] | None = None


class Membership(Strict):
    """Who is in a list, or in none of some; the time is that of joining, and there is none for who is not in it."""

    type: Literal["profile-group-membership"]
    is_member: bool
    group_ids: Annotated[list[str], Field(min_length=1)]
    timeframe_filter: Joined | None = None

    @model_validator(mode="after")
    def _joined_if_at_all(self) -> Membership:
        if not self.is_member and self.timeframe_filter is not None:
            raise ValueError("Only members have a timeframe_filter.")
        return self


class Metric(Strict):
    """Who did something so often."""

    type: Literal["profile-metric"]
    metric_id: str
    measurement: Literal["count", "sum"]
    measurement_filter: Numeric
    timeframe_filter: Happened
    metric_filters: list[Property] | None = None


class Funnel(Strict):
    """Who did one thing after the other."""

    type: Literal["profile-metric-funnel"]
    timeframe_filter: Within
    completion_window_seconds: (
        Literal["DAYS_1", "DAYS_180", "DAYS_3", "DAYS_30", "DAYS_5", "DAYS_90", "HOURS_1", "WEEKS_1", "YEARS_1"] | None
    ) = None
    steps: list[Step]


class Marketing(Strict):
    """Who may be written to."""

    type: Literal["profile-marketing-consent"]
    consent: Channel


class Attribute(Strict):
    """Of whom something is known."""

    type: Literal["profile-property"]
    property: str
    filter: OfProfile


class Distance(Strict):
    """Who is near, or far."""

    type: Literal["profile-postal-code-distance"]
    country_code: str
    postal_code: str
    unit: Literal["kilometers", "miles"]
    filter: Numeric


class Region(Strict):
    """Who is in a part of the world."""

    type: Literal["profile-region"]
    in_region: bool
    region: Literal["european_union", "united_states"]


class Prediction(Strict):
    """Of whom something is foreseen."""

    type: Literal["profile-predictive-analytics"]
    dimension: Literal[
        "average_days_between_orders", "average_order_value", "channel_affinity", "churn_probability", "expected_date_of_next_purchase",
        "historic_clv", "historic_number_of_orders", "predicted_clv", "predicted_gender", "predicted_number_of_orders", "total_clv",
    ]  # fmt: skip
    measurement: Literal["priority", "rank"] | None = None
    predicted_channel: Literal["email", "push", "sms", "whatsapp"] | None = None
    filter: OfPrediction


class Custom(Strict):
    """Who has objects of the account's own type."""

    type: Literal["profile-has-custom-object"]
    object_type_id: str
    object_type_relationship_id: str
    filter: Numeric
    filters: list[Object]


class Reachable(Strict):
    """Who can be reached on a channel."""

    type: Literal["profile-permissions"]
    permission: Permission
    channel: Literal["whatsapp_marketing", "whatsapp_transactional"]


Condition = Annotated[
    Membership | Metric | Funnel | Marketing | Attribute | Distance | Region | Prediction | Custom | Reachable,
    Field(discriminator="type"),
]

# SPDX-License-Identifier: Apache-2.0
"""Bodies of requests about what people agreed to, and the rules that hold across their fields."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, field_validator

from airflow_provider_klaviyo.sandbox.klaviyo import checks
from airflow_provider_klaviyo.sandbox.klaviyo.bodies import Strict, document, one_of, parse
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Call
from airflow_provider_klaviyo.sandbox.klaviyo.database import moment
from airflow_provider_klaviyo.sandbox.klaviyo.problems import Problem, Refused

ROWS = "/data/attributes/profiles/data"
NEEDS = {"email": "email", "sms": "phone_number", "whatsapp": "phone_number"}


def _by(check: checks.Check) -> AfterValidator:
    """Make a validator of a check that returns what is wrong."""

    def validate(value: Any) -> Any:
        if fault := check(value):
            raise ValueError(fault)
        return value

    return AfterValidator(validate)


Email = Annotated[str, _by(checks.PROFILE["email"])]
Phone = Annotated[str, _by(checks.PROFILE["phone_number"])]


class NoNull(Strict):
    """An object whose fields may be left out, and may not be null."""

    @field_validator("*")
    @classmethod
    def _is_there(cls, value: Any) -> Any:
        if value is None:
            raise ValueError("This field may not be null.")
        return value


class Yes(Strict):
    """A yes, and in a historical import when it was given."""

    consent: Literal["SUBSCRIBED"]
    consented_at: AwareDatetime | None = None


class Tracked(Strict):
    """A yes to being followed, which has no date."""

    consent: Literal["SUBSCRIBED"]


class YesByEmail(NoNull):
    """Yes to e-mail."""

    marketing: Yes | None = None
    open_tracking: Tracked | None = None
    click_tracking: Tracked | None = None


class YesByPhone(NoNull):
    """Yes to text messages, or to WhatsApp."""

    marketing: Yes | None = None
    transactional: Yes | None = None


class YesTo(NoNull):
    """The channels somebody says yes to."""

    email: YesByEmail | None = None
    sms: YesByPhone | None = None
    whatsapp: YesByPhone | None = None


class Subscriber(Strict):
    """Who says yes."""

    email: Email | None = None
    phone_number: Phone | None = None
    age_gated_date_of_birth: date | None = None
    subscriptions: YesTo


class SubscriberRow(Strict):
    """Who says yes, as a resource."""

    type: Literal["profile"]
    id: str | None = None
    attributes: Subscriber


class Subscribers(Strict):
    """All who say yes."""

    data: Annotated[list[SubscriberRow], Field(min_length=1, max_length=1000)]


class Subscribing(Strict):
    """The attributes of a request to subscribe."""

    profiles: Subscribers
    custom_source: str | None = None
    historical_import: bool | None = None


class No(Strict):
    """A no."""

    consent: Literal["UNSUBSCRIBED"]


class NoByEmail(NoNull):
    """No to e-mail."""

    marketing: No | None = None
    open_tracking: No | None = None
    click_tracking: No | None = None


class NoByText(NoNull):
    """No to text messages."""

    marketing: No | None = None
    transactional: No | None = None


class NoByWhatsApp(NoByText):
    """No to WhatsApp."""

    conversational: No | None = None


class NoTo(NoNull):
    """The channels somebody says no to."""

    email: NoByEmail | None = None
    sms: NoByText | None = None
    whatsapp: NoByWhatsApp | None = None


class Leaver(Strict):
    """Who says no."""

    email: Email | None = None
    phone_number: Phone | None = None
    subscriptions: NoTo


class LeaverRow(Strict):
    """Who says no, as a resource."""

    type: Literal["profile"]
    attributes: Leaver


class Leavers(Strict):
    """All who say no."""

    data: Annotated[list[LeaverRow], Field(min_length=1, max_length=100)]


class Unsubscribing(Strict):
    """The attributes of a request to unsubscribe."""

    profiles: Leavers


class FromList(NoNull):
    """The list it is about."""

    list: one_of("list") | None = None  # type: ignore[valid-type]


SUBSCRIBE = document("profile-subscription-bulk-create-job", Subscribing, relationships=FromList)
UNSUBSCRIBE = document("profile-subscription-bulk-delete-job", Unsubscribing, relationships=FromList)


def subscribing(call: Call) -> Any:
    """
    Check a request to subscribe.

    :param call: The call.
    :return: Its ``data``.
    :raises Refused: 400, with a pointer to each thing that is wrong; 501 where it is about push.
    """
    _no_push(call)
    data = parse(call, SUBSCRIBE)
    call.refuse([*_about_people(call, data), *_dates(call, data), *_ages(call, data)])
    return data


def unsubscribing(call: Call) -> Any:
    """
    Check a request to unsubscribe.

    :param call: The call.
    :return: Its ``data``.
    :raises Refused: 400, with a pointer to each thing that is wrong; 501 where it is about push.
    """
    _no_push(call)
    data = parse(call, UNSUBSCRIBE)
    call.refuse(list(_about_people(call, data)))
    return data


def channels(model: BaseModel) -> Iterator[tuple[str, str, Any]]:
    """Yield the channels of somebody's subscriptions: the medium, what for, and what was said."""
    for medium in type(model).model_fields:
        kinds = getattr(model, medium)
        for kind in type(kinds).model_fields if kinds else ():
            if said := getattr(kinds, kind):
                yield medium, kind, said


def _no_push(call: Call) -> None:
    """Say that push is not emulated: it is in the specification, with tokens that belong to apps."""
    match call.body:
        case {"data": {"attributes": {"profiles": {"data": list(rows)}}}}:
            for at, row in enumerate(rows):
                match row:
                    case {"attributes": {"subscriptions": {"push": _}}}:
                        problem = Problem("The sandbox does not emulate push subscriptions.", f"{ROWS}/{at}/attributes/subscriptions/push")
                        raise Refused(501, "not_emulated", problem)


def _rows(data: Any) -> Iterator[tuple[str, Any]]:
    for at, row in enumerate(data.attributes.profiles.data):
        yield f"{ROWS}/{at}/attributes", row.attributes


def _about_people(call: Call, data: Any) -> Iterator[Problem]:
    regions = call.state.behaviour.sms_regions
    for where, person in _rows(data):
        media = {medium for medium, *_ in channels(person.subscriptions)}
        if not media:
            yield Problem("At least one channel is required.", f"{where}/subscriptions")
        for medium in sorted(media):
            if not getattr(person, NEEDS[medium]):
                detail = f"'{NEEDS[medium]}' must not be empty when the {medium} channel is included in 'subscriptions'."
                yield Problem(detail, f"{where}/{NEEDS[medium]}")
        if "sms" in media and regions is not None and person.phone_number and not person.phone_number.startswith(tuple(regions)):
            yield Problem("Phone number is valid but is not in a supported region for this account.", f"{where}/phone_number")


def _dates(call: Call, data: Any) -> Iterator[Problem]:
    historical, now = data.attributes.historical_import, moment(call.state.now())
    for where, person in _rows(data):
        for medium, kind, said in channels(person.subscriptions):
            here = f"{where}/subscriptions/{medium}/{kind}/consented_at"
            if isinstance(said, Tracked):
                continue
            if historical and (said.consented_at is None or said.consented_at >= now):
                yield Problem(f"Historical {medium} subscription does not have a valid consented_at timestamp.", here)
            elif not historical and said.consented_at is not None:
                yield Problem("'consented_at' must not be set unless 'historical_import' is.", here)


def _ages(call: Call, data: Any) -> Iterator[Problem]:
    for where, person in _rows(data):
        if call.state.behaviour.age_gating and person.subscriptions.sms and person.age_gated_date_of_birth is None:
            yield Problem("A date of birth is required: the account uses age-gating.", f"{where}/age_gated_date_of_birth")
        elif person.age_gated_date_of_birth and person.age_gated_date_of_birth > moment(call.state.now()).date():
            yield Problem("A date of birth must not be in the future.", f"{where}/age_gated_date_of_birth")

# SPDX-License-Identifier: Apache-2.0
"""
What people agreed to, by channel, and addresses that get no marketing whatever they agreed to.

A module of its own, as the scope ``subscriptions`` is: nothing here travels with a profile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Literal, TypedDict, get_args

from airflow_provider_klaviyo.api import bodies
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.jsonapi import document, given
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.api.values import E164, is_email

Channel = Literal["email.marketing", "sms.marketing", "sms.transactional", "whatsapp.marketing", "whatsapp.transactional"]
LeftChannel = Literal[Channel, "whatsapp.conversational"]

MOST_SUBSCRIBED = 1_000
MOST_UNSUBSCRIBED = 100
MOST_SUPPRESSED = 100
NEEDS = {"email": "email", "sms": "phone_number", "whatsapp": "phone_number"}


class Unsubscriber(TypedDict, total=False):
    """Who says no. ``channels`` stands in place of those of the request."""

    email: str | None
    phone_number: str | None
    channels: Sequence[LeftChannel] | None


class Subscriber(TypedDict, total=False):
    """
    Who says yes. ``channels`` stands in place of those of the request.

    ``consented_at`` is an aware datetime or ISO 8601 text with an offset, in the past. ``id`` is Klaviyo's, and finds the profile.
    """

    id: str | None
    email: str | None
    phone_number: str | None
    channels: Sequence[Channel] | None
    consented_at: datetime | str | None
    age_gated_date_of_birth: date | str | None


def subscribe(
    *,
    profiles: Sequence[Subscriber | Mapping[str, Any]],
    channels: Sequence[Channel] = ("email.marketing",),
    list_id: str | None = None,
    historical_import: bool = False,
    custom_source: str | None = None,
) -> Request[Json]:
    """
    Subscribe up to 1,000 profiles. That lifts what people did against it: unsubscribing, complaints, suppressions by hand.

    https://developers.klaviyo.com/en/reference/bulk_subscribe_profiles

    :param profiles: Who. E-mail needs an ``email``, the other channels a ``phone_number``.
    :param channels: What to, for those who have no ``channels`` of their own.
    :param list_id: The list to put them in; its opt-in process decides whether they have to confirm, otherwise the account's.
    :param historical_import: Whether consent was given long ago: nobody has to confirm it, and each profile has a ``consented_at``.
    :param custom_source: Where the consent comes from, in your words.
    :raises KlaviyoConfigError: None, more than 1,000, or one that Klaviyo would refuse; the message says at which position.
    """
    _check_number(profiles, MOST_SUBSCRIBED, "profiles")
    rows = [_at(position, _subscriber, each, channels, historical_import) for position, each in enumerate(profiles)]
    attributes = given(custom_source=custom_source, profiles={"data": rows}, historical_import=historical_import or None)
    body = document("profile-subscription-bulk-create-job", attributes, relationships=_related(list=list_id))
    return Request("POST", "/api/profile-subscription-bulk-create-jobs", json=body)


def unsubscribe(
    *,
    profiles: Sequence[Unsubscriber | Mapping[str, Any]],
    channels: Sequence[LeftChannel] = ("email.marketing",),
    list_id: str | None = None,
) -> Request[Json]:
    """
    Unsubscribe up to 100 profiles.

    With a list, those who are in it leave it, and those who are not are unsubscribed everywhere: sent twice, it does that to all of them.

    https://developers.klaviyo.com/en/reference/bulk_unsubscribe_profiles

    :param profiles: Who. E-mail needs an ``email``, the other channels a ``phone_number``. Who is unknown becomes a profile.
    :param channels: What from, for those who have no ``channels`` of their own.
    :param list_id: The list they leave.
    :raises KlaviyoConfigError: None, more than 100, or one that Klaviyo would refuse; the message says at which position.
    """
    _check_number(profiles, MOST_UNSUBSCRIBED, "profiles")
    rows = [_at(position, _unsubscriber, each, channels) for position, each in enumerate(profiles)]
    related = _related(list=list_id)
    body = document("profile-subscription-bulk-delete-job", {"profiles": {"data": rows}}, relationships=related)
    return Request("POST", "/api/profile-subscription-bulk-delete-jobs", json=body, replayable=list_id is None)


def suppress(*, emails: Sequence[str] | None = None, list_id: str | None = None, segment_id: str | None = None) -> Request[Json]:
    """
    Start a job after which up to 100 addresses, or the members of a list or segment, get no e-mail marketing.

    https://developers.klaviyo.com/en/reference/bulk_suppress_profiles

    :param emails: The addresses; one that is unknown becomes a profile.
    :param list_id: In place of addresses, the list whose members they are.
    :param segment_id: In place of addresses, the segment whose members they are.
    :raises KlaviyoConfigError: Not one of the three, more than 100 addresses, or what is none.
    """
    return _suppression("create", emails, list_id, segment_id)


def unsuppress(*, emails: Sequence[str] | None = None, list_id: str | None = None, segment_id: str | None = None) -> Request[Json]:
    """
    Start a job that takes suppressions by hand back; who unsubscribed or bounced stays suppressed.

    https://developers.klaviyo.com/en/reference/bulk_unsuppress_profiles

    :param emails: Up to 100 addresses.
    :param list_id: In place of addresses, the list whose members they are.
    :param segment_id: In place of addresses, the segment whose members they are.
    :raises KlaviyoConfigError: Not one of the three, more than 100 addresses, or what is none.
    """
    return _suppression("delete", emails, list_id, segment_id)


def _suppression(verb: str, emails: Sequence[str] | None, list_id: str | None, segment_id: str | None) -> Request[Json]:
    if sum(each is not None for each in (emails, list_id, segment_id)) != 1:
        raise KlaviyoConfigError("give exactly one of emails, list_id and segment_id")
    attributes = {}
    if emails is not None:
        _check_number(emails, MOST_SUPPRESSED, "emails")
        rows = [_at(position, _address, each) for position, each in enumerate(emails)]
        attributes = {"profiles": {"data": rows}}
    body = document(f"profile-suppression-bulk-{verb}-job", attributes, relationships=_related(list=list_id, segment=segment_id))
    return Request("POST", f"/api/profile-suppression-bulk-{verb}-jobs", json=body, replayable=True)


def _subscriber(person: Mapping[str, Any], channels: Sequence[str], historical: bool) -> Json:
    _check_names(person, Subscriber)
    consented_at, born = person.get("consented_at"), person.get("age_gated_date_of_birth")
    if historical != (consented_at is not None):
        raise KlaviyoConfigError(
            "a historical import needs a consented_at"
            if historical
            else "consented_at needs historical_import=True, and without it is refused"
        )
    said = given(consent="SUBSCRIBED", consented_at=None if consented_at is None else _past(consented_at))
    more = given(age_gated_date_of_birth=None if born is None else _day(born))
    resource = _resource(person, channels, get_args(Channel), said, more)
    return {"type": "profile", "id": person["id"], **resource} if person.get("id") else resource


def _unsubscriber(person: Mapping[str, Any], channels: Sequence[str]) -> Json:
    _check_names(person, Unsubscriber)
    return _resource(person, channels, get_args(LeftChannel), {"consent": "UNSUBSCRIBED"}, {})


def _resource(person: Mapping[str, Any], channels: Sequence[str], known: Sequence[str], said: Json, more: Json) -> Json:
    chosen = channels if person.get("channels") is None else person["channels"]
    subscriptions: dict[str, Json] = {}
    for channel in _checked_channels(chosen, known):
        medium, _, kind = channel.partition(".")
        if not person.get(NEEDS[medium]):
            raise KlaviyoConfigError(f"{channel} needs {'an email' if medium == 'email' else 'a phone_number'}")
        subscriptions.setdefault(medium, {})[kind] = said
    identity = given(email=_email(person.get("email")), phone_number=_phone(person.get("phone_number")))
    return {"type": "profile", "attributes": {**identity, **more, "subscriptions": subscriptions}}


def _check_names(person: Any, kind: type[Any]) -> None:
    names = frozenset(kind.__annotations__)
    bodies.check_names(person, names, f"a {kind.__name__.lower()}", f"it has {', '.join(sorted(names))}; other attributes go by an upsert")


def _checked_channels(channels: Any, known: Sequence[str]) -> Sequence[str]:
    if isinstance(channels, str) or not channels or any(each not in known for each in channels):
        raise KlaviyoConfigError(f"channels is a list of one or more of {', '.join(known)}")
    return channels  # type: ignore[no-any-return]


def _address(email: str) -> Json:
    if not _email(email):
        raise KlaviyoConfigError("an address is empty")
    return {"type": "profile", "attributes": {"email": email}}


def _email(value: Any) -> str | None:
    if value and not (isinstance(value, str) and is_email(value)):
        raise KlaviyoConfigError("email is an address such as sarah@example.com")
    return value or None


def _phone(value: Any) -> str | None:
    if value and not (isinstance(value, str) and E164.fullmatch(value)):
        raise KlaviyoConfigError("phone_number is in E.164 format: + and country code, digits only")
    return value or None


def _past(time: datetime | str) -> str:
    text = bodies.moment(time)
    if datetime.fromisoformat(text) >= datetime.now(UTC):
        raise KlaviyoConfigError("consented_at is in the past: nobody has agreed to anything yet that is to come")
    return text


def _day(born: date | str) -> str:
    try:
        text = (born if isinstance(born, date) else date.fromisoformat(born)).isoformat()[: len("2000-12-31")]
    except (ValueError, TypeError):
        raise KlaviyoConfigError("age_gated_date_of_birth is a date such as 2000-12-31") from None
    if text > datetime.now(UTC).date().isoformat():
        raise KlaviyoConfigError("age_gated_date_of_birth is in the past")
    return text


def _related(**groups: str | None) -> Json | None:
    if empty := [name for name, each in groups.items() if each is not None and not each.strip()]:
        raise KlaviyoConfigError(f"{empty[0]}_id is empty: give an id, or None; without a list it would be about everything")
    return {name: {"data": {"type": name, "id": each}} for name, each in groups.items() if each is not None} or None


def _check_number(several: Sequence[Any], most: int, noun: str) -> None:
    if isinstance(several, str) or not 1 <= len(several) <= most:
        raise KlaviyoConfigError(f"a request takes a list of 1 to {most:,} {noun}: split them")


def _at(position: int, check: Callable[..., Json], *arguments: Any) -> Json:
    try:
        return check(*arguments)
    except KlaviyoConfigError as error:
        raise KlaviyoConfigError(f"at position {position}: {error}") from None

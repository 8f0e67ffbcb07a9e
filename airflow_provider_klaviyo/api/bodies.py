# SPDX-License-Identifier: Apache-2.0
"""
What we send about people and what they did.

:func:`profile_resource`, :func:`event_resource` and :func:`event_entry` shape rows that were checked, thousands a second.
:func:`checked_profile` and :func:`checked_event` check a single one, where a person wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Required, TypedDict

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.redaction import redacted
from airflow_provider_klaviyo.api.request import Json
from airflow_provider_klaviyo.api.values import CURRENCY, E164, Unfit, fit, is_email

METRIC = re.compile(r"(?=.*\S).{1,127}", re.DOTALL)
UNIQUE_ID = re.compile(r".{1,255}", re.DOTALL)


class Location(TypedDict, total=False):
    """Where somebody is. ``None`` clears a field, absence leaves it."""

    address1: str | None
    address2: str | None
    city: str | None
    country: str | None
    region: str | None
    zip: str | None
    latitude: float | str | None
    longitude: float | str | None
    timezone: str | None
    ip: str | None


class Profile(TypedDict, total=False):
    """
    A profile's attributes. ``None`` clears a field, absence leaves it.

    Fields of your own go under ``properties``. Consent is no attribute: it travels by subscribing alone.
    """

    email: str | None
    phone_number: str | None
    external_id: str | None
    first_name: str | None
    last_name: str | None
    organization: str | None
    locale: str | None
    title: str | None
    image: str | None
    location: Location
    properties: Mapping[str, Any] | None


class ImportedProfile(Profile, total=False):
    """A profile to be found by any identifier Klaviyo knows, ``_kx`` being the one in its links."""

    id: str | None
    _kx: str | None


class EventProfile(ImportedProfile, total=False):
    """Whom an event is about: the profile is found, or made, and gets the attributes."""

    anonymous_id: str | None


class Event(TypedDict, total=False):
    """
    Something that happened, once for each ``unique_id``, metric and profile.

    ``time`` is an aware datetime or ISO 8601 text with an offset.
    """

    metric: Required[str]
    profile: Required[EventProfile | Mapping[str, Any]]
    time: datetime | str | None
    value: float | None
    value_currency: str | None
    unique_id: str | None
    properties: Mapping[str, Any] | None


PROFILE_FIELDS = frozenset(Profile.__annotations__)
LOCATION_FIELDS = frozenset(Location.__annotations__)
EVENT_FIELDS = frozenset(Event.__annotations__)


def profile_resource(attributes: Mapping[str, Any]) -> Json:
    """
    Return a profile as it stands in a body.

    :param attributes: Checked attributes; an ``id`` among them goes where Klaviyo wants it.
    """
    if "id" not in attributes:
        return {"type": "profile", "attributes": attributes}
    rest = {name: value for name, value in attributes.items() if name != "id"}
    return {"type": "profile", "id": attributes["id"], "attributes": rest}


def event_resource(row: Mapping[str, Any], backfill: bool = False) -> Json:
    """
    Return an event as a single create takes it.

    :param row: A checked event.
    :param backfill: Whether it is history, for which no flow is started.
    """
    event = _happening(row, backfill=backfill)
    event["attributes"]["profile"] = {"data": profile_resource(row["profile"])}
    return event


def event_entry(row: Mapping[str, Any], backfill: bool = False) -> Json:
    """
    Return an event as an entry of a bulk create, alone with its profile, so that a pointer names one row.

    :param row: A checked event.
    :param backfill: Whether it is history, for which no flow is started.
    """
    attributes = {"profile": {"data": profile_resource(row["profile"])}, "events": {"data": [_happening(row, backfill=backfill)]}}
    return {"type": "event-bulk-create", "attributes": attributes}


def _happening(row: Mapping[str, Any], *, backfill: bool) -> Json:
    attributes: Json = {
        "metric": {"data": {"type": "metric", "attributes": {"name": row["metric"]}}},
        "properties": row.get("properties") or {},
    }
    if (time := row.get("time")) is not None:
        attributes["time"] = moment(time) if isinstance(time, datetime) else time
    for name in ("value", "value_currency", "unique_id"):
        if (value := row.get(name)) is not None:
            attributes[name] = value
    if backfill:
        attributes["backfill"] = True
    return {"type": "event", "attributes": attributes}


def moment(time: datetime | str) -> str:
    """
    Return a time as ISO 8601 text with its offset.

    :param time: An aware datetime, or such a text.
    :raises KlaviyoConfigError: It is no time, or has no time zone: Klaviyo would take it for UTC.
    """
    try:
        aware = time if isinstance(time, datetime) else datetime.fromisoformat(time)
    except ValueError:
        raise KlaviyoConfigError("a time is ISO 8601 text such as 2026-11-01T10:00:00+00:00, or a datetime") from None
    if aware.tzinfo is None:
        raise KlaviyoConfigError("a time needs its time zone: make the datetime aware, or write the offset (+00:00)")
    return aware.isoformat()


def plain(value: Any) -> Any:
    """
    Return an attribute's value in JSON's own types.

    :param value: What a person wrote or a database gave.
    :raises KlaviyoConfigError: JSON has no form for it, or Klaviyo does not take it.
    """
    try:
        return fit(value, depth=0)
    except Unfit as unfit:
        raise KlaviyoConfigError(unfit.reason) from None


def checked_profile(profile: Profile | Mapping[str, Any], *, also: tuple[str, ...] = (), identified: bool = False) -> Json:
    """
    Return the attributes of a single profile, after checking what a person gets wrong.

    :param profile: The attributes.
    :param also: Identifiers this endpoint takes beside a profile's attributes.
    :param identified: Whether the profile is named already: then it needs no identifier among its attributes.
    :raises KlaviyoConfigError: No identifier, an unknown name, or an e-mail or phone number of a wrong form.
    """
    check_names(profile, PROFILE_FIELDS.union(also), "a profile")
    check_names(profile.get("location") or {}, LOCATION_FIELDS, "a location")
    attributes: Json = {name: plain(value) for name, value in profile.items()}
    wanted = ("email", "phone_number", "external_id", *also)
    if not identified and not any(attributes.get(name) for name in wanted):
        raise KlaviyoConfigError(f"a profile needs one of {', '.join(wanted)}: without, Klaviyo cannot tell whose it is")
    _check_form(attributes.get("email"), is_email, "email is an address such as sarah@example.com")
    _check_form(attributes.get("phone_number"), E164.fullmatch, "phone_number is in E.164 form: + and country code, digits only")
    _check_object(attributes.get("properties") or {}, "properties")
    return attributes


def checked_event(event: Event | Mapping[str, Any]) -> Json:
    """
    Return a single event, after checking what a person gets wrong.

    :param event: The event.
    :raises KlaviyoConfigError: No metric, no identifier, an unknown name, a time without zone, or a field of a wrong form.
    """
    check_names(event, EVENT_FIELDS, "an event")
    time, value = event.get("time"), plain(event.get("value"))
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise KlaviyoConfigError(f"value is a number, not a {type(value).__name__}")
    _check_form(event.get("metric") or "", METRIC.fullmatch, "metric is the name of what happened, a text of 1 to 127 characters")
    _check_form(event.get("unique_id"), UNIQUE_ID.fullmatch, "unique_id is a text of 1 to 255 characters: leave it out where there is none")
    _check_form(event.get("value_currency"), CURRENCY.fullmatch, "value_currency is an ISO 4217 code such as USD")
    _check_object(event.get("properties") or {}, "properties")
    return {
        **event,
        "profile": checked_profile(event.get("profile") or {}, also=("id", "_kx", "anonymous_id")),
        "properties": plain(event.get("properties")),
        "time": None if time is None else moment(time),
        "value": value,
    }


def check_names(
    named: Mapping[str, Any], known: frozenset[str], what: str, otherwise: str = "fields of your own go under properties"
) -> None:
    """
    Refuse a misspelt name, which Klaviyo would not miss.

    :param named: Fields by name.
    :param known: The names there are.
    :param what: What has them, for the message.
    :param otherwise: What to say of a name that is like none of them.
    :raises KlaviyoConfigError: It is no mapping, or has another name.
    """
    _check_object(named, what)
    for name in named:
        if name not in known:
            near = get_close_matches(str(name), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"{otherwise}."
            raise KlaviyoConfigError(f"{what} has no {redacted(repr(name))}: {hint}")


def _check_object(value: Any, what: str) -> None:
    if not isinstance(value, Mapping):
        raise KlaviyoConfigError(f"{what} is a mapping of names to values, not a {type(value).__name__}")


def _check_form(value: Any, fits: Callable[[str], object], rule: str) -> None:
    if value is not None and not (isinstance(value, str) and fits(value)):
        raise KlaviyoConfigError(rule)

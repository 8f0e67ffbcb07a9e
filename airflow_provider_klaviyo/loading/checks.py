# SPDX-License-Identifier: Apache-2.0
"""Check a row against Klaviyo's rules before it leaves, so that one bad row cannot sink the ten thousand beside it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any, Literal
from zoneinfo import available_timezones

from airflow_provider_klaviyo.api.bodies import EVENT_FIELDS, LOCATION_FIELDS, EventProfile, ImportedProfile
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.values import CURRENCY, Unfit, fit, is_email
from airflow_provider_klaviyo.loading.phones import e164
from airflow_provider_klaviyo.loading.rows import Json

OnInvalid = Literal["drop_field", "reject_row"]

LOCALE = re.compile(r"[a-z]{2,3}-[A-Z]{2}")
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
LONGEST_METRIC = 127
LONGEST_UNIQUE_ID = 255
MOST_PROPERTIES = 400

IDENTIFIERS = ("email", "phone_number", "external_id", "id", "_kx", "anonymous_id")
"""What a person is found by, in the order in which a row is named after them."""
TEXTS = ("first_name", "last_name", "organization", "title", "image")
CLEARABLE = frozenset({*TEXTS, "locale"})
"""What a null empties. An identifier stays, and of a location or properties only what is named goes."""
PROFILE_FIELDS = frozenset(ImportedProfile.__annotations__)
ABOUT_FIELDS = frozenset(EventProfile.__annotations__)


class Invalid(ValueError):  # noqa: N818 - it is about a row, and ends there
    """
    A row that cannot be sent.

    :param field: The field at fault, as a path.
    :param code: A short name of the reason, to count by.
    :param reason: A sentence a person can act on, without the value.
    """

    def __init__(self, field: str, code: str, reason: str) -> None:
        self.field, self.code, self.reason = field, code, reason
        super().__init__(f"{field}: {reason}")


@dataclass(slots=True)
class Check:
    """
    Check rows under one set of rules, and count what was dropped.

    :param on_invalid: ``drop_field`` leaves a bad optional field out and counts it; ``reject_row`` rejects the row.
    :param region: Country whose national phone numbers are understood.
    :param now: The time of the load: events may lie at most a year after it.
    """

    on_invalid: OnInvalid = "drop_field"
    region: str | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    dropped: dict[str, int] = field(default_factory=dict)

    def profile(self, row: Mapping[str, Any]) -> Json:
        """
        Return the attributes of a profile as Klaviyo takes them.

        :param row: Attributes as https://developers.klaviyo.com/en/reference/bulk_import_profiles names them.
        :raises Invalid: The row has no identifier, or a bad field under ``reject_row``.
        :raises KlaviyoConfigError: A name is no attribute of a profile: the mapping is wrong, not the row.
        """
        return self._profile(row, "", PROFILE_FIELDS)

    def event(self, row: Mapping[str, Any]) -> Json:
        """
        Return an event as Klaviyo takes it.

        :param row: ``metric`` (its name), ``profile`` (attributes), ``time``, ``properties``, ``value``, ``value_currency``, ``unique_id``.
        :raises Invalid: It has no metric, time or identifier, or a bad field under ``reject_row``.
        :raises KlaviyoConfigError: A name is no field of an event: the mapping is wrong, not the row.
        """
        _known(row, EVENT_FIELDS, "an event", "properties")
        about = self._profile(row.get("profile") or {}, "profile.", ABOUT_FIELDS)
        event: Json = {"metric": _metric(row.get("metric")), "time": self._time(row.get("time")), "profile": about}
        properties = self._properties(row.get("properties"), "properties.")
        if len(properties) > MOST_PROPERTIES:
            raise Invalid("properties", "too_many_properties", f"an event has at most {MOST_PROPERTIES} properties")
        event["properties"] = properties
        for name, read in EVENT_READERS.items():
            if not _absent(value := row.get(name)):
                self._keep(event, name, read, value, "")
        unique_id = row.get("unique_id")
        if not _absent(unique_id) and unique_id == unique_id:  # noqa: PLR0124 - NaN, a table's way to say that there is none
            event["unique_id"] = _unique_id(unique_id)
        return event

    def _profile(self, row: Mapping[str, Any], prefix: str, fields: frozenset[str]) -> Json:
        _known(row, fields, "a profile", f"{prefix}properties")
        kept: Json = {}
        faults = dict(self.dropped)
        for name, value in row.items():
            if value is None:
                if name in CLEARABLE:
                    kept[name] = None
            elif name == "location":
                if location := self._location(value, f"{prefix}location."):
                    kept[name] = location
            elif name == "properties":
                if properties := self._properties(value, f"{prefix}properties."):
                    kept[name] = properties
            elif not _absent(value):
                self._keep(kept, name, self._reader(name), value, prefix)
        if not any(name in kept for name in IDENTIFIERS):
            lost = [key.partition(": ")[0] for key, count in self.dropped.items() if count > faults.get(key, 0)]
            why = f"its {' and '.join(lost)} cannot be used" if lost else "it has no email, phone_number, external_id or id"
            raise Invalid(prefix.rstrip("."), "no_identifier", f"nobody can be found by this row: {why}")
        return kept

    def _reader(self, name: str) -> Callable[[Any], Any]:
        if name == "email":
            return email
        if name == "phone_number":
            return self._phone
        return _locale if name == "locale" else _text

    def _phone(self, value: Any) -> str:
        try:
            return e164(str(value), self.region)
        except ValueError as error:
            hint = f"in {self.region}" if self.region else "in E.164 form (+14155550123): give a region to understand national numbers"
            raise Unfit("bad_phone", f"the phone number is not valid {hint}") from error

    def _location(self, value: Any, prefix: str) -> Json:
        _known(value, LOCATION_FIELDS, "a location", "properties")
        kept: Json = {}
        for name, each in value.items():
            if each is None:
                kept[name] = None
            elif not _absent(each):
                self._keep(kept, name, LOCATION_READERS.get(name, _text), each, prefix)
        return kept

    def _properties(self, value: Any, prefix: str) -> Json:
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise Invalid(prefix.rstrip("."), "not_an_object", f"properties are an object, not a {type(value).__name__}")
        kept: Json = {}
        for name, each in value.items():
            if each is None:
                kept[str(name)] = None
            elif each != "":
                self._keep(kept, str(name), fit, each, prefix)
        return kept

    def leave_out(self, field: str, code: str) -> None:
        """Count an optional field that is left out."""
        note = f"{field}: {code}"
        self.dropped[note] = self.dropped.get(note, 0) + 1

    def _keep(self, target: Json, name: str, read: Callable[[Any], Any], value: Any, prefix: str) -> None:
        """Put a field where it belongs, or do with a bad one what ``on_invalid`` says."""
        try:
            target[name] = read(value)
        except Unfit as unfit:
            if self.on_invalid == "reject_row":
                raise Invalid(f"{prefix}{name}", unfit.code, unfit.reason) from unfit
            self.leave_out(f"{prefix}{name}", unfit.code)

    def _time(self, value: Any) -> str:
        try:
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value or "").strip())
        except ValueError as error:
            raise Invalid("time", "bad_time", "an event needs its time, as an aware datetime or ISO 8601 text") from error
        if moment.tzinfo is None:
            raise Invalid("time", "naive_time", "the time has no time zone: make it aware, or map it with iso8601")
        if not EARLIEST < moment <= self.now + timedelta(days=365):
            raise Invalid("time", "time_out_of_range", "an event's time lies after 1990 and at most a year ahead")
        # In UTC, so that the id derived of an event does not hang on the time zone of whoever read it.
        return moment.astimezone(UTC).isoformat(timespec="seconds")


def email(value: Any) -> str:
    """Return an e-mail address without blanks around it; letters beyond ASCII are allowed."""
    text = str(value).strip()
    if not is_email(text):
        raise Unfit("bad_email", "the e-mail address is malformed")
    return text


def _text(value: Any) -> str:
    if isinstance(value, (Mapping, list, tuple, set)):
        raise Unfit("not_a_text", f"the field takes a text, not a {type(value).__name__}")
    kept = fit(value)
    return kept if isinstance(kept, str) else str(value)


def _absent(value: Any) -> bool:
    """Whether there is nothing: an empty or blank text is no value."""
    return value is None or (isinstance(value, str) and not value.strip())


def _metric(value: Any) -> str:
    if _absent(value):
        raise Invalid("metric", "no_metric", "an event needs the name of its metric")
    try:
        metric = _text(value).strip()
    except Unfit as unfit:
        raise Invalid("metric", unfit.code, unfit.reason) from None
    if len(metric) > LONGEST_METRIC:
        raise Invalid("metric", "metric_too_long", f"a metric's name has at most {LONGEST_METRIC} characters")
    return metric


def _unique_id(value: Any) -> str:
    """Return an event's id. A bad one is never left out: with another in its place, the event would count twice."""
    try:
        text = _text(value)
    except Unfit as unfit:
        raise Invalid("unique_id", unfit.code, unfit.reason) from None
    if len(text) > LONGEST_UNIQUE_ID:
        raise Invalid("unique_id", "unique_id_too_long", f"a unique_id has at most {LONGEST_UNIQUE_ID} characters")
    return text


def _locale(value: Any) -> str:
    text = str(value).strip().replace("_", "-")
    if not LOCALE.fullmatch(text):
        raise Unfit("bad_locale", "a locale looks like en-US")
    return text


def _value(value: Any) -> float | int:
    kept = fit(value)
    if isinstance(kept, bool) or not isinstance(kept, (int, float)):
        raise Unfit("bad_value", "an event's value is a number")
    return kept


def _currency(value: Any) -> str:
    text = str(value).strip().upper()
    if not CURRENCY.fullmatch(text):
        raise Unfit("bad_currency", "a currency is an ISO 4217 code such as USD")
    return text


def _degrees(most: int, value: Any) -> float:
    try:
        degrees = float(value)
    except (TypeError, ValueError, OverflowError):
        degrees = math.nan
    if not -most <= degrees <= most:
        raise Unfit("bad_degrees", f"a number of degrees lies between -{most} and {most}")
    return degrees


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _timezone(value: Any) -> str:
    if str(value) not in _zones():
        raise Unfit("bad_timezone", "a time zone is an IANA name such as Europe/Berlin")
    return str(value)


LOCATION_READERS: dict[str, Callable[[Any], Any]] = {
    "latitude": partial(_degrees, 90),
    "longitude": partial(_degrees, 180),
    "timezone": _timezone,
}


EVENT_READERS: dict[str, Callable[[Any], Any]] = {"value": _value, "value_currency": _currency}


def _known(row: Any, names: frozenset[str], what: str, elsewhere: str) -> None:
    if not isinstance(row, Mapping):
        raise Invalid("", "not_an_object", f"{what} is an object, not a {type(row).__name__}")
    if unknown := [str(name) for name in row if name not in names]:
        message = (
            f"{', '.join(map(repr, unknown))}: no field of {what} has that name. Fields of your own go under {elsewhere}"
            f" ({elsewhere}.{unknown[0]}); a mapping can put them there."
        )
        raise KlaviyoConfigError(message)

# SPDX-License-Identifier: Apache-2.0
"""Check a row against Klaviyo's rules before it leaves, so that one bad row cannot sink the ten thousand beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from airflow_provider_klaviyo.api.bodies import EVENT_FIELDS, LOCATION_FIELDS, EventProfile, ImportedProfile
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.values import PROFILE_ID, Unfit, fit, fit_key, is_null
from airflow_provider_klaviyo.loading.fields import EVENT_READERS, LOCATION_READERS, email, locale, text, written
from airflow_provider_klaviyo.loading.names import in_other_case
from airflow_provider_klaviyo.loading.phones import e164, known_region
from airflow_provider_klaviyo.loading.rows import Json

OnInvalid = Literal["drop_field", "reject_row"]

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
LONGEST_METRIC = 127
LONGEST_UNIQUE_ID = 255
MOST_PROPERTIES = 400

IDENTIFIERS = ("email", "phone_number", "external_id", "id", "_kx", "anonymous_id")
"""What a person is found by, in the order in which a row is named after them."""
LOSABLE = frozenset({*IDENTIFIERS, "profile"})
OBJECTS = frozenset({"location", "properties"})
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
    _lost: list[str] = field(default_factory=list, init=False, repr=False, compare=False)
    """What this row's person could have been found by, had it been of use."""
    _readers: dict[str, Callable[[Any], Any]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.region = known_region(self.region)
        self._readers = {"email": email, "phone_number": self._phone, "locale": locale}

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
        person = row.get("profile")
        about = self._profile({} if person is None else person, "profile.", ABOUT_FIELDS)
        event: Json = {"metric": _metric(row.get("metric")), "time": self._time(row.get("time")), "profile": about}
        properties = self._properties(row.get("properties"), "properties.")
        if len(properties) > MOST_PROPERTIES:
            raise Invalid("properties", "too_many_properties", f"an event has at most {MOST_PROPERTIES} properties")
        event["properties"] = properties
        for name, read in EVENT_READERS.items():
            if not _absent(value := row.get(name)):
                try:
                    event[name] = read(value)
                except Unfit as unfit:
                    self._bad(name, unfit)
        unique_id = row.get("unique_id")
        if not _absent(unique_id) and not is_null(unique_id):
            event["unique_id"] = _unique_id(unique_id)
        return event

    def _profile(self, row: Mapping[str, Any], prefix: str, fields: frozenset[str]) -> Json:
        try:
            return self._person(row, prefix, fields)
        finally:
            self._lost.clear()

    def _person(self, row: Mapping[str, Any], prefix: str, fields: frozenset[str]) -> Json:
        _known(row, fields, "a profile", f"{prefix}properties")
        kept: Json = {}
        for name, value in row.items():
            if value is None:
                if name in CLEARABLE:
                    kept[name] = None
            elif name in OBJECTS:
                read = self._location if name == "location" else self._properties
                if inner := read(value, f"{prefix}{name}."):
                    kept[name] = inner
            elif type(value) is not str or (value and not value.isspace()):
                try:
                    reader: Callable[[Any], Any] = self._readers.get(name, text)
                    kept[name] = reader(value)
                except Unfit as unfit:
                    self._bad(f"{prefix}{name}", unfit)
        if "id" in kept:
            kept["id"] = _profile_id(kept["id"], f"{prefix}id")
        if kept.keys().isdisjoint(IDENTIFIERS):
            why = f"its {' and '.join(self._lost)} cannot be used" if self._lost else "it has no email, phone_number, external_id or id"
            raise Invalid(prefix.rstrip("."), "no_identifier", f"nobody can be found by this row: {why}")
        return kept

    def _phone(self, value: Any) -> str:
        try:
            return e164(written(value), self.region)
        except ValueError:
            pass  # what goes out of here must not hold the error, which may hold the value
        hint = f"in {self.region}" if self.region else "in E.164 form (+14155550123): give a region to understand national numbers"
        raise Unfit("bad_phone", f"the phone number is not valid {hint}")

    def _location(self, value: Any, prefix: str) -> Json:
        _known(value, LOCATION_FIELDS, "a location", "properties")
        kept: Json = {}
        for name, each in value.items():
            if each is None:
                kept[name] = None
            elif not _absent(each):
                try:
                    reader: Callable[[Any], Any] = LOCATION_READERS.get(name, text)
                    kept[name] = reader(each)
                except Unfit as unfit:
                    self._bad(f"{prefix}{name}", unfit)
        return kept

    def _properties(self, value: Any, prefix: str) -> Json:
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            hint = ": map it with json" if isinstance(value, str) else ""
            raise Invalid(prefix.rstrip("."), "not_an_object", f"properties are an object, not a {type(value).__name__}{hint}")
        kept: Json = {}
        for key, each in value.items():
            if type(each) is str and not each:
                continue
            name = key if type(key) is str else type(key).__name__
            try:
                kept[name if type(key) is str else fit_key(key)] = fit(each)
            except Unfit as unfit:
                self._bad(f"{prefix}{name}", unfit)
        return kept

    def leave_out(self, field: str, code: str) -> None:
        """Count an optional field that is left out."""
        note = f"{field}: {code}"
        self.dropped[note] = self.dropped.get(note, 0) + 1
        if field.removeprefix("profile.") in LOSABLE:
            self._lost.append(field)

    def _bad(self, field: str, unfit: Unfit) -> None:
        """Do with a bad field what ``on_invalid`` says."""
        if self.on_invalid == "reject_row":
            raise Invalid(field, unfit.code, unfit.reason) from unfit
        self.leave_out(field, unfit.code)

    def _time(self, value: Any) -> str:
        moment = _moment(value)
        if moment is None:
            raise Invalid("time", "bad_time", "an event needs its time, as an aware datetime or ISO 8601 text")
        if moment.utcoffset() is None:
            raise Invalid("time", "naive_time", "the time has no time zone: make it aware, or map it with iso8601")
        if not EARLIEST < moment <= self.now + timedelta(days=365):
            raise Invalid("time", "time_out_of_range", "an event's time lies after 1990 and at most a year ahead")
        # In UTC, so that the id derived of an event does not hang on the time zone of whoever read it.
        return moment.astimezone(UTC).isoformat(timespec="seconds")


def _moment(value: Any) -> datetime | None:
    """Return the time that a value is or tells of."""
    if is_null(value):
        return None
    if isinstance(value, datetime):
        return value
    try:
        return datetime.fromisoformat(written(value))
    except ValueError:
        return None


def _absent(value: Any) -> bool:
    """Whether there is nothing: an empty or blank text is no value."""
    return value is None or (isinstance(value, str) and not value.strip())


def _metric(value: Any) -> str:
    if _absent(value):
        raise Invalid("metric", "no_metric", "an event needs the name of its metric")
    try:
        metric = text(value).strip()
    except Unfit as unfit:
        raise Invalid("metric", unfit.code, unfit.reason) from None
    if len(metric) > LONGEST_METRIC:
        raise Invalid("metric", "metric_too_long", f"a metric's name has at most {LONGEST_METRIC} characters")
    return metric


def _profile_id(value: str, field: str) -> str:
    """Return Klaviyo's id of a profile. Another's is never left out: its row would be about whom the rest of it names, if anybody."""
    if not PROFILE_ID.fullmatch(found := value.strip()):
        reason = "id is Klaviyo's own id of a profile, such as 01GDDKASAP8TKDDA2GRZDSVP4H: your own go to external_id"
        raise Invalid(field, "bad_id", reason)
    return found


def _unique_id(value: Any) -> str:
    """Return an event's id. A bad one is never left out: with another in its place, the event would count twice."""
    try:
        unique_id = text(value)
    except Unfit as unfit:
        raise Invalid("unique_id", unfit.code, unfit.reason) from None
    if len(unique_id) > LONGEST_UNIQUE_ID:
        raise Invalid("unique_id", "unique_id_too_long", f"a unique_id has at most {LONGEST_UNIQUE_ID} characters")
    return unique_id


def _known(row: Any, names: frozenset[str], what: str, elsewhere: str) -> None:
    if not isinstance(row, Mapping):
        raise Invalid("", "not_an_object", f"{what} is an object, not a {type(row).__name__}")
    if names.issuperset(row):
        return
    if unknown := [str(name) for name in row if name not in names]:
        if same := next(filter(None, (in_other_case(name, names) for name in unknown)), None):
            hint = f"There is {same}, in these letters: a database writes names that are not quoted in capitals. Quote them, or map them."
        else:
            hint = f"Fields of your own go under {elsewhere} ({elsewhere}.{unknown[0]}); a mapping can put them there."
        raise KlaviyoConfigError(f"{', '.join(map(repr, unknown))}: no field of {what} has that name. {hint}")

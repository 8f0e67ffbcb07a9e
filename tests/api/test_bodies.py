# SPDX-License-Identifier: Apache-2.0
"""Rows become what Klaviyo takes; what a person gets wrong is said, and never shown."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klaviyo.api import bodies
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError

zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
EVENT = {
    "metric": "Placed Order",
    "profile": {"email": "sarah@example.com", "id": "01J"},
    "time": datetime(2026, 11, 1, 12, tzinfo=timezone(timedelta(hours=2))),
    "value": 9.99,
    "value_currency": "USD",
    "unique_id": "1001",
    "properties": {"OrderId": "1001"},
}
HAPPENING = {
    "metric": {"data": {"type": "metric", "attributes": {"name": "Placed Order"}}},
    "properties": {"OrderId": "1001"},
    "time": "2026-11-01T12:00:00+02:00",
    "value": 9.99,
    "value_currency": "USD",
    "unique_id": "1001",
}
PERSON = {"data": {"type": "profile", "id": "01J", "attributes": {"email": "sarah@example.com"}}}


def test_a_profile_row_becomes_a_resource() -> None:
    row = {"email": "sarah@example.com", "title": None}
    assert bodies.profile_resource(row) == {"type": "profile", "attributes": {"email": "sarah@example.com", "title": None}}


def test_an_id_among_the_attributes_goes_beside_them() -> None:
    row = {"id": "01J", "first_name": "Sarah"}
    assert bodies.profile_resource(row) == {"type": "profile", "id": "01J", "attributes": {"first_name": "Sarah"}}
    assert row == {"id": "01J", "first_name": "Sarah"}


def test_an_event_row_becomes_a_single_event() -> None:
    assert bodies.event_resource(EVENT) == {"type": "event", "attributes": {**HAPPENING, "profile": PERSON}}


def test_an_event_row_becomes_an_entry_of_its_own() -> None:
    assert bodies.event_entry(EVENT, backfill=True) == {
        "type": "event-bulk-create",
        "attributes": {"profile": PERSON, "events": {"data": [{"type": "event", "attributes": {**HAPPENING, "backfill": True}}]}},
    }


def test_an_event_has_properties_even_without_any() -> None:
    entry = bodies.event_resource({"metric": "Seen", "profile": {"external_id": "1"}, "properties": None, "value": None})
    assert entry["attributes"]["properties"] == {}
    assert set(entry["attributes"]) == {"metric", "properties", "profile"}


@given(st.datetimes(timezones=zones))
def test_a_time_is_the_same_moment_when_it_is_read_back(time: datetime) -> None:
    assert datetime.fromisoformat(bodies.moment(time)) == time
    assert bodies.moment(bodies.moment(time)) == bodies.moment(time)


def test_a_time_may_be_text_with_an_offset() -> None:
    assert bodies.moment("2026-11-01T10:00:00Z") == "2026-11-01T10:00:00+00:00"


@pytest.mark.parametrize("time", [datetime(2026, 11, 1), "2026-11-01T10:00:00", "2026-11-01"])  # noqa: DTZ001 - that is the test
def test_a_time_without_zone_is_refused(time: datetime | str) -> None:
    with pytest.raises(KlaviyoConfigError, match="time zone"):
        bodies.moment(time)


def test_a_naive_time_is_refused_in_a_row_as_well() -> None:
    with pytest.raises(KlaviyoConfigError, match="time zone"):
        bodies.event_entry({**EVENT, "time": datetime(2026, 11, 1)})  # noqa: DTZ001 - that is the test


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,  # Klaviyo takes ten levels
)


@given(json_values)
def test_json_stays_as_it_is(value: Any) -> None:
    assert bodies.plain(value) == value


def test_other_values_get_a_form_in_json() -> None:
    value = {"paid": Decimal("9.99"), "day": date(2026, 11, 1), "at": datetime(2026, 11, 1, tzinfo=UTC), "tags": ("a", "b")}
    assert json.loads(json.dumps(bodies.plain(value))) == {
        "paid": 9.99,
        "day": "2026-11-01",
        "at": "2026-11-01T00:00:00+00:00",
        "tags": ["a", "b"],
    }


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), Decimal("NaN"), object(), b"bytes", {"deep": [object()]}, 2**63, "half \udc80"]
)
def test_what_klaviyo_cannot_take_is_refused(value: Any) -> None:
    with pytest.raises(KlaviyoConfigError):
        bodies.plain(value)


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ({}, "one of email, phone_number, external_id"),
        ({"email": "", "first_name": "Sarah"}, "one of email"),
        ({"email": None}, "one of email"),
        ({"id": "01J"}, "has no 'id'"),
        ({"emial": "sarah@example.com"}, "has no 'emial': did you mean email?"),
        ({"email": "sarah@example.com", "favourite": "tea"}, "fields of your own go under properties"),
        ({"email": "sarah@example.com", "location": {"town": "Secretville"}}, "location has no 'town'"),
        ({"email": "sarah@example.com", "location": "Secretville"}, "location is a mapping"),
        ({"email": "sarah@example.com", "properties": "Secretville"}, "properties is a mapping"),
        ({"email": "sarah.example.com"}, "an address such as"),
        ({"email": "sarah@example..com"}, "an address such as"),
        ({"email": "sarah@example.com", "phone_number": "617-555-0123"}, "E.164"),
        ({"phone_number": "+1 617 555 0123"}, "E.164"),
        ({"phone_number": 16175550123}, "E.164"),
    ],
)
def test_a_wrong_profile_is_refused_without_showing_it(profile: dict[str, Any], said: str) -> None:
    with pytest.raises(KlaviyoConfigError, match=said.replace(".", r"\.").replace("?", r"\?")) as refused:
        bodies.checked_profile(profile)
    for value in ("sarah.example", "sarah@", "Secretville", "555"):
        assert value not in str(refused.value).replace("such as sarah@example.com", "")


def test_a_person_as_a_name_is_not_shown_either() -> None:
    with pytest.raises(KlaviyoConfigError) as refused:
        bodies.checked_profile({"jane@example.org": "email"})
    assert "jane" not in str(refused.value)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"uniqueid": "1001"}, "an event has no 'uniqueid': did you mean unique_id"),
        ({"metric": None}, "metric"),
        ({"metric": ""}, "metric"),
        ({"metric": "  "}, "metric"),
        ({"metric": "m" * 128}, "metric"),
        ({"unique_id": ""}, "unique_id"),
        ({"unique_id": "u" * 256}, "unique_id"),
        ({"unique_id": 1001}, "unique_id"),
        ({"value": "9.99"}, "value is a number, not a str"),
        ({"value": True}, "value is a number, not a bool"),
        ({"value": float("nan")}, "not a number"),
        ({"value_currency": "dollar"}, "ISO 4217"),
        ({"properties": ["OrderId"]}, "properties is a mapping"),
        ({"time": "yesterday"}, "ISO 8601"),
        ({"time": "2026-11-01T10:00:00"}, "time zone"),
        ({"profile": None}, "one of email, phone_number, external_id, id, _kx, anonymous_id"),
        ({"profile": {"mail": "sarah@example.com"}}, "did you mean email"),
    ],
)
def test_a_wrong_event_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(KlaviyoConfigError, match=said):
        bodies.checked_event({**EVENT, **wrong})

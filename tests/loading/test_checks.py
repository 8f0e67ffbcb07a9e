# SPDX-License-Identifier: Apache-2.0
"""What leaves obeys Klaviyo's rules; what does not obey them is left out or rejected, as the plan says, and counted."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.loading.checks import Check, Invalid, OnInvalid
from airflow_provider_klaviyo.loading.kinds import Events, Profiles, kind_of
from airflow_provider_klaviyo.loading.plan import Plan
from airflow_provider_klaviyo.sandbox.klaviyo import checks as klaviyo
from airflow_provider_klaviyo.sandbox.klaviyo import event_checks
from tests.loading.kit import checked as sent

NOW = datetime(2026, 11, 20, tzinfo=UTC)
NAN = float("nan")
PROFILES = kind_of(Plan(kind="profiles", staging_path=Path()), NOW)
EVENTS = kind_of(Plan(kind="events", staging_path=Path()), NOW)


class Color(Enum):
    RED = "red"


def nested(levels: int) -> Any:
    value: Any = "deep"
    for _ in range(levels):
        value = [value]
    return value


def checked(row: Any, **rules: Any) -> tuple[Any, dict[str, int]]:
    check = Check(now=NOW, **rules)
    return check.profile(row), check.dropped


GOOD = [
    ("email", " sarah.o'neil+x@example.co.uk ", "sarah.o'neil+x@example.co.uk"),
    ("email", "Sarah@Example.com", "Sarah@Example.com"),
    ("email", "jürgen@müller.de", "jürgen@müller.de"),
    ("phone_number", "+1 415 555 2671", "+14155552671"),
    ("external_id", 42, "42"),
    ("external_id", Decimal("10.50"), "10.50"),
    ("external_id", 1042.0, "1042"),  # what a table with nulls makes of 1042
    ("external_id", Color.RED, "red"),
    ("external_id", UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ("first_name", "{{ first_name }} {% unsubscribe %}", "{{ first_name }} {% unsubscribe %}"),
    ("first_name", "Zoë 😀", "Zoë 😀"),
    ("last_name", None, None),
    ("locale", "en_US", "en-US"),
    ("title", date(2026, 11, 1), "2026-11-01"),
    ("title", True, "true"),
]

BAD = [
    *(
        ("email", bad, "bad_email")
        for bad in ("sarah", "a@b", "a@b..de", ".a@b.de", "a.@b.de", "a b@c.de", "a@b.de,c@d.de", "<a@b.de>", "a@-b.de")
    ),
    *(("email", bad, "bad_email") for bad in ("x" * 65 + "@b.de", f"a@{'b' * 250}.de", "a\udc80@b.de", NAN, b"a@b.de", "a@1.2.3.4")),
    ("email", 10**5_000, "bad_email"),
    ("email", ["a@b.de"], "bad_email"),
    ("phone_number", "555", "bad_phone"),
    ("phone_number", 10**5_000, "bad_phone"),
    ("phone_number", ["+14155552671"], "bad_phone"),
    ("phone_number", b"+14155552671", "bad_phone"),
    ("phone_number", "(415) 555-2671", "bad_phone"),
    ("external_id", NAN, "not_a_number"),
    ("external_id", Decimal("NaN"), "not_a_number"),
    ("external_id", b"raw", "no_json_form"),
    ("external_id", "half \udc80", "not_unicode"),
    ("first_name", NAN, "not_a_number"),
    ("first_name", ["Sarah"], "not_a_text"),
    ("first_name", {"first": "Sarah"}, "not_a_text"),
    ("first_name", object(), "no_json_form"),
    ("first_name", datetime(2026, 1, 1), "naive_time"),  # noqa: DTZ001 - the fault
    ("first_name", "x" * 100_001, "text_too_long"),
    ("first_name", "ü" * 50_001, "text_too_long"),
    ("first_name", "x" * 101_000, "text_too_long"),
    ("locale", "English", "bad_locale"),
    ("locale", 10**5_000, "bad_locale"),
]

PROPERTIES_GOOD = [
    (Decimal("12.50"), 12.5),
    (Decimal(2**53 + 1), 2**53 + 1),
    (time(9, 30), "09:30:00"),
    (timedelta(hours=1), 3600),
    (timedelta(milliseconds=1500), 1.5),
    (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (Color.RED, "red"),
    ([Color.RED, {"a": Decimal("0.5")}], ["red", {"a": 0.5}]),
    ({3, 1, 2}, [1, 2, 3]),
    (True, True),
    (None, None),
    (0, 0),
    (2**63 - 1, 2**63 - 1),
    (-(2**63), -(2**63)),
    (" ", " "),
    ("{{ 7 * 7 }}", "{{ 7 * 7 }}"),
    (datetime(2026, 11, 1, 12, tzinfo=timezone(timedelta(hours=2))), "2026-11-01T12:00:00+02:00"),
    (date(2026, 11, 1), "2026-11-01"),
    (("a", 1), ["a", 1]),
    (frozenset({"a"}), ["a"]),
    ({1: {"b": Decimal(2)}}, {"1": {"b": 2.0}}),
    (nested(9), nested(9)),
    (["x"] * 4_000, ["x"] * 4_000),
    ("x" * 90_000, "x" * 90_000),
]

PROPERTIES_BAD = [
    (NAN, "not_a_number"),
    (float("inf"), "not_a_number"),
    (Decimal("Infinity"), "not_a_number"),
    (Decimal("sNaN"), "not_a_number"),
    (2**63, "number_too_large"),
    (-(2**63) - 1, "number_too_large"),
    (Decimal(2**63), "number_too_large"),
    (memoryview(b"bytes"), "no_json_form"),
    ({(1, 2): 3}, "no_json_form"),
    ({10**5_000: 3}, "number_too_large"),
    (datetime(2026, 11, 1), "naive_time"),  # noqa: DTZ001 - the fault
    (b"bytes", "no_json_form"),
    (1j, "no_json_form"),
    ("half \ud800", "not_unicode"),
    ("half \ud800" + "x" * 30_000, "not_unicode"),
    ("x" * 100_001, "text_too_long"),
    (nested(10), "too_deep"),
    ({"a": {"b": nested(8)}}, "too_deep"),
    (["x"] * 4_001, "list_too_long"),
    ([{"a": [NAN]}], "not_a_number"),
]


@pytest.mark.parametrize(("name", "value", "sent"), GOOD, ids=range(len(GOOD)))
def test_good_attributes(name: str, value: Any, sent: Any) -> None:
    assert checked({"id": "01A", name: value}) == ({"id": "01A", name: sent}, {})


@pytest.mark.parametrize(("name", "value", "code"), BAD, ids=range(len(BAD)))
def test_a_bad_attribute_goes_and_is_counted_or_its_row_is_rejected(name: str, value: Any, code: str) -> None:
    assert checked({"id": "01A", name: value}) == ({"id": "01A"}, {f"{name}: {code}": 1})
    with pytest.raises(Invalid) as refused:
        checked({"id": "01A", name: value}, on_invalid="reject_row")
    assert (refused.value.field, refused.value.code) == (name, code)
    assert not isinstance(value, str) or len(value) < 5 or value not in str(refused.value)


@pytest.mark.parametrize(("value", "sent"), PROPERTIES_GOOD, ids=range(len(PROPERTIES_GOOD)))
def test_good_properties(value: Any, sent: Any) -> None:
    row, dropped = checked({"id": "01A", "properties": {"p": value}})
    assert (row["properties"], dropped) == ({"p": sent}, {})
    assert type(row["properties"]["p"]) is type(sent)


@pytest.mark.parametrize(("value", "code"), PROPERTIES_BAD, ids=range(len(PROPERTIES_BAD)))
def test_bad_properties(value: Any, code: str) -> None:
    assert checked({"id": "01A", "properties": {"p": value, "q": 1}}) == (
        {"id": "01A", "properties": {"q": 1}},
        {f"properties.p: {code}": 1},
    )
    with pytest.raises(Invalid) as refused:
        checked({"id": "01A", "properties": {"p": value}}, on_invalid="reject_row")
    assert (refused.value.field, refused.value.code) == ("properties.p", code)


@pytest.mark.parametrize(
    ("place", "sent", "code"),
    [
        ({"latitude": "52.5", "longitude": Decimal("13.4")}, {"latitude": 52.5, "longitude": 13.4}, ""),
        ({"latitude": 90, "longitude": -180}, {"latitude": 90.0, "longitude": -180.0}, ""),
        ({"latitude": 90.1}, None, "location.latitude: bad_degrees"),
        ({"longitude": 181}, None, "location.longitude: bad_degrees"),
        ({"latitude": NAN}, None, "location.latitude: bad_degrees"),
        ({"latitude": "north"}, None, "location.latitude: bad_degrees"),
        ({"latitude": " 52.5 ", "longitude": "-13"}, {"latitude": 52.5, "longitude": -13.0}, ""),
        ({"latitude": True}, None, "location.latitude: bad_degrees"),
        ({"latitude": "NaN"}, None, "location.latitude: bad_degrees"),
        ({"latitude": "5_2"}, None, "location.latitude: bad_degrees"),
        ({"latitude": [1]}, None, "location.latitude: bad_degrees"),
        ({"latitude": 10**400}, None, "location.latitude: bad_degrees"),
        ({"timezone": "Europe/Berlin", "zip": 10115}, {"timezone": "Europe/Berlin", "zip": "10115"}, ""),
        ({"timezone": "Berlin"}, None, "location.timezone: bad_timezone"),
        ({"timezone": 10**5_000}, None, "location.timezone: bad_timezone"),
        ({"city": None, "country": "", "region": "  "}, {"city": None}, ""),
        ({}, None, ""),
    ],
)
def test_places(place: Any, sent: Any, code: str) -> None:
    row, dropped = checked({"id": "01A", "location": place})
    assert (row.get("location"), dropped) == (sent, {code: 1} if code else {})


def test_what_is_empty_is_no_value_and_a_null_clears_only_what_can_be_cleared() -> None:
    row = {
        "id": "01A",
        "email": "",
        "phone_number": " ",
        "external_id": None,
        "first_name": "  ",
        "last_name": None,
        "location": None,
        "properties": None,
    }
    assert checked(row, on_invalid="reject_row") == ({"id": "01A", "last_name": None}, {})
    event = {"metric": "M", "profile": {"id": "01A"}, "time": NOW, "value": "", "value_currency": " ", "unique_id": " ", "properties": None}
    assert Check("reject_row", now=NOW).event(event) == {"metric": "M", "profile": {"id": "01A"}, "time": NOW.isoformat(), "properties": {}}


@pytest.mark.parametrize(
    "row", [{}, {"first_name": "Sarah"}, {"email": ""}, {"email": None, "external_id": "  "}, {"external_id": NAN}, {"email": "bad"}]
)
def test_nobody_can_be_found_without_an_identifier(row: Any) -> None:
    with pytest.raises(Invalid, match="nobody can be found") as refused:
        checked(row)
    assert refused.value.code == "no_identifier"


def test_which_identifier_was_lost_is_said_for_this_row_alone() -> None:
    check = Check()
    check.profile({"id": "01A", "phone_number": "555"})
    with pytest.raises(Invalid, match="its email cannot be used"):
        check.profile({"email": "sarah"})
    with pytest.raises(Invalid, match="it has no email"):
        check.profile({"first_name": "x"})


def test_only_what_a_person_is_found_by_is_named_when_nobody_can_be_found() -> None:
    with pytest.raises(Invalid, match="its email and phone_number cannot be used"):
        checked({"email": "sarah", "phone_number": "555", "first_name": NAN, "properties": {"email": NAN, "external_id": NAN}})


def test_national_numbers_need_a_region() -> None:
    assert checked({"phone_number": "(415) 555-2671"}, region="US")[0] == {"phone_number": "+14155552671"}
    with pytest.raises(Invalid, match="its phone_number cannot be used"):
        checked({"phone_number": "(415) 555-2671"})


@pytest.mark.parametrize(
    "row",
    [{"email": "a@b.de", "plan": "gold"}, {"email": "a@b.de", "anonymous_id": "x"}, {"email": "a@b.de", "location": {"street": "x"}}],
    ids=["property", "identifier of events", "place"],
)
def test_a_name_klaviyo_does_not_have_stops_the_load(row: Any) -> None:
    with pytest.raises(KlaviyoConfigError, match="no field of"):
        checked(row)


@pytest.mark.parametrize(
    ("row", "known"),
    [({"EMAIL": "a@b.de"}, "email"), ({"email": "a@b.de", "plan": 1, "Title": "x"}, "title"), ({"location": {"City": 1}}, "city")],
)
def test_a_name_in_other_letters_is_not_taken_for_a_field_of_ones_own(row: Any, known: str) -> None:
    with pytest.raises(KlaviyoConfigError, match=f"There is {known}, in these letters: a database writes") as refused:
        checked(row)
    assert "properties" not in str(refused.value)


@pytest.mark.parametrize("good", ["01GDDKASAP8TKDDA2GRZDSVP4H", " 01GDDKASAP8TKDDA2GRZDSVP4H ", "GDDkYT", "7Q2b9c"])
def test_klaviyos_ids_of_profiles(good: str) -> None:
    assert checked({"id": good}) == ({"id": good.strip()}, {})


@pytest.mark.parametrize("rule", ["drop_field", "reject_row"])
@pytest.mark.parametrize(
    "bad", [1042, "10423", 104.0, Decimal(7), UUID(int=1), "gid://shopify/Customer/1", "a@b.de", "shop_1", "a" * 32, "é1"]
)
def test_an_id_that_is_not_klaviyos_costs_the_row_for_it_may_name_somebody_else(bad: Any, rule: OnInvalid) -> None:
    with pytest.raises(Invalid, match="your own go to external_id") as refused:
        checked({"id": bad, "email": "sarah@example.com"}, on_invalid=rule)
    assert (refused.value.field, refused.value.code) == ("id", "bad_id")
    assert "104" not in str(refused.value)
    with pytest.raises(Invalid) as of_event:
        Check(rule, now=NOW).event({"metric": "M", "time": NOW, "profile": {"id": bad}})
    assert (of_event.value.field, of_event.value.code) == ("profile.id", "bad_id")


@pytest.mark.parametrize("row", ["text", 5, None, ["a"]])
def test_a_row_that_is_no_object_is_rejected(row: Any) -> None:
    with pytest.raises(Invalid):
        Check().profile(row)
    with pytest.raises(Invalid):
        Check().event({"metric": "M", "time": NOW, "profile": row})


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"metric": None}, "no_metric"),
        ({"metric": "  "}, "no_metric"),
        ({"metric": "x" * 128}, "metric_too_long"),
        ({"metric": "half \udc80"}, "not_unicode"),
        ({"metric": NAN}, "not_a_number"),
        ({"time": None}, "bad_time"),
        ({"time": "soon"}, "bad_time"),
        ({"time": 1_700_000_000}, "bad_time"),
        ({"time": "2026-11-01T10:00:00"}, "naive_time"),
        ({"time": datetime(2026, 11, 1)}, "naive_time"),  # noqa: DTZ001 - the fault
        ({"time": NAN}, "bad_time"),
        ({"time": "1970-01-01T00:00:00Z"}, "time_out_of_range"),
        ({"time": "1990-01-01T00:00:00Z"}, "time_out_of_range"),
        ({"time": NOW + timedelta(days=365, seconds=1)}, "time_out_of_range"),
        ({"time": datetime.max.replace(tzinfo=UTC)}, "time_out_of_range"),
        ({"time": datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))}, "time_out_of_range"),
        ({"profile": {}}, "no_identifier"),
        ({"properties": ["x"]}, "not_an_object"),
        ({"properties": "{}"}, "not_an_object"),
        ({"unique_id": "x" * 256}, "unique_id_too_long"),
        ({"properties": {str(at): at for at in range(401)}}, "too_many_properties"),
    ],
    ids=range(21),
)
def test_an_event_that_cannot_be_sent(changed: Any, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        Check(now=NOW).event({"metric": "M", "profile": {"id": "01A"}, "time": NOW, **changed})
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("name", "value", "sent"),
    [
        ("value", Decimal("9.99"), 9.99),
        ("value", 0, 0),
        ("value", -5, -5),
        ("value", True, "bad_value"),
        ("value", "9.99", 9.99),
        ("value", " 49.90 ", 49.9),
        ("value", "-12", -12),
        ("value", "9,99", "bad_value"),
        ("value", "1_000", "bad_value"),
        ("value", "€ 9.99", "bad_value"),
        ("value", "NaN", "bad_value"),
        ("value", "true", "bad_value"),
        ("value", "9" * 30, "bad_value"),
        ("value", b"9.99", "no_json_form"),
        ("value", ["9.99"], "bad_value"),
        ("value", date(2026, 1, 1), "bad_value"),
        ("value", NAN, "not_a_number"),
        ("value", 2**70, "number_too_large"),
        ("value_currency", "usd", "USD"),
        ("value_currency", "dollars", "bad_currency"),
        ("unique_id", 1001, "1001"),
        ("unique_id", "x" * 255, "x" * 255),
        ("unique_id", NAN, None),
    ],
    ids=range(23),
)
def test_the_optional_fields_of_an_event(name: str, value: Any, sent: Any) -> None:
    check = Check(now=NOW)
    event = check.event({"metric": "M", "profile": {"id": "01A"}, "time": NOW, name: value})
    assert event.get(name) == sent or check.dropped == {f"{name}: {sent}": 1}
    assert (name in event) is not (bool(check.dropped) or sent is None)


@pytest.mark.parametrize(("value", "code"), [("x" * 256, "unique_id_too_long"), (["x"], "not_a_text")])
def test_an_id_that_cannot_be_sent_costs_the_event_for_with_another_it_would_count_twice(value: Any, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        Check(now=NOW).event({"metric": "M", "profile": {"id": "01A"}, "time": NOW, "unique_id": value})
    assert (refused.value.field, refused.value.code) == ("unique_id", code)


def test_an_event_may_lie_a_year_ahead() -> None:
    for time_ahead in (NOW + timedelta(days=365), "1990-01-01T00:00:01Z"):
        Check(now=NOW).event({"metric": "M", "profile": {"id": "01A"}, "time": time_ahead})


def test_an_event_has_four_hundred_properties_and_those_that_are_left_out_do_not_count() -> None:
    properties = {str(at): at for at in range(400)} | {"bad": NAN, "blank": ""}
    event = Check(now=NOW).event({"metric": "M", "profile": {"id": "01A"}, "time": NOW, "properties": properties})
    assert len(event["properties"]) == 400


def test_letters_of_an_address_in_capitals_make_no_other_person() -> None:
    said = [{"email": "Sarah@Example.com"}, {"email": " sarah@example.COM "}, {"email": "sarah@example.com", "first_name": "S"}]
    assert len({PROFILES.identity(sent(PROFILES, each)) for each in said}) == 1
    assert len({PROFILES.identity(sent(PROFILES, {"external_id": each})) for each in ("a", "A")}) == 2


def test_a_region_without_phone_numbers_is_refused_at_once() -> None:
    assert Check(region="us").region == "US"
    assert Check(region="").region is None
    for region in ("XX", "USA", "Germany"):
        with pytest.raises(KlaviyoConfigError, match="no region"):
            Check(region=region)


def test_an_event_takes_its_time_in_utc_to_the_second() -> None:
    event = {"metric": "M", "profile": {"id": "01A"}, "time": "2026-11-01T12:00:00.999+02:00"}
    assert Check(now=NOW).event(event)["time"] == "2026-11-01T10:00:00+00:00"


def test_the_id_of_an_event_without_one_hangs_on_what_happened_and_on_nothing_else() -> None:
    event = {
        "metric": "M",
        "profile": {"email": "A@b.de", "first_name": "A"},
        "time": "2026-11-01T12:00:00+02:00",
        "value": 1,
        "properties": {"a": 1, "b": 2},
    }

    def unique(**changed: Any) -> str:
        return str(sent(EVENTS, {**event, **changed}, Check(now=NOW))["unique_id"])

    same = unique()
    assert unique(time=datetime(2026, 11, 1, 10, tzinfo=UTC), properties={"b": 2, "a": 1}) == same
    assert unique(profile={"email": "a@B.de", "first_name": "B"}) == same
    assert unique(unique_id="") == unique(unique_id=NAN) == same
    others = [unique(metric="N"), unique(value=2), unique(properties={"a": 1}), unique(profile={"email": "c@b.de"}), unique(time=NOW)]
    assert len({same, *others}) == 6


JSONISH = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**65), 2**65)
    | st.floats()
    | st.text()
    | st.decimals()
    | st.datetimes(timezones=st.none() | st.just(UTC))
    | st.binary(max_size=3)
    | st.sampled_from(["{{ x }}", "a@b.de", "+14155552671", "half \ud800", "\u2028", "\x00", " "]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3),
    max_leaves=8,
)
DEGREES = st.floats() | st.sampled_from(["12.5", "91", ""])
PLACE = st.fixed_dictionaries(
    {}, optional={"city": JSONISH, "latitude": DEGREES, "longitude": DEGREES, "timezone": st.sampled_from(["UTC", "X"])}
)
ADDRESS = st.emails() | st.text(alphabet="ab1-_.@ü ", max_size=12) | JSONISH
PERSON = st.fixed_dictionaries(
    {"properties": st.dictionaries(st.text(max_size=5), JSONISH, max_size=3) | st.none()},
    optional={
        "email": ADDRESS,
        "phone_number": JSONISH,
        "external_id": JSONISH,
        "first_name": JSONISH,
        "locale": JSONISH,
        "image": JSONISH,
        "location": PLACE | st.none(),
    },
)
HAPPENING = st.fixed_dictionaries(
    {
        "metric": st.text(max_size=130) | st.just("M"),
        "profile": PERSON,
        "time": st.just(NOW) | st.datetimes(timezones=st.just(UTC)) | JSONISH,
    },
    optional={
        "value": JSONISH,
        "value_currency": JSONISH,
        "unique_id": JSONISH,
        "properties": st.dictionaries(st.text(max_size=5), JSONISH, max_size=3),
    },
)
RULES = st.sampled_from(["drop_field", "reject_row"])


@settings(max_examples=300)
@given(PERSON, RULES)
def test_klaviyo_finds_nothing_wrong_with_a_profile_that_leaves(row: Any, rule: OnInvalid) -> None:
    assert isinstance(PROFILES, Profiles)
    try:
        written = PROFILES.item(sent(PROFILES, row, Check(rule, now=NOW)))
    except Invalid:
        return
    problems: list[Any] = []
    klaviyo.profile(json.loads(written), "", problems)
    assert problems == []


@settings(max_examples=300)
@given(HAPPENING, RULES)
def test_klaviyo_finds_nothing_wrong_with_an_event_that_leaves(row: Any, rule: OnInvalid) -> None:
    assert isinstance(EVENTS, Events)
    try:
        ready = sent(EVENTS, row, Check(rule, now=NOW))
        written = EVENTS.item(ready)
    except Invalid:
        return
    attributes = json.loads(written)["attributes"]
    problems: list[Any] = []
    event_checks.profile(attributes["profile"], "", problems)
    event_checks.event(attributes["events"]["data"][0]["attributes"], "", problems, NOW)
    assert problems == []
    assert len(EVENTS.identity(ready)) == 8
    again = sent(EVENTS, row, Check(rule, now=NOW))
    assert (again, EVENTS.identity(again)) == (ready, EVENTS.identity(ready))


@given(st.lists(st.dictionaries(st.text(max_size=3), st.text(), max_size=2), max_size=3))
def test_a_body_can_be_read_back_row_by_row(properties: list[dict[str, str]]) -> None:
    rows = [sent(PROFILES, {"id": f"01J{at}", "properties": each}, Check()) for at, each in enumerate(properties)]
    items = [PROFILES.item(row) for row in rows]
    lane = PROFILES.lanes["bulk"]
    body = lane.request(lane.pack(items)).body
    assert body is not None
    assert [json.dumps(each) for each in lane.unpack(body)] == [json.dumps(json.loads(item)) for item in items]

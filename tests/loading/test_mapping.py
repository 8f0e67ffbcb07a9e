# SPDX-License-Identifier: Apache-2.0
"""A column becomes a field, a bad value becomes a reason, and a wrong mapping is said once and at once."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.loading import FieldMapping
from airflow_provider_klaviyo.loading.mapping import CONVERTERS, Unmappable, converter, mapper

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.decimals() | st.datetimes() | st.dates() | st.binary()


def mapped(row: dict[str, Any], *mappings: tuple[Any, ...]) -> Any:
    return mapper([FieldMapping(*each) for each in mappings])(row)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        (None, "as it is", "as it is"),
        ("lower", " Sarah@Example.COM ", "sarah@example.com"),
        ("strip", "  x y ", "x y"),
        ("text", 12, "12"),
        ("number", "1234.50", 1234.5),
        ("number", " 12 ", 12),
        ("number", "1e3", 1000),
        ("number", Decimal("9.99"), 9.99),
        ("number", 7, 7),
        ("number", "-0", 0),
        ("boolean", "YES", True),
        ("boolean", 0, False),
        ("boolean", False, False),
        ("iso8601", "2026-11-01 10:00:00", "2026-11-01T10:00:00+00:00"),
        ("iso8601", "2026-11-01T10:00:00+02:00", "2026-11-01T10:00:00+02:00"),
        ("iso8601", date(2026, 11, 1), "2026-11-01T00:00:00+00:00"),
        ("iso8601", datetime(2026, 11, 1, tzinfo=timezone(timedelta(hours=-5))), "2026-11-01T00:00:00-05:00"),
        ("split", "a, b,,c ", ["a", "b", "c"]),
        ("split:;", "a;b,c", ["a", "b,c"]),
        ("split::", "a:b", ["a", "b"]),
        ("e164", "+1 415-555-2671", "+14155552671"),
        ("e164:US", "(415) 555-2671", "+14155552671"),
        ("e164:DE", "030 901820", "+4930901820"),
        (len, "abcd", 4),
    ],
)
def test_converters(name: Any, value: Any, expected: Any) -> None:
    found = mapped({"column": value}, ("column", "properties.field", name))
    assert found == {"properties": {"field": expected}}
    assert type(found["properties"]["field"]) is type(expected)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("number", "twelve"),
        ("number", True),
        ("number", "1,234"),
        ("number", "NaN1"),
        ("number", "infinity"),
        ("boolean", "perhaps"),
        ("boolean", 2),
        ("iso8601", "yesterday"),
        ("e164", "(415) 555-2671"),
        ("e164:US", "555"),
        pytest.param(lambda value: {"a": 1}[value], "b", id="not in a table"),
        pytest.param(lambda value: value.missing, "b", id="no such attribute"),
        pytest.param(lambda value: 1 / value, 0, id="division by zero"),
    ],
)
def test_what_cannot_be_converted_is_one_rows_fault_and_never_quoted(name: Any, value: Any) -> None:
    with pytest.raises(Unmappable) as refused:
        mapped({"column": value}, ("column", "properties.field", name))
    assert (refused.value.field, refused.value.code) == ("properties.field", "unconvertible")
    assert "column" in refused.value.reason
    if isinstance(value, str) and len(value) > 1:
        assert value not in str(refused.value)


@pytest.mark.parametrize("huge", ["1e999999999", "-1e99999999", Decimal("1e88888888")])
def test_a_number_of_a_billion_digits_is_not_written_out(huge: Any) -> None:
    with pytest.raises(Unmappable):
        mapped({"column": huge}, ("column", "value", "number"))


@pytest.mark.parametrize("name", [each for each in CONVERTERS if each != "text"])
@pytest.mark.parametrize("blank", ["", "   "])
def test_an_empty_text_is_no_value_and_so_cannot_be_a_bad_one(name: str, blank: str) -> None:
    """In a CSV file every absent value is an empty text."""
    assert mapped({"column": blank, "email": "a@example.com"}, ("column", "properties.field", name), ("email", "email")) == {
        "email": "a@example.com"
    }


def test_an_empty_text_reaches_a_callable_of_ones_own() -> None:
    assert mapped({"column": ""}, ("column", "title", lambda value: value or "none")) == {"title": "none"}


def test_a_null_leaves_a_field_or_clears_it_and_is_never_converted() -> None:
    row = {"a": None, "b": None}
    assert mapped(row, ("a", "first_name", "lower"), ("b", "last_name", "lower", "clear")) == {"last_name": None}


def test_destinations_nest_where_klaviyo_nests_and_nowhere_else() -> None:
    row = dict.fromkeys("abcdef", 1)
    assert mapped(
        row,
        ("a", "properties.x.y"),
        ("b", "location.city"),
        ("c", "profile.properties.p.q"),
        ("d", "profile.location.zip"),
        ("e", "profile.email"),
        ("f", "metric"),
    ) == {
        "properties": {"x.y": 1},
        "location": {"city": 1},
        "profile": {"properties": {"p.q": 1}, "location": {"zip": 1}, "email": 1},
        "metric": 1,
    }


def test_a_mapping_on_top_of_a_whole_object_does_not_change_the_source() -> None:
    """A constant that every row shares would carry one person's values to the next."""
    shared = {"shop": "EU"}
    map_row = mapper([FieldMapping("all", "properties"), FieldMapping("plan", "properties.plan")])
    assert map_row({"all": shared, "plan": "gold"}) == {"properties": {"shop": "EU", "plan": "gold"}}
    assert map_row({"all": shared, "plan": None}) == {"properties": {"shop": "EU"}}
    assert shared == {"shop": "EU"}


def test_a_field_of_a_whole_object_that_is_null_or_no_object() -> None:
    mappings = [FieldMapping("all", "location", on_null="clear"), FieldMapping("city", "location.city")]
    assert mapper(mappings)({"all": None, "city": "Bonn"}) == {"location": {"city": "Bonn"}}
    with pytest.raises(Unmappable) as refused:
        mapper(mappings)({"all": "Bonn", "city": "Bonn"})
    assert refused.value.field == "location.city"


def test_a_column_that_is_not_there_stops_the_load_and_says_which_are() -> None:
    with pytest.raises(KlaviyoConfigError, match=r"no column 'mail'; it has email, name"):
        mapped({"email": "a@example.com", "name": "A"}, ("mail", "email"))


@pytest.mark.parametrize(("name", "destination"), [("uper", "email"), ("e165:US", "email"), (None, ""), (None, "."), ("", "email")])
def test_a_mapping_that_cannot_work_is_refused_when_it_is_made(name: Any, destination: str) -> None:
    with pytest.raises(KlaviyoConfigError):
        FieldMapping("column", destination, name)


@given(name=st.sampled_from(sorted(CONVERTERS)), value=SCALARS)
def test_a_converter_converts_or_says_that_it_cannot(name: str, value: Any) -> None:
    try:
        found = mapped({"column": value}, ("column", "email", name))
    except Unmappable:
        return
    convert = converter(name)
    assert convert is not None
    if value is None or (isinstance(value, str) and not value.strip()):
        assert found == {}
    elif name in {"lower", "strip", "e164", "boolean"}:
        assert convert(found["email"]) == found["email"]  # once is enough

# SPDX-License-Identifier: Apache-2.0
"""A converter converts what it knows, and says of the rest that it cannot."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.loading.conversions import CONVERTERS, UNCONVERTIBLE, conversion, converter
from airflow_provider_klaviyo.loading.mapping import FieldMapping
from airflow_provider_klaviyo.loading.said import UNSAID

BERLIN = ZoneInfo("Europe/Berlin")
ARGUMENTS = {
    "datetime": "datetime:%d.%m.%Y",
    "default": "default:none",
    "e164": "e164:US",
    "split": "split:;",
    "iso8601": "iso8601:Asia/Tokyo",
}
NAMES = sorted({*CONVERTERS, *ARGUMENTS.values()} - {"datetime", "default"})
VALUES = (
    st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.decimals()
    | st.datetimes(timezones=st.none() | st.just(UTC))
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.uuids()
    | st.binary()
    | st.lists(st.text() | st.integers(), max_size=3)
    | st.dictionaries(st.text(), st.floats(), max_size=3)
    | st.sampled_from(
        ["yes", "1e999999999", "[[" * 9_999, '{"a": NaN}', "+14155552671", "0001-01-01", "9999-12-31T23:59:59-14:00", 10**5_000]
    )
)


class Plan(Enum):
    GOLD = "Gold"


def moscow(hour: int) -> datetime:
    return datetime(2026, 11, 1, hour, tzinfo=timezone(timedelta(hours=3)))


GOOD: list[tuple[str, Any, Any]] = [
    ("lower", " Sarah@Example.COM ", "sarah@example.com"),
    ("upper", " de ", "DE"),
    ("strip", "  x y ", "x y"),
    ("strip", b" bytes ", "bytes"),
    ("text", 12, "12"),
    ("text", 1042.0, "1042"),
    ("text", 10.5, "10.5"),
    ("text", 1e300, "1e+300"),
    ("text", Decimal("10.50"), "10.50"),
    ("text", True, "true"),
    ("text", moscow(10), "2026-11-01T10:00:00+03:00"),
    ("text", time(9, 30), "09:30:00"),
    ("text", UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ("text", "ü".encode(), "ü"),
    ("text", memoryview(b"x"), "x"),
    ("text", Plan.GOLD, "Gold"),
    ("text", {"a": ["ü", Decimal("1.5")]}, '{"a": ["ü", 1.5]}'),
    ("number", "1234.50", 1234.5),
    ("number", " 12 ", 12),
    ("number", "1e3", 1000),
    ("number", Decimal("9.99"), 9.99),
    ("number", 7, 7),
    ("number", "-0", 0),
    ("number", b"5", 5),
    ("integer", "1042", 1042),
    ("integer", 1042.0, 1042),
    ("integer", "1042.00", 1042),
    ("integer", Decimal(9007199254740993), 9007199254740993),
    ("boolean", "YES", True),
    ("boolean", 0, False),
    ("boolean", False, False),
    ("boolean", 1.0, True),
    ("boolean", b"\x01", True),
    ("boolean", b"\x00", False),
    ("boolean", b"off", False),
    ("consent", "Yes", "subscribed"),
    ("consent", " SUBSCRIBED", "subscribed"),
    ("consent", 1, "subscribed"),
    ("consent", True, "subscribed"),
    ("consent", "unsubscribed", "unsubscribed"),
    ("consent", "no", "unsubscribed"),
    ("consent", 0, "unsubscribed"),
    *(("consent", word, word) for word in ("never_subscribed", "not_subscribed", "pending", "invalid", "redacted")),
    ("consent", " Never_Subscribed ", "never_subscribed"),
    ("json", '{"a": [1, null]}', {"a": [1, None]}),
    ("json", b"[1]", [1]),
    ("json", {"a": 1}, {"a": 1}),
    ("json", [1], [1]),
    ("json", "null", None),
    ("date", "2026-11-01", "2026-11-01"),
    ("date", "2026-11-01T23:30:00-08:00", "2026-11-01"),
    ("date", moscow(1), "2026-11-01"),
    ("date", date(2026, 11, 1), "2026-11-01"),
    ("epoch", 1_700_000_000, "2023-11-14T22:13:20+00:00"),
    ("epoch", "1700000000.5", "2023-11-14T22:13:20.500000+00:00"),
    ("epoch", -1, "1969-12-31T23:59:59+00:00"),
    ("epoch_ms", 1_700_000_000_123, "2023-11-14T22:13:20.123000+00:00"),
    ("epoch_ms", Decimal(1_700_000_000_000), "2023-11-14T22:13:20+00:00"),
    ("datetime:%d.%m.%Y %H:%M", " 01.11.2026 10:05 ", "2026-11-01T10:05:00+00:00"),
    ("datetime:%Y-%m-%dT%H:%M:%S%z", "2026-11-01T10:05:00+0200", "2026-11-01T10:05:00+02:00"),
    ("iso8601", "2026-11-01 10:00:00", "2026-11-01T10:00:00+00:00"),
    ("iso8601", "2026-11-01T10:00:00Z", "2026-11-01T10:00:00+00:00"),
    ("iso8601", "2026-11-01T10:00:00+02:00", "2026-11-01T10:00:00+02:00"),
    ("iso8601", date(2026, 11, 1), "2026-11-01T00:00:00+00:00"),
    ("iso8601", moscow(0), "2026-11-01T00:00:00+03:00"),
    ("iso8601:Europe/Berlin", "2026-07-01T10:00:00", "2026-07-01T10:00:00+02:00"),
    ("iso8601:Europe/Berlin", datetime(2026, 1, 1, 10), "2026-01-01T10:00:00+01:00"),  # noqa: DTZ001 - the point
    ("iso8601:Europe/Berlin", date(2026, 7, 1), "2026-07-01T00:00:00+02:00"),
    ("iso8601:Europe/Berlin", moscow(10), "2026-11-01T10:00:00+03:00"),
    ("split", "a, b,,c ", ["a", "b", "c"]),
    ("split:;", "a;b,c", ["a", "b,c"]),
    ("split::", "a:b", ["a", "b"]),
    (r"split:\|", "a|b", ["a", "b"]),
    ("split", ["a ", None, " ", 1], ["a", "1"]),
    ("e164", "+1 415-555-2671", "+14155552671"),
    ("e164:US", "(415) 555-2671", "+14155552671"),
    ("e164:us", "(415) 555-2671", "+14155552671"),
    ("e164:US", 4155552671, "+14155552671"),
    ("e164:US", 4155552671.0, "+14155552671"),
    ("e164:DE", "030 901820", "+4930901820"),
    ("strip|lower", " A ", "a"),
    (" lower | split:;", "A;B", ["a", "b"]),
    ("split|builtins.len", "a,b", 2),
    ("builtins.len", "", 0),
]

BAD: list[tuple[str, Any]] = [
    ("number", "twelve"),
    ("number", True),
    ("number", "1,234"),
    ("number", "1_234"),
    ("integer", "1_234"),
    ("number", "NaN1"),
    ("number", "infinity"),
    ("number", [1]),
    ("number", "1e999999999"),
    ("number", "-1e99999999"),
    ("number", Decimal("1e88888888")),
    ("integer", "10.5"),
    ("integer", 10.5),
    ("integer", False),
    ("integer", "1e999999999"),
    ("boolean", "perhaps"),
    ("boolean", 2),
    ("boolean", b"\x02"),
    ("consent", "perhaps"),
    ("consent", b"\xff"),
    ("consent", 2),
    ("json", "{"),
    ("json", "5"),
    ("json", '"text"'),
    ("json", 5),
    ("json", "[" * 100_000),
    ("date", "yesterday"),
    ("date", 20_000),
    ("epoch", "soon"),
    ("epoch", 10**30),
    ("epoch", True),
    ("epoch_ms", float("inf")),
    ("datetime:%d.%m.%Y", "2026-11-01"),
    ("datetime:%d.%m.%Y", 5),
    ("iso8601", "yesterday"),
    ("iso8601", time(10)),
    ("iso8601:Europe/Berlin", "32.01.2026"),
    ("text", b"\xff"),
    ("text", [float("nan")]),
    ("text", 10**5_000),
    ("lower", ["a"]),
    ("split", {"a": 1}),
    ("e164", "(415) 555-2671"),
    ("e164:US", "555"),
    ("e164:US", ["+14155552671"]),
]


@pytest.mark.parametrize(("name", "value", "expected"), GOOD, ids=[f"{at} {name}" for at, (name, *_) in enumerate(GOOD)])
def test_what_a_converter_makes(name: str, value: Any, expected: Any) -> None:
    FieldMapping("column", "properties.field", name)
    convert = converter(name)
    assert convert is not None
    found = convert(value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(("name", "value"), BAD, ids=[f"{at} {name}" for at, (name, _) in enumerate(BAD)])
def test_what_it_cannot_convert(name: str, value: Any) -> None:
    convert = converter(name)
    assert convert is not None
    with pytest.raises(UNCONVERTIBLE):
        convert(value)


def test_a_clock_that_shows_an_hour_twice_or_not_at_all() -> None:
    """On 25 October 2026 Berlin's clocks show 02:30 twice, on 29 March never."""
    convert = converter("iso8601:Europe/Berlin")
    assert convert is not None
    assert convert("2026-10-25T02:30:00") == "2026-10-25T02:30:00+02:00"
    assert convert(datetime(2026, 10, 25, 2, 30, fold=1)) == "2026-10-25T02:30:00+02:00"  # noqa: DTZ001 - the point
    skipped = datetime.fromisoformat(convert("2026-03-29T02:30:00"))
    assert skipped.astimezone(UTC) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert skipped.astimezone(BERLIN).hour == 3


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("uper", "no converter 'uper'"),
        ("", "no converter ''"),
        ("e165:US", "no converter 'e165'"),
        ("strip|uper", "no converter 'uper'"),
        ("strip|", "no converter ''"),
        ("split:|", r"is written \\\|"),
        ("lower:x", "lower takes no argument"),
        ("my_pkg.clean:x", "no converter 'my_pkg.clean'"),
        ("iso8601:Europe/Bärlin", "no time zone"),
        ("iso8601:../etc/passwd", "no time zone"),
        ("iso8601:America", "no time zone"),
        ("datetime", "needs a format"),
        ("datetime:%Q", "needs a format"),
        ("datetime:%-d", "needs a format"),
        ("e164:USA", "is no country"),
        ("default", "needs a text"),
        ("default:", "needs a text"),
        ("default:a|default:b", "stands there once"),
        ("default:twelve|number", "does not go through"),
        ("my_pkg.clean|uper", "no converter 'uper'"),
        (5, "a name or a callable, not a int"),
        (["strip"], "a name or a callable, not a list"),
    ],
)
def test_what_is_no_converter_is_refused_where_the_mapping_is_made(written: Any, complaint: str) -> None:
    with pytest.raises(KlaviyoConfigError, match=complaint):
        FieldMapping("column", "properties.field", written)


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("my_pkg.clean_phone", "my_pkg.clean_phone cannot be imported"),
        ("math.squareroot", "cannot be imported"),
        ("math.pi", "is a float, not a callable"),
        ("e164:XX", "no region 'XX'"),
        ("strip|e164:ZZ", "no region 'ZZ'"),
    ],
)
def test_what_a_worker_alone_can_know_is_refused_before_the_first_row(written: str, complaint: str) -> None:
    """A DAG file is read where the callable may not be, and every minute."""
    FieldMapping("column", "properties.field", written)
    with pytest.raises(KlaviyoConfigError, match=complaint):
        conversion(written)


def test_a_phone_number_takes_the_loads_country_where_none_is_named() -> None:
    for name, region, number in (("e164", " us", "+14155552671"), ("strip|e164", "US", "+14155552671"), ("e164:US", "DE", "+14155552671")):
        run = conversion(name, region).run
        assert run is not None
        assert run("(415) 555-2671") == number
    run = conversion("e164", "").run
    assert run is not None
    with pytest.raises(ValueError, match=r"^"):
        run("(415) 555-2671")
    with pytest.raises(KlaviyoConfigError, match="no region 'XX'"):
        conversion("e164", "XX")
    assert conversion("number", "XX").title == "number"


def test_words_that_say_neither_are_those_that_a_load_of_consent_skips() -> None:
    convert = converter("consent")
    assert convert is not None
    assert [convert(word) for word in UNSAID] == list(UNSAID)


def test_every_converter_is_tried_here() -> None:
    tried = {name.partition(":")[0] for name, *_ in GOOD}
    assert set(CONVERTERS) - tried == {"default"}  # which is for what there is not


def test_every_converter_stands_in_the_guide() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guides" / "mapping.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in guide.split("## Converters")[1].split("\n## ")[0].splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`(\w+)", row)} == set(CONVERTERS)


@given(name=st.sampled_from(NAMES), value=VALUES)
def test_a_converter_converts_or_says_that_it_cannot(name: str, value: Any) -> None:
    convert = converter(name)
    if convert is None:
        assert name == "default:none"
        return
    try:
        found = convert(value)
    except UNCONVERTIBLE:
        return
    if name not in {"split", "split:;", "json", "epoch", "epoch_ms", "datetime:%d.%m.%Y"}:
        assert convert(found) == found  # once is enough

# SPDX-License-Identifier: Apache-2.0
"""The forms that Klaviyo takes, in the one place that knows them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any
from uuid import UUID

import pytest

from airflow_provider_klaviyo.api.values import CURRENCY, E164, PROFILE_ID, Unfit, as_text, distinct, filled, fit, is_email, is_null


@pytest.mark.parametrize(
    "text",
    [
        "sarah@example.com",
        "s@e.co",
        "o'brien+tag@mail.example.co.uk",
        "jörg@bücher.example",
        "a_b-c.d!#$%&*/=?^`{|}~@example.com",
        f"{'l' * 64}@example.com",
    ],
)
def test_addresses(text: str) -> None:
    assert is_email(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sarah",
        "@example.com",
        "sarah@",
        "sarah@example",
        "sarah@@example.com",
        "a..b@example.com",
        ".a@example.com",
        "a.@example.com",
        "sarah@example..com",
        "sarah@-example.com",
        "sarah@example.com.",
        "sarah connor@example.com",
        " sarah@example.com",
        "sarah@example.com\n",
        "<sarah@example.com>",
        "a,b@example.com",
        f"{'l' * 65}@example.com",
        f"sarah@{'d' * 63}.{'d' * 63}.{'d' * 63}.{'d' * 63}.com",
        "half\udc80@example.com",
    ],
)
def test_what_is_no_address(text: str) -> None:
    assert not is_email(text)


@pytest.mark.parametrize(
    ("text", "good"), [("+14155552671", True), ("+1415555267१", False), ("14155552671", False), ("+04155552671", False)]
)
def test_phone_numbers(text: str, good: bool) -> None:
    assert bool(E164.fullmatch(text)) is good


@pytest.mark.parametrize(
    ("text", "good"),
    [
        *((good, True) for good in ("01GDDKASAP8TKDDA2GRZDSVP4H", "GDDkYT", "7Q2b9c", "01a")),
        *((bad, False) for bad in ("", "1042", "123456", "a-b", "a b", "é1", "d41d8cd98f00b204e9800998ecf8427e", "1a\n")),
    ],
)
def test_ids_of_profiles(text: str, good: bool) -> None:
    assert bool(PROFILE_ID.fullmatch(text)) is good


@pytest.mark.parametrize(("text", "good"), [("USD", True), ("usd", False), ("US", False), ("USDT", False)])
def test_currencies(text: str, good: bool) -> None:
    assert bool(CURRENCY.fullmatch(text)) is good


class Level(IntEnum):
    GOLD = 3


class Plan(StrEnum):
    GOLD = "gold"


class Place(Enum):
    HERE = ("a", 1)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (Decimal("9.99"), 9.99),
        (datetime(2026, 11, 1, tzinfo=UTC), "2026-11-01T00:00:00+00:00"),
        (date(2026, 11, 1), "2026-11-01"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (("a", {"b": (1, None)}), ["a", {"b": [1, None]}]),
        ({7: {"x"}}, {"7": ["x"]}),
        (Level.GOLD, 3),
        (Plan.GOLD, "gold"),
        (Place.HERE, ["a", 1]),
        (Decimal(1042), 1042),
        (Decimal("1042.0"), 1042.0),
        (Decimal(2**53 + 1), 2**53 + 1),
        (time(9, 30, tzinfo=UTC), "09:30:00+00:00"),
        (timedelta(minutes=1, milliseconds=500), 60.5),
        ({"b", "a", "c"}, ["a", "b", "c"]),
        ({Decimal(1): 1, None: 2, date(2026, 1, 1): 3}, {"1": 1, "None": 2, "2026-01-01": 3}),
        (True, True),
    ],
)
def test_what_json_carries(value: Any, kept: Any) -> None:
    assert fit(value) == kept


@pytest.mark.parametrize(
    ("value", "code"),
    [
        *((each, "not_a_number") for each in (float("nan"), float("-inf"), Decimal("NaN"), Decimal("sNaN"), Decimal("1e400"))),
        (2**63, "number_too_large"),
        (datetime(2026, 11, 1), "naive_time"),  # noqa: DTZ001 - the fault
        ("x" * 100_001, "text_too_long"),
        ("é" * 50_001, "text_too_long"),
        ("half \udc80", "not_unicode"),
        ({"a": {"b": [b"bytes"]}}, "no_json_form"),
        (bytearray(b"bytes"), "no_json_form"),
        (memoryview(b"bytes"), "no_json_form"),
        (object(), "no_json_form"),
        ({b"a": 1}, "no_json_form"),
        (Decimal(2**63), "number_too_large"),
        ([0] * 4_001, "list_too_long"),
    ],
)
def test_what_it_does_not_carry(value: Any, code: str) -> None:
    with pytest.raises(Unfit) as unfit:
        fit(value)
    assert unfit.value.code == code


def test_ten_levels_are_the_limit() -> None:
    value: Any = 1
    for _ in range(9):
        value = [value]
    assert fit(value) == value
    with pytest.raises(Unfit, match="deeper than 10 levels"):
        fit([value])


def test_what_says_nothing_is_left_out() -> None:
    given: dict[str, Any] = {"a": None, "b": "  ", "c": [], "d": {}, "e": 0, "f": False, "g": " text ", "h": [""], "i": 0.0}
    assert filled(given) == {"e": 0, "f": False, "g": "text", "h": [""], "i": 0.0}


def test_the_first_of_each_is_kept() -> None:
    assert distinct(["b", " a", None, "", "a ", "b", "B"]) == ["b", "a", "B"]


def test_bytes_are_told_how_to_be_sent() -> None:
    for raw in (b"x", bytearray(b"x"), memoryview(b"x")):
        with pytest.raises(Unfit, match=f"^{type(raw).__name__} have no form in JSON: map them with text"):
            fit(raw)


@pytest.mark.parametrize(
    "value", [0, "", "nan", False, [], [float("nan")], {}, b"", date(2026, 1, 1), float("inf"), object()], ids=range(11)
)
def test_what_is_a_value(value: Any) -> None:
    assert not is_null(value)


@pytest.mark.parametrize("value", [None, float("nan"), Decimal("NaN"), Decimal("sNaN")], ids=range(4))
def test_what_says_that_there_is_none(value: Any) -> None:
    assert is_null(value)


def test_what_has_no_text() -> None:
    empty: list[Any] = [[], {}, (), set()]
    for value in empty:
        with pytest.raises(TypeError):
            as_text(value)
    with pytest.raises(ValueError, match="utf-8"):
        as_text(b"\xff")

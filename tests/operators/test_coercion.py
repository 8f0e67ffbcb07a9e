# SPDX-License-Identifier: Apache-2.0
"""What a template renders to comes in the declared type, or is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

import pytest

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.operators.coercion import cleared, coerce
from airflow_provider_klaviyo.operators.listing import Fields, Names

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "hint", "becomes"),
    [
        ("['old', 'older']", Names | None, ["old", "older"]),
        ('["old"]', Names, ["old"]),
        ("('old',)", Names, ("old",)),
        ("old", Names, "old"),
        ("old,older", Names | None, "old,older"),
        ("[old", Names, "[old"),
        ("['old']", str, "['old']"),
        ("{'profile': ['email']}", Fields | None, {"profile": ["email"]}),
        ({"profile": "['email', 'created']"}, Fields, {"profile": ["email", "created"]}),
        ("{'page[size]': 10}", Mapping[str, str | int] | None, {"page[size]": 10}),
        ({"page[size]": "10", "n": 10}, Mapping[str, str | int], {"page[size]": "10", "n": 10}),
        ("False", bool, False),
        ("42", int, 42),
        ("12.5", float | None, 12.5),
        (7, str, "7"),
        ("L", Literal["S", "L"], "L"),
    ],
)
def test_text_becomes_what_was_declared(value: Any, hint: Any, becomes: Any) -> None:
    assert coerce(value, hint, where="it") == becomes


@pytest.mark.parametrize("value", [True, "True", False], ids=repr)
@pytest.mark.parametrize("hint", [int, float, float | None, timedelta, Sequence[int]])
def test_yes_and_no_are_no_numbers(value: Any, hint: Any) -> None:
    with pytest.raises(KlaviyoConfigError):
        coerce([value] if hint == Sequence[int] else value, hint, where="it")


def test_a_flag_in_a_query_is_refused_and_not_made_a_number() -> None:
    with pytest.raises(KlaviyoConfigError, match="it must be"):
        coerce({"flag": True}, Mapping[str, str | int] | None, where="it")


@pytest.mark.parametrize("value", ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00+00:00", " 2026-01-01 00:00:00+00:00", NEW_YEAR])
@pytest.mark.parametrize("hint", [datetime, datetime | None, datetime | str | None])
def test_a_time_is_a_datetime_or_iso_text(value: Any, hint: Any) -> None:
    assert coerce(value, hint, where="it") == NEW_YEAR


@pytest.mark.parametrize("value", [1_700_000_000, "1700000000", 1.7e9, True, "True", "tomorrow"], ids=repr)
@pytest.mark.parametrize("hint", [datetime, datetime | None, date])
def test_a_number_is_no_time(value: Any, hint: Any) -> None:
    with pytest.raises(KlaviyoConfigError):
        coerce(value, hint, where="it")


def test_seconds_are_a_duration() -> None:
    assert coerce("90", timedelta, where="it") == timedelta(seconds=90)


@pytest.mark.parametrize(
    "hint", [int | None, bool | None, float | None, datetime | None, Mapping[str, Any] | None, Literal["S", "L"] | None]
)
def test_no_text_is_nothing_where_text_cannot_be(hint: Any) -> None:
    assert coerce("", hint, where="it") is None
    assert coerce(" ", hint, where="it") is None


def test_no_text_is_a_text_where_text_can_be() -> None:
    assert coerce("", str | None, where="it") == ""
    with pytest.raises(KlaviyoConfigError):
        coerce("", int, where="it")


@pytest.mark.parametrize(
    ("template", "rendered", "becomes"),
    [
        ("{{ none }}", "None", None),
        ("{% if x %}{{ x }}{% endif %}", "None", None),
        ("None", "None", "None"),
        ("{{ name }}", "Ann", "Ann"),
        ("Dear {{ none }}", "Dear None", "Dear None"),
        ({"a": "{{ none }}", "b": "None", "c": {"d": ["{{ none }}", 1]}}, {"a": "None", "b": "None", "c": {"d": ["None", 1]}}, ...),
        (("{{ none }}", "x"), ("None", "x"), (None, "x")),
        (object(), {"a": "None"}, {"a": "None"}),
        ({"a": object()}, {"a": "None"}, {"a": "None"}),
    ],
)
def test_a_template_that_found_nothing_is_nothing(template: Any, rendered: Any, becomes: Any) -> None:
    wanted = {"a": None, "b": "None", "c": {"d": [None, 1]}} if becomes is ... else becomes
    assert cleared(template, rendered) == wanted


def test_nothing_is_refused_where_something_is_needed() -> None:
    with pytest.raises(KlaviyoConfigError, match="it must be str, nothing is not"):
        coerce(None, str, where="it")
    with pytest.raises(KlaviyoConfigError, match=r"it must be .*at position 1"):
        coerce(["a", None], Sequence[str], where="it")


def test_a_message_never_holds_the_value() -> None:
    with pytest.raises(KlaviyoConfigError) as refused:
        coerce("jane@example.com", Mapping[str, Any], where="it")
    assert "jane" not in str(refused.value)
    assert refused.value.__cause__ is None

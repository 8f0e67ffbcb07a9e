# SPDX-License-Identifier: Apache-2.0
"""A phone number leaves as E.164 or not at all."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.loading.phones import e164, known_region, phone


@pytest.mark.parametrize(
    ("given_number", "region", "expected"),
    [
        ("+14155552671", None, "+14155552671"),
        (" +1 (415) 555-2671 ", None, "+14155552671"),
        ("415-555-2671", "US", "+14155552671"),
        ("0044 20 7946 0958", "DE", "+442079460958"),
        ("+1 415 555 2671 ext. 12", None, "+14155552671"),
        ("+1 415 555 2671", None, "+14155552671"),
    ],
)
def test_numbers(given_number: str, region: str | None, expected: str) -> None:
    assert e164(given_number, region) == expected


@pytest.mark.parametrize("bad", ["", "415-555-2671", "call me", "+", "+0123456789", "+1234567890123456", "+1 555", "12\x00345"])
def test_what_is_no_number_anywhere_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match=r"^"):
        e164(bad)


@pytest.mark.parametrize("column", [4155552671, 4155552671.0, "415 555 2671", b"(415) 555-2671"])
def test_a_column_of_numbers_holds_phone_numbers_too(column: object) -> None:
    assert phone(column, "US") == "+14155552671"


@pytest.mark.parametrize("column", [["+14155552671"], {"a": 1}, True, 4155552671.5])
def test_what_cannot_be_a_phone_number(column: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        phone(column, "US")


def test_a_country_has_a_code_of_two_letters() -> None:
    assert [known_region(each) for each in ("US", " de ", "", None)] == ["US", "DE", None, None]
    for region in ("XX", "USA", "001"):
        with pytest.raises(KlaviyoConfigError, match="ISO 3166"):
            known_region(region)


@given(st.text(alphabet="+0123456789 ()-.xtel\u0661\uff11"), st.sampled_from([None, "US", "DE", "XX"]))
def test_whatever_comes_out_is_e164_and_stays_itself(text: str, region: str | None) -> None:
    try:
        number = e164(text, region)
    except ValueError:
        return
    assert re.fullmatch(r"\+[1-9][0-9]{6,14}", number)
    assert e164(number) == number

# SPDX-License-Identifier: Apache-2.0
"""What each field of a profile or an event takes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from functools import cache, partial
from typing import Any
from zoneinfo import available_timezones

from airflow_provider_klaviyo.api.values import CURRENCY, Unfit, as_text, fit, is_email
from airflow_provider_klaviyo.loading.converters import number

LOCALE = re.compile(r"[a-z]{2,3}-[A-Z]{2}")
NO_NUMBER = (ValueError, TypeError, ArithmeticError)
"""What is raised for what cannot be read as a number. A value that cannot be sent is a ``ValueError`` as well."""


def email(value: Any) -> str:
    """Return an e-mail address without blanks around it; letters beyond ASCII are allowed."""
    address = written(value)
    if not is_email(address):
        raise Unfit("bad_email", "the e-mail address is malformed")
    return address


def text(value: Any) -> str:
    """Return a text: also a number, a time or an id, as it is written."""
    kept = fit(value)
    if isinstance(kept, str):
        return kept
    if isinstance(kept, (dict, list)):
        raise Unfit("not_a_text", f"the field takes a text, not a {type(value).__name__}")
    return as_text(value if isinstance(value, Decimal) else kept)  # 10.50 keeps its zero


def written(value: Any) -> str:
    """Return the text of a value without blanks around it, none where it has no such."""
    if type(value) is str:
        return value.strip()
    try:
        return text(value).strip()
    except Unfit:
        return ""


def locale(value: Any) -> str:
    """Return a locale as Klaviyo writes it; ``en_US`` is understood."""
    tag = written(value).replace("_", "-")
    if not LOCALE.fullmatch(tag):
        raise Unfit("bad_locale", "a locale looks like en-US")
    return tag


def _value(value: Any) -> float:
    """Return a number, also of text: a CSV file has nothing else, and some drivers give decimals so."""
    kept = fit(value)
    if isinstance(kept, str):
        with suppress(*NO_NUMBER):  # it is refused with the rest below, outside of an error that may hold the value
            kept = fit(number(kept))
    if isinstance(kept, bool) or not isinstance(kept, (int, float)):
        raise Unfit("bad_value", "an event's value is a number, without signs of thousands and currency")
    return kept


def _currency(value: Any) -> str:
    code = written(value).upper()
    if not CURRENCY.fullmatch(code):
        raise Unfit("bad_currency", "a currency is an ISO 4217 code such as USD")
    return code


def _degrees(most: int, value: Any) -> float:
    try:
        degrees = value if type(value) is float else float(number(value))
    except NO_NUMBER:
        degrees = math.nan
    if not -most <= degrees <= most:
        raise Unfit("bad_degrees", f"a number of degrees lies between -{most} and {most}")
    return degrees


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _timezone(value: Any) -> str:
    name = written(value)
    if name not in _zones():
        raise Unfit("bad_timezone", "a time zone is an IANA name such as Europe/Berlin")
    return name


LOCATION_READERS: dict[str, Callable[[Any], Any]] = {
    "latitude": partial(_degrees, 90),
    "longitude": partial(_degrees, 180),
    "timezone": _timezone,
}
EVENT_READERS: dict[str, Callable[[Any], Any]] = {"value": _value, "value_currency": _currency}

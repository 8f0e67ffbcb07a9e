# SPDX-License-Identifier: Apache-2.0
"""The forms Klaviyo takes: Python values in JSON, e-mail addresses, phone numbers, currencies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from typing import Any
from uuid import UUID

MAX_DEPTH = 10
MAX_ITEMS = 4_000
MAX_TEXT = 100_000
LONGEST_INT = 2**63
LONGEST_EMAIL = 254

_ATOM = r"[^\s@<>()\[\],;:\\\".\ud800-\udfff]+"
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_EMAIL = re.compile(rf"(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+[^\W\d_][\w-]{{0,61}}[^\W_]")
E164 = re.compile(r"\+[1-9][0-9]{6,14}")
CURRENCY = re.compile(r"[A-Z]{3}")


class Unfit(ValueError):  # noqa: N818 - the name says what is wrong with the value
    """
    A value that Klaviyo cannot take.

    :param code: A short name of the reason, to count by.
    :param reason: A sentence, without the value.
    """

    def __init__(self, code: str, reason: str) -> None:
        self.code, self.reason = code, reason
        super().__init__(reason)


def is_email(text: str) -> bool:
    """Tell whether a text has the form of an e-mail address; letters beyond ASCII are allowed."""
    return len(text) <= LONGEST_EMAIL and _EMAIL.fullmatch(text) is not None


def fit(value: Any, depth: int = 1) -> Any:
    """
    Return a value as JSON can carry it and Klaviyo takes it.

    :param value: What a database driver or a mapping gave: also ``Decimal``, ``datetime``, ``UUID``, tuples and sets.
    :param depth: How deep it lies; Klaviyo takes 10 levels, the object it is a property of being the first.
    :raises Unfit: It is no number (NaN), has no time zone, is too long, too deep, or nothing JSON has a form for.
    """
    match value:
        case Mapping():
            _deeper(value, depth)
            return {str(key): fit(each, depth + 1) for key, each in value.items()}
        case list() | tuple() | set() | frozenset():
            _deeper(value, depth)
            return [fit(each, depth + 1) for each in value]
    return _scalar(value)


def filled(pairs: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what says nothing: ``None``, blank texts, empty lists and objects. Texts are trimmed; 0 and false stay."""
    kept: dict[str, Any] = {}
    for key, value in pairs.items():
        if isinstance(value, str):
            if text := value.strip():
                kept[key] = text
        elif value or isinstance(value, (int, float)):
            kept[key] = value
    return kept


def distinct(values: Iterable[str | None]) -> list[str]:
    """Keep the first of each, blanks left out."""
    return list(dict.fromkeys(text for value in values if value and (text := value.strip())))


def _scalar(value: Any) -> Any:
    match value:
        case None | bool():
            return value
        case str():
            return _text(value)
        case int():
            if not -LONGEST_INT <= value < LONGEST_INT:
                raise Unfit("number_too_large", "a whole number does not fit in 64 bits: map it to text")
            return value
        case float() | Decimal():
            return _number(value)
        case datetime() if value.tzinfo is None:
            raise Unfit("naive_time", "a time has no time zone: make it aware, or map it with iso8601")
        case date():  # a datetime is one
            return value.isoformat()
        case UUID():
            return str(value)
    raise Unfit("no_json_form", f"a {type(value).__name__} has no form in JSON: map it with a convert_function")


def _text(value: str) -> str:
    if len(value) > MAX_TEXT // 4 or not value.isascii():
        try:
            size = len(value.encode())
        except UnicodeEncodeError:  # the error quotes the text
            raise Unfit("not_unicode", "a text holds half a character (a lone surrogate): it was decoded wrongly") from None
        if size > MAX_TEXT:
            raise Unfit("text_too_long", "a text is longer than 100 KB")
    return value


def _number(value: float | Decimal) -> float:
    signalling = isinstance(value, Decimal) and value.is_snan()  # it has no form as a float at all
    if signalling or not isfinite(number := float(value)):
        raise Unfit("not_a_number", "the value is not a number (NaN or infinite)")
    return number


def _deeper(value: Any, depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise Unfit("too_deep", f"the value is nested deeper than {MAX_DEPTH} levels")
    if len(value) > MAX_ITEMS:
        raise Unfit("list_too_long", f"the value has more than {MAX_ITEMS:,} items")

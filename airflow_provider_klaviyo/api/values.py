# SPDX-License-Identifier: Apache-2.0
"""The forms Klaviyo takes: Python values in JSON, e-mail addresses, phone numbers, currencies."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from math import isfinite
from typing import Any
from uuid import UUID

NEVER_NULL = frozenset({str, int, bool, bytes, dict, list, tuple, set, date, datetime, time, timedelta, UUID})
"""The types of which no value says that there is none: a fast answer to what most values are asked."""
NULL_TYPES = frozenset({"NAType", "NaTType"})
"""What pandas calls the types of its ``NA`` and ``NaT``. It is not imported for them: who has none of its values may not have it."""

MAX_DEPTH = 10
MAX_ITEMS = 4_000
MAX_TEXT = 100_000
LONGEST_INT = 2**63
LONGEST_EXACT = 2**53  # of the whole numbers a float holds each of
LONGEST_EMAIL = 254

_ATOM = r"[^\s@<>()\[\],;:\\\".\ud800-\udfff]+"
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_EMAIL = re.compile(rf"(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+[^\W\d_][\w-]{{0,61}}[^\W_]")
E164 = re.compile(r"\+[1-9][0-9]{6,14}")
CURRENCY = re.compile(r"[A-Z]{3}")
PROFILE_ID = re.compile(r"(?=[0-9]*[A-Za-z])[0-9A-Za-z]{1,26}")
"""Ids of profiles are ULIDs, of 26 characters, and old ones have six. What has no letter, or other signs, is an id of somebody else's."""


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


def is_null(value: Any) -> bool:
    """Tell whether a value is a table's way to say that there is none: ``None``, NaN, and the ``NaT`` and ``NA`` of pandas."""
    if value is None or type(value).__name__ in NULL_TYPES:
        return True
    if type(value) in NEVER_NULL:
        return False
    try:
        return bool(value != value)  # noqa: PLR0124 - only NaN is not itself
    except Exception:  # noqa: BLE001 - a signalling NaN may not be compared, an array has no truth, and others have their reasons
        return isinstance(value, Decimal)


def fit(value: Any, depth: int = 1) -> Any:
    """
    Return a value as JSON can carry it and Klaviyo takes it.

    :param value: What a database driver or a mapping gave: also ``Decimal``, ``datetime``, ``UUID``, enums, tuples, sets and what numpy has.
        A duration becomes seconds.
    :param depth: How deep it lies; Klaviyo takes 10 levels, the object it is a property of being the first.
    :raises Unfit: It is no number (NaN), has no time zone, is too long, too deep, or nothing JSON has a form for.
    """
    if read := _SCALARS.get(type(value)):
        return read(value)
    match value:
        case Mapping():
            _deeper(value, depth)
            return {key if type(key) is str else fit_key(key): fit(each, depth + 1) for key, each in value.items()}
        case list() | tuple():
            _deeper(value, depth)
            return [fit(each, depth + 1) for each in value]
        case set() | frozenset():
            _deeper(value, depth)
            return sorted((fit(each, depth + 1) for each in value), key=repr)  # in one order at every run, as ids derived of it need
    if type(value).__module__ == "numpy":
        return fit(_unwrapped(value), depth)
    return _scalar(value)


def fit_key(value: Any) -> str:
    """
    Return the name of a field of an object as JSON has it, a text.

    :param value: The name, or a number, a day, an id.
    :raises Unfit: It is none of these.
    """
    return kept if isinstance(kept := _scalar(value), str) else str(kept)


def as_text(value: Any) -> str:
    """
    Write a single value as text.

    :param value: It; bytes are read as UTF-8, times written as ISO 8601, and 1042.0 is what a table with nulls makes of 1042.
    :raises ValueError: It has no such text.
    :raises TypeError: It holds other values.
    """
    if type(value) in {str, int}:
        return str(value)
    match value:
        case Enum():
            return as_text(value.value)
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer() and abs(value) < LONGEST_EXACT:
            return str(int(value))
        case date() | time():
            return value.isoformat()
        case bytes() | bytearray() | memoryview():
            return bytes(value).decode()
        case Mapping() | list() | tuple() | set() | frozenset():
            raise TypeError
    return as_text(_unwrapped(value)) if type(value).__module__ == "numpy" else str(value)


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
    """Fit what is of a subclass of the types below, or of none."""
    if type(value).__name__ in NULL_TYPES:  # the one of times is a datetime
        raise Unfit("not_a_number", "the value says that there is none (NaT or NA)")
    for kind, read in _SCALARS.items():
        if isinstance(value, kind):
            return read(value)
    raise Unfit("no_json_form", f"a {type(value).__name__} has no form in JSON: map it with a convert_function")


def _itself(value: Any) -> Any:
    return value


def _whole(value: int) -> int:
    if not -LONGEST_INT <= value < LONGEST_INT:
        raise Unfit("number_too_large", "a whole number does not fit in 64 bits: map it to text")
    return int(value)


def _decimal(value: Decimal) -> float:
    return _whole(int(value)) if value.as_tuple().exponent == 0 else _number(value)


def _time(value: datetime) -> str:
    if value.utcoffset() is None:
        raise Unfit("naive_time", "a time has no time zone: make it aware, or map it with iso8601")
    return value.isoformat()


def _duration(value: timedelta) -> float:
    seconds = value.total_seconds()
    return int(seconds) if seconds.is_integer() else seconds


def _bytes(value: bytes) -> str:
    raise Unfit(
        "no_json_form", f"{type(value).__name__} have no form in JSON: map them with text, if they are UTF-8, or a convert_function"
    )


def _unwrapped(value: Any) -> Any:
    """Return what numpy holds, a scalar or an array, as Python's own."""
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    try:
        if kind in {"m", "M"}:  # finer than a microsecond, it would come back as a bare number
            value = value.astype(f"{'datetime' if kind == 'M' else 'timedelta'}64[us]")
        found = value.tolist()
    except (AttributeError, TypeError, ValueError):
        found = value
    if type(found).__module__ == "numpy" or (kind in {"m", "M"} and isinstance(found, int)):
        raise Unfit("no_json_form", f"a {type(value).__name__} of numpy has no form in JSON: map it with a convert_function")
    return found


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


_SCALARS: dict[type[Any], Callable[[Any], Any]] = {
    Enum: lambda value: fit(value.value),
    str: _text,
    bool: _itself,
    int: _whole,
    float: _number,
    type(None): _itself,
    Decimal: _decimal,
    datetime: _time,
    date: date.isoformat,
    time: time.isoformat,
    timedelta: _duration,
    UUID: str,
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
}
"""How a scalar of each type is read. A subclass is read as the first that it is one of: a datetime is a date, true an int."""

# SPDX-License-Identifier: Apache-2.0
"""What a mapping may do to a value on its way, by name: ``lower``, ``number``, ``split:;``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.values import as_text, fit, is_null
from airflow_provider_klaviyo.loading.phones import phone

Convert = Callable[[Any], Any]

TRUE = frozenset({"1", "t", "true", "y", "yes", "on"})
FALSE = frozenset({"0", "f", "false", "n", "no", "off"})
YES, NO = TRUE | {"subscribed"}, FALSE | {"unsubscribed"}
LARGEST_EXPONENT = 300  # of a float; 1e999999999 would be written out as an integer of a billion digits
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
REGION = re.compile(r"[A-Za-z]{2}")


def text(value: Any) -> str:
    """Write a text; a list or an object as JSON."""
    try:
        return as_text(value)
    except TypeError:
        return json.dumps(fit(value), ensure_ascii=False)


def strip(value: Any) -> str:
    """Write a text without blanks around it."""
    return as_text(value).strip()


def lower(value: Any) -> str:
    """Write a text in small letters, without blanks around it."""
    return strip(value).lower()


def upper(value: Any) -> str:
    """Write a text in capital letters, without blanks around it."""
    return strip(value).upper()


def number(value: Any) -> int | float:
    """Read a number, also from text such as ``"1234.50"``."""
    if isinstance(value, bool):
        raise TypeError
    if isinstance(value, int):
        return value
    written = value if isinstance(value, (float, Decimal)) else strip(value)
    read = _decimal(written)
    return int(read) if read == read.to_integral_value() and "." not in str(written) else float(read)


def integer(value: Any) -> int:
    """Read a whole number, also from ``"1042"`` and ``1042.0``; what has a fraction is none."""
    if isinstance(value, int):
        return int(number(value))
    read = _decimal(value if isinstance(value, (float, Decimal)) else strip(value))
    if read != read.to_integral_value():
        raise ValueError
    return int(read)


def boolean(value: Any) -> bool:
    """Read a boolean, also from ``"yes"``, ``"f"``, ``0``."""
    return _chosen(value, TRUE, FALSE)


def consent(value: Any) -> str:
    """Read what somebody said: ``subscribed`` or ``unsubscribed``, also from what :func:`boolean` reads; words for neither stay."""
    try:
        return "subscribed" if _chosen(value, YES, NO) else "unsubscribed"
    except ValueError:
        from airflow_provider_klaviyo.loading.said import UNSAID  # which reads rows, and needs what needs this module

        if (word := lower(value)) in UNSAID:
            return word
        raise


def read_json(value: Any) -> Any:
    """Read JSON text that is an object, a list or null; what is an object or a list already stays."""
    found = value if isinstance(value, (Mapping, list, tuple)) else json.loads(as_text(value))
    if found is not None and not isinstance(found, (Mapping, list, tuple)):
        raise TypeError
    return found


def iso8601(value: Any, zone: tzinfo = UTC) -> str:
    """
    Write a time as ISO 8601.

    :param value: A time, a day (its beginning), or ISO 8601 text.
    :param zone: Where a time without an offset was read off a clock. Of one that a clock shows twice, the first is taken; one that it
        skips counts from before the change, as PEP 495 has it.
    """
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    return _in_zone(value if isinstance(value, datetime) else datetime.fromisoformat(strip(value)), zone)


def day(value: Any) -> str:
    """Write the day of a time, as its own clock showed it: ``2026-11-01``."""
    if isinstance(value, date):
        return date(value.year, value.month, value.day).isoformat()
    return datetime.fromisoformat(strip(value)).date().isoformat()


def since_epoch(value: Any, unit: timedelta) -> str:
    """Write a time that is given as a number of seconds, or of milliseconds, since 1970."""
    return (EPOCH + unit * number(value)).isoformat()


def parse_time(form: str, value: Any) -> str:
    """Write a time that is text of some other form; without an offset it is taken as UTC."""
    return _in_zone(datetime.strptime(strip(value), form), UTC)  # noqa: DTZ007 - the next call gives it a zone


def split(separator: str, value: Any) -> list[str]:
    """Cut a text into a list, without blanks; a list is trimmed alone."""
    parts: Iterable[Any] = value if isinstance(value, (list, tuple)) else as_text(value).split(separator)
    return [part for each in parts if not is_null(each) and (part := strip(each))]


def _decimal(value: Any) -> Decimal:
    written = str(value)
    if "_" in written:  # which Python takes for a sign of thousands
        raise ValueError
    read = Decimal(written)
    if not read.is_finite() or read.adjusted() > LARGEST_EXPONENT:
        raise ValueError
    return read


def _chosen(value: Any, yes: frozenset[str], no: frozenset[str]) -> bool:
    if isinstance(value, (bytes, bytearray)) and len(value) == 1 and value[0] in {0, 1}:
        return value[0] == 1  # a column of one bit, as MySQL's driver has it
    word = lower(value)
    if word not in yes | no:
        raise ValueError
    return word in yes


def _in_zone(moment: datetime, zone: tzinfo) -> str:
    return (moment if moment.utcoffset() is not None else moment.replace(tzinfo=zone, fold=0)).isoformat()


def _zoned(argument: str) -> Convert:
    if not argument:
        return iso8601
    try:
        return partial(iso8601, zone=ZoneInfo(argument))
    except (KeyError, ValueError, OSError):
        message = f"iso8601: there is no time zone {argument!r}; take an IANA name such as Europe/Berlin."
        raise KlaviyoConfigError(message) from None


def _parsing(form: str) -> Convert:
    try:
        datetime.strptime(EPOCH.strftime(form), form)  # noqa: DTZ007 - whether the form can be read at all
    except ValueError:
        form = ""
    if not form:
        raise KlaviyoConfigError("datetime needs a format of Python's strptime behind a colon, such as datetime:%d.%m.%Y %H:%M")
    return partial(parse_time, form)


def _regional(argument: str) -> Convert:
    if argument and not REGION.fullmatch(argument):
        raise KlaviyoConfigError(f"e164: {argument!r} is no country: take its ISO 3166 code of two letters, as in e164:US")
    return partial(phone, region=argument.upper() or None)


SIMPLE: dict[str, Convert] = {
    "text": text,
    "strip": strip,
    "lower": lower,
    "upper": upper,
    "number": number,
    "integer": integer,
    "boolean": boolean,
    "consent": consent,
    "json": read_json,
    "date": day,
    "epoch": partial(since_epoch, unit=timedelta(seconds=1)),
    "epoch_ms": partial(since_epoch, unit=timedelta(milliseconds=1)),
}
WITH_ARGUMENT: dict[str, Callable[[str], Convert]] = {
    "iso8601": _zoned,
    "datetime": _parsing,
    "split": lambda separator: partial(split, separator or ","),
    "e164": _regional,
}

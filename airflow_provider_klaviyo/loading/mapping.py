# SPDX-License-Identifier: Apache-2.0
"""Map the columns of a source to the fields of a profile or an event."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import partial
from typing import Any, Literal

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.loading.phones import e164
from airflow_provider_klaviyo.loading.rows import Json

Convert = Callable[[Any], Any]

NESTED = frozenset({"properties", "location", "profile"})
TRUE = frozenset({"1", "t", "true", "y", "yes", "on"})
FALSE = frozenset({"0", "f", "false", "n", "no", "off"})
LARGEST_EXPONENT = 300  # of a float; 1e999999999 would be written out as an integer of a billion digits
UNCONVERTIBLE = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError)
"""What a converter, also one of the user's own, raises for a value it does not expect."""


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """
    Take one column of the source to one field of Klaviyo's.

    :param origin_field: Name of the column.
    :param destination_field: The field: ``email``, ``properties.plan``, ``location.city``, and for events
        also ``profile.email``, ``time``, ``value``, ``unique_id``.
    :param convert_function: A callable, or the name of a converter: ``lower``, ``strip``, ``text``, ``number``, ``boolean``,
        ``iso8601``, ``split`` or ``split:;``, ``e164`` or ``e164:US``.
    :param on_null: What a null does: ``leave`` leaves the field in Klaviyo as it is, ``clear`` empties it. A blank text is no value
        for a named converter, and leaves the field.
    :raises KlaviyoConfigError: No converter has that name, or the destination is empty.
    """

    origin_field: str
    destination_field: str
    convert_function: str | Convert | None = None
    on_null: Literal["leave", "clear"] = "leave"

    def __post_init__(self) -> None:
        if not self.destination_field.strip("."):
            message = f"The mapping of {self.origin_field!r} needs a destination_field, such as 'email' or 'properties.plan'."
            raise KlaviyoConfigError(message)
        converter(self.convert_function)


class Unmappable(ValueError):  # noqa: N818 - it is about a row, and ends there
    """
    A value that its converter cannot convert.

    :param field: The destination.
    :param code: A short name of the reason.
    :param reason: A sentence, without the value.
    """

    def __init__(self, field: str, code: str, reason: str) -> None:
        self.field, self.code, self.reason = field, code, reason
        super().__init__(reason)


def number(value: Any) -> int | float:
    """Read a number, also from text such as ``"1234.50"``."""
    if isinstance(value, bool):
        raise TypeError
    if isinstance(value, int):
        return value
    read = Decimal(str(value).strip())
    if not read.is_finite() or read.adjusted() > LARGEST_EXPONENT:
        raise ValueError
    return int(read) if read == read.to_integral_value() and "." not in str(value) else float(read)


def boolean(value: Any) -> bool:
    """Read a boolean, also from ``"yes"``, ``"f"``, ``0``."""
    word = str(value).strip().lower()
    if word not in TRUE | FALSE:
        raise ValueError
    return word in TRUE


def iso8601(value: Any) -> str:
    """Write a time as ISO 8601; a time without an offset is taken as UTC, a day as its beginning."""
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


def split(separator: str, value: Any) -> list[str]:
    """Cut a text into a list, without blanks."""
    return [part.strip() for part in str(value).split(separator) if part.strip()]


CONVERTERS: dict[str, Callable[[str], Convert]] = {
    "lower": lambda _: lambda value: str(value).strip().lower(),
    "strip": lambda _: lambda value: str(value).strip(),
    "text": lambda _: str,
    "number": lambda _: number,
    "boolean": lambda _: boolean,
    "iso8601": lambda _: iso8601,
    "split": lambda separator: partial(split, separator or ","),
    "e164": lambda region: partial(e164, region=region or None),
}


def converter(convert: str | Convert | None) -> Convert | None:
    """
    Find a converter by its name.

    :param convert: A callable, a name with an optional argument behind a colon, or nothing.
    :raises KlaviyoConfigError: No converter has that name.
    """
    if convert is None or callable(convert):
        return convert
    name, _, argument = convert.partition(":")
    if name not in CONVERTERS:
        message = f"There is no converter {name!r}: take one of {', '.join(sorted(CONVERTERS))}, or give a callable."
        raise KlaviyoConfigError(message)
    return CONVERTERS[name](argument)


def mapper(mappings: Iterable[FieldMapping]) -> Callable[[Mapping[str, Any]], Json]:
    """
    Make the function that maps one source row.

    :param mappings: Which column goes where.
    :return: A function that raises :class:`Unmappable` where a value cannot be converted,
        and :class:`KlaviyoConfigError` where the source has no such column.
    """
    steps = [(each, tuple(_path(each.destination_field)), converter(each.convert_function)) for each in mappings]

    def map_row(source: Mapping[str, Any]) -> Json:
        target: Json = {}
        for each, path, convert in steps:
            if each.origin_field not in source:
                message = f"The source has no column {each.origin_field!r}; it has {', '.join(map(str, source))}."
                raise KlaviyoConfigError(message)
            value = source[each.origin_field]
            if value is None:
                if each.on_null == "clear":
                    _put(each, target, path, None)
            elif not (isinstance(each.convert_function, str) and isinstance(value, str) and not value.strip()):
                _put(each, target, path, value if convert is None else _converted(each, convert, value))
        return target

    return map_row


def _converted(mapping: FieldMapping, convert: Convert, value: Any) -> Any:
    try:
        return convert(value)
    except UNCONVERTIBLE as error:
        name = mapping.convert_function if isinstance(mapping.convert_function, str) else "the convert_function"
        reason = f"{mapping.origin_field}: {name} cannot convert this value (a {type(value).__name__})"
        raise Unmappable(mapping.destination_field, "unconvertible", reason) from error


def _path(destination: str) -> Iterable[str]:
    """Cut ``profile.properties.a.b`` behind the names that nest: the rest is one name, dots and all."""
    head, dot, rest = destination.partition(".")
    if dot and head in NESTED:
        return (head, *_path(rest)) if head == "profile" else (head, rest)
    return (destination,)


def _put(mapping: FieldMapping, target: Json, path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        inner = target.get(name) or {}
        if not isinstance(inner, Mapping):
            reason = f"{mapping.origin_field}: {name} holds a {type(inner).__name__}, so nothing can go into it"
            raise Unmappable(mapping.destination_field, "not_an_object", reason)
        outer, target = target, dict(inner)  # a copy: the source may share one object among its rows
        outer[name] = target
    target[path[-1]] = value

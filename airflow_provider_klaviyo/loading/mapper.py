# SPDX-License-Identifier: Apache-2.0
"""Map one row after another: each of a source's columns to the field that a mapping says, thousands a second."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.values import NEVER_NULL, is_null
from airflow_provider_klaviyo.loading.conversions import ABSENT, UNCONVERTIBLE, Conversion
from airflow_provider_klaviyo.loading.converters import Convert
from airflow_provider_klaviyo.loading.names import about_case, in_other_case, listed
from airflow_provider_klaviyo.loading.rows import Json

NESTED = frozenset({"properties", "location", "profile"})
ESSENTIAL = frozenset({"metric", "time", "unique_id", "consent", "channels"})
"""What a row cannot do without, or would say more without: an event with another id counts twice, consent goes to every channel."""
DATE_OF_CONSENT = "consented_at"
"""What only the check can say of a row without: a yes is rejected, for it would count from now on; a no stays one."""

LeaveOut = Callable[[str, str], None]
Fault = tuple["Step", str, type[Exception]]
Flat = tuple[str | None, str, Convert | None, bool, "Step"]


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


class Unconverted:
    """Stands where a value could not be converted, and is no value of anything."""


@dataclass(frozen=True, slots=True)
class Step:
    """
    What becomes of one field.

    :param columns: Where its value comes from: the first of them that has one; none where it is always the default.
    :param destination: The field as it was written.
    :param conversion: What is done to the value.
    :param clears: Whether a null empties the field.
    """

    columns: tuple[str, ...]
    destination: str
    conversion: Conversion
    clears: bool

    @property
    def path(self) -> tuple[str, ...]:
        """The destination, cut where Klaviyo's objects nest."""
        return path_of(self.destination)

    @property
    def origin(self) -> str:
        """The columns, for a message."""
        return " or ".join(self.columns)


def path_of(destination: str) -> tuple[str, ...]:
    """Cut ``profile.properties.a.b`` behind the names that nest: the rest is one name, dots and all."""
    head, dot, rest = destination.partition(".")
    if dot and head in NESTED:
        return (head, *path_of(rest)) if head == "profile" else (head, rest)
    return (destination,)


class Mapper:
    """
    The function that maps a row.

    :param steps: What becomes of each field, no field twice.
    :param sparse: Whether a row may lack a column, and a column with dots in its name reaches into objects.
    :param leave_out: Is told the field and the code of a value that cannot be converted, and the field is left out; without it the
        row is rejected.
    """

    def __init__(self, steps: Iterable[Step], *, sparse: bool = False, leave_out: LeaveOut | None = None) -> None:
        self._sparse, self._leave_out = sparse, leave_out
        self._columns_unseen = not sparse
        ordered = sorted(steps, key=lambda step: (len(step.path), step.path[:-1]))  # whole objects before what goes into them
        self._columns = tuple(dict.fromkeys(column for step in ordered for column in step.columns))
        self._groups = [(inside, [_flat(step) for step in group]) for inside, group in groupby(ordered, key=lambda step: step.path[:-1])]

    def __call__(self, source: Mapping[str, Any]) -> Json:
        """
        Map a row.

        :param source: The row, by column.
        :raises Unmappable: A value cannot be converted.
        :raises KlaviyoConfigError: The source has no such column.
        """
        if type(source) is not dict and not isinstance(source, Mapping):
            raise Unmappable("", "not_an_object", f"a row maps columns to values, and this is a {type(source).__name__}")
        if self._columns_unseen:  # once: a table's rows have all the same, and a column may be asked for only where another is blank
            self._columns_unseen = False
            if any(column not in source for column in self._columns):
                raise self._without(source)
        target: Json = {}
        faults: list[Fault] = []
        for inside, steps in self._groups:
            fields = self._fields(source, steps, faults)
            if not inside:
                target = fields
            elif fields:
                _put(target, inside, fields)
        if faults:
            self._settle(target, faults)
        return target

    def _fields(self, source: Mapping[str, Any], steps: Iterable[Flat], faults: list[Fault]) -> Json:
        """Return the fields that lie in one object. Every value of a load passes here: what is written out is written out for speed."""
        fields: Json = {}
        for column, name, convert, named, step in steps:
            try:
                value = source[column] if column is not None else self._first(source, step.columns)
            except KeyError:
                value = self._reached(source, step.columns[0])
            if type(value) is str:
                nothing = named and (not value or value.isspace())
            else:
                nothing = value is None or (type(value) not in NEVER_NULL and _nothing(value))
            if convert is not None and not nothing:
                given = type(value)
                try:
                    value = convert(value)
                except Exception as error:  # noqa: BLE001 - code of the user's own may raise anything, and it ends with this row
                    faults.append((step, given.__name__, type(error)))
                    continue
                nothing = value is None or (type(value) not in NEVER_NULL and _nothing(value))
            if not nothing:
                fields[name] = value
            else:
                _put_nothing(fields, name, value, step)
        return fields

    def _first(self, source: Mapping[str, Any], columns: Iterable[str]) -> Any:
        """Return the first value that is one, else a null where there is any, else a blank text."""
        found: Any = ABSENT
        for column in columns:
            value = source[column] if column in source else self._reached(source, column)
            if value is ABSENT:
                continue
            if is_null(value):
                found = None
            elif not isinstance(value, str) or (value and not value.isspace()):
                return value
            elif found is ABSENT:
                found = value
        return found

    def _reached(self, source: Mapping[str, Any], column: str) -> Any:
        """Return what lies where the column's name leads, in a source whose rows have not all the same columns."""
        if not self._sparse:
            raise self._without(source)
        value: Any = source
        for name in column.split("."):
            if value is None:
                break
            if not isinstance(value, Mapping) or name not in value:
                return ABSENT
            value = value[name]
        return value

    def _without(self, source: Mapping[str, Any]) -> KlaviyoConfigError:
        missing = [column for column in self._columns if column not in source]
        case = next((about_case(column, same) for column in missing if (same := in_other_case(column, source))), "")
        return KlaviyoConfigError(f"The source has no column {listed(map(repr, missing))}; it has {listed(source)}.{case}")

    def _settle(self, target: Json, faults: Iterable[Fault]) -> None:
        """Leave out what could not be converted, or reject the row."""
        left_out = []
        for step, kind, error in faults:
            field, converts = step.destination, f"{step.origin}: {step.conversion.title}"
            code, reason = "unconvertible", f"{converts} cannot convert this value (a {kind})"
            if not issubclass(error, UNCONVERTIBLE):
                code, reason = "converter_failed", f"{converts} failed on this value (a {kind}) with {error.__name__}"
            if self._leave_out is None or field in ESSENTIAL:
                raise Unmappable(field, code, reason)
            if field == DATE_OF_CONSENT:
                target[field] = Unconverted()
            else:
                left_out.append((field, code))
        for field, code in left_out:
            self._leave_out(field, code)  # type: ignore[misc] # where there is none, no row gets here


def _flat(step: Step) -> Flat:
    return step.columns[0] if len(step.columns) == 1 else None, step.path[-1], step.conversion.run, step.conversion.named, step


def _nothing(value: Any) -> bool:
    return value is ABSENT or is_null(value)


def _put_nothing(fields: Json, name: str, value: Any, step: Step) -> None:
    """Do what is said of a null; what is absent or blank clears nothing."""
    if step.conversion.default is not ABSENT:
        fields[name] = step.conversion.default
    elif step.clears and value is not ABSENT and not isinstance(value, str):
        fields[name] = None


def _put(target: Json, inside: tuple[str, ...], fields: Json) -> None:
    """Put fields into an object, which is copied: the source may share one among its rows."""
    for at, name in enumerate(inside, start=1):
        inner = target.get(name)
        if inner is not None and not isinstance(inner, Mapping):
            where = ".".join(inside[:at])
            raise Unmappable(where, "not_an_object", f"{where} holds a {type(inner).__name__}, so nothing can go into it")
        target[name] = target = {**(inner or {})}
    target.update(fields)

# SPDX-License-Identifier: Apache-2.0
"""Say which column of a source goes to which field of a profile or an event."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.loading.conversions import CONVERTERS, check_conversion, conversion, converter
from airflow_provider_klaviyo.loading.converters import Convert
from airflow_provider_klaviyo.loading.destinations import Loaded, check_fields, is_clearable
from airflow_provider_klaviyo.loading.mapper import LeaveOut, Mapper, Step, Unmappable, path_of

__all__ = [
    "CONVERTERS",
    "Convert",
    "FieldMapping",
    "Mapper",
    "Mappings",
    "Unmappable",
    "as_columns",
    "check_destinations",
    "converter",
    "mapper",
    "mappings_of",
]

KLAVIYO_ID = "id"
OnNull = Literal["leave", "clear"]
FORM = "mapped_fields"
UNCLEARABLE = (
    "on_null='clear' empties first_name, last_name, organization, title, image, locale, and what is named under properties or location;"
    " nothing else can be emptied. Leave on_null out: a null leaves the field as it is."
)
KEYS = ("origin_field", "destination_field", "convert_function", "on_null")


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """
    Take one column of the source to one field of Klaviyo's.

    :param origin_field: Name of the column; or several, of which the first counts that is neither null nor blank. ``None`` where there
        is no column and ``convert_function`` has a ``default``: then every row gets that.
    :param destination_field: The field: ``email``, ``properties.plan``, ``location.city``, and for events
        also ``profile.email``, ``time``, ``value``, ``unique_id``.
    :param convert_function: A callable, or text: the name of a converter, which may have an argument (``split:;``, ``e164:US``); the
        dotted path of a callable (``my_pkg.clean``); or several of these with ``|`` between, from left to right.
    :param on_null: What a null does: ``leave`` leaves the field in Klaviyo as it is, ``clear`` empties it. NaN is a null. A blank text is
        no value for a named converter, and leaves the field. Identifiers, the fields of an event and whole objects cannot be emptied.
    :raises KlaviyoConfigError: There is no such converter, no destination, no column, or nothing that ``clear`` could empty.
    """

    origin_field: str | Sequence[str] | None
    destination_field: str
    convert_function: str | Convert | None = None
    on_null: OnNull = "leave"

    def __post_init__(self) -> None:
        origin: Any = self.origin_field  # what was written down in JSON may be anything
        destination: Any = self.destination_field
        if not isinstance(origin, str) and isinstance(origin, Sequence):
            object.__setattr__(self, "origin_field", origin := tuple(origin))
        where = f"The mapping of {_named(origin)}"
        if origin == () or not all(column and isinstance(column, str) for column in self.columns):
            raise KlaviyoConfigError(f"{where}: origin_field is the name of a column, or a list of names")
        if not isinstance(destination, str) or not destination.strip(".") or not all(path_of(destination)):
            raise KlaviyoConfigError(f"{where} needs a destination_field, such as 'email' or 'properties.plan'.")
        if self.on_null not in get_args(OnNull):
            raise KlaviyoConfigError(f"{where}: on_null is one of {', '.join(get_args(OnNull))}")
        if self.on_null == "clear" and not is_clearable(destination):
            raise KlaviyoConfigError(f"{where} to {destination!r}: {UNCLEARABLE}")
        try:
            has_default = check_conversion(self.convert_function)
        except KlaviyoConfigError as error:
            raise KlaviyoConfigError(f"{where} to {self.destination_field!r}: {error}") from None
        if not self.columns and not has_default:
            raise KlaviyoConfigError(
                f"The mapping to {self.destination_field!r} has no origin_field, and so needs a default, as in 'default:Online shop'"
            )

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it takes the first value of."""
        match self.origin_field:
            case None:
                return ()
            case tuple():
                return self.origin_field
        return (self.origin_field,)  # type: ignore[return-value] # what is no text is refused


Mappings = Sequence[FieldMapping | Mapping[str, Any]] | Mapping[str, Any] | str
"""The forms a mapping may have: see :func:`mappings_of`."""


def mappings_of(given: Mappings | None) -> list[FieldMapping]:
    """
    Read a mapping in whatever form it was written.

    :param given: A sequence of :class:`FieldMapping`, or of dicts with its fields; or ``{"mapped_fields": [...]}``; or either as JSON text.
        In a dict, a ``convert_function`` of ``""`` is none.
    :return: The mappings; none for ``None`` or an empty sequence.
    :raises KlaviyoConfigError: It is none of these, an entry is wrong (its position is named), or two of them have one destination.
    """
    found = [_entry(each, position) for position, each in enumerate(_listed(given), start=1)]
    _refuse_twice(found)
    return found


def as_columns(names: Iterable[str], *, key_field: str | None = None) -> list[FieldMapping]:
    """
    Make the mapping of a source whose columns are named as the fields that they go to: ``email``, ``properties.plan``.

    :param names: The columns.
    :param key_field: The one that names a row. A source's own ``id`` is not the ``id`` that Klaviyo gives to a profile.
    :raises KlaviyoConfigError: A column has no name, two have the same, or ``id`` could be either.
    """
    columns: list[Any] = list(names)
    if unnamed := [str(position) for position, name in enumerate(columns, start=1) if not isinstance(name, str) or not name.strip()]:
        raise KlaviyoConfigError(
            f"Column {', '.join(unnamed)} of the source has no name: name the field of Klaviyo's it goes to, or give a mapping."
        )
    if twice := sorted({name for name in columns if columns.count(name) > 1}):
        raise KlaviyoConfigError(f"The source has {', '.join(map(repr, twice))} more than once: name its columns apart, or give a mapping.")
    if key_field == KLAVIYO_ID and KLAVIYO_ID in columns:
        raise KlaviyoConfigError(
            "The column 'id' names the rows, by key_field, and without a mapping it is also taken for Klaviyo's id of a profile. Call it"
            " otherwise in the query, id AS customer_id with key_field 'customer_id'; or give a mapping, and map it to id if it is Klaviyo's."
        )
    return mappings_of([FieldMapping(name, name) for name in columns])


def check_destinations(mappings: Mappings, kind: Loaded, *, some: bool = False) -> None:
    """
    Refuse a mapping that cannot be right, whatever the rows.

    :param mappings: It, in any form :func:`mappings_of` takes.
    :param kind: What is loaded: ``profiles``, ``events``, ``consent`` or ``members``.
    :param some: Whether it is that of one row, and others may have other columns: then none of them has to be there.
    :raises KlaviyoConfigError: A destination is no field of that kind; the message names the nearest. Or none is an event's ``metric`` or
        ``time``, somebody's ``consent``, or an identifier of a person.
    """
    check_fields({each.destination_field: each.columns for each in mappings_of(mappings)}, kind, some=some)


def mapper(mappings: Mappings, *, sparse: bool = False, leave_out: LeaveOut | None = None, region: str | None = None) -> Mapper:
    """
    Make the function that maps one source row.

    :param mappings: Which column goes where, in any form :func:`mappings_of` takes.
    :param sparse: Whether rows may lack columns, as lines of JSON do: a field whose column is not there is left as it is, and
        ``customer.address.city`` reaches into objects. Otherwise every row has every column.
    :param leave_out: Is told the field and a code where a value cannot be converted; the row is then mapped without that field, unless it
        is an event's ``time``, ``metric`` or ``unique_id``, or the ``consent`` or ``channels`` of somebody.
    :param region: ISO 3166 code of the country that the converter ``e164`` takes where it names none.
    :return: A function that raises :class:`Unmappable` where a value cannot be converted and is not left out,
        and :class:`KlaviyoConfigError` where the source has no such column.
    :raises KlaviyoConfigError: A mapping is wrong, or names a function that cannot be imported.
    """
    return Mapper(
        [
            Step(each.columns, each.destination_field, conversion(each.convert_function, region), each.on_null == "clear")
            for each in mappings_of(mappings)
        ],
        sparse=sparse,
        leave_out=leave_out,
    )


def _listed(given: Mappings | None) -> Sequence[Any]:
    """Return the entries, out of JSON and out of the form around them."""
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            raise KlaviyoConfigError("mapping: this text is no JSON; write a list of mappings, or an object with mapped_fields") from None
    if isinstance(given, Mapping):
        if set(given) != {FORM}:
            keys = ", ".join(map(repr, given)) or "no key"
            raise KlaviyoConfigError(f"mapping: an object has the one key '{FORM}', a list of mappings, and this one has {keys}")
        if not (given := given[FORM]):
            raise KlaviyoConfigError(f"mapping: {FORM} lists no mapping")
    if given is None:
        return ()
    if isinstance(given, (str, bytes)) or not isinstance(given, Sequence):
        raise KlaviyoConfigError(f"mapping: a list of mappings is wanted, or an object with {FORM}, and this is a {type(given).__name__}")
    return given


def _entry(given: Any, position: int) -> FieldMapping:
    where = f"mapping, entry {position}"
    if isinstance(given, FieldMapping):
        return given
    if not isinstance(given, Mapping):
        raise KlaviyoConfigError(
            f"{where}: a mapping is a FieldMapping, or an object with {', '.join(KEYS)}; this is a {type(given).__name__}"
        )
    if unknown := [str(key) for key in given if key not in KEYS]:
        raise KlaviyoConfigError(f"{where}: a mapping has no {', '.join(map(repr, unknown))}; it has {', '.join(KEYS)}")
    if missing := [key for key in KEYS[:2] if key not in given]:
        raise KlaviyoConfigError(f"{where} lacks {' and '.join(missing)}")
    fields = {**given, "convert_function": given.get("convert_function") or None}
    try:
        return FieldMapping(**fields)
    except KlaviyoConfigError as error:
        raise KlaviyoConfigError(f"{where}: {error}") from None


def _refuse_twice(mappings: Iterable[FieldMapping]) -> None:
    taken: dict[tuple[str, ...], FieldMapping] = {}
    for each in mappings:
        first = taken.setdefault(path_of(each.destination_field), each)
        if first is not each:
            raise KlaviyoConfigError(
                f"mapping: both {_named(first.origin_field)} and {_named(each.origin_field)} go to {each.destination_field!r}. For the first"
                " that has a value, name the columns in one mapping: its origin_field may be a list."
            )


def _named(origin: str | Sequence[str] | None) -> str:
    if origin is None:
        return "no column"
    return " or ".join(map(repr, origin)) if isinstance(origin, tuple) else repr(origin)

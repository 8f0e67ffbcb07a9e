# SPDX-License-Identifier: Apache-2.0
"""Which fields there are to go to, which of them can be emptied, and which a load cannot do without."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Literal

from airflow_provider_klaviyo.api.bodies import EVENT_FIELDS, LOCATION_FIELDS
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.loading.checks import ABOUT_FIELDS, CLEARABLE, IDENTIFIERS, PROFILE_FIELDS
from airflow_provider_klaviyo.loading.names import about_case, in_other_case, listed, nearest

Loaded = Literal["profiles", "events", "consent", "members"]

WHAT: Mapping[str, str] = {
    "profiles": "a profile",
    "events": "an event",
    "consent": "a row of consent",
    "members": "a row of a list's members",
}
OWN: Mapping[str, tuple[str, ...]] = {"profiles": ("properties.",), "events": ("properties.", "profile.properties.")}
"""What fields of the user's own begin with."""
NEEDED: Mapping[str, tuple[str, ...]] = {"profiles": (), "events": ("metric", "time"), "consent": ("consent",), "members": ()}
FOUND_BY: Mapping[str, tuple[str, ...]] = {
    "profiles": tuple(name for name in IDENTIFIERS if name in PROFILE_FIELDS),
    "events": ("profile", *(f"profile.{name}" for name in IDENTIFIERS)),
    "consent": ("email", "phone_number"),
    "members": ("email", "phone_number", "external_id", "id"),
}
"""What a row's person is found by: one of them is needed."""
PLACES = frozenset(f"location.{name}" for name in LOCATION_FIELDS)


@cache
def fields_of(kind: Loaded) -> frozenset[str]:
    """
    Return the fields that a load has, ``location.city`` among them; those of the user's own go under ``properties`` beside them.

    :param kind: What is loaded.
    """
    match kind:
        case "profiles":
            return PROFILE_FIELDS | PLACES
        case "events":
            return EVENT_FIELDS | {f"profile.{name}" for name in ABOUT_FIELDS | PLACES}
        case "consent":
            from airflow_provider_klaviyo.loading.said import FIELDS

            return frozenset(FIELDS)
        case "members":
            return frozenset(FOUND_BY[kind])


def is_clearable(destination: str) -> bool:
    """Tell whether a null can empty a field: an identifier stays, and of a place or of properties only what is named goes."""
    name = destination.removeprefix("profile.")
    return name in CLEARABLE or name in PLACES or name.startswith("properties.")


def check_fields(fields: Mapping[str, Any], kind: Loaded, *, some: bool = False) -> None:
    """
    Refuse destinations that are no fields of what is loaded, and such as do not suffice for a row.

    :param fields: The destinations, each with the columns that go to it.
    :param kind: What is loaded.
    :param some: Whether other rows may have other columns: then none of them has to be there.
    :raises KlaviyoConfigError: A field does not exist; the message names the nearest that does. Or one is missing that no row can do without.
    """
    known = fields_of(kind)
    if wrong := [name for name in fields if name not in known and not name.startswith(OWN.get(kind, ()))]:
        raise KlaviyoConfigError(_misnamed(wrong, fields, kind))
    if some:
        return
    if missing := [name for name in NEEDED[kind] if name not in fields]:
        raise KlaviyoConfigError(
            f"Nothing goes to {' and '.join(missing)}, and {WHAT[kind]} cannot do without: map a column to it, or, if all rows have the"
            " same, no column and a default, as in 'default:Placed Order'."
        )
    if not any(name in fields for name in FOUND_BY[kind]):
        shown = [name for name in FOUND_BY[kind] if "_kx" not in name]
        raise KlaviyoConfigError(
            f"Nothing goes to {', '.join(shown[:-1])} or {shown[-1]}, and by one of them people are found: map a column."
        )


def _misnamed(wrong: Iterable[str], fields: Mapping[str, Any], kind: Loaded) -> str:
    known, parts, capitals, strange = fields_of(kind), [], "", ""
    for name in wrong:
        if (same := in_other_case(name, known)) and name in fields[name]:  # the column itself is called so, nobody mapped it
            parts.append(repr(name))
            capitals = capitals or about_case(same, name)
            continue
        strange = strange or name
        near = nearest(name, known)
        parts.append(f"{name!r} (did you mean {near!r}?)" if near else repr(name))
    message = f"No field of {WHAT[kind]} is called {listed(parts)}."
    if not strange:
        return message + capitals
    if kind not in OWN:
        return f"{message} It has {', '.join(sorted(known))}.{capitals}"
    return f"{message} Fields of your own go under properties (properties.{strange.rpartition('.')[2]}).{capitals}"

# SPDX-License-Identifier: Apache-2.0
"""Checks of bodies, by hand since they run once for each of 10,000 rows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from airflow_provider_klaviyo.sandbox.klaviyo.problems import Problem

Check = Callable[[Any], str]
Problems = list[Problem]

PROFILE_BYTES = 100_000
EMAIL_LENGTH = 254
EMAIL = re.compile(r"[^\s@\"(),:;<>\[\]\\.]+(?:\.[^\s@\"(),:;<>\[\]\\.]+)*@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_][\w-]{1,62}")
PHONE = re.compile(r"\+[1-9]\d{6,14}")
LOCALE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|\d{3}))?")

IDENTIFIERS = ("email", "phone_number", "external_id", "_kx", "anonymous_id")
LOCATION = frozenset({"address1", "address2", "city", "country", "latitude", "longitude", "region", "zip", "timezone", "ip"})


def compact(value: Any) -> str:
    """Return JSON as it travels: no spaces, no escapes that are not needed."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def keys(value: Any, where: str, problems: Problems, *, required: Collection[str] = (), optional: Collection[str] = ()) -> bool:
    """
    Check that a value is an object of known keys.

    :returns: Whether it is worth looking into it.
    """
    if not isinstance(value, dict):
        problems.append(Problem("Expected an object.", where))
        return False
    missing = [each for each in required if each not in value]
    unknown = [each for each in value if each not in required and each not in optional]
    problems += [Problem(f"'{each}' is a required field for the resource.", f"{where}/{each}") for each in missing]
    problems += [_unknown(each, where) for each in unknown]
    return not missing


def _unknown(name: str, where: str) -> Problem:
    escaped = name.replace("~", "~0").replace("/", "~1")
    return Problem(f"'{name}' is not a valid field for the resource.", f"{where}/{escaped}")


def typed(value: Any, kind: str, where: str, problems: Problems) -> None:
    """Check the ``type`` of a resource."""
    if value != kind:
        problems.append(Problem(f"Invalid type: expected '{kind}'.", f"{where}/type"))


def items(value: Any, where: str, problems: Problems, *, at_most: int, noun: str) -> bool:
    """Check a list's type and length."""
    if not isinstance(value, list):
        problems.append(Problem("Expected a list.", where))
        return False
    if not value:
        problems.append(Problem(f"At least one {noun} is required.", where))
    if len(value) > at_most:
        problems.append(Problem(f"At most {at_most} {noun}s are allowed in a request.", where))
    return bool(value) and len(value) <= at_most


def _anything(_: Any) -> str:
    return ""


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, str) else "Expected a string."


def _identifier(value: Any) -> str:
    return _text(value) or ("" if value is None or value.strip() else "Must not be empty.")


def _email(value: Any) -> str:
    if value is None or (isinstance(value, str) and len(value) <= EMAIL_LENGTH and EMAIL.fullmatch(value)):
        return ""
    return "Invalid email address"


def _phone(value: Any) -> str:
    return (
        ""
        if value is None or (isinstance(value, str) and PHONE.fullmatch(value))
        else "Invalid phone number format (Example of a valid format: +12345678901)"
    )


def _locale(value: Any) -> str:
    return "" if value is None or (isinstance(value, str) and LOCALE.fullmatch(value)) else "Invalid locale"


def _object(value: Any) -> str:
    return "" if isinstance(value, dict) else "Expected an object."


def _degrees(limit: float) -> Check:
    def check(value: Any) -> str:
        try:
            good = value is None or (not isinstance(value, bool) and abs(float(value)) <= limit)
        except (TypeError, ValueError):
            good = False
        return "" if good else "Invalid coordinate"

    return check


PROFILE: Mapping[str, Check] = {
    "email": _email,
    "phone_number": _phone,
    "external_id": _identifier,
    "_kx": _identifier,
    "first_name": _text,
    "last_name": _text,
    "organization": _text,
    "locale": _locale,
    "title": _text,
    "image": _text,
    "location": _object,
    "properties": _object,
}
EVENT_PROFILE: Mapping[str, Check] = {**PROFILE, "anonymous_id": _identifier}
PLACE: Mapping[str, Check] = {**dict.fromkeys(LOCATION, _text), "latitude": _degrees(90), "longitude": _degrees(180)}


def profile(
    row: Any,
    where: str,
    problems: Problems,
    *,
    late: Collection[str] = (),
    attributes: Mapping[str, Check] = PROFILE,
    meta: bool = True,
    identified: bool = True,
    limit: int = PROFILE_BYTES,
) -> None:
    """
    Check a profile of a request.

    :param row: The resource object.
    :param where: JSON pointer to it.
    :param problems: What is wrong is added here.
    :param late: Attributes that are checked elsewhere.
    :param attributes: The check of each attribute.
    :param meta: Whether ``id`` and ``meta`` may stand beside the attributes.
    :param identified: Whether one of the identifiers is needed.
    :param limit: Bytes it may have.
    """
    optional = ("id", "meta") if meta else ()
    if not keys(row, where, problems, required=("type", "attributes"), optional=optional):
        return
    typed(row["type"], "profile", where, problems)
    given, here = row["attributes"], f"{where}/attributes"
    if not isinstance(given, dict):
        problems.append(Problem("Expected an object.", here))
        return
    _attributes(given, here, problems, {**attributes, **dict.fromkeys(late, _anything)} if late else attributes)
    if identified and not row.get("id") and all(given.get(name) is None for name in IDENTIFIERS):
        problems.append(Problem("One or more of the following identifiers is required: email, phone_number, external_id, id, _kx.", here))
    if fault := _text(row.get("id")):
        problems.append(Problem(fault, f"{where}/id"))
    if "meta" in row:
        _meta(row["meta"], f"{where}/meta", problems)
    if len(compact(row).encode()) > limit:
        problems.append(Problem(f"Profile payload size exceeds the limit of {limit // 1000} KB.", where))


def welcome(row: Any, where: str, problems: Problems, unwelcome: Collection[str]) -> None:
    """Check a profile against the addresses this account refuses for reasons of its own."""
    given = row.get("attributes") if unwelcome and isinstance(row, dict) else None
    if isinstance(given, dict) and given.get("email") in unwelcome:
        problems.append(Problem("Invalid email address", f"{where}/attributes/email"))


def _attributes(given: dict[str, Any], where: str, problems: Problems, known: Mapping[str, Check]) -> None:
    for name, value in given.items():
        check = known.get(name)
        if check is None:
            problems.append(_unknown(name, where))
        elif fault := check(value):
            problems.append(Problem(fault, f"{where}/{name}"))
        elif name == "location" and isinstance(value, dict):
            _attributes(value, f"{where}/location", problems, PLACE)


def _meta(meta: Any, where: str, problems: Problems) -> None:
    if not keys(meta, where, problems, optional=("patch_properties", "patch_identifiers")):
        return
    if "patch_identifiers" in meta:
        problems.append(Problem("The sandbox does not emulate patch_identifiers yet.", f"{where}/patch_identifiers"))
    patch = meta.get("patch_properties", {})
    if not keys(patch, f"{where}/patch_properties", problems, optional=("append", "unappend", "unset")):
        return
    for name in ("append", "unappend"):
        if name in patch and not isinstance(patch[name], dict):
            problems.append(Problem("Expected an object.", f"{where}/patch_properties/{name}"))
    unset = patch.get("unset", [])
    if not isinstance(unset, str) and not (isinstance(unset, list) and all(isinstance(each, str) for each in unset)):
        problems.append(Problem("Expected a string or a list of strings.", f"{where}/patch_properties/unset"))

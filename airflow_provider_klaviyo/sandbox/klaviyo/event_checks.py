# SPDX-License-Identifier: Apache-2.0
"""Checks of events, after the rules of Klaviyo's specification."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_klaviyo.sandbox.klaviyo import checks
from airflow_provider_klaviyo.sandbox.klaviyo.problems import Problem

PROPERTIES, NESTING, ITEMS, TEXT_BYTES, PROFILE_BYTES = 400, 10, 4_000, 100_000, 95_000
UNIQUE_ID, METRIC_NAME, INTEGER = 255, 127, 2**63
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
YEAR = timedelta(days=365)
CURRENCY = re.compile("[A-Z]{3}")
OPTIONAL = ("time", "value", "value_currency", "unique_id", "backfill")


def event(given: Any, where: str, problems: list[Problem], now: datetime, *, extra: tuple[str, ...] = ()) -> None:
    """
    Check the attributes of an event.

    :param given: The attributes.
    :param where: JSON pointer to them.
    :param problems: What is wrong is added here.
    :param now: When the request came.
    :param extra: Attributes that have to be there, too, and are checked elsewhere.
    """
    if not checks.keys(given, where, problems, required=("properties", "metric", *extra), optional=OPTIONAL):
        return
    found = {
        "properties": properties(given["properties"]),
        "time": _time(given.get("time"), now),
        "value": _value(given.get("value")),
        "value_currency": _currency(given.get("value_currency")),
        "unique_id": _unique_id(given.get("unique_id")),
        "backfill": backfill(given.get("backfill")),
    }
    problems += [Problem(fault, f"{where}/{name}") for name, fault in found.items() if fault]
    metric(given["metric"], f"{where}/metric", problems)


def profile(given: Any, where: str, problems: list[Problem]) -> None:
    """Check the profile of an event."""
    if checks.keys(given, where, problems, required=("data",)):
        checks.profile(given["data"], f"{where}/data", problems, attributes=checks.EVENT_PROFILE, limit=PROFILE_BYTES)


def metric(given: Any, where: str, problems: list[Problem]) -> None:
    """Check the metric of an event."""
    if not checks.keys(given, where, problems, required=("data",)):
        return
    if not checks.keys(given["data"], f"{where}/data", problems, required=("type", "attributes")):
        return
    checks.typed(given["data"]["type"], "metric", f"{where}/data", problems)
    attributes, here = given["data"]["attributes"], f"{where}/data/attributes"
    if checks.keys(attributes, here, problems, required=("name",), optional=("service",)):
        name, service = attributes["name"], attributes.get("service")
        if not isinstance(name, str) or not name.strip() or len(name) > METRIC_NAME:
            problems.append(Problem(f"Must be a string of 1 to {METRIC_NAME} characters.", f"{here}/name"))
        if service is not None and not isinstance(service, str):
            problems.append(Problem("Expected a string.", f"{here}/service"))


def properties(given: Any) -> str:
    """Say what is wrong with the properties of an event, ``""`` for nothing."""
    if not isinstance(given, dict):
        return "Expected an object."
    if len(given) > PROPERTIES:
        return f"At most {PROPERTIES} properties are allowed."
    return next((fault for each in given.values() for fault in _faults(each, 1)), "")


def _faults(value: Any, depth: int) -> Iterator[str]:
    """Yield what is wrong with a property and all that is in it."""
    match value:
        case str():
            if len(value) * 4 > TEXT_BYTES and len(value.encode()) > TEXT_BYTES:
                yield f"A string may have at most {TEXT_BYTES // 1000} KB."
        case int() if not -INTEGER <= value < INTEGER:
            yield "An integer must fit into 64 bits."
        case dict() | list():
            if depth >= NESTING:
                yield f"At most {NESTING} levels of nesting are allowed."
                return
            if isinstance(value, list) and len(value) > ITEMS:
                yield f"An array may have at most {ITEMS} items."
            for each in value.values() if isinstance(value, dict) else value:
                yield from _faults(each, depth + 1)


def moment(text: str) -> datetime:
    """
    Return an event's time.

    :raises ValueError: It is not ISO 8601, or has no time zone.
    """
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError(text)
    return value


def _time(value: Any, now: datetime) -> str:
    if value is None:
        return ""
    try:
        at = moment(value)
    except (TypeError, ValueError):
        return "Invalid datetime: must be ISO 8601 with a time zone."
    return "" if EARLIEST < at <= now + YEAR else "The time must be after 1990 and not more than a year ahead."


def _value(value: Any) -> str:
    return "" if value is None or (isinstance(value, int | float) and not isinstance(value, bool)) else "Expected a number."


def _currency(value: Any) -> str:
    return "" if value is None or (isinstance(value, str) and CURRENCY.fullmatch(value)) else "Must be an ISO 4217 currency code."


def _unique_id(value: Any) -> str:
    good = value is None or (isinstance(value, str) and 1 <= len(value) <= UNIQUE_ID)
    return "" if good else f"Must be a string of 1 to {UNIQUE_ID} characters."


def backfill(value: Any) -> str:
    """Say what is wrong with the flag that keeps events from starting flows."""
    return "" if value is None or isinstance(value, bool) else "Expected a boolean."

# SPDX-License-Identifier: Apache-2.0
"""What people have agreed to, and which list they are in: read before something is sent about them, and after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_klaviyo.api import lists, profiles
from airflow_provider_klaviyo.api.filters import any_
from airflow_provider_klaviyo.api.jsonapi import Listing
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.api.subscriptions import NEEDS
from airflow_provider_klaviyo.operators.listing import in_large_pages

if TYPE_CHECKING:
    from airflow_provider_klaviyo.session import Session

UNDELIVERABLE = frozenset({"HARD_BOUNCE", "INVALID_EMAIL"})
"""Suppressions that are nobody's word, and that subscribing leaves as they are."""
LONGEST_FILTER = 3_000
"""Characters of the identifiers in a filter, which is part of an address."""


def people(request: Request[Any]) -> list[Json]:
    """Return the people of a request, as resources."""
    return request.json["data"]["attributes"]["profiles"]["data"] if request.json else []


def found(klaviyo: Session, rows: Sequence[Json], list_id: str | None = None) -> dict[str, Json]:
    """
    Read who is there, with what they agreed to.

    :param klaviyo: An open session.
    :param rows: Whom to look for, as resources.
    :param list_id: The list they are looked for in; its members are not found by id.
    :return: Profiles by what they were looked for, addresses in lower case.
    """
    there: dict[str, Json] = {}
    asked: Listing = {"fields": {"profile": ["email", "phone_number"]}, "additional_fields": {"profile": ["subscriptions"]}}
    for name in ("email", "phone_number") if list_id else ("id", "email", "phone_number"):
        for some in _filterable(dict.fromkeys(each for row in rows if (each := _known_as(row, name)))):
            asked["filter"] = any_(name, some)
            request = lists.profiles(list_id=list_id, **asked) if list_id else profiles.list_(**asked)
            there |= {str(_known_as(each, name)): each for each in klaviyo.walk(in_large_pages(request))}
    return there


def subscribed(row: Json, there: dict[str, Json]) -> bool:
    """
    Say whether somebody has said yes to all that a row asks for, and nothing they did is against it.

    :param row: Somebody who was to be subscribed. What they are known as has to lead to one profile.
    :param there: What :func:`found` found.
    """
    holders = {there.get(each, {}).get("id") for name in ("email", "phone_number") if (each := _known_as(row, name))}
    if None in holders or len(holders | ({row["id"]} if row.get("id") else set())) != 1:
        return False  # an identifier is nobody's, or they are several people's
    return all(told.get("consent") == "SUBSCRIBED" and not _suppressions(told) for told, _ in _told(row, there))


def refused_since(row: Json, there: dict[str, Json], list_id: str | None) -> bool:
    """
    Say whether somebody has said no to anything that a row asks for, after the consent that it tells of.

    :param row: Somebody who is to be subscribed, with a ``consented_at``.
    :param there: What :func:`found` found.
    :param list_id: The list they are to be put in.
    """
    for told, said in _told(row, there):
        refusals = [each.get("timestamp") for each in (*_suppressions(told), *_left(told, list_id))]
        if told.get("consent") == "UNSUBSCRIBED":
            refusals.append(told.get("consent_timestamp"))
        consented_at = datetime.fromisoformat(said["consented_at"])
        if any(at is None or datetime.fromisoformat(at) > consented_at for at in refusals):
            return True
    return False


def has_left(profile: Json | None, list_id: str) -> bool:
    """
    Say whether somebody has unsubscribed from a list before.

    :param profile: What :func:`found` found of them.
    :param list_id: The list.
    """
    return bool(profile and _left(profile["attributes"]["subscriptions"]["email"]["marketing"], list_id))


def _known_as(resource: Json, name: str) -> str | None:
    """Return an identifier of somebody in the form in which two are compared."""
    if name == "id":
        return resource.get("id")
    value = resource["attributes"].get(name)
    return value and str(value).lower()


def _told(row: Json, there: dict[str, Json]) -> Iterator[tuple[Json, Json]]:
    """Yield what Klaviyo tells of each channel of a row, and what the row says: of who has the identifier that the channel needs."""
    for medium, kinds in row["attributes"]["subscriptions"].items():
        named = (each for name in ("id", NEEDS[medium]) if (each := _known_as(row, name)))
        for holder in {each: there[each] for each in named if each in there}.values():
            told = holder["attributes"]["subscriptions"].get(medium) or {}
            yield from ((told.get(kind) or {}, said) for kind, said in kinds.items())


def _suppressions(told: Json) -> list[Json]:
    return [each for each in told.get("suppression") or () if each["reason"] not in UNDELIVERABLE]


def _left(told: Json, list_id: str | None) -> list[Json]:
    return [each for each in told.get("list_suppressions") or () if each["list_id"] == list_id]


def _filterable(keys: dict[str, None]) -> Iterator[list[str]]:
    """Yield identifiers, as many at once as a filter can hold."""
    some: list[str] = []
    length = 0
    for key in keys:
        if some and length + len(key) > LONGEST_FILTER:
            yield some
            some, length = [], 0
        some.append(key)
        length += len(key)
    if some:
        yield some

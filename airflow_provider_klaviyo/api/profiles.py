# SPDX-License-Identifier: Apache-2.0
"""Profiles: the people of an account."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Unpack

from airflow_provider_klaviyo.api import bodies
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.filters import equals
from airflow_provider_klaviyo.api.jsonapi import Listing, Names, Reading, document, given, identifiers, listing, reading
from airflow_provider_klaviyo.api.request import Json, Request, at
from airflow_provider_klaviyo.api.values import E164, is_email

MOST_IMPORTED = 10_000
LOOKUPS: Mapping[str, Callable[[str], object]] = {"email": is_email, "phone_number": E164.fullmatch, "external_id": bool, "_kx": bool}
"""What a profile is found by, and what tells whether a value has its form."""


def create(*, profile: bodies.Profile | Mapping[str, Any]) -> Request[Json]:
    """
    Make a profile; refused with its id where one holds an identifier already.

    https://developers.klaviyo.com/en/reference/create_profile

    :param profile: The attributes, one of ``email``, ``phone_number`` and ``external_id`` among them.
    :raises KlaviyoConfigError: See :func:`bodies.checked_profile`.
    """
    return Request("POST", "/api/profiles", json=document("profile", bodies.checked_profile(profile)))


def upsert(
    *,
    profile: bodies.ImportedProfile | Mapping[str, Any],
    append: Mapping[str, Any] | None = None,
    unappend: Mapping[str, Any] | None = None,
    unset: Names | None = None,
) -> Request[Json]:
    """
    Make a profile, or update the one that holds an identifier of it.

    https://developers.klaviyo.com/en/reference/create_or_update_profile

    :param profile: The attributes, an identifier among them (``id`` and ``_kx`` serve as well). ``None`` clears a field.
    :param append: Values to add to properties that are lists; twice sent is twice added.
    :param unappend: Values to take from properties that are lists.
    :param unset: Properties to remove.
    :raises KlaviyoConfigError: See :func:`bodies.checked_profile`.
    """
    attributes = bodies.checked_profile(profile, also=("id", "_kx"))
    identity = attributes.pop("id", None)
    body = document("profile", attributes, identity=identity, meta=_patch(append, unappend, unset))
    return Request("POST", "/api/profile-import", json=body, replayable=not (append or unappend))


def update(
    *,
    profile_id: str,
    profile: bodies.Profile | Mapping[str, Any] | None = None,
    append: Mapping[str, Any] | None = None,
    unappend: Mapping[str, Any] | None = None,
    unset: Names | None = None,
) -> Request[Json]:
    """
    Update a profile.

    https://developers.klaviyo.com/en/reference/update_profile

    :param profile_id: Klaviyo's id of it.
    :param profile: The attributes to set. ``None`` clears a field.
    :param append: Values to add to properties that are lists; twice sent is twice added.
    :param unappend: Values to take from properties that are lists.
    :param unset: Properties to remove.
    :raises KlaviyoConfigError: See :func:`bodies.checked_profile`.
    """
    attributes = bodies.checked_profile(profile or {}, identified=True)
    body = document("profile", attributes, identity=profile_id, meta=_patch(append, unappend, unset))
    return Request("PATCH", at("/api/profiles/{}", profile_id), json=body, replayable=not (append or unappend))


def bulk_import(*, profiles: Sequence[Json], list_id: str | None = None) -> Request[Json]:
    """
    Start a job that makes or updates up to 10,000 profiles.

    https://developers.klaviyo.com/en/reference/bulk_import_profiles

    :param profiles: Checked profiles, each by :func:`bodies.profile_resource`; 5 MB in all.
    :param list_id: The list to put them in. That subscribes nobody.
    :raises KlaviyoConfigError: None, or more than 10,000.
    """
    if not 1 <= len(profiles) <= MOST_IMPORTED:
        raise KlaviyoConfigError(f"an import takes 1 to {MOST_IMPORTED:,} profiles, not {len(profiles):,}: split them")
    lists = None if list_id is None else {"lists": identifiers("list", [list_id])}
    body = document("profile-bulk-import-job", {"profiles": {"data": profiles}}, relationships=lists)
    return Request("POST", "/api/profile-bulk-import-jobs", json=body, replayable=not any(map(_appends, profiles)))


def merge(*, destination_id: str, source_id: str) -> Request[Json]:
    """
    Merge one profile, the source, into another, the destination. The source is deleted; nothing brings it back.

    It is carried out some time later; until then the source can be read.

    https://developers.klaviyo.com/en/reference/merge_profiles

    :param destination_id: Klaviyo's id of the profile that stays.
    :param source_id: Klaviyo's id of the profile that goes.
    :raises KlaviyoConfigError: One is missing, or they are the same.
    """
    if not destination_id or not source_id or destination_id == source_id:
        raise KlaviyoConfigError("destination_id and source_id are the ids of two profiles")
    related = {"profiles": identifiers("profile", [source_id])}
    return Request("POST", "/api/profile-merge", json=document("profile-merge", identity=destination_id, relationships=related))


def get(*, profile_id: str, **query: Unpack[Reading]) -> Request[Json]:
    """
    Read a profile; for the query see :class:`~airflow_provider_klaviyo.api.jsonapi.Reading`.

    https://developers.klaviyo.com/en/reference/get_profile

    :param profile_id: Klaviyo's id of it.
    """
    return reading(at("/api/profiles/{}", profile_id), **query)


def get_by(*, lookup: Mapping[str, str], **query: Unpack[Reading]) -> Request[Json | None]:
    """
    Read the profile that holds an identifier; the answer is as that of :func:`get`, or ``None`` where nobody holds it.

    https://developers.klaviyo.com/en/reference/get_profiles

    :param lookup: One identifier and its value, such as ``{"email": "sarah@example.com"}``.
    :raises KlaviyoConfigError: Not one, none that profiles are found by, or one of a wrong form: Klaviyo would find nobody.
    """
    if len(lookup) != 1 or not all(name in LOOKUPS and value and LOOKUPS[name](str(value)) for name, value in lookup.items()):
        raise KlaviyoConfigError(
            f"lookup is one of {', '.join(LOOKUPS)}, with its value: an address, a number in E.164 form, or another text"
        )
    ((name, value),) = lookup.items()
    page = listing("/api/profiles", filter=equals(name, value), **query)
    return Request(page.method, page.path, params=page.params, read=_first)


def list_(**query: Unpack[Listing]) -> Request[Json]:
    """
    Read profiles, page by page; for the query see :class:`~airflow_provider_klaviyo.api.jsonapi.Listing`.

    https://developers.klaviyo.com/en/reference/get_profiles
    """
    return listing("/api/profiles", **query)


def _patch(append: Mapping[str, Any] | None, unappend: Mapping[str, Any] | None, unset: Names | None) -> Json | None:
    names = unset if unset is None or isinstance(unset, str) else list(unset)
    properties = given(append=bodies.plain(append), unappend=bodies.plain(unappend), unset=names)
    return {"patch_properties": properties} if properties else None


def _appends(profile: Json) -> bool:
    """Whether sending a profile twice would add to a list twice."""
    return "meta" in profile and any("append" in patch or "unappend" in patch for patch in profile["meta"].values())


def _first(page: Json) -> Json | None:
    return {**page, "data": page["data"][0]} if page["data"] else None

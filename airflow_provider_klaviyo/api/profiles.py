# SPDX-License-Identifier: Apache-2.0
"""Profiles: the people of an account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_klaviyo.api import bodies
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.jsonapi import Fields, Names, document, equals, given, identifiers, listing, query
from airflow_provider_klaviyo.api.request import Json, Request, at

MOST_IMPORTED = 10_000
LOOKUPS = ("email", "phone_number", "external_id", "_kx")


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


def get(
    *, profile_id: str, fields: Fields | None = None, additional_fields: Fields | None = None, include: Names | None = None
) -> Request[Json]:
    """
    Read a profile.

    https://developers.klaviyo.com/en/reference/get_profile

    :param profile_id: Klaviyo's id of it.
    :param fields: The fields to return, by resource type.
    :param additional_fields: Fields that are left out unless asked for: ``{"profile": ["subscriptions"]}``.
    :param include: Relationships whose resources to return as well.
    """
    params = query(fields=fields, additional_fields=additional_fields, include=include)
    return Request("GET", at("/api/profiles/{}", profile_id), params=params)


def get_by(
    *,
    lookup: Mapping[str, str],
    fields: Fields | None = None,
    additional_fields: Fields | None = None,
    include: Names | None = None,
) -> Request[Json | None]:
    """
    Read the profile that holds an identifier; the answer is as that of :func:`get`, or ``None`` where nobody holds it.

    https://developers.klaviyo.com/en/reference/get_profiles

    :param lookup: One identifier and its value, such as ``{"email": "sarah@example.com"}``.
    :param fields: The fields to return, by resource type.
    :param additional_fields: Fields that are left out unless asked for, by resource type.
    :param include: Relationships whose resources to return as well.
    :raises KlaviyoConfigError: Not one, or none that profiles are found by.
    """
    if len(lookup) != 1 or not all(name in LOOKUPS and value for name, value in lookup.items()):
        raise KlaviyoConfigError(f"lookup is one of {', '.join(LOOKUPS)}, with its value")
    ((name, value),) = lookup.items()
    params = query(filter=equals(name, value), fields=fields, additional_fields=additional_fields, include=include)
    return Request("GET", "/api/profiles", params=params, read=_first)


def list_(
    *,
    filter: str | None = None,  # noqa: A002 - Klaviyo's name
    sort: str | None = None,
    fields: Fields | None = None,
    additional_fields: Fields | None = None,
    include: Names | None = None,
    page_size: int | None = None,
) -> Request[Json]:
    """
    Read profiles, page by page; for the parameters see :func:`jsonapi.query`.

    https://developers.klaviyo.com/en/reference/get_profiles
    """
    return listing(
        "/api/profiles",
        filter=filter,
        sort=sort,
        fields=fields,
        additional_fields=additional_fields,
        include=include,
        page_size=page_size,
    )


def _patch(append: Mapping[str, Any] | None, unappend: Mapping[str, Any] | None, unset: Names | None) -> Json | None:
    names = unset if unset is None or isinstance(unset, str) else list(unset)
    properties = given(append=bodies.plain(append), unappend=bodies.plain(unappend), unset=names)
    return {"patch_properties": properties} if properties else None


def _appends(profile: Json) -> bool:
    """Whether sending a profile twice would add to a list twice."""
    return "meta" in profile and any("append" in patch or "unappend" in patch for patch in profile["meta"].values())


def _first(page: Json) -> Json | None:
    return {**page, "data": page["data"][0]} if page["data"] else None

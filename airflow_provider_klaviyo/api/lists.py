# SPDX-License-Identifier: Apache-2.0
"""Lists: people put together by hand or by consent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.jsonapi import Fields, Names, document, given, identifiers, listing, query
from airflow_provider_klaviyo.api.request import Json, Request, at

OptIn = Literal["double_opt_in", "single_opt_in"]

MOST_ADDED = 1_000


def create(*, name: str, opt_in_process: OptIn | None = None) -> Request[Json]:
    """
    Make an empty list.

    https://developers.klaviyo.com/en/reference/create_list

    :param name: Its name in Klaviyo; two lists may have the same.
    :param opt_in_process: Whether who subscribes has to confirm it; the account's default where left out.
    :raises KlaviyoConfigError: No name, or a process that Klaviyo does not have.
    """
    if not name.strip():
        raise KlaviyoConfigError("a list needs a name")
    if opt_in_process is not None and opt_in_process not in get_args(OptIn):
        raise KlaviyoConfigError(f"opt_in_process is one of {', '.join(get_args(OptIn))}")
    return Request("POST", "/api/lists", json=document("list", given(name=name, opt_in_process=opt_in_process)))


def get(
    *, list_id: str, fields: Fields | None = None, additional_fields: Fields | None = None, include: Names | None = None
) -> Request[Json]:
    """
    Read a list.

    https://developers.klaviyo.com/en/reference/get_list

    :param list_id: Klaviyo's id of it.
    :param fields: The fields to return, by resource type.
    :param additional_fields: ``{"list": ["profile_count"]}`` counts its members; that has a lower limit of its own.
    :param include: Relationships whose resources to return as well.
    """
    params = query(fields=fields, additional_fields=additional_fields, include=include)
    return Request("GET", at("/api/lists/{}", list_id), params=params)


def list_(
    *,
    filter: str | None = None,  # noqa: A002 - Klaviyo's name
    sort: str | None = None,
    fields: Fields | None = None,
    include: Names | None = None,
    page_size: int | None = None,
) -> Request[Json]:
    """
    Read lists, page by page; for the parameters see :func:`jsonapi.query`.

    https://developers.klaviyo.com/en/reference/get_lists
    """
    return listing("/api/lists", filter=filter, sort=sort, fields=fields, include=include, page_size=page_size)


def profiles(
    *,
    list_id: str,
    filter: str | None = None,  # noqa: A002 - Klaviyo's name
    sort: str | None = None,
    fields: Fields | None = None,
    additional_fields: Fields | None = None,
    page_size: int | None = None,
) -> Request[Json]:
    """
    Read the members of a list, page by page; for the other parameters see :func:`jsonapi.query`.

    https://developers.klaviyo.com/en/reference/get_profiles_for_list

    :param list_id: Klaviyo's id of the list.
    """
    return listing(
        at("/api/lists/{}/profiles", list_id),
        filter=filter,
        sort=sort,
        fields=fields,
        additional_fields=additional_fields,
        page_size=page_size,
    )


def add_profiles(*, list_id: str, profile_ids: Sequence[str]) -> Request[Json]:
    """
    Put up to 1,000 profiles in a list. That subscribes nobody, and a member stays one.

    https://developers.klaviyo.com/en/reference/add_profiles_to_list

    :param list_id: Klaviyo's id of the list.
    :param profile_ids: Klaviyo's ids of the profiles.
    :raises KlaviyoConfigError: No ids, more than 1,000, an empty one, or one text in place of several.
    """
    if isinstance(profile_ids, str) or not all(profile_ids):
        raise KlaviyoConfigError("profile_ids is a list of ids, none of them empty")
    if not 1 <= len(profile_ids) <= MOST_ADDED:
        raise KlaviyoConfigError(f"a request takes 1 to {MOST_ADDED:,} profile_ids, not {len(profile_ids):,}: split them")
    path = at("/api/lists/{}/relationships/profiles", list_id)
    return Request("POST", path, json=identifiers("profile", profile_ids), replayable=True)

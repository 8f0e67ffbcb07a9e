# SPDX-License-Identifier: Apache-2.0
"""Lists: people put together by hand or by consent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Unpack, get_args

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.jsonapi import Listing, Reading, document, given, identifiers, listing, reading
from airflow_provider_klaviyo.api.request import Json, Request, at

OptIn = Literal["double_opt_in", "single_opt_in"]

MOST_MEMBERS = 1_000


def create(*, name: str, opt_in_process: OptIn | None = None) -> Request[Json]:
    """
    Make an empty list.

    https://developers.klaviyo.com/en/reference/create_list

    :param name: Its name in Klaviyo; two lists may have the same.
    :param opt_in_process: Whether who subscribes has to confirm it; the account's default where left out.
    :raises KlaviyoConfigError: No name, or a process that Klaviyo does not have.
    """
    _check(name, opt_in_process)
    return Request("POST", "/api/lists", json=document("list", given(name=name, opt_in_process=opt_in_process)))


def get(*, list_id: str, **query: Unpack[Reading]) -> Request[Json]:
    """
    Read a list; for the query see :class:`~airflow_provider_klaviyo.api.jsonapi.Reading`.

    ``additional_fields={"list": ["profile_count"]}`` counts its members; that has a lower limit of its own.

    https://developers.klaviyo.com/en/reference/get_list

    :param list_id: Klaviyo's id of it.
    """
    return reading(at("/api/lists/{}", list_id), **query)


def list_(**query: Unpack[Listing]) -> Request[Json]:
    """
    Read lists, page by page; for the query see :class:`~airflow_provider_klaviyo.api.jsonapi.Listing`.

    https://developers.klaviyo.com/en/reference/get_lists
    """
    return listing("/api/lists", **query)


def profiles(*, list_id: str, **query: Unpack[Listing]) -> Request[Json]:
    """
    Read the members of a list, page by page; for the query see :class:`~airflow_provider_klaviyo.api.jsonapi.Listing`.

    https://developers.klaviyo.com/en/reference/get_profiles_for_list

    :param list_id: Klaviyo's id of the list.
    """
    return listing(at("/api/lists/{}/profiles", list_id), **query)


def profile_ids(*, list_id: str, **query: Unpack[Listing]) -> Request[Json]:
    """
    Read the ids of a list's members, page by page; for the query see :class:`~airflow_provider_klaviyo.api.jsonapi.Listing`.

    https://developers.klaviyo.com/en/reference/get_profile_ids_for_list

    :param list_id: Klaviyo's id of the list.
    """
    return listing(at("/api/lists/{}/relationships/profiles", list_id), **query)


def update(*, list_id: str, name: str | None = None, opt_in_process: OptIn | None = None) -> Request[Json]:
    """
    Change a list.

    https://developers.klaviyo.com/en/reference/update_list

    :param list_id: Klaviyo's id of it.
    :param name: Its new name.
    :param opt_in_process: Whether who subscribes from now on has to confirm it.
    :raises KlaviyoConfigError: Nothing to change, an empty name, or a process that Klaviyo does not have.
    """
    attributes = given(name=name, opt_in_process=opt_in_process)
    if not attributes:
        raise KlaviyoConfigError("nothing to change: give a name or an opt_in_process")
    _check(**attributes)
    return Request("PATCH", at("/api/lists/{}", list_id), json=document("list", attributes, identity=list_id), replayable=True)


def delete(*, list_id: str) -> Request[Json]:
    """
    Delete a list. Its members stay what they are.

    https://developers.klaviyo.com/en/reference/delete_list

    :param list_id: Klaviyo's id of it.
    """
    return Request("DELETE", at("/api/lists/{}", list_id))


def add_profiles(*, list_id: str, profile_ids: Sequence[str]) -> Request[Json]:
    """
    Put up to 1,000 profiles in a list. That subscribes nobody, and a member stays one.

    https://developers.klaviyo.com/en/reference/add_profiles_to_list

    :param list_id: Klaviyo's id of the list.
    :param profile_ids: Klaviyo's ids of the profiles.
    :raises KlaviyoConfigError: No ids, more than 1,000, an empty one, or one text in place of several.
    """
    path = at("/api/lists/{}/relationships/profiles", list_id)
    return Request("POST", path, json=_members(profile_ids), replayable=True)


def remove_profiles(*, list_id: str, profile_ids: Sequence[str]) -> Request[Json]:
    """
    Take up to 1,000 profiles out of a list. That unsubscribes nobody; who is no member stays none.

    https://developers.klaviyo.com/en/reference/remove_profiles_from_list

    :param list_id: Klaviyo's id of the list.
    :param profile_ids: Klaviyo's ids of the profiles.
    :raises KlaviyoConfigError: As for :func:`add_profiles`.
    """
    return Request("DELETE", at("/api/lists/{}/relationships/profiles", list_id), json=_members(profile_ids))


def _check(name: str | None = None, opt_in_process: str | None = None) -> None:
    if name is not None and not name.strip():
        raise KlaviyoConfigError("a list needs a name")
    if opt_in_process is not None and opt_in_process not in get_args(OptIn):
        raise KlaviyoConfigError(f"opt_in_process is one of {', '.join(get_args(OptIn))}")


def _members(profile_ids: Sequence[str]) -> Json:
    if isinstance(profile_ids, str) or not all(profile_ids):
        raise KlaviyoConfigError("profile_ids is a list of ids, none of them empty")
    if not 1 <= len(profile_ids) <= MOST_MEMBERS:
        raise KlaviyoConfigError(f"a request takes 1 to {MOST_MEMBERS:,} profile_ids, not {len(profile_ids):,}: split them")
    return identifiers("profile", profile_ids)

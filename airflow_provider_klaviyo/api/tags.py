# SPDX-License-Identifier: Apache-2.0
"""Tags: labels on lists, segments, campaigns and flows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Unpack, get_args

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.jsonapi import Listing, Reading, document, identifiers, listing, reading
from airflow_provider_klaviyo.api.request import Json, Request, at

Tagged = Literal["lists", "segments", "campaigns", "flows"]


def create(*, name: str, tag_group_id: str | None = None) -> Request[Json]:
    """
    Make a tag. An account holds 500.

    https://developers.klaviyo.com/en/reference/create_tag

    :param name: Its name; a group has it once.
    :param tag_group_id: Klaviyo's id of the group to put it in; the account's default group where left out.
    :raises KlaviyoConfigError: No name.
    """
    if not name.strip():
        raise KlaviyoConfigError("a tag needs a name")
    group = None if tag_group_id is None else {"tag-group": {"data": {"type": "tag-group", "id": tag_group_id}}}
    return Request("POST", "/api/tags", json=document("tag", {"name": name}, relationships=group))


def get(*, tag_id: str, **query: Unpack[Reading]) -> Request[Json]:
    """
    Read a tag; for the query see :class:`~airflow_provider_klaviyo.api.jsonapi.Reading`.

    https://developers.klaviyo.com/en/reference/get_tag

    :param tag_id: Klaviyo's id of it.
    """
    return reading(at("/api/tags/{}", tag_id), **query)


def list_(**query: Unpack[Listing]) -> Request[Json]:
    """
    Read tags, page by page; for the query see :class:`~airflow_provider_klaviyo.api.jsonapi.Listing`.

    https://developers.klaviyo.com/en/reference/get_tags
    """
    return listing("/api/tags", **query)


def delete(*, tag_id: str) -> Request[Json]:
    """
    Delete a tag. What had it stays, without it.

    https://developers.klaviyo.com/en/reference/delete_tag

    :param tag_id: Klaviyo's id of it.
    """
    return Request("DELETE", at("/api/tags/{}", tag_id))


def add(*, tag_id: str, to: Tagged, ids: Sequence[str]) -> Request[Json]:
    """
    Put a tag on resources of one kind. What has it keeps it.

    https://developers.klaviyo.com/en/reference/tag_lists
    https://developers.klaviyo.com/en/reference/tag_segments
    https://developers.klaviyo.com/en/reference/tag_campaigns
    https://developers.klaviyo.com/en/reference/tag_flows

    :param tag_id: Klaviyo's id of the tag.
    :param to: What they are.
    :param ids: Klaviyo's ids of them.
    :raises KlaviyoConfigError: Another kind, no ids, or one text in place of several.
    """
    return Request("POST", _path(tag_id, to), json=_named(to, ids), replayable=True)


def remove(*, tag_id: str, of: Tagged, ids: Sequence[str]) -> Request[Json]:
    """
    Take a tag off resources of one kind.

    https://developers.klaviyo.com/en/reference/remove_tag_from_lists
    https://developers.klaviyo.com/en/reference/remove_tag_from_segments
    https://developers.klaviyo.com/en/reference/remove_tag_from_campaigns
    https://developers.klaviyo.com/en/reference/remove_tag_from_flows

    :param tag_id: Klaviyo's id of the tag.
    :param of: What they are.
    :param ids: Klaviyo's ids of them.
    :raises KlaviyoConfigError: Another kind, no ids, or one text in place of several.
    """
    return Request("DELETE", _path(tag_id, of), json=_named(of, ids))


def _path(tag_id: str, kind: Tagged) -> str:
    if kind not in get_args(Tagged):
        raise KlaviyoConfigError(f"a tag goes on one of {', '.join(get_args(Tagged))}")
    return at(f"/api/tags/{{}}/relationships/{kind}", tag_id)


def _named(kind: Tagged, ids: Sequence[str]) -> Json:
    if isinstance(ids, str) or not ids or not all(ids):
        raise KlaviyoConfigError("ids is a list of ids, none of them empty")
    return identifiers(kind.removesuffix("s"), ids)

# SPDX-License-Identifier: Apache-2.0
"""Segments: people who meet conditions. Klaviyo keeps their membership, some minutes behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Unpack

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.jsonapi import Listing, Reading, document, given, listing, reading
from airflow_provider_klaviyo.api.request import Json, Request, at


def create(*, name: str, definition: Mapping[str, Any], is_starred: bool | None = None) -> Request[Json]:
    """
    Make a segment. Klaviyo allows 100 a day, and takes some minutes to find its members.

    https://developers.klaviyo.com/en/reference/create_segment

    :param name: Its name in Klaviyo; two segments may have the same.
    :param definition: The conditions: all of the groups have to hold, and any of a group's conditions
        (``{"condition_groups": [{"conditions": [{"type": "profile-group-membership", ...}]}]}``).
    :param is_starred: Whether it is marked as a favourite.
    :raises KlaviyoConfigError: No name, or no conditions.
    """
    _check(name, definition)
    return Request("POST", "/api/segments", json=document("segment", given(name=name, definition=definition, is_starred=is_starred)))


def get(*, segment_id: str, **query: Unpack[Reading]) -> Request[Json]:
    """
    Read a segment; for the query see :class:`~airflow_provider_klaviyo.api.jsonapi.Reading`.

    ``additional_fields={"segment": ["profile_count"]}`` counts its members; that has a lower limit of its own.

    https://developers.klaviyo.com/en/reference/get_segment

    :param segment_id: Klaviyo's id of it.
    """
    return reading(at("/api/segments/{}", segment_id), **query)


def list_(**query: Unpack[Listing]) -> Request[Json]:
    """
    Read segments, page by page; for the query see :class:`~airflow_provider_klaviyo.api.jsonapi.Listing`.

    https://developers.klaviyo.com/en/reference/get_segments
    """
    return listing("/api/segments", **query)


def update(
    *, segment_id: str, name: str | None = None, definition: Mapping[str, Any] | None = None, is_starred: bool | None = None
) -> Request[Json]:
    """
    Change a segment. Klaviyo allows 100 a day.

    https://developers.klaviyo.com/en/reference/update_segment

    :param segment_id: Klaviyo's id of it.
    :param name: Its new name.
    :param definition: The new conditions, all of them; see :func:`create`.
    :param is_starred: Whether it is marked as a favourite.
    :raises KlaviyoConfigError: Nothing to change, an empty name, or no conditions.
    """
    attributes = given(name=name, definition=definition, is_starred=is_starred)
    if not attributes:
        raise KlaviyoConfigError("nothing to change: give a name, a definition or is_starred")
    _check(name, definition)
    return Request("PATCH", at("/api/segments/{}", segment_id), json=document("segment", attributes, identity=segment_id), replayable=True)


def delete(*, segment_id: str) -> Request[Json]:
    """
    Delete a segment. Its members stay what they are.

    https://developers.klaviyo.com/en/reference/delete_segment

    :param segment_id: Klaviyo's id of it.
    """
    return Request("DELETE", at("/api/segments/{}", segment_id))


def profiles(*, segment_id: str, **query: Unpack[Listing]) -> Request[Json]:
    """
    Read the members of a segment, page by page; for the query see :class:`~airflow_provider_klaviyo.api.jsonapi.Listing`.

    https://developers.klaviyo.com/en/reference/get_profiles_for_segment

    :param segment_id: Klaviyo's id of the segment.
    """
    return listing(at("/api/segments/{}/profiles", segment_id), **query)


def _check(name: str | None, definition: Mapping[str, Any] | None) -> None:
    if name is not None and not name.strip():
        raise KlaviyoConfigError("a segment needs a name")
    if definition is not None and not _holds(definition, "condition_groups", _is_group):
        raise KlaviyoConfigError('definition is {"condition_groups": [{"conditions": [...]}]}, with a condition in each group')


def _is_group(group: Any) -> bool:
    return _holds(group, "conditions", lambda condition: isinstance(condition, Mapping))


def _holds(value: Any, name: str, fits: Callable[[Any], bool]) -> bool:
    """Say whether a value is a mapping with that name alone, and under it a list of things that fit, at least one."""
    if not isinstance(value, Mapping) or value.keys() != {name} or not isinstance(value[name], (list, tuple)):
        return False
    return bool(value[name]) and all(map(fits, value[name]))

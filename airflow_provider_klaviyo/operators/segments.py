# SPDX-License-Identifier: Apache-2.0
"""Operators for segments: people who meet conditions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_klaviyo.api import segments
from airflow_provider_klaviyo.api.filters import equals
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.operators.base import KlaviyoOperator
from airflow_provider_klaviyo.operators.listing import GettingOperator, IdsOperator, ListingOperator
from airflow_provider_klaviyo.operators.making import CreatingOperator, DeletingOperator


class KlaviyoCreateSegmentOperator(CreatingOperator):
    """
    Make a segment. Klaviyo allows 100 a day, and takes some minutes to find its members.

    https://developers.klaviyo.com/en/reference/create_segment
    https://developers.klaviyo.com/en/reference/get_segments
    In a retry: https://developers.klaviyo.com/en/reference/get_segment

    :param definition: The conditions: all of the groups have to hold, and any of a group's conditions
        (``{"condition_groups": [{"conditions": [{"type": "profile-group-membership", ...}]}]}``).
    :param is_starred: Whether it is marked as a favourite.
    """

    noun = "segments"

    definition: Mapping[str, Any]
    is_starred: bool | None = None

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return segments.create(name=self.name, definition=self.definition, is_starred=self.is_starred)

    def listed(self) -> Request[Json]:
        """Make the request that lists everything which may have the name."""
        return segments.list_(filter=equals("name", self.name))

    def got(self, identity: str) -> Request[Json]:
        """Make the request that reads one by its id."""
        return segments.get(segment_id=identity)


class KlaviyoGetSegmentOperator(GettingOperator):
    """
    Read a segment.

    https://developers.klaviyo.com/en/reference/get_segment

    :param segment_id: Klaviyo's id of it.
    """

    segment_id: str

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return segments.get(segment_id=self.segment_id, **self.query)


class KlaviyoListSegmentsOperator(ListingOperator):
    """
    Read segments, all pages of them.

    https://developers.klaviyo.com/en/reference/get_segments

    :return: The segments, each with ``id``, ``attributes``, ``relationships``.
    """

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return segments.list_(**self.query)


class KlaviyoUpdateSegmentOperator(KlaviyoOperator):
    """
    Change a segment. Klaviyo allows 100 a day.

    https://developers.klaviyo.com/en/reference/update_segment

    :param segment_id: Klaviyo's id of it.
    :param name: Its new name.
    :param definition: The new conditions, all of them.
    :param is_starred: Whether it is marked as a favourite.
    :return: The segment: ``id``, ``attributes``, ``relationships``.
    """

    segment_id: str
    name: str | None = None
    definition: Mapping[str, Any] | None = None
    is_starred: bool | None = None

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return segments.update(segment_id=self.segment_id, name=self.name, definition=self.definition, is_starred=self.is_starred)


class KlaviyoDeleteSegmentOperator(DeletingOperator):
    """
    Delete a segment. Its members stay what they are.

    https://developers.klaviyo.com/en/reference/delete_segment

    :param segment_id: Klaviyo's id of it.
    """

    segment_id: str

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return segments.delete(segment_id=self.segment_id)


class KlaviyoListSegmentProfilesOperator(IdsOperator):
    """
    Read the members of a segment, all pages of them.

    https://developers.klaviyo.com/en/reference/get_profiles_for_segment

    :param segment_id: Klaviyo's id of the segment.
    :param return_objects: Whether to return whole profiles, which then stand in Airflow's database; otherwise their ids.
    :return: The profiles' ids.
    """

    least = ("profile", "created")

    segment_id: str

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return segments.profiles(segment_id=self.segment_id, **self.query)

# SPDX-License-Identifier: Apache-2.0
"""Operators for tags: labels on lists, segments, campaigns and flows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from airflow_provider_klaviyo.api import tags
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.filters import equals
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.operators.base import KlaviyoOperator
from airflow_provider_klaviyo.operators.listing import ListingOperator, with_included
from airflow_provider_klaviyo.operators.making import CreatingOperator, DeletingOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class KlaviyoCreateTagOperator(CreatingOperator):
    """
    Make a tag. An account holds 500.

    https://developers.klaviyo.com/en/reference/create_tag
    https://developers.klaviyo.com/en/reference/get_tags
    In a retry: https://developers.klaviyo.com/en/reference/get_tag

    :param tag_group_id: Klaviyo's id of the group to put it in; the account's default group where left out.
    :param if_exists: What to do where the group has a tag of that very name. ``create``: nothing, and fail, as Klaviyo does. ``use``:
        return it.
    """

    noun = "tags"

    tag_group_id: str | None = None

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return tags.create(name=self.name, tag_group_id=self.tag_group_id)

    def listed(self) -> Request[Json]:
        """Make the request that lists everything which may have the name."""
        return replace(tags.list_(filter=equals("name", self.name), include="tag-group"), read=with_included)

    def named(self, item: Json) -> bool:
        """Say whether a tag has exactly the name, in the group that is asked for: each group has names of its own."""
        group = next(each for each in item["included"] if each["type"] == "tag-group")
        asked = group["attributes"]["default"] if self.tag_group_id is None else group["id"] == self.tag_group_id
        return super().named(item) and bool(asked)

    def got(self, identity: str) -> Request[Json]:
        """Make the request that reads one by its id."""
        return tags.get(tag_id=identity)


class KlaviyoListTagsOperator(ListingOperator):
    """
    Read tags, all pages of them.

    https://developers.klaviyo.com/en/reference/get_tags

    :return: The tags, each with ``id``, ``attributes``, ``relationships``.
    """

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return tags.list_(**self.query)


class KlaviyoDeleteTagOperator(DeletingOperator):
    """
    Delete a tag. What had it stays, without it.

    https://developers.klaviyo.com/en/reference/delete_tag

    :param tag_id: Klaviyo's id of it.
    """

    tag_id: str

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return tags.delete(tag_id=self.tag_id)


class KlaviyoTagResourcesOperator(KlaviyoOperator):
    """
    Put a tag on lists, segments, campaigns and flows, or take it off them.

    https://developers.klaviyo.com/en/reference/tag_lists
    https://developers.klaviyo.com/en/reference/tag_segments
    https://developers.klaviyo.com/en/reference/tag_campaigns
    https://developers.klaviyo.com/en/reference/tag_flows
    https://developers.klaviyo.com/en/reference/remove_tag_from_lists
    https://developers.klaviyo.com/en/reference/remove_tag_from_segments
    https://developers.klaviyo.com/en/reference/remove_tag_from_campaigns
    https://developers.klaviyo.com/en/reference/remove_tag_from_flows

    :param tag_id: Klaviyo's id of the tag.
    :param list_ids: Klaviyo's ids of the lists.
    :param segment_ids: Klaviyo's ids of the segments.
    :param campaign_ids: Klaviyo's ids of the campaigns.
    :param flow_ids: Klaviyo's ids of the flows.
    :param action: Whether to ``add`` the tag or to ``remove`` it.
    :return: How many were named.
    """

    tag_id: str
    list_ids: Sequence[str] = ()
    segment_ids: Sequence[str] = ()
    campaign_ids: Sequence[str] = ()
    flow_ids: Sequence[str] = ()
    action: Literal["add", "remove"] = "add"

    def requests(self) -> Iterator[Request[Json]]:
        """Make the requests, one for each kind of which any are named."""
        named: dict[tags.Tagged, Sequence[str]] = {
            "lists": self.list_ids,
            "segments": self.segment_ids,
            "campaigns": self.campaign_ids,
            "flows": self.flow_ids,
        }
        for kind, ids in named.items():
            if ids and self.action == "add":
                yield tags.add(tag_id=self.tag_id, to=kind, ids=ids)
            elif ids:
                yield tags.remove(tag_id=self.tag_id, of=kind, ids=ids)

    def execute(self, context: Context) -> int:  # noqa: ARG002
        """Send the requests; sending one twice does no harm."""
        requests = list(self.requests())
        if not requests:
            raise KlaviyoConfigError("give list_ids, segment_ids, campaign_ids or flow_ids")
        with self.hook.session() as klaviyo:
            for request in requests:
                klaviyo.send(request)
        return sum(len(request.json["data"]) for request in requests if request.json)

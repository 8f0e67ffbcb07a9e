# SPDX-License-Identifier: Apache-2.0
"""What all operators share that read from Klaviyo: one resource, or a list of them page by page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.jsonapi import Listing, Reading
from airflow_provider_klaviyo.api.pages import in_large_pages
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.operators.base import KlaviyoOperator, Personal

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_klaviyo.session import Session

Names = str | Sequence[str]
Fields = Mapping[str, Names]


class GettingOperator(KlaviyoOperator):
    """
    Read one resource.

    :param fields: The fields to return, by resource type: ``{"profile": ["email"]}``.
    :param additional_fields: Fields that are left out unless asked for, by resource type.
    :param include: Relationships whose resources to return as well, under ``included``.
    :return: The resource: ``id``, ``attributes``, ``relationships``.
    """

    fields: Fields | None = None
    additional_fields: Fields | None = None
    include: Names | None = None

    @property
    def query(self) -> Reading:
        """What an endpoint's ``get`` takes beside the id."""
        return {"fields": self.fields, "additional_fields": self.additional_fields, "include": self.include}

    def result(self, answer: Any) -> Any:
        """Return the resource, and what is included with it."""
        return {**answer["data"], "included": answer["included"]} if "included" in answer else answer["data"]


class PagedOperator(KlaviyoOperator):
    """
    Read all items of a list, across its pages.

    :param max_items: The most items to return, 1 or more.
    :param truncate: Whether to return the first ``max_items`` where there are more; otherwise the task fails, for a list that
        ends early looks like one that is whole.
    """

    max_items: int = 10_000
    truncate: bool = False

    def execute(self, context: Context) -> Any:  # noqa: ARG002
        """Read the pages, and return what :meth:`result` makes of the items."""
        if self.max_items < 1:
            raise KlaviyoConfigError("max_items is 1 or more: with none, nothing would be read and all seem well")
        request = self.request()
        with self.hook.session() as klaviyo:
            return self.result(self.items(klaviyo, request))

    def items(self, klaviyo: Session, request: Request[Json]) -> list[Json]:
        """
        Return the items of a page and of all that follow it.

        :raises KlaviyoConfigError: There are more than ``max_items``.
        """
        items: list[Json] = []
        paged = replace(in_large_pages(request, self.max_items), read=lambda page: with_included(request.read(page)))
        for item in klaviyo.walk(paged):
            if len(items) >= self.max_items:
                if not self.truncate:
                    raise KlaviyoConfigError(
                        f"{request.name} has more than max_items={self.max_items:,} items: narrow the filter, raise max_items,"
                        " or set truncate=True to take the first ones"
                    )
                self.log.warning("There are more than max_items=%s items: the rest is left out, as truncate says.", self.max_items)
                break
            items.append(item)
        return items


class ListingOperator(PagedOperator):
    """
    Read the items of one of Klaviyo's lists that can be filtered.

    :param filter: Klaviyo's filter, such as ``greater-than(updated,{{ data_interval_start | ts }})``; a comma means "and".
    :param sort: A field, with ``-`` before it to have the largest first.
    :param fields: The fields to return, by resource type: ``{"profile": ["email"]}``.
    :param additional_fields: Fields that are left out unless asked for, by resource type.
    :param include: Relationships whose resources to return as well, under ``included`` of each item.
    """

    filter: Personal[str | None] = None
    sort: str | None = None
    fields: Fields | None = None
    additional_fields: Fields | None = None
    include: Names | None = None

    @property
    def query(self) -> Listing:
        """What an endpoint's ``list_`` takes."""
        return {
            "filter": None if self.filter is None else str(self.filter),
            "sort": self.sort,
            "fields": self.fields,
            "additional_fields": self.additional_fields,
            "include": self.include,
        }


class IdsOperator(ListingOperator):
    """
    Read the items of a list, and return their ids.

    :param return_objects: Whether to return whole items, which then stand in Airflow's database; otherwise their ids.
    """

    least: ClassVar[tuple[str, str]]
    """Their type, and the one field to ask for where ids alone are wanted and nobody named others: Klaviyo would send all it has."""

    return_objects: bool = False

    @property
    def query(self) -> Listing:
        """What an endpoint's ``list_`` takes."""
        query = super().query
        if not self.return_objects and not self.fields:
            kind, field = self.least
            query["fields"] = {kind: field}
        return query

    def result(self, answer: Any) -> Any:
        """Return ids, or items."""
        return answer if self.return_objects else [each["id"] for each in answer]


def with_included(page: Json) -> Json:
    """Put the resources that a page includes under ``included`` of the items they belong to."""
    included = {(each["type"], each["id"]): each for each in page.get("included") or []}
    if included:
        for item in page["data"]:
            item["included"] = [included[name] for name in _related(item) if name in included]
    return page


def _related(item: Json) -> list[tuple[str, str]]:
    related: list[tuple[str, str]] = []
    for relationship in (item.get("relationships") or {}).values():
        data = relationship.get("data") or []
        related += [(each["type"], each["id"]) for each in (data if isinstance(data, list) else [data])]
    return related

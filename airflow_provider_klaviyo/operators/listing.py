# SPDX-License-Identifier: Apache-2.0
"""What all operators share that read a list from Klaviyo, page by page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_klaviyo.api import limits
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.operators.base import KlaviyoOperator, Personal

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_klaviyo.session import Session

Names = str | Sequence[str]
Fields = Mapping[str, Names]


class PagedOperator(KlaviyoOperator):
    """
    Read all items of a list, across its pages.

    :param max_items: The most items to return.
    :param truncate: Whether to return the first ``max_items`` where there are more; otherwise the task fails, for a list that
        ends early looks like one that is whole.
    """

    max_items: int = 10_000
    truncate: bool = False

    def execute(self, context: Context) -> Any:  # noqa: ARG002
        """Read the pages, and return what :meth:`result` makes of the items."""
        request = self.request()
        with self.hook.session() as klaviyo:
            return self.result(self.items(klaviyo, request))

    def items(self, klaviyo: Session, request: Request[Json]) -> list[Json]:
        """
        Return the items of a page and of all that follow it.

        :raises KlaviyoConfigError: There are more than ``max_items``.
        """
        items: list[Json] = []
        for item in klaviyo.walk(replace(request, read=with_included)):
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

    def page_size(self, path: str) -> int | None:
        """Return the largest page that is of use, or ``None`` where its size is fixed."""
        operation = limits.find("GET", path)
        largest = operation.max_page_size if operation else None
        return largest and max(1, min(largest, self.max_items))


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

# SPDX-License-Identifier: Apache-2.0
"""Lists, page by page."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_klaviyo.api import limits
from airflow_provider_klaviyo.api.errors import KlaviyoError
from airflow_provider_klaviyo.api.request import Json, Request


def once(request: Request[Json], seen: set[int]) -> Request[Json]:
    """
    Return the request of a page, but for one that was read before.

    :param seen: The pages read; the request is added.
    :raises KlaviyoError: Klaviyo's links go round in a circle.
    """
    page = hash((request.path, *request.params.items(), repr(request.json)))
    if page in seen:
        message = f"{request.name} links to a page that was read before: reading on would never end."
        raise KlaviyoError(message)
    seen.add(page)
    return request


def items(request: Request[Json], page: Json) -> list[Json]:
    """
    Return the items of a page.

    :raises KlaviyoError: It is none.
    """
    if not isinstance(found := page.get("data"), list):
        message = f"{request.name} answered with no list: it has no items to walk through, send it instead."
        raise KlaviyoError(message)
    return found


def in_large_pages(request: Request[Json], items: int | None = None) -> Request[Json]:
    """
    Ask for the largest pages that are of use, where nobody said otherwise and Klaviyo lets one choose.

    :param request: The request for the first page.
    :param items: How many items are wanted; all, where left out.
    """
    operation = limits.find(request.method, request.path)
    if operation is None or operation.max_page_size is None or "page[size]" in request.params:
        return request
    size = operation.max_page_size if items is None else max(1, min(operation.max_page_size, items))
    return replace(request, params={**request.params, "page[size]": size})

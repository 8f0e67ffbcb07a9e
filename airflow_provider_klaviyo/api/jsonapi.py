# SPDX-License-Identifier: Apache-2.0
"""JSON:API as Klaviyo speaks it: resources, documents, queries."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypedDict, Unpack, cast

from airflow_provider_klaviyo.api import filters, limits
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.limits import Operation
from airflow_provider_klaviyo.api.request import Json, Request

Names = str | Iterable[str]
Fields = Mapping[str, Names]


def given(**values: Any) -> Json:
    """Return the values that were given, without those that are ``None``."""
    return {name: value for name, value in values.items() if value is not None}


def document(
    kind: str,
    attributes: Mapping[str, Any] | None = None,
    *,
    identity: str | None = None,
    relationships: Mapping[str, Any] | None = None,
    meta: Mapping[str, Any] | None = None,
) -> Json:
    """
    Wrap one resource as the body of a request.

    :param kind: The resource's ``type``, such as ``list``.
    :param attributes: Its attributes.
    :param identity: Its id, where it has one.
    :param relationships: What it belongs to.
    :param meta: What to do with it beside setting its attributes.
    """
    return {"data": given(type=kind, id=identity, attributes=attributes, relationships=relationships, meta=meta)}


def identifiers(kind: str, ids: Iterable[str]) -> Json:
    """Name resources by their ids, as relationships and their endpoints do."""
    return {"data": [{"type": kind, "id": each} for each in ids]}


class Reading(TypedDict, total=False):
    """
    How to read one resource.

    :param fields: The fields to return, by resource type: ``{"profile": ["email"]}``.
    :param additional_fields: Fields that are left out unless asked for, by resource type.
    :param include: Relationships whose resources to return as well.
    """

    fields: Fields | None
    additional_fields: Fields | None
    include: Names | None


class Listing(Reading, total=False):
    """
    How to read a list; the rest is as :class:`Reading` has it.

    :param filter: Klaviyo's filter, such as ``greater-than(updated,2026-01-01T00:00:00Z)``; a comma means "and". The functions
        of :mod:`~airflow_provider_klaviyo.api.filters` write it.
    :param sort: A field, with ``-`` before it to have the largest first.
    :param page_size: Items a page; as many as Klaviyo chooses where left out.

    An empty ``filter``, ``sort`` or ``include``, as a template may give, is none.
    """

    filter: str | None
    sort: str | None
    page_size: int | None


def reading(path: str, **query: Unpack[Reading]) -> Request[Json]:
    """
    Return the request for one resource; for the query see :class:`Reading`.

    :param path: The resource's path.
    :raises KlaviyoConfigError: The operation does not offer what is asked for.
    """
    return listing(path, **query)


def listing(path: str, **query: Unpack[Listing]) -> Request[Json]:
    """
    Return the request for the first page of a list; for the query see :class:`Listing`.

    :param path: The list's path.
    :raises KlaviyoConfigError: The operation does not offer what is asked for.
    """
    if unknown := given(**query).keys() - Listing.__annotations__.keys():
        raise TypeError(f"a query has {', '.join(sorted(Listing.__annotations__))}, not {', '.join(sorted(unknown))}")
    query = cast("Listing", {name: value for name, value in query.items() if not isinstance(value, str) or value.strip()})
    if text := query.get("filter"):
        query["filter"] = filters.with_t(text)
    if operation := limits.find("GET", path):
        _check(operation, query)
    return Request("GET", path, params=_params(query))


def _params(query: Listing) -> dict[str, str | int]:
    params = given(filter=query.get("filter"), sort=query.get("sort"), include=",".join(_words(query.get("include"))) or None)
    for family, named in (("fields", query.get("fields")), ("additional-fields", query.get("additional_fields"))):
        params |= {f"{family}[{kind}]": ",".join(_words(names)) for kind, names in (named or {}).items()}
    return params | given(**{"page[size]": query.get("page_size")})


def _words(names: Names | None) -> list[str]:
    return [each.strip() for each in names.split(",")] if isinstance(names, str) else list(names or ())


def _check(operation: Operation, query: Listing) -> None:
    """Refuse what an operation does not offer: Klaviyo would, after the request had been counted."""
    filters.check(query.get("filter"), operation)
    if sort := query.get("sort"):
        _offered(operation, "sort", [sort.removeprefix("-")], operation.sortable)
    _offered(operation, "include", _words(query.get("include")), operation.include)
    _offered(operation, "fields of", query.get("fields") or (), operation.fields)
    for kind, names in (query.get("additional_fields") or {}).items():
        _offered(operation, f"additional_fields of {kind}", _words(names), operation.additional_fields.get(kind, ()))
    _check_page_size(operation, query.get("page_size"))


def _offered(operation: Operation, what: str, words: Iterable[str], offered: Collection[str]) -> None:
    for word in words:
        if word not in offered:
            known = f"it has {', '.join(offered)}" if offered else "it has none"
            raise KlaviyoConfigError(f"{operation.id} has no {what} {word!r}: {known}")


def _check_page_size(operation: Operation, page_size: int | None) -> None:
    if page_size is None:
        return
    if operation.max_page_size is None:
        raise KlaviyoConfigError(f"the pages of {operation.id} have a fixed size: leave page_size out")
    if not 1 <= page_size <= operation.max_page_size:
        raise KlaviyoConfigError(f"page_size of {operation.id} goes from 1 to {operation.max_page_size}, not {page_size}")

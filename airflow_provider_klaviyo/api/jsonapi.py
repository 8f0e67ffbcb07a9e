# SPDX-License-Identifier: Apache-2.0
"""JSON:API as Klaviyo speaks it: resources, documents, queries."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_klaviyo.api import limits
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
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


def equals(field: str, value: str) -> str:
    """
    Return the filter that a field has a value.

    :param field: The field.
    :param value: Any text: quotes in it are escaped.
    """
    return f"equals({field},{json.dumps(value, ensure_ascii=False)})"


def query(
    *,
    filter: str | None = None,  # noqa: A002 - Klaviyo's name
    sort: str | None = None,
    fields: Fields | None = None,
    additional_fields: Fields | None = None,
    include: Names | None = None,
    page_size: int | None = None,
) -> dict[str, str | int]:
    """
    Return the query of a read.

    :param filter: Klaviyo's filter, such as ``greater-than(updated,2026-01-01T00:00:00Z)``; a comma means "and".
    :param sort: A field, with ``-`` before it to have the largest first.
    :param fields: The fields to return, by resource type: ``{"profile": ["email"]}``.
    :param additional_fields: Fields that are left out unless asked for, by resource type.
    :param include: Relationships whose resources to return as well.
    :param page_size: Items a page.
    """
    params = given(filter=filter, sort=sort, include=_joined(include))
    for family, named in (("fields", fields), ("additional-fields", additional_fields)):
        params |= {f"{family}[{kind}]": _joined(names) for kind, names in (named or {}).items()}
    return params if page_size is None else params | {"page[size]": page_size}


def listing(
    path: str,
    *,
    filter: str | None = None,  # noqa: A002 - Klaviyo's name
    sort: str | None = None,
    fields: Fields | None = None,
    additional_fields: Fields | None = None,
    include: Names | None = None,
    page_size: int | None = None,
) -> Request[Json]:
    """
    Return the request for the first page of a list; for the parameters see :func:`query`.

    :param path: The list's path.
    :raises KlaviyoConfigError: The page is larger than Klaviyo makes them.
    """
    _check_page_size(path, page_size)
    params = query(filter=filter, sort=sort, fields=fields, additional_fields=additional_fields, include=include, page_size=page_size)
    return Request("GET", path, params=params)


def _joined(names: Names | None) -> str | None:
    return names if names is None or isinstance(names, str) else ",".join(names)


def _check_page_size(path: str, page_size: int | None) -> None:
    operation = limits.find("GET", path)
    if page_size is None or operation is None:
        return
    if operation.max_page_size is None:
        raise KlaviyoConfigError(f"the pages of {operation.id} have a fixed size: leave page_size out")
    if not 1 <= page_size <= operation.max_page_size:
        raise KlaviyoConfigError(f"page_size of {operation.id} goes from 1 to {operation.max_page_size}, not {page_size}")

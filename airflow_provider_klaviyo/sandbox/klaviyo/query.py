# SPDX-License-Identifier: Apache-2.0
"""The query of a request: fields, filter, sort, page. What an operation does not take is refused."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote_plus

from airflow_provider_klaviyo.api.limits import Operation
from airflow_provider_klaviyo.sandbox.klaviyo import documents, filters
from airflow_provider_klaviyo.sandbox.klaviyo.problems import Refused, invalid

CURSOR_ONLY_SIZE = 200
DEFAULT_SIZE = 20
INTEGER = 2**63
KEY_AND_ID = 2


@dataclass(frozen=True, slots=True)
class Query:
    """
    A query that is allowed.

    :param terms: The filter.
    :param sort: Field to sort by, ``""`` for the operation's own order.
    :param descending: Whether the greatest comes first.
    :param size: Items a page.
    :param cursor: Where the page before ended.
    :param fields: Fields asked for, by type.
    :param include: Related resources asked for.
    :param additional: Additional fields asked for, by type.
    :param raw: All parameters as they came, in order.
    """

    terms: list[filters.Term]
    sort: str
    descending: bool
    size: int
    cursor: list[Any] | None
    fields: Mapping[str, list[str]]
    include: list[str]
    additional: Mapping[str, list[str]]
    raw: list[tuple[str, str]]

    def link(self, address: str, cursor: list[Any] | None = None) -> str:
        """Return the address with this query, on the page after a cursor if one is given."""
        pairs = [(name, value) for name, value in self.raw if cursor is None or name != "page[cursor]"]
        if cursor is not None:
            pairs.append(("page[cursor]", pack(cursor)))
        return address + ("?" if pairs else "") + "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs)

    @property
    def words(self) -> frozenset[str]:
        """Related resources and additional fields: some have rate limits of their own."""
        return frozenset(self.include).union(*self.additional.values())


def read(text: str, operation: Operation) -> Query:
    """
    Read a query.

    :param text: As it stands in the URL.
    :param operation: What the query is for.
    :raises Refused: A parameter or a value is not allowed.
    """
    raw = parse_qsl(text, keep_blank_values=True)
    given = dict(raw)
    allowed = _allowed(operation)
    for name in given:
        if name not in allowed:
            raise invalid(f"'{name}' is not a valid parameter for {operation.id}.", parameter=name)
    if operation.filter_required and not given.get("filter"):
        raise invalid(f"'filter' is a required parameter for {operation.id}.", parameter="filter")
    sort = given.get("sort", "")
    if sort and sort.removeprefix("-") not in operation.sortable:
        raise invalid(f"'{sort}' is not a valid sort option.  Allowed options are {', '.join(operation.sortable)}", parameter="sort")
    return Query(
        terms=filters.allow(filters.parse(given.get("filter", "")), operation),
        sort=sort.removeprefix("-"),
        descending=sort.startswith("-"),
        size=_size(given.get("page[size]"), operation),
        cursor=unpack(given["page[cursor]"]) if given.get("page[cursor]") else None,
        fields={kind: _words(given, f"fields[{kind}]", kind) for kind in operation.fields if f"fields[{kind}]" in given},
        include=_chosen(given, "include", operation.include),
        additional={kind: _chosen(given, f"additional-fields[{kind}]", names) for kind, names in operation.additional_fields.items()},
        raw=raw,
    )


def pack(cursor: list[Any]) -> str:
    """Return a cursor as it travels."""
    return base64.urlsafe_b64encode(json.dumps(cursor).encode()).decode().rstrip("=")


def unpack(text: str) -> list[Any]:
    """
    Return a cursor as it was packed. The official SDK puts a ``=`` before it, which Klaviyo tolerates.

    :raises Refused: It is not one of ours.
    """
    bare = text.strip("=")
    try:
        cursor = json.loads(base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4)))
        if (
            not isinstance(cursor, list)
            or len(cursor) != KEY_AND_ID
            or not all(isinstance(each, str) or (type(each) is int and abs(each) < INTEGER) for each in cursor)
        ):
            raise TypeError
    except (ValueError, TypeError, binascii.Error):
        raise invalid("Invalid cursor provided", parameter="page[cursor]") from None
    return cursor


def unpack_place(text: str, *, pointer: str = "", parameter: str = "") -> int:
    """
    Return how many rows a cursor goes past, where it does no more: :func:`pack` made it of that and a 0.

    :param text: The cursor.
    :param pointer: Where it stands in the body.
    :param parameter: What it is called in the query.
    :raises Refused: It is not one of ours.
    """
    try:
        place = unpack(text)[0]
    except Refused:
        place = None
    if not isinstance(place, int) or place < 0:
        raise invalid("Invalid cursor provided", pointer, parameter=parameter)
    return place


def _allowed(operation: Operation) -> set[str]:
    offered = {
        "include": operation.include,
        "filter": operation.filters,
        "sort": operation.sortable,
        "page[size]": operation.max_page_size,
        "page[cursor]": operation.paged,
        **{f"fields[{kind}]": True for kind in operation.fields},
        **{f"additional-fields[{kind}]": True for kind in operation.additional_fields},
        **dict.fromkeys(operation.params, True),
    }
    return {name for name, value in offered.items() if value}


def _size(text: str | None, operation: Operation) -> int:
    if operation.max_page_size is None:
        return CURSOR_ONLY_SIZE
    if text is None:
        return operation.default_page_size or min(DEFAULT_SIZE, operation.max_page_size)
    if not text.isdecimal() or not 1 <= int(text) <= operation.max_page_size:
        raise invalid(f"Page size must be an integer between 1 and {operation.max_page_size}.", parameter="page[size]")
    return int(text)


def _words(given: Mapping[str, str], name: str, kind: str) -> list[str]:
    words = [each for each in given[name].split(",") if each]
    for word in words:  # of a type that is not emulated, nothing is known
        if kind in documents.FIELDS and not documents.known_field(kind, word):
            raise invalid(f"'{word}' is not a valid field for {kind}.", parameter=name)
    return words


def _chosen(given: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> list[str]:
    words = [each for each in given.get(name, "").split(",") if each]
    for word in words:
        if word not in allowed:
            raise invalid(f"'{word}' is not a valid value.  Allowed values are {', '.join(allowed)}", parameter=name)
    return words

# SPDX-License-Identifier: Apache-2.0
"""
What Klaviyo documents about each of its operations: rates, scopes, pages, filters, and what else a query may hold.

Generated data (``tests/contract/generate_limits.py``), read once, at the first question.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

Words = Mapping[str, tuple[str, ...]]

OPERATIONS: tuple[Operation, ...]
"""All of them: those of ``/api``, and those of ``/client`` (:attr:`Operation.client`)."""


@dataclass(frozen=True, slots=True)
class Operation:
    """
    One operation of Klaviyo's API and its limits, which hold per account.

    :param id: Klaviyo's name of it, also the name of its reference page.
    :param method: The HTTP method.
    :param path: The path, with ``{id}`` for each id.
    :param scopes: What a key needs to be allowed to do.
    :param burst: Requests a second.
    :param steady: Requests a minute.
    :param daily: Requests a day, ``None`` where there is no such limit.
    :param paged: Whether it answers in pages, each with a cursor to the next.
    :param max_page_size: Items a page may hold, ``None`` where ``page[size]`` is not taken.
    :param default_page_size: Items a page holds where ``page[size]`` is not given, ``None`` where unknown.
    :param sortable: Fields it sorts by, either way.
    :param fields: Types of resources whose fields may be chosen.
    :param include: Relationships whose resources it returns if asked to.
    :param additional_fields: Fields it leaves out unless asked for them, by type.
    :param filters: The operators each filter field takes; empty where it takes no filter.
    :param filter_types: What each field is compared with: ``string``, ``date-time``, ``number``, ``integer`` or ``boolean``.
        A field that has only the operator ``has`` is not there.
    :param filter_words: The values a field may be compared with, for fields that have but a few.
    :param filter_required: Whether it answers only to a filter.
    :param params: Other parameters of its query.
    """

    id: str
    method: str
    path: str
    scopes: tuple[str, ...] = ()
    burst: int | None = None
    steady: int | None = None
    daily: int | None = None
    paged: bool = False
    max_page_size: int | None = None
    default_page_size: int | None = None
    sortable: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    additional_fields: Words = field(default_factory=dict, hash=False)
    filters: Words = field(default_factory=dict, hash=False)
    filter_types: Mapping[str, str] = field(default_factory=dict, hash=False)
    filter_words: Words = field(default_factory=dict, hash=False)
    filter_required: bool = False
    params: tuple[str, ...] = ()

    @property
    def client(self) -> bool:
        """Whether it is made for browsers and apps: it goes by the account's public key, and never by the private one."""
        return self.path.startswith("/client/")

    @property
    def page(self) -> str:
        """Klaviyo's reference page of it."""
        return f"https://developers.klaviyo.com/en/reference/{self.id}"


@dataclass(slots=True)
class _Node:
    """A place in the tree of paths: what may follow it, and what ends at it."""

    children: dict[str, _Node] = field(default_factory=dict)
    operation: Operation | None = None


def find(method: str, path: str) -> Operation | None:
    """
    Find the operation that a request is one of.

    A handful of dictionary look-ups, since it stands before every request.

    :param method: The HTTP method.
    :param path: A path with ids in it, quoted; a query and a slash at the end do no harm.
    :returns: ``None`` where Klaviyo documents no such operation.
    """
    node = _tree().get(method)
    for segment in path.partition("?")[0].strip("/").split("/"):
        if node is None:
            return None
        # No place of Klaviyo's tree has both fixed and free followers (a test says so): no need to turn back.
        node = node.children.get(segment) or node.children.get("{}")
    return node.operation if node else None


def __getattr__(name: str) -> Any:
    if name == "OPERATIONS":
        return _operations()
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)


@cache
def _operations() -> tuple[Operation, ...]:
    text = resources.files(__package__).joinpath("operations.json").read_text(encoding="utf-8")
    return tuple(Operation(**_frozen(each)) for each in json.loads(text))


def _frozen(value: Any) -> Any:
    match value:
        case list():
            return tuple(value)
        case dict():
            return {key: _frozen(each) for key, each in value.items()}
    return value


@cache
def _tree() -> dict[str, _Node]:
    roots: dict[str, _Node] = {}
    for operation in _operations():
        node = roots.setdefault(operation.method, _Node())
        for segment in operation.path.strip("/").split("/"):
            node = node.children.setdefault("{}" if segment.startswith("{") else segment, _Node())
        node.operation = operation
    return roots

# SPDX-License-Identifier: Apache-2.0
"""A request that may be carried out, its answer, and the table of who carries out what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_klaviyo.api.limits import Operation
from airflow_provider_klaviyo.sandbox.klaviyo.forms import UploadedFile
from airflow_provider_klaviyo.sandbox.klaviyo.problems import Problem, Refused
from airflow_provider_klaviyo.sandbox.klaviyo.query import Query
from airflow_provider_klaviyo.sandbox.klaviyo.state import KlaviyoState

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """
    A request past the gate.

    :param state: The account.
    :param operation: What is asked for.
    :param ids: The ids in the path.
    :param query: The query.
    :param body: The parsed body, ``None`` where there is none.
    :param base: Scheme and host of links.
    :param path: The path, without a slash at its end.
    :param form: The texts of a form, for the operations that take one in place of JSON.
    :param files: The files of a form.
    """

    state: KlaviyoState
    operation: Operation
    ids: tuple[str, ...]
    query: Query
    body: Any
    base: str
    path: str
    form: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, UploadedFile] = field(default_factory=dict)

    def document(self, data: Any, included: list[Json] | None = None) -> Json:
        """Return a document of one resource, or of all there are."""
        document: Json = {"data": data}
        if included is not None:
            document["included"] = included
        return {**document, "links": {"self": self.query.link(self.base + self.path)}}

    def page(self, data: list[Json], following: list[Any] | None, included: list[Json] | None = None) -> Json:
        """Return a document of one page; like Klaviyo's it does not lead back."""
        document = self.document(data, included)
        address = self.base + self.path
        document["links"] |= {"next": self.query.link(address, following) if following else None, "prev": None}
        return document

    def fields(self, kind: str) -> list[str] | None:
        """Return the fields asked for, additional ones among them, or ``None`` for the usual."""
        chosen = self.query.fields.get(kind)
        return None if chosen is None else [*chosen, *(each for each in self.query.additional.get(kind, ()) if each not in chosen)]

    def refuse(self, problems: list[Problem]) -> None:
        """
        Refuse a body that has problems, in the detail this account is set to.

        :raises Refused: 400.
        """
        if not problems:
            return
        shown = {"all": problems, "first": problems[:1], "none": [Problem("Invalid input.")]}[self.state.behaviour.pointers]
        raise Refused(400, "invalid", *shown)


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What is answered.

    :param status: HTTP status.
    :param body: The document, ``None`` for an empty body.
    """

    status: int = 200
    body: Json | None = None


Handler = Callable[[Call], Answer]
HANDLERS: dict[str, Handler] = {}


def answers(operation_id: str) -> Callable[[Handler], Handler]:
    """
    Register the function that carries out an operation, with what Klaviyo documents of its query (:mod:`~airflow_provider_klaviyo.api.limits`).

    :param operation_id: Klaviyo's name of it.
    """

    def register(handler: Handler) -> Handler:
        HANDLERS[operation_id] = handler
        return handler

    return register

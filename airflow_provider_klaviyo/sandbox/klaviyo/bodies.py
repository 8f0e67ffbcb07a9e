# SPDX-License-Identifier: Apache-2.0
"""Bodies as pydantic models, for the operations that take one resource: what a model does not name is refused."""

from __future__ import annotations

import json
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from airflow_provider_klaviyo.sandbox.klaviyo.calls import Call
from airflow_provider_klaviyo.sandbox.klaviyo.problems import Problem

B = TypeVar("B", bound="Strict")


class Strict(BaseModel):
    """An object of known keys; values are not converted. Classes with ``Annotated[...]`` fields check the rest."""

    model_config = ConfigDict(extra="forbid", strict=True)

    def given(self) -> dict[str, Any]:
        """Return what was sent, defaults left out, in JSON's types and under Klaviyo's names."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def changes(self) -> dict[str, Any]:
        """Return what was sent and is not null: of webhooks it is recorded that a null changes nothing."""
        return {name: value for name, value in self.given().items() if value is not None}


class Reference(Strict):
    """A resource named in a relationship."""

    type: str
    id: str


def document(
    kind: str,
    attributes: type[Strict] | None = None,
    *,
    identified: bool = False,
    relationships: type[Strict] | None = None,
    needed: bool = False,
) -> type[Strict]:
    """
    Return the model of a body with one resource, ``{"data": {"type": kind, ...}}``.

    :param kind: The ``type``.
    :param attributes: The model of the attributes; none are taken without.
    :param identified: Whether an ``id`` must stand beside them.
    :param relationships: The model of the relationships; none are taken without.
    :param needed: Whether the relationships must be given.
    """
    parts: dict[str, Any] = {"type": (Literal[kind], ...)}
    if identified:
        parts["id"] = (str, ...)
    if attributes:
        parts["attributes"] = (attributes, ...)
    if relationships:
        parts["relationships"] = (relationships, ...) if needed else (relationships | None, None)
    resource = create_model("Resource", __base__=Strict, **parts)
    return create_model("Document", __base__=Strict, data=(resource, ...))


def one_of(kind: str) -> type[Strict]:
    """Return the model of a relationship to one resource: ``{"data": {"type": kind, "id": "..."}}``."""
    return document(kind, identified=True)


def some_of(kind: str) -> type[Strict]:
    """Return the model of a relationship to several resources: ``{"data": [{"type": kind, "id": "..."}]}``."""
    parts: dict[str, Any] = {"type": (Literal[kind], ...), "id": (str, ...)}
    resource: Any = create_model("Resource", __base__=Strict, **parts)
    return create_model("Documents", __base__=Strict, data=(list[resource], ...))


def parse(call: Call, model: type[B]) -> Any:
    """
    Check the body of a call.

    :param call: The call.
    :param model: What the body has to be.
    :return: The model's ``data``.
    :raises Refused: 400, with a pointer to each thing that is wrong. An ``id`` must be that of the path.
    """
    try:
        data: Any = model.model_validate_json(json.dumps(call.body)).data  # type: ignore[attr-defined]
    except ValidationError as error:
        call.refuse([_problem(each, call.body) for each in error.errors(include_url=False, include_input=False)])
        raise
    if call.ids and getattr(data, "id", call.ids[0]) != call.ids[0]:
        call.refuse([Problem("The id in the body must be that of the path.", "/data/id")])
    return data


def _problem(error: Any, body: Any) -> Problem:
    steps, missing = error["loc"], error["type"] in {"missing", "union_tag_not_found"}
    if error["type"] in {"union_tag_not_found", "union_tag_invalid"}:
        steps = (*steps, error["ctx"]["discriminator"].strip("'"))
    *_, name = steps or ("",)
    detail = error["msg"].removeprefix("Value error, ")
    if missing:
        detail = f"'{name}' is a required field for the resource."
    elif error["type"] == "union_tag_invalid":
        detail = f"'{error['ctx']['tag']}' is not a valid {name}."
    elif error["type"] == "extra_forbidden":
        detail = f"'{name}' is not a valid field for the resource."
    return Problem(detail, _pointer(steps, body, missing=missing))


def _pointer(steps: tuple[int | str, ...], body: Any, *, missing: bool) -> str:
    """Return the JSON pointer of a fault, without the names that pydantic gives to the members of a union."""
    taken: list[int | str] = []
    for step in steps:
        if step in (body if isinstance(body, dict) else range(len(body)) if isinstance(body, list) else ()):
            body = body[step]
            taken.append(step)
    if missing:
        taken.append(steps[-1])
    return "".join(f"/{str(each).replace('~', '~0').replace('/', '~1')}" for each in taken)

# SPDX-License-Identifier: Apache-2.0
"""
What Klaviyo's official SDK says of revision 2026-10-15: each operation's models, statuses and parameters.

Read from the text of its API classes, which are generated and all alike: to import them would load 1,600 models, in six seconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tests.contract.july import STRUCTURE

METHOD = re.compile(r"\n    def (?=\w+\()")
CALL = re.compile(r"method='(\w+)',\s+resource_path='([^']+)'")
PARAM = re.compile(r"_query_params\.append\(\('([^']+)'")
FORM = re.compile(r"_(?:form_params\.append\(\(|files\[)'([^']+)'")
BODY = re.compile(r"_body_params = (?!None)(\w+)")
ANSWER = re.compile(r"'(2\d\d)': (?:\"(\w+)\"|None)")
SERIALIZE = re.compile(r"_(\w+)_serialize\(")


@dataclass(frozen=True)
class Operation:
    """
    An operation.

    :param id: Klaviyo's name of it.
    :param method: The HTTP method.
    :param path: The path, with a name in braces for each id.
    :param body: The model of the body, ``None`` where it takes none.
    :param answers: The model of the answer by status, ``None`` for an empty answer.
    :param params: What the query may hold.
    :param form: What the form may hold, where the body is one.
    :param text: The method as it is written: its arguments are described there.
    """

    id: str
    method: str
    path: str
    body: str | None
    answers: Mapping[int, str | None]
    params: frozenset[str]
    form: frozenset[str]
    text: str


def model(name: str) -> Any:
    """Return a model; they are loaded one by one."""
    from openapi_client import models

    return getattr(models, name)


def parsed(name: str, value: Any) -> Any:
    """
    Parse JSON.

    :param name: The model.
    :param value: A body or an answer.
    :raises AssertionError: The model refuses it.
    """
    try:
        return model(name).from_dict(value)
    except ValueError as error:
        raise AssertionError(f"the SDK's {name} refuses it: {error}") from None


def sparse(name: str, value: Any) -> None:
    """
    Check the values that are there in an answer to a request that chose among the fields.

    :param name: The model.
    :param value: The answer.
    :raises AssertionError: A value is not as the model has it, or something is missing that every resource has.
    """
    try:
        model(name).model_validate(value)
    except ValidationError as error:
        wrong = [each for each in error.errors() if each["type"] != "missing" or each["loc"][-1] in STRUCTURE]
        told = [f"{'/'.join(map(str, each['loc']))}: {each['msg']}" for each in wrong]
        assert not told, f"the SDK's {name} refuses it: {told}"


@cache
def operations() -> Mapping[str, Operation]:
    """Return the SDK's operations by id."""
    found: dict[str, Operation] = {}
    for file in _folder().glob("*_api.py"):
        methods = {part.partition("(")[0]: part for part in METHOD.split(file.read_text(encoding="utf-8"))}
        for text in methods.values():
            if named := SERIALIZE.match(text):
                found[named[1]] = _operation(named[1], text, methods[named[1]])
    return found


def reading(kind: str) -> Operation | None:
    """
    Return the operation that reads one resource of a type, ``None`` where there is none.

    :param kind: The type, such as ``campaign-message``.
    """
    paths = {f"/api/{kind}s/{{id}}", f"/api/{kind.removesuffix('y')}ies/{{id}}"}
    return next((each for each in operations().values() if each.method == "GET" and each.path in paths), None)


def _folder() -> Path:
    spec = find_spec("openapi_client")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "api"


def _operation(identity: str, serialize: str, method: str) -> Operation:
    call = CALL.search(serialize)
    assert call is not None, identity
    body = BODY.search(serialize)
    answers = {int(status): name or None for status, name in ANSWER.findall(method)}
    params, form = frozenset(PARAM.findall(serialize)), frozenset(FORM.findall(serialize))
    return Operation(identity, call[1], call[2], body and _annotated(body[1], method), answers, params, form, method)


def _annotated(argument: str, method: str) -> str:
    """Return the type of an argument, as the method's signature has it."""
    annotation = re.search(rf"\n        {argument}: (?:Annotated\[)?(\w+)", method)
    assert annotation is not None, argument
    return annotation[1]

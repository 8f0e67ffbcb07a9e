# SPDX-License-Identifier: Apache-2.0
"""What a template renders to is text; a field has a type. And what is about people is not shown."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

NOTHING = "None"
"""What Jinja makes of a value that is not there."""


def coerce(value: Any, hint: Any, *, where: str) -> Any:
    """
    Bring a rendered value to its declared type.

    ``'False'`` is false, ``'10'`` is 10, and JSON text becomes a list or an object. ``'None'``, which is how Jinja writes what is
    not there, is ``None`` where the field may be.

    :param value: What the template rendered to, or what was given.
    :param hint: The declared type.
    :param where: Operator, task and field, for the message.
    :raises KlaviyoConfigError: It is not of that type; the message never holds the value.
    """
    from pydantic import ValidationError

    adapter = _adapter(hint)
    if isinstance(value, str) and value == NOTHING:
        with suppress(ValidationError):
            return adapter.validate_python(None)
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        problem = error
    for candidate in _parsed(value):
        with suppress(ValidationError):
            return adapter.validate_python(candidate)
    raise KlaviyoConfigError(f"{where} must be {_readable(hint)}, {_shape(value)} is not{_place(problem)}") from None


@cache
def _adapter(hint: Any) -> TypeAdapter[Any]:
    """Build the check of a type, once a process and not before the first value."""
    from pydantic import ConfigDict, PydanticUserError, TypeAdapter

    try:
        return TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True, coerce_numbers_to_str=True))
    except PydanticUserError:  # a type that brings its own configuration
        return TypeAdapter(hint)


def _parsed(value: Any) -> Iterator[Any]:
    """Read text as JSON, and as Python writes it, because that is how Jinja writes a list."""
    if isinstance(value, str):
        for read in (json.loads, ast.literal_eval):
            try:
                yield read(value.strip())
            except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
                continue


def _readable(hint: Any) -> str:
    plain = getattr(hint, "__origin__", hint) if hasattr(hint, "__metadata__") else hint
    name = plain.__name__ if isinstance(plain, type) and not hasattr(plain, "__args__") else str(plain)
    return name.replace("typing.", "").replace("collections.abc.", "")


def _shape(value: Any) -> str:
    return f"a text of {len(value)} characters" if isinstance(value, str) else f"a {type(value).__name__}"


def _place(problem: Any) -> str:
    """Say where in a list the first fault lies; keys of objects are left out, for they may be personal."""
    numbers = [str(part) for part in problem.errors(include_input=False, include_url=False)[0]["loc"] if isinstance(part, int)]
    return f" (at position {'.'.join(numbers)})" if numbers else ""


class HiddenMapping(Mapping[str, Any]):
    """A mapping about people: it works as any other, and shows only its size."""

    def __init__(self, value: Mapping[str, Any]) -> None:
        self._value = value

    def __getitem__(self, key: str) -> Any:
        return self._value[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._value)

    def __len__(self) -> int:
        return len(self._value)

    def __repr__(self) -> str:
        return f"<{len(self)} fields, not shown>"

    serialize = __repr__  # what Airflow stores as the rendered field


class HiddenSequence(Sequence[Any]):
    """A sequence about people: it works as any other, and shows only its size."""

    def __init__(self, value: Sequence[Any]) -> None:
        self._value = value

    def __getitem__(self, index: Any) -> Any:
        return self._value[index]

    def __len__(self) -> int:
        return len(self._value)

    def __repr__(self) -> str:
        return f"<{len(self)} items, not shown>"

    serialize = __repr__  # what Airflow stores as the rendered field


def hide(value: Any) -> Any:
    """Wrap a mapping or a sequence so that it does not show itself; anything else is returned as it is."""
    match value:
        case HiddenMapping() | HiddenSequence() | str():
            return value
        case Mapping():
            return HiddenMapping(value)
        case Sequence():
            return HiddenSequence(value)
    return value

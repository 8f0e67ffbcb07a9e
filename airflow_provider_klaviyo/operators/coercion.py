# SPDX-License-Identifier: Apache-2.0
"""What a template renders to is text; a field has a type."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

NOTHING = "None"
"""What Jinja makes of a value that is not there."""


def cleared(template: Any, rendered: Any) -> Any:
    """
    Return what a template rendered to, with ``None`` wherever in it a template found nothing.

    :param template: The value before rendering. A ``'None'`` that somebody wrote without a template stays.
    :param rendered: The value after it.
    """
    match template, rendered:
        case str(), "None" if "{{" in template or "{%" in template:
            return None
        case dict(), dict():
            return {key: cleared(template.get(key), value) for key, value in rendered.items()}
        case (list(), list()) | (tuple(), tuple()) if len(template) == len(rendered):
            return type(rendered)(map(cleared, template, rendered))
    return rendered


def is_text(hint: Any) -> bool:
    """
    Say whether all that a type holds is text.

    :param hint: The type: ``str``, a choice of texts, or a list or an object of such; ``None`` may be among them.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return is_text(hint.__origin__)
    if origin is Literal:
        return all(isinstance(each, str) for each in arguments)
    if origin in {Union, UnionType} or _is_container(hint):
        return bool(arguments) and all(each in {NoneType, ...} or is_text(each) for each in arguments)
    return hint is str


def coerce(value: Any, hint: Any, *, where: str) -> Any:
    """
    Bring a rendered value to its declared type.

    ``'False'`` is false, ``'10'`` is 10, and JSON text becomes a list or an object, also where the field may be text.
    ``''`` is ``None`` where the field may be that and no text. A boolean is no number, and a number is no time.

    :param value: What the template rendered to, or what was given.
    :param hint: The declared type.
    :param where: Operator, task and field, for the message.
    :raises KlaviyoConfigError: It is not of that type; the message never holds the value.
    """
    from pydantic import ValidationError

    adapter = _adapter(hint)
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

    strict = _strict(hint)
    try:
        return TypeAdapter(strict, config=ConfigDict(arbitrary_types_allowed=True, coerce_numbers_to_str=True))
    except PydanticUserError:  # a type that brings its own configuration
        return TypeAdapter(strict)


def _strict(hint: Any) -> Any:
    """Return a type whose numbers are no booleans, whose times are no numbers, and whose text is no list that was written out."""
    from pydantic import BeforeValidator, WrapValidator

    origin, arguments = get_origin(hint), get_args(hint)
    if hint in {int, float, Decimal, timedelta}:
        return Annotated[hint, BeforeValidator(_no_boolean)]
    if hint in {datetime, date}:
        return Annotated[hint, BeforeValidator(_no_number(hint))]
    if origin is Annotated:
        return Annotated[(_strict(hint.__origin__), *hint.__metadata__)]
    if origin in {Union, UnionType}:
        union: Any = Union[tuple(map(_strict, arguments))]  # noqa: UP007 - made at run time
        choice = str in arguments and any(_is_container(each) for each in arguments)
        return Annotated[union, WrapValidator(_opened)] if choice else union
    if _is_container(hint) and arguments:
        return origin[tuple(each if each is ... else _strict(each) for each in arguments)]
    return hint


def _is_container(hint: Any) -> bool:
    origin = get_origin(hint) or hint
    return isinstance(origin, type) and issubclass(origin, (Mapping, Sequence, set, frozenset)) and not issubclass(origin, (str, bytes))


def _no_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("a boolean is no number")  # noqa: TRY004 - pydantic's way to refuse
    return value


def _no_number(kind: type[date]) -> Any:
    """Return a check that takes a kind of time itself and its ISO 8601 text: a number would be seconds since 1970."""

    def check(value: Any) -> Any:
        if isinstance(value, str):
            return kind.fromisoformat(value.strip())
        if isinstance(value, date):
            return value
        raise ValueError("a number is no time")

    return check


def _opened(value: Any, handler: Any) -> Any:
    """Check a list or an object that was written out as such, before it is taken for a text."""
    from pydantic import ValidationError

    if isinstance(value, str) and value.lstrip()[:1] in {"[", "(", "{"}:
        for candidate in _parsed(value):
            with suppress(ValidationError):
                return handler(candidate)
    return handler(value)


def _parsed(value: Any) -> Iterator[Any]:
    """Read text as JSON, and as Python writes it, because that is how Jinja writes a list. No text is nothing."""
    if not isinstance(value, str):
        return
    if not value.strip():
        yield None
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
    match value:
        case None:
            return "nothing"
        case str():
            return f"a text of {len(value)} characters"
    return f"a {type(value).__name__}"


def _place(problem: Any) -> str:
    """Say where in a list the first fault lies; keys of objects are left out, for they may be personal."""
    numbers = [str(part) for part in problem.errors(include_input=False, include_url=False)[0]["loc"] if isinstance(part, int)]
    return f" (at position {'.'.join(numbers)})" if numbers else ""

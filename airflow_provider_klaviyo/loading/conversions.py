# SPDX-License-Identifier: Apache-2.0
"""How a mapping names what is done to its values: a converter, several in a row, a function of the user's own, a default."""

from __future__ import annotations

import pkgutil
import re
from dataclasses import dataclass
from functools import partial
from typing import Any

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.loading.converters import SIMPLE, WITH_ARGUMENT, Convert
from airflow_provider_klaviyo.loading.phones import known_region

UNCONVERTIBLE = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RecursionError)
"""What a converter, also one of the user's own, raises for a value it does not expect."""

DEFAULT = "default"
PHONE = "e164"
CONVERTERS = (*SIMPLE, *WITH_ARGUMENT, DEFAULT)
"""The names of the converters."""
PIPE = re.compile(r"(?<!\\)\|")
DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)+")


class Absent:
    """There is nothing, not even a null."""


ABSENT = Absent()


@dataclass(frozen=True, slots=True)
class Conversion:
    """
    What a mapping does to the values of its column.

    :param run: The function, or nothing where they stay as they are.
    :param named: Whether a converter of ours comes first, to which a blank text is no value.
    :param default: What stands for a null, or ``ABSENT``.
    :param title: What it is called in messages.
    """

    run: Convert | None = None
    named: bool = False
    default: Any = ABSENT
    title: str = ""


def check_conversion(convert: str | Convert | None) -> bool:
    """
    Check what a mapping says of a conversion, without importing what it names.

    :param convert: As of :func:`conversion`.
    :return: Whether it has a default.
    :raises KlaviyoConfigError: There is no such converter, or its argument is none.
    """
    if convert is None or callable(convert):
        return False
    if not isinstance(convert, str):
        raise KlaviyoConfigError(f"a convert_function is a name or a callable, not a {type(convert).__name__}")
    pieces = _pieces(convert)
    ours = [(name, argument) for name, argument in pieces if argument or not DOTTED.fullmatch(name)]
    if len(ours) == len(pieces):
        _chain(pieces, convert)
    for name, argument in ours:
        if name != DEFAULT:
            _step(name, argument)
    return DEFAULT in dict(ours)


def conversion(convert: str | Convert | None, region: str | None = None) -> Conversion:
    """
    Make what a mapping says ready to run.

    :param convert: A callable; or text: the name of a converter, with an argument behind a colon where it takes one, the dotted path of
        a callable, or several of them with ``|`` between; or nothing.
    :param region: ISO 3166 code of the country that ``e164`` takes where it names none.
    :raises KlaviyoConfigError: There is no such converter or callable, or its argument is none.
    """
    if convert is None:
        return Conversion()
    if callable(convert):
        return Conversion(convert, title=getattr(convert, "__qualname__", type(convert).__name__))
    pieces = [(name, known_region(argument or region) or "") if name == PHONE else (name, argument) for name, argument in _pieces(convert)]
    return _chain(pieces, convert)


def converter(convert: str | Convert | None) -> Convert | None:
    """
    Return the function that converts a value.

    :param convert: As of :func:`conversion`.
    :raises KlaviyoConfigError: There is no such converter or callable, or its argument is none.
    """
    return conversion(convert).run


def _pieces(convert: str) -> list[tuple[str, str]]:
    r"""Cut ``strip|split:;`` into names and their arguments; ``\|`` is a pipe within an argument."""
    pieces = []
    for piece in PIPE.split(convert):
        name, _, argument = piece.replace("\\|", "|").partition(":")
        pieces.append((name.strip(), argument))
    return pieces


def _chain(pieces: list[tuple[str, str]], title: str) -> Conversion:
    steps: list[Convert] = []
    default: Any = ABSENT
    for name, argument in pieces:
        if name != DEFAULT:
            step = _step(name, argument)
            steps.append(step)
            default = default if default is ABSENT else _through(step, default, title)
        elif not argument or default is not ABSENT:
            raise KlaviyoConfigError(f"{title!r}: default needs a text behind its colon, and stands there once")
        else:
            default = argument
    run = None if not steps else steps[0] if len(steps) == 1 else partial(_run, tuple(steps))
    return Conversion(run, named=not DOTTED.fullmatch(pieces[0][0]), default=default, title=title)


def _step(name: str, argument: str) -> Convert:
    """Find a converter by its name, or the callable a dotted path leads to."""
    if name in WITH_ARGUMENT:
        return WITH_ARGUMENT[name](argument)
    if name in SIMPLE:
        if argument:
            raise KlaviyoConfigError(f"{name} takes no argument, and {argument!r} stands behind its colon")
        return SIMPLE[name]
    if DOTTED.fullmatch(name) and not argument:
        return _imported(name)
    message = (
        f"There is no converter {name!r}: take one of {', '.join(sorted(CONVERTERS))}, the dotted path of a callable, or a callable."
        " A | that is no sign between two converters is written \\|."
    )
    raise KlaviyoConfigError(message)


def _imported(path: str) -> Convert:
    try:
        found = pkgutil.resolve_name(path)
    except (ImportError, AttributeError) as error:
        raise KlaviyoConfigError(f"convert_function: {path} cannot be imported ({type(error).__name__}: {error})") from error
    if not callable(found):
        raise KlaviyoConfigError(f"convert_function: {path} is a {type(found).__name__}, not a callable")
    return found  # type: ignore[no-any-return]


def _run(steps: tuple[Convert, ...], value: Any) -> Any:
    for step in steps:
        if value is None:
            break
        value = step(value)
    return value


def _through(step: Convert, default: Any, title: str) -> Any:
    try:
        return step(default)
    except UNCONVERTIBLE:
        raise KlaviyoConfigError(f"{title!r}: the default does not go through what stands behind it") from None

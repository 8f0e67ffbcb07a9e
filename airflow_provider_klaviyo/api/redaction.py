# SPDX-License-Identifier: Apache-2.0
"""Take people and secrets out of sentences from outside: Klaviyo's errors quote what was sent."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from itertools import pairwise
from json.encoder import encode_basestring_ascii
from typing import Any

from airflow_provider_klaviyo.api.request import Request

PERSONAL = re.compile(r"[^\s'\"<>]+@[^\s'\"<>]+|(?<!\d)(?<!\d-)(?!\d{4}-\d{2}-\d{2})\+?\d[\d\s().-]{5,}\d|pk_\w+|shp\w{2}_\w+")
QUOTED = re.compile(r"""(["'])((?:(?!\1)[^\\]|\\.)*)\1""")
TELLING = 4
"""Characters from which on a value is hidden where it stands without quotes, too."""
STRUCTURE = frozenset({"additional-fields", "fields", "include", "page", "sort"})
"""Parameters of a query that name no values."""


def redacted(sentence: str, values: Collection[str] = ()) -> str:
    """
    Take people and secrets out of a sentence.

    :param sentence: Text from outside, such as an error's detail.
    :param values: Values that were sent: they go where the sentence quotes them, and longer ones wherever they stand as words.
    """
    found = {form for value in values for form in (value, encode_basestring_ascii(value)[1:-1]) if form and form in sentence}
    if found:
        forms = sorted(found, key=len, reverse=True)
        quoted, bare = ("|".join(re.escape(form) for form in forms if len(form) >= least) for least in (1, TELLING))
        sentence = re.sub(rf"""(['"`])(?:{quoted})\1""" + (rf"|(?<!\w)(?:{bare})(?!\w)" if bare else ""), "<value>", sentence)
    return PERSONAL.sub("<value>", sentence)[:500]


def leaves(value: Any) -> Iterator[str]:
    """Yield the texts and numbers in JSON, as text: the values for :func:`redacted`."""
    match value:
        case str():
            yield value
        case int() | float() if not isinstance(value, bool):
            yield str(value)
        case dict():
            resource = "attributes" in value or "id" in value  # its type is Klaviyo's word
            for name, each in value.items():
                if not (resource and name == "type"):
                    yield from leaves(each)
        case list() | tuple():
            for each in value:
                yield from leaves(each)


class Sent:
    """
    What a request held.

    :param request: The request.
    """

    def __init__(self, request: Request[Any]) -> None:
        self._request = request

    def values(self, pointer: str = "") -> Collection[str]:
        """
        Return the values that a sentence about a place may quote.

        :param pointer: JSON pointer to the place. Of rows by the thousand, only the one that it leads to or into is looked at.
        """
        steps = pairwise(_along(self._body, _parts(pointer)))
        row = next((here for above, here in steps if isinstance(above, list) and isinstance(here, dict) and "attributes" in here), None)
        return self._all if row is None else {*leaves(row), *self._beside}

    def shape(self, pointer: str) -> str:
        """Describe what stands at a JSON pointer without showing it, or return ``""`` where nothing does."""
        parts = _parts(pointer)
        way = _along(self._body, parts)
        return _shape(way[-1]) if parts and len(way) > len(parts) else ""

    @cached_property
    def _body(self) -> Any:
        if self._request.body is None:
            return self._request.json
        try:
            return json.loads(gzip.decompress(self._request.body))
        except (OSError, EOFError, ValueError):
            return None

    @cached_property
    def _all(self) -> Collection[str]:
        return {*leaves(self._body), *self._beside}

    @cached_property
    def _beside(self) -> Collection[str]:
        """What was sent beside JSON."""
        sent = self._request
        names = [file.name for file in (sent.files or {}).values()]
        return {*_asked(sent.params), *(sent.form or {}).values(), *names, *sent.headers.values()}


def _asked(params: Mapping[str, str | int]) -> Iterator[str]:
    """Yield the values in a query, and what a filter among them quotes."""
    for name, value in params.items():
        if name.partition("[")[0] not in STRUCTURE:
            yield str(value)
            yield from (re.sub(r"\\(.)", r"\1", inner) for _, inner in QUOTED.findall(str(value)))


def _parts(pointer: str) -> list[str]:
    inner = pointer.strip("/")
    return [part.replace("~1", "/").replace("~0", "~") for part in inner.split("/")] if inner else []


def _along(body: Any, parts: list[str]) -> list[Any]:
    """Return what stands on the way of a JSON pointer, the body first, as far as there is anything."""
    way = [body]
    for part in parts:
        try:
            way.append(way[-1][int(part)] if isinstance(way[-1], list) else way[-1][part])
        except (LookupError, ValueError, TypeError):
            break
    return way


def _shape(value: Any) -> str:
    match value:
        case str():
            return f"a text of {len(value)} characters{' with an @' if '@' in value else ''}"
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case list():
            return f"a list of {len(value)}"
    return "an object"

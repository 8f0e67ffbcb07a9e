# SPDX-License-Identifier: Apache-2.0
"""What docstrings say of an operator's parameters and result, its bases' docstrings included."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

FIELD = re.compile(r"^:(param \w+|return)s?:", re.MULTILINE)


def fields(operator: type) -> Iterator[str]:
    """Return the fields of an operator's docstring and those it inherits, in the signature's order; its own word counts."""
    told: dict[str, str] = {}
    for each in operator.__mro__:
        if each.__module__.startswith("airflow_provider_klaviyo."):
            told = split(inspect.cleandoc(each.__doc__ or ""))[1] | told
    for name in (*(f"param {each}" for each in inspect.signature(operator).parameters), "return"):
        if name in told:
            yield told[name]


def split(docstring: str) -> tuple[str, dict[str, str]]:
    """Part a docstring's prose from its fields, each of which reaches to the next."""
    starts = [*FIELD.finditer(docstring)]
    ends = [each.start() for each in starts] + [len(docstring)]
    return docstring[: ends[0]], {start[1]: docstring[start.start() : end].rstrip() for start, end in zip(starts, ends[1:], strict=True)}

# SPDX-License-Identifier: Apache-2.0
"""What a message says of names that are wrong: those that are nearly right, and those of which a database changed the case."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

MOST_NAMED = 50
"""Names that a message lists."""


def listed(names: Iterable[object]) -> str:
    """List names, not more than can be read."""
    every = [str(name) for name in names]
    more = f" and {len(every) - MOST_NAMED} more" if len(every) > MOST_NAMED else ""
    return f"{', '.join(every[:MOST_NAMED])}{more}"


def in_other_case(name: str, known: Iterable[object]) -> str | None:
    """Return the known name that differs from a name in capital and small letters alone."""
    return next((str(each) for each in known if str(each) != name and str(each).lower() == name.lower()), None)


def about_case(wanted: str, written: str) -> str:
    """
    Say what to do where a column has the name that is wanted, in other letters.

    :param wanted: The name.
    :param written: The column's.
    """
    return (
        f" The source has it as {written!r}: databases write names that are not quoted in capitals, or all in small letters."
        f' Quote the name in the query (AS "{wanted}"), or map the column {written!r}.'
    )


def nearest(name: str, known: Iterable[str]) -> str | None:
    """
    Return the known name that was most likely meant.

    :param name: One that is unknown: ``city`` for ``location.city``, ``phone`` for ``phone_number``, ``emial`` for ``email``.
    :param known: The names there are.
    """
    small, ordered = name.lower(), sorted(known, key=lambda each: (len(each), each))
    last = small.rpartition(".")[2]
    for each in ordered:
        if each.lower() == small or each.rpartition(".")[2].lower() == last:
            return each
    for each in ordered:
        if each.rpartition(".")[2].startswith(f"{last}_"):
            return each
    return next(iter(get_close_matches(small, ordered, n=1)), None)

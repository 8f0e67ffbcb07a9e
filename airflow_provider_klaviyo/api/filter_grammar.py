# SPDX-License-Identifier: Apache-2.0
"""Klaviyo's filter language, read: ``equals(email,"sarah@example.com"),greater-than(updated,2026-01-31T00:00:00Z)``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError

T = TypeVar("T")

SINGLE = ("equals", "less-than", "less-or-equal", "greater-than", "greater-or-equal", "contains", "starts-with", "ends-with")
"""Operators that compare with one value."""
SEVERAL = ("any", "contains-any", "contains-all")
"""Operators that compare with a list of values."""
NESTING = ("and", "or", "not")
"""Operators on filters."""
OPERATORS = (*SINGLE, *SEVERAL, "has", *NESTING)
DEEPEST = 10
"""Levels of :data:`NESTING`."""

FIELD = re.compile(r"[A-Za-z_$][\w$-]*(?:[. ][\w$-]+)*", re.ASCII)
"""The form of a field's name; reports know a ``Campaign Name``."""

TEXT = re.compile(r"""\"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""", re.DOTALL)
BARE = re.compile(r"""[^(),\[\]"']+""")


@dataclass(frozen=True, slots=True)
class Word:
    """
    A value as it stands in a filter.

    :param text: The value, quotes and escapes taken away.
    :param quoted: Whether it stood in quotes.
    """

    text: str
    quoted: bool


@dataclass(frozen=True, slots=True)
class Term:
    """
    One comparison.

    :param operator: Its name, such as ``equals``.
    :param field: What is compared.
    :param words: What it is compared with: one value, several for :data:`SEVERAL`, none for ``has``.
    """

    operator: str
    field: str
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """
    Filters made into one.

    :param operator: One of :data:`NESTING`.
    :param members: The filters: one for ``not``.
    """

    operator: str
    members: tuple[Filter, ...]


Filter = Term | Group


def parse(text: str) -> tuple[Filter, ...]:
    """
    Read filters that commas join.

    :param text: Klaviyo's filter.
    :raises KlaviyoConfigError: It is none. The message says where the fault lies, and quotes nothing.
    """
    return _Reader(text).read()


def terms(text: str) -> Iterator[Term]:
    """
    Read the comparisons of a filter, however they are nested.

    :param text: Klaviyo's filter.
    :raises KlaviyoConfigError: It is none.
    """
    return _flat(parse(text), NESTING)


def conditions(text: str) -> Iterator[Term]:
    """
    Read the filter of a list or a report: all that it says has to hold.

    :param text: Klaviyo's filter.
    :raises KlaviyoConfigError: It is none, or has ``or`` or ``not`` in it.
    """
    return _flat(parse(text), ("and",))


def _flat(filters: Iterable[Filter], nesting: Collection[str]) -> Iterator[Term]:
    for each in filters:
        if isinstance(each, Term):
            yield each
        elif each.operator in nesting:
            yield from _flat(each.members, nesting)
        else:
            raise KlaviyoConfigError(
                f"it takes no {each.operator}(...), only filters that all hold: compare with several values, or read it twice"
            )


class _Reader:
    """A filter, and how far it is read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def read(self) -> tuple[Filter, ...]:
        """Read it to its end."""
        found = self._several(lambda: self._filter(0))
        if self.at < len(self.text):
            raise self._fault("expected a comma or the end")
        return found

    def _filter(self, depth: int) -> Filter:
        start = self.at
        operator = self._bare()
        if operator not in OPERATORS:
            raise self._fault(f"expected one of {', '.join(OPERATORS)}", start)
        if depth > DEEPEST:
            raise self._fault(f"nested deeper than {DEEPEST} levels", start)
        self._expect("(")
        found = self._group(operator, depth) if operator in NESTING else self._term(operator)
        self._expect(")")
        return found

    def _group(self, operator: str, depth: int) -> Group:
        start = self.at
        members = self._several(lambda: self._filter(depth + 1))
        if operator == "not" and len(members) > 1:
            raise self._fault("not(...) takes one filter", start)
        return Group(operator, members)

    def _term(self, operator: str) -> Term:
        start = self.at
        field = self._bare()
        if not FIELD.fullmatch(field):
            raise self._fault("expected the name of a field", start)
        if operator == "has":
            return Term(operator, field)
        self._expect(",")
        if operator in SINGLE:
            return Term(operator, field, (self._word(),))
        self._expect("[")
        words = self._several(self._word)
        self._expect("]")
        return Term(operator, field, words)

    def _several(self, one: Callable[[], T]) -> tuple[T, ...]:
        """Read things that commas divide, at least one."""
        found = [one()]
        while self._take(","):
            found.append(one())
        return tuple(found)

    def _word(self) -> Word:
        self._skip()
        quoted = TEXT.match(self.text, self.at)
        if quoted is None:
            start, bare = self.at, self._bare()
            if not bare:
                open_ = self.text.startswith(('"', "'"), start)
                raise self._fault("the quotes do not close" if open_ else "expected a value; a text stands between quotes", start)
            return Word(bare, quoted=False)
        word = Word(self._unquoted(quoted[0]), quoted=True)
        self.at = quoted.end()
        self._skip()
        return word

    def _unquoted(self, text: str) -> str:
        if text.startswith("'"):
            return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
        try:
            return str(json.loads(text, strict=False))
        except ValueError:
            raise self._fault(r"a text between double quotes is written as in JSON: \\ for a backslash, \" for a quote") from None

    def _bare(self) -> str:
        """Read what stands without quotes, ``""`` for nothing."""
        found = BARE.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return found[0].strip() if found else ""

    def _take(self, mark: str) -> bool:
        here = self.text.startswith(mark, self.at)
        self.at += here
        if here:
            self._skip()
        return here

    def _expect(self, mark: str) -> None:
        if not self._take(mark):
            raise self._fault(f"expected {mark}")

    def _skip(self) -> None:
        while self.text[self.at : self.at + 1].isspace():
            self.at += 1

    def _fault(self, what: str, at: int | None = None) -> KlaviyoConfigError:
        return KlaviyoConfigError(f"the filter cannot be read at character {(self.at if at is None else at) + 1}: {what}")

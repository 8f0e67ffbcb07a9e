# SPDX-License-Identifier: Apache-2.0
"""Klaviyo's filter language: ``equals(email,"a@b.c"),greater-than(updated,2026-01-01T00:00:00Z)``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_klaviyo.sandbox.klaviyo.problems import Refused, invalid

COMPARISONS = {"greater-than": ">", "greater-or-equal": ">=", "less-than": "<", "less-or-equal": "<=", "equals": "="}
TOKEN = re.compile(r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<mark>[(),\[\]])|(?P<bare>[^\s(),\[\]"']+))""")


@dataclass(frozen=True, slots=True)
class Term:
    """
    One comparison.

    :param operator: ``equals``, ``any``, ...
    :param field: The name as in the filter.
    :param value: A text, number, boolean or ``None``; a list for ``any``; the operator ``has`` has none.
    :param quoted: Whether the value stood in quotes.
    """

    operator: str
    field: str
    value: Any = None
    quoted: bool = False


def parse(text: str) -> list[Term]:
    """
    Read a filter.

    :param text: The parameter, unquoted.
    :raises Refused: It is not one.
    """
    if not text:
        return []
    tokens = _Tokens(text)
    terms = [_term(tokens)]
    while tokens.take(","):
        terms.append(_term(tokens))
    tokens.end()
    return terms


def allow(terms: list[Term], allowed: Mapping[str, tuple[str, ...]]) -> list[Term]:
    """
    Refuse what an operation does not filter by.

    :param terms: The filter.
    :param allowed: The operators of each field.
    :raises Refused: As recorded, with ``source.parameter``.
    """
    for term in terms:
        if term.field not in allowed:
            known = ", ".join(allowed) or "none"
            raise _refusal(f"'{term.field}' is not a filterable field.  Allowed fields are {known}")
        if term.operator not in allowed[term.field]:
            operators = ", ".join(allowed[term.field])
            raise _refusal(f"'{term.operator}' is not an allowed filter operator for {term.field}.  Allowed operators are {operators}")
    return terms


def moment(term: Term) -> datetime:
    """
    Read a term's value as a moment.

    :raises Refused: It stands in quotes, is no ISO 8601 date and time, or has no time zone.
    """
    try:
        if term.quoted:
            raise ValueError
        value = datetime.fromisoformat(str(term.value))
        if value.tzinfo is None:
            raise ValueError
    except ValueError:
        raise _refusal(f"{term.field} must be compared with an unquoted ISO 8601 datetime with a time zone") from None
    return value


def text(term: Term) -> list[str]:
    """
    Read a term's value as texts, one or (``any``) several.

    :raises Refused: It does not stand in quotes.
    """
    values = term.value if term.operator == "any" else [term.value]
    if not term.quoted or not isinstance(values, list):
        raise _refusal(f"{term.field} must be compared with a quoted string")
    return values


def number(term: Term) -> float:
    """
    Read a term's value as a number.

    :raises Refused: It is none.
    """
    try:
        if term.quoted:
            raise ValueError
        return float(term.value)
    except (TypeError, ValueError):
        raise _refusal(f"{term.field} must be compared with a number") from None


class _Tokens:
    """The words of a filter, one after the other."""

    def __init__(self, text: str) -> None:
        self.words = list(_words(text))
        self.at = 0

    def take(self, mark: str) -> bool:
        """Step over a mark if it stands here."""
        here = self.at < len(self.words) and self.words[self.at] == ("mark", mark)
        self.at += here
        return here

    def expect(self, mark: str) -> None:
        """Step over a mark that has to stand here."""
        if not self.take(mark):
            raise _refusal(f"Expected '{mark}' in filter")

    def word(self, *kinds: str) -> tuple[str, str]:
        """Step over a word of one of these kinds and return it."""
        if self.at >= len(self.words) or self.words[self.at][0] not in kinds:
            raise _refusal("Invalid filter provided")
        self.at += 1
        return self.words[self.at - 1]

    def end(self) -> None:
        """Refuse anything that follows."""
        if self.at < len(self.words):
            raise _refusal("Invalid filter provided")


def _words(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    text = text.rstrip()
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise _refusal("Invalid filter provided")
        yield match.lastgroup, match.group(match.lastgroup)
        at = match.end()


def _term(tokens: _Tokens) -> Term:
    _, operator = tokens.word("bare")
    tokens.expect("(")
    _, name = tokens.word("bare")
    if operator == "has":
        tokens.expect(")")
        return Term(operator, name)
    tokens.expect(",")
    if operator == "any":
        tokens.expect("[")
        items = [tokens.word("text", "bare")]
        while tokens.take(","):
            items.append(tokens.word("text", "bare"))
        tokens.expect("]")
        value: Any = [_plain(*item) for item in items]
        quoted = all(kind == "text" for kind, _ in items)
    else:
        kind, word = tokens.word("text", "bare")
        value, quoted = _plain(kind, word), kind == "text"
    tokens.expect(")")
    return Term(operator, name, value, quoted)


def _plain(kind: str, word: str) -> Any:
    if kind == "bare":
        return {"true": True, "false": False, "null": None}.get(word, word)
    if word.startswith("'"):
        return re.sub(r"\\(.)", r"\1", word[1:-1])
    try:
        return json.loads(word, strict=False)
    except ValueError:
        raise _refusal("Invalid filter provided") from None


def _refusal(detail: str) -> Refused:
    return invalid(detail, parameter="filter")

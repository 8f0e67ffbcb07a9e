# SPDX-License-Identifier: Apache-2.0
"""Klaviyo's filter language: ``equals(email,"a@b.c"),greater-than(updated,2026-01-01T00:00:00Z)``."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_klaviyo.api.limits import Operation
from airflow_provider_klaviyo.sandbox.klaviyo.filter_tokens import Tokens, Word, refusal
from airflow_provider_klaviyo.sandbox.klaviyo.problems import Refused, invalid

COMPARISONS = {"greater-than": ">", "greater-or-equal": ">=", "less-than": "<", "less-or-equal": "<=", "equals": "="}
HOLDS: Mapping[str, Callable[[Any, Any], bool]] = {
    "greater-than": operator.gt,
    "greater-or-equal": operator.ge,
    "less-than": operator.lt,
    "less-or-equal": operator.le,
    "contains": operator.contains,
    "starts-with": str.startswith,
    "ends-with": str.endswith,
}
LISTED = frozenset({"any", "contains-any", "contains-all"})
NESTED = frozenset({"and", "or", "not"})
KNOWN = frozenset({"equals", "has", *HOLDS, *LISTED, *NESTED})
DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Term:
    """
    One comparison.

    :param operator: ``equals``, ``any``, ...
    :param field: The name as in the filter.
    :param words: The values: one, none for ``has``, several for :data:`LISTED`.
    """

    operator: str
    field: str
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """
    Conditions that are one.

    :param operator: ``and``, ``or``, ``not``.
    :param members: The conditions, one for ``not``.
    """

    operator: str
    members: tuple[Condition, ...]


Condition = Term | Group


def parse(text: str) -> list[Term]:
    """
    Read the filter of a list: all of its terms have to hold.

    :param text: The parameter, unquoted.
    :raises Refused: It is not one, or nests by ``or`` or ``not``.
    """
    return list(_flat(_conditions(text))) if text else []


def nested(text: str, pointer: str) -> list[Condition]:
    """
    Read a filter in a body, which may nest.

    :param text: The filter.
    :param pointer: Where it stands.
    :raises Refused: It is not one.
    """
    with inside(pointer):
        return _conditions(text)


@contextmanager
def inside(pointer: str) -> Iterator[None]:
    """Let what is refused of a filter point into the body in which it stands."""
    try:
        yield
    except Refused as refused:
        raise invalid(refused.problems[0].detail, pointer) from None


def allow(terms: list[Term], operation: Operation) -> list[Term]:
    """
    Refuse what an operation does not filter by.

    :param terms: The filter.
    :param operation: What is asked for.
    :raises Refused: As recorded, with ``source.parameter``.
    """
    for term in terms:
        if term.field not in operation.filters:
            known = ", ".join(sorted(operation.filters))
            detail = f"'{term.field}' is not a filterable field for this resource. The filterable fields on this resource are: {known}"
            raise refusal(detail)
        allowed = operation.filters[term.field]
        if term.operator not in allowed:
            operators = ", ".join(allowed)
            raise refusal(f"'{term.operator}' is not an allowed filter operator for {term.field}.  Allowed operators are {operators}")
        read = READERS[operation.filter_types.get(term.field, "string")]
        values = [] if term.operator == "has" else read(term)
        choices = operation.filter_words.get(term.field, values)
        if not all(each in choices for each in values):
            raise refusal(f"Invalid value for {term.field}.  Allowed values are {', '.join(choices)}")
    return terms


def matches(term: Term, value: Any) -> bool:
    """
    Tell whether a term holds for a value.

    :param term: The comparison.
    :param value: What an object has: a text, number, boolean, aware ``datetime``, a list of one of them, or ``None`` for nothing.
    :raises Refused: It cannot be compared with that.
    """
    if term.operator == "has" or value is None:
        return value is not None
    several = value if isinstance(value, list) else [value]
    if not several:
        return False
    wanted = _reader(several)(term)
    match term.operator:
        case "equals" | "any" | "contains-any":
            return any(each in several for each in wanted)
        case "contains-all":
            return all(each in several for each in wanted)
    return any(HOLDS[term.operator](each, wanted[0]) for each in several)


def holds(condition: Condition, value: Callable[[str], Any]) -> bool:
    """
    Tell whether a condition holds for an object.

    :param condition: A term, or several that are one.
    :param value: Returns what the object has under a field's name, as :func:`matches` takes it.
    :raises Refused: A term cannot be compared with that.
    """
    if isinstance(condition, Term):
        return matches(condition, value(condition.field))
    found = [holds(each, value) for each in condition.members]
    return {"and": all(found), "or": any(found), "not": not found[0]}[condition.operator]


def moments(term: Term) -> list[datetime]:
    """
    Read a term's values as moments.

    :raises Refused: One stands in quotes, is no ISO 8601 date and time, or has no time zone.
    """
    try:
        values = [datetime.fromisoformat(each) for each in _bare(term)]
        if any(each.tzinfo is None for each in values):
            raise ValueError
    except ValueError:
        raise refusal(f"{term.field} must be compared with an unquoted ISO 8601 datetime with a time zone") from None
    return values


def moment(term: Term) -> datetime:
    """Read a term's value as a moment, as :func:`moments` does."""
    return moments(term)[0]


def text(term: Term) -> list[str]:
    """
    Read a term's values as texts, one or (:data:`LISTED`) several.

    :raises Refused: One does not stand in quotes.
    """
    if not all(each.quoted for each in term.words):
        raise refusal(f"{term.field} must be compared with a quoted string")
    return [each.text for each in term.words]


def numbers(term: Term) -> list[float]:
    """
    Read a term's values as numbers.

    :raises Refused: One is none.
    """
    try:
        return [float(each) for each in _bare(term)]
    except ValueError:
        raise refusal(f"{term.field} must be compared with a number") from None


def number(term: Term) -> float:
    """Read a term's value as a number, as :func:`numbers` does."""
    return numbers(term)[0]


def flags(term: Term) -> list[bool]:
    """
    Read a term's values as booleans.

    :raises Refused: One is neither ``true`` nor ``false``.
    """
    if not all(each in {Word("true", quoted=False), Word("false", quoted=False)} for each in term.words):
        raise refusal(f"{term.field} must be compared with true or false")
    return [each.text == "true" for each in term.words]


READERS: Mapping[str, Callable[[Term], list[Any]]] = {
    "string": text,
    "date-time": moments,
    "number": numbers,
    "integer": numbers,
    "boolean": flags,
}


def _reader(values: list[Any]) -> Callable[[Term], list[Any]]:
    """Return how to read what is compared with such values."""
    kinds: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "boolean"),
        (str, "string"),
        (datetime, "date-time"),
        ((int, float), "number"),
    )
    return READERS[next(name for kind, name in kinds if all(isinstance(each, kind) for each in values))]


def _bare(term: Term) -> list[str]:
    if any(each.quoted for each in term.words):
        raise ValueError
    return [each.text for each in term.words]


def _conditions(text: str) -> list[Condition]:
    tokens = Tokens(text)
    found = _several(tokens, 0)
    tokens.end()
    return found


def _several(tokens: Tokens, depth: int) -> list[Condition]:
    found = [_condition(tokens, depth)]
    while tokens.take(","):
        found.append(_condition(tokens, depth))
    return found


def _condition(tokens: Tokens, depth: int) -> Condition:
    name = tokens.name()
    if name not in KNOWN or depth > DEEPEST:
        raise refusal("Invalid filter provided")
    tokens.expect("(")
    found = _group(tokens, name, depth) if name in NESTED else _term(tokens, name)
    tokens.expect(")")
    return found


def _group(tokens: Tokens, name: str, depth: int) -> Group:
    members = _several(tokens, depth + 1)
    if name == "not" and len(members) > 1:
        raise refusal("Invalid filter provided")
    return Group(name, tuple(members))


def _term(tokens: Tokens, name: str) -> Term:
    field = tokens.name()
    if name == "has":
        return Term(name, field)
    tokens.expect(",")
    if name not in LISTED:
        return Term(name, field, (tokens.value(),))
    tokens.expect("[")
    words = [tokens.value()]
    while tokens.take(","):
        words.append(tokens.value())
    tokens.expect("]")
    return Term(name, field, tuple(words))


def _flat(conditions: Iterable[Condition]) -> Iterator[Term]:
    """Yield the terms that all have to hold; a list knows no ``or`` and no ``not``."""
    for each in conditions:
        if isinstance(each, Term):
            yield each
        elif each.operator == "and":
            yield from _flat(each.members)
        else:
            raise refusal("Invalid filter provided")

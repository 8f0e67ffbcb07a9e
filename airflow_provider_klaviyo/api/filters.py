# SPDX-License-Identifier: Apache-2.0
"""
Klaviyo's filter language, written and checked.

A filter is text, such as ``equals(email,"sarah@example.com")``. These functions write it: texts between quotes, times in UTC,
numbers and truth values bare. A value that Klaviyo has no form for, such as a time without its zone, is a
:class:`KlaviyoConfigError`; no message holds a value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.limits import Operation, Words

if TYPE_CHECKING:  # read where it is needed: every operator's import passes here
    from airflow_provider_klaviyo.api.filter_grammar import Term, Word

Value = str | bool | int | float | Decimal | datetime

MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})"
BLANK = r"([0-9]{4}-[0-9]{2}-[0-9]{2}) (?=[0-9]{2}:[0-9]{2}:[0-9]{2})"


def equals(field: str, value: Value) -> str:
    """Let a field have this value."""
    return _compare("equals", field, value)


def any_(field: str, values: Iterable[Value]) -> str:
    """Let a field have one of these values."""
    return _compare_several("any", field, values)


def contains(field: str, text: str) -> str:
    """Let a field's text hold this text."""
    return _compare("contains", field, text)


def contains_any(field: str, values: Iterable[Value]) -> str:
    """Let a field's list hold one of these values; in reports, let a field have one of them."""
    return _compare_several("contains-any", field, values)


def contains_all(field: str, values: Iterable[Value]) -> str:
    """Let a field's list hold each of these values."""
    return _compare_several("contains-all", field, values)


def starts_with(field: str, text: str) -> str:
    """Let a field's text begin with this text."""
    return _compare("starts-with", field, text)


def ends_with(field: str, text: str) -> str:
    """Let a field's text end with this text."""
    return _compare("ends-with", field, text)


def less_than(field: str, value: Value) -> str:
    """Let a field be below this number, or before this time."""
    return _compare("less-than", field, value)


def less_or_equal(field: str, value: Value) -> str:
    """Let a field be this number or below it, or this time or before it."""
    return _compare("less-or-equal", field, value)


def greater_than(field: str, value: Value) -> str:
    """Let a field be above this number, or after this time."""
    return _compare("greater-than", field, value)


def greater_or_equal(field: str, value: Value) -> str:
    """Let a field be this number or above it, or this time or after it."""
    return _compare("greater-or-equal", field, value)


def has(field: str) -> str:
    """Let a field have a value, whatever it is."""
    return f"has({_name(field)})"


def all_of(*filters: str) -> str:
    """
    Let all filters hold, joined by commas: the form for lists.

    :param filters: The filters. They are not read, so they may hold templates.
    :raises KlaviyoConfigError: There is none, or an empty one.
    """
    if not filters or not all(each.strip() for each in filters):
        raise KlaviyoConfigError("all_of joins filters, none of them empty")
    return ",".join(filters)


def and_(*filters: str) -> str:
    """
    Let all filters hold, as one filter: the form for the bodies of reports, and within :func:`or_` and :func:`not_`.

    :raises KlaviyoConfigError: There is none, or one of them is no filter.
    """
    return _nest("and", filters)


def or_(*filters: str) -> str:
    """
    Let one of the filters hold. Neither lists nor reports take it; where a list knows :func:`any_`, that does.

    :raises KlaviyoConfigError: There is none, or one of them is no filter.
    """
    return _nest("or", filters)


def not_(filter: str) -> str:  # noqa: A002 - Klaviyo's name
    """
    Let a filter not hold. Metric aggregates take it; neither lists nor reports do.

    :raises KlaviyoConfigError: It is no filter.
    """
    return f"not({_single(filter)})"


def with_t(text: str) -> str:
    """
    Write the times of a filter with a ``T``: templates such as ``{{ data_interval_start }}`` render them with a blank.

    :param text: Klaviyo's filter. What stands between quotes stays as it is.
    """
    from airflow_provider_klaviyo.api.filter_grammar import TEXT

    return re.sub(f"{TEXT.pattern}|{BLANK}", lambda found: f"{found[1]}T" if found[1] else found[0], text, flags=TEXT.flags)


def check(text: str | None, operation: Operation) -> None:
    """
    Refuse a filter that a list does not take: Klaviyo would, after the request had been counted.

    :param text: The filter, ``None`` for none.
    :param operation: The list.
    :raises KlaviyoConfigError: It is no filter; or the operation does not know the field, does not compare it so, or not with
        such a value; or there is none, and the operation answers only to one.
    """
    if text is None:
        if operation.filter_required:
            raise KlaviyoConfigError(f"{operation.id} needs a filter, by one of {', '.join(operation.filters)}")
        return
    if not operation.filters:
        raise KlaviyoConfigError(f"{operation.id} takes no filter: leave it out")
    from airflow_provider_klaviyo.api.filter_grammar import conditions

    try:
        for term in conditions(text):
            check_term(term, operation.filters, operation.filter_types, operation.filter_words)
    except KlaviyoConfigError as error:
        raise KlaviyoConfigError(f"{operation.id}: {error}") from None


def check_field(term: Term, fields: Collection[str]) -> None:
    """
    Refuse a comparison of a field that is not filtered by.

    :param term: The comparison.
    :param fields: What is filtered by.
    :raises KlaviyoConfigError: It is another field.
    """
    if term.field not in fields:
        named = term.field if re.fullmatch(r"[a-z_.]+", term.field) else "that field"  # which may be a value in its place
        raise KlaviyoConfigError(f"it does not filter by {named}, but by {', '.join(fields)}")


def check_term(term: Term, fields: Words, types: Mapping[str, str] | None = None, words: Words | None = None) -> None:
    """
    Refuse a comparison that Klaviyo would.

    :param term: The comparison.
    :param fields: The operators of each field.
    :param types: What each field is compared with, of :data:`FORMS`; ``string`` where left out.
    :param words: The values a field may be compared with, for fields that have but a few.
    :raises KlaviyoConfigError: It is another field, another operator or another kind of value.
    """
    check_field(term, fields)
    operators = fields[term.field]
    if term.operator not in operators:
        raise KlaviyoConfigError(f"{term.field} does not take {term.operator}, but {', '.join(operators)}")
    form, holds = FORMS[(types or {}).get(term.field, "string")]
    if not all(holds(word) for word in term.words):
        raise KlaviyoConfigError(f"{term.field} is compared with {form}")
    choices = (words or {}).get(term.field)
    if choices and not all(word.text in choices for word in term.words):
        raise KlaviyoConfigError(f"{term.field} is one of {', '.join(choices)}")


def _is_moment(word: Word) -> bool:
    if not _bare(MOMENT)(word):
        return False
    try:
        return bool(datetime.fromisoformat(word.text))
    except ValueError:  # the 31st of April
        return False


def _bare(form: str) -> Callable[[Word], bool]:
    return lambda word: not word.quoted and re.fullmatch(form, word.text) is not None


FORMS: Mapping[str, tuple[str, Callable[[Word], bool]]] = {
    "string": ("a text between quotes", lambda word: word.quoted),
    "date-time": ("a time with its zone, without quotes: 2026-01-31T00:00:00Z", _is_moment),
    "number": ("a number, without quotes", _bare(r"-?[0-9]+(\.[0-9]+)?")),
    "integer": ("a whole number, without quotes", _bare("-?[0-9]+")),
    "boolean": ("true or false, without quotes", _bare("true|false")),
}


def _compare(operator: str, field: str, value: Value) -> str:
    return f"{operator}({_name(field)},{_word(field, value)})"


def _compare_several(operator: str, field: str, values: Iterable[Value]) -> str:
    name = _name(field)
    words = [_word(name, each) for each in ([] if isinstance(values, str) else values)]
    if not words:
        raise KlaviyoConfigError(f"{operator} compares {name} with a list of values, at least one")
    return f"{operator}({name},[{','.join(words)}])"


def _nest(operator: str, filters: tuple[str, ...]) -> str:
    if not filters:
        raise KlaviyoConfigError(f"{operator}(...) joins filters: give at least one")
    members = [_single(each) for each in filters]
    return members[0] if len(members) == 1 else f"{operator}({','.join(members)})"


def _single(text: str) -> str:
    """Return a filter as one: commas in it mean "and", and would not within ``or``."""
    from airflow_provider_klaviyo.api.filter_grammar import parse

    return text if len(parse(text)) == 1 else f"and({text})"


def _name(field: str) -> str:
    from airflow_provider_klaviyo.api.filter_grammar import FIELD

    if not FIELD.fullmatch(field):
        raise KlaviyoConfigError("a filter compares a field, such as email, with a value: the field comes first")
    return field


def _word(field: str, value: Value) -> str:
    """Return a value as it stands in a filter."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _quoted(field, value)
        case int():
            return str(value)
        case float() | Decimal():
            return _number(field, Decimal(float.__repr__(value)) if isinstance(value, float) else value)
        case datetime() if value.tzinfo is None:
            raise KlaviyoConfigError(f"the time that {field} is compared with has no zone: make it aware, as with tzinfo=UTC")
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    raise KlaviyoConfigError(f"{field} is compared with a text, a number, a truth value or a datetime, not with a {type(value).__name__}")


def _quoted(field: str, value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:  # the error quotes the text
        raise KlaviyoConfigError(f"the text that {field} is compared with holds half a character: it was decoded wrongly") from None
    return json.dumps(value, ensure_ascii=False)


def _number(field: str, value: Decimal) -> str:
    if not value.is_finite():
        raise KlaviyoConfigError(f"the number that {field} is compared with is none (NaN or infinite)")
    return f"{value:f}"

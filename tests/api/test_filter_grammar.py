# SPDX-License-Identifier: Apache-2.0
"""A filter is read as Klaviyo reads it, and a fault in it is told without its values."""

from __future__ import annotations

import re

import pytest

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.filter_grammar import Group, Term, Word, parse

A = Term("equals", "a", (Word("1", quoted=False),))
B = Term("has", "b")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("equals(a,1)", (A,)),
        ("equals(a,1),has(b)", (A, B)),
        ("  equals ( a , 1 ) ,\n has( b ) ", (A, B)),
        ('equals(email,"sarah@example.com")', (Term("equals", "email", (Word("sarah@example.com", quoted=True),)),)),
        (r'equals(a,"say \"hi\", (now) \\ [x] \u00e9")', (Term("equals", "a", (Word('say "hi", (now) \\ [x] é', quoted=True),)),)),
        (r"equals(a,'it\'s \"so\"')", (Term("equals", "a", (Word('it\'s "so"', quoted=True),)),)),
        ("any(a,[\"x\", 'y',3])", (Term("any", "a", (Word("x", quoted=True), Word("y", quoted=True), Word("3", quoted=False))),)),
        ("less-than(a.b-c,2026-01-31T00:00:00+00:00)", (Term("less-than", "a.b-c", (Word("2026-01-31T00:00:00+00:00", quoted=False),)),)),
        ("has($attributed_flow)", (Term("has", "$attributed_flow"),)),
        ('equals(Campaign Name,"x")', (Term("equals", "Campaign Name", (Word("x", quoted=True),)),)),
        ("and(equals(a,1),not(or(has(b),equals(a,1))))", (Group("and", (A, Group("not", (Group("or", (B, A)),)))),)),
    ],
)
def test_a_filter_is_read(text: str, found: tuple[object, ...]) -> None:
    assert parse(text) == found


@pytest.mark.parametrize(
    ("text", "at", "what"),
    [
        ("", 1, "expected one of equals"),
        ("sarah@example.com", 1, "expected one of equals"),
        ("equal(a,1)", 1, "expected one of equals"),
        ("equals(a,1) and equals(b,2)", 13, "expected a comma or the end"),
        ("equals(a,1),", 13, "expected one of equals"),
        ("equals", 7, "expected ("),
        ("equals(a,1", 11, "expected )"),
        ("equals(a,1))", 12, "expected a comma or the end"),
        ("equals(a)", 9, "expected ,"),
        ("equals(a,)", 10, "expected a value"),
        ("equals(sarah@example.com,1)", 8, "expected the name of a field"),
        ("equals(,1)", 8, "expected the name of a field"),
        ("has()", 5, "expected the name of a field"),
        ("has(a,1)", 6, "expected )"),
        ('equals(a,"sarah)', 10, "the quotes do not close"),
        ("equals(a,'sarah)", 10, "the quotes do not close"),
        (r'equals(a,"sarah\q")', 10, "written as in JSON"),
        ('equals(a,"sarah"x)', 17, "expected )"),
        ('equals(a,["sarah"])', 10, "expected a value"),
        ('any(a,"sarah")', 7, "expected ["),
        ("any(a,[])", 8, "expected a value"),
        ("any(a,[1,])", 10, "expected a value"),
        ("any(a,[1)", 9, "expected ]"),
        ("not(has(a),has(b))", 5, "takes one filter"),
        ("and()", 5, "expected one of equals"),
        ("not(" * 12 + "has(a)" + ")" * 12, 45, "nested deeper"),
    ],
)
def test_a_fault_is_told_by_its_place_and_never_by_what_stands_there(text: str, at: int, what: str) -> None:
    with pytest.raises(KlaviyoConfigError, match=rf"^the filter cannot be read at character {at}: .*{re.escape(what)}") as raised:
        parse(text)
    assert "sarah" not in str(raised.value)


def test_a_long_filter_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(KlaviyoConfigError):
        parse('equals(a,"' + "\\" * 100_001)
    with pytest.raises(KlaviyoConfigError):
        parse("not(" * 100_000)
    with pytest.raises(KlaviyoConfigError):
        parse("a" + " " * 100_000 + "b")

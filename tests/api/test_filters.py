# SPDX-License-Identifier: Apache-2.0
"""A filter arrives as it was meant, whatever its values, or is refused before it is sent."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st
from klaviyo_api.filter_builder import FilterBuilder

from airflow_provider_klaviyo.api import filters, limits
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.filter_grammar import Group, Term, Word, parse
from airflow_provider_klaviyo.api.filters import Value, check
from airflow_provider_klaviyo.api.limits import Operation
from airflow_provider_klaviyo.sandbox.klaviyo import filters as referee
from airflow_provider_klaviyo.sandbox.klaviyo.problems import Refused
from airflow_provider_klaviyo.sandbox.klaviyo.query import read

SINGLE: dict[str, Callable[[str, Any], str]] = {
    "equals": filters.equals,
    "contains": filters.contains,
    "starts-with": filters.starts_with,
    "ends-with": filters.ends_with,
    "less-than": filters.less_than,
    "less-or-equal": filters.less_or_equal,
    "greater-than": filters.greater_than,
    "greater-or-equal": filters.greater_or_equal,
}
SEVERAL: dict[str, Callable[[str, Any], str]] = {
    "any": filters.any_,
    "contains-any": filters.contains_any,
    "contains-all": filters.contains_all,
}
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
EXAMPLES: dict[str, Value] = {"string": 'Zoë, "Z" (x)', "date-time": NOON, "number": 1.5, "integer": 3, "boolean": True}
FILTERED = [operation for operation in limits.OPERATIONS if operation.filters]


class Plan(StrEnum):
    GOLD = "gold"


texts = st.text(st.characters(exclude_categories=["Cs"]))
zones = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=zones)  # noqa: DTZ001 - their zones come apart
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.decimals(allow_nan=False, allow_infinity=False)
fields = st.sampled_from(["email", "messages.channel", "_kx", "$attributed_flow", "Campaign Name"])
values: st.SearchStrategy[Value] = texts | moments | numbers | st.booleans()


@st.composite
def terms(draw: st.DrawFn) -> tuple[str, Term | Group]:
    """Draw what the builder wrote, and what it was meant to be."""
    field = draw(fields)
    if draw(st.booleans()):
        operator, value = draw(st.sampled_from(list(SINGLE))), draw(values)
        return SINGLE[operator](field, value), Term(operator, field, (word(value),))
    operator, several = draw(st.sampled_from(list(SEVERAL))), draw(st.lists(values, min_size=1))
    return SEVERAL[operator](field, several), Term(operator, field, tuple(map(word, several)))


def word(value: Value) -> Word:
    """Return what a value is to stand as, quotes taken away; for numbers and times the form is not told, only the value."""
    match value:
        case str():
            return Word(value, quoted=True)
        case bool():
            return Word(str(value).lower(), quoted=False)
        case datetime():
            return Word(f"{value.astimezone(UTC).replace(tzinfo=None).isoformat()}Z", quoted=False)
        case float():
            return Word(f"{Decimal(repr(value)):f}", quoted=False)
        case int() | Decimal():
            return Word(f"{value:f}" if isinstance(value, Decimal) else str(value), quoted=False)


nested = st.recursive(
    terms(),
    lambda inner: (
        st.lists(inner, min_size=2, max_size=3).map(
            lambda each: (filters.and_(*[a for a, _ in each]), Group("and", tuple(b for _, b in each)))
        )
        | st.lists(inner, min_size=2, max_size=3).map(
            lambda each: (filters.or_(*[a for a, _ in each]), Group("or", tuple(b for _, b in each)))
        )
        | inner.map(lambda each: (filters.not_(each[0]), Group("not", (each[1],))))
    ),
    max_leaves=6,
)


@given(st.lists(nested, min_size=1, max_size=3))
def test_what_is_written_is_read_as_it_was_meant(drawn: list[tuple[str, Term | Group]]) -> None:
    text = filters.all_of(*[written for written, _ in drawn])
    assert parse(text) == tuple(meant for _, meant in drawn)


@given(nested)
def test_the_sandbox_reads_the_same(drawn: tuple[str, Term | Group]) -> None:
    text, meant = drawn
    (found,) = referee.nested(text, "/data/attributes/filter")
    assert plain(found) == plain(meant)


def plain(condition: Any) -> Any:
    """Return a condition without its classes."""
    if hasattr(condition, "members"):
        return condition.operator, [plain(each) for each in condition.members]
    return condition.operator, condition.field, [(each.text, each.quoted) for each in condition.words]


@given(numbers)
def test_a_number_is_written_without_an_exponent_and_keeps_its_value(value: float | Decimal) -> None:
    (term,) = parse(filters.equals("size", value))
    assert isinstance(term, Term)
    assert re.fullmatch(r"-?\d+(\.\d+)?", term.words[0].text)
    assert Decimal(term.words[0].text) == Decimal(str(value))


@given(moments)
def test_a_time_is_written_in_utc_and_keeps_its_moment(value: datetime) -> None:
    (term,) = parse(filters.greater_than("updated", value))
    assert isinstance(term, Term)
    assert term.words[0].text.endswith("Z")
    assert datetime.fromisoformat(term.words[0].text) == value


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (filters.equals("name", 'a "b", (c) \\ ü\u2028  d\n'), 'equals(name,"a \\"b\\", (c) \\\\ ü\u2028  d\\n")'),
        (filters.equals("archived", False), "equals(archived,false)"),
        (filters.equals("plan", Plan.GOLD), 'equals(plan,"gold")'),
        (filters.any_("id", (each for each in "ab")), 'any(id,["a","b"])'),
        (filters.any_("rating", [1, 2]), "any(rating,[1,2])"),
        (filters.contains_all("tag_id", ["t"]), 'contains-all(tag_id,["t"])'),
        (filters.less_than("size", 1e21), "less-than(size,1000000000000000000000)"),
        (filters.less_or_equal("size", Decimal("1E+3")), "less-or-equal(size,1000)"),
        (filters.greater_than("updated", datetime(2026, 1, 31, 1, 0, 0, 5, timezone(timedelta(hours=2)))), "greater-than(updated,2026-01-30T23:00:00.000005Z)"),
        (filters.greater_or_equal("updated", pendulum.datetime(2026, 1, 31, tz="Europe/Berlin")), "greater-or-equal(updated,2026-01-30T23:00:00Z)"),
        (filters.has("metric"), "has(metric)"),
        (filters.all_of("has(profile)"), "has(profile)"),
        (filters.all_of("has(metric)", "greater-than(datetime,{{ (a - b) | ts }})"), "has(metric),greater-than(datetime,{{ (a - b) | ts }})"),
        (filters.and_("has(public_reply)"), "has(public_reply)"),
        (filters.and_("has(metric)", "has(profile)"), "and(has(metric),has(profile))"),
        (filters.or_("has(metric),has(profile)", "has(a)"), "or(and(has(metric),has(profile)),has(a))"),
        (filters.not_("has(metric),has(profile)"), "not(and(has(metric),has(profile)))"),
        (filters.not_(filters.equals("$attributed_flow", "")), 'not(equals($attributed_flow,""))'),
    ],
)  # fmt: skip
def test_the_forms(written: str, text: str) -> None:
    assert written == text


@pytest.mark.parametrize(
    ("write", "arguments", "says"),
    [
        (filters.greater_than, ("updated", datetime(2026, 1, 31)), "time that updated is compared with has no zone"),  # noqa: DTZ001
        (filters.greater_than, ("updated", date(2026, 1, 31)), "not with a date"),
        (filters.equals, ("email", None), "not with a NoneType"),
        (filters.equals, ("email", ["sarah"]), "not with a list"),
        (filters.equals, ("email", "sarah\ud800"), "half a character"),
        (filters.less_than, ("size", float("nan")), "NaN or infinite"),
        (filters.less_than, ("size", float("-inf")), "NaN or infinite"),
        (filters.less_than, ("size", Decimal("sNaN")), "NaN or infinite"),
        (filters.any_, ("email", []), "list of values, at least one"),
        (filters.any_, ("email", "sarah"), "list of values, at least one"),
        (filters.any_, ("email", ["sarah", None]), "not with a NoneType"),
        (filters.equals, ("sarah@example.com", "email"), "the field comes first"),
        (filters.any_, ("sarah@example.com", []), "the field comes first"),
        (filters.has, ("sarah)",), "the field comes first"),
        (filters.equals, ("", "sarah"), "the field comes first"),
        (filters.all_of, (), "none of them empty"),
        (filters.all_of, ("has(metric)", " "), "none of them empty"),
        (filters.and_, (), "at least one"),
        (filters.or_, ("sarah",), "cannot be read at character 1"),
        (filters.not_, ("",), "cannot be read at character 1"),
    ],
)
def test_what_has_no_form_is_refused_and_not_repeated(write: Callable[..., str], arguments: tuple[Any, ...], says: str) -> None:
    with pytest.raises(KlaviyoConfigError, match=re.escape(says)) as raised:
        write(*arguments)
    assert "sarah" not in str(raised.value)


def example(operation: Operation, field: str, operator: str) -> str:
    """Write a filter that an operation takes."""
    if operator == "has":
        return filters.has(field)
    choices = operation.filter_words.get(field)
    value: Any = choices[0] if choices else EXAMPLES[operation.filter_types[field]]
    return SINGLE[operator](field, value) if operator in SINGLE else SEVERAL[operator](field, [value, value])


@pytest.mark.parametrize("operation", FILTERED, ids=lambda operation: operation.id)
def test_every_operation_takes_each_of_its_fields_and_operators(operation: Operation) -> None:
    every = [example(operation, field, operator) for field, operators in operation.filters.items() for operator in operators]
    for text in (*every, filters.all_of(*every), filters.and_(*every)):
        check(text, operation)
        referee.allow(referee.parse(text), operation)


@pytest.mark.parametrize("operation", FILTERED, ids=lambda operation: operation.id)
def test_every_operation_refuses_what_each_of_its_fields_is_not_compared_with(operation: Operation) -> None:
    for field, operators in operation.filters.items():
        (operator, *_) = operators
        wrong = [f"{other}({field},{'[1]' if other in SEVERAL else 1})" for other in (*SINGLE, *SEVERAL) if other not in operators]
        if operator != "has":
            kind = operation.filter_types[field]
            forms = ["sarah" if kind == "string" else '"2026-01-31T00:00:00Z"', "2026-01-31", "2026-01-31T00:00:00", "1e5", "True", "null"]
            forms += ['"sarah"'] if field in operation.filter_words else []
            wrong += [f"{operator}({field},{f'[{form}]' if operator in SEVERAL else form})" for form in forms]
        for text in wrong:
            with pytest.raises(KlaviyoConfigError, match=operation.id) as raised:
                check(text, operation)
            assert "sarah" not in str(raised.value)


def found(path: str) -> Operation:
    operation = limits.find("GET", path)
    assert operation is not None
    return operation


@pytest.mark.parametrize(
    ("path", "text", "says"),
    [
        ("/api/profiles", 'equals(nme,"x")', "get_profiles: it does not filter by nme, but by _kx, created, email,"),
        ("/api/profiles", 'equals(Sarah Smith,"x")', "get_profiles: it does not filter by that field, but by _kx"),
        ("/api/profiles", 'contains(email,"x")', "get_profiles: email does not take contains, but any, equals"),
        ("/api/profiles", 'or(equals(id,"1"),equals(id,"2"))', "get_profiles: it takes no or(...)"),
        ("/api/profiles", 'not(equals(id,"1"))', "get_profiles: it takes no not(...)"),
        ("/api/profiles", 'greater-than(updated,"2026-01-31T00:00:00Z")', "updated is compared with a time with its zone, without quotes"),
        ("/api/profiles", "greater-than(updated,2026-01-31 00:00:00)", "updated is compared with a time with its zone"),
        ("/api/profiles", "greater-than(updated,2026-02-31T00:00:00Z)", "updated is compared with a time"),
        ("/api/profiles", "equals(email,sarah@example.com)", "email is compared with a text between quotes"),
        ("/api/profiles", 'equals(email,"sarah@example.com"', "get_profiles: the filter cannot be read at character 33: expected )"),
        ("/api/profiles", "", "get_profiles: the filter cannot be read at character 1"),
        ("/api/events", 'greater-than(timestamp,"5")', "timestamp is compared with a number, without quotes"),
        ("/api/images", "greater-than(size,1.5)", "size is compared with a whole number, without quotes"),
        ("/api/images", "equals(hidden,1)", "hidden is compared with true or false, without quotes"),
        ("/api/flows", 'equals(trigger_type,"metric")', "trigger_type is one of Metric, Added to List,"),
        ("/api/campaigns", 'equals(messages.channel,"email")', "get_campaigns: it does not filter by messages.channel"),
        ("/api/accounts", 'equals(id,"1")', "get_accounts takes no filter: leave it out"),
        ("/api/coupon-codes", None, "get_coupon_codes needs a filter, by one of coupon.id, expires_at,"),
    ],
)
def test_a_refusal_says_what_the_operation_takes(path: str, text: str | None, says: str) -> None:
    with pytest.raises(KlaviyoConfigError, match=re.escape(says)) as raised:
        check(text, found(path))
    assert "sarah" not in str(raised.value).lower()


def test_no_filter_is_taken_where_none_is_needed() -> None:
    check(None, found("/api/accounts"))
    check(None, found("/api/profiles"))


def test_single_quotes_offsets_and_fractions_are_taken() -> None:
    check("any(status,['queued']),equals(status,'complete')", found("/api/profile-bulk-import-jobs"))
    check("greater-than(updated,2026-01-31T00:00:00.25+02:00)", found("/api/profiles"))


def test_the_blank_of_a_time_as_templates_render_it_becomes_a_t_and_no_blank_of_a_text_does() -> None:
    rendered = f"greater-than(updated,{pendulum.datetime(2026, 1, 31, 12, microsecond=5)}),less-than(updated, 2026-02-01 00:00:00Z)"
    written = filters.with_t(rendered)
    assert written == "greater-than(updated,2026-01-31T12:00:00.000005+00:00),less-than(updated, 2026-02-01T00:00:00Z)"
    check(written, found("/api/profiles"))
    referee.allow(referee.parse(written), found("/api/profiles"))
    text = filters.any_("id", ["2026-01-31 12:00:00Z", 'a \\ "2026-01-31 12:00:00Z', "'"]) + ",equals(id,'it\\'s 2026-01-31 12:00:00Z')"
    assert filters.with_t(text) == text


@given(texts | st.lists(st.sampled_from(["equals", "any", "and", "(", ")", "[", "]", ",", '"', "'", "\\", "email", "1", " "])).map("".join))
def test_whatever_stands_in_a_filter_it_is_taken_or_refused(text: str) -> None:
    operation = found("/api/profiles")
    try:
        check(text, operation)
    except KlaviyoConfigError:
        return
    referee.allow(referee.parse(text), operation)


def test_the_sandbox_wants_the_filter_that_must_be_given() -> None:
    with pytest.raises(Refused) as raised:
        read("page[size]=1", found("/api/coupon-codes"))
    assert raised.value.problems[0].parameter == "filter"


@given(texts.map(lambda text: "".join(text.split())) | st.integers() | st.booleans() | st.floats(1e-3, 1e15))
def test_where_the_official_builder_keeps_a_value_ours_writes_the_same(value: Any) -> None:
    official = FilterBuilder()
    official.equals("name", value)
    assert parse(filters.equals("name", value)) == parse(official.build())


def test_where_the_official_builder_keeps_times_and_lists_ours_writes_the_same() -> None:
    official = FilterBuilder()
    official.greater_than("updated", NOON)
    official.any("id", ["a", "b"])
    official.has("metric")
    official.contains("name", "x")
    official.less_or_equal("size", 3)
    ours = filters.all_of(
        filters.greater_than("updated", NOON),
        filters.any_("id", ["a", "b"]),
        filters.has("metric"),
        filters.contains("name", "x"),
        filters.less_or_equal("size", 3),
    )
    assert parse(ours.replace("12:00:00Z", "12:00:00+00:00")) == parse(official.build())


def test_ours_keeps_the_spaces_that_the_official_builder_deletes() -> None:
    official = FilterBuilder()
    official.equals("name", "John  Smith")
    assert official.build() == 'equals(name,"JohnSmith")'
    assert filters.equals("name", "John  Smith") == 'equals(name,"John  Smith")'

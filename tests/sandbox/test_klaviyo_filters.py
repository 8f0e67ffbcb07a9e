# SPDX-License-Identifier: Apache-2.0
"""The sandbox filters as Klaviyo does, and takes in a query what Klaviyo documents of the operation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_klaviyo.api import limits
from airflow_provider_klaviyo.api.limits import Operation
from airflow_provider_klaviyo.sandbox.klaviyo import filters
from airflow_provider_klaviyo.sandbox.klaviyo.problems import Refused
from airflow_provider_klaviyo.sandbox.klaviyo.query import read

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def found(method: str, path: str) -> Operation:
    operation = limits.find(method, path)
    assert operation is not None
    return operation


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [
        ('equals(name,"VIP")', "VIP", True),
        ("equals(name,'VIP')", "vip", False),
        ('equals(name,"VIP")', None, False),
        ("equals(archived,false)", False, True),
        ("equals(archived,true)", False, False),
        ("equals(rating,5)", 5, True),
        ("equals(size,1.50)", 1.5, True),
        ('any(name,["VIP","New"])', "New", True),
        ('any(name,["VIP","New"])', "Old", False),
        ("any(rating,[4,5])", 5, True),
        ('contains(name,"I")', "VIP", True),
        ('starts-with(name,"VI")', "VIP", True),
        ('starts-with(name,"IP")', "VIP", False),
        ('ends-with(name,"IP")', "VIP", True),
        ('contains-any(tag_id,["a","b"])', ["b", "c"], True),
        ('contains-any(tag_id,["a","b"])', [], False),
        ('contains-any(send_channel,["email","sms"])', "sms", True),
        ('contains-all(tag_id,["a","b"])', ["b", "a", "c"], True),
        ('contains-all(tag_id,["a","b"])', ["b"], False),
        ("greater-than(updated,2026-01-31T12:00:00Z)", NOON, False),
        ("greater-or-equal(updated,2026-01-31T13:00:00+01:00)", NOON, True),
        ("less-than(updated,2026-01-31T12:00:00.000001Z)", NOON, True),
        ("less-or-equal(size,3)", 4, False),
        ("has(metric)", None, False),
        ("has(metric)", "M1", True),
    ],
)
def test_a_term_holds_for_a_value(text: str, value: Any, *, holds: bool) -> None:
    (term,) = filters.parse(text)
    assert filters.matches(term, value) is holds


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("equals(name,VIP)", "VIP"),
        ('equals(archived,"true")', True),
        ("equals(archived,1)", True),
        ('equals(rating,"5")', 5),
        ("less-than(updated,2026-01-31)", NOON),
        ('less-than(updated,"2026-01-31T00:00:00Z")', NOON),
        ('any(name,["VIP",New])', "VIP"),
    ],
)
def test_a_value_of_another_kind_is_refused(text: str, value: Any) -> None:
    (term,) = filters.parse(text)
    with pytest.raises(Refused, match="400"):
        filters.matches(term, value)


def test_terms_of_a_list_are_joined_by_commas_or_and() -> None:
    terms = filters.parse('equals(a,"1"),and(equals(b,"2"),and(has(c),equals(d,"3")))')
    assert [term.field for term in terms] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    "text", ['or(equals(a,"1"),has(b))', "not(has(a))", "and(has(a),not(has(b)))", "xor(has(a))", "and()", "not(" * 99]
)
def test_a_list_takes_no_other_nesting(text: str) -> None:
    with pytest.raises(Refused) as raised:
        filters.parse(text)
    assert raised.value.problems[0].parameter == "filter"


def test_a_body_takes_nesting() -> None:
    (condition,) = filters.nested('and(not(equals($attributed_flow,"")),or(equals(Campaign Name,"a"),equals(Campaign Name,"b")))', "/data")
    assert filters.holds(condition, {"$attributed_flow": "F1", "Campaign Name": "b"}.get)
    assert not filters.holds(condition, {"$attributed_flow": "", "Campaign Name": "b"}.get)
    assert not filters.holds(condition, {"$attributed_flow": "F1", "Campaign Name": "c"}.get)


def test_a_fault_in_a_body_is_pointed_at() -> None:
    with pytest.raises(Refused) as raised:
        filters.nested("equals(a", "/data/attributes/filter")
    assert raised.value.problems[0].pointer == "/data/attributes/filter"


@pytest.mark.parametrize(
    ("path", "query", "detail"),
    [
        ("/api/object-types", 'filter=contains(title,"x")', "'title' is not a filterable field for this resource. The filterable fields"),
        ("/api/campaigns", 'filter=equals(name,"x")', "'equals' is not an allowed filter operator for name.  Allowed operators are contains"),
        ("/api/flows", 'filter=equals(trigger_type,"x")', "Invalid value for trigger_type.  Allowed values are Metric"),
        ("/api/images", 'filter=equals(hidden,"true")', "hidden must be compared with true or false"),
        ("/api/segments", 'filter=greater-than(created,"2026-01-31T00:00:00Z")', "created must be compared with an unquoted"),
        ("/api/segments", "include=profiles", "'profiles' is not a valid value.  Allowed values are flow-triggers, tags"),
        ("/api/segments/S1", "additional-fields[segment]=members", "Allowed values are profile_count"),
        ("/api/segments", "additional-fields[segment]=profile_count", "is not a valid parameter for get_segments"),
        ("/api/segments", "fields[campaign]=name", "is not a valid parameter for get_segments"),
        ("/api/segments", "sort=--created", "is not a valid sort option"),
        ("/api/webhooks", "page[size]=1", "is not a valid parameter for get_webhooks"),
    ],
)  # fmt: skip
def test_a_query_that_the_operation_does_not_take_is_refused(path: str, query: str, detail: str) -> None:
    with pytest.raises(Refused) as raised:
        read(query, found("GET", path))
    assert detail in raised.value.problems[0].detail
    assert raised.value.problems[0].parameter == query.partition("=")[0]


def test_what_the_operation_takes_is_read() -> None:
    operation, query = found("GET", "/api/segments"), "include=tags&fields[segment]=name"
    assert read(query, operation).include == ["tags"]
    assert read(query, operation).fields == {"segment": ["name"]}


def test_other_parameters_are_taken() -> None:
    assert read("page_cursor=x", found("POST", "/api/flow-values-reports")).raw == [("page_cursor", "x")]
    assert read("page[cursor]=WyJhIiwiYiJd", found("GET", "/api/metrics")).cursor == ["a", "b"]

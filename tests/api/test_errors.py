# SPDX-License-Identifier: Apache-2.0
"""Klaviyo's sentences reach the reader without the values that were sent."""

from __future__ import annotations

import gzip
import json
import time
from typing import Any

import pytest

from airflow_provider_klaviyo.api.errors import KlaviyoApiError, refusal
from airflow_provider_klaviyo.api.redaction import redacted
from airflow_provider_klaviyo.api.request import Json, Request

SARAH = {"type": "profile", "attributes": {"first_name": "Bo", "last_name": "Connor", "properties": {"age": 42, "vip": True}}}
ROW = "/data/attributes/profiles/data"


def said(request: Request[Any], detail: str, pointer: str = "") -> str:
    """Return what the error of a refused request says."""
    answer = {"errors": [{"code": "invalid", "detail": detail, "source": {"pointer": pointer}}]}
    return str(refusal(request, 400, answer, conn_id="shop"))


def import_of(rows: list[Json], *, compressed: bool = True) -> Request[Any]:
    body: Json = {"data": {"type": "profile-bulk-import-job", "attributes": {"profiles": {"data": rows}}}}
    if not compressed:
        return Request("POST", "/api/profile-bulk-import-jobs", json=body)
    return Request("POST", "/api/profile-bulk-import-jobs", body=gzip.compress(json.dumps(body).encode()))


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("The profile's last name 'Connor' isn't valid", "The profile's last name <value> isn't valid"),
        ('The last name "Connor" isn\'t valid', "The last name <value> isn't valid"),
        ("The last name `Connor` isn't valid", "The last name <value> isn't valid"),
        ("Connor is no last name", "<value> is no last name"),
        ("last name=Connor, first name='Bo'", "last name=<value>, first name=<value>"),
        ("'Connors' and Connors and O'Connor", "'Connors' and Connors and O'<value>"),
        ("Bo Bolton", "Bo Bolton"),
        ("age '42' of 42", "age <value> of 42"),
        ("A profile's attributes: True", "A profile's attributes: True"),
    ],
)
def test_values_that_were_sent_are_hidden(sentence: str, shown: str) -> None:
    assert shown in said(Request("POST", "/api/profiles", json={"data": SARAH}), sentence)


@pytest.mark.parametrize("name", ["O'Brien", 'Anna "Nan" Lee', "a`b c'd", "x.*y(", "Jörg", "Conn", "Connor and Connors"])
@pytest.mark.parametrize("quotes", ["''", '""', "``", "()"])
def test_whatever_stands_in_a_value_it_is_hidden(name: str, quotes: str) -> None:
    assert redacted(f"The name {quotes[0]}{name}{quotes[1]} isn't one", {name, "Conn"}).count("<value>") == 1
    assert name not in redacted(f"The name {quotes[0]}{name}{quotes[1]} isn't one", {name, "Conn"})


def test_values_as_json_writes_them_are_hidden() -> None:
    assert redacted(f"it is {json.dumps('Jörg O')}", {"Jörg O"}) == "it is <value>"


@pytest.mark.parametrize(
    "params",
    [
        {"filter": 'equals(last_name,"Connor")'},
        {"filter": "any(last_name,['Ripley','Connor'])"},
        {"filter": 'and(equals(a,"b"),equals(last_name,"Connor"))'},
        {"filter": r'equals(a,"O\'\"Brien"),equals(last_name,"Connor")'},
        {"company_id": "Connor"},
    ],
)
def test_values_in_a_query_were_sent_too(params: dict[str, str | int]) -> None:
    assert "is <value>: 'Connors' isn't" in said(Request("GET", "/api/profiles", params=params), "it is 'Connor': 'Connors' isn't")
    assert "Connor" not in said(Request("GET", "/api/profiles", params=params), "Connor is no filter")


def test_names_of_fields_in_a_query_are_shown() -> None:
    params: dict[str, str | int] = {"sort": "first_name", "fields[profile]": "first_name", "include": "lists", "page[size]": 1000}
    sentence = "'first_name' is not a valid sort; 'lists' is no relationship; 1000 is too many"
    assert sentence in said(Request("GET", "/api/profiles", params=params), sentence)


def test_a_query_in_the_path_is_not_shown() -> None:
    request: Request[Any] = Request("GET", "/api/profiles?filter=equals(last_name,%22Connor%22)")
    assert "Connor" not in said(request, "invalid")


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("pointer", ["", "/data", ROW, f"{ROW}/1", f"{ROW}/1/attributes/last_name", f"{ROW}/7", "/nowhere/1"])
def test_values_of_rows_are_hidden(pointer: str, compressed: bool) -> None:
    rows = [{"type": "profile", "attributes": {"email": f"{n}@example.com", "last_name": f"Connor{n}"}} for n in range(3)]
    shown = said(import_of(rows, compressed=compressed), "The profile's last name 'Connor1' isn't valid: Connor1", pointer)
    assert "The profile's last name <value> isn't valid: <value>" in shown


def test_ten_thousand_rows_refused_are_read_in_no_time() -> None:
    rows = [
        {"type": "profile", "attributes": {"email": f"{n}@example.com", "last_name": f"Connor{n}", "title": "Dr"}} for n in range(10_000)
    ]
    errors = [
        {"code": "invalid", "detail": f"'Connor{n}' isn't valid", "source": {"pointer": f"{ROW}/{n}/attributes/last_name"}}
        for n in range(10_000)
    ]
    request = import_of(rows)
    begun = time.perf_counter()
    error: KlaviyoApiError = refusal(request, 400, {"errors": errors}, conn_id="shop")
    assert time.perf_counter() - begun < 5, "a row's own values are enough"
    assert {each.detail for each in error.faults} == {"<value> isn't valid"}
    assert error.shapes[9_999] == "a text of 10 characters"


def test_words_of_klaviyos_own_are_shown() -> None:
    sentence = "A profile already exists with one of these identifiers"
    assert sentence in said(import_of([SARAH]), sentence)
    assert sentence in said(import_of([SARAH]), sentence, f"{ROW}/0")


@pytest.mark.parametrize("body", [b"no gzip", gzip.compress(b"no json")], ids=["no gzip", "no JSON"])
def test_a_body_that_cannot_be_read_is_no_error_of_its_own(body: bytes) -> None:
    assert "answered 400" in said(Request("POST", "/api/event-bulk-create-jobs", body=body), "The body is not valid JSON.")

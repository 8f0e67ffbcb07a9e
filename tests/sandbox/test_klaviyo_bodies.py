# SPDX-License-Identifier: Apache-2.0
"""Bodies the local Klaviyo refuses, and where it says they are wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.sandbox.klaviyo_client import bulk_body, client, entry, event, import_body, pointers, single_body, wait

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_klaviyo.sandbox.server import SandboxServer

JOBS = "/api/profile-bulk-import-jobs"
WHO = {"email": "a@example.com"}
SOON = (datetime.now(UTC) + timedelta(days=370)).isoformat()


@pytest.fixture
def http(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    with client(sandbox) as made:
        yield made


@pytest.mark.parametrize(
    ("row", "pointer"),
    [
        ({"email": "no address"}, "attributes/email"),
        ({"email": ""}, "attributes/email"),
        ({"email": "a@b"}, "attributes/email"),
        ({"email": "a..b@example.com"}, "attributes/email"),
        ({"email": 5}, "attributes/email"),
        ({"phone_number": "020 7946 0000"}, "attributes/phone_number"),
        ({"phone_number": "+44 20 7946 0000"}, "attributes/phone_number"),
        ({**WHO, "locale": "English"}, "attributes/locale"),
        ({**WHO, "external_id": ""}, "attributes/external_id"),
        ({**WHO, "first_name": 7}, "attributes/first_name"),
        ({**WHO, "properties": None}, "attributes/properties"),
        ({**WHO, "properties": []}, "attributes/properties"),
        ({**WHO, "location": {"latitude": 91}}, "attributes/location/latitude"),
        ({**WHO, "location": {"town": "Bath"}}, "attributes/location/town"),
        ({**WHO, "subscriptions": {}}, "attributes/subscriptions"),
        ({**WHO, "anonymous_id": "x"}, "attributes/anonymous_id"),
        ({**WHO, "a/b": 1}, "attributes/a~1b"),
        ({"first_name": "A"}, "attributes"),
        ({"email": None}, "attributes"),
        ({**WHO, "properties": {"text": "x" * 100_000}}, ""),
    ],
)
def test_one_bad_row_refuses_the_import_and_is_pointed_at(http: httpx.Client, row: dict[str, Any], pointer: str) -> None:
    answer = http.post(JOBS, json=import_body([{"email": "good@example.com"}, row]))
    assert answer.status_code == 400
    assert pointers(answer) == [f"/data/attributes/profiles/data/1/{pointer}".rstrip("/")]
    assert http.get(JOBS).json()["data"] == []


@pytest.mark.parametrize(
    "row",
    [
        {"email": "Ünïcode@example.com"},
        {"email": "a+b@sub.example.co.uk", "locale": "en-US"},
        {"phone_number": "+442079460000", "locale": "de"},
        {"external_id": "7", "first_name": None, "location": {"latitude": "51.5", "longitude": -0.1, "zip": None}},
        {**WHO, "properties": {"deep": {"er": [1, None, "x"]}}},
    ],
)
def test_takes_what_is_good(http: httpx.Client, row: dict[str, Any]) -> None:
    answer = http.post(JOBS, json=import_body([row]))
    assert answer.status_code == 202
    assert wait(http, answer.json()["data"]["id"])["attributes"]["completed_count"] == 1


@pytest.mark.parametrize("size", [0, 10_001])
def test_an_import_has_one_to_ten_thousand_rows(http: httpx.Client, size: int) -> None:
    answer = http.post(JOBS, json=import_body([{"email": f"a{n}@example.com"} for n in range(size)]))
    assert pointers(answer) == ["/data/attributes/profiles/data"]


@pytest.mark.parametrize(("setting", "expected"), [("all", 2), ("first", 1), ("none", 1)])
def test_tells_as_much_as_it_is_set_to(sandbox: SandboxServer, http: httpx.Client, setting: Any, expected: int) -> None:
    sandbox.klaviyo.behaviour.pointers = setting
    answer = http.post(JOBS, json=import_body([{"email": "x"}, WHO, {"email": "y"}]))
    assert len(pointers(answer)) == expected
    assert (pointers(answer) == ["/data"]) == (setting == "none")


def test_unknown_lists_are_not_found(http: httpx.Client) -> None:
    answer = http.post(JOBS, json=import_body([WHO], lists=["NOPE01"]))
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["detail"] == "A list with id `NOPE01` does not exist."


@pytest.mark.parametrize(
    ("attributes", "pointer"),
    [
        ({"time": "2026-11-01T10:00:00"}, "time"),
        ({"time": "yesterday"}, "time"),
        ({"time": "1989-12-31T23:59:59Z"}, "time"),
        ({"time": SOON}, "time"),
        ({"time": 1793527200}, "time"),
        ({"value": "9.5"}, "value"),
        ({"value": True}, "value"),
        ({"value_currency": "usd"}, "value_currency"),
        ({"unique_id": ""}, "unique_id"),
        ({"unique_id": "x" * 256}, "unique_id"),
        ({"unique_id": 7}, "unique_id"),
        ({"backfill": "yes"}, "backfill"),
        ({"properties": None}, "properties"),
        ({"properties": {f"p{n}": n for n in range(401)}}, "properties"),
        ({"properties": {"list": [0] * 4001}}, "properties"),
        ({"properties": {"text": "x" * 100_001}}, "properties"),
        ({"properties": {"whole": 2**63}}, "properties"),
        ({"properties": {"deep": [[[[[[[[[[1]]]]]]]]]]}}, "properties"),
        ({"metric": "x" * 128}, "metric/data/attributes/name"),
        ({"metric": ""}, "metric/data/attributes/name"),
        ({"name": "Placed Order"}, "name"),
    ],
)
def test_a_bad_event_refuses_the_request(http: httpx.Client, attributes: dict[str, Any], pointer: str) -> None:
    assert pointers(http.post("/api/events", json=single_body(WHO, **attributes))) == [f"/data/attributes/{pointer}"]
    bulk = bulk_body([entry(WHO, {"unique_id": "1"}), entry(WHO, {"unique_id": "2"}, attributes)])
    where = "/data/attributes/events-bulk-create/data/1/attributes/events/data/1/attributes"
    assert pointers(http.post("/api/event-bulk-create-jobs", json=bulk)) == [f"{where}/{pointer}"]
    assert http.get("/api/events").json()["data"] == []


def test_an_events_profile_needs_an_identifier(http: httpx.Client) -> None:
    assert pointers(http.post("/api/events", json=single_body({"first_name": "A"}))) == ["/data/attributes/profile/data/attributes"]
    assert http.post("/api/events", json=single_body({"anonymous_id": "x"})).status_code == 202


def test_a_bulk_has_one_to_a_thousand_events_however_they_are_spread(http: httpx.Client) -> None:
    many = [{"unique_id": str(n)} for n in range(501)]
    body = bulk_body([entry(WHO, *many), entry({"email": "b@example.com"}, *many)])
    assert pointers(http.post("/api/event-bulk-create-jobs", json=body)) == ["/data/attributes/events-bulk-create/data"]
    assert http.post("/api/event-bulk-create-jobs", json=bulk_body([])).status_code == 400


@pytest.mark.parametrize(
    ("attributes", "pointer"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "VIP", "opt_in_process": "none"}, "opt_in_process"),
        ({"name": "VIP", "colour": "red"}, "colour"),
    ],
)
def test_a_list_needs_a_name(http: httpx.Client, attributes: dict[str, Any], pointer: str) -> None:
    answer = http.post("/api/lists", json={"data": {"type": "list", "attributes": attributes}})
    assert pointers(answer) == [f"/data/attributes/{pointer}"]


def test_the_type_and_the_envelope_are_checked(http: httpx.Client) -> None:
    assert pointers(http.post("/api/lists", json={"data": {"type": "profile", "attributes": {"name": "x"}}})) == ["/data/type"]
    assert pointers(http.post("/api/lists", json={"type": "list"})) == ["/data", "/type"]
    assert pointers(http.post("/api/events", json={"data": [event()]})) == ["/data"]


def test_a_taken_identifier_is_a_conflict_that_names_its_holder(http: httpx.Client) -> None:
    first = http.post("/api/profiles", json={"data": {"type": "profile", "attributes": WHO}}).json()["data"]["id"]
    answer = http.post("/api/profiles", json={"data": {"type": "profile", "attributes": {"email": "A@EXAMPLE.com"}}})
    (error,) = answer.json()["errors"]
    assert answer.status_code == 409
    assert (error["code"], error["meta"]) == ("duplicate_profile", {"duplicate_profile_id": first})

# SPDX-License-Identifier: Apache-2.0
"""Events of the local Klaviyo: once each, under both readings of a unique id that comes again, and read back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.sandbox.klaviyo_client import bulk_body, client, entry, pointers, single_body

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_klaviyo.sandbox.server import SandboxServer

BULK = "/api/event-bulk-create-jobs"
WHO = {"email": "a@example.com"}
TEN = "2026-11-01T10:00:00+00:00"


@pytest.fixture
def http(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    with client(sandbox) as made:
        yield made


def ids(http: httpx.Client, **params: Any) -> list[str]:
    data = http.get("/api/events", params={"sort": "timestamp", **params}).json()["data"]
    return [each["attributes"]["event_properties"]["$event_id"] for each in data]


def test_a_single_event_counts_once_however_often_it_is_sent(http: httpx.Client) -> None:
    for value in (1, 2):
        answer = http.post("/api/events", json=single_body(WHO, unique_id="1", value=value, value_currency="EUR", time=TEN))
        assert (answer.status_code, answer.content) == (202, b"")
        assert answer.headers["ratelimit-limit"] == "350, 350;w=1, 3500;w=60"
    (kept,) = http.get("/api/events").json()["data"]
    assert kept["attributes"]["event_properties"] == {"$value_currency": "EUR", "$event_id": "1", "$value": 1}
    assert (kept["attributes"]["timestamp"], kept["attributes"]["datetime"]) == (1793527200, TEN)


def test_a_unique_id_holds_for_one_metric_of_one_person(http: httpx.Client) -> None:
    for who, metric in ((WHO, "Placed Order"), (WHO, "Ordered Product"), ({"email": "b@example.com"}, "Placed Order")):
        http.post("/api/events", json=single_body(who, unique_id="1", metric=metric))
    assert len(ids(http)) == 3


def test_a_bulk_that_repeats_what_was_sent_before_drops_it_in_silence(http: httpx.Client) -> None:
    http.post("/api/events", json=single_body(WHO, unique_id="1", time=TEN))
    assert http.post(BULK, json=bulk_body([entry(WHO, {"unique_id": "1", "time": TEN}, {"unique_id": "2"})])).status_code == 202
    assert ids(http) == ["1", "2"]


def test_or_is_refused_whole(sandbox: SandboxServer, http: httpx.Client) -> None:
    sandbox.klaviyo.behaviour.reused_unique_id = "refuse"
    http.post("/api/events", json=single_body(WHO, unique_id="1"))
    answer = http.post(
        BULK, json=bulk_body([entry({"email": "new@example.com"}, {"unique_id": "3"}), entry(WHO, {"unique_id": "2"}, {"unique_id": "1"})])
    )
    assert answer.status_code == 400
    assert pointers(answer) == ["/data/attributes/events-bulk-create/data/1/attributes/events/data/1/attributes/unique_id"]
    assert ids(http) == ["1"]
    assert len(http.get("/api/profiles").json()["data"]) == 1


@pytest.mark.parametrize("reading", ["drop", "refuse"])
def test_a_bulk_that_repeats_itself_is_refused_whole(sandbox: SandboxServer, http: httpx.Client, reading: Any) -> None:
    sandbox.klaviyo.behaviour.reused_unique_id = reading
    twice = [entry(WHO, {"unique_id": "1"}, {"unique_id": "1", "metric": "Other"}), entry({"email": "A@example.com"}, {"unique_id": "1"})]
    assert pointers(http.post(BULK, json=bulk_body(twice))) == [
        "/data/attributes/events-bulk-create/data/1/attributes/events/data/0/attributes/unique_id"
    ]
    assert ids(http) == []


def test_without_a_unique_id_there_is_one_event_a_second(http: httpx.Client) -> None:
    times = ["2026-11-01T10:00:00.1Z", "2026-11-01T10:00:00.9Z", "2026-11-01T10:00:01Z"]
    assert http.post(BULK, json=bulk_body([entry(WHO, *({"time": each} for each in times))])).status_code == 202
    assert ids(http) == ["1793527200", "1793527201"]


def test_events_make_and_change_profiles_but_take_nothing_from_others(http: httpx.Client) -> None:
    http.post("/api/events", json=single_body({"email": "B@example.com", "first_name": "Bea"}, unique_id="1", time=TEN))
    http.post("/api/events", json=single_body({"phone_number": "+442079460000"}, unique_id="2"))
    http.post("/api/events", json=single_body({"email": "b@example.com", "phone_number": "+442079460000"}, unique_id="3", time=TEN))
    bea, other = http.get("/api/profiles").json()["data"]
    assert (bea["attributes"]["first_name"], bea["attributes"]["phone_number"], bea["attributes"]["last_event_date"]) == ("Bea", None, TEN)
    assert other["attributes"]["phone_number"] == "+442079460000"
    assert sorted(ids(http, filter=f'equals(profile_id,"{bea["id"]}")')) == ["1", "3"]


def test_times_filter_sort_and_page(sandbox: SandboxServer, http: httpx.Client) -> None:
    rows = [{"unique_id": str(n), "time": f"2026-11-{n + 1:02}T10:00:00Z"} for n in range(20)]
    http.post(BULK, json=bulk_body([entry(WHO, *rows)]))
    window = "greater-or-equal(datetime,2026-11-03T10:00:00Z),less-than(datetime,2026-11-06T12:00:00+02:00)"
    assert ids(http, filter=window) == ["2", "3", "4"]
    assert ids(http, filter="greater-than(timestamp,1795082400)") == ["19"]
    assert http.get("/api/events", params={"page[size]": 1}).json()["data"][0]["attributes"]["event_properties"]["$event_id"] == "19"
    found, link = [], f"{sandbox.url}/api/events?page[size]=7&sort=datetime&fields[event]=event_properties"
    while link:
        page = http.get(link.replace("https://", "http://").replace("cursor%5D=", "cursor%5D==")).json()
        found += [each["attributes"]["event_properties"]["$event_id"] for each in page["data"]]
        link = page["links"]["next"]
    assert found == [str(n) for n in range(20)]


def test_malformed_ids_are_bad_requests_as_recorded(http: httpx.Client) -> None:
    answer = http.get("/api/events/NOPE01")
    assert (answer.status_code, answer.json()["errors"][0]["detail"]) == (400, "Invalid Event ID: 'NOPE01'")
    assert http.get("/api/events/7qWkC6JPz7g").status_code == 404


def test_nothing_is_lost_or_doubled_among_many_at_once(sandbox: SandboxServer) -> None:
    def send(worker: int) -> None:
        with client(sandbox) as http:
            for n in range(20):
                body = bulk_body([entry({"email": f"p{at}@example.com"}, {"unique_id": f"{n}"}) for at in range(10)])
                assert http.post(BULK, json=body).status_code == 202
                assert http.post("/api/events", json=single_body(WHO, unique_id=f"{worker}-{n}")).status_code == 202

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, range(4)))
    assert sandbox.klaviyo.counts()["events"] == 10 * 20 + 4 * 20
    assert sandbox.klaviyo.counts()["profiles"] == 11

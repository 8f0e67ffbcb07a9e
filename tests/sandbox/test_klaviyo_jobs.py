# SPDX-License-Identifier: Apache-2.0
"""Import jobs of the local Klaviyo: their way, their ends, their errors, and those of other clients."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import httpx
import pytest

from airflow_provider_klaviyo.sandbox.server import SandboxServer
from tests.sandbox.klaviyo_client import client, import_body, wait

if TYPE_CHECKING:
    from collections.abc import Iterator

JOBS = "/api/profile-bulk-import-jobs"


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_795_000_000.25

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def http(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    with client(sandbox) as made:
        yield made


def status(http: httpx.Client, job_id: str) -> tuple[str, int, int]:
    attributes = http.get(f"{JOBS}/{job_id}").json()["data"]["attributes"]
    return attributes["status"], attributes["completed_count"], attributes["failed_count"]


def test_a_job_goes_its_way_by_the_clock_and_expires() -> None:
    clock = Clock()
    with SandboxServer(limits="off", job_seconds=30, clock=clock) as sandbox, client(sandbox) as http:
        made = http.post(JOBS, json=import_body([{"email": "a@example.com"}])).json()["data"]
        assert made["attributes"] == {
            "status": "queued",
            "created_at": "2026-11-18T11:06:40+00:00",
            "total_count": 1,
            "completed_count": 0,
            "failed_count": 0,
            "completed_at": None,
            "expires_at": "2026-11-25T11:06:40+00:00",
            "started_at": None,
        }
        assert base64.urlsafe_b64decode(made["id"] + "==").startswith(b"SandBx_maintenance.")
        assert status(http, made["id"]) == ("queued", 0, 0)
        clock.now += 15
        assert status(http, made["id"]) == ("processing", 0, 0)
        assert http.get("/api/profiles").json()["data"] == []
        clock.now += 15
        assert status(http, made["id"]) == ("complete", 1, 0)
        assert len(http.get("/api/profiles").json()["data"]) == 1
        clock.now += 7 * 86_400
        assert http.get(f"{JOBS}/{made['id']}").status_code == 404
        assert http.get(JOBS).json()["data"] == []


@pytest.mark.parametrize("end", ["cancelled", "suspended"])
def test_a_job_may_end_otherwise(sandbox: SandboxServer, http: httpx.Client, end: str) -> None:
    sandbox.klaviyo.next_job(end)
    job = wait(http, http.post(JOBS, json=import_body([{"email": "a@example.com"}])).json()["data"]["id"])
    assert (job["attributes"]["status"], job["attributes"]["completed_count"]) == (end, 0)
    assert http.get("/api/profiles").json()["data"] == []
    assert (
        wait(http, http.post(JOBS, json=import_body([{"email": "a@example.com"}])).json()["data"]["id"])["attributes"]["status"]
        == "complete"
    )


def test_identities_that_collide_are_import_errors(http: httpx.Client) -> None:
    wait(http, http.post(JOBS, json=import_body([{"email": "a@example.com"}, {"phone_number": "+442079460000"}])).json()["data"]["id"])
    rows = [{"email": "b@example.com"}, {"email": "A@example.com", "phone_number": "+442079460000"}]
    job = wait(http, http.post(JOBS, json=import_body(rows)).json()["data"]["id"])
    assert (job["attributes"]["status"], job["attributes"]["completed_count"], job["attributes"]["failed_count"]) == ("complete", 1, 1)
    (error,) = http.get(f"{JOBS}/{job['id']}/import-errors").json()["data"]
    assert error["attributes"]["source"] == {"pointer": "/data/attributes/profiles/data/1/attributes/phone_number"}
    assert error["attributes"]["original_payload"] == {"type": "profile", "attributes": rows[1]}


def test_checks_may_come_late_and_errors_may_say_little(sandbox: SandboxServer, http: httpx.Client) -> None:
    sandbox.klaviyo.behaviour.late_checks = frozenset({"phone_number"})
    sandbox.klaviyo.behaviour.plain_import_errors = True
    rows = [{"email": "a@example.com", "phone_number": "020 7946"}, {"email": "b@example.com"}]
    job = wait(http, http.post(JOBS, json=import_body(rows)).json()["data"]["id"])
    (error,) = http.get(f"{JOBS}/{job['id']}/import-errors").json()["data"]
    assert (job["attributes"]["completed_count"], job["attributes"]["failed_count"]) == (1, 1)
    assert error["attributes"] == {
        "code": "invalid",
        "title": "Invalid input",
        "detail": "Invalid phone number format (Example of a valid format: +12345678901)",
        "source": {"pointer": "/data"},
        "original_payload": None,
    }


def test_errors_come_in_pages(sandbox: SandboxServer, http: httpx.Client) -> None:
    sandbox.klaviyo.next_job(fail=range(250))
    job = wait(http, http.post(JOBS, json=import_body([{"email": f"a{n}@example.com"} for n in range(250)])).json()["data"]["id"])
    assert job["attributes"]["failed_count"] == 250
    found, link = [], f"{sandbox.url}{JOBS}/{job['id']}/import-errors?page[size]=100"
    while link:
        page = http.get(link.replace("https://", "http://")).json()
        found += [each["attributes"]["source"]["pointer"] for each in page["data"]]
        link = page["links"]["next"]
    assert found == [f"/data/attributes/profiles/data/{n}" for n in range(250)]


def test_other_clients_have_jobs_too(sandbox: SandboxServer, http: httpx.Client) -> None:
    ours = wait(http, http.post(JOBS, json=import_body([{"email": "a@example.com"}])).json()["data"]["id"])["id"]
    sandbox.klaviyo.add_foreign_jobs(300)
    newest = http.get(JOBS, params={"page[size]": 100, "sort": "-created_at"}).json()
    assert len(newest["data"]) == 100
    assert ours not in [each["id"] for each in newest["data"]]
    done = http.get(JOBS, params={"page[size]": 1, "sort": "created_at", "filter": 'any(status,["complete","queued"])'}).json()
    assert [each["id"] for each in done["data"]] == [ours]


def test_rows_change_only_what_they_name(http: httpx.Client) -> None:
    first = {
        "email": "A@example.com",
        "first_name": "Ann",
        "title": "Dr",
        "location": {"city": "Bath", "zip": "1"},
        "properties": {"a": 1, "b": 2},
    }
    second = {"email": "a@EXAMPLE.com", "title": None, "location": {"zip": "2"}, "properties": {"b": 3}, "external_id": "7"}
    for row in (first, second):
        wait(http, http.post(JOBS, json=import_body([row])).json()["data"]["id"])
    (kept,) = http.get("/api/profiles").json()["data"]
    attributes = kept["attributes"]
    assert (attributes["email"], attributes["external_id"], attributes["first_name"], attributes["title"]) == (
        "a@example.com",
        "7",
        "Ann",
        None,
    )
    assert (attributes["location"]["city"], attributes["location"]["zip"], attributes["properties"]) == ("Bath", "2", {"a": 1, "b": 3})


@pytest.mark.parametrize(("again", "kept"), [(None, ["A", "B", "A"]), ("add", ["A", "B", "A"]), ("drop", ["A", "B"])])
def test_what_is_appended_twice_is_there_twice_unless_told_otherwise(
    sandbox: SandboxServer, http: httpx.Client, again: str | None, kept: list[str]
) -> None:
    """Which of them Klaviyo does is not known."""
    if again:
        assert http.post("/_sandbox/settings", json={"appended_again": again}).status_code == 200
    for value in (["A", "B"], "A"):
        person = {"type": "profile", "attributes": {"email": "a@example.com"}, "meta": {"patch_properties": {"append": {"skus": value}}}}
        assert http.post("/api/profile-import", json={"data": person}).status_code in {200, 201}
    assert http.get("/api/profiles").json()["data"][0]["attributes"]["properties"] == {"skus": kept}


def test_properties_can_be_patched(http: httpx.Client) -> None:
    for meta in ({"append": {"skus": ["A", "B"]}}, {"append": {"skus": "C"}, "unset": "plan"}, {"unappend": {"skus": "B"}}):
        body = import_body([{"email": "a@example.com", "properties": {"x": 1}}])
        body["data"]["attributes"]["profiles"]["data"][0]["meta"] = {"patch_properties": meta}
        wait(http, http.post(JOBS, json=body).json()["data"]["id"])
    assert http.get("/api/profiles").json()["data"][0]["attributes"]["properties"] == {"x": 1, "skus": ["A", "C"]}

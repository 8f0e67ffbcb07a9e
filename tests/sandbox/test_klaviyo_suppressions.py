# SPDX-License-Identifier: Apache-2.0
"""The local Klaviyo's suppressions: jobs that put addresses off marketing, and the filters that find them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.sandbox.klaviyo_client import client, pointers, profile

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

Json = dict[str, Any]
SUPPRESS, UNSUPPRESS = "profile-suppression-bulk-create-job", "profile-suppression-bulk-delete-job"


@pytest.fixture
def http(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    """Talk to a local Klaviyo that carries out at once what it accepts."""
    sandbox.klaviyo.behaviour.job_seconds = 0
    with client(sandbox) as http:
        yield http


def start(http: httpx.Client, kind: str, *emails: str, **groups: str) -> httpx.Response:
    data: Json = {"type": kind, "attributes": {"profiles": {"data": [profile({"email": each}) for each in emails]}} if emails else {}}
    if groups:
        data["relationships"] = {name: {"data": {"type": name, "id": each}} for name, each in groups.items()}
    return http.post(f"/api/{kind}s", json={"data": data})


def job(http: httpx.Client, started: httpx.Response) -> Json:
    assert started.status_code == 202
    kind, identifier = (started.json()["data"][name] for name in ("type", "id"))
    return dict(http.get(f"/api/{kind}s/{identifier}").json()["data"])


def counts(found: Json) -> tuple[int, ...]:
    return tuple(found["attributes"][f"{name}_count"] for name in ("total", "completed", "skipped"))


def suppressed(
    http: httpx.Client, condition: str = 'equals(subscriptions.email.marketing.suppression.reason,"USER_SUPPRESSED")'
) -> list[str]:
    answer = http.get("/api/profiles", params={"filter": condition, "sort": "subscriptions.email.marketing.suppression.timestamp"})
    assert answer.status_code == 200, answer.text
    return [each["attributes"]["email"] for each in answer.json()["data"]]


def test_a_job_suppresses_known_and_unknown_addresses(http: httpx.Client, sandbox: SandboxServer) -> None:
    http.post("/api/profiles", json={"data": profile({"email": "a@example.com"})})
    done = job(http, start(http, SUPPRESS, "a@example.com", "new@example.com"))
    assert (done["attributes"]["status"], counts(done)) == ("complete", (2, 2, 0))
    assert suppressed(http) == ["a@example.com", "new@example.com"]
    again = job(http, start(http, SUPPRESS, "A@example.com", "b@example.com"))
    assert counts(again) == (2, 1, 1)
    told = http.get("/api/profiles", params={"additional-fields[profile]": "subscriptions"}).json()["data"]
    assert {each["attributes"]["subscriptions"]["email"]["marketing"]["consent"] for each in told} == {"NEVER_SUBSCRIBED"}
    assert not any(each["attributes"]["subscriptions"]["email"]["marketing"]["can_receive_email_marketing"] for each in told)


def test_a_job_is_processing_at_once_and_has_a_time_of_completion_that_means_nothing(http: httpx.Client, sandbox: SandboxServer) -> None:
    sandbox.klaviyo.behaviour.job_seconds = 3600
    told = start(http, SUPPRESS, "a@example.com").json()["data"]["attributes"]
    assert (told["status"], told["total_count"], told["completed_count"], told["skipped_count"]) == ("processing", 0, 0, 0)
    assert told["completed_at"] > told["created_at"]
    assert suppressed(http) == []


def test_only_what_was_suppressed_by_hand_is_taken_back(http: httpx.Client, sandbox: SandboxServer) -> None:
    job(http, start(http, SUPPRESS, "a@example.com", "b@example.com"))
    sandbox.klaviyo.bounce("b@example.com")
    done = job(http, start(http, UNSUPPRESS, "a@example.com", "b@example.com", "nobody@example.com"))
    assert counts(done) == (3, 2, 1)
    assert suppressed(http) == []
    assert suppressed(http, 'equals(subscriptions.email.marketing.suppression.reason,"HARD_BOUNCE")') == ["b@example.com"]


def test_the_members_of_a_list_are_suppressed(http: httpx.Client) -> None:
    vip = http.post("/api/lists", json={"data": {"type": "list", "attributes": {"name": "VIP"}}}).json()["data"]["id"]
    made = http.post("/api/profiles", json={"data": profile({"email": "a@example.com"})}).json()["data"]["id"]
    http.post(f"/api/lists/{vip}/relationships/profiles", json={"data": [{"type": "profile", "id": made}]})
    done = job(http, start(http, SUPPRESS, list=vip))
    assert counts(done) == (1, 1, 0)
    assert done["relationships"]["lists"]["data"] == [{"type": "list", "id": vip}]
    assert "data" not in done["relationships"]["segments"]
    listed = http.get(f"/api/{SUPPRESS}s", params={"filter": f'equals(list_id,"{vip}")'}).json()["data"]
    assert [each["id"] for each in listed] == [done["id"]]
    assert suppressed(http) == ["a@example.com"]


def test_the_members_of_a_segment_are_suppressed(http: httpx.Client) -> None:
    vip = http.post("/api/lists", json={"data": {"type": "list", "attributes": {"name": "VIP"}}}).json()["data"]["id"]
    made = http.post("/api/profiles", json={"data": profile({"email": "a@example.com"})}).json()["data"]["id"]
    http.post(f"/api/lists/{vip}/relationships/profiles", json={"data": [{"type": "profile", "id": made}]})
    condition = {"type": "profile-group-membership", "is_member": True, "group_ids": [vip]}
    attributes = {"name": "In VIP", "definition": {"condition_groups": [{"conditions": [condition]}]}}
    segment = http.post("/api/segments", json={"data": {"type": "segment", "attributes": attributes}}).json()["data"]["id"]
    done = job(http, start(http, SUPPRESS, segment=segment))
    assert counts(done) == (1, 1, 0)
    assert done["relationships"]["segments"]["data"] == [{"type": "segment", "id": segment}]
    assert suppressed(http) == ["a@example.com"]


def test_a_job_is_about_addresses_or_a_list_or_a_segment(http: httpx.Client) -> None:
    vip = http.post("/api/lists", json={"data": {"type": "list", "attributes": {"name": "VIP"}}}).json()["data"]["id"]
    assert pointers(start(http, SUPPRESS)) == ["/data"]
    assert pointers(start(http, SUPPRESS, "a@example.com", list=vip)) == ["/data"]
    assert start(http, SUPPRESS, list="NOPE01").status_code == 404
    assert start(http, SUPPRESS, segment="NOPE01").status_code == 404
    assert pointers(start(http, SUPPRESS, "no address")) == ["/data/attributes/profiles/data/0/attributes/email"]
    assert pointers(start(http, UNSUPPRESS, *(f"p{number}@example.com" for number in range(101)))) == ["/data/attributes/profiles/data"]


def test_jobs_are_listed_by_kind_newest_first(http: httpx.Client, sandbox: SandboxServer) -> None:
    first = job(http, start(http, SUPPRESS, "a@example.com"))["id"]
    sandbox.klaviyo.next_job("cancelled")
    second = job(http, start(http, SUPPRESS, "b@example.com"))["id"]
    job(http, start(http, UNSUPPRESS, "a@example.com"))

    def ids(**query: str) -> list[str]:
        return [each["id"] for each in http.get(f"/api/{SUPPRESS}s", params=query).json()["data"]]

    assert ids() == [second, first]
    assert ids(sort="created") == [first, second]
    assert ids(filter='equals(status,"complete")') == [first]
    assert ids(filter='equals(status,"cancelled")') == [second]
    assert http.get(f"/api/{SUPPRESS}s", params={"filter": 'equals(status,"failed")'}).status_code == 400
    assert http.get(f"/api/{SUPPRESS}s", params={"page[size]": 10}).status_code == 400
    picked = http.get(f"/api/{SUPPRESS}s/{first}", params={f"fields[{SUPPRESS}]": "status"}).json()["data"]["attributes"]
    assert picked == {"status": "complete"}
    assert http.get(f"/api/{UNSUPPRESS}s/{first}").status_code == 404


def test_a_filter_is_about_one_suppression(http: httpx.Client, sandbox: SandboxServer) -> None:
    job(http, start(http, SUPPRESS, "a@example.com"))
    prefix = "subscriptions.email.marketing"
    assert suppressed(http, f"greater-than({prefix}.suppression.timestamp,2020-01-01T00:00:00Z)") == ["a@example.com"]
    assert suppressed(http, f"less-than({prefix}.suppression.timestamp,2020-01-01T00:00:00Z)") == []
    listed = f'equals({prefix}.list_suppressions.list_id,"L1")'
    assert suppressed(http, f'{listed},equals({prefix}.list_suppressions.reason,"UNSUBSCRIBE")') == []
    for wrong in (
        f'equals({prefix}.list_suppressions.reason,"UNSUBSCRIBE")',
        f'{listed},equals({prefix}.suppression.reason,"UNSUBSCRIBE")',
        f"greater-than({prefix}.suppression.timestamp,2020-01-01T00:00:00Z),less-than({prefix}.suppression.timestamp,2030-01-01T00:00:00Z)",
    ):
        assert http.get("/api/profiles", params={"filter": wrong}).status_code == 400

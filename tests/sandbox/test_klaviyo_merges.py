# SPDX-License-Identifier: Apache-2.0
"""The local Klaviyo makes two profiles one, and forgets people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.sandbox.klaviyo_client import client, pointers, profile, single_body

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

Json = dict[str, Any]


@pytest.fixture
def http(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    """Talk to a local Klaviyo that carries out at once what it accepts."""
    sandbox.klaviyo.behaviour.job_seconds = 0
    with client(sandbox) as http:
        yield http


def make(http: httpx.Client, **attributes: Any) -> str:
    return str(http.post("/api/profiles", json={"data": profile(attributes)}).json()["data"]["id"])


def merge(http: httpx.Client, destination: str, *sources: str) -> httpx.Response:
    related = {"profiles": {"data": [{"type": "profile", "id": each} for each in sources]}}
    return http.post("/api/profile-merge", json={"data": {"type": "profile-merge", "id": destination, "relationships": related}})


def delete(http: httpx.Client, attributes: Json | None = None, **resource: Any) -> httpx.Response:
    person = {"type": "profile", "attributes": attributes or {}, **resource}
    return http.post(
        "/api/data-privacy-deletion-jobs",
        json={"data": {"type": "data-privacy-deletion-job", "attributes": {"profile": {"data": person}}}},
    )


def test_the_source_goes_into_the_destination(http: httpx.Client, sandbox: SandboxServer) -> None:
    sarah = make(http, email="sarah@example.com", first_name="Sarah", properties={"plan": "pro"})
    twin = make(http, phone_number="+14155550123", first_name="S.", last_name="O", properties={"plan": "basic", "size": 3})
    http.post("/api/events", json=single_body({"phone_number": "+14155550123"}, unique_id="1"))
    vip = http.post("/api/lists", json={"data": {"type": "list", "attributes": {"name": "VIP"}}}).json()["data"]["id"]
    http.post(f"/api/lists/{vip}/relationships/profiles", json={"data": [{"type": "profile", "id": twin}]})
    answer = merge(http, sarah, twin)
    assert (answer.status_code, answer.json()["data"]["type"], answer.json()["data"]["id"]) == (202, "profile", sarah)
    told = http.get(f"/api/profiles/{sarah}").json()["data"]["attributes"]
    assert (told["email"], told["phone_number"]) == ("sarah@example.com", "+14155550123")
    assert (told["first_name"], told["last_name"], told["properties"]) == ("Sarah", "O", {"plan": "pro", "size": 3})
    assert http.get(f"/api/profiles/{twin}").status_code == 404
    assert [each["id"] for each in http.get(f"/api/lists/{vip}/profiles").json()["data"]] == [sarah]
    assert sandbox.klaviyo.counts()["events"] == 1


def test_until_they_are_merged_both_can_be_read(http: httpx.Client, sandbox: SandboxServer) -> None:
    sandbox.klaviyo.behaviour.job_seconds = 3600
    sarah, twin = make(http, email="sarah@example.com"), make(http, external_id="7")
    assert merge(http, sarah, twin).status_code == 202
    assert http.get(f"/api/profiles/{twin}").status_code == 200


def test_a_merge_has_one_source_that_is_there_and_another(http: httpx.Client) -> None:
    sarah, twin = make(http, email="sarah@example.com"), make(http, external_id="7")
    assert merge(http, sarah, sarah).status_code == 400
    assert pointers(merge(http, sarah, twin, sarah)) == ["/data/relationships/profiles/data"]
    assert merge(http, sarah, "NOPE").status_code == 404
    assert merge(http, "NOPE", twin).status_code == 404


@pytest.mark.parametrize("known", ["id", "email", "phone_number"])
def test_a_person_is_forgotten_with_all_there_is(http: httpx.Client, sandbox: SandboxServer, known: str) -> None:
    named = {"email": "sarah@example.com", "phone_number": "+14155550123"}
    sarah = make(http, **named)
    http.post("/api/events", json=single_body({"email": "sarah@example.com"}, unique_id="1"))
    answer = delete(http, id=sarah) if known == "id" else delete(http, {known: named[known]})
    assert (answer.status_code, answer.content) == (202, b"")
    assert http.get(f"/api/profiles/{sarah}").status_code == 404
    assert (sandbox.klaviyo.counts()["profiles"], sandbox.klaviyo.counts()["events"]) == (0, 0)


def test_a_deletion_names_one_identifier_and_need_not_find_anybody(http: httpx.Client) -> None:
    assert delete(http, {"email": "nobody@example.com"}).status_code == 202
    assert pointers(delete(http)) == ["/data/attributes/profile/data"]
    assert pointers(delete(http, {"email": "a@example.com", "phone_number": "+14155550123"})) == ["/data/attributes/profile/data"]
    assert pointers(delete(http, {"external_id": "7"})) == ["/data/attributes/profile/data/attributes/external_id"]


def test_an_id_that_nothing_has_is_not_deleted(http: httpx.Client) -> None:
    assert delete(http, id="01NOBODY").status_code == 404
    assert delete(http, {"email": "nobody@example.com"}).status_code == 202

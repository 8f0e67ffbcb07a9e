# SPDX-License-Identifier: Apache-2.0
"""The local Klaviyo's ``/client`` endpoints, as a browser asks them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.sandbox.klaviyo_client import client, pointers, profile, single_body

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

COMPANY = {"company_id": "SandBx"}
SARAH = {"email": "sarah@example.com"}
YES = {"email": {"marketing": {"consent": "SUBSCRIBED"}}}


@pytest.fixture
def browser(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    sandbox.klaviyo.behaviour.job_seconds = 0
    headers = {"Content-Type": "application/vnd.api+json", "revision": "2026-10-15"}
    with httpx.Client(base_url=sandbox.url, headers=headers, params=COMPANY, timeout=10) as made:
        yield made


@pytest.fixture
def http(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    with client(sandbox) as made:
        yield made


def subscription(who: dict[str, Any], list_id: str, **more: Any) -> dict[str, Any]:
    attributes = {"profile": {"data": profile(who)}, **more}
    return {
        "data": {"type": "subscription", "attributes": attributes, "relationships": {"list": {"data": {"type": "list", "id": list_id}}}}
    }


def back_in_stock(who: dict[str, Any], *channels: str) -> dict[str, Any]:
    variant = {"data": {"type": "catalog-variant", "id": "$custom:::$default:::1"}}
    attributes = {"profile": {"data": profile(who)}, "channels": list(channels)}
    return {"data": {"type": "back-in-stock-subscription", "attributes": attributes, "relationships": {"variant": variant}}}


def make_list(http: httpx.Client, opt_in: str) -> str:
    body = {"data": {"type": "list", "attributes": {"name": "News", "opt_in_process": opt_in}}}
    return str(http.post("/api/lists", json=body).json()["data"]["id"])


def people(http: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = http.get("/api/profiles", params={"additional-fields[profile]": "subscriptions"}).json()["data"]
    return [each["attributes"] for each in found]


@pytest.mark.parametrize("company", ["Other1", "", "pk_sandbox", "sandbx"])
def test_the_public_key_must_be_the_accounts(browser: httpx.Client, company: str) -> None:
    answer = browser.post("/client/events", params={"company_id": company}, json=single_body(SARAH))
    assert (answer.status_code, pointers(answer)) == (400, ["company_id"])


def test_without_a_public_key_nothing_is_done(sandbox: SandboxServer, http: httpx.Client) -> None:
    answer = http.post("/client/events", json=single_body(SARAH))
    assert answer.status_code == 400
    assert sandbox.klaviyo.counts()["events"] == 0


def test_a_private_key_is_refused(sandbox: SandboxServer, browser: httpx.Client) -> None:
    answer = browser.post("/client/events", json=single_body(SARAH), headers={"Authorization": "Klaviyo-API-Key pk_sandbox"})
    assert answer.status_code == 400
    assert "private key" in answer.json()["errors"][0]["detail"]
    assert sandbox.klaviyo.counts()["events"] == 0


def test_requests_are_counted_and_remembered(sandbox: SandboxServer, browser: httpx.Client) -> None:
    assert browser.post("/client/events", json=single_body(SARAH)).content == b""
    assert sandbox.klaviyo.requests == {"POST /client/events": 1}
    assert sandbox.klaviyo.received[-1].query == COMPANY


def test_an_event_is_recorded(browser: httpx.Client, http: httpx.Client) -> None:
    assert browser.post("/client/events", json=single_body(SARAH, metric="Viewed Product", unique_id="1")).status_code == 202
    assert browser.post("/client/events", json=single_body(SARAH, metric="Viewed Product", unique_id="1")).status_code == 202
    (event,) = http.get("/api/events").json()["data"]
    assert event["attributes"]["event_properties"] == {"$event_id": "1"}
    assert [each["email"] for each in people(http)] == ["sarah@example.com"]


def test_a_profile_is_made_and_changed_but_for_its_identifiers(browser: httpx.Client, http: httpx.Client) -> None:
    for more in ({"first_name": "Sarah"}, {"first_name": "Sara", "external_id": "7"}):
        assert browser.post("/client/profiles", json={"data": profile({**SARAH, **more})}).status_code == 202
    (sarah,) = people(http)
    assert (sarah["first_name"], sarah["external_id"]) == ("Sara", None)
    unknown = {"data": {**profile({"first_name": "Nobody"}), "id": "01J00000000000000000000000"}}
    assert browser.post("/client/profiles", json=unknown).status_code == 404


def test_a_list_of_single_opt_in_is_joined_at_once(browser: httpx.Client, http: httpx.Client) -> None:
    list_id = make_list(http, "single_opt_in")
    assert browser.post("/client/subscriptions", json=subscription({**SARAH, "subscriptions": YES}, list_id)).status_code == 202
    (sarah,) = people(http)
    assert sarah["subscriptions"]["email"]["marketing"]["consent"] == "SUBSCRIBED"
    assert len(http.get(f"/api/lists/{list_id}/profiles").json()["data"]) == 1


def test_who_names_no_channel_says_yes_to_marketing_where_it_can_reach_them(browser: httpx.Client, http: httpx.Client) -> None:
    body = subscription(
        {**SARAH, "phone_number": "+14155552671", "first_name": "Sarah"}, make_list(http, "single_opt_in"), custom_source="Footer"
    )
    assert browser.post("/client/subscriptions", json=body).status_code == 202
    (sarah,) = people(http)
    assert sarah["first_name"] == "Sarah"
    assert sarah["subscriptions"]["email"]["marketing"]["custom_method_detail"] == "Footer"
    assert sarah["subscriptions"]["sms"]["marketing"]["consent"] == "SUBSCRIBED"


def test_a_list_of_double_opt_in_waits_to_be_confirmed(sandbox: SandboxServer, browser: httpx.Client, http: httpx.Client) -> None:
    list_id = make_list(http, "double_opt_in")
    assert browser.post("/client/subscriptions", json=subscription({**SARAH, "subscriptions": YES}, list_id)).status_code == 202
    assert http.get(f"/api/lists/{list_id}/profiles").json()["data"] == []
    sandbox.klaviyo.confirm("sarah@example.com")
    assert len(http.get(f"/api/lists/{list_id}/profiles").json()["data"]) == 1


def test_a_wish_to_hear_that_something_is_back_is_taken(browser: httpx.Client, http: httpx.Client) -> None:
    assert browser.post("/client/back-in-stock-subscriptions", json=back_in_stock(SARAH, "EMAIL", "SMS")).status_code == 202
    assert [each["email"] for each in people(http)] == ["sarah@example.com"]


WHO = "/data/attributes/profile/data/attributes"


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("events", {"data": {**single_body(SARAH)["data"], "id": "1"}}, "/data/id"),
        ("profiles", {"data": profile({"first_name": "Nobody"})}, "/data/attributes"),
        ("profiles", {"data": profile({**SARAH, "subscriptions": YES})}, "/data/attributes/subscriptions"),
        ("subscriptions", {"data": {"type": "subscription", "attributes": {"profile": {"data": profile(SARAH)}}}}, "/data/relationships"),
        ("subscriptions", subscription({"email": "sarah"}, "X"), f"{WHO}/email"),
        ("subscriptions", subscription({**SARAH, "subscriptions": {"fax": {}}}, "X"), f"{WHO}/subscriptions"),
        ("subscriptions", subscription(SARAH, "X", historical_import=True), "/data/attributes/historical_import"),
        ("back-in-stock-subscriptions", back_in_stock(SARAH), "/data/attributes/channels"),
        ("back-in-stock-subscriptions", back_in_stock(SARAH, "FAX"), "/data/attributes/channels/0"),
        ("back-in-stock-subscriptions", back_in_stock({**SARAH, "first_name": "S"}, "EMAIL"), f"{WHO}/first_name"),
    ],
)
def test_a_body_is_checked(sandbox: SandboxServer, browser: httpx.Client, path: str, body: dict[str, Any], pointer: str) -> None:
    answer = browser.post(f"/client/{path}", json=body)
    assert (answer.status_code, pointers(answer)) == (400, [pointer])
    assert sandbox.klaviyo.counts()["profiles"] == 0


def test_who_cannot_be_reached_or_what_list_there_is_not_cannot_be_subscribed(browser: httpx.Client, http: httpx.Client) -> None:
    unreachable = browser.post("/client/subscriptions", json=subscription({"external_id": "7"}, make_list(http, "single_opt_in")))
    assert (unreachable.status_code, pointers(unreachable)) == (400, [WHO])
    assert browser.post("/client/subscriptions", json=subscription(SARAH, "nosuch")).status_code == 404
    assert people(http) == []


def test_a_revision_is_needed_and_limits_hold(sandbox: SandboxServer, browser: httpx.Client) -> None:
    assert browser.post("/client/events", json=single_body(SARAH), headers={"revision": ""}).status_code == 400
    answer = browser.post("/client/events", json=single_body(SARAH))
    assert answer.headers["ratelimit-limit"] == "350, 350;w=1, 3500;w=60"
    assert browser.get("/client/reviews").status_code == 501
    assert browser.get("/client/events").status_code == 405
    assert browser.get("/client/nothing").status_code == 404

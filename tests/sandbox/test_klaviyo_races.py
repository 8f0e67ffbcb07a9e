# SPDX-License-Identifier: Apache-2.0
"""What others do to the local Klaviyo's account between two requests of a client."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from airflow_provider_klaviyo.sandbox.klaviyo.meanwhile import DEEDS
from tests.sandbox.klaviyo_client import client
from tests.sandbox.test_klaviyo_consent import NO, SARAH, UNSUBSCRIBE, by_email, make_list, marketing, members, read, subscribe, unsubscribe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_klaviyo.sandbox.server import SandboxServer

TOM = "tom@example.com"
SUBSCRIBE = "/api/profile-subscription-bulk-create-jobs"


@pytest.fixture
def http(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    """Talk to a local Klaviyo that carries out at once what it accepts, and has Sarah and Tom."""
    sandbox.klaviyo.behaviour.job_seconds = 0
    with client(sandbox) as http:
        for email in (SARAH, TOM):
            http.post("/api/profiles", json={"data": {"type": "profile", "attributes": {"email": email}}})
        yield http


def test_somebody_unsubscribes_between_a_look_and_the_request_to_subscribe_them(sandbox: SandboxServer, http: httpx.Client) -> None:
    """Klaviyo subscribes them all the same: to look is not enough, and no guard closes that."""
    fault = sandbox.fail(SUBSCRIBE, method="POST", meanwhile={"unsubscribe": SARAH})
    assert marketing(http)["consent"] == "NEVER_SUBSCRIBED"
    assert subscribe(http, by_email(), list_id=make_list(http)).status_code == 202
    assert fault.hits == 1
    assert (marketing(http)["consent"], marketing(http)["suppression"]) == ("SUBSCRIBED", [])


def test_somebody_leaves_the_list_between_a_look_and_the_request_to_take_them_off_it(sandbox: SandboxServer, http: httpx.Client) -> None:
    """Klaviyo unsubscribes them everywhere then; who is still in the list leaves it alone."""
    vip = make_list(http)
    subscribe(http, by_email(), by_email(email=TOM), list_id=vip)
    sandbox.fail(UNSUBSCRIBE, method="POST", meanwhile={"leave_list": [vip, SARAH]})
    assert sorted(members(http, vip)) == [SARAH, TOM]
    assert unsubscribe(http, by_email(NO), by_email(NO, TOM), list_id=vip).status_code == 202
    assert members(http, vip) == []
    assert (marketing(http)["consent"], marketing(http, TOM)["consent"]) == ("UNSUBSCRIBED", "SUBSCRIBED")


def test_what_happens_comes_after_what_was_accepted_before(sandbox: SandboxServer, http: httpx.Client) -> None:
    vip = make_list(http)
    subscribe(http, by_email(), list_id=vip)
    sandbox.fail("/api/lists", meanwhile={"unsubscribe": SARAH})
    http.get("/api/lists")
    assert marketing(http)["consent"] == "UNSUBSCRIBED"


def test_all_that_can_happen_does(sandbox: SandboxServer, http: httpx.Client) -> None:
    vip, gone = make_list(http), make_list(http)
    subscribe(http, by_email(email="new@example.com"), list_id=make_list(http, "double_opt_in"))
    deeds: dict[str, Any] = {
        "subscribe": [SARAH, "anna@example.com"],
        "unsubscribe": TOM,
        "bounce": SARAH,
        "suppress": TOM,
        "confirm": "new@example.com",
        "join_list": [vip, SARAH, TOM],
        "leave_list": [vip, TOM],
        "delete_list": gone,
        "delete_profile": TOM,
        "foreign_jobs": 3,
        "foreign_traffic": 0.25,
    }
    assert deeds.keys() == DEEDS.keys()
    seen: list[str] = []
    for name, given in deeds.items():
        sandbox.fail("/api/lists", meanwhile={name: given})
        assert http.get("/api/lists").status_code == 200
        if name == "suppress":
            seen = [each["reason"] for each in marketing(http, TOM)["suppression"]]
    assert seen == ["UNSUBSCRIBE", "USER_SUPPRESSED"]
    assert marketing(http, "anna@example.com")["consent"] == "SUBSCRIBED"
    assert [each["reason"] for each in marketing(http)["suppression"]] == ["HARD_BOUNCE"]
    assert marketing(http, "new@example.com")["double_optin"] is True
    assert members(http, vip) == [SARAH]
    assert http.get(f"/api/lists/{gone}").status_code == 404
    assert read(http, TOM) is None
    assert (sandbox.klaviyo.counts()["jobs"], sandbox.klaviyo.limiter.foreign_share) == (3, 0.25)


def test_the_guide_names_all_that_can_happen() -> None:
    guide = (Path(__file__).parents[2] / "docs/guides/sandbox.md").read_text().partition("### Races")[2]
    assert set(re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in guide.splitlines() if line.startswith("| `")))) >= DEEDS.keys()


def test_it_happens_before_a_fault_of_another_kind(sandbox: SandboxServer, http: httpx.Client) -> None:
    sandbox.fail("/api/lists", status=503, meanwhile={"unsubscribe": SARAH, "bounce": TOM})
    assert http.get("/api/lists").status_code == 503
    assert (marketing(http)["consent"], marketing(http, TOM)["can_receive_email_marketing"]) == ("UNSUBSCRIBED", False)


@pytest.mark.parametrize(
    "deed", [{"unsubscribe": "nobody@example.com"}, {"leave_list": ["NoList", SARAH]}, {"delete_list": "NoList"}, {"confirm": SARAH}]
)
def test_what_cannot_happen_is_told_by_an_answer_that_nobody_sends_again(
    sandbox: SandboxServer, http: httpx.Client, deed: dict[str, Any]
) -> None:
    sandbox.fail("/api/lists", method="POST", meanwhile=deed)
    answer = http.post("/api/lists", json={"data": {"type": "list", "attributes": {"name": "VIP"}}})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "impossible")
    assert sandbox.klaviyo.counts()["lists"] == 0


@pytest.mark.parametrize(
    ("deed", "says"),
    [
        ({"resubscribe": SARAH}, "resubscribe"),
        ({"leave_list": []}, "list_id"),
        ({"delete_list": ["A", "B"]}, "too many"),
        ({"unsubscribe": {"email": SARAH}}, "texts or numbers"),
        ({"unsubscribe": None}, "texts or numbers"),
    ],
)
def test_what_never_happens_is_refused_when_it_is_queued(sandbox: SandboxServer, deed: dict[str, Any], says: str) -> None:
    with pytest.raises(TypeError, match=says):
        sandbox.fail("/api/lists", meanwhile=deed)
    answer = httpx.post(f"{sandbox.url}/_sandbox/faults", json={"meanwhile": deed})
    assert answer.status_code == 422
    assert says in answer.text


def test_races_are_queued_over_http_too(sandbox: SandboxServer, http: httpx.Client) -> None:
    fault = {"path": SUBSCRIBE, "method": "POST", "meanwhile": {"unsubscribe": [SARAH]}}
    assert http.post("/_sandbox/faults", json=fault).json()["meanwhile"] == {"unsubscribe": [SARAH]}
    subscribe(http, by_email(email=TOM), list_id=make_list(http))
    assert marketing(http)["consent"] == "UNSUBSCRIBED"


def test_a_test_may_let_anything_happen(sandbox: SandboxServer, http: httpx.Client) -> None:
    happened: list[str] = []
    fault = sandbox.fail("/api/lists", meanwhile=lambda: happened.append("rain"))
    assert http.get("/api/lists").status_code == 200
    assert happened == ["rain"]
    assert "lambda" in fault.describe()["meanwhile"]

# SPDX-License-Identifier: Apache-2.0
"""Campaigns of the local Klaviyo: strict bodies, and a life from draft to its end."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from airflow_provider_klaviyo.sandbox.klaviyo.behaviour import Behaviour
from airflow_provider_klaviyo.sandbox.klaviyo.gate import Incoming
from airflow_provider_klaviyo.sandbox.klaviyo.router import respond
from airflow_provider_klaviyo.sandbox.klaviyo.state import KlaviyoState
from tests.sandbox.klaviyo_client import HEADERS

Json = dict[str, Any]
EMAIL: Json = {"channel": "email", "subject": "Hi"}
HEADER = {name.lower(): value for name, value in HEADERS.items()}


class Account:
    """An account whose clock a test moves."""

    def __init__(self) -> None:
        self.now = time.time()
        self.state = KlaviyoState(Behaviour(limits="off", job_seconds=60), clock=lambda: self.now)
        self.list_id = self.ask("POST", "/api/lists", {"type": "list", "attributes": {"name": "VIP"}})["data"]["id"]

    def ask(self, method: str, path: str, data: Json | None = None, *, status: int | None = None) -> Any:
        """Ask for something and return the answer, which is a good one unless said otherwise."""
        path, _, query = path.partition("?")
        raw = json.dumps({"data": data}).encode() if data else b""
        answer = respond(self.state, Incoming(method, path, query, HEADER, raw))
        assert answer.status_code == status if status else answer.status_code < 300, bytes(answer.body)
        return json.loads(bytes(answer.body)) if answer.body else None

    def make(self, **attributes: Any) -> Json:
        """Make a campaign to the list, and return it."""
        audience = {"temporary_id": "a", "included": [self.list_id]}
        message = {"audience_temporary_id": "a", "variations": [{"definition": {"details": EMAIL}}]}
        given = {"definition": {"name": "Sale"}, "audiences": [audience], "messages": [message], **attributes}
        made: Json = self.ask("POST", "/api/campaigns", {"type": "campaign", "attributes": given})["data"]
        return made

    def send(self, campaign: Json, *, status: int | None = None) -> Any:
        """Send a campaign."""
        return self.ask("POST", "/api/campaign-send-jobs", {"type": "campaign-send-job", "id": campaign["id"]}, status=status)

    def schedule(self, campaign: Json, message: Json, *, status: int | None = None) -> None:
        """Have a message of a campaign sent in an hour."""
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.now + 3600))
        data: Json = {
            "type": "campaign-schedule",
            "attributes": {"message_schedules": [{"message_id": message["id"], "strategy": "static", "send_time": at}]},
            "relationships": {"campaign": {"data": {"type": "campaign", "id": campaign["id"]}}},
        }
        self.ask("POST", "/api/campaign-schedule", data, status=status)

    def stop(self, campaign: Json, action: str, *, status: int | None = None) -> Any:
        """Stop a campaign."""
        data = {"type": "campaign-send-job", "id": campaign["id"], "attributes": {"action": action}}
        return self.ask("PATCH", f"/api/campaign-send-jobs/{campaign['id']}", data, status=status)

    def standing(self, campaign: Json) -> list[str]:
        """Return where the messages of a campaign stand."""
        included = self.ask("GET", f"/api/campaigns/{campaign['id']}?include=campaign-messages")["included"]
        return [each["attributes"]["definition"]["status"] for each in included]

    def job(self, campaign: Json) -> str:
        """Return what the job says that sends a campaign."""
        return str(self.ask("GET", f"/api/campaign-send-jobs/{campaign['id']}")["data"]["attributes"]["status"])


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.mark.parametrize(
    ("attributes", "pointer"),
    [
        ({"name": "Sale"}, "/data/attributes/name"),
        ({"definition": {"name": "Sale", "status": "sent"}}, "/data/attributes/definition/status"),
        ({"definition": {"color": "red"}}, "/data/attributes/definition/color"),
        ({"audiences": [{"name": "VIP"}], "messages": []}, "/data/attributes/audiences/0/temporary_id"),
        ({"audiences": [{"temporary_id": "a", "included": ["NoList"]}]}, "/data/attributes/audiences/0/included/0"),
        ({"messages": [{"audience_temporary_id": "z"}]}, "/data/attributes"),
        (
            {"messages": [{"audience_temporary_id": "a", "variations": [{"definition": {"details": {**EMAIL, "html": "x"}}}]}]},
            "/data/attributes/messages/0/variations/0/definition/details/html",
        ),
    ],
)
def test_a_body_that_is_none_of_a_campaign_is_pointed_at(account: Account, attributes: Json, pointer: str) -> None:
    audiences = [{"temporary_id": "a", "included": [account.list_id]}]
    given = {"definition": {"name": "Sale"}, "audiences": audiences, **attributes}
    refused = account.ask("POST", "/api/campaigns", {"type": "campaign", "attributes": given}, status=400)
    assert pointer in {each["source"]["pointer"] for each in refused["errors"]}


def test_a_campaign_shows_what_it_is_made_of(account: Account) -> None:
    made = account.make()
    nothing = dict.fromkeys(("color", "description", "send_settings"))
    assert made["attributes"]["definition"] == {"name": "Sale", "builder": "wizard", "archived": False, **nothing}
    read = account.ask("GET", f"/api/campaigns/{made['id']}?include=campaign-audiences,campaign-messages")
    audience, message = read["included"]
    assert audience["attributes"]["definition"]["included"] == [account.list_id]
    assert message["attributes"]["definition"]["status"] == "draft"
    shown = read["data"]["relationships"]
    assert [each["id"] for each in shown["campaign-audiences"]["data"]] == [audience["id"]]
    assert [each["id"] for each in shown["campaign-messages"]["data"]] == [message["id"]]


def test_a_campaign_goes_from_draft_to_sent_and_its_job_is_complete_before(account: Account) -> None:
    made = account.make()
    assert account.send(made)["data"]["attributes"] == {"status": "queued"}
    seen = []
    for _ in range(3):
        seen.append((account.job(made), account.standing(made)))
        account.now += 60
    assert seen == [("queued", ["draft"]), ("complete", ["sending"]), ("complete", ["sent"])]


def test_it_may_end_otherwise(account: Account) -> None:
    account.state.behaviour.campaigns_end = "cancelled"
    made = account.make()
    account.send(made)
    account.now += 120
    assert account.standing(made) == ["cancelled"]


@pytest.mark.parametrize("reading", ["refuse", "take"])
def test_what_is_on_its_way_is_not_sent_again(account: Account, reading: Any) -> None:
    """Whether that holds while a job is about to send it, is for the account to say."""
    account.state.behaviour.sent_again = reading
    made = account.make()
    account.send(made)
    account.send(made, status=400 if reading == "refuse" else 202)
    for _ in range(2):
        account.now += 60
        account.send(made, status=400)
    assert account.standing(made) == ["sent"]


@pytest.mark.parametrize("seconds", [0, 60], ids=["queued", "sending"])
def test_a_campaign_that_is_stopped_stays_so(account: Account, seconds: float) -> None:
    reverted, cancelled = account.make(), account.make()
    for each in (reverted, cancelled):
        account.send(each)
    account.now += seconds
    account.stop(reverted, "revert")
    account.stop(cancelled, "cancel")
    account.now += 600
    assert (account.standing(reverted), account.standing(cancelled)) == (["draft"], ["cancelled"])
    account.stop(cancelled, "cancel", status=400)
    account.send(cancelled, status=400)
    account.send(reverted)
    account.now += 120
    assert account.standing(reverted) == ["sent"]


def test_a_scheduled_campaign_goes_out_at_its_time(account: Account) -> None:
    made = account.make()
    (message,) = made["relationships"]["campaign-messages"]["data"]
    account.schedule(made, message)
    assert account.standing(made) == ["scheduled"]
    account.now += 3_600 + 120
    assert account.standing(made) == ["sent"]
    account.schedule(made, message, status=400)


@pytest.mark.parametrize(("action", "stopped"), [("cancel", "cancelled"), ("revert", "draft")])
def test_what_has_left_is_not_called_back(account: Account, action: str, stopped: str) -> None:
    message = {"audience_temporary_id": "a", "variations": [{"definition": {"details": EMAIL}}]}
    made = account.make(messages=[message, message])
    first, second = made["relationships"]["campaign-messages"]["data"]
    account.schedule(made, first)
    account.now += 3_600 + 120
    account.schedule(made, second)
    account.stop(made, action)
    assert sorted(account.standing(made)) == sorted(["sent", stopped])


def test_a_copy_is_a_draft_of_its_own(account: Account) -> None:
    made = account.make()
    account.send(made)
    account.now += 120
    copy = account.ask("POST", "/api/campaign-clone", {"type": "campaign", "id": made["id"], "attributes": {}})["data"]
    assert copy["attributes"]["definition"]["name"] == "Copy of Sale"
    account.ask("DELETE", f"/api/campaigns/{made['id']}")
    assert account.standing(copy) == ["draft"]
    account.ask("GET", f"/api/campaigns/{made['id']}", status=404)


def test_whoever_is_in_a_list_and_in_no_excluded_one_is_estimated(account: Account) -> None:
    people = [
        account.ask("POST", "/api/profiles", {"type": "profile", "attributes": {"email": f"{name}@example.com"}})["data"]["id"]
        for name in "abc"
    ]
    other = account.ask("POST", "/api/lists", {"type": "list", "attributes": {"name": "Not"}})["data"]["id"]
    for list_id, members in ((account.list_id, people), (other, people[:1])):
        account.state.db.executemany("INSERT INTO members VALUES (?, ?, 0)", [(list_id, each) for each in members])
    made = account.make(audiences=[{"temporary_id": "a", "included": [account.list_id], "excluded": [other]}])
    job = {"type": "campaign-recipient-estimation-job", "id": made["id"]}
    assert account.ask("POST", "/api/campaign-recipient-estimation-jobs", job)["data"]["attributes"]["status"] == "processing"
    account.ask("GET", f"/api/campaign-recipient-estimations/{made['id']}", status=404)
    account.now += 60
    estimated = account.ask("GET", f"/api/campaign-recipient-estimations/{made['id']}")
    assert estimated["data"]["attributes"] == {"estimated_recipient_count": 2}
    account.state.behaviour.estimations = False
    for path in ("estimation-jobs", "estimations"):
        account.ask("GET", f"/api/campaign-recipient-{path}/{made['id']}", status=404)

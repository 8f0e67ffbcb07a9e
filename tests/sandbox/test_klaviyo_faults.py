# SPDX-License-Identifier: Apache-2.0
"""Faults queued at the sandbox, by a test and over HTTP, and its other controls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.sandbox.klaviyo_client import client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_klaviyo.sandbox.server import SandboxServer

NEW = {"data": {"type": "list", "attributes": {"name": "VIP"}}}


@pytest.fixture
def http(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    with client(sandbox) as made:
        yield made


@pytest.mark.parametrize(("drop", "lists"), [("before", 0), ("after", 1)])
def test_a_connection_drops_before_or_after_the_request_is_carried_out(
    sandbox: SandboxServer, http: httpx.Client, drop: Any, lists: int
) -> None:
    fault = sandbox.fail("/api/lists", method="POST", drop=drop)
    with pytest.raises(httpx.RemoteProtocolError):
        http.post("/api/lists", json=NEW)
    assert fault.hits == 1
    assert sandbox.klaviyo.counts()["lists"] == lists
    assert http.post("/api/lists", json=NEW).status_code == 201


def test_a_body_breaks_off(sandbox: SandboxServer, http: httpx.Client) -> None:
    sandbox.fail("/api/lists", truncate=0.5)
    with pytest.raises(httpx.RemoteProtocolError, match="complete message body"):
        http.post("/api/lists", json=NEW)
    assert sandbox.klaviyo.counts()["lists"] == 1


@pytest.mark.parametrize(("acted", "lists"), [(False, 0), (True, 1)])
def test_an_error_comes_with_or_without_the_deed(sandbox: SandboxServer, http: httpx.Client, lists: int, *, acted: bool) -> None:
    sandbox.fail("/api/lists", status=503, acted=acted)
    answer = http.post("/api/lists", json=NEW)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (503, "error")
    assert sandbox.klaviyo.counts()["lists"] == lists


def test_a_gateway_answers_with_a_page(sandbox: SandboxServer, http: httpx.Client) -> None:
    sandbox.fail("/api/lists", status=502, body="<html>Bad Gateway</html>")
    answer = http.get("/api/lists")
    assert (answer.status_code, answer.headers["content-type"], answer.text) == (502, "text/html", "<html>Bad Gateway</html>")


def test_a_429_is_as_recorded_unless_it_is_told_otherwise(sandbox: SandboxServer, http: httpx.Client) -> None:
    sandbox.fail("/api/lists", status=429)
    sandbox.fail("/api/lists", status=429, headers={"retry-after": "Fri, 20 Nov 2026 12:00:00 GMT"})
    answers = [http.get("/api/lists") for _ in range(3)]
    assert [each.headers.get("retry-after") for each in answers] == ["1", "Fri, 20 Nov 2026 12:00:00 GMT", None]
    assert "ratelimit-limit" not in answers[0].headers
    assert sandbox.klaviyo.requests == {"GET /api/lists": 3, "429": 2}


def test_faults_last_for_a_time_or_wait_their_turn(sandbox: SandboxServer, http: httpx.Client) -> None:
    sandbox.fail("/api/lists", status=500, seconds=60)
    sandbox.fail("/api/profiles", status=500, skip=1, times=2)
    assert {http.get("/api/lists").status_code for _ in range(5)} == {500}
    assert [http.get("/api/profiles").status_code for _ in range(4)] == [200, 500, 500, 200]


def test_an_answer_comes_too_late(sandbox: SandboxServer, http: httpx.Client) -> None:
    sandbox.fail("/api/lists", delay_after=0.5)
    with pytest.raises(httpx.ReadTimeout):
        http.post("/api/lists", json=NEW, timeout=0.2)
    assert sandbox.klaviyo.counts()["lists"] == 1


def test_a_fault_that_takes_no_such_word_is_refused(sandbox: SandboxServer) -> None:
    with pytest.raises(TypeError, match="sttus"):
        sandbox.fail("/api/lists", sttus=500)
    assert httpx.post(f"{sandbox.url}/_sandbox/faults", json={"sttus": 500}).status_code == 422


def test_all_can_be_done_over_http(sandbox: SandboxServer, http: httpx.Client) -> None:
    assert http.get("/_sandbox/health").json() == {"status": "ok"}
    assert http.post("/_sandbox/faults", json={"path": "/api/lists", "status": 500}).json()["spent"] is False
    assert [http.get("/api/lists").status_code for _ in range(2)] == [500, 200]
    assert http.get("/_sandbox/requests").json() == {"GET /api/lists": 2}
    assert http.post("/_sandbox/settings", json={"reused_unique_id": "refuse"}).json()["reused_unique_id"] == "refuse"
    for wrong in ({"colour": "red"}, {"limits": "some"}, {"job_seconds": "soon"}):
        assert http.post("/_sandbox/settings", json=wrong).status_code == 422
    assert http.post("/_sandbox/settings", json={"keys": {"pk_sandbox": None, "pk_reader": ["profiles:read"]}}).status_code == 200
    assert http.post("/api/lists", json=NEW, headers={"Authorization": "Klaviyo-API-Key pk_reader"}).status_code == 403
    http.post("/api/lists", json=NEW)
    assert http.get("/_sandbox/counts").json()["lists"] == 1
    http.post("/_sandbox/reset")
    assert http.get("/_sandbox/requests").json() == {}
    assert sandbox.klaviyo.behaviour.reused_unique_id == "drop"
    assert http.get("/_sandbox/counts").json()["lists"] == 0


def test_people_unsubscribe_while_a_load_runs(sandbox: SandboxServer, http: httpx.Client) -> None:
    http.post("/api/profiles", json={"data": {"type": "profile", "attributes": {"email": "a@example.com"}}})
    sandbox.klaviyo.unsubscribe("A@example.com")
    (profile,) = http.get("/api/profiles", params={"additional-fields[profile]": "subscriptions"}).json()["data"]
    marketing = profile["attributes"]["subscriptions"]["email"]["marketing"]
    assert (marketing["consent"], marketing["can_receive_email_marketing"]) == ("UNSUBSCRIBED", False)

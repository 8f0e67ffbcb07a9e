# SPDX-License-Identifier: Apache-2.0
"""Both sessions against a server on this machine that answers as told. Waiting is simulated, the network is not."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from airflow_provider_klaviyo import __version__
from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoConfigError, KlaviyoError, KlaviyoUnanswered
from airflow_provider_klaviyo.api.request import Request, at
from airflow_provider_klaviyo.pacing import KlaviyoLimitSpent, Pacer
from airflow_provider_klaviyo.session import AsyncSession, Session, open_async_session, open_session
from airflow_provider_klaviyo.settings import Settings
from tests.kit import KEY, Answer, Client, Klaviyo

HTML = b"<html><body>502 Bad Gateway</body></html>"


@pytest.fixture
def klaviyo() -> Iterator[Klaviyo]:
    server = Klaviyo()
    yield server
    server.close()


@pytest.fixture(params=["blocking", "awaiting"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def client(kind: str, klaviyo: Klaviyo) -> Client:
    return Client(kind, klaviyo.url)


READ: Request[Any] = Request("GET", "/api/lists")
CREATE: Request[Any] = Request("POST", "/api/lists", json={"data": {"type": "list", "attributes": {"name": "VIP"}}})
UPSERT: Request[Any] = Request("POST", "/api/profile-import", json={"data": {"type": "profile"}}, replayable=True)
DELETE: Request[Any] = Request("DELETE", "/api/lists/Y6nRLr")
THROTTLED = {"errors": [{"status": 429, "code": "throttled", "detail": "Request was throttled."}]}


# ── what goes out ──────────────────────────────────────────────────────────────────


def test_every_request_carries_the_key_the_revision_and_the_opt_out(client: Client, klaviyo: Klaviyo) -> None:
    client.send(READ)
    headers = klaviyo.received[0].headers
    assert headers["authorization"] == f"Klaviyo-API-Key {KEY}"
    assert headers["revision"] == "2026-10-15"
    assert headers["x-klaviyo-revision-fall-forward-opt-out"] == "1"
    assert headers["accept"] == "application/vnd.api+json"
    assert headers["user-agent"] == f"airflow-provider-klaviyo/{__version__}"
    assert "content-type" not in headers


def test_a_body_goes_as_json_api(client: Client, klaviyo: Klaviyo) -> None:
    client.send(CREATE)
    assert json.loads(klaviyo.received[0].body) == CREATE.json
    assert klaviyo.received[0].headers["content-type"] == "application/vnd.api+json"


def test_ids_and_queries_arrive_quoted(client: Client, klaviyo: Klaviyo) -> None:
    client.send(
        Request("GET", at("/api/lists/{}/profiles", "a/../b?c#d é"), params={"filter": 'equals(email,"a+b@c.d")', "page[size]": 100})
    )
    assert klaviyo.names == [
        "GET /api/lists/a%2F..%2Fb%3Fc%23d%20%C3%A9/profiles?filter=equals%28email%2C%22a%2Bb%40c.d%22%29&page%5Bsize%5D=100"
    ]


@pytest.mark.parametrize("path", ["https://evil.example/api/lists", "//evil.example/api", "api/lists", "", "/api/\nlists"])
def test_only_paths_on_our_own_host_are_sent(client: Client, klaviyo: Klaviyo, path: str) -> None:
    with pytest.raises(KlaviyoConfigError, match=r"goes to a path on http://127\.0\.0\.1"):
        client.send(Request("GET", path))
    assert klaviyo.received == []


def test_compressed_bodies_arrive_compressed(client: Client, klaviyo: Klaviyo) -> None:
    body = gzip.compress(b'{"data": {}}')
    client.send(Request("POST", "/api/profile-bulk-import-jobs", body=body, replayable=True))
    [received] = klaviyo.received
    assert (received.body, received.headers["content-encoding"]) == (body, "gzip")
    assert received.headers["content-type"] == "application/vnd.api+json"


def test_where_compressed_bodies_are_not_taken_the_session_remembers(client: Client, klaviyo: Klaviyo) -> None:
    klaviyo.answers = [Answer(415), Answer(202)]
    bulk: Request[Any] = Request("POST", "/api/event-bulk-create-jobs", body=gzip.compress(b'{"data": {}}'))
    client.send(bulk, bulk)
    assert [each.headers.get("content-encoding") for each in klaviyo.received] == ["gzip", None, None]
    assert [each.body for each in klaviyo.received[1:]] == [b'{"data": {}}'] * 2
    assert client.now == 0


def test_a_415_of_a_plain_body_is_an_error(client: Client, klaviyo: Klaviyo) -> None:
    klaviyo.answers = [Answer(415)]
    with pytest.raises(KlaviyoApiError, match="answered 415"):
        client.send(Request("POST", "/api/event-bulk-create-jobs", body=gzip.compress(b"{}")))
    assert len(klaviyo.received) == 2


# ── what comes back ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("status", "body"), [(202, b""), (204, b""), (200, b" \n")])
def test_empty_answers_are_read_as_empty_objects(client: Client, klaviyo: Klaviyo, status: int, body: bytes) -> None:
    klaviyo.answers = [Answer(status, body)]
    assert client.send(CREATE) == {}


def test_any_success_is_read_by_the_request(client: Client, klaviyo: Klaviyo) -> None:
    klaviyo.answers = [Answer(201, {"data": {"id": "Y6nRLr"}})]
    assert client.send(Request("POST", "/api/lists", json={}, read=lambda answer: answer["data"]["id"])) == "Y6nRLr"


def test_a_wrong_key_names_the_connection_and_the_prefix(client: Client, klaviyo: Klaviyo) -> None:
    klaviyo.answers = [Answer(401, {"errors": [{"code": "authentication_failed", "detail": "Incorrect authentication credentials."}]})]
    with pytest.raises(KlaviyoApiError, match=r"'shop'.*pk_") as refused:
        client.send(READ)
    assert refused.value.permanent
    assert len(klaviyo.received) == 1


def test_a_missing_scope_is_named(client: Client, klaviyo: Klaviyo) -> None:
    klaviyo.answers = [Answer(403, {"errors": [{"code": "permission_denied", "detail": "No."}]})]
    with pytest.raises(KlaviyoApiError, match="lists:write"):
        client.send(CREATE)


def test_a_retired_revision_says_what_to_set(client: Client, klaviyo: Klaviyo) -> None:
    klaviyo.answers = [Answer(410)]
    with pytest.raises(KlaviyoApiError, match=r"410.*revision.*remove `revision`"):
        client.send(READ)


def test_redirects_are_not_followed(client: Client, klaviyo: Klaviyo) -> None:
    klaviyo.answers = [Answer(302, b"moved", {"Location": f"{klaviyo.url}/elsewhere"})]
    with pytest.raises(KlaviyoApiError, match="redirects are not followed"):
        client.send(READ)
    assert klaviyo.names == ["GET /api/lists"]


@pytest.mark.parametrize("body", [b'{"data": [', b"[1, 2]", HTML, b"\xff\xfe"])
def test_a_success_without_a_json_object_counts_as_unanswered(client: Client, klaviyo: Klaviyo, body: bytes) -> None:
    klaviyo.answers = [Answer(200, body)]
    with pytest.raises(KlaviyoUnanswered, match="no JSON object") as unanswered:
        client.send(CREATE)
    assert unanswered.value.sent
    assert len(klaviyo.received) == 1


@pytest.mark.parametrize("body", [b"", b" \n", b"{}", b'{"links": {}}', b"[]"])
def test_a_read_without_data_is_unanswered_and_made_again(client: Client, klaviyo: Klaviyo, body: bytes) -> None:
    klaviyo.answers = [Answer(200, body), page("1")]
    assert client.walk(READ) == [{"id": "1"}]
    assert klaviyo.names == [READ.name] * 2


def test_a_read_that_never_has_data_is_an_error_and_no_empty_list(kind: str, klaviyo: Klaviyo) -> None:
    klaviyo.answers = [page("1", following=f"{klaviyo.url}/api/lists?page%5Bcursor%5D=b"), Answer(200, b"")]
    with pytest.raises(KlaviyoUnanswered, match="200 without data") as unanswered:
        Client(kind, klaviyo.url, max_attempts=2).walk(READ)
    assert unanswered.value.sent
    assert len(klaviyo.received) == 3


@pytest.mark.parametrize("data", [{"type": "list", "id": "Y6nRLr"}, None, "list"])
def test_walking_what_is_no_list_is_an_error(client: Client, klaviyo: Klaviyo, data: Any) -> None:
    klaviyo.answers = [Answer(200, {"data": data})]
    with pytest.raises(KlaviyoError, match=r"GET /api/lists/Y6nRLr .*no list") as refused:
        client.walk(Request("GET", "/api/lists/Y6nRLr"))
    assert refused.value.permanent


# ── what goes wrong: design section 4 ──────────────────────────────────────────────

BROKEN = [
    *(Answer(status, {"errors": [{"code": "error"}]}) for status in (500, 502, 503, 504)),
    Answer(502, HTML, {"Content-Type": "text/html"}),
    Answer(fate="drop"),
    Answer(200, {"data": {"id": "Y6nRLr"}}, fate="cut"),
    Answer(200, b'{"data": ['),
]


@pytest.mark.parametrize("answer", BROKEN, ids=str)
def test_what_may_be_repeated_is_repeated_after_a_while(client: Client, klaviyo: Klaviyo, answer: Answer) -> None:
    klaviyo.answers = [answer, answer, Answer(200, {"data": "done"})]
    assert client.send(UPSERT) == {"data": "done"}
    assert klaviyo.names == [UPSERT.name] * 3
    assert [int(seconds) for seconds in client.slept if seconds >= 1] == [1, 2]


@pytest.mark.parametrize("answer", BROKEN, ids=str)
def test_what_may_not_be_repeated_is_not(client: Client, klaviyo: Klaviyo, answer: Answer) -> None:
    klaviyo.answers = [answer, Answer(200)]
    with pytest.raises((KlaviyoApiError, KlaviyoUnanswered)) as error:
        client.send(CREATE)
    assert klaviyo.names == [CREATE.name]
    assert not error.value.permanent
    if isinstance(error.value, KlaviyoUnanswered):
        assert error.value.sent


def test_a_page_of_a_proxy_is_described_and_not_quoted(client: Client, klaviyo: Klaviyo) -> None:
    klaviyo.answers = [Answer(502, HTML, {"Content-Type": "text/html"})]
    with pytest.raises(KlaviyoApiError, match=r"answered 502.*text/html instead of JSON"):
        client.send(CREATE)


@pytest.mark.parametrize(("request_", "times"), [(UPSERT, 3), (CREATE, 1)])
def test_a_time_out(kind: str, klaviyo: Klaviyo, request_: Request[Any], times: int) -> None:
    klaviyo.answers = [Answer(fate="stall")]
    client = Client(kind, klaviyo.url, timeout=0.1, max_attempts=3)
    with pytest.raises(KlaviyoUnanswered, match=r"ReadTimeout.*may have been carried out") as unanswered:
        client.send(request_)
    assert unanswered.value.sent
    assert len(klaviyo.received) == times


def test_an_outcome_once_unknown_stays_unknown_though_the_last_attempt_was_not_sent(kind: str, klaviyo: Klaviyo) -> None:
    klaviyo.answers = [Answer(fate="drop")]
    client = Client(kind, klaviyo.url, max_attempts=3, while_waiting=klaviyo.close)
    with pytest.raises(KlaviyoUnanswered, match=r"ConnectError.*may have been carried out") as unanswered:
        client.send(UPSERT)
    assert unanswered.value.sent
    assert klaviyo.names == [UPSERT.name]


def test_where_nobody_listens_even_what_is_not_repeatable_is_tried_again(kind: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = Client(kind, f"http://127.0.0.1:{unused.getsockname()[1]}", max_attempts=4)
        with pytest.raises(KlaviyoUnanswered, match=r"ConnectError.*was not sent") as unanswered:
            client.send(CREATE)
    assert not unanswered.value.sent
    assert [int(seconds) for seconds in client.slept if seconds >= 1] == [1, 2, 4]


@pytest.mark.parametrize("status", [400, 404, 405, 409, 422])
def test_other_refusals_are_raised_at_once(client: Client, klaviyo: Klaviyo, status: int) -> None:
    klaviyo.answers = [Answer(status, {"errors": [{"code": "invalid", "source": {"pointer": "/data"}}]})]
    with pytest.raises(KlaviyoApiError, match=f"answered {status}") as refused:
        client.send(UPSERT)
    assert refused.value.permanent
    assert (len(klaviyo.received), client.slept) == (1, [])


def test_a_429_is_waited_for_and_anything_may_go_again(client: Client, klaviyo: Klaviyo) -> None:
    klaviyo.answers = [Answer(429, THROTTLED, {"Retry-After": "7"}), Answer(201, {"data": "done"})]
    assert client.send(CREATE) == {"data": "done"}
    assert client.now >= 7
    assert client.requests == {"POST /api/lists": 2, "429": 1}


def test_429_for_a_whole_minute_costs_no_attempt(kind: str, klaviyo: Klaviyo) -> None:
    klaviyo.answers = [*[Answer(429, THROTTLED, {"Retry-After": "1"})] * 60, Answer(200, {"data": "done"})]
    client = Client(kind, klaviyo.url, max_attempts=1)
    assert client.send(READ) == {"data": "done"}
    assert client.requests == {"GET /api/lists": 61, "429": 60}
    assert 60 <= client.now < 600


def test_an_http_date_in_retry_after_is_waited_for(client: Client, klaviyo: Klaviyo) -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
    klaviyo.answers = [Answer(429, THROTTLED, {"Retry-After": moment}), Answer(200)]
    client.send(READ)
    assert 35 < client.now <= 41


def test_a_429_that_outlasts_the_deadline_is_raised_at_once(kind: str, klaviyo: Klaviyo) -> None:
    klaviyo.answers = [Answer(429, THROTTLED, {"Retry-After": "3600"})]
    client = Client(kind, klaviyo.url, deadline=300)
    with pytest.raises(KlaviyoApiError, match="rate_share") as refused:
        client.send(READ)
    assert not refused.value.permanent
    assert client.now == 0
    with pytest.raises(KlaviyoLimitSpent, match="Klaviyo asked to wait"):
        client.send(READ)
    assert len(klaviyo.received) == 1, "the pace is held for every session of the account"


def test_the_deadline_bounds_everything(kind: str, klaviyo: Klaviyo) -> None:
    klaviyo.answers = [Answer(503)]
    client = Client(kind, klaviyo.url, max_attempts=100, deadline=120)
    with pytest.raises(KlaviyoApiError, match="answered 503"):
        client.send(READ)
    assert 60 < client.now <= 120


@pytest.mark.parametrize("first", [Answer(502), Answer(fate="drop"), Answer(504, HTML)], ids=str)
def test_deleting_what_an_unknown_attempt_has_deleted_is_success(client: Client, klaviyo: Klaviyo, first: Answer) -> None:
    klaviyo.answers = [first, Answer(404, {"errors": [{"code": "not_found"}]})]
    assert client.send(DELETE) == {}


@pytest.mark.parametrize("answers", [[], [Answer(429, THROTTLED, {"Retry-After": "1"})]], ids=["at once", "after a 429"])
def test_deleting_what_never_was_is_an_error(client: Client, klaviyo: Klaviyo, answers: list[Answer]) -> None:
    klaviyo.answers = [*answers, Answer(404, {"errors": [{"code": "not_found"}]})]
    with pytest.raises(KlaviyoApiError, match="Y6nRLr"):
        client.send(DELETE)


# ── pages ──────────────────────────────────────────────────────────────────────────


def page(*ids: str, following: str | None = None) -> Answer:
    return Answer(200, {"data": [{"id": each} for each in ids], "links": {"next": following}})


def test_walking_yields_the_items_of_all_pages(client: Client, klaviyo: Klaviyo) -> None:
    klaviyo.answers = [
        page("1", "2", following=f"{klaviyo.url}/api/lists?page%5Bcursor%5D=b&sort=-name"),
        page(following=f"{klaviyo.url}/api/lists?page%5Bcursor%5D=c"),
        page("3"),
    ]
    assert [each["id"] for each in client.walk(Request("GET", "/api/lists", params={"sort": "-name"}))] == ["1", "2", "3"]
    assert klaviyo.names == [
        "GET /api/lists?sort=-name",
        "GET /api/lists?page%5Bcursor%5D=b&sort=-name",
        "GET /api/lists?page%5Bcursor%5D=c",
    ]


@pytest.mark.parametrize("path", ["/api/lists?page%5Bcursor%5D=b", "//evil.example/api/lists"])
def test_links_to_another_host_do_not_take_the_key_there(client: Client, klaviyo: Klaviyo, path: str) -> None:
    stranger = Klaviyo()
    try:
        klaviyo.answers = [page("1", following=f"{stranger.url}{path}"), page("2")]
        if path.startswith("//"):
            with pytest.raises(KlaviyoConfigError):
                client.walk(READ)
        else:
            assert len(client.walk(READ)) == 2
        assert stranger.received == []
    finally:
        stranger.close()


def test_links_that_go_round_in_a_circle_are_an_error(client: Client, klaviyo: Klaviyo) -> None:
    klaviyo.answers = [
        page("1", following=f"{klaviyo.url}/api/lists?page%5Bcursor%5D=b"),
        page("2", following=f"{klaviyo.url}/api/lists?page%5Bcursor%5D=c"),
        page("3", following=f"{klaviyo.url}/api/lists?page%5Bcursor%5D=b"),
    ]
    with pytest.raises(KlaviyoError, match="read before"):
        client.walk(READ)
    assert len(klaviyo.received) == 3


# ── counting, pacing, threads ──────────────────────────────────────────────────────


def test_requests_are_counted_by_template(client: Client) -> None:
    client.send(
        Request("GET", at("/api/lists/{}", "A")),
        Request("GET", at("/api/lists/{}", "B")),
        Request("GET", "/api/new-thing/", params={"a": "b"}),
    )
    assert client.requests == {"GET /api/lists/{id}": 2, "GET /api/new-thing/": 1}


def test_requests_keep_the_pace_of_their_operation(client: Client, klaviyo: Klaviyo) -> None:
    client.send(*[Request("GET", "/api/accounts")] * 3)
    assert 2 < client.now < 10, "one a second"
    assert len(klaviyo.received) == 3


def test_limits_in_answers_lower_the_pace(client: Client, klaviyo: Klaviyo) -> None:
    klaviyo.answers = [Answer(headers={"RateLimit-Limit": "1, 1;w=1, 15;w=60", "RateLimit-Remaining": "0", "RateLimit-Reset": "0"})]
    client.send(*[Request("GET", "/api/profiles")] * 3)
    assert client.now > 2


def test_several_threads_share_a_session(klaviyo: Klaviyo) -> None:
    klaviyo.answers = [Answer(200, {"data": "done"})]
    settings = Settings(conn_id="shop", base_url=klaviyo.url, key=KEY)
    with open_session(settings, pacer=Pacer()) as session, ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(session.send, [Request("GET", "/api/profiles")] * 40))
    assert answers == [{"data": "done"}] * 40
    assert session.requests == {"GET /api/profiles": 40}


def test_a_cancelled_task_gives_its_turn_back(klaviyo: Klaviyo) -> None:
    """A trigger is cancelled while it waits; the next one takes its place in the queue."""
    client = Client("awaiting", klaviyo.url)

    async def asleep(seconds: float) -> None:
        if client.now:
            await client.asleep(seconds)
        else:
            await asyncio.Event().wait()

    async def run() -> float:
        async with open_async_session(client.settings, pacer=client.pacer, sleep=asleep) as session:
            await session.send(Request("GET", "/api/accounts"))
            waiting: list[asyncio.Task[Any]] = [asyncio.create_task(session.send(Request("GET", "/api/accounts"))) for _ in range(5)]
            await asyncio.sleep(0.01)
            for task in waiting:
                task.cancel()
            assert [type(each) for each in await asyncio.gather(*waiting, return_exceptions=True)] == [asyncio.CancelledError] * 5
            client.now = 10.0
            await session.send(Request("GET", "/api/accounts"))
            return client.now

    assert asyncio.run(run()) == 10


# ── secrets ────────────────────────────────────────────────────────────────────────


def test_neither_key_nor_person_is_in_a_log_a_repr_or_an_error(client: Client, klaviyo: Klaviyo, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    lookup: Request[Any] = Request("GET", "/api/profiles", params={"filter": 'equals(email,"jane@shop.example")'})
    told: list[str] = []
    refusals = [
        Answer(400, {"errors": [{"code": "invalid", "detail": f"'jane@shop.example' is bad, key {KEY}"}]}),
        Answer(401),
        Answer(502, f"<p>{KEY} jane@shop.example</p>".encode(), {"Content-Type": "text/html"}),
        Answer(fate="drop"),
    ]
    for answer in refusals:
        klaviyo.answers = [answer]
        with pytest.raises(KlaviyoError) as error:
            client.send(lookup)
        told += [str(error.value), repr(error.value), repr(vars(error.value))]
    klaviyo.answers = [Answer(200)]
    client.send(lookup)
    assert "jane%40shop.example" in klaviyo.names[-1], "the server was asked for her"
    told += [record.getMessage() for record in caplog.records]
    assert any("httpcore" in record.name for record in caplog.records), "the transport's own log was on"
    for secret in (KEY, "jane"):
        assert [each for each in told if secret in each] == []


def test_no_session_shows_its_key(klaviyo: Klaviyo) -> None:
    settings = Settings(conn_id="shop", base_url=klaviyo.url, key=KEY)
    with open_session(settings) as session:
        assert isinstance(session, Session)
        assert KEY not in repr(session) + repr(session.line) + repr(session.client.headers)

    async def show() -> str:
        async with open_async_session(settings) as awaiting:
            assert isinstance(awaiting, AsyncSession)
            return repr(awaiting)

    assert KEY not in asyncio.run(show())

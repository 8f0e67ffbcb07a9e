# SPDX-License-Identifier: Apache-2.0
"""Both transports, blocking and awaiting: what Shopify receives, and what comes of its answers."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from json import dumps
from typing import Any

import httpx
import pytest

from airflow_provider_klaviyo.shopify import queries
from airflow_provider_klaviyo.shopify.bulk import BulkOperation
from airflow_provider_klaviyo.shopify.errors import ShopifyApiError, ShopifyBulkBusy, ShopifyDataError, ShopifyUnanswered, from_data
from airflow_provider_klaviyo.shopify.graphql import Call
from airflow_provider_klaviyo.shopify.settings import ShopifySettings
from airflow_provider_klaviyo.shopify_session import open_async_shopify_session, open_shopify_session

SETTINGS = ShopifySettings("https://my-shop.myshopify.com", token="shpat_static", conn_id="shop", max_attempts=3, deadline=60)
CREDENTIALS = ShopifySettings("https://my-shop.myshopify.com", client_id="the-app", client_secret="shpss_hush", conn_id="shop")
SHOP = {"data": {"shop": {"name": "Bikes"}}}
READ = Call[Any]("read", "query { shop { name } }")
WRITE = Call[Any]("write", "mutation { x }", replayable=False)


class Said(httpx.SyncByteStream, httpx.AsyncByteStream):
    """An answer that can be given many times, and may break off at its end."""

    def __init__(
        self, status: int = 200, *, json: Any = None, content: bytes = b"", headers: dict[str, str] | None = None, breaks: bool = False
    ) -> None:
        self.status, self.headers, self.breaks = status, headers or {}, breaks
        self.content = content if json is None else dumps(json).encode()

    def __iter__(self) -> Iterator[bytes]:
        yield from (self.content[start : start + 1000] for start in range(0, len(self.content), 1000))
        if self.breaks:
            message = "peer closed connection"
            raise httpx.RemoteProtocolError(message)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece


Answer = Said | Exception


def error(code: str | None = None, message: str = "No.", **rest: Any) -> Said:
    return Said(json={"errors": [{"message": message, "extensions": {"code": code} if code else {}}], **rest})


def throttled(requested: int, available: int, rate: int = 100) -> Said:
    bucket = {"maximumAvailable": 2000, "currentlyAvailable": available, "restoreRate": rate}
    return error("THROTTLED", "Throttled", extensions={"cost": {"requestedQueryCost": requested, "throttleStatus": bucket}})


@dataclass
class Shopify:
    """The other end: it gives the answers it was told to give, and remembers what it was sent."""

    answers: list[Answer]
    received: list[httpx.Request] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.received.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status, headers=answer.headers, stream=answer)

    def blocking(self, settings: ShopifySettings, *calls: Call[Any]) -> list[Any]:
        with open_shopify_session(settings, sleep=self.pauses.append, transport=httpx.MockTransport(self.answer)) as shopify:
            return [shopify.send(call) for call in calls]

    def awaiting(self, settings: ShopifySettings, *calls: Call[Any]) -> list[Any]:
        async def pause(seconds: float) -> None:
            self.pauses.append(seconds)

        async def main() -> list[Any]:
            transport = httpx.MockTransport(self.answer)
            async with open_async_shopify_session(settings, sleep=pause, transport=transport) as shopify:
                return [await shopify.send(call) for call in calls]

        return asyncio.run(main())


@pytest.fixture(params=["blocking", "awaiting"])
def send(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Send calls through one of the two sessions to a shop that gives these answers."""

    def through(shopify: Shopify, *calls: Call[Any], settings: ShopifySettings = SETTINGS) -> list[Any]:
        sent: list[Any] = getattr(shopify, request.param)(settings, *calls)
        assert not shopify.answers
        return sent

    return through


def test_a_call_carries_the_token_to_the_version_asked_for(send: Callable[..., Any]) -> None:
    shopify = Shopify([Said(json=SHOP, headers={"X-Shopify-API-Version": "2026-10"})])
    assert send(shopify, queries.shop()) == [{"name": "Bikes"}]
    (request,) = shopify.received
    assert str(request.url) == "https://my-shop.myshopify.com/admin/api/2026-10/graphql.json"
    assert request.headers["x-shopify-access-token"] == "shpat_static"
    assert json.loads(request.content)["variables"] == {}


def test_a_spent_bucket_is_waited_for_as_long_as_it_takes_to_fill(send: Callable[..., Any]) -> None:
    shopify = Shopify([throttled(752, 152), throttled(752, 752), Said(json=SHOP)])
    assert send(shopify, READ) == [SHOP["data"]]
    assert shopify.pauses == [6.0, 1.0]


def test_a_bucket_that_stays_spent_ends_at_the_deadline_and_costs_no_attempts(send: Callable[..., Any]) -> None:
    settings = ShopifySettings(SETTINGS.base_url, token="shpat_static", max_attempts=1, deadline=5)
    with pytest.raises(ShopifyApiError, match="rate limit stayed spent") as failure:
        send(Shopify([throttled(100, 0), throttled(2000, 0)]), READ, settings=settings)
    assert not failure.value.permanent


def test_429_and_its_retry_after(send: Callable[..., Any]) -> None:
    shopify = Shopify([Said(429, headers={"Retry-After": "2.0"}), Said(429), Said(json=SHOP)])
    send(shopify, READ)
    assert shopify.pauses == [2.0, 1.0]


@pytest.mark.parametrize(
    "failure",
    [
        Said(502, content=b"<html>Bad Gateway</html>"),
        Said(500, json={"errors": "Internal Server Error"}),
        error("INTERNAL_SERVER_ERROR"),
        httpx.ReadTimeout("late"),
        httpx.ReadError("gone"),
        httpx.ConnectError("no"),
    ],
)
def test_what_passes_is_tried_again(send: Callable[..., Any], failure: Answer) -> None:
    shopify = Shopify([failure, failure, Said(json=SHOP)])
    assert send(shopify, READ) == [SHOP["data"]]
    assert [1 <= pause < 4 for pause in shopify.pauses] == [True, True]


def test_attempts_end(send: Callable[..., Any]) -> None:
    with pytest.raises(ShopifyUnanswered, match="ReadTimeout") as failure:
        send(Shopify([httpx.ReadTimeout("late")] * 3), READ)
    assert not failure.value.permanent


@pytest.mark.parametrize("failure", [Said(503), httpx.ReadError("gone"), error("INTERNAL_SERVER_ERROR")])
def test_what_may_have_been_carried_out_is_not_sent_twice(send: Callable[..., Any], failure: Answer) -> None:
    with pytest.raises(ShopifyApiError) as raised:
        send(Shopify([failure]), WRITE)
    assert not raised.value.permanent


def test_what_was_certainly_not_sent_is_sent_again(send: Callable[..., Any]) -> None:
    assert send(Shopify([httpx.ConnectError("no"), Said(json=SHOP)]), WRITE) == [SHOP["data"]]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (
            error("ACCESS_DENIED", "Access denied for orders field. Required access: `read_orders` access scope."),
            "access scope read_orders",
        ),
        (error("MAX_COST_EXCEEDED"), "1,000 points"),
        (error("SHOP_INACTIVE"), "closed or frozen"),
        (error(None, "Field 'x' doesn't exist on type 'Shop'"), "doesn't exist on type 'Shop'"),
        (Said(401, json={"errors": "[API] Invalid API key"}), r"connection 'shop'.*shpat_"),
        (Said(404, json={"errors": "Not Found"}), "the shop's own, my-shop.myshopify.com"),
        (Said(402, json={"errors": "Unavailable Shop"}), "closed or frozen"),
        (Said(content=b"<html>Opening soon</html>"), "not JSON"),
        (Said(301, headers={"Location": "https://elsewhere.example"}), "host of the connection"),
        (Said(json=SHOP, headers={"X-Shopify-API-Version": "2027-01"}), "asked for version 2026-10, .* with 2027-01"),
    ],
)
def test_what_does_not_pass_is_raised_at_once_and_says_what_to_do(send: Callable[..., Any], answer: Said, says: str) -> None:
    with pytest.raises(ShopifyApiError, match=says) as failure:
        send(Shopify([answer]), READ)
    assert failure.value.permanent
    assert "shpat_static" not in str(failure.value)
    again = from_data(json.loads(json.dumps(failure.value.as_data())))
    assert (type(again), str(again), again.permanent) == (type(failure.value), str(failure.value), True)


def test_a_search_term_that_shopify_drops_is_an_error(send: Callable[..., Any]) -> None:
    warning = {"field": "19", "message": "Invalid search field for this query.", "code": "invalid_field"}
    answer = Said(json={**SHOP, "extensions": {"search": [{"path": ["customers"], "warnings": [warning]}]}})
    with pytest.raises(ShopifyApiError, match=r"19: Invalid search field.*answer with everything"):
        send(Shopify([answer]), queries.probe("customers", "updated_at:>=2026-11-18T19:45:00Z"))


def test_errors_of_a_reading_name_the_connection(send: Callable[..., Any]) -> None:
    payload = {"bulkOperationRunQuery": {"bulkOperation": None, "userErrors": [{"code": "OPERATION_IN_PROGRESS", "message": "x"}]}}
    with pytest.raises(ShopifyBulkBusy) as failure:
        send(Shopify([Said(json={"data": payload})]), queries.run("{ shop { id } }"))
    assert failure.value.conn_id == "shop"


def granted(token: str, **rest: Any) -> Said:
    return Said(json={"access_token": token, "scope": "read_orders", **rest})


def tokens(shopify: Shopify) -> list[str]:
    return [request.headers.get("x-shopify-access-token", "grant") for request in shopify.received]


def test_client_credentials_are_turned_into_a_token_once(send: Callable[..., Any]) -> None:
    shopify = Shopify([granted("one", expires_in=86399), Said(json=SHOP), Said(json=SHOP)])
    send(shopify, READ, READ, settings=CREDENTIALS)
    assert tokens(shopify) == ["grant", "one", "one"]
    assert shopify.received[0].content == b"grant_type=client_credentials&client_id=the-app&client_secret=shpss_hush"
    assert shopify.received[0].url.path == "/admin/oauth/access_token"


def test_a_token_near_its_end_is_replaced(send: Callable[..., Any]) -> None:
    shopify = Shopify([granted("one", expires_in=60), Said(json=SHOP), granted("two"), Said(json=SHOP)])
    send(shopify, READ, READ, settings=CREDENTIALS)
    assert tokens(shopify) == ["grant", "one", "grant", "two"]


def test_a_refused_token_is_replaced_once(send: Callable[..., Any]) -> None:
    shopify = Shopify([granted("one"), Said(401), granted("two"), Said(401)])
    with pytest.raises(ShopifyApiError, match="client_id and client_secret") as failure:
        send(shopify, READ, settings=CREDENTIALS)
    assert failure.value.permanent
    assert tokens(shopify) == ["grant", "one", "grant", "two"]


def test_refused_credentials_are_not_shown(send: Callable[..., Any]) -> None:
    with pytest.raises(ShopifyApiError, match="does not take the credentials of the connection 'shop'") as failure:
        send(Shopify([Said(400, json={"error": "invalid_client", "client_secret": "shpss_hush"})]), READ, settings=CREDENTIALS)
    assert "hush" not in str(failure.value)


# ── the result of a bulk operation ──────────────────────────────────────────────────

URL = "https://storage.example/result.jsonl?GoogleAccessId=x&Signature=topsecret"
ROWS = [{"id": f"gid://shopify/Customer/{n}"} for n in range(2000)]
FILE = b"".join(json.dumps(row).encode() + b"\n" for row in ROWS)


def nodes(shopify: Shopify, url: str | None = URL) -> list[Any]:
    operation = BulkOperation.read({"id": "gid://shopify/BulkOperation/1", "status": "COMPLETED", "url": url})
    with open_shopify_session(SETTINGS, sleep=shopify.pauses.append, transport=httpx.MockTransport(shopify.answer)) as session:
        return list(session.nodes(operation))


def test_a_result_is_streamed_without_the_token_and_its_address_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="httpx")
    shopify = Shopify([Said(content=FILE)])
    assert nodes(shopify) == ROWS
    assert str(shopify.received[0].url) == URL
    assert "shpat_static" not in str(shopify.received[0].headers)
    assert "topsecret" not in caplog.text


def test_a_result_may_be_compressed() -> None:
    assert nodes(Shopify([Said(content=gzip.compress(FILE), headers={"Content-Encoding": "gzip"})])) == ROWS


def test_an_empty_result_has_no_address() -> None:
    assert nodes(Shopify([]), url=None) == []


@pytest.mark.parametrize("ranges", [True, False])
def test_a_dropped_connection_gives_each_row_once(ranges: bool) -> None:
    head = {"etag": '"1"'} if ranges else {}
    rest = (
        Said(206, content=FILE[30_010:], headers={"content-range": f"bytes 30010-{len(FILE) - 1}/{len(FILE)}"})
        if ranges
        else Said(content=FILE)
    )
    shopify = Shopify([Said(content=FILE[:30_010], headers=head, breaks=True), httpx.ReadError("x"), Said(503), rest])
    assert nodes(shopify) == ROWS
    assert [request.headers.get("range") for request in shopify.received] == [None, *["bytes=30010-" if ranges else None] * 3]


def test_a_connection_that_keeps_dropping_is_given_up_without_showing_the_address() -> None:
    with pytest.raises(ShopifyUnanswered, match="download of the bulk result") as failure:
        nodes(Shopify([Said(breaks=True)] * 3))
    assert "topsecret" not in str(failure.value)
    assert not failure.value.permanent


def test_an_address_that_has_expired_says_so() -> None:
    with pytest.raises(ShopifyApiError, match="valid for seven days") as failure:
        nodes(Shopify([Said(403, content=b"<Error><Code>ExpiredToken</Code></Error>")]))
    assert not failure.value.permanent
    assert "topsecret" not in str(failure.value)


def test_a_result_elsewhere_in_clear_is_not_fetched() -> None:
    shopify = Shopify([])
    with pytest.raises(ShopifyDataError, match="not https"):
        nodes(shopify, url="http://storage.example/result?Signature=topsecret")
    assert shopify.received == []

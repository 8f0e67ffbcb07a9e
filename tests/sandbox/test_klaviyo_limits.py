# SPDX-License-Identifier: Apache-2.0
"""The referee of the limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import httpx
import pytest

from airflow_provider_klaviyo.sandbox.server import SandboxServer
from tests.sandbox.klaviyo_client import client

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_795_000_020.25  # a quarter second into a second, 0.25 s into a minute

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["fixed", "sliding"])
def window(request: pytest.FixtureRequest) -> Literal["fixed", "sliding"]:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def limited(clock: Clock, window: Literal["fixed", "sliding"]) -> Iterator[SandboxServer]:
    with SandboxServer(clock=clock, window=window, customers=1, orders=1) as server:
        yield server


@pytest.fixture
def http(limited: SandboxServer) -> Iterator[httpx.Client]:
    with client(limited) as made:
        yield made


def let_in(http: httpx.Client, path: str, most: int) -> int:
    """Ask until it is refused, and return how often it was not."""
    for count in range(most):
        if http.get(path).status_code == 429:
            return count
    return most


def test_what_comes_too_often_is_refused_as_recorded(http: httpx.Client, limited: SandboxServer) -> None:
    first = http.get("/api/accounts")
    assert (first.headers["ratelimit-limit"], first.headers["ratelimit-remaining"]) == ("1, 1;w=1, 15;w=60", "0")
    answer = http.get("/api/accounts")
    (error,) = answer.json()["errors"]
    assert answer.status_code == 429
    assert set(answer.headers) - {"date", "server", "content-length"} == {"retry-after"}
    assert answer.headers["retry-after"] == "1"
    assert (error["code"], error["detail"]) == ("throttled", "Request was throttled. Expected available in 1 second.")
    assert limited.klaviyo.requests == {"GET /api/accounts": 2, "429": 1}


def test_bursts_are_of_one_second_and_refusals_do_not_count(http: httpx.Client, clock: Clock) -> None:
    path = "/api/profile-bulk-import-jobs"
    assert let_in(http, path, 20) == 10
    clock.now += 1.01
    assert let_in(http, path, 20) == 10
    assert let_in(http, "/api/lists", 20) == 20


def test_steady_limits_are_of_one_minute(http: httpx.Client, clock: Clock) -> None:
    for _ in range(15):
        assert let_in(http, "/api/accounts", 2) == 1
        clock.now += 1.01
    answer = http.get("/api/accounts")
    assert answer.status_code == 429
    assert 40 <= int(answer.headers["retry-after"]) <= 46
    clock.now += int(answer.headers["retry-after"])
    assert let_in(http, "/api/accounts", 2) == 1


def test_other_clients_use_their_share(http: httpx.Client, limited: SandboxServer, clock: Clock, window: str) -> None:
    limited.klaviyo.limiter.foreign_share = 0.5
    clock.now += 0.5
    assert let_in(http, "/api/profile-bulk-import-jobs", 20) == (7 if window == "fixed" else 5)


def test_some_parameters_have_limits_of_their_own(http: httpx.Client) -> None:
    path = http.post("/api/lists", json={"data": {"type": "list", "attributes": {"name": "x"}}}).json()["data"]["links"]["self"]
    path = path.partition("/api")[2]
    assert let_in(http, f"/api{path}?additional-fields[list]=profile_count", 5) == 1
    assert let_in(http, f"/api{path}", 5) == 5


def test_daily_limits_last(http: httpx.Client, clock: Clock) -> None:
    made = 0
    for _ in range(40):
        made += http.post("/api/lists", json={"data": {"type": "list", "attributes": {"name": "x"}}}).status_code == 201
        clock.now += 0.2
    clock.now += 120
    for _ in range(150):
        made += http.post("/api/lists", json={"data": {"type": "list", "attributes": {"name": "x"}}}).status_code == 201
        clock.now += 0.5
    assert made == 150
    assert int(http.post("/api/lists", json={"data": {"type": "list", "attributes": {"name": "x"}}}).headers["retry-after"]) > 3600

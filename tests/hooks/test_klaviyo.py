# SPDX-License-Identifier: Apache-2.0
"""The hook against the sandbox, with connections as Airflow finds them in the environment."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_klaviyo.api import lists
from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoConfigError
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.sandbox.klaviyo.behaviour import KEY
from airflow_provider_klaviyo.sandbox.server import SandboxServer

Define = Callable[..., KlaviyoHook]


@pytest.fixture(scope="module")
def klaviyo() -> Iterator[SandboxServer]:
    with SandboxServer(limits="off", customers=1, orders=1) as server:
        yield server


@pytest.fixture
def define(klaviyo: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> Define:
    """Return a function that defines the connection ``klaviyo_test`` in the environment and makes its hook."""

    def define(**fields: Any) -> KlaviyoHook:
        connection = {"conn_type": "klaviyo", "host": klaviyo.url, "password": KEY, **fields}
        monkeypatch.setenv("AIRFLOW_CONN_KLAVIYO_TEST", json.dumps(connection))
        return KlaviyoHook("klaviyo_test")

    return define


def test_a_session_serves_a_task(define: Define) -> None:
    with define().session() as session:
        made = session.send(lists.create(name="VIP"))
        assert made["data"]["id"] in [each["id"] for each in session.walk(lists.list_())]


def test_a_session_serves_a_trigger(define: Define) -> None:
    hook = define()

    async def names() -> list[str]:
        async with hook.asession() as session:
            await session.send(lists.create(name="Triggered"))
            return [each["attributes"]["name"] async for each in session.walk(lists.list_())]

    assert "Triggered" in asyncio.run(names())


def test_one_request_needs_no_session(define: Define) -> None:
    assert define().send(lists.create(name="One"))["data"]["type"] == "list"


def test_airflow_s_conventional_name_gives_a_session(define: Define) -> None:
    with define().get_conn() as session:
        assert "data" in session.send(lists.list_())


def test_airflow_finds_the_hook_by_its_connection(define: Define) -> None:
    define()
    assert isinstance(KlaviyoHook.get_hook("klaviyo_test"), KlaviyoHook)


def test_the_default_connection() -> None:
    assert KlaviyoHook().klaviyo_conn_id == "klaviyo_default"


def test_a_good_connection_names_the_account_and_when_its_revision_retires(define: Define) -> None:
    worked, message = define(extra={"revision": "2026-10-15"}).test_connection()
    assert worked
    assert "The Sandbox" in message
    days = (datetime(2028, 10, 15, tzinfo=UTC).date() - datetime.now(UTC).date()).days
    assert f"The API revision 2026-10-15 retires on 2028-10-15, in {days} days." in message


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"password": "pk_unknown"}, "'klaviyo_test': its password must be a private API key"),
        ({"password": "oops"}, "must be a private API key, which begins with pk_"),
        ({"host": "http://klaviyo.example"}, "use https"),
        ({"extra": {"rate_share": 7}}, "'rate_share'"),
    ],
)
def test_a_bad_connection_says_what_to_do(define: Define, fields: dict[str, Any], says: str) -> None:
    worked, message = define(**fields).test_connection()
    assert not worked
    assert says in message
    assert "pk_unknown" not in message


@pytest.mark.parametrize("attributes", [None, {}, {"contact_information": None}, {"contact_information": {"organization_name": None}}])
def test_an_account_without_a_name_is_a_good_connection(define: Define, klaviyo: SandboxServer, attributes: Any) -> None:
    klaviyo.fail(path="/api/accounts", status=200, body={"data": [{"type": "account", "id": "SandBx", "attributes": attributes}]})
    worked, message = define().test_connection()
    assert worked
    assert "Connected to the Klaviyo account SandBx. " in message


def test_a_key_of_no_account_fails_the_test(define: Define, klaviyo: SandboxServer) -> None:
    klaviyo.fail(path="/api/accounts", status=200, body={"data": []})
    worked, message = define().test_connection()
    assert not worked
    assert "account" in message


def test_a_connection_that_is_not_there_fails_the_test() -> None:
    worked, message = KlaviyoHook("klaviyo_nowhere").test_connection()
    assert not worked
    assert "'klaviyo_nowhere'" in message


def test_a_retired_revision_fails_the_test(define: Define, klaviyo: SandboxServer) -> None:
    klaviyo.fail(path="/api/accounts", status=410)
    worked, message = define(extra={"revision": "2024-07-15"}).test_connection()
    assert not worked
    assert "revision" in message
    assert "remove `revision`" in message


def test_an_unreachable_host_fails_the_test_without_delay(define: Define) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        worked, message = define(host=f"http://127.0.0.1:{unused.getsockname()[1]}").test_connection()
    assert not worked
    assert "Check the host of the connection" in message


def test_a_bad_connection_fails_before_anything_is_sent(define: Define) -> None:
    with pytest.raises(KlaviyoConfigError, match="begins with pk_"), define(password="").session():
        raise AssertionError("no session")


def test_a_wrong_key_is_an_error_of_both_sessions(define: Define) -> None:
    hook = define(password="pk_unknown")

    async def awaiting() -> None:
        async with hook.asession() as session:
            await session.send(lists.list_())

    with pytest.raises(KlaviyoApiError, match="klaviyo_test") as blocked:
        hook.send(lists.list_())
    with pytest.raises(KlaviyoApiError) as awaited:
        asyncio.run(awaiting())
    assert str(blocked.value) == str(awaited.value)


def test_a_revision_about_to_retire_is_warned_of_once(define: Define, caplog: pytest.LogCaptureFixture) -> None:
    soon = datetime.now(UTC).date() + timedelta(days=30)
    hook = define(extra={"revision": soon.replace(year=soon.year - 2, day=min(soon.day, 28)).isoformat()})
    for _ in range(2):
        with hook.session():
            pass
    [warning] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.startswith("The connection 'klaviyo_test': The API revision")

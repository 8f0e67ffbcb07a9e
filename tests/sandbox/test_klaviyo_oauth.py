# SPDX-License-Identifier: Apache-2.0
"""OAuth at the local Klaviyo: how strict its token endpoint is, and both of its ways with refresh tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from airflow_provider_klaviyo.sandbox.klaviyo.oauth import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN
from tests.sandbox.klaviyo_client import HEADERS, client

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer


def renew(sandbox: SandboxServer, refresh: str = REFRESH_TOKEN, **options: Any) -> httpx.Response:
    form = {"grant_type": "refresh_token", "refresh_token": refresh}
    return httpx.post(f"{sandbox.url}/oauth/token", **{"data": form, "auth": (CLIENT_ID, CLIENT_SECRET), **options})


def status(sandbox: SandboxServer, access: str, path: str = "/api/lists") -> int:
    with client(sandbox, Authorization=f"Bearer {access}") as http:
        return http.get(path).status_code


def test_a_refresh_token_buys_an_access_token(sandbox: SandboxServer) -> None:
    answer = renew(sandbox)
    assert answer.status_code == 200
    token = answer.json()
    assert (token["token_type"], token["expires_in"], token["refresh_token"]) == ("Bearer", 3600, REFRESH_TOKEN)
    assert status(sandbox, token["access_token"]) == 200
    assert sandbox.klaviyo.requests["POST /oauth/token"] == 1


def test_the_access_tokens_before_stay_good_until_they_end(sandbox: SandboxServer) -> None:
    first, second = (renew(sandbox).json()["access_token"] for _ in range(2))
    assert first != second
    assert status(sandbox, first) == status(sandbox, second) == 200


def test_an_access_token_ends(sandbox: SandboxServer) -> None:
    sandbox.klaviyo.behaviour.token_seconds = 0
    assert status(sandbox, renew(sandbox).json()["access_token"]) == 401
    sandbox.klaviyo.behaviour.token_seconds = 10
    access = renew(sandbox).json()["access_token"]
    sandbox.klaviyo.grants.end_access()
    assert status(sandbox, access) == 401


def test_a_token_does_what_was_granted(sandbox: SandboxServer) -> None:
    refresh = sandbox.klaviyo.grants.authorise(frozenset({"lists:read"}))
    token = renew(sandbox, refresh).json()
    assert token["scope"] == "lists:read"
    assert status(sandbox, token["access_token"]) == 200
    assert status(sandbox, token["access_token"], "/api/metrics") == 403


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"auth": None}, (401, "invalid_client")),
        ({"auth": (CLIENT_ID, "wrong")}, (401, "invalid_client")),
        ({"auth": None, "headers": {"Authorization": "Basic ???"}}, (401, "invalid_client")),
        ({"data": None, "json": {"grant_type": "refresh_token", "refresh_token": REFRESH_TOKEN}}, (400, "invalid_request")),
        ({"data": {"refresh_token": REFRESH_TOKEN}}, (400, "invalid_request")),
        ({"data": {"grant_type": "refresh_token"}}, (400, "invalid_request")),
        ({"data": {"grant_type": "refresh_token", "refresh_token": REFRESH_TOKEN, "client_id": CLIENT_ID}}, (400, "invalid_request")),
        ({"data": {"grant_type": "refresh_token", "refresh_token": [REFRESH_TOKEN, REFRESH_TOKEN]}}, (400, "invalid_request")),
        ({"data": {"grant_type": "client_credentials"}}, (400, "unsupported_grant_type")),
        ({"data": {"grant_type": "refresh_token", "refresh_token": "nobody's"}}, (400, "invalid_grant")),
        ({"data": {"grant_type": "refresh_token", "refresh_token": ""}}, (400, "invalid_grant")),
    ],
)
def test_it_takes_the_app_s_credentials_and_a_form_with_two_fields(
    sandbox: SandboxServer, options: dict[str, Any], expected: tuple[int, str]
) -> None:
    answer = renew(sandbox, **options)
    assert (answer.status_code, answer.json()["error"]) == expected


def test_rotation_replaces_the_refresh_token(sandbox: SandboxServer) -> None:
    sandbox.klaviyo.behaviour.rotation = "rotate"
    first = renew(sandbox).json()["refresh_token"]
    second = renew(sandbox, first).json()["refresh_token"]
    assert len({REFRESH_TOKEN, first, second}) == 3


def test_who_uses_a_spent_refresh_token_ends_the_family(sandbox: SandboxServer) -> None:
    sandbox.klaviyo.behaviour.rotation = "rotate"
    other = renew(sandbox, sandbox.klaviyo.grants.authorise()).json()
    token = renew(sandbox).json()
    assert renew(sandbox).json() == {"error": "invalid_grant"}
    assert renew(sandbox, token["refresh_token"]).json() == {"error": "invalid_grant"}
    assert status(sandbox, token["access_token"]) == 401
    assert status(sandbox, other["access_token"]) == 200


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_a_revoked_token_ends_the_family(sandbox: SandboxServer, which: str) -> None:
    token = renew(sandbox).json()
    for given in (token[which], "nobody's"):
        answer = httpx.post(f"{sandbox.url}/oauth/revoke", data={"token": given}, auth=(CLIENT_ID, CLIENT_SECRET))
        assert answer.status_code == 200
    assert status(sandbox, token["access_token"]) == 401
    assert renew(sandbox, token["refresh_token"]).json() == {"error": "invalid_grant"}


@pytest.mark.parametrize("data", [{}, {"token": "t", "other": "o"}])
def test_revoking_is_as_strict(sandbox: SandboxServer, data: dict[str, str]) -> None:
    answer = httpx.post(f"{sandbox.url}/oauth/revoke", data=data, auth=(CLIENT_ID, CLIENT_SECRET))
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request"})


def test_reset_returns_to_one_grant(sandbox: SandboxServer) -> None:
    sandbox.klaviyo.behaviour.rotation = "rotate"
    access = renew(sandbox).json()["access_token"]
    sandbox.reset()
    assert status(sandbox, access) == 401
    assert renew(sandbox).status_code == 200


def test_the_ways_are_set_over_http(sandbox: SandboxServer) -> None:
    answer = httpx.post(f"{sandbox.url}/_sandbox/settings", json={"rotation": "rotate", "token_seconds": 5})
    assert answer.status_code == 200
    assert renew(sandbox).json()["expires_in"] == 5
    assert httpx.get(f"{sandbox.url}/api/lists", headers=HEADERS).status_code == 200

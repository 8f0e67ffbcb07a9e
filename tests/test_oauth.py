# SPDX-License-Identifier: Apache-2.0
"""What is sent to renew a token, and how the answers are read."""

from __future__ import annotations

import base64
import math
from typing import Any

import pytest

from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoConfigError, KlaviyoError
from airflow_provider_klaviyo.oauth import KlaviyoNotRenewed, Renewal, Reply, Token, reconnect, recorded
from airflow_provider_klaviyo.settings import Settings

SETTINGS = Settings(conn_id="shop", client_id="app", client_secret="hush:hush", refresh_token="refresh-1")
NOW = 1_795_000_000.4


def test_a_renewal_is_a_form_with_the_app_s_credentials() -> None:
    renewal = Renewal.of(SETTINGS, "refresh-2")
    assert renewal.request.name == "POST /oauth/token"
    assert renewal.request.form == {"grant_type": "refresh_token", "refresh_token": "refresh-2"}
    assert renewal.authorization == f"Basic {base64.b64encode(b'app:hush:hush').decode()}"
    assert "refresh-2" not in repr(renewal)


@pytest.mark.parametrize(
    ("answer", "refresh", "life"),
    [
        ({"access_token": "a", "refresh_token": "r2", "expires_in": 60, "scope": "lists:read"}, "r2", 60),
        ({"access_token": "a", "refresh_token": "r2"}, "r2", 3600),
        *(
            ({"access_token": "a", "refresh_token": "r2", "expires_in": life}, "r2", 3600)
            for life in ("soon", math.inf, -math.inf, 10**400, 0, -1, True)
        ),
        ({"access_token": "a", "expires_in": 60}, "r1", 60),
        ({"access_token": "a", "refresh_token": None, "expires_in": 60}, "r1", 60),
        ({"access_token": "a", "refresh_token": 7, "expires_in": 60}, "r1", 60),
    ],
)
def test_the_whole_answer_is_recorded(answer: Any, refresh: str, life: int) -> None:
    record = recorded(answer, refresh="r1", now=NOW)
    assert record == {**answer, "refresh_token": refresh, "expires_at": int(NOW) + life}
    assert Token.of(record) == Token("a", refresh, int(NOW) + life)


def test_a_life_that_is_no_number_is_an_hour() -> None:
    assert recorded({"access_token": "a", "expires_in": math.nan}, refresh="r1", now=NOW)["expires_at"] == int(NOW) + 3600


@pytest.mark.parametrize("record", [{}, {"access_token": "a"}, {"access_token": 1, "refresh_token": "r", "expires_at": 1}])
def test_what_lacks_something_is_no_token(record: Any) -> None:
    assert Token.of(record) is None


def test_a_token_shows_no_secret() -> None:
    assert repr(Token("a1b2", "r1b2", 5.0)) == "Token(expires_at=5.0)"


@pytest.mark.parametrize(
    ("reply", "kind", "says", "doubtful"),
    [
        (Reply(cause="ConnectError", sent=False), KlaviyoNotRenewed, "(ConnectError)", False),
        (Reply(cause="ReadTimeout"), KlaviyoNotRenewed, "(ReadTimeout)", True),
        (Reply(200), KlaviyoNotRenewed, "answered 200 without a token", True),
        (Reply(200, {"access_token": ""}), KlaviyoNotRenewed, "answered 200 without a token", True),
        (Reply(200, {"access_token": "a\nb"}), KlaviyoNotRenewed, "answered 200 without a token", True),
        (Reply(502), KlaviyoNotRenewed, "answered 502 without a token", True),
        (Reply(429, retry_after=3), KlaviyoApiError, "answered 429", False),
        (Reply(401), KlaviyoConfigError, "check client_id and client_secret", False),
        (Reply(400, {"error": "invalid_client"}), KlaviyoConfigError, "check client_id and client_secret", False),
        (Reply(400, {"error": "unauthorized_client"}), KlaviyoConfigError, "check client_id and client_secret", False),
        (Reply(400, {"error": "unsupported_grant_type"}), KlaviyoError, "answered 400 (unsupported_grant_type)", False),
        (Reply(302, {"errors": [{}]}), KlaviyoError, "answered 302 to", False),
    ],
)
def test_what_is_no_token_says_what_to_do(reply: Reply, kind: type[Exception], says: str, doubtful: Any) -> None:
    error = reply.error("shop")
    assert type(error) is kind
    assert says in str(error)
    if kind is not KlaviyoApiError:
        assert "'shop'" in str(error)
    assert error.permanent == (kind in {KlaviyoError, KlaviyoConfigError})
    assert (reply.doubtful, reply.renewed, reply.dead) == (doubtful, False, False)


@pytest.mark.parametrize("code", ["invalid_grant", "invalid_grant_type"])
def test_a_dead_refresh_token_has_two_names(code: str) -> None:
    assert Reply(400, {"error": code}).dead


@pytest.mark.parametrize("doubt", [True, False])
def test_the_error_of_a_dead_refresh_token_says_if_an_answer_was_lost(doubt: Any) -> None:
    message = str(reconnect("shop", doubt=doubt))
    assert ("was lost" in message) == doubt
    assert message.endswith("Reconnect: authorise the app again, and put the new refresh_token in the extra of the connection 'shop'.")

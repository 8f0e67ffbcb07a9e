# SPDX-License-Identifier: Apache-2.0
"""Connections in all the ways Airflow knows to define them, good and bad."""

from __future__ import annotations

import json
import logging
from datetime import date
from typing import Any

import pytest
from airflow.sdk import Connection

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.settings import HOST, REVISION, Settings

KEY = "pk_0123456789abcdef"


def connection(conn_id: str = "klaviyo_default", **fields: Any) -> Connection:
    extra = fields.pop("extra", None)
    fields = {"password": KEY, **fields, "extra": json.dumps(extra) if isinstance(extra, dict) else extra}
    return Connection(conn_id=conn_id, conn_type="klaviyo", **fields)


def test_a_key_is_enough() -> None:
    settings = Settings.of(connection())
    assert (settings.base_url, settings.key, settings.revision) == (HOST, KEY, REVISION)
    assert settings.conn_id == "klaviyo_default"


@pytest.mark.parametrize(
    ("uri", "base_url"),
    [
        (f"klaviyo://:{KEY}@/?timeout=7", HOST),
        (f"klaviyo://:{KEY}@a.klaviyo.com/", "https://a.klaviyo.com"),
        (f"klaviyo://http://:{KEY}@127.0.0.1:8080/", "http://127.0.0.1:8080"),
        (f"klaviyo://:{KEY}@http%3A%2F%2F127.0.0.1:8080/", "http://127.0.0.1:8080"),
        (f"klaviyo://:{KEY}@http%3A%2F%2Flocalhost%3A8080%2F", "http://localhost:8080"),
        (f"klaviyo://:{KEY}@127.0.0.1:8080/http", "http://127.0.0.1:8080"),
        (f"klaviyo://http://:{KEY}@[::1]:8080/", "http://[::1]:8080"),
        (f"klaviyo://:{KEY}@127.0.0.1:8443/", "https://127.0.0.1:8443"),
    ],
)
def test_uri_connections_give_scheme_host_and_port_apart(uri: str, base_url: str) -> None:
    assert Settings.of(Connection.from_uri(uri, conn_id="klaviyo_default")).base_url == base_url


def test_extras_of_a_uri_are_texts_and_become_what_they_mean() -> None:
    uri = (
        f"klaviyo://:{KEY}@/?timeout=7.5&max_attempts=3&rate_share=0.25&revision=2026-07-15&deadline=90&public_key=AbC123&webhook_secret=s"
    )
    settings = Settings.of(Connection.from_uri(uri, conn_id="klaviyo_default"))
    assert (settings.timeout, settings.max_attempts, settings.rate_share, settings.deadline) == (7.5, 3, 0.25, 90)
    assert (settings.revision, settings.public_key, settings.webhook_secret) == ("2026-07-15", "AbC123", "s")


def test_fields_left_empty_in_the_form_take_their_defaults() -> None:
    assert Settings.of(connection(host="", extra={"revision": "", "timeout": None})) == Settings.of(connection())


def test_whitespace_around_a_pasted_key_goes() -> None:
    assert Settings.of(connection(password=f" {KEY}\n")).key == KEY


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"password": None}, "begins with pk_.*; it is empty"),
        ({"password": "sk_live_1"}, "begins with pk_"),
        ({"password": f"Klaviyo-API-Key {KEY}"}, "begins with pk_"),
        ({"password": "pk_one two"}, "nothing else"),
        ({"password": "pk_schlüssel"}, "nothing else"),
        ({"password": "pk_line\nbreak"}, "nothing else"),
        ({"host": "http://klaviyo.example"}, "unencrypted to klaviyo.example"),
        ({"host": "http://localhost.evil.example"}, "unencrypted"),
        ({"host": "http://128.0.0.1"}, "unencrypted"),
        ({"host": "ftp://a.klaviyo.com"}, "URL without a path"),
        ({"host": "https://a.klaviyo.com/api"}, "URL without a path"),
        ({"host": "https://me:secret@a.klaviyo.com"}, "URL without a path"),
        ({"host": "https://a.klaviyo.com:port"}, "URL without a path"),
        ({"extra": "[1]"}, "must be a JSON object"),
        ({"extra": "{no json"}, "must be a JSON object"),
        ({"extra": {"timeout": "soon"}}, "'timeout' .* seconds, above 0"),
        ({"extra": {"timeout": 0}}, "'timeout' .* seconds, above 0"),
        ({"extra": {"timeout": "nan"}}, "'timeout' .* seconds, above 0"),
        ({"extra": {"max_attempts": "2.5"}}, "'max_attempts' .* whole number"),
        ({"extra": {"rate_share": 0}}, "'rate_share' .* above 0 and up to 1"),
        ({"extra": {"rate_share": "1.5"}}, "'rate_share' .* above 0 and up to 1"),
        ({"extra": {"revision": "latest"}}, "'revision' .* a date such as"),
        ({"extra": {"revision": 20261015}}, "'revision' .* a date such as"),
        *(
            ({"extra": {"public_key": key}}, "'public_key' .* company id, and never a private key")
            for key in ("?", KEY, "pk_abc", "AbC1234")
        ),
    ],
)
def test_nonsense_is_refused_with_the_field_and_what_it_may_be(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(KlaviyoConfigError, match=says) as refused:
        Settings.of(connection("shop", **fields))
    assert "'shop'" in str(refused.value)
    assert refused.value.permanent
    for secret in (KEY, "sk_live_1", "schlüssel", "secret@"):
        assert secret not in str(refused.value)


APP = {"client_id": "app-1", "client_secret": "hush-app", "refresh_token": "hush-refresh"}


def test_an_oauth_app_stands_in_place_of_a_key() -> None:
    settings = Settings.of(connection(password="", extra={**APP, "client_id": " app-1 ", "timeout": 7}))
    assert (settings.key, settings.client_id, settings.client_secret, settings.refresh_token) == ("", *APP.values())
    assert settings.timeout == 7
    assert "hush" not in repr(settings) + str(settings)


def test_an_app_in_a_uri() -> None:
    uri = "klaviyo://@/?client_id=app-1&client_secret=hush-app&refresh_token=hush-refresh"
    assert Settings.of(Connection.from_uri(uri, conn_id="shop")).refresh_token == "hush-refresh"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"password": KEY, "extra": APP}, "has a password and client_id, client_secret, refresh_token in its extra: choose one"),
        ({"password": KEY, "extra": {"client_id": "app-1"}}, "has a password and client_id in its extra: choose one"),
        ({"password": "oops", "extra": APP}, "choose one. Leave the password empty for OAuth"),
        ({"password": "", "extra": {"client_id": "app-1"}}, "client_secret, refresh_token is missing"),
        ({"password": "", "extra": {**APP, "refresh_token": ""}}, "refresh_token is missing"),
        ({"password": "", "extra": {**APP, "refresh_token": "hush refresh"}}, "'refresh_token' .* a refresh token and nothing else"),
        ({"password": "", "extra": {**APP, "client_id": "app:1"}}, "'client_id' .* the id of the OAuth app"),
        ({"password": "", "extra": {**APP, "client_secret": " "}}, "'client_secret' .* the secret of the OAuth app"),
        ({"password": None}, "With OAuth it stays empty, and the extra holds client_id"),
    ],
)
def test_a_key_or_the_whole_app_and_not_both(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(KlaviyoConfigError, match=says) as refused:
        Settings.of(connection("shop", **fields))
    assert "'shop'" in str(refused.value)
    assert "hush" not in str(refused.value)
    assert KEY not in str(refused.value)


def test_the_digest_tells_accounts_and_apps_apart_and_nothing_else() -> None:
    apps = [APP, {**APP, "client_id": "app-2"}, {**APP, "refresh_token": "r"}]
    settings = [Settings.of(connection(password="", extra=app)) for app in apps] + [Settings.of(connection())]
    assert len({each.digest for each in settings}) == 4
    same = Settings.of(connection("copy", password="", extra={**APP, "client_secret": "renewed", "timeout": 5}))
    assert same.digest == settings[0].digest
    assert "hush" not in same.digest


def test_an_unknown_extra_is_named_once_with_the_nearest_known_one(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        assert Settings.of(connection("typo", extra={"rateshare": 0.5})).rate_share == 1
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
        "The connection 'typo' has an unknown extra 'rateshare', which is ignored: is it 'rate_share'?"
    ]


def test_secrets_are_in_no_repr() -> None:
    settings = Settings.of(connection(extra={"webhook_secret": "hush-hush"}))
    assert KEY not in repr(settings) + str(settings)
    assert "hush-hush" not in repr(settings) + str(settings)


def test_a_revision_retires_two_years_after_its_date() -> None:
    assert Settings.of(connection(extra={"revision": "2026-07-15.pre"})).retires == date(2028, 7, 15)

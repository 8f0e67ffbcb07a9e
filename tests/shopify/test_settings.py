# SPDX-License-Identifier: Apache-2.0
"""A connection is read in every form Airflow gives it, or refused with what to do."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import Connection

from airflow_provider_klaviyo.shopify.errors import ShopifyConfigError
from airflow_provider_klaviyo.shopify.settings import ShopifySettings


def settings(uri: str | None = None, **fields: Any) -> ShopifySettings:
    return ShopifySettings.of(
        Connection.from_uri(uri, conn_id="shop") if uri else Connection(conn_id="shop", conn_type="shopify", **fields)
    )


@pytest.mark.parametrize(
    ("fields", "base_url"),
    [
        ({"host": "my-shop.myshopify.com"}, "https://my-shop.myshopify.com"),
        ({"host": "https://my-shop.myshopify.com/"}, "https://my-shop.myshopify.com"),
        ({"host": "http://127.0.0.1:8000"}, "http://127.0.0.1:8000"),
        ({"host": "localhost", "schema": "http", "port": 8000}, "http://localhost:8000"),
        ({"host": "http://[::1]:8000"}, "http://[::1]:8000"),
    ],
)
def test_where_the_shop_is(fields: dict[str, Any], base_url: str) -> None:
    assert settings(password="shpat_x", **fields).base_url == base_url


def test_a_uri_gives_host_schema_and_port_apart() -> None:
    read = settings("shopify://:shpat_x@127.0.0.1:8000/http?api_version=2026-07&timeout=5")
    assert (read.base_url, read.token, read.api_version, read.timeout) == ("http://127.0.0.1:8000", "shpat_x", "2026-07", 5.0)


def test_client_credentials_take_the_place_of_a_token() -> None:
    read = settings(host="my-shop.myshopify.com", extra='{"client_id": "id", "client_secret": "hush", "api_version": ""}')
    assert (read.token, read.client_id, read.client_secret, read.api_version) == ("", "id", "hush", "2026-10")
    assert "hush" not in repr(read)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"host": "", "password": "x"}, "needs the shop's domain"),
        ({"host": "my-shop", "password": "x"}, r"my-shop\.myshopify\.com"),
        ({"host": "http://my-shop.myshopify.com", "password": "x"}, "in clear"),
        ({"host": "https://my-shop.myshopify.com/admin", "password": "x"}, "domain alone"),
        ({"host": "my-shop.myshopify.com"}, "access token as the password"),
        ({"host": "my-shop.myshopify.com", "extra": '{"client_id": "id"}'}, "client_secret"),
        ({"host": "my-shop.myshopify.com", "password": "x", "extra": '{"api_version": "2026-11"}'}, "api_version"),
        ({"host": "my-shop.myshopify.com", "password": "x", "extra": '{"timeout": "soon"}'}, "timeout .* must be a number"),
        ({"host": "my-shop.myshopify.com", "password": "x", "extra": '{"max_attempts": -1}'}, "max_attempts .* above 0"),
    ],
)
def test_what_cannot_work_is_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ShopifyConfigError, match=says) as failure:
        settings(**fields)
    assert "'shop'" in str(failure.value)
    assert failure.value.permanent

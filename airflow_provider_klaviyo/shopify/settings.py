# SPDX-License-Identifier: Apache-2.0
"""What an Airflow connection to Shopify says, checked."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Protocol
from urllib.parse import urlsplit

from airflow_provider_klaviyo.api.request import Json
from airflow_provider_klaviyo.shopify.errors import ShopifyConfigError

API_VERSION = "2026-10"
VERSION = re.compile(r"\d{4}-(01|04|07|10)|unstable")


class Connection(Protocol):
    """The parts of an Airflow connection that are read."""

    conn_id: Any
    host: Any
    schema: Any
    port: Any
    password: Any
    extra: Any


@dataclass(frozen=True, slots=True)
class ShopifySettings:
    """
    A connection to one shop.

    :param base_url: ``https://my-shop.myshopify.com``; plain http on loopback only.
    :param token: The Admin API access token, or ``""`` for the client credentials grant.
    :param client_id: The app's client id, for that grant.
    :param client_secret: The app's client secret, for that grant.
    :param api_version: Such as ``2026-10``.
    :param timeout: Seconds to wait for one answer.
    :param max_attempts: Tries of a call that failed on Shopify's side or on the way.
    :param deadline: Seconds for a call with all its tries and waits.
    :param conn_id: The connection's id, for messages.
    """

    base_url: str
    token: str = field(default="", repr=False)
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    api_version: str = API_VERSION
    timeout: float = 30.0
    max_attempts: int = 5
    deadline: float = 600.0
    conn_id: str = "shopify_default"

    def __post_init__(self) -> None:
        where = f"the connection {self.conn_id!r}"
        if not self.token and not (self.client_id and self.client_secret):
            raise ShopifyConfigError(
                f"Shopify needs the Admin API access token as the password of {where}, or client_id and client_secret in its extra."
            )
        if not VERSION.fullmatch(self.api_version):
            raise ShopifyConfigError(f"api_version in the extra of {where} must look like {API_VERSION}.")
        for name in ("timeout", "max_attempts", "deadline"):
            if getattr(self, name) <= 0:
                raise ShopifyConfigError(f"{name} in the extra of {where} must be above 0.")

    @property
    def path(self) -> str:
        """The path of the GraphQL endpoint."""
        return f"/admin/api/{self.api_version}/graphql.json"

    @property
    def loopback(self) -> bool:
        """Whether the shop is a program on this machine: the sandbox."""
        return is_loopback(urlsplit(self.base_url).hostname or "")

    @classmethod
    def of(cls, connection: Connection) -> ShopifySettings:
        """
        Read an Airflow connection.

        :param connection: Host, password and extra; schema and port where a URI gave them apart.
        :raises ShopifyConfigError: It cannot work as it is.
        """
        conn_id = str(connection.conn_id or "shopify_default")
        extra = _extra(connection, conn_id)
        given: dict[str, Any] = {}
        for name, kind in (("timeout", float), ("deadline", float), ("max_attempts", int)):
            if extra.get(name) not in {None, ""}:
                try:
                    given[name] = kind(extra[name])
                except (TypeError, ValueError):
                    raise ShopifyConfigError(f"{name} in the extra of the connection {conn_id!r} must be a number.") from None
        return cls(
            base_url=base_url(connection, conn_id),
            token=(connection.password or "").strip(),
            client_id=str(extra.get("client_id") or "").strip(),
            client_secret=str(extra.get("client_secret") or "").strip(),
            api_version=str(extra.get("api_version") or API_VERSION).strip(),
            conn_id=conn_id,
            **given,
        )


def base_url(connection: Connection, conn_id: str) -> str:
    """
    Return the address of the shop.

    :param connection: Where host, schema and port stand.
    :param conn_id: Its id, for messages.
    :raises ShopifyConfigError: There is no host, or the token would travel in clear to another machine.
    """
    host = str(connection.host or "").strip().rstrip("/")
    if not host:
        raise ShopifyConfigError(f"The connection {conn_id!r} needs the shop's domain as its host: my-shop.myshopify.com.")
    parts = urlsplit(host if "://" in host else f"{connection.schema or 'https'}://{host}")
    port = parts.port or connection.port
    name = parts.hostname or ""
    if parts.scheme not in {"http", "https"} or parts.path or parts.query or parts.username or not name:
        raise ShopifyConfigError(f"The host of the connection {conn_id!r} must be the shop's domain alone: my-shop.myshopify.com.")
    if parts.scheme == "http" and not is_loopback(name):
        raise ShopifyConfigError(f"The connection {conn_id!r} would send its token in clear: use https (http is for this machine only).")
    if "." not in name and not is_loopback(name):
        raise ShopifyConfigError(f"The host of the connection {conn_id!r} must be the whole domain: {name}.myshopify.com.")
    bracketed = f"[{name}]" if ":" in name else name
    return f"{parts.scheme}://{bracketed}{f':{port}' if port else ''}"


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _extra(connection: Connection, conn_id: str) -> Json:
    """Read the extra. Not by Airflow's ``extra_dejson``, which must not be called in a trigger's event loop."""
    try:
        extra = json.loads(connection.extra or "{}")
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        raise ShopifyConfigError(f"The extra of the connection {conn_id!r} must be a JSON object.")
    return extra

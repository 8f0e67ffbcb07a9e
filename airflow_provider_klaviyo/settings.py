# SPDX-License-Identifier: Apache-2.0
"""What an Airflow connection says, checked."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import logging
from datetime import date
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError

if TYPE_CHECKING:
    from airflow.sdk import Connection

HOST = "https://a.klaviyo.com"
REVISION = "2026-10-15"
REVISION_LIVES_YEARS = 2
SCHEMES = ("http", "https")
PUBLIC_KEY = "the account's six-character company id, and never a private key: it stands in URLs"

log = logging.getLogger(__name__)


class Settings(BaseModel):
    """
    How to reach one Klaviyo account.

    :param conn_id: The Airflow connection these were read from.
    :param base_url: Scheme, host and port, without a slash at the end.
    :param key: Private API key; empty with OAuth.
    :param revision: Klaviyo's API revision, sent with every request.
    :param timeout: Seconds that connecting, sending or answering may each take.
    :param max_attempts: How often one request is tried. A 429 is no attempt.
    :param deadline: Seconds that one request may take with all its waits and attempts. It bounds the 429s.
    :param rate_share: The part of the account's limits that this process may use.
    :param public_key: The account's company id, for ``/client`` endpoints.
    :param webhook_secret: Checks the signature of Klaviyo's webhooks.
    :param client_id: The OAuth app; in place of a key, with the two that follow.
    :param client_secret: Its secret.
    :param refresh_token: What the account granted the app: it is where a renewal begins, and may be replaced by the first.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, str_strip_whitespace=True)

    conn_id: str
    base_url: str = HOST
    key: Annotated[str, Field(repr=False, pattern=r"^pk_[!-~]+$")] = ""
    # Where a value is refused, its description completes the sentence "<name> must be ...".
    revision: Annotated[str, Field(description="a date such as 2026-10-15, with .pre behind it for a beta")] = REVISION
    timeout: Annotated[float, Field(gt=0, le=3600, description="seconds, above 0 and up to 3600")] = 60
    max_attempts: Annotated[int, Field(ge=1, le=100, description="a whole number from 1 to 100")] = 5
    deadline: Annotated[float, Field(gt=0, le=86_400, description="seconds, above 0 and up to 86400")] = 600
    rate_share: Annotated[float, Field(gt=0, le=1, description="a number above 0 and up to 1")] = 1
    public_key: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9]{6}$", description=PUBLIC_KEY)] = None
    webhook_secret: Annotated[str | None, Field(repr=False, description="a text")] = None
    client_id: Annotated[str, Field(pattern=r"^[!-9;-~]+$", description="the id of the OAuth app")] = ""
    client_secret: Annotated[str, Field(repr=False, pattern=r"^[!-~]+$", description="the secret of the OAuth app")] = ""
    refresh_token: Annotated[str, Field(repr=False, pattern=r"^[!-~]+$", description="a refresh token and nothing else")] = ""

    @field_validator("revision")
    @classmethod
    def _is_a_date(cls, revision: str) -> str:
        date.fromisoformat(revision.removesuffix(".pre"))
        return revision

    @classmethod
    def of(cls, connection: Connection) -> Settings:
        """
        Read an Airflow connection: ``password`` is the key, if any, ``host`` the base URL, the rest stands in ``extra``.

        :param connection: A connection of type ``klaviyo``, in whichever way it was defined.
        :raises KlaviyoConfigError: A field cannot work; the message says which, and what it may be.
        """
        conn_id = connection.conn_id
        key, extra = (connection.password or "").strip(), _extra(connection)
        _check_credentials(conn_id, key, extra)
        if key:
            extra["key"] = key
        try:
            return cls(conn_id=conn_id, base_url=_base_url(connection), **extra)
        except ValidationError as error:
            raise KlaviyoConfigError("; ".join(_complaint(conn_id, str(each["loc"][0])) for each in error.errors())) from None

    @property
    def loopback(self) -> bool:
        """Whether Klaviyo is a program on this machine: the sandbox."""
        return _is_loopback(urlsplit(self.base_url).hostname or "")

    @property
    def digest(self) -> str:
        """What tells the account and the app from others, and neither key nor token."""
        return hashlib.sha256(f"{self.base_url} {self.key} {self.client_id} {self.refresh_token}".encode()).hexdigest()

    @property
    def retires(self) -> date:
        """The day on which Klaviyo stops to serve the revision, two years after its date."""
        released = date.fromisoformat(self.revision.removesuffix(".pre"))
        return released.replace(year=released.year + REVISION_LIVES_YEARS, day=min(released.day, 28))


# conn_id, base_url and key come from the connection's own fields, everything else from its extra.
EXTRAS = frozenset(Settings.model_fields) - {"conn_id", "base_url", "key"}
OAUTH = ("client_id", "client_secret", "refresh_token")


def _check_credentials(conn_id: str, key: str, extra: dict[str, Any]) -> None:
    """Check that there is either a key or all that OAuth needs."""
    given = [name for name in OAUTH if extra.get(name)]
    if key and given:
        message = (
            f"The connection {conn_id!r} has a password and {', '.join(given)} in its extra: choose one. Leave the password empty for OAuth,"
            " or take these out of the extra for the private API key."
        )
    elif given and len(given) < len(OAUTH):
        missing = ", ".join(name for name in OAUTH if name not in given)
        message = (
            f"For OAuth the extra of the connection {conn_id!r} needs client_id, client_secret and refresh_token: {missing} is missing."
        )
    elif not given and not key.startswith("pk_"):
        message = (
            f"The password of the connection {conn_id!r} must be a private API key, which begins with pk_"
            f" (Klaviyo: Settings, API keys); {'it begins otherwise' if key else 'it is empty'}."
            " With OAuth it stays empty, and the extra holds client_id, client_secret and refresh_token."
        )
    else:
        return
    raise KlaviyoConfigError(message)


def _base_url(connection: Connection) -> str:
    """Put scheme, host and port together: a URI connection gives them apart."""
    given = (connection.host or "").strip().rstrip("/") or HOST
    scheme = (connection.schema or "").strip().lower() or "https"
    scheme, host = given.split("://", 1) if "://" in given else (scheme, given)
    if host.count(":") > 1 and not host.startswith("["):
        host = f"[{host}]"
    try:
        parts = urlsplit(f"{scheme.lower()}://{host}")
        port = parts.port or connection.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in SCHEMES or not parts.hostname or parts.username or parts.path or parts.query or parts.fragment:
        message = f"The host of the connection {connection.conn_id!r} must be a URL without a path, such as {HOST}."
        raise KlaviyoConfigError(message)
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        message = (
            f"The connection {connection.conn_id!r} would send its key unencrypted to {parts.hostname}:"
            " plain http is for this machine only, use https."
        )
        raise KlaviyoConfigError(message)
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{name}{f':{port}' if port else ''}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _extra(connection: Connection) -> dict[str, Any]:
    """Read ``extra``. Not by Airflow's ``extra_dejson``, which must not be called in a trigger's event loop."""
    try:
        extra = json.loads(connection.extra or "{}")
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        message = f"The extra of the connection {connection.conn_id!r} must be a JSON object."
        raise KlaviyoConfigError(message)
    for name in extra.keys() - EXTRAS:
        _warn_of_unknown(connection.conn_id, name)
    return {name: value for name, value in extra.items() if name in EXTRAS and value not in (None, "")}


@lru_cache(maxsize=256)
def _warn_of_unknown(conn_id: str, name: str) -> None:
    """Warn of an extra that nothing reads: once, whence the cache."""
    near = get_close_matches(name, EXTRAS, n=1)
    log.warning("The connection %r has an unknown extra %r, which is ignored%s", conn_id, name, f": is it {near[0]!r}?" if near else "")


def _complaint(conn_id: str, name: str) -> str:
    allowed = Settings.model_fields[name].description
    if name == "key":
        return f"The password of the connection {conn_id!r} must be a private API key and nothing else: pk_, then letters and digits."
    return f"The extra {name!r} of the connection {conn_id!r} must be {allowed}."

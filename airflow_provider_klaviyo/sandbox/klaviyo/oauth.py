# SPDX-License-Identifier: Apache-2.0
"""OAuth at the local Klaviyo: one app, what accounts have granted it, and the endpoints that renew and revoke."""

from __future__ import annotations

import binascii
import secrets
import threading
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.klaviyo.behaviour import Behaviour
    from airflow_provider_klaviyo.sandbox.klaviyo.state import KlaviyoState

CLIENT_ID, CLIENT_SECRET = "sandbox-app", "sandbox-app-secret"
REFRESH_TOKEN = "sandbox-refresh-token"
FORM_TYPE = "application/x-www-form-urlencoded"


class Refused(Exception):  # noqa: N818 - it is an answer, not a failure
    """The request is refused with a word of RFC 6749."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status, self.error = status, error


@dataclass
class Family:
    """
    All tokens that go back to one time an account authorised the app.

    :param refresh: The refresh token that is good.
    :param scopes: What they allow, ``None`` for everything.
    :param spent: The refresh tokens before it.
    :param access: When the access tokens end, by token.
    """

    refresh: str
    scopes: frozenset[str] | None = None
    spent: set[str] = field(default_factory=set)
    access: dict[str, float] = field(default_factory=dict)

    def end(self) -> None:
        """Let none of them be good any more."""
        self.spent.add(self.refresh)
        self.refresh = ""
        self.access.clear()


class Grants:
    """
    What accounts have granted the app; at first one, with everything allowed.

    :param clock: Seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.lock = threading.Lock()
        self.families = [Family(REFRESH_TOKEN)]

    def authorise(self, scopes: frozenset[str] | None = None) -> str:
        """
        Let an account authorise the app, as a person does in a browser, and return the refresh token.

        :param scopes: What to allow, ``None`` for everything.
        """
        with self.lock:
            self.families.append(Family(f"refresh-{secrets.token_hex(16)}", scopes))
            return self.families[-1].refresh

    def renew(self, refresh: str, rotation: Literal["same", "rotate"], seconds: int) -> dict[str, Any]:
        """
        Exchange a refresh token.

        :param refresh: The token. If it was spent, it was stolen: the whole family ends.
        :param rotation: Whether it stays good.
        :param seconds: How long the access token is to live.
        :raises Refused: ``invalid_grant``.
        """
        with self.lock:
            family = next((each for each in self.families if refresh == each.refresh or refresh in each.spent), None)
            if family is None or refresh != family.refresh or not refresh:
                if family:
                    family.end()
                raise Refused(400, "invalid_grant")
            if rotation == "rotate":
                family.spent.add(refresh)
                family.refresh = f"refresh-{secrets.token_hex(16)}"
            access = f"access-{secrets.token_hex(16)}"
            family.access[access] = self.clock() + seconds
            return {
                "access_token": access,
                "token_type": "Bearer",
                "expires_in": seconds,
                "refresh_token": family.refresh,
                "scope": " ".join(sorted(family.scopes or ())),
            }

    def revoke(self, token: str) -> None:
        """End the family of an access or a refresh token; of an unknown one, nothing."""
        with self.lock:
            for family in self.families:
                if token and token in {family.refresh, *family.access}:
                    family.end()

    def end_access(self) -> None:
        """Let every access token end now, and the refresh tokens stay good."""
        with self.lock:
            for family in self.families:
                family.access.clear()

    def of_access(self, token: str) -> Family | None:
        """Return the family of an access token that is good."""
        with self.lock:
            return next((each for each in self.families if each.access.get(token, 0) > self.clock()), None)

    def clear(self) -> None:
        """Return to the start."""
        with self.lock:
            self.families = [Family(REFRESH_TOKEN)]


def create(state: KlaviyoState) -> APIRouter:
    """
    Return the routes of the endpoints.

    :param state: Whose grants they are about.
    """
    router = APIRouter()

    @router.post("/oauth/token")
    async def token(request: Request) -> Response:
        """Renew a token. Of Klaviyo's two grants the other, for which a person has to log in, is :meth:`Grants.authorise`."""
        return _answered(lambda form: _token(state.grants, state.behaviour, form), request.headers, await request.body())

    @router.post("/oauth/revoke")
    async def revoke(request: Request) -> Response:
        """Revoke a token, known or not."""
        return _answered(lambda form: _revoke(state.grants, form), request.headers, await request.body())

    return router


def _answered(act: Callable[[Mapping[str, str]], Any], headers: Mapping[str, str], raw: bytes) -> Response:
    try:
        _check_app(headers.get("authorization", ""))
        return JSONResponse(act(_form(headers.get("content-type", ""), raw)), headers={"cache-control": "no-store"})
    except Refused as refused:
        challenge = {"www-authenticate": "Basic"} if refused.error == "invalid_client" else {}
        return JSONResponse({"error": refused.error}, refused.status, challenge)


def _check_app(authorization: str) -> None:
    scheme, _, encoded = authorization.partition(" ")
    try:
        given = b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        given = ""
    if scheme != "Basic" or given != f"{CLIENT_ID}:{CLIENT_SECRET}":
        raise Refused(401, "invalid_client")


def _form(kind: str, raw: bytes) -> Mapping[str, str]:
    pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True)
    form = dict(pairs)
    if kind.partition(";")[0].strip().lower() != FORM_TYPE or len(form) < len(pairs):
        raise Refused(400, "invalid_request")
    return form


def _token(grants: Grants, behaviour: Behaviour, form: Mapping[str, str]) -> Any:
    if form.get("grant_type") != "refresh_token":
        raise Refused(400, "unsupported_grant_type" if form.get("grant_type") else "invalid_request")
    if set(form) != {"grant_type", "refresh_token"}:
        raise Refused(400, "invalid_request")
    return grants.renew(form["refresh_token"], behaviour.rotation, behaviour.token_seconds)


def _revoke(grants: Grants, form: Mapping[str, str]) -> Any:
    if "token" not in form or not set(form) <= {"token", "token_type_hint"}:
        raise Refused(400, "invalid_request")
    grants.revoke(form["token"])
    return {}

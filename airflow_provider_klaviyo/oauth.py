# SPDX-License-Identifier: Apache-2.0
"""The token of an OAuth app: what to send to renew it, and what the answer means. Nothing is sent here."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoConfigError, KlaviyoError, KlaviyoUnanswered
from airflow_provider_klaviyo.api.request import Json, Request

if TYPE_CHECKING:
    from airflow_provider_klaviyo.settings import Settings

PATH = "/oauth/token"
OPERATION = f"POST {PATH}"
LIVES = 3600
"""Seconds that a token lives whose life Klaviyo does not tell."""
LONGEST_LIFE = 10**9
CONNECTING = 15.0
"""Seconds that reaching Klaviyo may add to those of an answer."""
DEAD = frozenset({"invalid_grant", "invalid_grant_type"})
"""What Klaviyo calls a refresh token that is no longer good."""
UNKNOWN_APP = frozenset({"invalid_client", "unauthorized_client"})


class KlaviyoNotRenewed(KlaviyoUnanswered):
    """
    No token could be had just now, so the request was not sent.

    :param conn_id: The Airflow connection.
    :param cause: Why, in a few words.
    :param retry_after: Seconds Klaviyo asks to wait.
    """

    def __init__(self, conn_id: str, cause: str, retry_after: float = 0.0) -> None:
        self.operation, self.sent, self.cause, self.retry_after = OPERATION, False, cause, retry_after
        KlaviyoError.__init__(self, f"The token of the connection {conn_id!r} could not be renewed ({cause}); the request was not sent")


@dataclass(frozen=True, slots=True)
class Token:
    """
    A token of an OAuth app.

    :param access: Authorises requests.
    :param refresh: Renews it; Klaviyo may replace it whenever it is used.
    :param expires_at: When ``access`` ends, as a Unix time.
    """

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires_at: float

    @classmethod
    def of(cls, record: Json) -> Token | None:
        """Read what :func:`recorded` returned, ``None`` where somebody has changed it."""
        match record:
            case {"access_token": str(access), "refresh_token": str(refresh), "expires_at": int() | float() as expires_at}:
                return cls(access, refresh, expires_at)
        return None


@dataclass(frozen=True, slots=True)
class Renewal:
    """
    A request for a new token. It goes by the app's credentials.

    `Klaviyo: make API calls using OAuth <https://developers.klaviyo.com/en/docs/set_up_oauth>`__.

    :param seconds: What it may take as a whole. Then it is given up: the lease ends, and others may renew.
    """

    request: Request[Json] = field(repr=False)
    authorization: str = field(repr=False)
    seconds: float

    @classmethod
    def of(cls, settings: Settings, refresh: str) -> Renewal:
        """
        Ask for a new token.

        :param settings: The app.
        :param refresh: The refresh token.
        """
        form = {"grant_type": "refresh_token", "refresh_token": refresh}
        basic = b64encode(f"{settings.client_id}:{settings.client_secret}".encode()).decode()
        request: Request[Json] = Request("POST", PATH, form=form, headers={"accept": "application/json"})
        return cls(request, f"Basic {basic}", settings.timeout + CONNECTING)


@dataclass(frozen=True, slots=True)
class Reply:
    """
    What came of a :class:`Renewal`.

    :param status: HTTP status; 0 for no answer.
    :param answer: The body.
    :param retry_after: Seconds Klaviyo asks to wait.
    :param cause: Why there is no answer, in a word.
    :param sent: Whether it may have arrived.
    """

    status: int = 0
    answer: Json = field(default_factory=dict, repr=False)
    retry_after: float = 0.0
    cause: str = ""
    sent: bool = True

    @property
    def renewed(self) -> bool:
        """Whether it holds a new token."""
        access = self.answer.get("access_token")
        return self.status == HTTPStatus.OK and isinstance(access, str) and bool(re.fullmatch(r"[!-~]+", access))

    @property
    def doubtful(self) -> bool:
        """Whether Klaviyo may have replaced the refresh token without our hearing of it."""
        silent = self.status in {0, HTTPStatus.OK} or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        return self.sent and silent and not self.renewed

    @property
    def dead(self) -> bool:
        """Whether the refresh token is no longer good."""
        return self.answer.get("error") in DEAD

    def error(self, conn_id: str) -> KlaviyoError:
        """
        Return what there is to raise where there is no new token.

        :param conn_id: The Airflow connection.
        """
        code = str(self.answer.get("error") or "")
        if not self.status:
            return KlaviyoNotRenewed(conn_id, self.cause)
        if self.status == HTTPStatus.TOO_MANY_REQUESTS:
            return KlaviyoApiError(OPERATION, self.status, conn_id=conn_id, retry_after=self.retry_after)
        if self.doubtful:
            return KlaviyoNotRenewed(conn_id, f"{OPERATION} answered {self.status} without a token", self.retry_after)
        if code in UNKNOWN_APP or self.status == HTTPStatus.UNAUTHORIZED:
            return KlaviyoConfigError(
                f"Klaviyo does not know the app of the connection {conn_id!r}: check client_id and client_secret in its extra"
                " (a secret is shown once, and a new one ends the old)."
            )
        word = f" ({code})" if re.fullmatch(r"[a-z_]{1,40}", code) else ""
        return KlaviyoError(f"{OPERATION} answered {self.status}{word} to the connection {conn_id!r}: its token was not renewed.")


def reconnect(conn_id: str, *, doubt: bool) -> KlaviyoError:
    """
    Return the error of a refresh token that is dead.

    :param conn_id: The Airflow connection.
    :param doubt: Whether the answer to an earlier renewal was lost, and perhaps a new refresh token with it.
    """
    why = " The answer to an earlier renewal was lost, and perhaps its successor with it." if doubt else ""
    return KlaviyoError(
        f"Klaviyo no longer takes the refresh token of the connection {conn_id!r} (invalid_grant).{why} Reconnect: authorise the app again,"
        f" and put the new refresh_token in the extra of the connection {conn_id!r}."
    )


def recorded(answer: Json, *, refresh: str, now: float) -> Json:
    """
    Return what is kept of an answer with a new token: all of it, and what the next process needs to know.

    :param answer: Klaviyo's words.
    :param refresh: The refresh token that was sent: it stays good where the answer holds none.
    :param now: When it was sent, as a Unix time.
    """
    life, given = answer.get("expires_in"), answer.get("refresh_token")
    if not isinstance(life, int | float) or isinstance(life, bool) or not 0 < life < LONGEST_LIFE:  # JSON as Python reads it has NaN
        life = LIVES
    return {**answer, "refresh_token": given if given and isinstance(given, str) else refresh, "expires_at": int(now + life)}

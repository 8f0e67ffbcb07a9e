# SPDX-License-Identifier: Apache-2.0
"""An Airflow connection becomes a session with Klaviyo."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from airflow_provider_klaviyo.api import accounts, webhooks
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError, KlaviyoError, KlaviyoUnanswered
from airflow_provider_klaviyo.api.request import Json, Request, T
from airflow_provider_klaviyo.api.webhooks import TOLERANCE
from airflow_provider_klaviyo.credentials import credentials_of
from airflow_provider_klaviyo.hooks.variables import variables
from airflow_provider_klaviyo.session import AsyncSession, Session, open_async_session, open_session
from airflow_provider_klaviyo.settings import Settings

WARN_BEFORE_DAYS = 90
# Somebody watches a button.
IMPATIENT = {"max_attempts": 1, "deadline": 10.0, "timeout": 10.0}
NO_PLACE = (
    "The connection {0!r} was not tested: a worker's test reaches no Variables, and the token that it renews would be lost to all others."
    " Test it with the button in the UI, or by `airflow connections test {0}`."
)

log = logging.getLogger(__name__)


class KlaviyoHook(BaseHook):
    """
    Talk to Klaviyo as an Airflow connection says.

    In a task::

        with KlaviyoHook().session() as klaviyo:
            klaviyo.send(lists.create(name="VIP"))

    :param klaviyo_conn_id: A connection of type ``klaviyo``.
    """

    conn_name_attr = "klaviyo_conn_id"
    default_conn_name = "klaviyo_default"
    conn_type = "klaviyo"
    hook_name = "Klaviyo"

    def __init__(self, klaviyo_conn_id: str = default_conn_name, logger_name: str | None = None) -> None:
        super().__init__(logger_name=logger_name)
        self.klaviyo_conn_id = klaviyo_conn_id

    @contextmanager
    def session(self) -> Iterator[Session]:
        """
        Open a session for blocking code. Several threads may share it.

        :raises KlaviyoConfigError: The connection cannot work as it is.
        """
        settings = Settings.of(self.get_connection(self.klaviyo_conn_id))
        _warn_when_retiring(settings)
        with open_session(settings, credentials=credentials_of(settings, variables())) as session:
            yield session

    @asynccontextmanager
    async def asession(self) -> AsyncIterator[AsyncSession]:
        """
        Open a session for triggers and other awaiting code.

        :raises KlaviyoConfigError: The connection cannot work as it is.
        """
        settings = Settings.of(await self.aget_connection(self.klaviyo_conn_id))
        _warn_when_retiring(settings)
        async with open_async_session(settings, credentials=credentials_of(settings, variables())) as session:
            yield session

    def send(self, request: Request[T]) -> T:
        """Send one request in a session of its own."""
        with self.session() as session:
            return session.send(request)

    def get_conn(self) -> AbstractContextManager[Session]:
        """Return what :meth:`session` returns: Airflow's conventional name for it."""
        return self.session()

    def test_connection(self) -> tuple[bool, str]:
        """Read the account, for Airflow's Test button: whether that worked, and which account it is or what to do."""
        try:
            settings = Settings.of(self.get_connection(self.klaviyo_conn_id)).model_copy(update=IMPATIENT)
            if not settings.key and _cannot_keep_a_token():
                return False, NO_PLACE.format(self.klaviyo_conn_id)
            with open_session(settings, credentials=credentials_of(settings, variables())) as session:
                page = session.send(accounts.list_())
        except AirflowNotFoundException:
            return False, f"There is no connection {self.klaviyo_conn_id!r}."
        except KlaviyoUnanswered as error:
            return False, f"{error}. Check the host of the connection, and that this machine may reach it."
        except KlaviyoError as error:
            return False, str(error)
        if not page["data"]:
            return (
                False,
                f"Klaviyo shows no account to the {'key' if settings.key else 'app'} of the connection {self.klaviyo_conn_id!r}: make a new one.",
            )
        how = "" if settings.key else " as an OAuth app"
        return True, f"Connected{how} to {_described(page['data'][0])}. {_retirement(settings)}"

    @property
    def webhook_secret(self) -> str:
        """
        What the connection's webhooks are signed with.

        :raises KlaviyoConfigError: The connection has no such extra.
        """
        if secret := Settings.of(self.get_connection(self.klaviyo_conn_id)).webhook_secret:
            return secret
        raise KlaviyoConfigError(
            f"The connection {self.klaviyo_conn_id!r} has no extra `webhook_secret`: put the webhook's secret_key there."
        )

    def verify_signature(self, body: bytes, signature: str | None, timestamp: str | None, *, tolerance: timedelta = TOLERANCE) -> Json:
        """
        Return what a webhook brought, after making sure that Klaviyo has signed it with the connection's ``webhook_secret``.

        As :func:`~airflow_provider_klaviyo.api.webhooks.verify_signature`, whose errors it raises.

        :param body: The body as it came, byte for byte.
        :param signature: The header ``Klaviyo-Signature``.
        :param timestamp: The header ``Klaviyo-Timestamp``.
        :param tolerance: How far its time may lie from now.
        """
        return webhooks.verify_signature(body, signature, timestamp, self.webhook_secret, tolerance=tolerance)


def _cannot_keep_a_token() -> bool:
    """Tell whether this is a worker on which Airflow tests connections: it reaches no Variables, so a token that it renews may be lost."""
    return os.environ.get("_AIRFLOW_PROCESS_CONTEXT") == "client" and variables() is None


def _described(account: Json) -> str:
    name = ((account.get("attributes") or {}).get("contact_information") or {}).get("organization_name")
    return f"the Klaviyo account {account.get('id', 'without an id')}{f' of {name}' if name else ''}"


def _days_left(settings: Settings) -> int:
    return (settings.retires - datetime.now(UTC).date()).days


def _retirement(settings: Settings) -> str:
    days = _days_left(settings)
    if days > 0:
        return f"The API revision {settings.revision} retires on {settings.retires}, in {days} days."
    return f"The API revision {settings.revision} retired on {settings.retires}: set a newer one, or none for this package's own."


@lru_cache(maxsize=256)
def _warn_when_retiring(settings: Settings) -> None:
    """Warn of a revision about to retire: once a process, whence the cache."""
    if _days_left(settings) < WARN_BEFORE_DAYS:
        log.warning("The connection %r: %s", settings.conn_id, _retirement(settings))

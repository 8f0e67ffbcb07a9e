# SPDX-License-Identifier: Apache-2.0
"""
With what a session's requests are authorised: a private key, or the token of an OAuth app, which is renewed while it serves.

What to do is decided here once, for blocking and awaiting sessions: :meth:`Credentials.ready` yields steps and is sent what came of
them. ``docs/decisions/0011-oauth-token-in-a-variable.md`` has the reasons.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from airflow_provider_klaviyo.api.errors import KlaviyoError
from airflow_provider_klaviyo.api.request import Json
from airflow_provider_klaviyo.oauth import KlaviyoNotRenewed, Renewal, Reply, Token, reconnect, recorded
from airflow_provider_klaviyo.sharing import SETTLE, Consult, Pause, Shelf, Store

if TYPE_CHECKING:
    from airflow_provider_klaviyo.settings import Settings

EARLY = 60.0
"""Seconds before its end from which a token is renewed."""
POLL = 0.05
"""Seconds between two looks at another thread that renews it."""
LOST = " Klaviyo has replaced the refresh token: once this process has ended, the app has to be authorised again."

Step = Pause | Consult | Renewal
Steps = Generator[Step, Any, None]

log = logging.getLogger(__name__)


def carry_out(steps: Steps, sleep: Callable[[float], None], ask: Callable[[Renewal], Reply]) -> None:
    """
    Take the steps, blocking.

    :param steps: What :meth:`Credentials.ready` returned.
    :param sleep: How to wait.
    :param ask: How to send a request for a token.
    """
    with closing(steps):
        step = _following(steps)
        while step:
            answer: Any = None
            match step:
                case Pause():
                    sleep(step.seconds)
                case Consult():
                    answer = step()
                case Renewal():
                    answer = ask(step)
            step = _following(steps, answer)


async def acarry_out(steps: Steps, sleep: Callable[[float], Awaitable[None]], ask: Callable[[Renewal], Awaitable[Reply]]) -> None:
    """
    Take the steps, awaiting; the parameters are those of :func:`carry_out`.

    Once begun they are taken to the end even if nobody waits any more: an answer may hold the only refresh token that is still good.
    """
    if step := _following(steps):
        renewal = asyncio.create_task(_taken(steps, step, sleep, ask))
        try:
            await asyncio.shield(renewal)
        except asyncio.CancelledError:
            await asyncio.wait([renewal])
            raise


async def _taken(
    steps: Steps, step: Step | None, sleep: Callable[[float], Awaitable[None]], ask: Callable[[Renewal], Awaitable[Reply]]
) -> None:
    with closing(steps):
        while step:
            answer: Any = None
            match step:
                case Pause():
                    await sleep(step.seconds)
                case Consult():
                    answer = await asyncio.to_thread(step)
                case Renewal():
                    answer = await ask(step)
            step = _following(steps, answer)


def _following(steps: Steps, answer: Any = None) -> Step | None:
    try:
        return steps.send(answer)
    except StopIteration:
        return None


class Credentials(Protocol):
    """What authorises requests. ``renewable`` says whether another try may mend a 401."""

    renewable: ClassVar[bool]

    @property
    def header(self) -> str:
        """The ``Authorization`` of a request that goes now."""

    def ready(self, refused: str = "") -> Steps:
        """
        Yield what is to be done before a request goes.

        :param refused: The ``Authorization`` that Klaviyo has just answered 401 to.
        """


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A private key."""

    key: str = field(repr=False)
    renewable: ClassVar[bool] = False

    @property
    def header(self) -> str:
        """The ``Authorization`` of every request."""
        return f"Klaviyo-API-Key {self.key}"

    def ready(self, refused: str = "") -> Steps:  # noqa: ARG002 - there is no other key
        """Yield nothing."""
        yield from ()


class Grant:
    """
    What an account has granted an app: a token, and the right to renew it. All sessions of a process share it.

    :param settings: The app, and the refresh token that all begins with.
    :param store: Where processes share the token; ``None`` for nowhere, as outside Airflow.
    :param clock: Seconds since 1970.
    """

    renewable: ClassVar[bool] = True

    def __init__(self, settings: Settings, store: Store | None, clock: Callable[[], float] = time.time) -> None:
        self.settings, self.clock = settings, clock
        self.token: Token | None = None
        self.shelf = Shelf(store, settings.conn_id, settings.digest) if store is not None else None
        self.lock = threading.Lock()
        self._doubt = False

    @property
    def header(self) -> str:
        """The ``Authorization`` of a request that goes now; :meth:`ready` comes first."""
        return f"Bearer {self.token.access}" if self.token else ""

    @property
    def patience(self) -> float:
        """Seconds that a renewal may take."""
        return self.settings.timeout + 30

    def ready(self, refused: str = "") -> Steps:
        """
        Yield what it takes to have a good token, one thread or coroutine at a time.

        :param refused: The ``Authorization`` that Klaviyo has just answered 401 to.
        :raises KlaviyoNotRenewed: It cannot be had just now.
        :raises KlaviyoError: It cannot be had at all; the message says what to do.
        """
        waited, lock = 0.0, self.lock
        while not self._good(refused):
            if lock.acquire(blocking=False):
                try:
                    yield from self._alone(refused)
                finally:
                    lock.release()
                return
            self._check_patience(waited, "thread")
            yield Pause(POLL)
            waited += POLL

    def _good(self, refused: str) -> bool:
        return self.token is not None and self.header != refused and self.clock() < self.token.expires_at - EARLY

    def _check_patience(self, waited: float, whom: str) -> None:
        if waited > self.patience:
            raise KlaviyoNotRenewed(self.settings.conn_id, f"another {whom} is at it, and does not come to an end")

    def _alone(self, refused: str) -> Steps:
        """Renew the token as the only thread of this process, and the only process as far as that can be had."""
        if self.shelf is None:
            yield from self._renew(refused)
            return
        waited = 0.0
        yield from self._look()
        while not self._good(refused):
            if (yield from self.shelf.lease(self.clock, self.patience)):
                yield from self._leased(self.shelf, refused)
                return
            self._check_patience(waited, "process")
            waited += SETTLE
            yield from self._look()

    def _leased(self, shelf: Shelf, refused: str) -> Steps:
        error = None
        try:
            yield from self._look()
            if not self._good(refused):
                yield from self._renew(refused)
        except KlaviyoError as caught:
            error = caught
        yield from shelf.release()
        if error:
            raise error

    def _look(self) -> Generator[Consult, Any, None]:
        """Take over the token that another process has left."""
        if self.shelf and (record := (yield from self.shelf.news())):
            self.token = Token.of(record) or self.token

    def _renew(self, refused: str) -> Steps:
        """Use the refresh token; where it is dead, that which another process has left meanwhile."""
        used = ""
        while used != (refresh := self.token.refresh if self.token else self.settings.refresh_token):
            used, now = refresh, self.clock()
            reply: Reply = yield Renewal.of(self.settings, refresh)
            self._doubt = reply.doubtful or (self._doubt and not reply.renewed)
            if reply.renewed:
                yield from self._keep(recorded(reply.answer, refresh=refresh, now=now, grant=self.settings.digest), refresh)
                return
            if not reply.dead:
                raise reply.error(self.settings.conn_id)
            yield from self._look()
            if self._good(refused):
                return
        raise reconnect(self.settings.conn_id, doubt=self._doubt)

    def _keep(self, record: Json, used: str) -> Steps:
        self.token = Token.of(record)
        lost = LOST if record["refresh_token"] != used else ""
        if self.shelf is None:
            log.log(
                logging.WARNING if lost else logging.DEBUG,
                "The token of the connection %r is kept in memory.%s",
                self.settings.conn_id,
                lost,
            )
        elif not (yield from self.shelf.keep(record)):
            log.error(
                "The token of the connection %r could not be stored as %s: see that Airflow's Variables can be written. This process goes on with it.%s",
                self.settings.conn_id,
                self.shelf.name,
                lost,
            )


_grants: dict[tuple[str, type], Grant] = {}


def credentials_of(settings: Settings, store: Store | None = None) -> Credentials:
    """
    Return what authorises the requests of a connection. All sessions of this process share a grant.

    :param settings: The connection.
    :param store: Where its token is kept; ``None`` for this process alone.
    """
    if settings.key:
        return ApiKey(settings.key)
    grant = _grants.setdefault((settings.digest, type(store)), Grant(settings, store))
    grant.settings = settings  # all but what the digest is made of may have been changed
    return grant


def _unlock() -> None:
    """Give a forked child locks that no thread of its parent holds."""
    for grant in _grants.values():
        grant.lock = threading.Lock()


os.register_at_fork(after_in_child=_unlock)

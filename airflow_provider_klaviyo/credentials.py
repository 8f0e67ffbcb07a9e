# SPDX-License-Identifier: Apache-2.0
"""
With what a session's requests are authorised: a private key, or the token of an OAuth app, which is renewed while it serves.

What to do is decided here once, for blocking and awaiting sessions: :meth:`Credentials.ready` yields steps and is sent what came of
them. ``docs/decisions/0011-oauth-token-in-a-variable.md`` has the reasons.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from airflow_provider_klaviyo.api.request import Json
from airflow_provider_klaviyo.oauth import CONNECTING, KlaviyoNotRenewed, Renewal, Reply, Token, reconnect, recorded
from airflow_provider_klaviyo.sharing import Consult, Pause, Shelf, Store

if TYPE_CHECKING:
    from airflow_provider_klaviyo.settings import Settings

EARLY = 60.0
"""Seconds before its end from which a token is renewed."""
POLL = 0.05
"""Seconds between two looks at another thread that renews it."""
LOOKING, SAVING = 30.0, 30.0
"""Seconds of a lease for what comes before the request for a token, and for storing what came of it: its pauses are half of that."""
TOO_LATE = Reply(cause="no whole answer in time")
LOST = " Klaviyo has replaced the refresh token: once this process has ended, the app has to be authorised again."

Step = Pause | Consult | Renewal
Steps = Generator[Step, Any, None]

log = logging.getLogger(__name__)


def carry_out(steps: Steps, sleep: Callable[[float], None], ask: Callable[[Renewal], Reply]) -> None:
    """
    Take the steps, blocking. Whatever ends one of them, such as Airflow's timeout, is thrown into the steps: those that clean up are taken.

    :param steps: What :meth:`Credentials.ready` returned.
    :param sleep: How to wait.
    :param ask: How to send a request for a token.
    """
    step = _following(steps.send, None)
    while step:
        answer: Any = None
        try:
            match step:
                case Pause():
                    sleep(step.seconds)
                case Consult():
                    answer = step()
                case Renewal():
                    answer = _in_time(ask, step)
        except BaseException as error:  # noqa: BLE001 - it is raised again by the steps
            step = _following(steps.throw, error)
        else:
            step = _following(steps.send, answer)


def _in_time(ask: Callable[[Renewal], Reply], renewal: Renewal) -> Reply:
    """Ask in a thread that can be left: the HTTP library bounds each part of a request, and never the whole."""
    reply: Future[Reply] = Future()

    def asking() -> None:
        try:
            reply.set_result(ask(renewal))
        except BaseException as error:  # noqa: BLE001 - it is raised where the reply is waited for
            reply.set_exception(error)

    threading.Thread(target=asking, name="klaviyo-token", daemon=True).start()
    try:
        return reply.result(renewal.seconds)
    except TimeoutError:
        return TOO_LATE


async def acarry_out(steps: Steps, sleep: Callable[[float], Awaitable[None]], ask: Callable[[Renewal], Awaitable[Reply]]) -> None:
    """
    Take the steps, awaiting; the parameters are those of :func:`carry_out`.

    Once begun they are taken to the end even if nobody waits any more: an answer may hold the only refresh token that is still good.
    """
    if step := _following(steps.send, None):
        renewal = asyncio.create_task(_taken(steps, step, sleep, ask))
        try:
            await asyncio.shield(renewal)
        except asyncio.CancelledError:
            await asyncio.wait([renewal])
            raise


async def _taken(
    steps: Steps, step: Step | None, sleep: Callable[[float], Awaitable[None]], ask: Callable[[Renewal], Awaitable[Reply]]
) -> None:
    while step:
        answer: Any = None
        try:
            match step:
                case Pause():
                    await sleep(step.seconds)
                case Consult():
                    answer = await asyncio.to_thread(step)
                case Renewal():
                    answer = await _ain_time(ask, step)
        except BaseException as error:  # noqa: BLE001 - it is raised again by the steps
            step = _following(steps.throw, error)
        else:
            step = _following(steps.send, answer)


async def _ain_time(ask: Callable[[Renewal], Awaitable[Reply]], renewal: Renewal) -> Reply:
    try:
        async with asyncio.timeout(renewal.seconds):
            return await ask(renewal)
    except TimeoutError:
        return TOO_LATE


def _following(go_on: Callable[[Any], Step], result: Any) -> Step | None:
    try:
        return go_on(result)
    except StopIteration:
        return None


class Credentials(Protocol):
    """What authorises requests. ``renewable`` says whether another try may mend a 401."""

    renewable: ClassVar[bool]

    @property
    def header(self) -> str:
        """The ``Authorization`` of a request that goes now."""

    def ready(self, refused: str = "", within: float = math.inf) -> Steps:
        """
        Yield what is to be done before a request goes.

        :param refused: The ``Authorization`` that Klaviyo has just answered 401 to.
        :param within: Seconds until the request's deadline.
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

    def ready(self, refused: str = "", within: float = math.inf) -> Steps:  # noqa: ARG002 - there is no other key
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
        """Seconds that a renewal may take, and a lease lasts."""
        return LOOKING + CONNECTING + self.settings.timeout + SAVING

    def ready(self, refused: str = "", within: float = math.inf) -> Steps:
        """
        Yield what it takes to have a good token, one thread or coroutine at a time.

        :param refused: The ``Authorization`` that Klaviyo has just answered 401 to.
        :param within: Seconds to wait for others that renew it. Once asked, Klaviyo's answer is waited for, and stored, however long it takes:
            it may hold the only refresh token that is still good.
        :raises KlaviyoNotRenewed: It cannot be had just now.
        :raises KlaviyoError: It cannot be had at all; the message says what to do.
        """
        lock, until = self.lock, self.clock() + min(self.patience, within)
        while not self._good(refused):
            if lock.acquire(blocking=False):
                try:
                    yield from self._alone(refused, until)
                finally:
                    lock.release()
                return
            self._check_patience(until, "thread")
            yield Pause(POLL)

    def _good(self, refused: str) -> bool:
        return self.token is not None and self.header != refused and self.clock() < self.token.expires_at - EARLY

    def _check_patience(self, until: float, whom: str) -> None:
        if self.clock() > until:
            raise KlaviyoNotRenewed(self.settings.conn_id, f"another {whom} is at it, and does not come to an end")

    def _alone(self, refused: str, until: float) -> Steps:
        """Renew the token as the only thread of this process, and the only process as far as that can be had."""
        if self.shelf is None:
            yield from self._renew(refused)
            return
        yield from self._look()
        while not self._good(refused):
            try:
                leased = yield from self.shelf.lease(self.clock, self.patience)
                if leased:
                    yield from self._look()
                    if not self._good(refused):
                        yield from self._renew(refused)
            except GeneratorExit:  # nobody takes steps any more
                raise
            except BaseException:
                yield from self.shelf.release()
                raise
            if leased:
                yield from self.shelf.release()
                return
            self._check_patience(until, "process")
            yield from self._look()

    def _look(self) -> Generator[Consult, Any, None]:
        """Take over the token that another process has left."""
        if self.shelf and (record := (yield from self.shelf.news())):
            self.token = Token.of(record) or self.token

    def _renew(self, refused: str) -> Steps:
        """Use the refresh token; where it is dead, that which another process has left meanwhile."""
        used = ""
        while used != (refresh := self.token.refresh if self.token else self.settings.refresh_token):
            used, now, renewal = refresh, self.clock(), Renewal.of(self.settings, refresh)
            if self.shelf and now + renewal.seconds + SAVING > self.shelf.until:
                raise KlaviyoNotRenewed(self.settings.conn_id, f"too little is left of {self.shelf.lease_name}: the store is slow")
            reply: Reply = yield renewal
            self._doubt = reply.doubtful or (self._doubt and not reply.renewed)
            if reply.renewed:
                yield from self._keep(recorded(reply.answer, refresh=refresh, now=now), refresh)
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

# SPDX-License-Identifier: Apache-2.0
"""What all triggers and sensors share that wait for Klaviyo: looking, in the worker or awaiting; and telling what was seen."""

from __future__ import annotations

import asyncio
import math
import time
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_klaviyo.api import errors
from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoConfigError, KlaviyoError
from airflow_provider_klaviyo.api.redaction import redacted
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook

if TYPE_CHECKING:
    from airflow_provider_klaviyo.session import AsyncSession, Session

Look = Generator[Request[Any], Any, bool]
"""One look: it yields requests, is sent what they read or thrown the error, and returns whether the wait is over."""

TOLD: dict[str, type[Exception]] = {
    each.__name__: each for each in (KlaviyoError, KlaviyoConfigError, KeyError, IndexError, TypeError, ValueError, AttributeError)
}
"""Errors that a message makes again."""


class Waiting(TypedDict, total=False):
    """The arguments of every trigger: those of :class:`KlaviyoTrigger`."""

    klaviyo_conn_id: str
    interval: float
    deadline: float | None


class KlaviyoTrigger(BaseTrigger):
    """
    Fires once the wait is over, when the time is up, or when asking cannot succeed.

    It asks for the first time after one interval, because whoever defers has just asked. The event tells what was seen, and
    passes no verdict: :func:`outcome` turns it into that, or into the error that asking in the worker would have raised.

    A subclass names its own arguments in ``fields``, and says what to ask, what it saw, and what is missing. Airflow keeps the
    arguments in its database as they are: none may hold anything about people.

    :param klaviyo_conn_id: The Airflow connection.
    :param interval: Seconds between two looks.
    :param deadline: When to give up, as a Unix time; ``None`` for never.
    """

    fields: ClassVar[tuple[str, ...]] = ()
    last_look: ClassVar[float] = 30
    """Seconds that a look may go on after the deadline. Asking may wait for a limit or an outage, which can take minutes."""

    def __init__(self, *, klaviyo_conn_id: str = "klaviyo_default", interval: float = 10, deadline: float | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.klaviyo_conn_id = klaviyo_conn_id
        self.interval = interval
        self.deadline = deadline

    @abstractmethod
    def look(self) -> Look:
        """Look once. Blocking and awaiting code share it, as :func:`looked` and :func:`alooked`."""

    @abstractmethod
    def seen(self) -> Json:
        """Return what the last look saw, in JSON's own types; nothing about people."""

    @abstractmethod
    def missing(self) -> str:
        """Say what is not there yet, for the message that the time is up."""

    def serialize(self) -> tuple[str, Json]:
        """Return what a triggerer needs to make this trigger again."""
        names = (*self.fields, "klaviyo_conn_id", "interval", "deadline")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    @property
    def patience(self) -> float | None:
        """
        Seconds after which Airflow may take it that no triggerer runs; for ``defer(timeout=...)``.

        They leave the trigger the time to tell of its own deadline, also where a triggerer has to start first.
        """
        return None if self.deadline is None else self._left() + self.last_look + 120

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Ask until there is something to tell."""
        over = False
        error: Exception | None = None
        limit = asyncio.timeout(None if self.deadline is None else self._left() + self.last_look)
        try:
            async with limit:
                over = await self._follow()
        except Exception as caught:  # noqa: BLE001 - a raise in a trigger would reach the worker without its type
            error = None if limit.expired() else caught
        yield TriggerEvent(
            {
                "seen": self.seen(),
                "missing": None if over else self.missing(),
                "error": error and _data(error),
                "deadline": self.deadline,
            }
        )

    async def _follow(self) -> bool:
        async with KlaviyoHook(self.klaviyo_conn_id).asession() as klaviyo:
            while left := self._left():
                await asyncio.sleep(min(self.interval, left))
                with waited_out(self.log.warning):
                    if await alooked(klaviyo, self.look()):
                        return True
        return False

    def _left(self) -> float:
        return math.inf if self.deadline is None else max(0.0, self.deadline - time.time())


def looked(klaviyo: Session, look: Look) -> bool:
    """Look once, blocking, and return whether the wait is over."""
    answer: Any = None
    refused: KlaviyoError | None = None
    while True:
        try:
            request = look.throw(refused) if refused else look.send(answer)
        except StopIteration as end:
            return bool(end.value)
        try:
            answer, refused = klaviyo.send(request), None
        except KlaviyoError as error:
            refused = error


async def alooked(klaviyo: AsyncSession, look: Look) -> bool:
    """Look once, awaiting, and return whether the wait is over."""
    answer: Any = None
    refused: KlaviyoError | None = None
    while True:
        try:
            request = look.throw(refused) if refused else look.send(answer)
        except StopIteration as end:
            return bool(end.value)
        try:
            answer, refused = await klaviyo.send(request), None
        except KlaviyoError as error:
            refused = error


@contextmanager
def waited_out(warn: Callable[..., Any]) -> Iterator[None]:
    """
    Take an outage for a look that saw nothing new: the next one asks again. What cannot change is raised.

    :param warn: A logger's ``warning``.
    """
    try:
        yield
    except KlaviyoError as error:
        if error.permanent:
            raise
        warn("Klaviyo could not be asked, and will be again: %s", error)


def outcome(event: Json) -> Json:
    """
    Read the event of a :class:`KlaviyoTrigger`.

    :return: What was seen when the wait was over; whether it is as it should be is for the sensor to say.
    :raises KlaviyoError: What asking in the worker would have raised.
    :raises TimeoutError: The time was up.
    :raises RuntimeError: Something else went wrong, such as a look-up of the connection.
    """
    if event["error"]:
        raise _error(event["error"])
    if event["missing"] is not None:
        raise TimeoutError(event["missing"])
    seen: Json = event["seen"]
    return seen


def _data(error: Exception) -> Json:
    """Describe an error in JSON's own types."""
    if isinstance(error, KlaviyoApiError):
        return error.as_data()
    said = error.args[0] if isinstance(error, LookupError) and error.args else error  # whose own text has quotes around it
    return {"kind": type(error).__name__, "message": str(said) if isinstance(error, KlaviyoError) else redacted(str(said))}


def _error(data: Json) -> Exception:
    """
    Make the error again.

    Airflow's own become a :class:`RuntimeError`: a sensor that resumes takes any of Airflow's for the end of its time.
    """
    if data["kind"] == "api":
        return errors.from_data(data)
    if known := TOLD.get(data["kind"]):
        return known(data["message"])
    return RuntimeError(f"{data['kind']}: {data['message']}")

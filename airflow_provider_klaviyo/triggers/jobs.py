# SPDX-License-Identifier: Apache-2.0
"""The awaiting half of whatever waits for jobs."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_klaviyo.api import errors
from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoConfigError, KlaviyoError
from airflow_provider_klaviyo.api.jobs import Job, Kind
from airflow_provider_klaviyo.api.redaction import redacted
from airflow_provider_klaviyo.api.request import Json
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.watch import Watch

if TYPE_CHECKING:
    from airflow_provider_klaviyo.session import AsyncSession

TOLD: dict[str, type[Exception]] = {
    each.__name__: each for each in (KlaviyoError, KlaviyoConfigError, KeyError, IndexError, TypeError, ValueError, AttributeError)
}
"""Errors that a message makes again."""


class KlaviyoJobTrigger(BaseTrigger):
    """
    Fires once all of some jobs are done, when the time is up, or when asking cannot succeed.

    It asks for the first time after one interval, because whoever defers has just asked. The event tells what was read, and
    passes no verdict: :func:`settled` turns it into jobs or into the error that asking in the worker would have raised.

    :param kind: What the jobs do.
    :param job_ids: Klaviyo's ids of them.
    :param klaviyo_conn_id: The Airflow connection.
    :param interval: Seconds between two rounds.
    :param deadline: When to give up, as a Unix time; ``None`` for never.
    """

    last_look: ClassVar[float] = 30
    """Seconds that a look may go on after the deadline. Asking may wait for a limit or an outage, which can take minutes."""

    def __init__(
        self,
        *,
        kind: Kind,
        job_ids: Sequence[str],
        klaviyo_conn_id: str = "klaviyo_default",
        interval: float = 10,
        deadline: float | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kind: Kind = kind
        self.job_ids = list(job_ids)
        self.klaviyo_conn_id = klaviyo_conn_id
        self.interval = interval
        self.deadline = deadline

    def serialize(self) -> tuple[str, Json]:
        """Return what a triggerer needs to make this trigger again."""
        names = ("kind", "job_ids", "klaviyo_conn_id", "interval", "deadline")
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
        watch = Watch(self.kind, self.job_ids)
        error: Exception | None = None
        limit = asyncio.timeout(None if self.deadline is None else self._left() + self.last_look)
        try:
            async with limit:
                await self._follow(watch)
        except Exception as caught:  # noqa: BLE001 - a raise in a trigger would reach the worker without its type
            error = None if limit.expired() else caught
        yield self._event(watch, error)

    async def _follow(self, watch: Watch) -> None:
        async with KlaviyoHook(self.klaviyo_conn_id).asession() as klaviyo:
            while watch.pending and self._left():
                await asyncio.sleep(min(self.interval, self._left()))
                await self._ask(klaviyo, watch)

    async def _ask(self, klaviyo: AsyncSession, watch: Watch) -> None:
        try:
            for request in watch.round():
                watch.learn(await klaviyo.send(request))
        except KlaviyoError as error:
            if error.permanent:
                raise
            self.log.warning("Klaviyo could not be asked, and will be again in %s s: %s", self.interval, error)

    def _left(self) -> float:
        return math.inf if self.deadline is None else max(0.0, self.deadline - time.time())

    def _event(self, watch: Watch, error: Exception | None) -> TriggerEvent:
        return TriggerEvent(
            {
                "jobs": {job_id: job.as_data() for job_id, job in watch.jobs.items()},
                "pending": list(watch.pending),
                "error": error and _data(error),
                "deadline": self.deadline,
            }
        )


def settled(event: Json) -> dict[str, Job]:
    """
    Read the event of a :class:`KlaviyoJobTrigger`.

    :return: The jobs by id, all of them done; whether they did well is for :meth:`Job.check` to say.
    :raises KlaviyoError: What asking in the worker would have raised.
    :raises TimeoutError: The time was up.
    :raises RuntimeError: Something else went wrong, such as a look-up of the connection.
    """
    if event["error"]:
        raise _error(event["error"])
    if event["pending"]:
        shown = ", ".join(event["pending"][:3])
        raise TimeoutError(
            f"{len(event['pending'])} of {len(event['jobs'] | dict.fromkeys(event['pending']))} jobs are not done in time: {shown}"
        )
    return {job_id: Job.from_data(data) for job_id, data in event["jobs"].items()}


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

# SPDX-License-Identifier: Apache-2.0
"""The awaiting half of whatever waits for jobs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_klaviyo.api import errors
from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoError
from airflow_provider_klaviyo.api.jobs import Job, Kind
from airflow_provider_klaviyo.api.request import Json
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.watch import Watch

if TYPE_CHECKING:
    from airflow_provider_klaviyo.session import AsyncSession


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

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Ask until there is something to tell."""
        watch = Watch(self.kind, self.job_ids)
        try:
            async with KlaviyoHook(self.klaviyo_conn_id).asession() as klaviyo:
                while watch.pending and not self._late():
                    await asyncio.sleep(self.interval if self.deadline is None else min(self.interval, max(0, self.deadline - time.time())))
                    await self._ask(klaviyo, watch)
        except KlaviyoError as error:
            yield self._event(watch, error)
        else:
            yield self._event(watch)

    def _late(self) -> bool:
        return self.deadline is not None and time.time() >= self.deadline

    async def _ask(self, klaviyo: AsyncSession, watch: Watch) -> None:
        try:
            for request in watch.round():
                watch.learn(await klaviyo.send(request))
        except KlaviyoError as error:
            if error.permanent:
                raise
            self.log.warning("Klaviyo could not be asked, and will be again in %s s: %s", self.interval, error)

    def _event(self, watch: Watch, error: KlaviyoError | None = None) -> TriggerEvent:
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
    """
    if event["error"]:
        raise _error(event["error"])
    if event["pending"]:
        shown = ", ".join(event["pending"][:3])
        raise TimeoutError(
            f"{len(event['pending'])} of {len(event['jobs'] | dict.fromkeys(event['pending']))} jobs are not done in time: {shown}"
        )
    return {job_id: Job.from_data(data) for job_id, data in event["jobs"].items()}


def _data(error: KlaviyoError) -> Json:
    """Describe an error in JSON's own types: a raise in a trigger would reach the worker without its type."""
    return error.as_data() if isinstance(error, KlaviyoApiError) else {"kind": type(error).__name__, "message": str(error)}


def _error(data: Json) -> KlaviyoError:
    if data["kind"] == "api":
        return errors.from_data(data)
    kind: Any = getattr(errors, data["kind"], KlaviyoError)
    return kind(data["message"])  # type: ignore[no-any-return]

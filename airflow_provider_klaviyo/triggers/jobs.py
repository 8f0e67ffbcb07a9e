# SPDX-License-Identifier: Apache-2.0
"""The awaiting half of whatever waits for jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from airflow_provider_klaviyo.api.jobs import Job, Kind
from airflow_provider_klaviyo.api.request import Json
from airflow_provider_klaviyo.triggers.base import KlaviyoTrigger, Look, Waiting, outcome
from airflow_provider_klaviyo.watch import Watch


class KlaviyoJobTrigger(KlaviyoTrigger):
    """
    Fires once all of some jobs are done, when the time is up, or when asking cannot succeed.

    The event is for :func:`settled`. For the other parameters see :class:`~airflow_provider_klaviyo.triggers.base.KlaviyoTrigger`.

    :param kind: What the jobs do.
    :param job_ids: Klaviyo's ids of them.
    """

    fields = ("kind", "job_ids")

    def __init__(self, *, kind: Kind, job_ids: Sequence[str], **waiting: Unpack[Waiting]) -> None:
        super().__init__(**waiting)
        self.kind: Kind = kind
        self.job_ids = list(job_ids)
        self._watch = Watch(kind, job_ids)

    def look(self) -> Look:
        """Ask for the jobs that are not known to be done."""
        for request in self._watch.round():
            self._watch.learn((yield request))
        return not self._watch.pending

    def seen(self) -> Json:
        """Return every job that was heard of."""
        return {"jobs": {job_id: job.as_data() for job_id, job in self._watch.jobs.items()}}

    def missing(self) -> str:
        """Name some of the jobs that are not done."""
        pending = self._watch.pending
        return f"{len(pending)} of {len(set(self.job_ids))} jobs are not done in time: {', '.join(pending[:3])}"


def settled(event: Json) -> dict[str, Job]:
    """
    Read the event of a :class:`KlaviyoJobTrigger`.

    :return: The jobs by id, all of them done; whether they did well is for :meth:`Job.check` to say.
    :raises Exception: As :func:`~airflow_provider_klaviyo.triggers.base.outcome` does.
    """
    return {job_id: Job.from_data(data) for job_id, data in outcome(event)["jobs"].items()}

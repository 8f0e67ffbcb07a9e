# SPDX-License-Identifier: Apache-2.0
"""Which jobs are done: what to ask, and what the answers say. No I/O; a blocking and an awaiting loop share it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from airflow_provider_klaviyo.api import jobs, limits
from airflow_provider_klaviyo.api.jobs import Job, Kind
from airflow_provider_klaviyo.api.pages import once
from airflow_provider_klaviyo.api.request import Json, Request

PAGE = 100
"""Jobs that a page of the list has about."""


class Watch:
    """
    Follows jobs of one kind to their end, with few requests.

    Many jobs are read from the job list, page by page, as long as there are some of ours in it. Other clients' jobs may fill it: those
    that were not met are asked for one by one, a few an interval and more while they turn out to be done, so that none is forgotten
    and absence is never taken for an end.

    .. code-block:: python

        while watch.pending:
            for request in watch.round():
                watch.learn(klaviyo.send(request))
            time.sleep(interval)

    :param kind: What the jobs do.
    :param job_ids: Klaviyo's ids of them.
    :param asks: How many are asked for one by one before it counts whether they are done.
    """

    def __init__(self, kind: Kind, job_ids: Iterable[str], *, asks: int = 5) -> None:
        self.kind: Kind = kind
        self.asks = asks
        self.jobs: dict[str, Job] = {}
        """Every job that was heard of, as it was last read."""
        self._waiting = dict.fromkeys(job_ids)
        self._ids = frozenset(self._waiting)
        self._heard: set[str] = set()
        self._page: Json = {}

    @property
    def pending(self) -> tuple[str, ...]:
        """The ids of the jobs that are not known to be done; what was not heard of for longest comes first."""
        return tuple(self._waiting)

    def round(self) -> Iterator[Request[Iterable[Job]]]:
        """Yield the requests of one interval. Each answer goes to :meth:`learn` before the next is taken."""
        self._heard.clear()
        if len(self._waiting) > self.asks and limits.find("GET", f"/api/{self.kind}-jobs"):
            yield from self._listed()
        unheard = self._unheard()
        for start in range(0, len(unheard), self.asks):
            some = unheard[start : start + self.asks]
            for job_id in some:
                yield _read_by(jobs.get(kind=self.kind, job_id=job_id), _one)
            if any(job_id in self._waiting for job_id in some):
                return

    def _listed(self) -> Iterator[Request[Iterable[Job]]]:
        """Yield the requests for the pages of the list that may have jobs of ours; of others' pages as many as ours would fill."""
        request: Request[Any] | None = jobs.list_(kind=self.kind)
        read: set[int] = set()
        foreign = len(self._waiting) // PAGE
        while request is not None and self._unheard():
            yield _read_by(once(request, read), self._ours)
            if not any(each["id"] in self._ids for each in self._page["data"]):
                foreign -= 1
                if foreign < 0:
                    return
            request = request.following(self._page)

    def _unheard(self) -> list[str]:
        return [job_id for job_id in self._waiting if job_id not in self._heard]

    def learn(self, read: Iterable[Job]) -> None:
        """Take in what one of the requests read."""
        for job in read:
            self.jobs[job.id] = job
            self._heard.add(job.id)
            if job.id in self._waiting:
                del self._waiting[job.id]
                if not job.done:
                    self._waiting[job.id] = None

    def forget(self, job_id: str) -> None:
        """Wait no longer for a job that Klaviyo knows no more."""
        del self._waiting[job_id]

    def _ours(self, page: Json) -> list[Job]:
        """Read our jobs from a page; those of others may have a status we do not know."""
        self._page = page
        return [Job.of(each) for each in page["data"] if each["id"] in self._waiting]


def _read_by(request: Request[Any], read: Callable[[Json], Iterable[Job]]) -> Request[Iterable[Job]]:
    return replace(request, read=read)


def _one(answer: Json) -> list[Job]:
    return [Job.read(answer)]

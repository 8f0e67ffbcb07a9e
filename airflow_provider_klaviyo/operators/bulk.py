# SPDX-License-Identifier: Apache-2.0
"""What all operators share that start one bulk job of rows; those whose job makes something, so that it is made once."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_klaviyo.api import jobs
from airflow_provider_klaviyo.api.errors import KlaviyoUnanswered
from airflow_provider_klaviyo.api.jobs import Job
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.operators.base import Journal, in_doubt
from airflow_provider_klaviyo.operators.jobs import JobOperator

if TYPE_CHECKING:
    from airflow_provider_klaviyo.session import Session


class BulkOperator(JobOperator):
    """Start one bulk job. A job that ends with rows that failed fails the task, which says what was wrong with the first few."""

    start: ClassVar[Callable[..., Request[Json]]]
    """The endpoint. Its arguments are fields of the operator."""

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        start = type(self).start
        return start(**{name: getattr(self, name) for name in signature(start).parameters})


class BulkCreatingOperator(BulkOperator):
    """
    Start one bulk job that makes things.

    It is started once, however often the task is tried: after a try whose outcome is not known, the next looks among the jobs
    that were started since for the one that has made such rows.
    """

    def identity(self, row: Json) -> str:
        """Return the id that what a row makes has in Klaviyo."""
        raise NotImplementedError

    def note(self, klaviyo: Session) -> Json:
        """Note the newest job of the kind: their ids sort by time, and the list begins with the newest."""
        page = klaviyo.send(jobs.list_(kind=self.kind))
        return {"newest": max((each["id"] for each in page["data"]), default="")}

    def recall(self, klaviyo: Session, request: Request[Any], journal: Journal) -> Any:
        """
        Look for the job among those that were started since, by what it has made.

        :raises KlaviyoUnanswered: One may be it, and is not done: a later try can tell.
        :raises KlaviyoInDoubt: One may be it, and has made nothing by which to tell.
        """
        (rows,) = (each["data"] for each in request.json["data"]["attributes"].values()) if request.json else ([],)
        wanted = {self.identity(row) for row in rows}
        since = [each for each in klaviyo.walk(jobs.list_(kind=self.kind)) if each["id"] > (journal.get("newest") or "")]
        alike = [each for each in since if each["attributes"].get("total_count") == len(rows)]
        for each in alike:
            if (made := _made(each)) and made <= wanted:
                return {"data": each}
        if any(not Job.of(each).done for each in alike):
            raise KlaviyoUnanswered(request.name, sent=True, cause="a job that may be its own is not done yet")
        if any(not _made(each) for each in alike):
            raise in_doubt(request, journal)
        return None


def _made(job: Json) -> set[str]:
    """Return the ids of what a job has made."""
    related = (each.get("data") or () for each in (job.get("relationships") or {}).values())
    return {each["id"] for several in related for each in several}

# SPDX-License-Identifier: Apache-2.0
"""What all operators share that start a bulk job, and may wait for it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar, NoReturn

from airflow.sdk import conf

from airflow_provider_klaviyo.api import jobs
from airflow_provider_klaviyo.api.errors import SHOWN, KlaviyoApiError, KlaviyoError, KlaviyoJobFailed
from airflow_provider_klaviyo.api.jobs import Job, Kind
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.operators.base import Journal, KlaviyoOperator
from airflow_provider_klaviyo.watch import Watch

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_klaviyo.session import Session


class JobOperator(KlaviyoOperator):
    """
    Start a bulk job, and wait until it is done; several, where Klaviyo takes only so many rows at once.

    A job's id is kept across the tries of the task: a retry waits for the jobs that are there, and starts none again, unless its
    rows have changed.

    :param wait_for_completion: Whether to wait; otherwise the task ends when all is started.
    :param deferrable: Whether to wait in the triggerer, without a worker slot.
    :param poll_interval: Seconds between two looks.
    :param job_timeout: Seconds to wait in one try of the task.
    :param allowed_failures: Rows that may fail; one more fails the task.
    :return: The job: ``id``, ``kind``, ``status``, ``total``, ``completed``, ``failed``, ``skipped``, ``errors`` (each with ``code``,
        ``detail``, ``pointer``; empty where the job does not name them).
    """

    kind: ClassVar[Kind]

    wait_for_completion: bool = True
    deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False)
    poll_interval: float = 10
    job_timeout: float = 86_400
    allowed_failures: int = 0

    def requests(self) -> Iterator[Request[Json]]:
        """Make the requests, each starts a job."""
        yield self.request()

    def summary(self, found: Sequence[Job]) -> Json:
        """Make what the task returns from the jobs; by default there is one."""
        (job,) = found
        return job.as_data()

    def execute(self, context: Context) -> Json:
        """Start the jobs, unless an earlier try did, and wait for them."""
        journal, requests = Journal(context), list(self.requests())
        deadline = time.time() + self.job_timeout
        with self.hook.session() as klaviyo:
            found = {job.id: job for job in [self._started(klaviyo, request, journal) for request in requests]}
            if not self.wait_for_completion:
                journal.close()
                return self.summary(list(found.values()))
            watch = Watch(self.kind, [job_id for job_id, job in found.items() if not job.done])
            while watch.pending and not self.deferrable:
                if time.time() > deadline:
                    running = found[watch.pending[0]]
                    raise TimeoutError(
                        f"the job {running.id} is {running.status} after {self.job_timeout:g} s; another try goes on waiting for it"
                    )
                time.sleep(self.poll_interval)
                self._look(klaviyo, watch)
                found |= watch.jobs
        if watch.pending:
            self._defer(list(found), deadline)
        return self._ended(list(found.values()), journal)

    def resume(self, context: Context, event: Json) -> Json:
        """Go on where the trigger ended."""
        from airflow_provider_klaviyo.triggers.jobs import settled

        return self._ended(list(settled(event).values()), Journal(context))

    def _started(self, klaviyo: Session, request: Request[Json], journal: Journal) -> Job:
        started, digest = journal.get("jobs") or {}, self.digest(request)
        if digest not in started:
            self.recognise(request, journal)
        if job_id := started.get(digest) or (journal.get("done") or {}).get("id"):
            self.log.info("An earlier try of this task started the job %s: going on with it.", job_id)
            return self._reconnected(klaviyo, journal, job_id)
        job = Job.read(self.send(klaviyo, request, journal))
        journal.write(jobs={**started, digest: job.id})
        self.log.info("Started the %s job %s.", self.kind, job.id)
        return job

    def _reconnected(self, klaviyo: Session, journal: Journal, job_id: str) -> Job:
        try:
            return klaviyo.send(jobs.get(kind=self.kind, job_id=job_id))
        except KlaviyoApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                _forget(journal, [job_id])  # as Klaviyo has: whoever clears this task wants another
            raise

    def _look(self, klaviyo: Session, watch: Watch) -> None:
        """Ask for the jobs; while Klaviyo cannot answer, they stand as they stood."""
        try:
            for request in watch.round():
                watch.learn(klaviyo.send(request))
        except KlaviyoError as error:
            if error.permanent:
                raise
            self.log.warning("Klaviyo could not be asked, and will be again: %s", error)

    def _ended(self, found: Sequence[Job], journal: Journal) -> Json:
        if wrong := jobs.wrong(found, self.allowed_failures):
            _forget(journal, [job.id for job in wrong])
            said = "; ".join(job.complaint(self.allowed_failures) for job in wrong[:SHOWN])
            raise KlaviyoJobFailed(said if len(found) == 1 else f"{len(wrong):,} of {len(found):,} jobs went wrong: {said}")
        journal.close()
        return self.summary(found)

    def _defer(self, job_ids: Sequence[str], deadline: float) -> NoReturn:
        from airflow_provider_klaviyo.triggers.jobs import KlaviyoJobTrigger

        trigger = KlaviyoJobTrigger(
            kind=self.kind,
            job_ids=list(job_ids),
            klaviyo_conn_id=self.klaviyo_conn_id,
            interval=self.poll_interval,
            deadline=deadline,
        )
        self.defer(trigger=trigger, method_name="resume", timeout=trigger.patience)


def _forget(journal: Journal, job_ids: Sequence[str]) -> None:
    """Let another try of the task start other jobs in place of these."""
    started = journal.get("jobs") or {}
    journal.write(jobs={digest: job_id for digest, job_id in started.items() if job_id not in job_ids}, done=None)

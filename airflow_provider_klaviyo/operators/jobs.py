# SPDX-License-Identifier: Apache-2.0
"""What all operators share that start a bulk job, and may wait for it."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar, NoReturn

from airflow.sdk import conf

from airflow_provider_klaviyo.api import jobs
from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoError, KlaviyoJobFailed
from airflow_provider_klaviyo.api.jobs import Job, Kind
from airflow_provider_klaviyo.api.request import Json
from airflow_provider_klaviyo.operators.base import Journal, KlaviyoOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_klaviyo.session import Session


class JobOperator(KlaviyoOperator):
    """
    Start a bulk job, and wait until it is done.

    The job's id is kept across the tries of the task: a retry waits for the job that is there, and starts none, unless the rows
    have changed.

    :param wait_for_completion: Whether to wait; otherwise the task ends when the job is started.
    :param deferrable: Whether to wait in the triggerer, without a worker slot.
    :param poll_interval: Seconds between two looks.
    :param job_timeout: Seconds to wait in one try of the task.
    :param allowed_failures: Rows that may fail; one more fails the task.
    :return: The job: ``id``, ``kind``, ``status``, ``total``, ``completed``, ``failed``, ``skipped``.
    """

    kind: ClassVar[Kind]

    wait_for_completion: bool = True
    deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False)
    poll_interval: float = 10
    job_timeout: float = 86_400
    allowed_failures: int = 0

    def execute(self, context: Context) -> Json:
        """Start the job, unless an earlier try did, and wait for it."""
        journal = Journal(context)
        deadline = time.time() + self.job_timeout
        with self.hook.session() as klaviyo:
            job = self._started(klaviyo, journal)
            if not self.wait_for_completion:
                journal.close()
                return job.as_data()
            while not job.done and not self.deferrable:
                if time.time() > deadline:
                    raise TimeoutError(f"the job {job.id} is {job.status} after {self.job_timeout:g} s; another try goes on waiting for it")
                time.sleep(self.poll_interval)
                job = self._looked(klaviyo, job)
        if job.done:
            return self._ended(job, journal)
        return self._defer(job, deadline)

    def resume(self, context: Context, event: Json) -> Json:
        """Go on where the trigger ended."""
        from airflow_provider_klaviyo.triggers.jobs import settled

        ((_, job),) = settled(event).items()
        return self._ended(job, Journal(context))

    def _started(self, klaviyo: Session, journal: Journal) -> Job:
        request = self.request()
        self.recognise(request, journal)
        if job_id := journal.get("job") or (journal.get("done") or {}).get("id"):
            self.log.info("An earlier try of this task started the job %s: going on with it.", job_id)
            return self._reconnected(klaviyo, journal, job_id)
        job = Job.read(self.send(klaviyo, request, journal))
        journal.write(job=job.id)
        self.log.info("Started the %s job %s.", self.kind, job.id)
        return job

    def _reconnected(self, klaviyo: Session, journal: Journal, job_id: str) -> Job:
        try:
            return klaviyo.send(jobs.get(kind=self.kind, job_id=job_id))
        except KlaviyoApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                journal.write(job=None, done=None)  # Klaviyo has forgotten it: whoever clears this task wants another
            raise

    def _looked(self, klaviyo: Session, job: Job) -> Job:
        """Ask for the job; while Klaviyo cannot answer, it stands as it stood."""
        try:
            return klaviyo.send(jobs.get(kind=self.kind, job_id=job.id))
        except KlaviyoError as error:
            if error.permanent:
                raise
            self.log.warning("Klaviyo could not be asked, and will be again: %s", error)
            return job

    def _ended(self, job: Job, journal: Journal) -> Json:
        try:
            job.check(self.allowed_failures)
        except KlaviyoJobFailed:
            journal.write(job=None, done=None)  # another try starts another job
            raise
        journal.close()
        return job.as_data()

    def _defer(self, job: Job, deadline: float) -> NoReturn:
        from airflow_provider_klaviyo.triggers.jobs import KlaviyoJobTrigger

        trigger = KlaviyoJobTrigger(
            kind=self.kind, job_ids=[job.id], klaviyo_conn_id=self.klaviyo_conn_id, interval=self.poll_interval, deadline=deadline
        )
        self.defer(trigger=trigger, method_name="resume", timeout=trigger.patience)

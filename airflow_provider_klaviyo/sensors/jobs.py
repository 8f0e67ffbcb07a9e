# SPDX-License-Identifier: Apache-2.0
"""Wait for a bulk job."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn, cast

from airflow.sdk import BaseSensorOperator, PokeReturnValue, RetryPolicy, conf
from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException

from airflow_provider_klaviyo.api import jobs
from airflow_provider_klaviyo.api.errors import KlaviyoError
from airflow_provider_klaviyo.api.jobs import Job, Kind
from airflow_provider_klaviyo.api.request import Json
from airflow_provider_klaviyo.operators.base import Airflows, DeclaredOperator, KlaviyoRetryPolicy

if TYPE_CHECKING:
    from airflow.sdk import Context


class KlaviyoJobSensor(DeclaredOperator, BaseSensorOperator):
    """
    Wait until a bulk job is done; fail if it was cancelled or rows of it failed.

    Deferred or poking, it means the same. It asks once before it defers. An answer that cannot change (a wrong key, an unknown
    job) fails it at once; an outage of Klaviyo does not, it asks again until the time is up.

    https://developers.klaviyo.com/en/reference/get_bulk_import_profiles_job, and alike for the other kinds

    :param job_id: Klaviyo's id of the job; of a campaign's jobs, the campaign's.
    :param kind: What the job does.
    :param allowed_failures: Rows that may have failed.
    :param deferrable: Whether to wait in the triggerer, without a worker slot.
    :param klaviyo_conn_id: The Airflow connection with the account's private key.
    :param poke_interval: Seconds between two looks.
    :param timeout: Seconds until it gives up; Airflow's ``sensors.default_timeout`` where left out.
    :param soft_fail: Whether to be skipped, not failed, when the time is up.
    :param mode: ``poke`` or ``reschedule``, where it is not deferrable.
    :param exponential_backoff: Whether to wait longer from look to look, where it is not deferrable.
    :param max_wait: The longest wait between two looks, with ``exponential_backoff``.
    :param silent_fail: Whether to go on waiting after an error.
    :param never_fail: Whether to be skipped, not failed, after an error or when the time is up.
    :param retry_policy: What to do with a failed try; by default, errors that would come again are not retried.
    :return: The job: ``id``, ``kind``, ``status``, ``total``, ``completed``, ``failed``, ``skipped``.
    """

    job_id: str
    kind: Kind = "profile-bulk-import"
    allowed_failures: int = 0
    deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False)
    klaviyo_conn_id: str = "klaviyo_default"
    poke_interval: Airflows[timedelta | float] = 10  # type: ignore[assignment] # Airflow keeps seconds of it
    timeout: Airflows[timedelta | float | None] = None  # type: ignore[assignment]
    soft_fail: Airflows[bool] = False
    mode: Airflows[str] = "poke"
    exponential_backoff: Airflows[bool] = False
    max_wait: Airflows[timedelta | float | None] = None  # type: ignore[assignment]
    silent_fail: Airflows[bool] = False
    never_fail: Airflows[bool] = False
    retry_policy: Airflows[RetryPolicy | None] = KlaviyoRetryPolicy()

    def poke(self, context: Context) -> PokeReturnValue:  # noqa: ARG002
        """Look once."""
        from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook

        try:
            job = KlaviyoHook(self.klaviyo_conn_id).send(jobs.get(kind=self.kind, job_id=self.job_id))
        except KlaviyoError as error:
            if error.permanent:
                raise
            self.log.warning("Klaviyo could not be asked, and will be again: %s", error)
            return PokeReturnValue(is_done=False)
        return PokeReturnValue(is_done=job.done, xcom_value=self._verdict(job))

    def execute(self, context: Context) -> Any:
        """Wait, in the worker or in the triggerer."""
        if not self.deferrable:
            try:
                return super().execute(context)
            except AirflowSensorTimeout as error:
                if self.never_fail:  # as Airflow has it for a sensor that was deferred, and not for one that pokes
                    raise AirflowSkipException("Skipping due to never_fail is set to True.") from error
                raise
        with self._lenience():
            if (found := self.poke(context)).is_done:
                return found.xcom_value
        return self._defer(time.time() + cast("float", self.timeout))

    def resume(self, context: Context, event: Json) -> Any:  # noqa: ARG002
        """Go on where the trigger ended."""
        from airflow_provider_klaviyo.triggers.jobs import settled

        with self._lenience():
            try:
                return self._verdict(settled(event)[self.job_id])
            except TimeoutError as error:
                raise AirflowSensorTimeout(f"Sensor has timed out after {self.timeout} seconds: {error}") from error
        return self._defer(event["deadline"])

    def _verdict(self, job: Job) -> Json:
        return job.check(self.allowed_failures).as_data()

    def _defer(self, deadline: float) -> NoReturn:
        from airflow_provider_klaviyo.triggers.jobs import KlaviyoJobTrigger

        trigger = KlaviyoJobTrigger(
            kind=self.kind,
            job_ids=[self.job_id],
            klaviyo_conn_id=self.klaviyo_conn_id,
            interval=cast("float", self.poke_interval),
            deadline=deadline,
        )
        self.defer(trigger=trigger, method_name="resume", timeout=trigger.patience)

    @contextmanager
    def _lenience(self) -> Iterator[None]:
        """Apply ``silent_fail`` and ``never_fail`` as Airflow does while poking."""
        try:
            yield
        except (AirflowSensorTimeout, AirflowSkipException):
            raise
        except Exception as error:
            if self.silent_fail:
                self.log.exception("The job could not be judged; silent_fail is set, so the wait goes on.")
            elif self.never_fail:
                raise AirflowSkipException("Skipping due to never_fail is set to True.") from error
            else:
                raise

# SPDX-License-Identifier: Apache-2.0
"""Wait for a bulk job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_klaviyo.api.jobs import Job, Kind
from airflow_provider_klaviyo.api.request import Json
from airflow_provider_klaviyo.sensors.base import KlaviyoSensor

if TYPE_CHECKING:
    from airflow_provider_klaviyo.triggers.jobs import KlaviyoJobTrigger


class KlaviyoJobSensor(KlaviyoSensor):
    """
    Wait until a bulk job is done; fail if it was cancelled or rows of it failed.

    https://developers.klaviyo.com/en/reference/get_bulk_import_profiles_job, and alike for the other kinds

    :param job_id: Klaviyo's id of the job; of a campaign's jobs, the campaign's.
    :param kind: What the job does.
    :param allowed_failures: Rows that may have failed.
    :return: The job: ``id``, ``kind``, ``status``, ``total``, ``completed``, ``failed``, ``skipped``, ``errors`` (each with ``code``,
        ``detail``, ``pointer``; empty where the job does not name them).
    """

    job_id: str
    kind: Kind = "profile-bulk-import"
    allowed_failures: int = 0

    def trigger(self) -> KlaviyoJobTrigger:
        """Make the trigger from the rendered fields."""
        from airflow_provider_klaviyo.triggers.jobs import KlaviyoJobTrigger

        return KlaviyoJobTrigger(kind=self.kind, job_ids=[self.job_id], **self.waiting)

    def verdict(self, seen: Json) -> Json:
        """Return the job, or say what is wrong with it."""
        return Job.from_data(seen["jobs"][self.job_id]).check(self.allowed_failures).as_data()

# SPDX-License-Identifier: Apache-2.0
"""Imports of profiles, the job that can fail. The cases of other kinds stand with the resource whose job it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_klaviyo.api import bodies, jobs, profiles
from airflow_provider_klaviyo.api.request import Json
from tests.contract.cases.profiles import LEAST
from tests.contract.kit import Case

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer
    from airflow_provider_klaviyo.session import Session

IMPORT: jobs.Kind = "profile-bulk-import"


def an_import(klaviyo: Session, sandbox: SandboxServer) -> Json:
    """Carry out an import whose only row fails."""
    sandbox.klaviyo.behaviour.job_seconds = 0
    sandbox.klaviyo.next_job(fail=[0])
    return {"job_id": klaviyo.send(profiles.bulk_import(profiles=[bodies.profile_resource(LEAST)]))["data"]["id"]}


CASES = [
    Case(jobs.get, "get_bulk_import_profiles_job", {"kind": IMPORT, "job_id": "J1"}, an_import),
    Case(jobs.list_, "get_bulk_import_profiles_jobs", {"kind": IMPORT}, an_import),
    Case(jobs.list_, "get_bulk_import_profiles_jobs", {"kind": IMPORT, "status": jobs.JobStatus.COMPLETE}, an_import),
    Case(jobs.import_errors, "get_errors_for_bulk_import_profiles_job", {"job_id": "J1"}, an_import),
]

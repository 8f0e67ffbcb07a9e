# SPDX-License-Identifier: Apache-2.0
"""Jobs: Klaviyo's bulk operations, many kinds of one shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Literal, get_args

from airflow_provider_klaviyo.api import limits
from airflow_provider_klaviyo.api.errors import Fault, KlaviyoConfigError, KlaviyoError, KlaviyoJobFailed, listed
from airflow_provider_klaviyo.api.filters import equals
from airflow_provider_klaviyo.api.jsonapi import listing
from airflow_provider_klaviyo.api.redaction import redacted
from airflow_provider_klaviyo.api.request import Json, Request, at

Kind = Literal[
    "profile-bulk-import",
    "profile-suppression-bulk-create",
    "profile-suppression-bulk-delete",
    "catalog-item-bulk-create",
    "catalog-item-bulk-update",
    "catalog-item-bulk-delete",
    "catalog-variant-bulk-create",
    "catalog-variant-bulk-update",
    "catalog-variant-bulk-delete",
    "catalog-category-bulk-create",
    "catalog-category-bulk-update",
    "catalog-category-bulk-delete",
    "coupon-code-bulk-create",
    "campaign-send",
    "campaign-recipient-estimation",
]


class JobStatus(StrEnum):
    """Where a job stands. There is no failure among them: what failed is counted."""

    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETE = "complete"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Job:
    """
    A job as Klaviyo last told it.

    :param id: Klaviyo's id of it.
    :param kind: What it does; as :data:`Kind`.
    :param status: Where it stands.
    :param total: Rows it has, 0 until Klaviyo has counted them, and where it does not.
    :param completed: Rows it carried out.
    :param failed: Rows it refused; of a kind that does not count them, those that are neither completed nor skipped in the end.
    :param skipped: Rows there was nothing to do for, among them those to delete that are not there.
    :param errors: What was wrong with the refused rows, as far as the job itself says so.
    """

    id: str
    kind: str
    status: JobStatus
    total: int = 0
    completed: int = 0
    failed: int = 0
    skipped: int = 0
    errors: tuple[Fault, ...] = ()

    @classmethod
    def read(cls, answer: Json) -> Job:
        """Read the answer of :func:`get`, or of the request that started the job."""
        return cls.of(answer.get("data"))

    @classmethod
    def of(cls, resource: Any) -> Job:
        """
        Read a job resource, such as an item of :func:`list_`.

        :raises KlaviyoError: It is no job, or its status is none this package knows.
        """
        match resource:
            case {"type": str(type_), "id": str(job_id), "attributes": dict(told)}:
                kind = type_.removesuffix("-job")
                counts = {name: told.get(f"{name}_count") or 0 for name in ("total", "completed", "failed", "skipped")}
                said = [_fault(each, kind) for each in told.get("errors") or () if isinstance(each, dict)]
                errors = tuple(each for each in said if not (kind.endswith("-bulk-delete") and each.code == "not_found"))
                gone = min(len(said) - len(errors), counts["failed"])
                counts |= {"failed": counts["failed"] - gone, "skipped": counts["skipped"] + gone}
                status = _status(told.get("status"), kind)
                if status is JobStatus.COMPLETE and "failed_count" not in told:  # a kind that does not count them
                    counts["failed"] = max(0, counts["total"] - counts["completed"] - counts["skipped"])
                return cls(job_id, kind, status, **counts, errors=errors)
        raise KlaviyoError("Klaviyo answered with what is no job: it has no type, id or attributes")

    @classmethod
    def from_data(cls, data: Json) -> Job:
        """Rebuild what :meth:`as_data` wrote."""
        return cls(**{**data, "status": JobStatus(data["status"]), "errors": tuple(Fault(**each) for each in data.get("errors", ()))})

    def as_data(self) -> Json:
        """Return the job in JSON's own types, for an XCom or a trigger's event."""
        errors = [{"code": each.code, "detail": each.detail, "pointer": each.pointer} for each in self.errors]
        return {**asdict(self), "status": self.status.value, "errors": errors}

    @property
    def done(self) -> bool:
        """Whether Klaviyo is through with it."""
        return self.status in {JobStatus.COMPLETE, JobStatus.CANCELLED}

    def check(self, allowed_failures: int = 0) -> Job:
        """
        Return the job, running or done as it should be.

        :param allowed_failures: Rows that may have failed.
        :raises KlaviyoJobFailed: It was cancelled, or is complete without more rows than that.
        """
        if wrong([self], allowed_failures):
            raise KlaviyoJobFailed(self.complaint(allowed_failures))
        return self

    def complaint(self, allowed_failures: int) -> str:
        """
        Say how it ended, where that is not as it should be.

        :param allowed_failures: Rows that may have failed.
        """
        if self.status is JobStatus.CANCELLED:
            return f"the {self.kind} job {self.id} was cancelled after {self.completed:,} of {self.total:,} rows: start it anew"
        where = f": {listed(self.errors)}" if self.errors else ""
        if self.kind == "profile-bulk-import":
            where = f"; GET /api/profile-bulk-import-jobs/{self.id}/import-errors names them"
        return (
            f"the {self.kind} job {self.id} is complete, but {self.failed:,} of {self.total:,} rows failed"
            f" ({allowed_failures:,} allowed){where}"
        )


def wrong(found: Sequence[Job], allowed_failures: int = 0) -> list[Job]:
    """
    Return which of some jobs did not end as they should: those that were cancelled, and those with failed rows where all have too many.

    :param found: The jobs.
    :param allowed_failures: Rows that may have failed, over all of them.
    """
    excess = sum(job.failed for job in found if job.status is JobStatus.COMPLETE) > allowed_failures
    return [job for job in found if job.status is JobStatus.CANCELLED or (job.status is JobStatus.COMPLETE and excess and job.failed)]


def get(*, kind: Kind, job_id: str) -> Request[Job]:
    """
    Read a job.

    https://developers.klaviyo.com/en/reference/get_bulk_import_profiles_job, and alike for the other kinds

    :param kind: What it does.
    :param job_id: Klaviyo's id of it; of a campaign's jobs, the campaign's.
    :raises KlaviyoConfigError: Klaviyo has no such kind.
    """
    return Request("GET", at("/api/{}-jobs/{}", _known(kind), job_id), read=Job.read)


def list_(*, kind: Kind, status: JobStatus | None = None) -> Request[Json]:
    """
    Read the jobs of a kind, those of other clients too, page by page: as many a page as Klaviyo gives, newest first where it sorts.

    https://developers.klaviyo.com/en/reference/get_bulk_import_profiles_jobs, and alike for the other kinds

    :param kind: What they do.
    :param status: Where they stand.
    :raises KlaviyoConfigError: Klaviyo has no such kind, or does not list it.
    """
    path = at("/api/{}-jobs", _known(kind))
    operation = limits.find("GET", path)
    if operation is None:
        raise KlaviyoConfigError(f"Klaviyo does not list {kind} jobs: get one by its id")
    return listing(
        path,
        filter=None if status is None else equals("status", JobStatus(status)),
        sort="-created_at" if "created_at" in operation.sortable else None,
        page_size=operation.max_page_size,
    )


def import_errors(*, job_id: str) -> Request[Json]:
    """
    Read which rows of a profile import failed, and why, page by page.

    https://developers.klaviyo.com/en/reference/get_errors_for_bulk_import_profiles_job

    :param job_id: Klaviyo's id of the job.
    """
    path = at("/api/profile-bulk-import-jobs/{}/import-errors", job_id)
    operation = limits.find("GET", path)
    return listing(path, page_size=operation.max_page_size if operation else None)


def _known(kind: Kind) -> Kind:
    if kind not in get_args(Kind):
        raise KlaviyoConfigError(f"a job's kind is one of {', '.join(get_args(Kind))}")
    return kind


def _fault(error: Mapping[str, Any], kind: str) -> Fault:
    """Read what was wrong with a row. The sentence about a coupon code may quote the code, which is as good as money: its title has to do."""
    said = error.get("title") if kind.startswith("coupon-code") else error.get("detail") or error.get("title")
    pointer = (error.get("source") or {}).get("pointer")
    return Fault(str(error.get("code") or ""), redacted(str(said or "")), str(pointer or ""))


def _status(text: object, kind: str) -> JobStatus:
    try:
        return JobStatus(str(text))
    except ValueError:
        known = ", ".join(JobStatus)
        raise KlaviyoError(f"Klaviyo says that a {kind} job is {redacted(repr(text))}; this package knows {known}") from None

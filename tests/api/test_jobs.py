# SPDX-License-Identifier: Apache-2.0
"""One reading of a job."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klaviyo.api import jobs
from airflow_provider_klaviyo.api.errors import Fault, KlaviyoConfigError, KlaviyoError, KlaviyoJobFailed
from airflow_provider_klaviyo.api.jobs import Job, JobStatus
from airflow_provider_klaviyo.api.request import Json, Request


def answer(status: Any = "complete", kind: str = "profile-bulk-import", **counts: int | None) -> Json:
    """Return an answer as Klaviyo gives it."""
    return {"data": {"type": f"{kind}-job", "id": "J1", "attributes": {"status": status, **counts}, "links": {}}}


def test_a_job_is_read() -> None:
    read = Job.read(answer("processing", total_count=3, completed_count=1, failed_count=None))
    assert read == Job(id="J1", kind="profile-bulk-import", status=JobStatus.PROCESSING, total=3, completed=1)


@pytest.mark.parametrize(("status", "done"), [("queued", False), ("processing", False), ("complete", True), ("cancelled", True)])
def test_a_job_is_done_by_its_status_alone(status: str, done: bool) -> None:
    assert Job.read(answer(status)).done is done


@pytest.mark.parametrize("status", ["failed", "COMPLETE", "", None])
def test_a_status_never_seen_raises(status: Any) -> None:
    with pytest.raises(KlaviyoError, match="this package knows queued, processing, complete, cancelled"):
        Job.read(answer(status))


def test_the_unknown_status_is_named() -> None:
    with pytest.raises(KlaviyoError, match="'expired'"):
        Job.read(answer("expired"))


@pytest.mark.parametrize(
    "malformed",
    [
        {},
        {"data": None},
        {"data": []},
        {"data": {"type": "profile-bulk-import-job", "id": "J1"}},
        {"data": {"id": "J1", "attributes": None}},
    ],
)
def test_what_is_no_job_raises_and_says_so(malformed: Json) -> None:
    with pytest.raises(KlaviyoError, match="no job"):
        Job.read(malformed)


@pytest.mark.parametrize("status", ["queued", "processing"])
def test_a_running_job_is_as_it_should_be(status: str) -> None:
    job = Job.read(answer(status, total_count=3, failed_count=3))
    assert job.check() is job


def test_a_cancelled_job_has_failed() -> None:
    with pytest.raises(KlaviyoJobFailed, match="was cancelled after 1 of 3 rows"):
        Job.read(answer("cancelled", total_count=3, completed_count=1)).check(allowed_failures=3)


def test_complete_with_failures_is_no_success() -> None:
    job = Job.read(answer(total_count=10_000, completed_count=9_998, failed_count=2))
    with pytest.raises(KlaviyoJobFailed, match=r"2 of 10,000 rows failed \(1 allowed\).*J1/import-errors"):
        job.check(allowed_failures=1)
    assert job.check(allowed_failures=2) is job


def test_what_was_skipped_has_not_failed() -> None:
    job = Job.read(answer(kind="profile-suppression-bulk-create", total_count=3, completed_count=1, skipped_count=2))
    assert job.check() == Job("J1", "profile-suppression-bulk-create", JobStatus.COMPLETE, total=3, completed=1, skipped=2)


def wrong(code: str = "invalid", at: int = 0, **said: str) -> Json:
    """Return what a job tells of a row."""
    return {"id": "E1", "code": code, "title": "Conflict.", "detail": "No.", "source": {"pointer": f"/data/{at}"}, **said}


def failed(*errors: Json, kind: str = "catalog-item-bulk-create") -> Job:
    """Return a job of ten rows, of which these failed."""
    counts: Any = {"total_count": 10, "completed_count": 10 - len(errors), "failed_count": len(errors), "errors": errors}
    return Job.read(answer(kind=kind, **counts))


def test_a_job_that_names_what_failed_is_quoted() -> None:
    errors = [wrong(at=at) for at in range(7)]
    with pytest.raises(
        KlaviyoJobFailed, match=r"7 of 10 rows failed \(0 allowed\): invalid at /data/0: No\.; .*/data/4: No\.; and 2 more$"
    ):
        failed(*errors).check()
    assert failed(*errors).check(7).errors[6].pointer == "/data/6"


def test_a_quoted_sentence_holds_no_person_and_no_coupon_code() -> None:
    assert "jo@example.com" not in str(failed(wrong(detail="jo@example.com is wrong")).as_data())
    (error,) = failed(wrong("conflict", detail="SESAME exists"), kind="coupon-code-bulk-create").errors
    assert (error.code, error.detail) == ("conflict", "Conflict.")


def test_what_is_to_be_deleted_and_not_there_is_skipped() -> None:
    job = failed(wrong("not_found"), wrong(at=1), kind="catalog-item-bulk-delete")
    assert (job.completed, job.failed, job.skipped, [each.pointer for each in job.errors]) == (8, 1, 1, ["/data/1"])
    assert failed(wrong("not_found"), kind="catalog-item-bulk-update").failed == 1


@given(
    st.sampled_from(JobStatus),
    st.lists(st.integers(0), min_size=4, max_size=4),
    st.sampled_from(get_args(jobs.Kind)),
    st.lists(st.builds(Fault, st.text(), st.text(), st.text())),
)
def test_a_job_survives_json(status: JobStatus, counts: list[int], kind: str, errors: list[Fault]) -> None:
    total, completed, failed, skipped = counts
    job = Job("J1", kind, status, total, completed, failed, skipped, tuple(errors))
    assert Job.from_data(json.loads(json.dumps(job.as_data()))) == job


def test_get() -> None:
    assert jobs.get(kind="profile-bulk-import", job_id="a/b") == Request("GET", "/api/profile-bulk-import-jobs/a%2Fb", read=Job.read)


def test_the_newest_hundred_are_listed_first() -> None:
    assert jobs.list_(kind="profile-bulk-import") == Request(
        "GET", "/api/profile-bulk-import-jobs", params={"sort": "-created_at", "page[size]": 100}
    )


def test_a_list_that_neither_sorts_nor_takes_a_size_is_not_asked_to() -> None:
    assert jobs.list_(kind="coupon-code-bulk-create", status=JobStatus.PROCESSING) == Request(
        "GET", "/api/coupon-code-bulk-create-jobs", params={"filter": 'equals(status,"processing")'}
    )


def test_campaign_jobs_are_not_listed() -> None:
    with pytest.raises(KlaviyoConfigError, match="get one by its id"):
        jobs.list_(kind="campaign-send")


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(KlaviyoConfigError, match="kind is one of profile-bulk-import"):
        jobs.get(kind="profile-import", job_id="J1")  # type: ignore[arg-type]


def test_import_errors() -> None:
    assert jobs.import_errors(job_id="J1") == Request("GET", "/api/profile-bulk-import-jobs/J1/import-errors", params={"page[size]": 100})


def test_a_kind_that_counts_no_failures_fails_by_what_is_missing() -> None:
    short = Job.read(answer(kind="profile-suppression-bulk-create", total_count=100, completed_count=60, skipped_count=10))
    assert short.failed == 30
    with pytest.raises(KlaviyoJobFailed, match="30 of 100 rows failed"):
        short.check(29)
    assert short.check(30) is short
    running = Job.read(answer("processing", kind="profile-suppression-bulk-create", total_count=100, completed_count=60))
    assert running.failed == 0
    assert Job.read(answer(kind="campaign-send")).failed == 0


def test_failures_are_allowed_over_all_jobs() -> None:
    one, two = (Job(each, "profile-bulk-import", JobStatus.COMPLETE, total=10, completed=8, failed=2) for each in ("J1", "J2"))
    stopped = Job("J3", "profile-bulk-import", JobStatus.CANCELLED)
    assert jobs.wrong([one, two], 4) == []
    assert jobs.wrong([one, two], 3) == [one, two]
    assert jobs.wrong([one, two, stopped], 4) == [stopped]

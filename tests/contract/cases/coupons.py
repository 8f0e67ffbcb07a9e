# SPDX-License-Identifier: Apache-2.0
"""Coupons, and the jobs that put codes into them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_provider_klaviyo.api import coupons, jobs
from airflow_provider_klaviyo.api.request import Json
from tests.contract.kit import Case

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer
    from airflow_provider_klaviyo.session import Session

KIND: jobs.Kind = "coupon-code-bulk-create"
CODES: Json = {"codes": [{"unique_code": "A1"}], "coupon_id": "SPRING_10"}


def a_coupon(klaviyo: Session, sandbox: SandboxServer) -> Json:
    """Make a coupon."""
    return {"coupon_id": klaviyo.send(coupons.create(external_id="SPRING_10", description="10 %"))["data"]["id"]}


def a_job(klaviyo: Session, sandbox: SandboxServer) -> Json:
    """Put the same code into a coupon twice, the second time in vain."""
    sandbox.klaviyo.behaviour.job_seconds = 0
    a_coupon(klaviyo, sandbox)
    return {"job_id": [klaviyo.send(coupons.bulk_create_codes(**CODES))["data"]["id"] for _ in range(2)][-1]}


CASES = [
    Case(coupons.create, "create_coupon", {"external_id": "SPRING_10"}),
    Case(
        coupons.create, "create_coupon", {"external_id": "S", "description": "D", "monitor_configuration": {"low_balance_threshold": 500}}
    ),
    Case(
        coupons.create,
        "create_coupon",
        {"external_id": "S", "assigner_configuration": {"used": "ASSIGN_IF_EXPIRED", "unused_expired": "NEVER_ASSIGN"}},
    ),
    Case(coupons.get, "get_coupon", {"coupon_id": "SPRING_10"}, a_coupon),
    Case(coupons.get, "get_coupon", {"coupon_id": "SPRING_10", "fields": {"coupon": ["description"]}}, a_coupon),
    Case(coupons.list_, "get_coupons", {}, a_coupon),
    Case(coupons.list_, "get_coupons", {"fields": {"coupon": ["external_id"]}, "page_size": 100}, a_coupon),
    Case(coupons.bulk_create_codes, "bulk_create_coupon_codes", CODES, a_coupon),
    Case(
        coupons.bulk_create_codes,
        "bulk_create_coupon_codes",
        {
            "codes": [
                {"unique_code": "A1", "expires_at": datetime(2027, 1, 1, tzinfo=UTC), "coupon_id": "SPRING_10"},
                {"unique_code": 2, "coupon_id": "SPRING_10"},
            ],
            "expires_at": "2027-06-01T00:00:00+02:00",
        },
        a_coupon,
    ),
    Case(jobs.get, "get_bulk_create_coupon_codes_job", {"kind": KIND, "job_id": "J1"}, a_job),
    Case(jobs.list_, "get_bulk_create_coupon_code_jobs", {"kind": KIND}, a_job),
    Case(jobs.list_, "get_bulk_create_coupon_code_jobs", {"kind": KIND, "status": jobs.JobStatus.COMPLETE}, a_job),
]

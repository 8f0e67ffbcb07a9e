# SPDX-License-Identifier: Apache-2.0
"""What people agree to on all channels there are, suppressions, and the jobs of these."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, get_args

from airflow_provider_klaviyo.api import jobs, lists, subscriptions
from airflow_provider_klaviyo.api.request import Json
from tests.contract.cases.segments import a_segment
from tests.contract.kit import Case

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer
    from airflow_provider_klaviyo.session import Session

LEAST: Json = {"profiles": [{"email": "sarah@example.com"}]}
EVERYBODY: Json = {"email": "sarah@example.com", "phone_number": "+14155550123"}
EMAILS: Json = {"emails": ["sarah@example.com", "tom@example.com"]}
KINDS: dict[jobs.Kind, str] = {"profile-suppression-bulk-create": "suppress", "profile-suppression-bulk-delete": "unsuppress"}


def a_list(klaviyo: Session, sandbox: SandboxServer) -> Json:
    """Make a list."""
    return {"list_id": klaviyo.send(lists.create(name="VIP"))["data"]["id"]}


def a_job(klaviyo: Session, sandbox: SandboxServer) -> Json:
    """Suppress an address, and take that back."""
    sandbox.klaviyo.behaviour.job_seconds = 0
    makers = {"profile-suppression-bulk-create": subscriptions.suppress, "profile-suppression-bulk-delete": subscriptions.unsuppress}
    return {kind: klaviyo.send(make(**EMAILS))["data"]["id"] for kind, make in makers.items()}


def job_cases(kind: jobs.Kind, word: str) -> Iterator[Case]:
    """Yield the cases of a kind of job."""

    def made(klaviyo: Session, sandbox: SandboxServer) -> Json:
        return {"job_id": a_job(klaviyo, sandbox)[kind]}

    yield Case(jobs.get, f"get_bulk_{word}_profiles_job", {"kind": kind, "job_id": "J1"}, made)
    yield Case(jobs.list_, f"get_bulk_{word}_profiles_jobs", {"kind": kind}, made)
    yield Case(jobs.list_, f"get_bulk_{word}_profiles_jobs", {"kind": kind, "status": jobs.JobStatus.COMPLETE}, made)


CASES = [
    Case(subscriptions.subscribe, "bulk_subscribe_profiles", LEAST),
    Case(
        subscriptions.subscribe,
        "bulk_subscribe_profiles",
        {
            "profiles": [
                {**EVERYBODY, "consented_at": datetime(2025, 1, 1, tzinfo=UTC), "age_gated_date_of_birth": date(2000, 2, 29), "id": "01J"},
                {"email": "tom@example.com", "channels": ["email.marketing"], "consented_at": "2025-01-01T00:00:00+01:00"},
            ],
            "channels": list(get_args(subscriptions.Channel)),
            "list_id": "L1",
            "historical_import": True,
            "custom_source": "Fair",
        },
        a_list,
    ),
    Case(subscriptions.unsubscribe, "bulk_unsubscribe_profiles", LEAST),
    Case(
        subscriptions.unsubscribe,
        "bulk_unsubscribe_profiles",
        {
            "profiles": [EVERYBODY, {"email": "tom@example.com", "channels": ["email.marketing"]}],
            "channels": list(get_args(subscriptions.LeftChannel)),
            "list_id": "L1",
        },
        a_list,
    ),
    Case(subscriptions.suppress, "bulk_suppress_profiles", EMAILS),
    Case(subscriptions.suppress, "bulk_suppress_profiles", {"list_id": "L1"}, a_list),
    Case(subscriptions.suppress, "bulk_suppress_profiles", {"segment_id": "S1"}, a_segment),
    Case(subscriptions.unsuppress, "bulk_unsuppress_profiles", EMAILS),
    Case(subscriptions.unsuppress, "bulk_unsuppress_profiles", {"list_id": "L1"}, a_list),
    Case(subscriptions.unsuppress, "bulk_unsuppress_profiles", {"segment_id": "S1"}, a_segment),
    *(case for kind, word in KINDS.items() for case in job_cases(kind, word)),
]

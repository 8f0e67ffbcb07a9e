# SPDX-License-Identifier: Apache-2.0
"""Operators for coupons and their codes, against the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_klaviyo.api import coupons
from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoConfigError, KlaviyoJobFailed, KlaviyoUnanswered
from airflow_provider_klaviyo.api.request import Request
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.operators.coupons import (
    KlaviyoBulkCreateCouponCodesOperator,
    KlaviyoCreateCouponOperator,
    KlaviyoListCouponsOperator,
)
from tests.operators.kit import Killed, Store, context

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

    Run = Callable[..., Any]

POST, CODES = "POST /api/coupons", "POST /api/coupon-code-bulk-create-jobs"
SPRING: dict[str, Any] = {"external_id": "SPRING_10", "description": "10 % off"}
MANY = [{"unique_code": f"Sesame{n}"} for n in range(3)]


def make(external_id: str = "SPRING_10", description: str | None = "10 % off") -> None:
    """Let another client make a coupon."""
    with KlaviyoHook().session() as klaviyo:
        klaviyo.send(coupons.create(external_id=external_id, description=description))


def codes() -> dict[str, str]:
    """Return when the codes of the account expire."""
    with KlaviyoHook().session() as klaviyo:
        found = klaviyo.walk(Request("GET", "/api/coupon-codes", params={"filter": 'equals(coupon.id,"SPRING_10")'}))
        return {each["attributes"]["unique_code"]: each["attributes"]["expires_at"] for each in found}


def create(store: Store, max_tries: int = 2, **fields: Any) -> Any:
    return KlaviyoCreateCouponOperator(task_id="coupon", **{**SPRING, **fields}).execute(context(store, max_tries=max_tries))


def add(store: Store, **fields: Any) -> Any:
    given = {"codes": MANY, "coupon_id": "SPRING_10", "poll_interval": 0.02, "job_timeout": 60, "deferrable": False, **fields}
    return KlaviyoBulkCreateCouponCodesOperator(task_id="codes", **given).execute(context(store))


def test_a_coupon_is_made_and_listed(sandbox: SandboxServer, run: Run) -> None:
    assigner = {"used": "ALWAYS_ASSIGN", "unused_expired": "NEVER_ASSIGN"}
    made = run(
        KlaviyoCreateCouponOperator, **SPRING, monitor_configuration={"low_balance_threshold": 500}, assigner_configuration=assigner
    ).returned
    assert (made["id"], made["attributes"]["description"]) == ("SPRING_10", "10 % off")
    assert sandbox.klaviyo.received[-1].body["data"]["attributes"]["assigner_configuration"] == assigner
    make("OTHER")
    assert [each["id"] for each in run(KlaviyoListCouponsOperator).returned] == ["OTHER", "SPRING_10"]
    read = run(KlaviyoListCouponsOperator, fields={"coupon": "description"}, max_items=1, truncate=True)
    assert [each["attributes"] for each in read.returned] == [{"description": "10 % off"}]


def test_one_that_is_there_is_refused_or_used(sandbox: SandboxServer, run: Run) -> None:
    make(description="Another's")
    refused = run(KlaviyoCreateCouponOperator, **SPRING, retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert "answered 409" in refused.said
    used = run(KlaviyoCreateCouponOperator, **SPRING, if_exists="use")
    assert used.returned["attributes"]["description"] == "Another's"
    assert run(KlaviyoCreateCouponOperator, external_id="NEW", if_exists="use").returned["id"] == "NEW"


@pytest.mark.parametrize("if_exists", ["fail", "use"])
def test_what_is_no_id_is_refused_before_anything_is_asked(sandbox: SandboxServer, if_exists: str) -> None:
    with pytest.raises(KlaviyoConfigError, match="digits, letters and underscores"):
        create(Store(), external_id="SPRING-10", if_exists=if_exists)
    assert not sandbox.klaviyo.requests


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_coupon_whose_making_was_not_answered_is_made_once(sandbox: SandboxServer, run: Run, drop: Any) -> None:
    sandbox.fail(method="POST", path="/api/coupons", drop=drop)
    made = run(KlaviyoCreateCouponOperator, **SPRING, retries=1)
    assert (made.state, made.tries, made.returned["id"]) == ("success", 2, "SPRING_10")
    assert sandbox.klaviyo.requests[POST] == (2 if drop == "before" else 1)


def test_a_worker_killed_between_leaves_one_coupon(sandbox: SandboxServer) -> None:
    store = Store()
    store.writes_left = 2  # what it is about, and that it is sent
    with pytest.raises(Killed):
        create(store)
    store.writes_left = None
    assert create(store)["id"] == "SPRING_10"
    assert create(store)["id"] == "SPRING_10"
    assert sandbox.klaviyo.requests[POST] == 1


@pytest.mark.parametrize("when", ["before", "since"])
def test_a_coupon_that_another_made_is_not_ours(sandbox: SandboxServer, when: str) -> None:
    store = Store()
    if when == "before":
        make()
    sandbox.fail(method="POST", path="/api/coupons", drop="before")
    with pytest.raises(KlaviyoUnanswered):
        create(store)
    if when == "since":
        make(description="Another's")
    with pytest.raises(KlaviyoApiError) as refused:
        create(store)
    assert refused.value.status == 409


@pytest.mark.parametrize("deferrable", [False, True])
def test_codes_are_put_into_coupons_and_not_shown(sandbox: SandboxServer, run: Run, deferrable: bool) -> None:
    make()
    quick = {"poll_interval": 0.02, "deferrable": deferrable, "coupon_id": "SPRING_10", "retries": 1}
    rows = [
        {"unique_code": "Sesa{{ 'me' }}0"},
        {"unique_code": "Sesame1", "expires_at": "2027-06-01T00:00:00+00:00"},
        {"unique_code": 1001},
    ]
    done = run(KlaviyoBulkCreateCouponCodesOperator, codes=rows, expires_at=datetime(2027, 1, 1, tzinfo=UTC), **quick)
    assert (done.returned["completed"], done.returned["errors"]) == (3, [])
    assert codes() == {"Sesame0": "2027-01-01T00:00:00+00:00", "Sesame1": "2027-06-01T00:00:00+00:00", "1001": "2027-01-01T00:00:00+00:00"}
    again = run(KlaviyoBulkCreateCouponCodesOperator, codes=[{"unique_code": "Sesame1"}, {"unique_code": "Sesame2"}], **quick)
    assert (again.state, again.tries) == ("failed", 1)
    assert "1 of 2 rows failed (0 allowed): conflict at /data/attributes/coupon-codes/data/0: Conflict" in again.said
    assert "Sesame" not in done.said + again.said


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"codes": []}, "1 to 1,000 codes, not 0"),
        ({"codes": [{"unique_code": n} for n in range(1_001)]}, "not 1,001: split them"),
        ({"coupon_id": None}, r"codes\[0\] has no coupon"),
        ({"codes": [{"unique_code": "A"}, {"code": "B"}]}, r"codes\[1\] has no 'code': "),
        ({"codes": [{"coupon_id": "A"}]}, r"codes\[0\]\.unique_code is needed"),
        ({"expires_at": "2027-01-01"}, r"codes\[0\]\.expires_at: a time needs its time zone"),
    ],
)
def test_wrong_codes_are_refused_before_anything_is_sent(sandbox: SandboxServer, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(KlaviyoConfigError, match=said):
        add(Store(), **wrong)
    assert CODES not in sandbox.klaviyo.requests


def test_codes_whose_job_was_not_noted_are_sent_once(sandbox: SandboxServer) -> None:
    store = Store()
    make()
    sandbox.klaviyo.behaviour.job_seconds = 0
    store.writes_left = 2
    with pytest.raises(Killed):
        add(store)
    store.writes_left = None
    assert add(store)["completed"] == 3
    assert sandbox.klaviyo.requests[CODES] == 1
    assert "Sesame" not in str(store)


def test_codes_of_a_coupon_that_is_not_there_fail(sandbox: SandboxServer) -> None:
    with pytest.raises(KlaviyoJobFailed, match=r"3 of 3 rows failed .* not_found at"):
        add(Store())

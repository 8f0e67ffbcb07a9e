# SPDX-License-Identifier: Apache-2.0
"""
Coupons: make one, and put new codes into it.

Needs the connection ``klaviyo_default`` with the scopes ``coupons:read``, ``coupons:write``, ``coupon-codes:read`` and
``coupon-codes:write``.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from airflow.sdk import DAG, task

from airflow_provider_klaviyo.operators.coupons import (
    KlaviyoBulkCreateCouponCodesOperator,
    KlaviyoCreateCouponOperator,
    KlaviyoListCouponsOperator,
)

with DAG(dag_id="klaviyo_coupons", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), tags=["klaviyo"]) as dag:
    # [START howto_operator_create_coupon]
    create_coupon = KlaviyoCreateCouponOperator(
        task_id="create_coupon",
        external_id="SPRING_10",
        description="10 % off in spring",
        monitor_configuration={"low_balance_threshold": 500},
    )
    # [END howto_operator_create_coupon]

    # [START howto_operator_bulk_create_coupon_codes]
    @task
    def new_codes() -> list[dict[str, str]]:
        """Make codes; yours come from the shop that redeems them."""
        return [{"unique_code": secrets.token_hex(6)} for _ in range(20)]

    create_codes = KlaviyoBulkCreateCouponCodesOperator(
        task_id="create_codes",
        codes="{{ ti.xcom_pull('new_codes') }}",
        coupon_id="{{ ti.xcom_pull('create_coupon')['id'] }}",
        expires_at="2028-01-01T00:00:00+00:00",
        poll_interval=1,
    )
    # [END howto_operator_bulk_create_coupon_codes]

    # [START howto_operator_list_coupons]
    list_coupons = KlaviyoListCouponsOperator(
        task_id="list_coupons",
        fields={"coupon": ["description"]},
    )
    # [END howto_operator_list_coupons]

    create_coupon >> [create_codes, list_coupons]
    new_codes() >> create_codes

# SPDX-License-Identifier: Apache-2.0
"""Operators for coupons, and for the codes that people redeem. A code is as good as money: Airflow does not show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_klaviyo.api import coupons
from airflow_provider_klaviyo.api.errors import KlaviyoApiError
from airflow_provider_klaviyo.api.jobs import Kind
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.operators.base import Journal, KlaviyoOperator, Personal
from airflow_provider_klaviyo.operators.bulk import BulkCreatingOperator
from airflow_provider_klaviyo.operators.listing import Fields, PagedOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_klaviyo.session import Session


class KlaviyoCreateCouponOperator(KlaviyoOperator):
    """
    Make a coupon, which has no codes yet; its id is its ``external_id``.

    It is looked for before it is made: after a try whose outcome is not known, the next can tell ours from one that was there.

    https://developers.klaviyo.com/en/reference/create_coupon
    https://developers.klaviyo.com/en/reference/get_coupon

    :param external_id: What the shop calls it: digits, letters and underscores.
    :param description: What it is for.
    :param monitor_configuration: When Klaviyo warns that codes run out: ``{"low_balance_threshold": 500}``, from 100 on.
    :param assigner_configuration: When a person who has a code gets another one: ``used`` (``ALWAYS_ASSIGN``, ``ASSIGN_IF_EXPIRED`` or
        ``NEVER_ASSIGN``) and ``unused_expired`` (``ALWAYS_ASSIGN`` or ``NEVER_ASSIGN``).
    :param if_exists: What to do where there is one with that id. ``fail``: as Klaviyo does. ``use``: return it as it is.
    :return: The coupon: ``id``, ``attributes``.
    """

    external_id: str
    description: str | None = None
    monitor_configuration: Mapping[str, Any] | None = None
    assigner_configuration: Mapping[str, Any] | None = None
    if_exists: Literal["fail", "use"] = "fail"

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return coupons.create(
            external_id=self.external_id,
            description=self.description,
            monitor_configuration=self.monitor_configuration,
            assigner_configuration=self.assigner_configuration,
        )

    def execute(self, context: Context) -> Any:
        """Make it, or return the one that is there."""
        if self.if_exists == "use":
            journal = Journal(context)
            self.recognise(self.request(), journal)
            with self.hook.session() as klaviyo:
                if found := self._found(klaviyo):
                    journal.close()
                    return found["data"]
        return super().execute(context)

    def note(self, klaviyo: Session) -> Json:
        """Note whether there is one."""
        return {"there": self._found(klaviyo) is not None}

    def recall(self, klaviyo: Session, request: Request[Any], journal: Journal) -> Any:  # noqa: ARG002
        """Look for the coupon: ours was not there before, and has our description."""
        found = None if journal.get("there") else self._found(klaviyo)
        return found if found and found["data"]["attributes"].get("description") == self.description else None

    def reread(self, klaviyo: Session, done: Json) -> Any:
        """Read the coupon that an earlier try of the task has made."""
        return klaviyo.send(coupons.get(coupon_id=done["id"]))

    def _found(self, klaviyo: Session) -> Json | None:
        try:
            return klaviyo.send(coupons.get(coupon_id=self.external_id))
        except KlaviyoApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return None


class KlaviyoListCouponsOperator(PagedOperator):
    """
    Read all coupons.

    https://developers.klaviyo.com/en/reference/get_coupons

    :param fields: The fields to return, by resource type: ``{"coupon": ["description"]}``.
    :return: The coupons, each with ``id``, ``attributes``.
    """

    fields: Fields | None = None

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return coupons.list_(fields=self.fields)


class KlaviyoBulkCreateCouponCodesOperator(BulkCreatingOperator):
    """
    Put codes into coupons. One that is there already fails. Neither the log nor the result has any.

    https://developers.klaviyo.com/en/reference/bulk_create_coupon_codes
    https://developers.klaviyo.com/en/reference/get_bulk_create_coupon_codes_job
    https://developers.klaviyo.com/en/reference/get_bulk_create_coupon_code_jobs

    :param codes: Up to 1,000. Each needs ``unique_code``, and may have ``expires_at``, and ``coupon_id`` in place of the operator's.
    :param coupon_id: The coupon, by its ``external_id``.
    :param expires_at: When codes expire that do not say so, with a time zone; a year from now, where left out.
    """

    kind: ClassVar[Kind] = "coupon-code-bulk-create"
    start = staticmethod(coupons.bulk_create_codes)

    codes: Personal[Sequence[Mapping[str, Any]]]
    coupon_id: str | None = None
    expires_at: datetime | str | None = None

    def identity(self, row: Json) -> str:
        """Return the id that the code has in Klaviyo."""
        return f"{row['relationships']['coupon']['data']['id']}-{row['attributes']['unique_code']}"

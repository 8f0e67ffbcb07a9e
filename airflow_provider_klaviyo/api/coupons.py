# SPDX-License-Identifier: Apache-2.0
"""Coupons, and the codes that people redeem: each code belongs to one coupon, and Klaviyo hands it to one person."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Required, TypedDict, Unpack

from airflow_provider_klaviyo.api.bodies import check_names, moment
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.items import needed, text
from airflow_provider_klaviyo.api.jsonapi import Listing, Reading, document, given, listing, reading
from airflow_provider_klaviyo.api.request import Json, Request, at

MOST_CODES = 1_000
"""Codes a job takes."""
EXTERNAL_ID = re.compile(r"[0-9_A-z]+")
"""What Klaviyo takes as the id of a coupon; between the upper and the lower case letters stand a few signs."""


class Assigner(TypedDict):
    """
    When a person who has a code of the coupon gets another one.

    :param used: When the code was used: always, once it has expired, or never.
    :param unused_expired: When it was not used, and has expired.
    """

    used: Literal["ALWAYS_ASSIGN", "ASSIGN_IF_EXPIRED", "NEVER_ASSIGN"]
    unused_expired: Literal["ALWAYS_ASSIGN", "NEVER_ASSIGN"]


class Code(TypedDict, total=False):
    """
    A code. ``expires_at`` is an aware datetime or ISO 8601 text with an offset; a code without one lasts a year.

    ``coupon_id`` says whose it is, where it is not the request's.
    """

    unique_code: Required[str | int]
    expires_at: datetime | str | None
    coupon_id: str | None


CODE_FIELDS = frozenset(Code.__annotations__)


def create(
    *,
    external_id: str,
    description: str | None = None,
    monitor_configuration: Mapping[str, Any] | None = None,
    assigner_configuration: Assigner | Mapping[str, Any] | None = None,
) -> Request[Json]:
    """
    Make a coupon, which has no codes yet.

    https://developers.klaviyo.com/en/reference/create_coupon

    :param external_id: What the shop calls it, also its id in Klaviyo: digits, letters and underscores.
    :param description: What it is for.
    :param monitor_configuration: When Klaviyo warns that codes run out: ``{"low_balance_threshold": 500}``, from 100 on.
    :param assigner_configuration: When a person who has a code gets another one; as :class:`Assigner`.
    :raises KlaviyoConfigError: What Klaviyo does not take as an id.
    """
    if not EXTERNAL_ID.fullmatch(external_id):
        raise KlaviyoConfigError("external_id has digits, letters and underscores, and nothing else: SPRING_10")
    attributes = given(
        external_id=external_id,
        description=description,
        monitor_configuration=monitor_configuration,
        assigner_configuration=assigner_configuration,
    )
    return Request("POST", "/api/coupons", json=document("coupon", attributes))


def get(*, coupon_id: str, **query: Unpack[Reading]) -> Request[Json]:
    """
    Read a coupon; for the query see :class:`~airflow_provider_klaviyo.api.jsonapi.Reading`.

    https://developers.klaviyo.com/en/reference/get_coupon

    :param coupon_id: Its ``external_id``.
    """
    return reading(at("/api/coupons/{}", coupon_id), **query)


def list_(**query: Unpack[Listing]) -> Request[Json]:
    """
    Read coupons, page by page; for the query see :class:`~airflow_provider_klaviyo.api.jsonapi.Listing`.

    https://developers.klaviyo.com/en/reference/get_coupons
    """
    return listing("/api/coupons", **query)


def bulk_create_codes(
    *, codes: Sequence[Code | Mapping[str, Any]], coupon_id: str | None = None, expires_at: datetime | str | None = None
) -> Request[Json]:
    """
    Start a job that makes up to 1,000 codes.

    https://developers.klaviyo.com/en/reference/bulk_create_coupon_codes

    :param codes: The codes.
    :param coupon_id: The coupon of those that do not name one, by its ``external_id``.
    :param expires_at: When those expire that do not say so.
    :raises KlaviyoConfigError: No codes, more than 1,000, or one without text or coupon, with an unknown name or a time without zone.
    """
    if isinstance(codes, (str, Mapping)):
        raise KlaviyoConfigError(f"codes is a list, not a {type(codes).__name__}")
    if not 1 <= len(codes) <= MOST_CODES:
        raise KlaviyoConfigError(f"a job takes 1 to {MOST_CODES:,} codes, not {len(codes):,}: split them, in a DAG with expand()")
    rows = [_code(code, f"codes[{place}]", coupon_id, expires_at) for place, code in enumerate(codes)]
    body = document("coupon-code-bulk-create-job", {"coupon-codes": {"data": rows}})
    return Request("POST", "/api/coupon-code-bulk-create-jobs", json=body)


def _code(code: Code | Mapping[str, Any], where: str, coupon_id: str | None, expires_at: datetime | str | None) -> Json:
    check_names(code, CODE_FIELDS, where, f"it has {', '.join(sorted(CODE_FIELDS))}")
    coupon = text(code.get("coupon_id"), f"{where}.coupon_id") or coupon_id
    if not coupon:
        raise KlaviyoConfigError(f"{where} has no coupon: give coupon_id, to it or to all")
    unique_code, expiry = needed(code.get("unique_code"), f"{where}.unique_code"), code.get("expires_at") or expires_at
    attributes = given(unique_code=unique_code, expires_at=_expiry(expiry, where) if expiry else None)
    return {"type": "coupon-code", "attributes": attributes, "relationships": {"coupon": {"data": {"type": "coupon", "id": coupon}}}}


def _expiry(value: Any, where: str) -> str:
    try:
        return moment(value if isinstance(value, datetime) else str(value))
    except KlaviyoConfigError as error:
        raise KlaviyoConfigError(f"{where}.expires_at: {error}") from None

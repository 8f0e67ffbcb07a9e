# SPDX-License-Identifier: Apache-2.0
"""Coupons and codes: what a person gets wrong is refused before it is sent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_klaviyo.api import coupons
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError


def codes(*given: dict[str, Any], **common: Any) -> Any:
    request = coupons.bulk_create_codes(codes=given, **{"coupon_id": "S", **common})
    assert not request.repeatable
    assert request.json
    return request.json["data"]["attributes"]["coupon-codes"]["data"]


def test_a_code_has_what_it_says_and_else_what_all_have() -> None:
    own = {"unique_code": 7, "expires_at": "2027-06-01T00:00:00+02:00", "coupon_id": "T"}
    sent = codes({"unique_code": "A"}, own, expires_at=datetime(2027, 1, 1, tzinfo=UTC))
    assert [each["attributes"] for each in sent] == [
        {"unique_code": "A", "expires_at": "2027-01-01T00:00:00+00:00"},
        {"unique_code": "7", "expires_at": "2027-06-01T00:00:00+02:00"},
    ]
    assert [each["relationships"]["coupon"]["data"]["id"] for each in sent] == ["S", "T"]
    assert codes({"unique_code": "A", "expires_at": None})[0]["attributes"] == {"unique_code": "A"}


@pytest.mark.parametrize("time", ["tomorrow", "2027-01-01", 1_800_000_000, datetime(2027, 1, 1)])  # noqa: DTZ001 - that is what is wrong
def test_a_time_has_its_zone(time: Any) -> None:
    with pytest.raises(KlaviyoConfigError, match=r"codes\[1\]\.expires_at: a time (needs its time zone|is ISO 8601 text)"):
        codes({"unique_code": "A"}, {"unique_code": "B", "expires_at": time})


@pytest.mark.parametrize("wrong", [{"uniqe_code": "Secret"}, {"unique_code": ""}, {"unique_code": ["Secret"]}, {}])
def test_a_wrong_code_is_refused_and_not_told(wrong: dict[str, Any]) -> None:
    with pytest.raises(KlaviyoConfigError, match=r"codes\[0\].*unique_code") as refused:
        codes(wrong)
    assert "Secret" not in str(refused.value)


def test_one_text_is_no_list() -> None:
    with pytest.raises(KlaviyoConfigError, match="codes is a list"):
        coupons.bulk_create_codes(codes="ABC", coupon_id="S")  # type: ignore[arg-type]


@pytest.mark.parametrize("external_id", ["", "SPRING-10", "SPRING 10", "SPRING/10", "SPRING\n"])
def test_the_id_of_a_coupon_is_in_klaviyos_form(external_id: str) -> None:
    with pytest.raises(KlaviyoConfigError, match="digits, letters and underscores"):
        coupons.create(external_id=external_id)

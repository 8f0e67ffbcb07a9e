# SPDX-License-Identifier: Apache-2.0
"""Documents and queries as JSON:API and Klaviyo have them."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_klaviyo.api import jsonapi
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.request import Request


def test_a_document_holds_what_was_given() -> None:
    assert jsonapi.document("list", {"name": "VIP"}) == {"data": {"type": "list", "attributes": {"name": "VIP"}}}
    assert jsonapi.document("campaign-send-job", identity="01J") == {"data": {"type": "campaign-send-job", "id": "01J"}}


def test_null_inside_attributes_stays_for_it_clears() -> None:
    assert jsonapi.document("profile", {"title": None}) == {"data": {"type": "profile", "attributes": {"title": None}}}


def test_names_may_be_one_text_or_several() -> None:
    one = jsonapi.reading("/api/profiles/01J", fields={"profile": "email"}, additional_fields={"profile": "subscriptions"}, include="lists")
    assert one.params == {"fields[profile]": "email", "additional-fields[profile]": "subscriptions", "include": "lists"}
    chosen = {"profile": ["email", "location.city"], "list": ("name",)}
    several = jsonapi.reading("/api/profiles/01J", fields=chosen, include=["lists", "segments"])
    assert several.params == {"fields[profile]": "email,location.city", "fields[list]": "name", "include": "lists,segments"}


def test_what_was_not_given_is_left_out() -> None:
    assert jsonapi.listing("/api/profiles", filter=None, fields=None) == Request("GET", "/api/profiles")


def test_a_time_that_a_template_renders_with_a_blank_is_sent_with_a_t() -> None:
    request = jsonapi.listing("/api/profiles", filter="greater-than(updated,2026-01-31 12:00:00+00:00)")
    assert request.params == {"filter": "greater-than(updated,2026-01-31T12:00:00+00:00)"}


def test_what_a_template_renders_to_nothing_is_left_out() -> None:
    empty = jsonapi.listing("/api/profiles", filter="", sort=" ", include="\n", page_size=10)
    assert empty == jsonapi.listing("/api/profiles", page_size=10)
    assert jsonapi.reading("/api/profiles/01J", include="") == jsonapi.reading("/api/profiles/01J")
    with pytest.raises(KlaviyoConfigError, match="get_coupon_codes needs a filter"):
        jsonapi.listing("/api/coupon-codes", filter=" ")


@pytest.mark.parametrize(
    "query",
    [
        {"include": "orders"},
        {"include": ["lists"]},
        {"sort": "email,-created"},
        {"sort": "phone_number"},
        {"fields": {"campaign": "name"}},
        {"additional_fields": {"profile": "everything"}},
        {"additional_fields": {"list": "profile_count"}},
        {"filter": 'contains(email,"@")'},
    ],
)
def test_what_an_operation_does_not_offer_is_refused_with_what_it_has(query: Any) -> None:
    with pytest.raises(KlaviyoConfigError, match="get_profiles"):
        jsonapi.listing("/api/profiles", **query)


def test_what_nobody_knows_is_no_query() -> None:
    with pytest.raises(TypeError, match="refine"):
        jsonapi.listing("/api/profiles", refine="x")  # type: ignore[call-arg]


@pytest.mark.parametrize("size", [0, -1, 1001])
def test_a_page_larger_than_klaviyo_makes_them_is_refused(size: int) -> None:
    with pytest.raises(KlaviyoConfigError, match="from 1 to 1000"):
        jsonapi.listing("/api/events", page_size=size)


def test_a_page_size_is_refused_where_klaviyo_takes_none() -> None:
    with pytest.raises(KlaviyoConfigError, match="get_metrics have a fixed size"):
        jsonapi.listing("/api/metrics", page_size=10)

# SPDX-License-Identifier: Apache-2.0
"""Documents and queries as JSON:API and Klaviyo have them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klaviyo.api import jsonapi
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.request import Request


def test_a_document_holds_what_was_given() -> None:
    assert jsonapi.document("list", {"name": "VIP"}) == {"data": {"type": "list", "attributes": {"name": "VIP"}}}
    assert jsonapi.document("campaign-send-job", identity="01J") == {"data": {"type": "campaign-send-job", "id": "01J"}}


def test_null_inside_attributes_stays_for_it_clears() -> None:
    assert jsonapi.document("profile", {"title": None}) == {"data": {"type": "profile", "attributes": {"title": None}}}


@given(st.text())
def test_any_text_can_be_compared_with(value: str) -> None:
    condition = jsonapi.equals("email", value)
    assert condition.startswith("equals(email,")
    assert json.loads(condition.removeprefix("equals(email,").removesuffix(")")) == value


def test_names_may_be_one_text_or_several() -> None:
    one = jsonapi.query(fields={"profile": "email"}, additional_fields={"profile": "subscriptions"}, include="lists")
    assert one == {"fields[profile]": "email", "additional-fields[profile]": "subscriptions", "include": "lists"}
    several = jsonapi.query(fields={"profile": ["email", "location.city"], "list": ("name",)}, include=["lists", "segments"])
    assert several == {"fields[profile]": "email,location.city", "fields[list]": "name", "include": "lists,segments"}


def test_what_was_not_given_is_left_out() -> None:
    assert jsonapi.query() == {}
    assert jsonapi.listing("/api/profiles") == Request("GET", "/api/profiles")


@pytest.mark.parametrize("size", [0, -1, 1001])
def test_a_page_larger_than_klaviyo_makes_them_is_refused(size: int) -> None:
    with pytest.raises(KlaviyoConfigError, match="from 1 to 1000"):
        jsonapi.listing("/api/events", page_size=size)


def test_a_page_size_is_refused_where_klaviyo_takes_none() -> None:
    with pytest.raises(KlaviyoConfigError, match="get_metrics have a fixed size"):
        jsonapi.listing("/api/metrics", page_size=10)

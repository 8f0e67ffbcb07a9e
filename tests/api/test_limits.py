# SPDX-License-Identifier: Apache-2.0
"""Every operation is found by its path, with its limits."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from airflow_provider_klaviyo.api import limits
from airflow_provider_klaviyo.api.limits import Operation


def test_all_operations_of_the_newest_revision_are_known_and_those_of_the_public_key() -> None:
    assert len({operation.id for operation in limits.OPERATIONS}) == len(limits.OPERATIONS) == 434
    assert sum(operation.path.startswith("/api/") for operation in limits.OPERATIONS) == 422
    assert sum(operation.client for operation in limits.OPERATIONS) == 12  # one of them is in the newest revision's table of 423


@pytest.mark.parametrize("tail", ["", "/", "?page%5Bsize%5D=10", "/?filter=equals(id,%22/a/b%22)"])
def test_every_operation_is_found_by_a_path_with_ids(tail: str) -> None:
    for operation in limits.OPERATIONS:
        path = re.sub(r"\{\w+\}", "a%2Fb", operation.path)
        assert limits.find(operation.method, path + tail) is operation


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("GET", "/"), ("GET", "/api"), ("GET", "/api/nothing"), ("GET", "/api/lists/1/2/3/4"), ("PUT", "/api/lists")],
)
def test_what_klaviyo_does_not_document_is_not_found(method: str, path: str) -> None:
    assert limits.find(method, path) is None


def test_no_place_of_the_tree_has_both_fixed_and_free_followers() -> None:
    followers: dict[tuple[str, ...], set[str]] = {}
    for operation in limits.OPERATIONS:
        segments = [operation.method, *re.sub(r"\{\w+\}", "{}", operation.path).split("/")]
        for index, segment in enumerate(segments):
            followers.setdefault(tuple(segments[:index]), set()).add(segment)
    assert [place for place, found in followers.items() if "{}" in found and len(found) > 1] == []


def test_an_operation_has_its_scopes_rates_and_pages() -> None:
    assert limits.find("GET", "/api/events") == Operation(
        id="get_events",
        method="GET",
        path="/api/events",
        scopes=("events:read",),
        burst=350,
        steady=3500,
        paged=True,
        max_page_size=1000,
        default_page_size=200,
        sortable=("datetime", "timestamp"),
        fields=("attribution", "event", "metric", "profile"),
        include=("attributions", "metric", "profile"),
        filters={
            "datetime": ("greater-or-equal", "greater-than", "less-or-equal", "less-than"),
            "metric": ("has",),
            "metric_id": ("equals",),
            "profile": ("has",),
            "profile_id": ("equals",),
            "timestamp": ("greater-or-equal", "greater-than", "less-or-equal", "less-than"),
        },
        filter_types={"datetime": "date-time", "metric_id": "string", "profile_id": "string", "timestamp": "number"},
    )
    assert limits.find("POST", "/api/lists") == Operation(
        id="create_list", method="POST", path="/api/lists", scopes=("lists:write",), burst=10, steady=150, daily=150, fields=("list",)
    )


def test_an_operation_that_the_newest_revision_changed_takes_what_that_says() -> None:
    campaigns = limits.find("GET", "/api/campaigns")
    assert campaigns is not None
    assert "messages.channel" not in campaigns.filters
    assert campaigns.filters["builder"] == ("equals",)
    assert campaigns.include == ("campaign-audiences", "campaign-messages", "tags")
    assert campaigns.sortable == ("created_at", "id", "name", "updated_at")


def test_a_filter_that_must_be_given_is_known() -> None:
    assert [operation.id for operation in limits.OPERATIONS if operation.filter_required] == ["get_coupon_codes"]


def test_additional_fields_and_other_parameters_are_known() -> None:
    profile, report = limits.find("GET", "/api/profiles/1"), limits.find("POST", "/api/flow-values-reports")
    assert profile is not None
    assert report is not None
    assert profile.additional_fields == {"profile": ("predictive_analytics", "subscriptions")}
    assert report.params == ("page_cursor",)


def test_every_field_has_operators_and_a_type_unless_it_is_only_had() -> None:
    for operation in limits.OPERATIONS:
        assert {field for field, operators in operation.filters.items() if operators != ("has",)} == operation.filter_types.keys()
        assert operation.filter_words.keys() <= operation.filter_types.keys()
        assert set(operation.filter_types.values()) <= {"string", "date-time", "number", "integer", "boolean"}


def test_every_operation_has_a_burst_and_a_steady_limit() -> None:
    assert [operation.id for operation in limits.OPERATIONS if not (operation.burst and operation.steady)] == []


def test_an_operation_can_be_a_key() -> None:
    assert len(dict.fromkeys(limits.OPERATIONS, 1)) == 434


def test_nothing_is_read_until_it_is_asked_for() -> None:
    asked = "from airflow_provider_klaviyo.api import limits; print(limits._operations.cache_info().misses)"
    ran = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "0"


def test_other_names_are_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'OPERATION'"):
        limits.OPERATION  # noqa: B018

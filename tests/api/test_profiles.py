# SPDX-License-Identifier: Apache-2.0
"""Requests about profiles, compared as values."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_klaviyo.api import limits, profiles
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.request import Request

SARAH = {"email": "sarah@example.com", "first_name": "Sarah"}


def test_create() -> None:
    assert profiles.create(profile=SARAH) == Request("POST", "/api/profiles", json={"data": {"type": "profile", "attributes": SARAH}})


def test_a_created_profile_is_not_created_twice() -> None:
    assert not profiles.create(profile=SARAH).repeatable


def test_upsert() -> None:
    assert profiles.upsert(profile={"id": "01J", **SARAH}, unset=("old",)) == Request(
        "POST",
        "/api/profile-import",
        json={"data": {"type": "profile", "id": "01J", "attributes": SARAH, "meta": {"patch_properties": {"unset": ["old"]}}}},
        replayable=True,
    )


@pytest.mark.parametrize("patch", [{"append": {"skus": "A1"}}, {"unappend": {"skus": "A1"}}])
def test_what_adds_to_lists_is_not_sent_twice(patch: dict[str, Any]) -> None:
    assert not profiles.upsert(profile=SARAH, **patch).repeatable
    assert not profiles.update(profile_id="01J", **patch).repeatable
    resource = {"type": "profile", "attributes": SARAH, "meta": {"patch_properties": patch}}
    assert not profiles.bulk_import(profiles=[resource]).repeatable


def test_update_needs_no_identifier_and_clears_with_none() -> None:
    assert profiles.update(profile_id="a/b", profile={"title": None}) == Request(
        "PATCH",
        "/api/profiles/a%2Fb",
        json={"data": {"type": "profile", "id": "a/b", "attributes": {"title": None}}},
        replayable=True,
    )


def test_bulk_import() -> None:
    row = {"type": "profile", "attributes": SARAH}
    assert profiles.bulk_import(profiles=[row], list_id="L1") == Request(
        "POST",
        "/api/profile-bulk-import-jobs",
        json={
            "data": {
                "type": "profile-bulk-import-job",
                "attributes": {"profiles": {"data": [row]}},
                "relationships": {"lists": {"data": [{"type": "list", "id": "L1"}]}},
            }
        },
        replayable=True,
    )


@pytest.mark.parametrize("count", [0, 10_001])
def test_bulk_import_takes_no_more_than_klaviyo(count: int) -> None:
    with pytest.raises(KlaviyoConfigError, match="1 to 10,000"):
        profiles.bulk_import(profiles=[{"type": "profile", "attributes": SARAH}] * count)


def test_get() -> None:
    assert profiles.get(profile_id="01J", additional_fields={"profile": "subscriptions"}) == Request(
        "GET", "/api/profiles/01J", params={"additional-fields[profile]": "subscriptions"}
    )


def test_get_by_reads_the_one_that_is_found() -> None:
    request = profiles.get_by(lookup={"external_id": 'o"hara'}, include="push-tokens")
    assert request.params == {"filter": 'equals(external_id,"o\\"hara")', "include": "push-tokens"}
    assert request.read({"data": [{"id": "01J"}], "included": []}) == {"data": {"id": "01J"}, "included": []}
    assert request.read({"data": []}) is None


def test_every_lookup_is_a_filter() -> None:
    operation = limits.find("GET", "/api/profiles")
    assert operation is not None
    assert all("equals" in operation.filters[name] for name in profiles.LOOKUPS)


@pytest.mark.parametrize(
    "lookup",
    [
        *({}, {"email": ""}, {"first_name": "Sarah"}, {"email": "a@example.com", "external_id": "1"}),
        *({"email": "sarah"}, {"email": "None"}, {"phone_number": "4915112345678"}, {"phone_number": "+49 151 12345678"}),
    ],
)
def test_a_lookup_is_one_identifier_in_its_form(lookup: dict[str, str]) -> None:
    with pytest.raises(KlaviyoConfigError, match="one of email, phone_number"):
        profiles.get_by(lookup=lookup)


def test_list() -> None:
    assert profiles.list_(filter="greater-than(updated,2026-01-01T00:00:00Z)", sort="-updated", page_size=100) == Request(
        "GET",
        "/api/profiles",
        params={"filter": "greater-than(updated,2026-01-01T00:00:00Z)", "sort": "-updated", "page[size]": 100},
    )


def test_merge() -> None:
    request = profiles.merge(destination_id="01J", source_id="01K")
    assert request == Request(
        "POST",
        "/api/profile-merge",
        json={"data": {"type": "profile-merge", "id": "01J", "relationships": {"profiles": {"data": [{"type": "profile", "id": "01K"}]}}}},
    )
    assert not request.repeatable


@pytest.mark.parametrize("ids", [("01J", "01J"), ("", "01K"), ("01J", "")])
def test_two_profiles_are_merged(ids: tuple[str, str]) -> None:
    destination, source = ids
    with pytest.raises(KlaviyoConfigError, match="two profiles"):
        profiles.merge(destination_id=destination, source_id=source)

# SPDX-License-Identifier: Apache-2.0
"""Profiles: everything that one may have, and the least."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_klaviyo.api import bodies, lists, profiles
from airflow_provider_klaviyo.api.request import Json
from tests.contract.kit import Case

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer
    from airflow_provider_klaviyo.session import Session

LEAST: Json = {"email": "sarah@example.com"}
PROFILE: Json = {
    **LEAST,
    "phone_number": "+14155550123",
    "external_id": "shopify:1",
    "first_name": "Sarah",
    "last_name": None,
    "organization": "Example",
    "locale": "en-US",
    "title": "Owner",
    "image": "https://example.com/sarah.png",
    "location": {
        "address1": "1 Main St",
        "address2": None,
        "city": "Boston",
        "country": "US",
        "region": "MA",
        "zip": "02110",
        "latitude": 42.36,
        "longitude": "-71.06",
        "timezone": "America/New_York",
        "ip": "203.0.113.7",
    },
    "properties": {"ltv": 12.5, "skus": ["A1"], "address": {"floor": 2}, "gone": None},
}
IMPORTED: Json = {**PROFILE, "id": "01J", "_kx": "kx"}
PATCH: Json = {"append": {"skus": "B2"}, "unappend": {"skus": ["A1"]}, "unset": ["old"]}

FIELDS = {"profile": ["email", "first_name"]}
ADDITIONAL = {"profile": ["subscriptions", "predictive_analytics"]}


def a_profile(klaviyo: Session, sandbox: SandboxServer) -> Json:
    """Make a profile."""
    return {"profile_id": klaviyo.send(profiles.create(profile=LEAST))["data"]["id"]}


def known(klaviyo: Session, sandbox: SandboxServer) -> Json:
    """Make a profile that the one to be sent is about."""
    identity = a_profile(klaviyo, sandbox)["profile_id"]
    return {"profile": {name: value for name, value in IMPORTED.items() if name != "_kx"} | {"id": identity}}


def imported(klaviyo: Session, sandbox: SandboxServer) -> Json:
    """Make the list that profiles are put in, and the profile that has an id."""
    entries = [known(klaviyo, sandbox)["profile"], {"email": "a@example.com"}]
    made = klaviyo.send(lists.create(name="VIP"))
    return {"profiles": [bodies.profile_resource(each) for each in entries], "list_id": made["data"]["id"]}


def two_profiles(klaviyo: Session, sandbox: SandboxServer) -> Json:
    """Make two profiles."""
    made = [klaviyo.send(profiles.create(profile={"external_id": each}))["data"]["id"] for each in "ab"]
    return dict(zip(("destination_id", "source_id"), made, strict=True))


CASES = [
    Case(profiles.create, "create_profile", {"profile": LEAST}),
    Case(profiles.create, "create_profile", {"profile": PROFILE}),
    Case(profiles.upsert, "create_or_update_profile", {"profile": LEAST}),
    Case(profiles.upsert, "create_or_update_profile", {"profile": IMPORTED, **PATCH}, known),
    Case(profiles.update, "update_profile", {"profile_id": "01J", "unset": "old"}, a_profile),
    Case(profiles.update, "update_profile", {"profile_id": "01J", "profile": PROFILE, **PATCH}, a_profile),
    Case(
        profiles.bulk_import,
        "bulk_import_profiles",
        {"profiles": [bodies.profile_resource(IMPORTED), bodies.profile_resource({"email": "a@example.com"})], "list_id": "L1"},
        imported,
    ),
    Case(profiles.merge, "merge_profiles", {"destination_id": "01J", "source_id": "01K"}, two_profiles),
    Case(profiles.get, "get_profile", {"profile_id": "01J"}, a_profile),
    Case(
        profiles.get,
        "get_profile",
        {"profile_id": "01J", "fields": FIELDS, "additional_fields": ADDITIONAL, "include": ["lists", "segments"]},
        a_profile,
    ),
    Case(profiles.get_by, "get_profiles", {"lookup": LEAST}, a_profile),
    Case(
        profiles.get_by,
        "get_profiles",
        {"lookup": LEAST, "fields": FIELDS, "additional_fields": ADDITIONAL, "include": "push-tokens"},
        a_profile,
    ),
    Case(profiles.list_, "get_profiles", {"additional_fields": ADDITIONAL}, a_profile),
    Case(
        profiles.list_,
        "get_profiles",
        {
            "filter": "greater-than(updated,2026-01-01T00:00:00Z)",
            "sort": "updated",
            "fields": FIELDS,
            "additional_fields": ADDITIONAL,
            "include": "push-tokens",
            "page_size": 100,
        },
        a_profile,
    ),
]

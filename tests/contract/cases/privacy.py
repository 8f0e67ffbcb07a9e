# SPDX-License-Identifier: Apache-2.0
"""Deletions, by each identifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_klaviyo.api import privacy, profiles
from airflow_provider_klaviyo.api.request import Json
from tests.contract.kit import Case

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer
    from airflow_provider_klaviyo.session import Session


def a_profile(klaviyo: Session, sandbox: SandboxServer) -> Json:
    """Make a profile."""
    return {"profile_id": klaviyo.send(profiles.create(profile={"external_id": "7"}))["data"]["id"]}


CASES = [
    Case(privacy.delete_profile, "request_profile_deletion", {"profile_id": "01J"}, a_profile),
    Case(privacy.delete_profile, "request_profile_deletion", {"lookup": {"email": "sarah@example.com"}}),
    Case(privacy.delete_profile, "request_profile_deletion", {"lookup": {"phone_number": "+14155550123"}}),
]

# SPDX-License-Identifier: Apache-2.0
"""Deletions, by each identifier."""

from __future__ import annotations

from airflow_provider_klaviyo.api import privacy
from tests.contract.kit import Case

CASES = [
    Case(privacy.delete_profile, "request_profile_deletion", {"profile_id": "01J"}),
    Case(privacy.delete_profile, "request_profile_deletion", {"lookup": {"email": "sarah@example.com"}}),
    Case(privacy.delete_profile, "request_profile_deletion", {"lookup": {"phone_number": "+14155550123"}}),
]

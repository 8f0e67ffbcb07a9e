# SPDX-License-Identifier: Apache-2.0
"""Requests to forget somebody."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_klaviyo.api import privacy
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError


@pytest.mark.parametrize(
    ("whom", "person"),
    [
        ({"profile_id": "01J"}, {"type": "profile", "id": "01J", "attributes": {}}),
        ({"lookup": {"email": "sarah@example.com"}}, {"type": "profile", "attributes": {"email": "sarah@example.com"}}),
        ({"lookup": {"phone_number": "+14155550123"}}, {"type": "profile", "attributes": {"phone_number": "+14155550123"}}),
    ],
)
def test_a_deletion_names_one_identifier(whom: Any, person: Any) -> None:
    request = privacy.delete_profile(**whom)
    assert request.json == {"data": {"type": "data-privacy-deletion-job", "attributes": {"profile": {"data": person}}}}
    assert (request.name, request.repeatable) == ("POST /api/data-privacy-deletion-jobs", True)


@pytest.mark.parametrize(
    "whom",
    [
        {},
        {"profile_id": "", "lookup": {}},
        {"profile_id": ""},
        {"profile_id": "  "},
        {"profile_id": "01J/01K"},
        {"lookup": {}},
        {"profile_id": "01J", "lookup": {"email": "sarah@example.com"}},
        {"lookup": {"external_id": "7"}},
        {"lookup": {"email": ""}},
        {"lookup": {"email": "sarah"}},
        {"lookup": {"phone_number": "030 1234"}},
        {"lookup": {"email": "sarah@example.com", "phone_number": "+14155550123"}},
    ],
)
def test_nothing_else_is_deleted(whom: Any) -> None:
    with pytest.raises(KlaviyoConfigError):
        privacy.delete_profile(**whom)

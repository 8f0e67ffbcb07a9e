# SPDX-License-Identifier: Apache-2.0
"""What is read of people is judged with care: a word we do not know is not taken for a yes."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_klaviyo.loading import standing

ROW: dict[str, Any] = {
    "type": "profile",
    "attributes": {
        "email": "Sarah@example.com",
        "subscriptions": {"email": {"marketing": {"consent": "SUBSCRIBED", "consented_at": "2025-01-01T00:00:00+00:00"}}},
    },
}


def there(**marketing: Any) -> dict[str, Any]:
    told = {"consent": "SUBSCRIBED", "consent_timestamp": "2025-01-01T00:00:00+00:00", "suppression": [], **marketing}
    profile = {"id": "01SARAH", "attributes": {"email": "sarah@example.com", "subscriptions": {"email": {"marketing": told}}}}
    return {"sarah@example.com": profile}


@pytest.mark.parametrize(
    ("reason", "done"),
    [
        ("HARD_BOUNCE", True),
        ("INVALID_EMAIL", True),
        ("UNSUBSCRIBE", False),
        ("USER_SUPPRESSED", False),
        ("SPAM_COMPLAINT", False),
        ("SPAM_REPORT", False),
        ("SOMETHING_NEW", False),
    ],
)
def test_only_what_is_undeliverable_says_nothing_of_consent(reason: str, done: bool) -> None:
    found = there(suppression=[{"reason": reason, "timestamp": "2025-06-01T00:00:00+00:00"}])
    assert standing.subscribed(ROW, found) is done
    assert standing.refused_since(ROW, found, None) is not done


def test_a_no_before_the_consent_is_over() -> None:
    earlier = {"reason": "UNSUBSCRIBE", "timestamp": "2024-06-01T00:00:00+00:00"}
    assert not standing.refused_since(ROW, there(suppression=[earlier]), None)
    assert standing.refused_since(ROW, there(suppression=[{**earlier, "timestamp": None}]), None), "without a date it counts"


def test_who_left_the_list_since_has_said_no_to_it() -> None:
    found = there(list_suppressions=[{"list_id": "L1", "reason": "UNSUBSCRIBE", "timestamp": "2025-06-01T00:00:00+00:00"}])
    assert [standing.refused_since(ROW, found, each) for each in ("L1", "L2", None)] == [True, False, False]


def test_nobody_is_not_subscribed_and_an_id_has_to_agree() -> None:
    assert not standing.subscribed(ROW, {})
    assert standing.subscribed({**ROW, "id": "01SARAH"}, there())
    assert not standing.subscribed({**ROW, "id": "01TOM"}, there())

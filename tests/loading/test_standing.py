# SPDX-License-Identifier: Apache-2.0
"""What is read of people is judged with care: a word we do not know is not taken for a yes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_klaviyo.loading import standing
from airflow_provider_klaviyo.pacing import Pacer
from airflow_provider_klaviyo.session import open_session
from airflow_provider_klaviyo.settings import Settings
from tests.kit import KEY, Answer, Klaviyo

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


# ── what Klaviyo tells, which need not be all, nor what we know ─────────────────────


@pytest.fixture
def server() -> Iterator[Klaviyo]:
    klaviyo = Klaviyo()
    yield klaviyo
    klaviyo.close()


def read(server: Klaviyo, subscriptions: Any, channel: str = "email.marketing") -> standing.Standing:
    sarah = {
        "type": "profile",
        "id": "01SARAH",
        "attributes": {"email": "sarah@example.com", "phone_number": "+14155550123", **subscriptions},
    }
    server.answers = [Answer(body={"data": [sarah], "links": {"next": None}})]
    word = {"action": "unsubscribe", "channel": channel, "email": "sarah@example.com", "phone_number": "+14155550123"}
    settings = Settings(conn_id="shop", base_url=server.url, key=KEY, timeout=5)
    with open_session(settings, pacer=Pacer(lambda: 0.0), sleep=lambda _: None) as klaviyo:
        (found,) = standing.standings(klaviyo, [word])
    return found


@pytest.mark.parametrize(
    ("told", "consent"),
    [
        ({}, ""),
        ({"subscriptions": None}, ""),
        ({"subscriptions": {"email": None}}, "NEVER_SUBSCRIBED"),
        ({"subscriptions": {"email": {"marketing": None}}}, "NEVER_SUBSCRIBED"),
        ({"subscriptions": {"email": {"marketing": {"consent": "SUBSCRIBED"}}}}, "SUBSCRIBED"),
        ({"subscriptions": {"email": {"marketing": {"consent": "BRAND_NEW"}}}}, "BRAND_NEW"),
    ],
)
def test_what_is_not_told_is_not_taken_for_never(server: Klaviyo, told: Any, consent: str) -> None:
    found = read(server, told)
    assert (found.holder, found.consent, found.since, found.suppressions) == ("01SARAH", consent, None, ())


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-06-01T12:00:00+00:00", datetime(2025, 6, 1, 12, tzinfo=UTC)),
        ("2025-06-01T12:00:00.123456Z", datetime(2025, 6, 1, 12, 0, 0, 123456, tzinfo=UTC)),
        ("2025-06-01T12:00:00", datetime(2025, 6, 1, 12, tzinfo=UTC)),
        ("some time ago", None),
        ("", None),
        (None, None),
    ],
)
def test_times_are_aware_and_one_that_cannot_be_read_is_none(server: Klaviyo, text: str | None, moment: datetime | None) -> None:
    marketing = {"consent": "SUBSCRIBED", "consent_timestamp": text, "suppression": [{"reason": "HARD_BOUNCE", "timestamp": text}]}
    found = read(server, {"subscriptions": {"email": {"marketing": marketing}}})
    assert (found.since, [each.at for each in found.suppressions]) == (moment, [moment])


@pytest.mark.parametrize("channel", ["sms.marketing", "sms.transactional", "whatsapp.conversational"])
def test_each_channel_has_a_standing_of_its_own(server: Klaviyo, channel: str) -> None:
    medium, _, kind = channel.partition(".")
    found = read(
        server, {"subscriptions": {"email": {"marketing": {"consent": "SUBSCRIBED"}}, medium: {kind: {"consent": "UNSUBSCRIBED"}}}}, channel
    )
    assert found.consent == "UNSUBSCRIBED"

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

T = datetime(2025, 6, 1, tzinfo=UTC)
BEFORE, AFTER = datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("reason", "says_no"),
    [
        ("HARD_BOUNCE", False),
        ("INVALID_EMAIL", False),
        ("UNSUBSCRIBE", True),
        ("USER_SUPPRESSED", True),
        ("SPAM_COMPLAINT", True),
        ("SPAM_REPORT", True),
        ("SOMETHING_NEW", True),
    ],
)
def test_only_what_is_undeliverable_says_nothing_of_consent(reason: str, says_no: bool) -> None:
    mark = standing.Mark(reason, T)
    for there in (standing.Standing(suppressions=(mark,)), standing.Standing(left_others=(mark,))):
        assert there.said_no_since(BEFORE) is says_no
        assert there.said_no_since(None) is says_no


def test_a_no_before_the_consent_is_over_and_one_at_the_same_moment_or_without_a_date_is_not() -> None:
    told = [standing.Standing(consent="UNSUBSCRIBED", since=T), standing.Standing(left=(standing.Mark("UNSUBSCRIBE", T),))]
    for there in told:
        assert [there.said_no_since(when) for when in (BEFORE, T, AFTER, None)] == [True, True, False, True]
    assert standing.Standing(suppressions=(standing.Mark("UNSUBSCRIBE"),)).said_no_since(AFTER)


def test_what_was_left_is_told_apart_by_its_list(server: Klaviyo) -> None:
    left = [{"list_id": each, "reason": "UNSUBSCRIBE", "timestamp": "2025-06-01T00:00:00+00:00"} for each in ("L1", "L2")]
    found = read(server, {"subscriptions": {"email": {"marketing": {"consent": "SUBSCRIBED", "list_suppressions": left}}}})
    assert (found.refusals, len(found.taken_back)) == ([], 2), "without a list, both are other lists"


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

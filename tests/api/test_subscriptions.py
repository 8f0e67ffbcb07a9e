# SPDX-License-Identifier: Apache-2.0
"""Requests about consent, compared as values, and what is refused before it is sent."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_klaviyo.api import subscriptions
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError

SARAH, NUMBER = "sarah@example.com", "+14155550123"
YES, NO = {"consent": "SUBSCRIBED"}, {"consent": "UNSUBSCRIBED"}


def data(request: Any) -> Any:
    """Return what a request's body is about."""
    return request.json["data"]


def people(request: Any) -> Any:
    """Return the profiles of a request."""
    return data(request)["attributes"]["profiles"]["data"]


def test_subscribe_is_to_email_marketing_unless_said_otherwise() -> None:
    request = subscriptions.subscribe(profiles=[{"email": SARAH}])
    assert (request.method, request.path) == ("POST", "/api/profile-subscription-bulk-create-jobs")
    assert request.json == {
        "data": {
            "type": "profile-subscription-bulk-create-job",
            "attributes": {
                "profiles": {"data": [{"type": "profile", "attributes": {"email": SARAH, "subscriptions": {"email": {"marketing": YES}}}}]}
            },
        }
    }


def test_each_person_may_have_channels_of_their_own() -> None:
    everything = {"email": SARAH, "phone_number": NUMBER}
    request = subscriptions.subscribe(
        profiles=[everything, {"phone_number": NUMBER, "channels": ["sms.transactional"], "id": "01J"}],
        channels=["email.marketing", "sms.marketing", "sms.transactional", "whatsapp.marketing"],
        list_id="L1",
        custom_source="Fair",
    )
    first, second = people(request)
    assert first["attributes"] == {
        **everything,
        "subscriptions": {"email": {"marketing": YES}, "sms": {"marketing": YES, "transactional": YES}, "whatsapp": {"marketing": YES}},
    }
    assert second == {
        "type": "profile",
        "id": "01J",
        "attributes": {"phone_number": NUMBER, "subscriptions": {"sms": {"transactional": YES}}},
    }
    assert data(request)["attributes"]["custom_source"] == "Fair"
    assert data(request)["relationships"] == {"list": {"data": {"type": "list", "id": "L1"}}}


def test_history_says_when() -> None:
    at = datetime(2025, 1, 1, 10, tzinfo=UTC)
    person = {"email": SARAH, "phone_number": NUMBER, "consented_at": at, "age_gated_date_of_birth": date(2000, 2, 29)}
    request = subscriptions.subscribe(profiles=[person], channels=["email.marketing", "sms.marketing"], historical_import=True)
    (row,) = people(request)
    dated = {**YES, "consented_at": "2025-01-01T10:00:00+00:00"}
    assert row["attributes"]["subscriptions"] == {"email": {"marketing": dated}, "sms": {"marketing": dated}}
    assert row["attributes"]["age_gated_date_of_birth"] == "2000-02-29"
    assert data(request)["attributes"]["historical_import"] is True


def test_unsubscribe() -> None:
    request = subscriptions.unsubscribe(
        profiles=[{"phone_number": NUMBER}], channels=["whatsapp.conversational", "sms.marketing"], list_id="L1"
    )
    assert (request.method, request.path) == ("POST", "/api/profile-subscription-bulk-delete-jobs")
    (row,) = people(request)
    assert row["attributes"] == {"phone_number": NUMBER, "subscriptions": {"whatsapp": {"conversational": NO}, "sms": {"marketing": NO}}}


def test_only_what_does_the_same_twice_is_repeated() -> None:
    """Subscribing lifts what people did since; with a list, who left it is unsubscribed everywhere the second time."""
    anybody = [{"email": SARAH}]
    assert not subscriptions.subscribe(profiles=anybody).repeatable
    assert not subscriptions.unsubscribe(profiles=anybody, list_id="L1").repeatable
    assert subscriptions.unsubscribe(profiles=anybody).repeatable
    assert subscriptions.suppress(emails=[SARAH]).repeatable
    assert subscriptions.unsuppress(emails=[SARAH]).repeatable


def test_suppress_is_about_addresses_or_a_list_or_a_segment() -> None:
    request = subscriptions.suppress(emails=[SARAH])
    assert people(request) == [{"type": "profile", "attributes": {"email": SARAH}}]
    listed = subscriptions.unsuppress(list_id="L1")
    assert listed.path == "/api/profile-suppression-bulk-delete-jobs"
    assert data(listed) == {
        "type": "profile-suppression-bulk-delete-job",
        "attributes": {},
        "relationships": {"list": {"data": {"type": "list", "id": "L1"}}},
    }
    assert data(subscriptions.suppress(segment_id="S1"))["relationships"] == {"segment": {"data": {"type": "segment", "id": "S1"}}}


@pytest.mark.parametrize(
    "wrong", [{}, {"emails": [SARAH], "list_id": "L1"}, {"list_id": "L1", "segment_id": "S1"}, {"emails": []}, {"list_id": " "}]
)
def test_neither_nothing_nor_several_are_suppressed(wrong: Any) -> None:
    with pytest.raises(KlaviyoConfigError):
        subscriptions.suppress(**wrong)


@pytest.mark.parametrize(
    ("person", "message"),
    [
        ({}, "email.marketing needs an email"),
        ({"phone_number": NUMBER}, "email.marketing needs an email"),
        ({"email": SARAH, "channels": ["sms.marketing"]}, "sms.marketing needs a phone_number"),
        ({"email": SARAH, "channels": ["whatsapp.conversational"]}, "channels is a list"),
        ({"email": SARAH, "channels": "email.marketing"}, "channels is a list"),
        ({"email": SARAH, "channels": []}, "channels is a list"),
        ({"email": "sarah"}, "email is an address"),
        ({"email": SARAH, "phone_number": "030 1234"}, "E.164"),
        ({"email": SARAH, "first_name": "Sarah"}, "other attributes go by an upsert"),
        ({"email": SARAH, "e_mail": SARAH}, "did you mean email"),
        ({"email": SARAH, "consented_at": "2025-01-01T00:00:00Z"}, "needs historical_import=True"),
        ({"email": SARAH, "age_gated_date_of_birth": "2000-02-30"}, "is a date"),
        ({"email": SARAH, "age_gated_date_of_birth": "2999-01-01"}, "in the past"),
        (SARAH, "a mapping"),
    ],
)
def test_what_klaviyo_would_refuse_is_refused_with_its_position(person: Any, message: str) -> None:
    with pytest.raises(KlaviyoConfigError, match="at position 1") as refused:
        subscriptions.subscribe(profiles=[{"email": "tom@example.com"}, person])
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("at", "message"),
    [
        (None, "needs a consented_at"),
        ("2025-01-01T00:00:00", "time zone"),
        (datetime(2025, 1, 1), "time zone"),  # noqa: DTZ001 - naive on purpose
        (datetime.now(UTC) + timedelta(days=1), "in the past"),
        ("soon", "ISO 8601"),
    ],
)
def test_history_is_in_the_past_and_has_a_zone(at: Any, message: str) -> None:
    with pytest.raises(KlaviyoConfigError, match=message):
        subscriptions.subscribe(profiles=[{"email": SARAH, "consented_at": at}], historical_import=True)


def test_a_request_has_its_most_rows() -> None:
    many = [{"email": f"p{number}@example.com"} for number in range(1001)]
    emails = [each["email"] for each in many]
    assert len(people(subscriptions.subscribe(profiles=many[:1000]))) == 1000
    assert len(people(subscriptions.unsubscribe(profiles=many[:100]))) == 100
    makers: list[tuple[Any, dict[str, Any]]] = [
        (subscriptions.subscribe, {"profiles": many}),
        (subscriptions.subscribe, {"profiles": []}),
        (subscriptions.unsubscribe, {"profiles": many[:101]}),
        (subscriptions.suppress, {"emails": emails[:101]}),
        (subscriptions.unsuppress, {"emails": SARAH}),
    ]
    for make, wrong in makers:
        with pytest.raises(KlaviyoConfigError, match="a list of 1 to"):
            make(**wrong)


def test_an_address_to_suppress_is_one() -> None:
    with pytest.raises(KlaviyoConfigError, match="at position 1: email is an address"):
        subscriptions.suppress(emails=[SARAH, "nobody"])
    with pytest.raises(KlaviyoConfigError, match="at position 0: an address is empty"):
        subscriptions.suppress(emails=[""])

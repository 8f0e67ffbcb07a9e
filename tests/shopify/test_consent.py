# SPDX-License-Identifier: Apache-2.0
"""What a customer agreed to: nobody says yes who has not, and no date is made up."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.shopify import queries
from airflow_provider_klaviyo.shopify.mapping import Mapped, Reason, Unmapped, consent
from airflow_provider_klaviyo.shopify.stitching import stitch

STORE = Path(__file__).parents[2].parent / "shared/data/store"
SINCE = "2026-03-04T05:06:07Z"
DATED = "2026-03-04T05:06:07+00:00"
BOTH: Any = ["email.marketing", "sms.marketing"]
Node = dict[str, Any]


def customer(email: Node | None = None, phone: Node | None = None) -> Node:
    """Make a customer as Shopify tells of one."""
    return {
        "id": "gid://shopify/Customer/9",
        "legacyResourceId": "9",
        "updatedAt": "2026-11-18T12:00:00Z",
        "defaultEmailAddress": None if email is None else {"emailAddress": " Zoë@Example.com", "validFormat": True, **email},
        "defaultPhoneNumber": None if phone is None else {"phoneNumber": "+16134505293", "smsMarketingConsent": phone},
    }


def by_email(state: str | None, since: str | None = SINCE, **more: Any) -> list[Mapped | Unmapped]:
    return list(consent(customer(email={"marketingState": state, "marketingUpdatedAt": since, **more})))


def by_sms(state: str | None, since: str | None = SINCE) -> list[Mapped | Unmapped]:
    return list(consent(customer(phone={"state": state, "updatedAt": since}), ["sms.marketing"]))


def test_a_yes_and_a_no_carry_the_date_that_shopify_has_of_them() -> None:
    email = {"email": "zoë@example.com", "channels": ["email.marketing"], "consented_at": DATED}
    sms = {"phone_number": "+16134505293", "channels": ["sms.marketing"], "consented_at": DATED}
    assert by_email("SUBSCRIBED") == [Mapped("9/email.marketing", {"consent": "subscribed", **email})]
    assert by_email("UNSUBSCRIBED") == [Mapped("9/email.marketing", {"consent": "unsubscribed", **email})]
    assert by_sms("SUBSCRIBED") == [Mapped("9/sms.marketing", {"consent": "subscribed", **sms})]
    assert by_sms("UNSUBSCRIBED") == [Mapped("9/sms.marketing", {"consent": "unsubscribed", **sms})]


SILENT = [
    (None, "never_subscribed"),
    ("NOT_SUBSCRIBED", "never_subscribed"),
    ("NEVER_SUBSCRIBED", "never_subscribed"),
    ("PENDING", "pending"),
    ("INVALID", "invalid"),
    ("REDACTED", "erased"),
    ("SLEEPING", "unknown_state"),
]


@pytest.mark.parametrize(("state", "code"), SILENT)
@pytest.mark.parametrize("since", [None, SINCE])
def test_all_other_states_say_nothing(state: str | None, code: str, since: str | None) -> None:
    for said in (by_email(state, since, marketingOptInLevel="SINGLE_OPT_IN"), by_sms(state, since)):
        (row,) = said
        assert isinstance(row, Unmapped)
        assert row.code == code
        assert row.reason


def test_a_yes_without_a_date_is_none_and_a_no_without_one_is_still_a_no() -> None:
    for since in (None, ""):
        assert [each.code for each in (*by_email("SUBSCRIBED", since), *by_sms("SUBSCRIBED", since)) if isinstance(each, Unmapped)] == [
            Reason.NO_CONSENT_DATE,
            Reason.NO_CONSENT_DATE,
        ]
    no = {"consent": "unsubscribed", "email": "zoë@example.com", "channels": ["email.marketing"]}
    assert by_email("UNSUBSCRIBED", None) == [Mapped("9/email.marketing", no)]


def test_sms_is_mapped_only_when_it_is_asked_for() -> None:
    both = customer(
        email={"marketingState": "SUBSCRIBED", "marketingUpdatedAt": SINCE}, phone={"state": "UNSUBSCRIBED", "updatedAt": SINCE}
    )
    assert [each.key for each in consent(both)] == ["9/email.marketing"]
    assert [(each.key, each.data["consent"]) for each in consent(both, BOTH) if isinstance(each, Mapped)] == [
        ("9/email.marketing", "subscribed"),
        ("9/sms.marketing", "unsubscribed"),
    ]


def test_a_channel_without_an_address_or_number_is_told_apart_from_one_that_cannot_be_used() -> None:
    assert [each.code for each in consent(customer(), BOTH) if isinstance(each, Unmapped)] == [Reason.NO_CONTACT, Reason.NO_CONTACT]
    for bad in (
        {"validFormat": False},
        {"emailAddress": "zoe@example"},
        {"emailAddress": None},
        {"emailAddress": "a@example.com, b@example.com"},
    ):
        for state in ("SUBSCRIBED", "UNSUBSCRIBED"):
            (row,) = by_email(state, **bad)
            assert isinstance(row, Unmapped)
            assert (row.code, "@" in row.reason) == (Reason.INVALID, False)
    national = customer(phone={"state": "SUBSCRIBED", "updatedAt": SINCE})
    national["defaultPhoneNumber"]["phoneNumber"] = "613-450-5293"
    assert [each.code for each in consent(national, ["sms.marketing"]) if isinstance(each, Unmapped)] == [Reason.INVALID]


@pytest.mark.parametrize(("email", "sms"), [("REDACTED", "SUBSCRIBED"), ("SUBSCRIBED", "REDACTED")])
def test_who_was_erased_on_one_channel_says_nothing_on_the_other(email: str, sms: str) -> None:
    erased = customer(email={"marketingState": email, "marketingUpdatedAt": SINCE}, phone={"state": sms, "updatedAt": SINCE})
    assert [each.code for each in consent(erased, BOTH) if isinstance(each, Unmapped)] == [Reason.ERASED, Reason.ERASED]


@pytest.mark.parametrize("channels", [[], "email.marketing", ["email"], ["whatsapp.marketing"], ["email.marketing", "sms.transactional"]])
def test_channels_that_shopify_does_not_have_are_refused(channels: Any) -> None:
    with pytest.raises(KlaviyoConfigError, match=r"email\.marketing, sms\.marketing"):
        list(consent(customer(), channels))


def test_a_customer_is_asked_since_when_and_an_order_is_not() -> None:
    asked = queries.customers().document
    assert "marketingState marketingUpdatedAt" in asked
    assert "smsMarketingConsent { state updatedAt }" in asked
    assert "marketingUpdatedAt" not in queries.orders().document


def test_a_real_shops_customers_each_say_one_word_a_channel() -> None:
    if not STORE.exists():
        pytest.skip("../shared, which holds the shop, is not beside the clone")
    told: dict[str, Counter[str]] = {channel: Counter() for channel in BOTH}
    with gzip.open(STORE / "customers.jsonl.gz") as lines:
        for node in stitch(lines):
            for row in consent(node, BOTH):
                told[row.key.partition("/")[2]][row.data["consent"] if isinstance(row, Mapped) else row.code] += 1
    assert told["email.marketing"] == {
        "subscribed": 9_981,
        "no_consent_date": 880,
        "unsubscribed": 1_784,
        "never_subscribed": 5_353,
        "invalid": 15,
        "no_contact": 135,
    }
    assert told["sms.marketing"] == {
        "subscribed": 2_105,
        "no_consent_date": 211,
        "unsubscribed": 401,
        "never_subscribed": 1_158,
        "no_contact": 14_273,
    }

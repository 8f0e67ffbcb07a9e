# SPDX-License-Identifier: Apache-2.0
"""A customer becomes a profile, or says why not."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_klaviyo.loading.checks import Check, Invalid
from airflow_provider_klaviyo.shopify import mapping
from airflow_provider_klaviyo.shopify.mapping import Mapped, Reason, Unmapped

Node = dict[str, Any]


def data(customer: Node) -> Node:
    mapped = mapping.profile(customer)
    assert isinstance(mapped, Mapped)
    return mapped.data


def test_everything_finds_its_place(customer: Node) -> None:
    assert mapping.profile(customer) == Mapped(
        "9",
        {
            "email": "zoë@example.com",
            "phone_number": "+16134505293",
            "first_name": "Zoë",
            "last_name": "Ünal",
            "locale": "en-CA",
            "location": {
                "address1": "1 Main St",
                "city": "Ottawa",
                "region": "Ontario",
                "zip": "K1A 0B1",
                "country": "Canada",
                "latitude": 45.4,
                "longitude": -75.7,
                "timezone": "America/Toronto",
            },
            "properties": {
                "Shopify Customer ID": "9",
                "Shopify Tags": ["VIP"],
                "Shopify Number of Orders": 3,
                "Shopify Amount Spent": 12.5,
                "Shopify Currency": "USD",
                "Shopify Last Order": "#1003",
                "Shopify Account State": "ENABLED",
                "Shopify Verified Email": True,
                "Shopify Data Sale Opt Out": False,
                "Shopify Created At": "2025-01-02T03:04:05Z",
                "Shopify Region Code": "ON",
                "Shopify Country Code": "CA",
            },
        },
    )


def test_nothing_but_an_identifier_is_enough() -> None:
    bare = {"id": "gid://shopify/Customer/9", "defaultEmailAddress": None, "defaultPhoneNumber": {"phoneNumber": "+16134505293"}}
    assert mapping.profile(bare) == Mapped("9", {"phone_number": "+16134505293", "properties": {"Shopify Customer ID": "9"}})


def test_nobody_to_be_found(customer: Node) -> None:
    """The phone of the address is free text: it identifies nobody, however good it looks."""
    address = {**customer["defaultAddress"], "phone": "+16134505293"}
    mapped = mapping.profile({**customer, "defaultEmailAddress": None, "defaultPhoneNumber": None, "defaultAddress": address})
    assert mapped == Unmapped("9", Reason.NO_IDENTIFIER, "neither an e-mail address nor a phone number in E.164 form")


@pytest.mark.parametrize(
    "address",
    [
        {"emailAddress": "zoe@example", "validFormat": False},
        {"emailAddress": "zoe@example.com", "validFormat": False},
        {"emailAddress": "zoe@example", "validFormat": True},
        {"emailAddress": "zoe at example.com", "validFormat": None},
        {"emailAddress": "a@example.com, b@example.com", "validFormat": True},
        {"emailAddress": ".zoe@example.com", "validFormat": True},
    ],
)
def test_a_malformed_address_is_not_sent(customer: Node, address: Node) -> None:
    assert "email" not in data({**customer, "defaultEmailAddress": address})
    mapped = mapping.profile({**customer, "defaultEmailAddress": address, "defaultPhoneNumber": None})
    assert isinstance(mapped, Unmapped)
    assert (mapped.code, address["emailAddress"] in mapped.reason) == (Reason.MALFORMED_EMAIL, False)


@pytest.mark.parametrize("number", ["613-450-5293", "+1 613 450 5293", "", None, "+0123456789"])
def test_a_national_number_identifies_nobody(customer: Node, number: str | None) -> None:
    assert "phone_number" not in data({**customer, "defaultPhoneNumber": {"phoneNumber": number}})


@pytest.mark.parametrize(("email", "sms"), [("REDACTED", "SUBSCRIBED"), ("SUBSCRIBED", "REDACTED"), ("REDACTED", "REDACTED")])
def test_who_was_erased_on_one_channel_is_not_sent_by_the_other(customer: Node, email: str, sms: str) -> None:
    customer["defaultEmailAddress"]["marketingState"] = email
    customer["defaultPhoneNumber"]["smsMarketingConsent"]["state"] = sms
    assert mapping.profile(customer) == Unmapped("9", Reason.ERASED, "Shopify erased this person's data")


@pytest.mark.parametrize(
    ("locale", "country", "sent"),
    [("en-GB", "US", "en-GB"), ("fr", "FR", "fr-FR"), ("fr", None, None), ("UK", "GB", None), ("zh-Hant-TW", "TW", None), ("", "GB", None)],
)
def test_a_locale_is_a_language_and_a_country_or_a_property(customer: Node, locale: str, country: str | None, sent: str | None) -> None:
    address = {**customer["defaultAddress"], "countryCodeV2": country}
    found = data({**customer, "locale": locale, "defaultAddress": address})
    assert found.get("locale") == sent
    assert found["properties"].get("Locale") == (None if sent else locale or None)


@pytest.mark.parametrize("zone", ["", None, "America/Springfield", "../etc/passwd", "America"])
def test_a_time_zone_that_is_none_is_left_out(customer: Node, zone: str | None) -> None:
    assert "timezone" not in data({**customer, "defaultAddress": {**customer["defaultAddress"], "timeZone": zone}})["location"]


def test_no_blanks_and_no_notes(customer: Node) -> None:
    found = data({**customer, "firstName": "  ", "lastName": None, "numberOfOrders": "0", "defaultAddress": None})
    assert found.keys() == {"email", "phone_number", "properties"}
    assert found["properties"]["Shopify Number of Orders"] == 0
    assert found["properties"]["Locale"] == "en"
    assert "rings" not in str(found)


ADDRESSES = [
    "jésus16@exämple.com",
    "O'Brien+shop@sub.example.co.uk",
    "zoe@example",
    "zoe@example.c",
    "zoe@example.123",
    "zoe@-example.com",
    "zoe@example..com",
    ".zoe@example.com",
    "zoe..b@example.com",
    'zoe"b@example.com',
    "İ@İ.com",
    f"{'z' * 64}@example.com",
    f"{'z' * 65}@example.com",
    f"zoe@{'e' * 250}.com",
]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("number", [None, "+16134505293", "+٦١٣٤٥٠٥٢٩٣", "+1613450529300000"])
def test_what_is_sent_passes_the_check_of_the_load_and_what_is_not_would_not(customer: Node, address: str, number: str | None) -> None:
    given = {"email": address.lower(), "phone_number": number}
    fits = Check()
    try:
        expected = fits.profile(given)
    except Invalid:
        expected = {}
    mapped = mapping.profile(
        customer | {"defaultEmailAddress": {"emailAddress": address, "validFormat": True}, "defaultPhoneNumber": {"phoneNumber": number}}
    )
    sent = mapped.data if isinstance(mapped, Mapped) else {}
    assert {name: sent[name] for name in given if name in sent} == {name: value for name, value in expected.items() if value is not None}
    if isinstance(mapped, Unmapped):
        assert mapped.code is Reason.MALFORMED_EMAIL


def test_the_last_tag_goes_too_and_nothing_bought_is_a_number(customer: Node) -> None:
    """What is left out stays in Klaviyo as it was: a tag that was taken off would stay for ever."""
    customer |= {"tags": [], "numberOfOrders": "0", "amountSpent": {"amount": "0.0", "currencyCode": "USD"}}
    row = data(customer)
    properties = row["properties"]
    assert [properties[f"Shopify {name}"] for name in ("Tags", "Number of Orders", "Amount Spent")] == [[], 0, 0.0]
    assert Check().profile(row)["properties"] == properties


def test_template_tags_reach_klaviyo_as_they_are(customer: Node) -> None:
    assert data({**customer, "firstName": "{{ first_name }}"})["first_name"] == "{{ first_name }}"

# SPDX-License-Identifier: Apache-2.0
"""Customers of the generated shop."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from airflow_provider_klaviyo.sandbox.shopify.documents import Json
from airflow_provider_klaviyo.sandbox.shopify.generated.catalog import (
    AREAS,
    DOMAINS,
    FIRST_NAMES,
    LAST_NAMES,
    PLACES,
    STREETS,
    TAGS,
    Place,
)

FIRST_CUSTOMER = 9_400_000_000_000
FICTIONAL = 100  # numbers of an area that are kept for fiction
HISTORY = timedelta(days=400)
VERIFIED = 0.9
OPTED_OUT = 0.01
LEVEL_WITHOUT_CONSENT = 0.3
# Of all customers: subscribed with a date, subscribed at all, subscribed or unsubscribed.
DATED, SUBSCRIBED, DECIDED = 0.55, 0.6, 0.7


def stamp(moment: datetime) -> str:
    """Write a time as Shopify does."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def lately(chance: random.Random, now: datetime) -> datetime:
    """Return a time of the last 400 days, rather a late one."""
    return now - timedelta(seconds=int(HISTORY.total_seconds() * chance.random() ** 2) + 1)


def customer(chance: random.Random, number: int, now: datetime) -> Json:
    """
    Make an ordinary customer.

    :param number: Counts the customers; every third gets a phone number of her own.
    """
    first, last, place = chance.choice(FIRST_NAMES), chance.choice(LAST_NAMES), chance.choice(PLACES)
    made = lately(chance, now)
    changed = made + (now - made) * chance.random() ** 4
    return {
        "id": f"gid://shopify/Customer/{FIRST_CUSTOMER + number}",
        "legacyResourceId": str(FIRST_CUSTOMER + number),
        "createdAt": stamp(made),
        "updatedAt": stamp(changed),
        "firstName": first,
        "lastName": last,
        "displayName": f"{first} {last}",
        "locale": place.locale,
        "note": None,
        "tags": sorted(chance.sample(TAGS, chance.choice((0, 0, 1, 2)))),
        "state": chance.choice(("DISABLED", "DISABLED", "ENABLED", "INVITED")),
        "verifiedEmail": chance.random() < VERIFIED,
        "taxExempt": False,
        "dataSaleOptOut": chance.random() < OPTED_OUT,
        "numberOfOrders": "0",
        "amountSpent": {"amount": "0.0", "currencyCode": "USD"},
        "lastOrder": None,
        "defaultEmailAddress": _email(chance, f"{_plain(first)}.{_plain(last)}{number}@{chance.choice(DOMAINS)}", made),
        "defaultPhoneNumber": phone(chance, number // 3, made) if number % 3 == 0 else None,
        "defaultAddress": _address(chance, first, last, place),
    }


def phone(chance: random.Random, number: int, made: datetime) -> Json | None:
    """Return a fictional number that no other customer has, or ``None`` where there are no more."""
    area, rest = divmod(number, FICTIONAL)
    if area >= len(AREAS):
        return None
    state, since = _consent(chance, made, "NEVER_SUBSCRIBED")
    consent = {
        "state": state,
        "optInLevel": "SINGLE_OPT_IN" if since else None,
        "updatedAt": since,
        "collectedFrom": "SHOPIFY" if since else None,
    }
    return {"phoneNumber": f"+1{AREAS[area]}55501{rest:02}", "smsMarketingConsent": consent}


def _email(chance: random.Random, address: str, made: datetime) -> Json:
    state, since = _consent(chance, made, "NOT_SUBSCRIBED")
    # A level on someone who never subscribed is no consent; live shops have it too.
    level = "SINGLE_OPT_IN" if since or chance.random() < LEVEL_WITHOUT_CONSENT else None
    return {
        "emailAddress": address,
        "validFormat": True,
        "marketingState": state,
        "marketingOptInLevel": level,
        "marketingUpdatedAt": since,
    }


def _consent(chance: random.Random, made: datetime, never: str) -> tuple[str, str | None]:
    """Return a state of consent and since when."""
    lot = chance.random()
    if lot < DATED:
        return "SUBSCRIBED", stamp(made)
    if lot < SUBSCRIBED:
        return "SUBSCRIBED", None
    return ("UNSUBSCRIBED", stamp(made)) if lot < DECIDED else (never, None)


def _address(chance: random.Random, first: str, last: str, place: Place) -> Json:
    return {
        "firstName": first,
        "lastName": last,
        "company": chance.choice((None, None, None, "", f"{last} & Co")),
        "phone": chance.choice((None, place.phone.format(f"{chance.randrange(100, 200)}"))),
        "address1": f"{chance.randrange(1, 200)} {chance.choice(STREETS)}",
        "address2": chance.choice((None, "", "Floor 2")),
        "city": place.city,
        "province": place.province,
        "provinceCode": place.province_code,
        "country": place.country,
        "countryCodeV2": place.code,
        "zip": place.zip,
        "latitude": place.latitude,
        "longitude": place.longitude,
        "timeZone": place.zone,
    }


def _plain(name: str) -> str:
    """Return a name as it stands in an address."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return "".join(letter for letter in letters.lower() if letter.isalnum())


def _mixed(row: Json) -> None:
    local, _, domain = row["defaultEmailAddress"]["emailAddress"].partition("@")
    row["defaultEmailAddress"]["emailAddress"] = f"{local.title()}@{domain.title()}"


def _named(first: str, last: str) -> Callable[[Json], None]:
    return lambda row: row.update(firstName=first, lastName=last, displayName=f"{first} {last}".strip())


def _no_contact(row: Json) -> None:
    row.update(defaultEmailAddress=None, defaultPhoneNumber=None, defaultAddress=None)


def _phone_only(row: Json) -> None:
    consent = {"state": "NEVER_SUBSCRIBED", "optInLevel": None, "updatedAt": None, "collectedFrom": None}
    own = {"phoneNumber": f"+1646555{100 + int(row['legacyResourceId']) % FICTIONAL:04}", "smsMarketingConsent": consent}
    row.update(defaultEmailAddress=None, defaultPhoneNumber=row["defaultPhoneNumber"] or own)


def _erased(row: Json) -> None:
    consent = {"state": "REDACTED", "optInLevel": None, "updatedAt": None, "collectedFrom": None}
    number = f"+1917555{100 + int(row['legacyResourceId']) % FICTIONAL:04}"
    row.update(defaultPhoneNumber={"phoneNumber": number, "smsMarketingConsent": consent})


def _bad_email(row: Json) -> None:
    row["defaultEmailAddress"].update(
        emailAddress="not an address@@example", validFormat=False, marketingState="INVALID", marketingUpdatedAt=None
    )
    row.update(defaultPhoneNumber=None)


def _national_phone(row: Json) -> None:
    row.update(defaultPhoneNumber=None)
    row["defaultAddress"].update(
        phone="(415) 555-0123", country="United States", countryCodeV2="US", province="California", provinceCode="CA"
    )


def _blanks(row: Json) -> None:
    row.update(firstName="", lastName=None, displayName="", note="")
    row["defaultAddress"].update(address1=None, city="", zip=" ", latitude=None, longitude=None, timeZone=None)


# What each case does to an ordinary customer.
CUSTOMER_CASES: dict[str, Callable[[Json], None]] = {
    "no_contact": _no_contact,
    "bad_email": _bad_email,
    "phone_only": _phone_only,
    "erased": _erased,
    "mixed_case_email": _mixed,
    "padded_email": lambda row: row["defaultEmailAddress"].update(emailAddress=f" {row['defaultEmailAddress']['emailAddress']} "),
    "unicode_name": _named("Łucja Ōtani 大谷 🎏", "D'Àrtagnan-Ñuñoa"),
    "long_text": lambda row: row.update(note="ünïcödé ✓ " * 400, tags=["ß" * 255, *row["tags"]]),
    "template_tags": _named("{{ first_name }}", "{% unsubscribe %}"),
    "quoted_tags": lambda row: row.update(tags=['says "hello"', "it's, a comma", "back\\slash", "<b>bold</b>"]),
    "national_phone": _national_phone,
    "locale_uk": lambda row: row.update(locale="UK"),
    "locale_language_only": lambda row: row.update(locale="en"),
    "unknown_time_zone": lambda row: row["defaultAddress"].update(timeZone="Mars/Olympus_Mons"),
    "blanks": _blanks,
}

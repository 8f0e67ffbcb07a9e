# SPDX-License-Identifier: Apache-2.0
"""A Shopify customer as a Klaviyo profile."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_klaviyo.api.request import Json
from airflow_provider_klaviyo.api.values import filled
from airflow_provider_klaviyo.shopify.mapping.rows import Mapped, Reason, Unmapped, email_of, is_erased, number_of, phone_of, within

LANGUAGE = re.compile(r"[a-z]{2}")
LOCALE = re.compile(r"[a-z]{2,3}-[A-Z]{2}")


def profile(customer: Json) -> Mapped | Unmapped:
    """
    Map a customer to a profile, as `Klaviyo's own Shopify integration <https://help.klaviyo.com/hc/en-us/articles/115005080447>`__ does.

    Consent is not in it: it never travels through profile import. Notes are private and stay in the shop.

    :param customer: A node of :func:`airflow_provider_klaviyo.shopify.queries.customers`.
    :returns: The profile's attributes, or why there can be none.
    """
    key = str(customer.get("legacyResourceId") or number_of(customer["id"]))
    if is_erased(customer):
        return Unmapped.because(key, Reason.ERASED)
    identifiers = filled({"email": email_of(customer), "phone_number": phone_of(customer)})
    if not identifiers:
        malformed = within(customer, "defaultEmailAddress", "emailAddress")
        return Unmapped.because(key, Reason.MALFORMED_EMAIL if malformed else Reason.NO_IDENTIFIER)
    address = customer.get("defaultAddress") or {}
    locale = _locale(customer.get("locale"), address.get("countryCodeV2"))
    return Mapped(
        key,
        identifiers
        | filled(
            {
                "first_name": customer.get("firstName"),
                "last_name": customer.get("lastName"),
                "organization": address.get("company"),
                "locale": locale,
                "location": _location(address),
                "properties": _properties(key, customer, address) | ({} if locale else filled({"Locale": customer.get("locale")})),
            }
        ),
    )


def _location(address: Mapping[str, Any]) -> Json:
    zone = address.get("timeZone")
    return filled(
        {
            "address1": address.get("address1"),
            "address2": address.get("address2"),
            "city": address.get("city"),
            "region": address.get("province"),
            "zip": address.get("zip"),
            "country": address.get("country"),
            "latitude": address.get("latitude"),
            "longitude": address.get("longitude"),
            "timezone": zone if zone and _is_zone(zone) else None,
        }
    )


def _properties(key: str, customer: Json, address: Mapping[str, Any]) -> Json:
    orders, spent, tags = customer.get("numberOfOrders"), within(customer, "amountSpent", "amount"), customer.get("tags")
    # What is left out stays in Klaviyo as it was: an empty list is what takes the last tag away.
    tagged = {} if tags is None else {"Shopify Tags": tags}
    return tagged | filled(
        {
            "Shopify Customer ID": key,
            "Shopify Number of Orders": None if orders is None else int(orders),
            "Shopify Amount Spent": None if spent is None else float(spent),
            "Shopify Currency": within(customer, "amountSpent", "currencyCode"),
            "Shopify Last Order": within(customer, "lastOrder", "name"),
            "Shopify Account State": customer.get("state"),
            "Shopify Verified Email": customer.get("verifiedEmail"),
            "Shopify Data Sale Opt Out": customer.get("dataSaleOptOut"),
            "Shopify Created At": customer.get("createdAt"),
            "Shopify Region Code": address.get("provinceCode"),
            "Shopify Country Code": address.get("countryCodeV2"),
        }
    )


def _locale(locale: str | None, country: str | None) -> str | None:
    """Make the ``language-COUNTRY`` that Klaviyo takes; Shopify says ``en``, ``en-GB``, and sometimes ``UK``."""
    text = (locale or "").strip()
    if LANGUAGE.fullmatch(text) and country:
        text = f"{text}-{country}"
    return text if LOCALE.fullmatch(text) else None


@cache
def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, not a name, a folder of the database
        return False
    return True

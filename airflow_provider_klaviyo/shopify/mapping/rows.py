# SPDX-License-Identifier: Apache-2.0
"""What the mapping yields, and the small readings that profiles and events share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from airflow_provider_klaviyo.api.request import Json
from airflow_provider_klaviyo.api.values import E164, is_email

REDACTED = "REDACTED"


class Reason(StrEnum):
    """Why a node is not a row that Klaviyo could take."""

    NO_IDENTIFIER = "no_identifier"
    MALFORMED_EMAIL = "malformed_email"
    ERASED = "erased"
    TEST_ORDER = "test_order"
    NO_CONTACT = "no_contact"
    NEVER_SUBSCRIBED = "never_subscribed"
    PENDING = "pending"
    INVALID = "invalid"
    NO_CONSENT_DATE = "no_consent_date"
    UNKNOWN_STATE = "unknown_state"


SENTENCES: dict[Reason, str] = {
    Reason.NO_IDENTIFIER: "neither an e-mail address nor a phone number in E.164 form",
    Reason.MALFORMED_EMAIL: "the e-mail address is malformed and there is no phone number in E.164 form",
    Reason.ERASED: "Shopify erased this person's data",
    Reason.TEST_ORDER: "a test order, paid through a test gateway",
    Reason.NO_CONTACT: "Shopify has no address or number for this channel",
    Reason.NEVER_SUBSCRIBED: "has never subscribed to this channel in Shopify",
    Reason.PENDING: "has not confirmed the subscription in Shopify yet",
    Reason.INVALID: "the address or number of this channel cannot be used",
    Reason.NO_CONSENT_DATE: "is subscribed in Shopify, which does not say since when: a date is never made up",
    Reason.UNKNOWN_STATE: "Shopify's state of this channel is a word that is not known here",
}


@dataclass(frozen=True, slots=True)
class Mapped:
    """
    A row for Klaviyo.

    :param key: What the row is called in reports: Shopify's id, for an event with its metric.
    :param data: The row, in the form that ``loading`` takes.
    """

    key: str
    data: Json


@dataclass(frozen=True, slots=True)
class Unmapped:
    """
    A row that would have been, and why it is not.

    :param key: What the row is called in reports: Shopify's id, for an event with its metric.
    :param code: The reason as a word.
    :param reason: The reason as a sentence, without values.
    """

    key: str
    code: Reason
    reason: str

    @classmethod
    def because(cls, key: str, code: Reason) -> Unmapped:
        """Make it from the reason's word."""
        return cls(key, code, SENTENCES[code])


def number_of(gid: str) -> str:
    """Return the number in a gid: ``gid://shopify/Order/17?x=y`` is ``17``."""
    return gid.rpartition("/")[2].partition("?")[0]


def within(node: Mapping[str, Any] | None, *path: str) -> Any:
    """Follow a path through objects that may be null."""
    here: Any = node
    for name in path:
        if here is None:
            return None
        here = here.get(name)
    return here


def plain(address: str | None) -> str:
    """Return an address trimmed and in lower case, ``""`` for none."""
    return (address or "").strip().lower()


def email(address: str | None) -> str | None:
    """Return an address trimmed and in lower case, or ``None`` where it cannot be one."""
    text = plain(address)
    return text if is_email(text) else None


def phone(number: str | None) -> str | None:
    """Return a number that is in E.164 form, or ``None``."""
    text = (number or "").strip()
    return text if E164.fullmatch(text) else None


def is_erased(customer: Mapping[str, Any] | None) -> bool:
    """Return whether Shopify erased the person's data: it says so of one channel, and means all."""
    return REDACTED in {
        within(customer, "defaultEmailAddress", "marketingState"),
        within(customer, "defaultPhoneNumber", "smsMarketingConsent", "state"),
    }


def email_of(customer: Mapping[str, Any] | None) -> str | None:
    """Return a customer's usable address."""
    found = within(customer, "defaultEmailAddress") or {}
    return None if found.get("validFormat") is False else email(found.get("emailAddress"))


def phone_of(customer: Mapping[str, Any] | None) -> str | None:
    """Return a customer's usable number. The one in the address is free text and identifies nobody."""
    return phone(within(customer, "defaultPhoneNumber", "phoneNumber"))


def moment(text: str) -> str:
    """Return a time in UTC with its offset, cut to the second as Klaviyo does."""
    return datetime.fromisoformat(text).astimezone(UTC).replace(microsecond=0).isoformat()

# SPDX-License-Identifier: Apache-2.0
"""What a Shopify customer agreed to, as rows of consent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.request import Json
from airflow_provider_klaviyo.shopify.mapping.rows import Mapped, Reason, Unmapped, email_of, is_erased, moment, number_of, phone_of

ConsentChannel = Literal["email.marketing", "sms.marketing"]
SAID: Mapping[str, str] = {"SUBSCRIBED": "subscribed", "UNSUBSCRIBED": "unsubscribed"}
UNSAID: Mapping[str | None, Reason] = {
    None: Reason.NEVER_SUBSCRIBED,
    "NEVER_SUBSCRIBED": Reason.NEVER_SUBSCRIBED,
    "NOT_SUBSCRIBED": Reason.NEVER_SUBSCRIBED,
    "PENDING": Reason.PENDING,
    "INVALID": Reason.INVALID,
}


def consent(customer: Json, channels: Sequence[ConsentChannel] = ("email.marketing",)) -> Iterator[Mapped | Unmapped]:
    """
    Map a customer to one word for each channel: yes or no, with the date Shopify has of it.

    A yes without a date is none: no date is ever made up. A no without one is still a no. An opt-in level is no consent, and neither
    is the tick of a checkout. What did not change since the last run is mapped, too: a customer is read when anything of theirs has
    changed, and when a change of consent was read for the first time is not known here.

    :param customer: A node of :func:`airflow_provider_klaviyo.shopify.queries.customers`.
    :param channels: What to map.
    :raises KlaviyoConfigError: Shopify knows of no such channel.
    """
    if isinstance(channels, str) or not channels or not set(channels) <= set(get_args(ConsentChannel)):
        raise KlaviyoConfigError(f"channels is a list of one or more of {', '.join(get_args(ConsentChannel))}.")
    key = str(customer.get("legacyResourceId") or number_of(customer["id"]))
    for channel in dict.fromkeys(channels):
        yield _word(f"{key}/{channel}", channel, customer)


def _word(key: str, channel: ConsentChannel, customer: Json) -> Mapped | Unmapped:
    if is_erased(customer):
        return Unmapped.because(key, Reason.ERASED)
    name, there, known, state, since = _told(channel, customer)
    if not there:
        return Unmapped.because(key, Reason.NO_CONTACT)
    if state not in SAID:
        return Unmapped.because(key, UNSAID.get(state, Reason.UNKNOWN_STATE))
    if not known:
        return Unmapped.because(key, Reason.INVALID)
    if state == "SUBSCRIBED" and not since:
        return Unmapped.because(key, Reason.NO_CONSENT_DATE)
    row = {"consent": SAID[state], name: known, "channels": [channel]}
    return Mapped(key, row | ({"consented_at": moment(since)} if since else {}))


def _told(channel: ConsentChannel, customer: Json) -> tuple[str, bool, str | None, Any, Any]:
    """Return the identifier's name, whether there is one, the one that can be used, the state, and since when it is so."""
    if channel == "email.marketing":
        email = customer.get("defaultEmailAddress") or {}
        return "email", bool(email), email_of(customer), email.get("marketingState"), email.get("marketingUpdatedAt")
    phone = customer.get("defaultPhoneNumber") or {}
    told = phone.get("smsMarketingConsent") or {}
    return "phone_number", bool(phone), phone_of(customer), told.get("state"), told.get("updatedAt")

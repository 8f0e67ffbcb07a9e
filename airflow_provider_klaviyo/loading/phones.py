# SPDX-License-Identifier: Apache-2.0
"""Phone numbers in the one form Klaviyo takes."""

from __future__ import annotations

from functools import lru_cache

import phonenumbers

from airflow_provider_klaviyo.api.values import E164


@lru_cache(maxsize=4096)
def e164(value: str, region: str | None = None) -> str:
    """
    Write a phone number as E.164.

    :param value: The number, as typed.
    :param region: ISO 3166 code of the country whose national numbers are understood, such as ``US``.
    :raises ValueError: It is no valid number, or national and ``region`` is not given.
    """
    text = str(value).strip()
    if E164.fullmatch(text):
        return text
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException as error:
        raise ValueError from error
    if not phonenumbers.is_valid_number(number):
        raise ValueError
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)

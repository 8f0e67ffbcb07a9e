# SPDX-License-Identifier: Apache-2.0
"""Phone numbers in the one form Klaviyo takes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.values import E164, as_text


@lru_cache(maxsize=4096)
def e164(value: str, region: str | None = None) -> str:
    """
    Write a phone number as E.164.

    :param value: The number, as typed.
    :param region: ISO 3166 code of the country whose national numbers are understood, such as ``US``.
    :raises ValueError: It is no valid number, or national and ``region`` is not given.
    """
    text = value.strip()
    if E164.fullmatch(text):
        return text
    import phonenumbers  # here, because it takes a tenth of a second, and DAG files that name a converter are read every minute

    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException as error:
        raise ValueError from error
    if not phonenumbers.is_valid_number(number):
        raise ValueError
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def phone(value: Any, region: str | None = None) -> str:
    """
    Write what a column of phone numbers holds as E.164: texts, and also numbers.

    :param value: The number.
    :param region: As of :func:`e164`.
    :raises ValueError: It is no valid number, or national and ``region`` is not given.
    :raises TypeError: It is a list or an object.
    """
    return e164(value if isinstance(value, str) else as_text(value), region)


def known_region(region: str | None) -> str | None:
    """
    Return a country's code as the numbering plans have it.

    :param region: ISO 3166 code, or nothing.
    :raises KlaviyoConfigError: There is no such country: every national number would be refused.
    """
    if not region:
        return None
    import phonenumbers

    if (code := region.strip().upper()) not in phonenumbers.SUPPORTED_REGIONS:
        message = f"There is no region {region!r} with phone numbers: take a country's ISO 3166 code of two letters, such as US or DE."
        raise KlaviyoConfigError(message)
    return code

# SPDX-License-Identifier: Apache-2.0
"""Privacy: what a person may ask by law."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.jsonapi import document, given
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.api.values import E164, is_email

FORMS: Mapping[str, Callable[[str], object]] = {"email": is_email, "phone_number": E164.fullmatch}


def delete_profile(*, profile_id: str | None = None, lookup: Mapping[str, str] | None = None) -> Request[Json]:
    """
    Ask Klaviyo to delete all profiles that have an identifier, and all there is about them. Nothing brings them back.

    It is carried out some time later, and there is no job to look at. Klaviyo may accept an id that nothing has.

    https://developers.klaviyo.com/en/reference/request_profile_deletion

    :param profile_id: Klaviyo's id of it.
    :param lookup: In place of the id, one identifier: ``{"email": "sarah@example.com"}`` or ``phone_number``.
    :raises KlaviyoConfigError: Not exactly one, or one of a wrong form.
    """
    if (profile_id is None) == (lookup is None):
        raise KlaviyoConfigError("give either profile_id or lookup")
    if profile_id is not None and not re.fullmatch(r"[0-9A-Za-z_-]+", profile_id):
        raise KlaviyoConfigError("profile_id is no id: it is empty, or has other characters than letters and digits")
    attributes = dict(lookup or {})
    if lookup is not None and (
        len(lookup) != 1 or not all(name in FORMS and value and FORMS[name](str(value)) for name, value in lookup.items())
    ):
        raise KlaviyoConfigError(f"lookup is one of {', '.join(FORMS)}, with its value in full: an address, or a number in E.164 format")
    person = given(type="profile", id=profile_id, attributes=attributes)
    body = document("data-privacy-deletion-job", {"profile": {"data": person}})
    return Request("POST", "/api/data-privacy-deletion-jobs", json=body, replayable=True)

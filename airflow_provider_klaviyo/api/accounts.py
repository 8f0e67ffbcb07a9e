# SPDX-License-Identifier: Apache-2.0
"""Accounts: the one a key belongs to."""

from __future__ import annotations

from typing import Unpack

from airflow_provider_klaviyo.api.jsonapi import Listing, Reading, listing, reading
from airflow_provider_klaviyo.api.request import Json, Request, at


def get(*, account_id: str, **query: Unpack[Reading]) -> Request[Json]:
    """
    Read the account, which must be the key's own; for the query see :class:`~airflow_provider_klaviyo.api.jsonapi.Reading`.

    https://developers.klaviyo.com/en/reference/get_account

    :param account_id: Klaviyo's id of it, which is also its public key.
    """
    return reading(at("/api/accounts/{}", account_id), **query)


def list_(**query: Unpack[Listing]) -> Request[Json]:
    """
    Read the account of the key, as a list of one; for the query see :class:`~airflow_provider_klaviyo.api.jsonapi.Listing`.

    https://developers.klaviyo.com/en/reference/get_accounts
    """
    return listing("/api/accounts", **query)

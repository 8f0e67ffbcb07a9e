# SPDX-License-Identifier: Apache-2.0
"""Accounts: the one a key belongs to."""

from __future__ import annotations

from airflow_provider_klaviyo.api.jsonapi import Fields, listing, query
from airflow_provider_klaviyo.api.request import Json, Request, at


def get(*, account_id: str, fields: Fields | None = None) -> Request[Json]:
    """
    Read the account, which must be the key's own.

    https://developers.klaviyo.com/en/reference/get_account

    :param account_id: Klaviyo's id of it, which is also its public key.
    :param fields: The fields to return, by resource type.
    """
    return Request("GET", at("/api/accounts/{}", account_id), params=query(fields=fields))


def list_(*, fields: Fields | None = None) -> Request[Json]:
    """
    Read the account of the key, as a list of one.

    https://developers.klaviyo.com/en/reference/get_accounts

    :param fields: The fields to return, by resource type.
    """
    return listing("/api/accounts", fields=fields)

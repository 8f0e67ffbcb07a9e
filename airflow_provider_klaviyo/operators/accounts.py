# SPDX-License-Identifier: Apache-2.0
"""Operators for accounts: the one a key belongs to."""

from __future__ import annotations

from airflow_provider_klaviyo.api import accounts
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.operators.listing import GettingOperator, ListingOperator


class KlaviyoGetAccountOperator(GettingOperator):
    """
    Read the account, which must be the key's own.

    https://developers.klaviyo.com/en/reference/get_account

    :param account_id: Klaviyo's id of it, which is also its public key.
    """

    account_id: str

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return accounts.get(account_id=self.account_id, **self.query)


class KlaviyoListAccountsOperator(ListingOperator):
    """
    Read the account of the key, as a list of one.

    https://developers.klaviyo.com/en/reference/get_accounts

    :return: The accounts, each with ``id``, ``attributes``, ``relationships``.
    """

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return accounts.list_(**self.query)

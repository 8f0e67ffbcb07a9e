# SPDX-License-Identifier: Apache-2.0
"""The account of the key."""

from __future__ import annotations

from airflow_provider_klaviyo.api import accounts
from airflow_provider_klaviyo.sandbox.klaviyo.behaviour import ACCOUNT
from tests.contract.kit import Case

FIELDS = {"account": ["timezone", "contact_information.street_address.city"]}

CASES = [
    Case(accounts.get, "get_account", {"account_id": ACCOUNT}),
    Case(accounts.get, "get_account", {"account_id": ACCOUNT, "fields": FIELDS}),
    Case(accounts.list_, "get_accounts"),
    Case(accounts.list_, "get_accounts", {"fields": FIELDS}),
]

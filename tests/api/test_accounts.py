# SPDX-License-Identifier: Apache-2.0
"""Requests about accounts, compared as values."""

from __future__ import annotations

from airflow_provider_klaviyo.api import accounts
from airflow_provider_klaviyo.api.request import Request


def test_get() -> None:
    assert accounts.get(account_id="AbC123") == Request("GET", "/api/accounts/AbC123")


def test_list() -> None:
    assert accounts.list_(fields={"account": "timezone"}) == Request("GET", "/api/accounts", params={"fields[account]": "timezone"})

# SPDX-License-Identifier: Apache-2.0
"""``/api/accounts``: the one account there is."""

from __future__ import annotations

from typing import Any

from airflow_provider_klaviyo.sandbox.klaviyo import documents
from airflow_provider_klaviyo.sandbox.klaviyo.behaviour import ACCOUNT
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Answer, Call, answers
from airflow_provider_klaviyo.sandbox.klaviyo.problems import not_found

ATTRIBUTES: dict[str, Any] = {
    "test_account": True,
    "contact_information": {
        "default_sender_name": "The Sandbox",
        "default_sender_email": "sandbox@example.com",
        "website_url": "https://example.com",
        "organization_name": "The Sandbox",
        "street_address": {
            "address1": "1 Example Street",
            "address2": None,
            "city": "Boston",
            "region": "MA",
            "country": "United States",
            "zip": "02110",
        },
    },
    "industry": "Software / SaaS",
    "timezone": "Europe/London",
    "preferred_currency": "GBP",
    "public_api_key": ACCOUNT,
    "locale": "en-US",
}


@answers("get_accounts")
def get_accounts(call: Call) -> Answer:
    """List the account of the key."""
    return Answer(200, call.page([_account(call)], None))


@answers("get_account")
def get_account(call: Call) -> Answer:
    """Read the account of the key, and no other."""
    if call.ids[0] != ACCOUNT:
        raise not_found(f"Account with id {call.ids[0]} not found.")
    return Answer(200, call.document(_account(call)))


def _account(call: Call) -> dict[str, Any]:
    return documents.resource(call.base, "account", ACCOUNT, documents.pick(ATTRIBUTES, call.fields("account")))

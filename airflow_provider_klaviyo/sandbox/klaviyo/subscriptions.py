# SPDX-License-Identifier: Apache-2.0
"""What a profile has agreed to, in the form of ``additional-fields[profile]=subscriptions``."""

from __future__ import annotations

from typing import Any

from airflow_provider_klaviyo.sandbox.klaviyo.database import iso

Json = dict[str, Any]


def subscriptions(consent: Json | None) -> Json:
    """
    Return the subscriptions of a profile.

    :param consent: ``{"consent": "UNSUBSCRIBED", "at": microseconds}``, or ``None`` for someone who never said anything.
    """
    word = consent["consent"] if consent else "NEVER_SUBSCRIBED"
    at = iso(consent["at"]) if consent else None
    gone = word == "UNSUBSCRIBED"
    return {
        "email": {
            "marketing": {
                "can_receive_email_marketing": not gone,
                "consent": word,
                "consent_timestamp": at,
                "last_updated": at,
                "method": "PREFERENCE_PAGE" if gone else None,
                "method_detail": "" if gone else None,
                "custom_method_detail": None,
                "double_optin": None,
                "suppression": [{"reason": "UNSUBSCRIBE", "timestamp": at}] if gone else [],
                "list_suppressions": [],
            },
            "open_tracking": _tracking(),
            "click_tracking": _tracking(),
        },
        "sms": {"marketing": _sms("marketing"), "transactional": _sms("transactional")},
        "mobile_push": {"marketing": {"can_receive_push_marketing": False, "consent": "NEVER_SUBSCRIBED", "consent_timestamp": None}},
        "whatsapp": None,
    }


def _tracking() -> Json:
    empty = dict.fromkeys(("consent_timestamp", "last_updated", "created_timestamp", "metadata"))
    return {"consent": "NEVER_SUBSCRIBED", **empty, "can_receive": False, "valid_until": None}


def _sms(kind: str) -> Json:
    empty = dict.fromkeys(("consent_timestamp", "method", "method_detail", "last_updated"))
    return {f"can_receive_sms_{kind}": False, "consent": "NEVER_SUBSCRIBED", **empty}

# SPDX-License-Identifier: Apache-2.0
"""What people agreed to, and who gets no e-mail: kept by channel, shown as ``additional-fields[profile]=subscriptions``."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from airflow_provider_klaviyo.sandbox.klaviyo.database import iso

Json = dict[str, Any]
Channel = tuple[str, str]

EMAIL: Channel = ("email", "marketing")
EVERYWHERE = ""
"""In place of a list's id."""
LIFTED = ("UNSUBSCRIBE", "SPAM_COMPLAINT", "USER_SUPPRESSED")
"""Suppressions that subscribing takes away; a bounced address stays one."""
TRACKING = ("consent_timestamp", "last_updated", "created_timestamp", "metadata")
SMS = ("consent_timestamp", "method", "method_detail", "last_updated")


@dataclass(frozen=True, slots=True)
class Word:
    """
    What somebody said about a channel.

    :param consent: Yes or no.
    :param at: When, in microseconds.
    :param method: How Klaviyo learnt of it.
    :param source: What the caller said about that, ``custom_source``.
    :param double_optin: Whether it was confirmed by a message.
    """

    consent: Literal["SUBSCRIBED", "UNSUBSCRIBED"]
    at: int
    method: str = "API"
    source: str | None = None
    double_optin: bool = False


def record(db: sqlite3.Connection, profile_id: str, channel: Channel, word: Word) -> None:
    """
    Keep what somebody said about a channel, in place of what was said before.

    A yes to e-mail takes suppressions away that come from people, a no is one.
    """
    values = (word.consent, word.at, word.method, word.source, word.double_optin)
    db.execute("REPLACE INTO consents VALUES (?, ?, ?, ?, ?, ?, ?)", (profile_id, ".".join(channel), *values))
    if channel == EMAIL and word.consent == "SUBSCRIBED":
        unsuppress(db, profile_id, LIFTED)
    elif channel == EMAIL:
        suppress(db, profile_id, "UNSUBSCRIBE", word.at)


def suppress(db: sqlite3.Connection, profile_id: str, reason: str, at: int, list_id: str = EVERYWHERE) -> bool:
    """Send somebody no e-mail any more, from one list or at all; return whether that is new."""
    return db.execute("INSERT OR IGNORE INTO suppressions VALUES (?, ?, ?, ?)", (profile_id, list_id, reason, at)).rowcount > 0


def unsuppress(db: sqlite3.Connection, profile_id: str, reasons: Iterable[str]) -> bool:
    """Take suppressions away, those of lists too; return whether there were any."""
    removed = [db.execute("DELETE FROM suppressions WHERE profile_id = ? AND reason = ?", (profile_id, each)).rowcount for each in reasons]
    return any(removed)


def subscriptions(db: sqlite3.Connection, profile_id: str) -> Json:
    """Return the subscriptions of a profile."""
    rows = db.execute("SELECT channel, consent, at, method, source, double_optin FROM consents WHERE profile_id = ?", (profile_id,))
    said = {row[0]: Word(*row[1:]) for row in rows}
    whatsapp = {
        kind: _permission(said.get(f"whatsapp.{kind}"), phone_number=None) for kind in ("marketing", "transactional", "conversational")
    }
    return {
        "email": {
            "marketing": _email(db, profile_id, said.get("email.marketing")),
            "open_tracking": _permission(said.get("email.open_tracking")),
            "click_tracking": _permission(said.get("email.click_tracking")),
        },
        "sms": {kind: _sms(kind, said.get(f"sms.{kind}")) for kind in ("marketing", "transactional")},
        "mobile_push": {"marketing": {"can_receive_push_marketing": False, "consent": "NEVER_SUBSCRIBED", "consent_timestamp": None}},
        "whatsapp": whatsapp if any(name.startswith("whatsapp.") for name in said) else None,
    }


def _email(db: sqlite3.Connection, profile_id: str, word: Word | None) -> Json:
    rows = db.execute("SELECT list_id, reason, at FROM suppressions WHERE profile_id = ? ORDER BY at, reason", (profile_id,)).fetchall()
    everywhere = [(reason, at) for list_id, reason, at in rows if list_id == EVERYWHERE]
    dates = [at for *_, at in rows] + ([word.at] if word else [])
    return {
        "can_receive_email_marketing": not everywhere,
        **_said(word),
        "last_updated": iso(max(dates)) if dates else None,
        "method": word.method if word else None,
        "method_detail": "" if word else None,
        "custom_method_detail": word.source if word else None,
        "double_optin": bool(word.double_optin) if word else None,
        "suppression": [{"reason": reason, "timestamp": iso(at)} for reason, at in everywhere],
        "list_suppressions": [
            {"list_id": list_id, "reason": reason, "timestamp": iso(at)} for list_id, reason, at in rows if list_id != EVERYWHERE
        ],
    }


def _sms(kind: str, word: Word | None) -> Json:
    told = dict.fromkeys(SMS) if word is None else {"method": word.method, "method_detail": "", "last_updated": iso(word.at)}
    return {f"can_receive_sms_{kind}": _yes(word), **told, **_said(word)}


def _permission(word: Word | None, **more: None) -> Json:
    told: Mapping[str, Any] = {} if word is None else {"last_updated": iso(word.at), "created_timestamp": iso(word.at)}
    return {**dict.fromkeys(TRACKING), **told, **_said(word), "can_receive": _yes(word), "valid_until": None, **more}


def _said(word: Word | None) -> Json:
    return {"consent": word.consent if word else "NEVER_SUBSCRIBED", "consent_timestamp": iso(word.at) if word else None}


def _yes(word: Word | None) -> bool:
    return word is not None and word.consent == "SUBSCRIBED"

# SPDX-License-Identifier: Apache-2.0
"""``/api/profile-subscription-bulk-create-jobs`` and ``-delete-jobs``: people say yes and no to channels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

from airflow_provider_klaviyo.sandbox.klaviyo import later, people, subscriptions, views
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Answer, Call, answers
from airflow_provider_klaviyo.sandbox.klaviyo.consent_bodies import channels, subscribing, unsubscribing
from airflow_provider_klaviyo.sandbox.klaviyo.database import to_micros
from airflow_provider_klaviyo.sandbox.klaviyo.state import KlaviyoState
from airflow_provider_klaviyo.sandbox.klaviyo.subscriptions import Word

Json = dict[str, Any]
TRACKING = frozenset({"open_tracking", "click_tracking"})


@answers("bulk_subscribe_profiles")
def bulk_subscribe_profiles(call: Call) -> Answer:
    """Take what people said yes to; nothing tells what became of it but their profiles."""
    data = subscribing(call)
    given = data.attributes
    return _accept(call, "subscribe", data, source=given.custom_source, historical=bool(given.historical_import))


@answers("bulk_unsubscribe_profiles")
def bulk_unsubscribe_profiles(call: Call) -> Answer:
    """Take what people said no to."""
    return _accept(call, "unsubscribe", unsubscribing(call))


def _accept(call: Call, work: str, data: Any, **more: Any) -> Answer:
    about = data.relationships.list if data.relationships else None
    list_id = about.data.id if about else None
    if list_id is not None:
        views.load_list(call, list_id)
    later.enqueue(call.state, work, {"rows": [_row(each) for each in data.attributes.profiles.data], "list": list_id, **more})
    return Answer(202)


def _row(row: Any) -> Json:
    given = row.attributes
    said = [(medium, kind, _micros(each)) for medium, kind, each in channels(given.subscriptions)]
    return {"id": getattr(row, "id", None), "named": _named(given), "said": said}


def _named(given: Any) -> Json:
    return {name: value for name in ("email", "phone_number") if (value := getattr(given, name))}


def _micros(said: Any) -> int | None:
    at = getattr(said, "consented_at", None)
    return None if at is None else to_micros(at)


@later.works("subscribe")
def _subscribe(state: KlaviyoState, given: Json) -> None:
    """Subscribe who need not confirm it, and ask the others."""
    if given["historical"] or _process(state, given["list"]) == "single_opt_in":
        _say_yes(state, given["rows"], given, double_optin=False)
        return
    for row in given["rows"]:
        values = (row["named"].get("email"), row["named"].get("phone_number"), json.dumps({**given, "rows": [row]}))
        state.db.execute("INSERT INTO opt_ins (email, phone_number, request) VALUES (?, ?, ?)", values)


def _process(state: KlaviyoState, list_id: str | None) -> str:
    found = state.db.execute("SELECT opt_in_process FROM lists WHERE id = ?", (list_id,)).fetchone()
    return str(found[0]) if found else state.behaviour.opt_in_process


def confirm(state: KlaviyoState, identifier: str) -> None:
    """
    Carry out what was asked of somebody, now that it is confirmed.

    :param state: The account.
    :param identifier: The e-mail address or phone number.
    :raises KeyError: Nothing was asked.
    """
    sql = "DELETE FROM opt_ins WHERE lower(email) = lower(?1) OR phone_number = ?1 RETURNING request"
    asked = [json.loads(request) for (request,) in state.db.execute(sql, (identifier,)).fetchall()]
    if not asked:
        raise KeyError(identifier)
    for given in asked:
        _say_yes(state, given["rows"], given, double_optin=True)


def _say_yes(state: KlaviyoState, rows: Sequence[Json], given: Json, *, double_optin: bool) -> None:
    now = state.now()
    yes = partial(Word, "SUBSCRIBED", source=given["source"], double_optin=double_optin)
    for row in rows:
        try:
            profile_id, _ = people.upsert(state, _identity(row), now, lenient=True)
        except people.Unknown:
            continue
        for medium, kind, at in row["said"]:
            subscriptions.record(state.db, profile_id, (medium, kind), yes(at=at or now))
        if given["list"] is not None and any(kind not in TRACKING for _, kind, _ in row["said"]):
            state.db.execute("INSERT OR IGNORE INTO members VALUES (?, ?, ?)", (given["list"], profile_id, now))


@later.works("unsubscribe")
def _unsubscribe(state: KlaviyoState, given: Json) -> None:
    """Take people off the list, and those who are not in it off everything: as Klaviyo warns it does."""
    now = state.now()
    for row in given["rows"]:
        profile_id, _ = people.upsert(state, _identity(row), now, lenient=True)
        if given["list"] is not None and _left(state, given["list"], profile_id):
            if any((medium, kind) == subscriptions.EMAIL for medium, kind, _ in row["said"]):
                subscriptions.suppress(state.db, profile_id, "UNSUBSCRIBE", now, given["list"])
            continue
        for medium, kind, _ in row["said"]:
            subscriptions.record(state.db, profile_id, (medium, kind), Word("UNSUBSCRIBED", now))


def _left(state: KlaviyoState, list_id: str, profile_id: str) -> bool:
    return state.db.execute("DELETE FROM members WHERE list_id = ? AND profile_id = ?", (list_id, profile_id)).rowcount > 0


def _identity(row: Json) -> Json:
    identity = {"attributes": row["named"]}
    return {**identity, "id": row["id"]} if row["id"] else identity

# SPDX-License-Identifier: Apache-2.0
"""What others do to an account while a client is at work: its people, colleagues, other programs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_klaviyo.sandbox.klaviyo import later, people, subscriptions
from airflow_provider_klaviyo.sandbox.klaviyo.subscriptions import Word

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.klaviyo.state import KlaviyoState

Deed = Callable[..., None]
DEEDS: dict[str, Deed] = {}


def check(deeds: Mapping[str, Any]) -> None:
    """
    Refuse what cannot happen.

    :param deeds: As :func:`carry_out` takes them.
    :raises TypeError: A name is none of :data:`DEEDS`, or it takes other arguments.
    """
    for name, given in deeds.items():
        if name not in DEEDS:
            raise TypeError(f"{name!r} is nothing that happens meanwhile: {', '.join(sorted(DEEDS))}")
        if not all(isinstance(each, (str, int, float)) for each in _arguments(given)):
            raise TypeError(f"{name} takes texts or numbers, one or a list of them")
        try:
            inspect.signature(DEEDS[name]).bind(None, *_arguments(given))
        except TypeError as error:
            raise TypeError(f"{name}: {error}") from None


def carry_out(state: KlaviyoState, deeds: Mapping[str, Any]) -> None:
    """
    Let others do something, after what Klaviyo has accepted before and is due.

    :param state: The account.
    :param deeds: What, by name of :data:`DEEDS`, each with its argument or a list of them.
    :raises TypeError: See :func:`check`.
    :raises KeyError: Nobody has the address, or there is no such list.
    """
    check(deeds)
    with state.lock:
        later.settle(state)
        for name, given in deeds.items():
            DEEDS[name](state, *_arguments(given))


def _arguments(given: Any) -> list[Any]:
    return list(given) if isinstance(given, (list, tuple)) else [given]


def _deed(deed: Deed) -> Deed:
    """Register something that happens, by its name."""
    DEEDS[deed.__name__] = deed
    return deed


@_deed
def subscribe(state: KlaviyoState, *emails: str) -> None:
    """Let people subscribe to e-mail by a form, who may be new."""
    with state.transaction():
        for email in emails:
            profile_id, _ = people.upsert(state, {"attributes": {"email": email}}, state.now(), lenient=True)
            subscriptions.record(state.db, profile_id, subscriptions.EMAIL, Word("SUBSCRIBED", state.now(), "FORM"))


@_deed
def unsubscribe(state: KlaviyoState, *emails: str) -> None:
    """Let people unsubscribe from e-mail."""
    for email in emails:
        state.unsubscribe(email)


@_deed
def suppress(state: KlaviyoState, *emails: str) -> None:
    """Let a colleague suppress people by hand."""
    for email in emails:
        state.bounce(email, "USER_SUPPRESSED")


@_deed
def bounce(state: KlaviyoState, *emails: str) -> None:
    """Let Klaviyo find that addresses take no e-mail."""
    for email in emails:
        state.bounce(email)


@_deed
def confirm(state: KlaviyoState, *identifiers: str) -> None:
    """Let people follow the link in the message that asks to confirm a subscription."""
    for identifier in identifiers:
        state.confirm(identifier)


@_deed
def join_list(state: KlaviyoState, list_id: str, *emails: str) -> None:
    """Let a colleague put people in a list."""
    _find(state, list_id)
    with state.transaction():
        rows = [(list_id, _named(state, email), state.now()) for email in emails]
        state.db.executemany("INSERT OR IGNORE INTO members VALUES (?, ?, ?)", rows)


@_deed
def leave_list(state: KlaviyoState, list_id: str, *emails: str) -> None:
    """Let a colleague take people out of a list, who are in it."""
    for email in emails:
        profile_id = _named(state, email)
        if not state.db.execute("DELETE FROM members WHERE list_id = ? AND profile_id = ?", (list_id, profile_id)).rowcount:
            raise KeyError(f"{email} is not in the list {list_id}")


@_deed
def delete_list(state: KlaviyoState, list_id: str) -> None:
    """Let a colleague delete a list."""
    _find(state, list_id)
    with state.transaction():
        state.db.execute("DELETE FROM lists WHERE id = ?", (list_id,))
        state.db.execute("DELETE FROM members WHERE list_id = ?", (list_id,))


@_deed
def delete_profile(state: KlaviyoState, *emails: str) -> None:
    """Let a colleague delete people with all there is about them."""
    for email in emails:
        people.delete(state.db, _named(state, email))


@_deed
def foreign_jobs(state: KlaviyoState, count: int) -> None:
    """Let another program start import jobs."""
    state.add_foreign_jobs(int(count))


@_deed
def foreign_traffic(state: KlaviyoState, share: float) -> None:
    """Let other programs use a share of every limit from now on, 0 to 1."""
    state.limiter.foreign_share = float(share)


def _named(state: KlaviyoState, email: str) -> str:
    found = people.holders(state.db, people.identifiers({"email": email}))
    if not found:
        raise KeyError(f"nobody has the address {email}")
    return found["email"]


def _find(state: KlaviyoState, list_id: str) -> None:
    if not state.db.execute("SELECT 1 FROM lists WHERE id = ?", (list_id,)).fetchone():
        raise KeyError(f"there is no list {list_id}")

# SPDX-License-Identifier: Apache-2.0
"""How a row of consent is read: it becomes words, each one person's yes or no to one channel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, get_args

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.subscriptions import Channel, LeftChannel
from airflow_provider_klaviyo.api.values import is_null
from airflow_provider_klaviyo.loading.checks import EARLIEST, Check, Invalid
from airflow_provider_klaviyo.loading.rows import Json, Reject, Skip
from airflow_provider_klaviyo.loading.standing import NAMES, own

if TYPE_CHECKING:
    from airflow_provider_klaviyo.loading.consent import ConsentRules

EMAIL: Channel = "email.marketing"
FIELDS = ("consent", "channels", "email", "phone_number", "id", "consented_at", "age_gated_date_of_birth")


class Action(StrEnum):
    """What a word asks for."""

    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"
    SUPPRESS = "suppress"
    UNSUPPRESS = "unsuppress"


SAID = {
    "subscribed": Action.SUBSCRIBE,
    "unsubscribed": Action.UNSUBSCRIBE,
    "suppressed": Action.SUPPRESS,
    "unsuppressed": Action.UNSUPPRESS,
}
UNSAID = ("never_subscribed", "not_subscribed", "pending", "invalid", "redacted")
"""Words of other systems that are neither a yes nor a no."""
ABOUT_ADDRESSES = frozenset({Action.SUPPRESS, Action.UNSUPPRESS})
NOES = frozenset({Action.UNSUBSCRIBE, Action.SUPPRESS})
FITTING: dict[Action, tuple[str, ...]] = {
    Action.SUBSCRIBE: get_args(Channel),
    Action.UNSUBSCRIBE: get_args(LeftChannel),
    Action.SUPPRESS: (EMAIL,),
    Action.UNSUPPRESS: (EMAIL,),
}
"""The channels that Klaviyo has for each."""


def words(data: Mapping[str, Any], check: Check, rules: ConsentRules) -> Iterator[tuple[str, Json] | Skip | Reject]:
    """
    Yield what a row says, a word for each channel, or why it says nothing.

    What is yielded has a key to be added to the row's: the channel, where the row is about several. A channel that the row cannot
    be about is rejected by itself, so that no other is lost with it.

    :param data: ``consent``, ``email``, ``phone_number``, and ``channels``, ``consented_at``, ``age_gated_date_of_birth``, Klaviyo's ``id``.
    :param check: The checks.
    :param rules: The rules.
    :raises Invalid: The row cannot be one: a word that there is not, a date that cannot be.
    :raises KlaviyoConfigError: A name is no field of such a row: the mapping is wrong, not the row.
    """
    if unknown := [str(name) for name in data if name not in FIELDS]:
        raise KlaviyoConfigError(
            f"{', '.join(map(repr, unknown))}: a row of consent has {', '.join(FIELDS)}. A load of profiles takes others."
        )
    action = _action(data.get("consent"))
    if not isinstance(action, Action):
        yield Skip("", action, "the row says neither yes nor no")
        return
    channels = _channels(data.get("channels"), action, rules)
    known, wrong = _known_as(data, check, {own({"channel": each}) for each in channels if each in FITTING[action]})
    more = _dated(data.get("consented_at"), action, check) | _born(data.get("age_gated_date_of_birth"), action)
    for at, channel in enumerate(channels, 1):
        named = f"/{channel}" if channel in FITTING[Action.UNSUBSCRIBE] else f"/channel {at}"  # what is none may be anything of a row
        key = named if len(channels) > 1 else ""
        word = {"action": action.value, "channel": channel, **known, **more}
        if channel not in FITTING[action]:
            yield Reject(key, "unknown_channel", f"to {action} is about one or more of {', '.join(FITTING[action])}")
        elif (needed := own(word)) in wrong:
            yield Reject(key, wrong[needed].code, f"{channel} needs {needed}: {wrong[needed].reason}")
        elif needed not in word:
            yield Reject(key, "no_identifier", f"{channel} needs {needed}, and the row has none that can be used")
        elif action is Action.UNSUBSCRIBE and rules.left_list is not None and channel != EMAIL:
            yield Reject(key, "list_is_email_only", f"a list is left by {EMAIL} alone: load a no to {channel} with leave='everywhere'")
        else:
            yield key, word


def _action(value: Any) -> Action | str:
    """Return what a word asks for, or the word where it asks for nothing."""
    if _nothing(value):
        return "no_consent"
    said = str(value).strip().lower()
    if said in {"true", "false"}:
        reason = "consent is a word, not a truth value: false may say no, or that nobody was asked. Map it with the converter consent"
        raise Invalid("consent", "boolean_consent", reason)
    if said not in SAID and said not in UNSAID:
        raise Invalid("consent", "unknown_consent", f"consent is one of {', '.join(SAID)}; {', '.join(UNSAID)} or nothing say neither")
    return SAID.get(said, said)


def _channels(value: Any, action: Action, rules: ConsentRules) -> list[str]:
    chosen: list[str]
    if _nothing(value):
        chosen = [EMAIL] if action in ABOUT_ADDRESSES and EMAIL in rules.channels else list(rules.channels)
    else:
        chosen = [part for each in value.split(",") if (part := each.strip())] if isinstance(value, str) else _several(value)
    if not chosen or not all(isinstance(each, str) for each in chosen):
        raise Invalid("channels", "unknown_channel", f"to {action} is about one or more of {', '.join(FITTING[action])}")
    return list(dict.fromkeys(chosen))


def _several(value: Any) -> list[Any]:
    if not isinstance(value, (list, tuple, set, frozenset)):
        raise Invalid("channels", "unknown_channel", f"channels is a list, or text with commas, not a {type(value).__name__}")
    return sorted(value) if isinstance(value, (set, frozenset)) else list(value)


def _known_as(data: Mapping[str, Any], check: Check, needed: set[str]) -> tuple[Json, dict[str, Invalid]]:
    """Return what the person is known by, and what is wrong with an identifier that a channel needs. Another that is bad is left out."""
    known: Json = {}
    wrong: dict[str, Invalid] = {}
    for name in NAMES:
        try:
            known |= check.profile({name: data[name]}) if name in data else {}
        except Invalid as invalid:
            if invalid.code == "no_identifier":
                continue  # it is empty, or bad and counted already
            if name in needed:
                wrong[name] = invalid
            else:
                check.leave_out(name, invalid.code)
    return known, wrong


def _dated(value: Any, action: Action, check: Check) -> Json:
    """Return when it was said. A no without a date that can be is still a no, and rather undated than lost."""
    if _nothing(value):
        return {}
    try:
        return {"consented_at": _moment(value).isoformat()}
    except Invalid as invalid:
        if action not in NOES or check.on_invalid == "reject_row":
            raise
        check.leave_out(invalid.field, invalid.code)
        return {}


def _moment(value: Any) -> datetime:
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    except ValueError:
        raise Invalid("consented_at", "bad_time", "consented_at is an aware datetime, or ISO 8601 text with an offset") from None
    if moment.tzinfo is None:
        raise Invalid("consented_at", "naive_time", "consented_at has no time zone: make it aware, or map it with iso8601")
    if moment <= EARLIEST:
        raise Invalid("consented_at", "time_out_of_range", "consented_at lies before 1990: nobody agreed to anything then")
    if moment >= datetime.now(UTC):  # not the time of the load: the source may have gone on while it was read
        raise Invalid("consented_at", "future_time", "consented_at lies in the future: nobody has agreed to anything yet that is to come")
    return moment.astimezone(UTC)


def _born(value: Any, action: Action) -> Json:
    """Return a date of birth. An account that asks for one asks because of the law: a yes without it is none."""
    if _nothing(value) or action is not Action.SUBSCRIBE:
        return {}
    try:
        born = value.date() if isinstance(value, datetime) else value if isinstance(value, date) else date.fromisoformat(str(value).strip())
    except ValueError:
        born = date.max
    if born > datetime.now(UTC).date():
        raise Invalid("age_gated_date_of_birth", "bad_date", "age_gated_date_of_birth is a date in the past, such as 2000-12-31")
    return {"age_gated_date_of_birth": born.isoformat()}


def _nothing(value: Any) -> bool:
    return is_null(value) or (isinstance(value, str) and not value.strip())

# SPDX-License-Identifier: Apache-2.0
"""
What people said about being written to: which words may be sent, and in which requests.

A word is one person's yes or no to one channel. Nothing else decides about it than :func:`decide`, which does no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from airflow_provider_klaviyo.api import subscriptions
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.request import Request
from airflow_provider_klaviyo.api.subscriptions import Channel
from airflow_provider_klaviyo.loading.rows import Fate, Json
from airflow_provider_klaviyo.loading.said import EMAIL, NOES, Action, words
from airflow_provider_klaviyo.loading.standing import Standing, own

__all__ = ["Action", "ConsentRules", "Verdict", "decide", "holds", "identity", "lane", "request", "rows", "said_at", "words"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRules:
    """
    The rules of a load of consent.

    :param subscribe: Whether rows that say yes are sent, also those that take a suppression back. Otherwise only those that say no are, and
        the others are skipped and counted.
    :param list_id: The list that people are put in who say yes, and that they leave who say no. Without one, a no holds everywhere.
    :param leave: What a no is about where there is a list: that ``list`` alone, or ``everywhere``.
    :param channels: What rows are about that name no channels of their own.
    :param resubscribe: Whether a yes may take back a no that Klaviyo knows of. It has to be the later word all the same.
    :param custom_source: Where the consent comes from, in your words; Klaviyo shows it with the profile.
    :param said_by: When words were read that have no date of their own: a no of theirs is taken to have been said by then, so that a yes
        that somebody gave since is not taken back. Without it such a no is the last word.
    :raises KlaviyoConfigError: A channel that there is not, or an empty list.
    """

    subscribe: bool = False
    list_id: str | None = None
    leave: Literal["list", "everywhere"] = "list"
    channels: Sequence[Channel] = (EMAIL,)
    resubscribe: bool = False
    custom_source: str | None = None
    said_by: datetime | None = None

    def __post_init__(self) -> None:
        if self.leave not in {"list", "everywhere"}:
            raise KlaviyoConfigError("leave is 'list' or 'everywhere'.")
        known = get_args(Channel)
        if isinstance(self.channels, str) or not self.channels or any(each not in known for each in self.channels):
            raise KlaviyoConfigError(f"channels is a list of one or more of {', '.join(known)}.")
        if self.list_id is not None and not self.list_id.strip():
            raise KlaviyoConfigError("list_id is empty: give an id, or None; without a list it would be about everything.")

    @property
    def left_list(self) -> str | None:
        """The list that a no is about, or ``None`` where it holds everywhere."""
        return self.list_id if self.leave == "list" else None


def lane(word: Mapping[str, Any]) -> str:
    """Return the lane of a word: its action, and for a yes with a date ``historical``."""
    return "historical" if word["action"] == Action.SUBSCRIBE and "consented_at" in word else str(word["action"])


def identity(word: Mapping[str, Any]) -> tuple[str, str]:
    """Name whose word it is, and about what: the channel, and the identifier that it needs."""
    return str(word["channel"]), str(word[own(word)]).lower()


def rows(lane: str, words: Sequence[Mapping[str, Any]]) -> list[Any]:
    """
    Return the people of a request.

    They go by the identifier that their channel needs. With a yes others go along where :meth:`Guard.look` has found that they lead to
    nobody else, and says so under ``along``: whoever is unknown by one of them would be two people from then on.

    :param lane: How they are sent.
    :param words: What they say.
    :return: What :mod:`~airflow_provider_klaviyo.api.subscriptions` takes as ``profiles``, or as ``emails``.
    """
    if lane in {Action.SUPPRESS, Action.UNSUPPRESS}:
        return [each["email"] for each in words]
    if lane == Action.UNSUBSCRIBE:
        return [{own(each): each[own(each)], "channels": [each["channel"]]} for each in words]
    more = ("consented_at", "age_gated_date_of_birth")
    return [
        {name: each[name] for name in (own(each), *each.get("along", ()), *more) if name in each} | {"channels": [each["channel"]]}
        for each in words
    ]


def request(lane: str, words: Sequence[Mapping[str, Any]], rules: ConsentRules) -> Request[Json]:
    """
    Return the request that carries words.

    :param lane: How they are sent.
    :param words: As many as it takes.
    :param rules: The rules.
    """
    people = rows(lane, words)
    match lane:
        case Action.SUPPRESS:
            return subscriptions.suppress(emails=people)
        case Action.UNSUPPRESS:
            return subscriptions.unsuppress(emails=people)
        case Action.UNSUBSCRIBE:
            return subscriptions.unsubscribe(profiles=people, list_id=rules.left_list)
    historical = lane == "historical"
    return subscriptions.subscribe(profiles=people, list_id=rules.list_id, historical_import=historical, custom_source=rules.custom_source)


# ── which words are sent ────────────────────────────────────────────────────────────

AT_ONCE = timedelta(minutes=10)
"""How far a yes and the joining of a list may be apart that are the same deed."""
BY_HAND = "USER_SUPPRESSED"
"""The suppression that people put on an address, and the only one they can lift."""
REASONS = {
    "unchanged": "Klaviyo has it so already",
    "subscribing_off": "the row says yes, and the load does not subscribe: say subscribe=True if it is to",
    "no_consent_date": "a yes without consented_at goes only through a list that is read to be double opt-in, and takes no suppression back",
    "identity_conflict": "its identifiers lead to several people, one of them the profile {foreign}: correct the row, or merge the profiles in Klaviyo",
    "unclear_in_klaviyo": "Klaviyo does not say clearly what they agreed to, and a yes is not sent over that",
    "unsubscribed_in_klaviyo": "they have said no in Klaviyo: say resubscribe=True if a later yes may take that back",
    "left_another_list": "they have left another list, and a yes would take that back, too: say resubscribe=True if a later yes may",
    "undated_after_no": "they have said no in Klaviyo, and a yes without consented_at is not known to be the later word",
    "newer_in_klaviyo": "Klaviyo has a later word of theirs",
    "not_in_list": "they are not in the list, and Klaviyo would unsubscribe them everywhere",
    "not_liftable": "they are suppressed for another reason than by hand, and that cannot be lifted",
}
MISSED = (
    "this no did not reach the profile {foreign}, which its id leads to and which has another address or number: nothing was sent. Correct the"
    " row, or take the id out and say no to both"
)
"""What an identity conflict is for a no."""
FATES = {"unchanged": Fate.UNCHANGED, "identity_conflict": Fate.REJECTED}


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What becomes of a word.

    :param word: The word as it is to be sent: ``along`` says with which identifiers.
    :param code: Why it is not sent, in a word; ``""`` where it is.
    :param reason: The same in a sentence.
    :param before: What Klaviyo had, in a few words that name nobody.
    """

    word: Json
    code: str = ""
    reason: str = ""
    before: str = ""

    @property
    def send(self) -> bool:
        """Whether it is to be sent."""
        return not self.code

    @property
    def fate(self) -> Fate:
        """What becomes of the row if it is not."""
        return FATES.get(self.code, Fate.SKIPPED)


def decide(word: Json, standing: Standing, rules: ConsentRules, *, double_opt_in: bool) -> Verdict:
    """
    Decide about a word. The table in ``docs/guides/consent.md`` says the same.

    :param word: What somebody says.
    :param standing: Where they stand in Klaviyo.
    :param rules: The rules.
    :param double_opt_in: Whether the list was read to be double opt-in.
    """
    action = Action(word["action"])
    if action is Action.SUBSCRIBE:
        code = _against_a_yes(word, standing, rules, double_opt_in=double_opt_in)
    elif action is Action.UNSUPPRESS:
        code = _against_lifting(word, standing, rules)
    else:
        code = _against_a_no(word, standing, rules)
    before = "" if code == "subscribing_off" else str(standing)
    if code:
        reason = MISSED if code == "identity_conflict" and action in NOES else REASONS[code]
        return Verdict(word, code, reason.format(foreign=standing.foreign), before)
    plain = {name: value for name, value in word.items() if name != "along"}  # an earlier look's
    return Verdict(plain | ({"along": list(standing.along)} if standing.along else {}), before=before)


def holds(word: Mapping[str, Any], standing: Standing, rules: ConsentRules) -> bool:
    """
    Say whether Klaviyo has it as a word would make it.

    :param word: What somebody said.
    :param standing: Where they stand.
    :param rules: The rules it was sent by.
    """
    suppressions = {each.reason for each in standing.suppressions}
    match Action(word["action"]):
        case Action.SUBSCRIBE:
            return bool(standing.holder) and standing.consent == "SUBSCRIBED" and not standing.refusals and standing.member is not False
        case Action.UNSUBSCRIBE if rules.left_list is not None:
            return not standing.member and bool(standing.left or _unsubscribed(standing))
        case Action.UNSUBSCRIBE:
            return bool(standing.holder) and _unsubscribed(standing)
        case Action.SUPPRESS:
            return BY_HAND in suppressions
    return BY_HAND not in suppressions


def _against_a_yes(word: Json, standing: Standing, rules: ConsentRules, *, double_opt_in: bool) -> str:
    when = said_at(word)
    if not rules.subscribe:
        return "subscribing_off"
    if holds(word, standing, rules):
        return "unchanged"
    if standing.foreign:
        return "identity_conflict"
    if when is None and not double_opt_in:
        return "no_consent_date"
    if standing.consent not in {"SUBSCRIBED", "UNSUBSCRIBED", "NEVER_SUBSCRIBED"}:
        return "unclear_in_klaviyo"
    if standing.taken_back and not rules.resubscribe:
        return "unsubscribed_in_klaviyo" if standing.refusals else "left_another_list"
    if standing.taken_back and when is None:
        return "undated_after_no"
    return "newer_in_klaviyo" if standing.said_no_since(when) else ""


def _against_a_no(word: Json, standing: Standing, rules: ConsentRules) -> str:
    # A yes that has no date is not known to be the later word, and a no that has none is taken for it.
    when = said_at(word) or rules.said_by
    if standing.foreign:
        return "identity_conflict"
    if holds(word, standing, rules):
        return "unchanged"
    later = standing.holder and standing.consent == "SUBSCRIBED" and standing.since and when and standing.since > when
    if word["action"] == Action.UNSUBSCRIBE and rules.left_list is not None:
        if not standing.member:
            return "not_in_list"
        # The date is the channel's: the yes may have been to something else, unless it is what put them in this list.
        later = later and standing.joined and standing.since and abs(standing.joined - standing.since) <= AT_ONCE
    return "newer_in_klaviyo" if later else ""


def _against_lifting(word: Json, standing: Standing, rules: ConsentRules) -> str:
    when, by_hand = said_at(word), [each for each in standing.suppressions if each.reason == BY_HAND]
    if not rules.subscribe:
        return "subscribing_off"
    if not by_hand:
        return "not_liftable" if standing.suppressions else "unchanged"
    if when is None:
        return "no_consent_date"
    return "newer_in_klaviyo" if any(each.at is None or each.at >= when for each in by_hand) else ""


def _unsubscribed(standing: Standing) -> bool:
    suppressed = any(each.reason == "UNSUBSCRIBE" for each in standing.suppressions)
    return standing.consent == "UNSUBSCRIBED" or (suppressed and standing.consent != "SUBSCRIBED")


def said_at(word: Mapping[str, Any]) -> datetime | None:
    """Return when a word was said, as far as it tells."""
    said = word.get("consented_at")
    return datetime.fromisoformat(said) if said else None

# SPDX-License-Identifier: Apache-2.0
"""What people have agreed to, and which list they are in: read before something is sent about them, and after."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_klaviyo.api import lists, profiles
from airflow_provider_klaviyo.api.filters import any_
from airflow_provider_klaviyo.api.jsonapi import Listing
from airflow_provider_klaviyo.api.pages import in_large_pages
from airflow_provider_klaviyo.api.subscriptions import NEEDS
from airflow_provider_klaviyo.loading.rows import Json

if TYPE_CHECKING:
    from airflow_provider_klaviyo.session import Session

UNDELIVERABLE = frozenset({"HARD_BOUNCE", "INVALID_EMAIL"})
"""Suppressions that are nobody's word, and that subscribing leaves as they are."""
LONGEST_FILTER = 3_000
"""Characters of the identifiers in a filter, which is part of an address."""
AT_ONCE = 100
"""Identifiers in a filter: as many as there are profiles on a page."""
NAMES = ("id", "email", "phone_number")
"""What people are known by here."""


@dataclass(frozen=True, slots=True)
class Mark:
    """
    Something that stands against a channel to somebody.

    :param reason: Klaviyo's word, such as ``UNSUBSCRIBED`` or ``SPAM_COMPLAINT``.
    :param at: Since when; ``None`` where Klaviyo does not tell.
    """

    reason: str
    at: datetime | None = None

    def __str__(self) -> str:
        return f"{self.reason} {self.at.isoformat()}" if self.at else self.reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """
    Where somebody stands with a channel, as Klaviyo tells it.

    :param holder: Id of the profile that holds the identifier which the channel needs; ``""`` where none does.
    :param along: Names of other identifiers to send along, so that one person becomes one profile.
    :param foreign: Id of a profile that the identifiers lead to as well, although it is not the holder's, or holds another of the kind. For
        a no it is the one that Klaviyo's ``id`` leads to, where that holds another of the kind: the no would miss it.
    :param consent: Klaviyo's word, such as ``SUBSCRIBED``; ``""`` where it does not tell.
    :param since: When that was said, as far as Klaviyo tells.
    :param changed: When Klaviyo last changed what it tells, as far as it does.
    :param suppressions: What stands against all e-mail to them.
    :param left: What stands against e-mail of the list that it is about.
    :param left_others: What stands against e-mail of other lists, which a yes would take away as well.
    :param member: Whether they are in that list; ``None`` where it is about none.
    :param joined: Since when they are, as far as Klaviyo tells.
    """

    holder: str = ""
    along: tuple[str, ...] = ()
    foreign: str = ""
    consent: str = "NEVER_SUBSCRIBED"
    since: datetime | None = None
    changed: datetime | None = None
    suppressions: tuple[Mark, ...] = ()
    left: tuple[Mark, ...] = ()
    left_others: tuple[Mark, ...] = ()
    member: bool | None = None
    joined: datetime | None = None

    @property
    def refusals(self) -> list[Mark]:
        """What they have said or done against it. That an address bounces is nobody's word."""
        said = [Mark(self.consent, self.since or self.changed)] if self.consent == "UNSUBSCRIBED" else []
        return said + [each for each in (*self.suppressions, *self.left) if each.reason not in UNDELIVERABLE]

    @property
    def taken_back(self) -> list[Mark]:
        """What a yes that is sent would take back: Klaviyo lifts what stands against any list."""
        return self.refusals + [each for each in self.left_others if each.reason not in UNDELIVERABLE]

    def said_no_since(self, when: datetime | None) -> bool:
        """Say whether anything that a yes would take back is as late as it, or not known to be earlier."""
        return any(when is None or each.at is None or each.at >= when for each in self.taken_back)

    def __str__(self) -> str:
        if not self.holder:
            return "no profile"
        left = [Mark("left the list", each.at) for each in self.left]
        member = [] if self.member is None else ["in the list" if self.member else "not in the list"]
        others = ["left another list"] if self.left_others else []
        return ", ".join([*map(str, (Mark(self.consent or "not told", self.since), *self.suppressions, *left)), *others, *member])


def own(word: Mapping[str, Any]) -> str:
    """Return the name of the identifier that a word's channel needs."""
    return NEEDS[str(word["channel"]).partition(".")[0]]


def standings(klaviyo: Session, words: Sequence[Mapping[str, Any]], list_id: str | None = None) -> list[Standing]:
    """
    Read where people stand, a hundred of them with a request.

    :param klaviyo: An open session.
    :param words: What they say: ``action``, ``channel``, and what they are known by.
    :param list_id: The list that it is about.
    :return: One for each word.
    """
    there = looked_up(klaviyo, _identifiers(words, lambda word: [own(word)]))
    there |= looked_up(klaviyo, _identifiers(words, _others))
    told = [_standing(each, there, list_id) for each in words]
    if list_id is None:
        return told
    # A list's members are not found by their ids.
    members = looked_up(klaviyo, _identifiers([each for each in words if _by(each, own(each)) in there], lambda word: [own(word)]), list_id)
    inside = {each["id"]: _moment(each["attributes"].get("joined_group_at")) for each in members.values()}
    return [replace(each, member=each.holder in inside, joined=inside.get(each.holder)) for each in told]


def looked_up(klaviyo: Session, wanted: Mapping[str, Iterable[str]], list_id: str | None = None) -> dict[str, Json]:
    """
    Read who has some identifiers, with what they agreed to.

    :param klaviyo: An open session.
    :param wanted: The identifiers by their name.
    :param list_id: The list they are looked for in; its members are not found by id.
    :return: Profiles by what they were looked for, addresses in lower case.
    """
    there: dict[str, Json] = {}
    fields = ["email", "phone_number", *(["joined_group_at"] if list_id else [])]
    asked: Listing = {"fields": {"profile": fields}, "additional_fields": {"profile": ["subscriptions"]}}
    for name, values in wanted.items():
        for some in filterable(dict.fromkeys(values)):
            asked["filter"] = any_(name, some)
            request = lists.profiles(list_id=list_id, **asked) if list_id else profiles.list_(**asked)
            there |= {str(_known_as(each, name)): each for each in klaviyo.walk(in_large_pages(request))}
    return there


def _standing(word: Mapping[str, Any], there: Mapping[str, Json], list_id: str | None) -> Standing:
    """Say whose word it is, and where they stand."""
    name = own(word)
    holder = there.get(_by(word, name))
    led = {other: there[key] for other in _others(word) if (key := _by(word, other)) in there}
    if word["action"] != "subscribe":
        # A no goes by its own identifier alone: it changes nobody's, and is not lost to whoever shares another.
        missed = next((each["id"] for each in led.values() if _known_as(each, name) not in {None, "", _by(word, name)}), "")
        found = replace(_stands(word, holder, list_id), holder=str(holder["id"])) if holder else Standing()
        return replace(found, foreign=missed)
    if holder:
        foreign = next((each["id"] for each in led.values() if each["id"] != holder["id"]), "")
        return replace(_stands(word, holder, list_id), holder=str(holder["id"]), foreign=foreign)
    if not led:
        return Standing(along=tuple(each for each in _others(word) if each != "id"))
    first = next(iter(led.values()))
    if len({each["id"] for each in led.values()}) > 1 or first["attributes"].get(name):
        return Standing(foreign=str(first["id"]))
    return replace(_stands(word, first, list_id), along=tuple(led))


def _stands(word: Mapping[str, Any], profile: Json, list_id: str | None) -> Standing:
    medium, _, kind = str(word["channel"]).partition(".")
    subscriptions = profile["attributes"].get("subscriptions")
    if not isinstance(subscriptions, Mapping):
        return Standing(consent="")
    told = (subscriptions.get(medium) or {}).get(kind) or {}
    lists_left = [(each.get("list_id"), _mark(each)) for each in told.get("list_suppressions") or ()]
    return Standing(
        consent=told.get("consent") or "NEVER_SUBSCRIBED",
        since=_moment(told.get("consent_timestamp")),
        changed=_moment(told.get("last_updated")),
        suppressions=tuple(_mark(each) for each in told.get("suppression") or ()),
        left=tuple(each for about, each in lists_left if about == list_id),
        left_others=tuple(each for about, each in lists_left if about != list_id),
    )


def _mark(told: Mapping[str, Any]) -> Mark:
    return Mark(told.get("reason") or "", _moment(told.get("timestamp")))


def _moment(text: str | None) -> datetime | None:
    """Read a time of Klaviyo's; one that cannot be read is none."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _others(word: Mapping[str, Any]) -> list[str]:
    """Return the names of the identifiers beside a word's own that say something of whose it is: for a no, Klaviyo's id alone."""
    return [name for name in NAMES if name != own(word) and word.get(name) and (word["action"] == "subscribe" or name == "id")]


def _by(word: Mapping[str, Any], name: str) -> str:
    return _comparable(name, word.get(name) or "")


def _identifiers(words: Iterable[Mapping[str, Any]], names: Callable[[Mapping[str, Any]], Iterable[str]]) -> dict[str, list[str]]:
    wanted: dict[str, list[str]] = {}
    for word in words:
        for name in names(word):
            wanted.setdefault(name, []).append(_by(word, name))
    return wanted


def _comparable(name: str, value: Any) -> str:
    return str(value) if name == "id" else str(value).lower()


def _known_as(resource: Json, name: str) -> str | None:
    """Return an identifier of somebody in the form in which two are compared."""
    value = resource.get("id") if name == "id" else resource["attributes"].get(name)
    return value and _comparable(name, value)


def filterable(keys: dict[str, None]) -> Iterator[list[str]]:
    """Yield identifiers, as many at once as a filter can hold."""
    some: list[str] = []
    length = 0
    for key in keys:
        if some and (length + len(key) > LONGEST_FILTER or len(some) == AT_ONCE):
            yield some
            some, length = [], 0
        some.append(key)
        length += len(key)
    if some:
        yield some

# SPDX-License-Identifier: Apache-2.0
"""
Read back what was sent: which rows of a batch Klaviyo shows.

Klaviyo shows what it has accepted only after some seconds, so that a row which is not shown may be looked for again. Of a profile it is
looked whether it is there, and in the list where there is one; what it says is not compared, for others may have changed it since.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from airflow_provider_klaviyo.api import events as events_api
from airflow_provider_klaviyo.api import lists, metrics
from airflow_provider_klaviyo.api import profiles as profiles_api
from airflow_provider_klaviyo.api.errors import KlaviyoApiError
from airflow_provider_klaviyo.api.filters import all_of, any_, equals, greater_or_equal, less_than
from airflow_provider_klaviyo.api.jsonapi import Listing
from airflow_provider_klaviyo.api.pages import in_large_pages
from airflow_provider_klaviyo.loading.standing import filterable

if TYPE_CHECKING:
    from airflow_provider_klaviyo.api.request import Json, Request
    from airflow_provider_klaviyo.session import Session

Key = tuple[str, str]
"""The name of an identifier and its value, in the form in which two are compared."""
KNOWN_BY = ("email", "phone_number", "external_id", "id", "_kx")
"""What a profile is looked for by, the first of a row."""
IN_LISTS = frozenset({"email", "phone_number"})
"""What a list's members are looked for by."""
TOLD_OF_PEOPLE = ("email", "phone_number", "external_id")
OURS = "api"
"""The integration whose metrics come from requests; others have metrics of the same names."""
GAP = timedelta(minutes=5)
"""Events that lie closer together are looked for at once."""
SECOND = timedelta(seconds=1)
IN_FLIGHT = 6
"""Requests at once."""


def profiles(session: Session, rows: Sequence[Json], list_id: str | None = None) -> list[bool]:
    """
    Say of each row whether Klaviyo shows the profile, in the list where there is one.

    :param session: An open session.
    :param rows: Items of the body of a bulk import.
    :param list_id: The list they were added to.
    """
    keys = [_key(row) for row in rows]
    if list_id is None:
        there = _look_up(session, keys)
        return [key in there for key in keys]
    members = set(_look_up(session, (each for each in keys if each[0] in IN_LISTS), list_id))
    others = [each for each in keys if each[0] not in IN_LISTS]
    if others:
        members |= _members(session, _look_up(session, others), list_id)
    return [key in members for key in keys]


def _key(row: Json) -> Key:
    known: Json = {**row["attributes"], "id": row.get("id")}
    return next(((name, _comparable(name, known[name])) for name in KNOWN_BY if known.get(name)), ("", ""))


def _comparable(name: str, value: Any) -> str:
    return str(value).lower() if name == "email" else str(value)


def _look_up(session: Session, keys: Iterable[Key], list_id: str | None = None) -> dict[Key, Json]:
    """Return who is there, or in a list, by what they were looked for."""
    wanted: dict[str, dict[str, None]] = {}
    for name, value in keys:
        wanted.setdefault(name, {})[value] = None
    asked = [
        (name, some)
        for name in KNOWN_BY
        for some in ([[each] for each in wanted.get(name, {})] if name == "_kx" else filterable(wanted.get(name, {})))
    ]

    def ask(name: str, some: list[str]) -> dict[Key, Json]:
        query: Listing = {
            "fields": {"profile": ["email", "phone_number", "external_id"]},
            "filter": equals(name, some[0]) if name == "_kx" else any_(name, some),
        }
        request = lists.profiles(list_id=list_id, **query) if list_id else profiles_api.list_(**query)
        found = list(session.walk(in_large_pages(request)))
        if name == "_kx":  # which is not told
            return {(name, some[0]): found[0]} if found else {}
        return {(name, _comparable(name, {**each["attributes"], "id": each["id"]}[name])): each for each in found}

    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        return {key: each for some in pool.map(lambda each: ask(*each), asked) for key, each in some.items()}


def _members(session: Session, there: Mapping[Key, Json], list_id: str) -> set[Key]:
    """Return those who are in a list, of people who were found by what a list does not find them by."""
    own = {key: _key({"attributes": {name: each["attributes"].get(name) for name in IN_LISTS}}) for key, each in there.items()}
    found = _look_up(session, (each for each in own.values() if each[0]), list_id).keys()
    members = {key for key, each in own.items() if each in found}
    nameless = {there[key]["id"]: key for key, each in own.items() if not each[0]}
    if nameless:  # who joined last comes first: that they did is not long ago
        request = lists.profile_ids(list_id=list_id, sort="-joined_group_at")
        for each in session.walk(in_large_pages(request)):
            if key := nameless.pop(each["id"], None):
                members.add(key)
                if not nameless:
                    break
    return members


@dataclass(slots=True)
class Wanted:
    """
    An event that is looked for.

    :param metric: The metric's name.
    :param at: When it happened, to the second, as Klaviyo keeps it.
    :param unique_id: Its ``unique_id``.
    :param people: What the person is known by; nothing of it where Klaviyo does not tell that.
    :param shown: Whether it was found.
    """

    metric: str
    at: datetime
    unique_id: str
    people: frozenset[Key]
    shown: bool = False

    @classmethod
    def of(cls, row: Json) -> Wanted:
        """Read an item of the body of a bulk create."""
        what = row["attributes"]["events"]["data"][0]["attributes"]
        at = datetime.fromisoformat(what["time"]).astimezone(UTC).replace(microsecond=0)
        return cls(what["metric"]["data"]["attributes"]["name"], at, str(what["unique_id"]), _known(row["attributes"]["profile"]["data"]))

    def is_about(self, people: frozenset[Key]) -> bool:
        """Say whether somebody is the person."""
        return not self.people or bool(self.people & people)


def events(session: Session, rows: Sequence[Json]) -> list[bool]:
    """
    Say of each row whether Klaviyo shows the event, with its ``unique_id`` and its person.

    Events that happened close to one another are read at once, others each by itself: of rows that are spread over years, that is as
    many requests as there are rows.

    :param session: An open session.
    :param rows: Items of the body of a bulk create.
    """
    wanted = [Wanted.of(row) for row in rows]
    ids = _metric_ids(session, {each.metric for each in wanted})
    for name, metric_ids in ids.items():
        for metric_id in metric_ids:
            look = partial(_look_for, session, metric_id)
            with ThreadPoolExecutor(IN_FLIGHT) as pool:
                list(pool.map(look, _windows([each for each in wanted if each.metric == name and not each.shown])))
    return [each.shown for each in wanted]


def _known(profile: Json) -> frozenset[Key]:
    """Return what somebody is known by that Klaviyo tells with an event."""
    known: Json = {**profile["attributes"], "id": profile.get("id")}
    return frozenset((name, _comparable(name, known[name])) for name in ("id", *TOLD_OF_PEOPLE) if known.get(name))


def _metric_ids(session: Session, names: set[str]) -> dict[str, list[str]]:
    """Return the ids of metrics that requests have made, by name: other integrations have metrics of the same names."""
    ids: dict[str, list[str]] = {}
    for each in session.walk(metrics.list_(fields={"metric": ["name", "integration"]})):
        told = each["attributes"]
        origin = told.get("integration") or {}
        if told["name"] in names and OURS in {str(origin.get(word)).lower() for word in ("key", "name")}:
            ids.setdefault(told["name"], []).append(each["id"])
    return ids


def _windows(wanted: Iterable[Wanted]) -> Iterator[list[Wanted]]:
    """Yield events that lie close together, the earliest first."""
    window: list[Wanted] = []
    for each in sorted(wanted, key=lambda each: each.at):
        if window and each.at - window[-1].at > GAP:
            yield window
            window = []
        window.append(each)
    if window:
        yield window


def _look_for(session: Session, metric_id: str, window: Sequence[Wanted]) -> None:
    """Read the events of a window page by page, and pass over what lies between those that are looked for."""
    left = list(window)
    start = left[0].at
    request = _request(metric_id, start, left[-1].at)
    while True:
        page = _page(session, request)
        reached, following = _mark(page, left), request.following(page)
        left = [each for each in left if not each.shown and (reached is None or each.at >= reached)]
        if not left or following is None:
            return
        if left[0].at in {start, reached}:  # there is more of that second
            request = following
        else:
            start = left[0].at
            request = _request(metric_id, start, left[-1].at)


def _request(metric_id: str, start: datetime, end: datetime) -> Request[Json]:
    """Return the request for a page of events: a second wider than they lie, for bounds are not always what they say."""
    return in_large_pages(
        events_api.list_(
            filter=all_of(
                equals("metric_id", metric_id), greater_or_equal("datetime", start - SECOND), less_than("datetime", end + 2 * SECOND)
            ),
            sort="datetime",
            fields={"event": ["datetime", "event_properties"], "profile": TOLD_OF_PEOPLE},
            include=["profile"],
        )
    )


def _page(session: Session, request: Request[Json]) -> Json:
    """Read a page; where Klaviyo does not give so large a one, one as large as it chooses."""
    try:
        return session.send(request)
    except KlaviyoApiError as error:
        if error.status != HTTPStatus.BAD_REQUEST or "page[cursor]" in request.params:
            raise
    return session.send(replace(request, params={name: each for name, each in request.params.items() if name != "page[size]"}))


def _mark(page: Json, left: Sequence[Wanted]) -> datetime | None:
    """Mark the events that a page shows, and return up to when it goes; ``None`` for an empty one."""
    by_id: dict[str, list[Wanted]] = {}
    for wanted in left:
        by_id.setdefault(wanted.unique_id, []).append(wanted)
    people = {each["id"]: _known(each) for each in page.get("included") or () if each["type"] == "profile"}
    reached = None
    for event in page["data"]:
        about = event["relationships"]["profile"]["data"]["id"]
        for wanted in by_id.get(str((event["attributes"].get("event_properties") or {}).get("$event_id")), ()):
            if wanted.is_about(people.get(about, frozenset()) | {("id", about)}):
                wanted.shown = True
        reached = datetime.fromisoformat(event["attributes"]["datetime"])
    return reached

# SPDX-License-Identifier: Apache-2.0
"""
Look at Klaviyo's state just before words are sent, and after.

It narrows the time in which somebody can change their mind unseen, to that between the look and Klaviyo carrying out the request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from airflow_provider_klaviyo.api import lists
from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoConfigError
from airflow_provider_klaviyo.loading.consent import Action, ConsentRules, Verdict, decide, holds
from airflow_provider_klaviyo.loading.refusals import BLIND_REFUSALS, NOT_ROWS
from airflow_provider_klaviyo.loading.rows import Fate
from airflow_provider_klaviyo.loading.said import NOES
from airflow_provider_klaviyo.loading.standing import Standing, standings

if TYPE_CHECKING:
    from airflow_provider_klaviyo.loading.rows import Json
    from airflow_provider_klaviyo.session import Session


@dataclass(frozen=True, slots=True)
class Unreadable(Verdict):
    """What becomes of a word about somebody whom Klaviyo refuses to look up."""

    code: str = "not_readable"
    reason: str = "Klaviyo refuses to look up who it is about: correct the row's e-mail address, phone number or id"

    @property
    def fate(self) -> Fate:
        """The row is at fault."""
        return Fate.REJECTED


class Guard:
    """
    Decides about words by what Klaviyo knows of people. Several threads may share one.

    :param session: An open session.
    :param rules: The rules.
    :param max_change: The most words of no that may be sent: a count, or below 1 a share of the list's members.
    :raises KlaviyoConfigError: A share, and no list that it could be of.
    """

    def __init__(self, session: Session, rules: ConsentRules, max_change: float | None = None) -> None:
        if max_change is not None and 0 < max_change < 1 and rules.list_id is None:
            raise KlaviyoConfigError("max_change below 1 is a share of the list's members: give a list_id, or a count of people.")
        self._session, self._rules, self._max_change = session, rules, max_change

    def open(self) -> None:
        """
        Look whether the list is there.

        :raises KlaviyoApiError: It is not.
        """
        if self._rules.list_id is not None:
            self._opt_in_process()

    def look(self, lane: str, words: Sequence[Json]) -> list[Verdict]:
        """
        Decide about words that are about to be sent.

        :param lane: How they would be sent.
        :param words: The words.
        :return: One verdict for each.
        """
        if lane in {"historical", "subscribe", "unsuppress"} and not self._rules.subscribe:
            return [decide(word, Standing(), self._rules, double_opt_in=False) for word in words]
        told = self._standings(words, lane)
        # Read anew each time, and last: of who has no date, the list alone says whether they are asked.
        confirmed = lane == "subscribe" and self._opt_in_process() == "double_opt_in"
        return [
            decide(word, each, self._rules, double_opt_in=confirmed) if each else Unreadable(word)
            for word, each in zip(words, told, strict=True)
        ]

    def carried_out(self, lane: str, words: Sequence[Json]) -> list[bool]:
        """
        Look whether Klaviyo has it as words would have made it.

        Whoever is yet to confirm a subscription is not subscribed.

        :param lane: How they were sent.
        :param words: The words.
        """
        told = self._standings(words, lane)
        leaving = lane == Action.UNSUBSCRIBE and self._rules.left_list is not None
        return [
            each is not None and (holds(word, each, self._rules) or (leaving and not each.member))  # all of them were in the list
            for word, each in zip(words, told, strict=True)
        ]

    def change_check(self, counts: Mapping[str, int]) -> None:
        """
        Stop before more people are unsubscribed or suppressed than was meant.

        :param counts: How many words would be sent because they change something, by lane.
        :raises KlaviyoConfigError: They are more than ``max_change``.
        """
        change = sum(counts.get(lane, 0) for lane in NOES)
        if self._max_change is None or not change:
            return
        most, of = self._max_change, ""
        if 0 < most < 1:
            members = self._members()
            most, of = int(most * members), f" of the list's {members:,} members"
        if change > most:
            raise KlaviyoConfigError(
                f"{change:,} rows would unsubscribe or suppress somebody, and max_change={self._max_change:g} allows {most:,.0f}{of}:"
                " nothing is sent. Look at the source, or raise max_change."
            )

    def _standings(self, words: Sequence[Json], lane: str) -> list[Standing | None]:
        """
        Read where people stand; ``None`` of those whose identifiers Klaviyo refuses to look up.

        One of them makes it refuse the request about all: they are halved until the guilty stand alone.
        """
        told: list[Standing | None] = []
        left, refused = [words], 0
        while left:
            some = left.pop()
            try:
                told += standings(self._session, some, self._about(lane))
            except KlaviyoApiError as error:
                refused += 1
                if not _about_identifiers(error) or refused > BLIND_REFUSALS:
                    raise
                middle = len(some) // 2
                if middle:
                    left += [some[middle:], some[:middle]]
                else:
                    told.append(None)
            else:
                refused = 0
        return told

    def _about(self, lane: str) -> str | None:
        """Return the list, where a lane is about one."""
        if lane in {Action.SUPPRESS, Action.UNSUPPRESS}:
            return None
        return self._rules.left_list if lane == Action.UNSUBSCRIBE else self._rules.list_id

    def _opt_in_process(self) -> str | None:
        if self._rules.list_id is None:
            return None
        told = self._session.send(lists.get(list_id=self._rules.list_id))["data"]["attributes"]
        return str(told.get("opt_in_process"))

    def _members(self) -> int:
        request = lists.get(list_id=str(self._rules.list_id), additional_fields={"list": ["profile_count"]})
        return int(self._session.send(request)["data"]["attributes"]["profile_count"])


def _about_identifiers(error: KlaviyoApiError) -> bool:
    return error.status == HTTPStatus.BAD_REQUEST and not any(fault.code in NOT_ROWS for fault in error.faults)

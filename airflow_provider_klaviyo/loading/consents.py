# SPDX-License-Identifier: Apache-2.0
"""A load of consent: words that people said about channels, each in the lane of what it asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_klaviyo.api import subscriptions
from airflow_provider_klaviyo.loading import consent
from airflow_provider_klaviyo.loading.checks import Check
from airflow_provider_klaviyo.loading.consent import ConsentRules
from airflow_provider_klaviyo.loading.guard import Guard
from airflow_provider_klaviyo.loading.kinds import Kind, digest
from airflow_provider_klaviyo.loading.lanes import Lane, encode, rows_lane
from airflow_provider_klaviyo.loading.lastword import last_words
from airflow_provider_klaviyo.loading.rows import Json, Outcome, Reject, Skip

if TYPE_CHECKING:
    from airflow_provider_klaviyo.session import Session

SUBSCRIBE, UNSUBSCRIBE = "/api/profile-subscription-bulk-create-jobs", "/api/profile-subscription-bulk-delete-jobs"
SUPPRESS, UNSUPPRESS = "/api/profile-suppression-bulk-create-jobs", "/api/profile-suppression-bulk-delete-jobs"


class Consents(Kind):
    """
    What people agreed to and what not, by https://developers.klaviyo.com/en/reference/bulk_subscribe_profiles and its like.

    Each word goes once. Where it is not known whether Klaviyo took a request, its state is read back: what it does not show is unknown.

    :param rules: The rules.
    :param max_change: The most people who may be unsubscribed or suppressed.
    """

    same = "says the same person's word about the same channel"

    def __init__(self, rules: ConsentRules, max_change: float | None = None) -> None:
        def lane(name: str, path: str, most: int, *, repeatable: bool, **more: Any) -> Lane:
            return rows_lane(name, path, partial(consent.request, name, rules=rules), repeatable=repeatable, most=most, **more)

        most, few, several = subscriptions.MOST_SUBSCRIBED, subscriptions.MOST_UNSUBSCRIBED, subscriptions.MOST_SUPPRESSED
        super().__init__(
            lane("historical", SUBSCRIBE, most, repeatable=False),
            lane("subscribe", SUBSCRIBE, most, repeatable=False),
            lane("unsuppress", UNSUPPRESS, several, repeatable=False, job="profile-suppression-bulk-delete"),
            lane("unsubscribe", UNSUBSCRIBE, few, repeatable=rules.left_list is None),
            lane("suppress", SUPPRESS, several, repeatable=True, job="profile-suppression-bulk-create"),
        )
        self.rules, self.max_change = rules, max_change

    def rows(self, data: Mapping[str, Any], check: Check) -> Iterator[tuple[str, Json] | Skip | Reject]:
        """Yield one word for each channel."""
        yield from consent.words(data, check, self.rules)

    def identity(self, data: Json) -> bytes:
        """Name the person, the channel, and what is asked for."""
        return digest(*consent.identity(data), data["action"])

    def holding(self, said: Iterator[tuple[str, Json] | Outcome]) -> Iterator[tuple[str, Json] | Outcome]:
        """Find the last word of each person about each channel."""
        return last_words(said)

    def item(self, data: Json) -> bytes:
        """Write the word down."""
        return encode(data)

    def lane(self, data: Json) -> str:
        """Return the lane of what it asks for."""
        return consent.lane(data)

    def guard(self, session: Session) -> Guard:
        """Return who looks at Klaviyo's state just before a request."""
        return Guard(session, self.rules, self.max_change)

    def shown(self, session: Session, lane: Lane, items: Sequence[Json]) -> list[bool] | None:
        """Look whether people's state is what they said; who was asked to confirm may not have done so yet."""
        return None if lane.name == "subscribe" else Guard(session, self.rules, None).carried_out(lane.name, items)

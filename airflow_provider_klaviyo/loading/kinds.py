# SPDX-License-Identifier: Apache-2.0
"""What differs between loads: how a row becomes what is sent, who or what it is about, and in which lanes it goes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_klaviyo.api import bodies, events, profiles
from airflow_provider_klaviyo.api.request import Request
from airflow_provider_klaviyo.loading.checks import IDENTIFIERS, Check, Invalid
from airflow_provider_klaviyo.loading.lanes import ITEM, SINGLE, Lane, bulk_lane, encode
from airflow_provider_klaviyo.loading.rows import Json, Outcome, Reject, Skip

if TYPE_CHECKING:
    import re

    from airflow_provider_klaviyo.loading.guard import Guard
    from airflow_provider_klaviyo.loading.plan import Plan
    from airflow_provider_klaviyo.session import Session

LARGEST_PROFILE = 100_000


def person(profile: Mapping[str, Any]) -> str:
    """Name whom a profile's attributes are about, by the identifier Klaviyo would look at first."""
    for name in IDENTIFIERS:
        if value := profile.get(name):
            return f"{name}:{str(value).lower() if name == 'email' else value}"
    return ""


def digest(*parts: str) -> bytes:
    """
    Shorten an identity to eight bytes.

    They show no person, but who has an address can tell whether it is among them: they are personal data under a pseudonym.
    """
    return blake2b("\x00".join(parts).encode("utf-8", "replace"), digest_size=8).digest()


class Kind:
    """
    What is loaded.

    :param lanes: The ways in which its rows are sent, by name; they are taken in this order.
    :param default: The lane of rows that :meth:`lane` does not send elsewhere.
    """

    same: ClassVar[str] = "is about the same person"
    """What a duplicate shares with the row before it."""

    def __init__(self, *lanes: Lane) -> None:
        self.lanes = {each.name: each for each in lanes}
        self.default = lanes[0].name

    def open(self, session: Session, stack: ExitStack) -> None:
        """
        Read what rows are held against, before the first is.

        :param session: Open session.
        :param stack: Closes what is opened when the rows are staged.
        """

    def rows(self, data: Mapping[str, Any], check: Check) -> Iterator[tuple[str, Json] | Skip | Reject]:
        """
        Yield what a row says, as it will be sent: most say one thing, with nothing added to the row's key.

        :param data: A row, mapped.
        :param check: The checks.
        :raises Invalid: It cannot be sent.
        """
        raise NotImplementedError

    def identity(self, data: Json) -> bytes:
        """Name whom or what a row is about."""
        raise NotImplementedError

    def item(self, data: Json) -> bytes:
        """Write a row as it is staged."""
        raise NotImplementedError

    def lane(self, data: Json) -> str:  # noqa: ARG002 - for kinds with several
        """Return the lane a row goes in."""
        return self.default

    def holding(self, said: Iterator[tuple[str, Json] | Outcome]) -> Iterator[tuple[str, Json] | Outcome]:
        """Find what holds of all that rows say; what does not gets its fate. Most kinds take rows as they come."""
        return said

    def known(self, key: str, data: Json) -> Outcome | None:  # noqa: ARG002 - for kinds that look beforehand
        """Return what becomes of a row that there is nothing to send for."""
        return None

    def leftovers(self) -> Iterator[tuple[str, Json]]:
        """Yield what is to be sent beside the source's rows, behind the last of them, each with a key."""
        return iter(())

    def guard(self, session: Session) -> Guard | None:  # noqa: ARG002 - for consent
        """Return who looks at Klaviyo's state just before a request."""
        return None

    def shown(self, session: Session, lane: Lane, items: Sequence[Json]) -> list[bool] | None:  # noqa: ARG002 - for kinds that can be read back
        """
        Return which rows of a batch Klaviyo shows, or ``None`` where it never does.

        :param session: Open session.
        :param lane: How they were sent.
        :param items: The rows.
        """
        return None

    def lane_of(self, batch: str) -> Lane:
        """Return the lane of a batch, by its name."""
        return self.lanes[batch.partition("-")[0]]


class Profiles(Kind):
    """
    Profiles, by https://developers.klaviyo.com/en/reference/bulk_import_profiles.

    :param list_id: The list they are added to.
    """

    def __init__(self, list_id: str | None = None) -> None:
        self.list_id = list_id
        request = profiles.bulk_import(profiles=[ITEM], list_id=list_id)
        super().__init__(bulk_lane("bulk", request, "profiles", most=profiles.MOST_IMPORTED, job="profile-bulk-import"))

    def rows(self, data: Mapping[str, Any], check: Check) -> Iterator[tuple[str, Json] | Skip | Reject]:
        """Yield the attributes as they will be sent."""
        yield "", check.profile(data)

    def identity(self, data: Json) -> bytes:
        """Name the person."""
        return digest(person(data))

    def item(self, data: Json) -> bytes:
        """Write the profile as it stands in the body."""
        written = encode(bodies.profile_resource(data))
        if len(written) > LARGEST_PROFILE:
            raise Invalid("", "too_large", f"the profile has {len(written):,} bytes; Klaviyo takes {LARGEST_PROFILE:,}")
        return written

    def shown(self, session: Session, lane: Lane, items: Sequence[Json]) -> list[bool] | None:  # noqa: ARG002
        """Look for the people, in the list where there is one."""
        from airflow_provider_klaviyo.loading import verify

        return verify.profiles(session, items, self.list_id)


class Events(Kind):
    """
    Events, by https://developers.klaviyo.com/en/reference/bulk_create_events; every one has a ``unique_id``.

    :param backfill_before: Events before then start no flows.
    :param unique_in_metric: Whether a ``unique_id`` is given once in a metric, whoever the person.
    """

    same = "is the same event"

    def __init__(self, backfill_before: datetime | None = None, *, unique_in_metric: bool = False) -> None:
        import re

        pointer: re.Pattern[str] = re.compile(r"/data/attributes/events-bulk-create/data/(\d+)(/.*)?")
        request = events.bulk_create(events=[ITEM])
        super().__init__(
            *(
                bulk_lane(name, request, "events-bulk-create", most=events.MOST_CREATED, pointer=pointer, singly=single)
                for name in ("bulk", SINGLE)
            )
        )
        self.backfill_before, self.unique_in_metric = backfill_before, unique_in_metric

    def rows(self, data: Mapping[str, Any], check: Check) -> Iterator[tuple[str, Json] | Skip | Reject]:
        """Yield the event as it will be sent: what has no ``unique_id`` gets one of its content, the same at every run."""
        event = check.event(data)
        if "unique_id" not in event:
            content = {**event, "profile": person(event["profile"])}
            event["unique_id"] = blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).hexdigest()
        yield "", event

    def identity(self, data: Json) -> bytes:
        """Name the event: Klaviyo keeps the first of each unique_id, metric and profile."""
        about = "" if self.unique_in_metric else person(data["profile"])
        return digest(data["metric"], data["unique_id"], about)

    def item(self, data: Json) -> bytes:
        """Write the event as it stands in the body: an entry of its own, so that a pointer names one row."""
        old = self.backfill_before is not None and datetime.fromisoformat(data["time"]) < self.backfill_before
        return encode(bodies.event_entry(data, backfill=old))

    def shown(self, session: Session, lane: Lane, items: Sequence[Json]) -> list[bool] | None:  # noqa: ARG002
        """Look for the events, by their metric and time."""
        from airflow_provider_klaviyo.loading import verify

        return verify.events(session, items)


def single(item: Json) -> Request[Json]:
    """Return the request that sends one event of a bulk body by itself; it may be repeated, for the event has a ``unique_id``."""
    about = item["attributes"]["profile"]["data"]
    what = item["attributes"]["events"]["data"][0]["attributes"]
    return events.create(
        metric=what["metric"]["data"]["attributes"]["name"],
        profile=about["attributes"] | ({"id": about["id"]} if "id" in about else {}),
        properties=what["properties"],
        time=what["time"],
        value=what.get("value"),
        value_currency=what.get("value_currency"),
        unique_id=what["unique_id"],
        backfill=what.get("backfill", False),
    )


def kind_of(plan: Plan, now: datetime) -> Kind:
    """
    Return what the plan loads.

    :param plan: The plan.
    :param now: The time of the load, from which the age of events is counted.
    """
    match plan.kind:
        case "profiles":
            return Profiles(plan.list_id)
        case "events":
            after: timedelta | None = plan.backfill_after
            return Events(None if after is None else now - after, unique_in_metric=plan.unique_id_scope == "metric")
        case "consent":
            from airflow_provider_klaviyo.loading.consents import Consents

            return Consents(replace(plan.consent, said_by=now), plan.max_change)
        case "members":
            from airflow_provider_klaviyo.loading.members import Members

            return Members(str(plan.list_id), plan.max_change, plan.allows)

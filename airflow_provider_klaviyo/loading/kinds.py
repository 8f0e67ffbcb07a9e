# SPDX-License-Identifier: Apache-2.0
"""What differs between a load of profiles and a load of events: the body, its limits, and who a row is about."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from airflow_provider_klaviyo.api import bodies, events, profiles
from airflow_provider_klaviyo.api.request import Request
from airflow_provider_klaviyo.loading.checks import IDENTIFIERS, Check, Invalid
from airflow_provider_klaviyo.loading.plan import Plan
from airflow_provider_klaviyo.loading.rows import Json

LARGEST_PROFILE = 100_000
ITEM: Any = "\x00item\x00"


def encode(value: Any) -> bytes:
    """Write JSON as short as it gets."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


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


@dataclass(frozen=True, slots=True)
class Profiles:
    """Profiles, by https://developers.klaviyo.com/en/reference/bulk_import_profiles."""

    request: Request[Json]
    max_items: int = profiles.MOST_IMPORTED
    pointer: re.Pattern[str] = re.compile(r"/data/attributes/profiles/data/(\d+)(/.*)?")

    def check(self, data: Mapping[str, Any], check: Check) -> Json:
        """Return the attributes as they will be sent."""
        return check.profile(data)

    def identity(self, data: Json) -> bytes:
        """Name the person."""
        return digest(person(data))

    def item(self, data: Json) -> bytes:
        """Write the profile as it stands in the body."""
        written = encode(bodies.profile_resource(data))
        if len(written) > LARGEST_PROFILE:
            raise Invalid("", "too_large", f"the profile has {len(written):,} bytes; Klaviyo takes {LARGEST_PROFILE:,}")
        return written


@dataclass(frozen=True, slots=True)
class Events:
    """Events, by https://developers.klaviyo.com/en/reference/bulk_create_events; every one has a ``unique_id``."""

    request: Request[Json]
    backfill_before: datetime | None = None
    unique_in_metric: bool = False
    max_items: int = events.MOST_CREATED
    pointer: re.Pattern[str] = re.compile(r"/data/attributes/events-bulk-create/data/(\d+)(/.*)?")

    def check(self, data: Mapping[str, Any], check: Check) -> Json:
        """Return the event as it will be sent: what has no ``unique_id`` gets one of its content, the same at every run."""
        event = check.event(data)
        if "unique_id" not in event:
            content = {**event, "profile": person(event["profile"])}
            event["unique_id"] = blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).hexdigest()
        return event

    def identity(self, data: Json) -> bytes:
        """Name the event: Klaviyo keeps the first of each unique_id, metric and profile."""
        about = "" if self.unique_in_metric else person(data["profile"])
        return digest(data["metric"], data["unique_id"], about)

    def item(self, data: Json) -> bytes:
        """Write the event as it stands in the body: an entry of its own, so that a pointer names one row."""
        old = self.backfill_before is not None and datetime.fromisoformat(data["time"]) < self.backfill_before
        return encode(bodies.event_entry(data, backfill=old))


Kind = Profiles | Events


def kind_of(plan: Plan, now: datetime) -> Kind:
    """
    Return what the plan loads.

    :param plan: The plan.
    :param now: The time of the load, from which the age of events is counted.
    """
    if plan.kind == "profiles":
        return Profiles(profiles.bulk_import(profiles=[ITEM], list_id=plan.list_id))
    after: timedelta | None = plan.backfill_after
    return Events(
        events.bulk_create(events=[ITEM]),
        backfill_before=None if after is None else now - after,
        unique_in_metric=plan.unique_id_scope == "metric",
    )


def frame(kind: Kind) -> tuple[bytes, bytes]:
    """Return what stands before and behind the items in a body."""
    head, tail = encode(kind.request.json).split(encode(ITEM))
    return head, tail


def pack(kind: Kind, items: Iterable[bytes]) -> bytes:
    """Write a body, compressed as it will be sent."""
    head, tail = frame(kind)
    return gzip.compress(head + b",".join(items) + tail, compresslevel=1, mtime=0)


def unpack(kind: Kind, body: bytes) -> list[Json]:
    """Read the items of a body back."""
    whole = json.loads(gzip.decompress(body))
    attributes = whole["data"]["attributes"]
    listed: list[Json] = attributes["profiles" if isinstance(kind, Profiles) else "events-bulk-create"]["data"]
    return listed


def bulk(kind: Kind, body: bytes) -> Request[Json]:
    """Return the request that sends a body."""
    return replace(kind.request, json=None, body=body)


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

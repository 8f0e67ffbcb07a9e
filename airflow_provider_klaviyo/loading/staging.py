# SPDX-License-Identifier: Apache-2.0
"""From rows to batches: map, check, leave out what was sent before, pack by count and bytes, lay ready."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.loading.checks import Check, Invalid
from airflow_provider_klaviyo.loading.kinds import Kind, frame, pack
from airflow_provider_klaviyo.loading.ledger import Sent
from airflow_provider_klaviyo.loading.mapping import Unmappable, mapper
from airflow_provider_klaviyo.loading.plan import Plan
from airflow_provider_klaviyo.loading.progress import Progress
from airflow_provider_klaviyo.loading.rows import Fate, Json, Outcome, Row, Skip
from airflow_provider_klaviyo.loading.seen import Seen
from airflow_provider_klaviyo.loading.stage import Manifest, Stage

OUTCOMES_A_FILE = 10_000

Source = Iterable[Row | Skip | Mapping[str, Any]]


class Lane(StrEnum):
    """How a row is sent: with others in bulk, or by itself because it may have been sent before."""

    BULK = "bulk"
    SINGLE = "single"


@dataclass(frozen=True, slots=True)
class Item:
    """
    A row ready to be sent.

    :param key: What the source calls it.
    :param identity: What it is, in eight bytes.
    :param written: It, as it stands in the body.
    :param lane: How it is sent.
    """

    key: str
    identity: bytes
    written: bytes
    lane: Lane


def prepare(rows: Source, plan: Plan, kind: Kind, check: Check, seen: Seen) -> Iterator[Item | Outcome]:
    """
    Yield for every row either an item to send or why it is not sent.

    :param rows: The source.
    :param plan: The rules.
    :param kind: What is loaded.
    :param check: The checks; it counts what it leaves out.
    :param seen: What was sent before; it learns what this load sends.
    """
    map_row: Callable[[Mapping[str, Any]], Mapping[str, Any]] = mapper(plan.mapping) if plan.mapping else lambda source: source
    room = room_for_items(plan, kind)
    for position, source in enumerate(rows):
        if isinstance(source, Skip):
            yield Outcome(source.key, Fate.SKIPPED, "source", source.code, source.reason)
            continue
        key, data = (source.key, source.data) if isinstance(source, Row) else (_key(source, plan, position), source)
        try:
            ready: Json = kind.check(map_row(data), check)
            written = kind.item(ready)
            if len(written) > room:
                raise Invalid("", "too_large", f"the row has {len(written):,} bytes, and a request has room for {room:,}")
        except Unmappable as error:
            yield Outcome(key, Fate.REJECTED, "map", error.code, error.reason, error.field)
            continue
        except Invalid as error:
            yield Outcome(key, Fate.REJECTED, "check", error.code, error.reason, error.field)
            continue
        identity = kind.identity(ready)
        lane = Lane.BULK
        if not seen.add(identity):
            match seen.get(identity):
                case Sent.ACCEPTED if not plan.resend:
                    yield Outcome(
                        key, Fate.UNCHANGED, "dedupe", "sent_before", "an earlier load sent this event, and Klaviyo keeps the first"
                    )
                    continue
                case Sent.ACCEPTED | Sent.DOUBT:
                    lane = Lane.SINGLE
                    seen.update((identity,), 0)
                case _:
                    same = "is about the same person" if plan.kind == "profiles" else "is the same event"
                    yield Outcome(key, Fate.DUPLICATE, "dedupe", "duplicate", f"an earlier row of this load {same}; the first is sent")
                    continue
        yield Item(key, identity, written, lane)


def room_for_items(plan: Plan, kind: Kind) -> int:
    """Return how many bytes the items of one request may have, the commas between them counted."""
    return plan.max_batch_bytes - sum(map(len, frame(kind)))


@dataclass(slots=True)
class _Open:
    """A batch being filled."""

    items: list[Item] = field(default_factory=list)
    bytes: int = 0


def stage_rows(prepared: Iterable[Item | Outcome], plan: Plan, kind: Kind, stage: Stage, manifest: Manifest) -> None:
    """
    Lay a whole source ready in the stage.

    :param prepared: What :func:`prepare` yields.
    :param plan: The rules.
    :param kind: What is loaded.
    :param stage: Where the batches are laid.
    :param manifest: What is found is counted there.
    """
    progress = Progress("%s staged", plan.kind)
    most_items = min(plan.max_batch_items or kind.max_items, kind.max_items)
    room = room_for_items(plan, kind)
    lanes = {lane: _Open() for lane in Lane}
    outcomes: list[Outcome] = []
    files = 0

    def close(lane: Lane) -> None:
        full, lanes[lane] = lanes[lane], _Open()
        if full.items:
            name = f"{lane}-{len(manifest.batches) + 1:06d}"
            stage.put(
                name,
                pack(kind, (each.written for each in full.items)),
                [each.key for each in full.items],
                (each.identity for each in full.items),
            )
            manifest.batches[name] = len(full.items)

    for result in prepared:
        manifest.read += 1
        progress.at(manifest.read)
        if isinstance(result, Outcome):
            manifest.count(result)
            outcomes.append(result)
            if len(outcomes) == OUTCOMES_A_FILE:
                stage.put_outcomes(f"staging-{(files := files + 1):06d}", outcomes)
                outcomes = []
            continue
        batch = lanes[result.lane]
        if len(batch.items) == most_items or batch.bytes + len(result.written) > room:
            close(result.lane)
            batch = lanes[result.lane]
        batch.items.append(result)
        batch.bytes += len(result.written) + 1
    for lane in Lane:
        close(lane)
    if outcomes:
        stage.put_outcomes(f"staging-{(files := files + 1):06d}", outcomes)
    manifest.outcome_files = files


def _key(source: Mapping[str, Any], plan: Plan, position: int) -> str:
    if plan.key_field is None:
        return f"row {position + 1}"
    if plan.key_field not in source:
        message = f"The source has no column {plan.key_field!r}, which key_field names; it has {', '.join(map(str, source))}."
        raise KlaviyoConfigError(message)
    return str(source[plan.key_field])

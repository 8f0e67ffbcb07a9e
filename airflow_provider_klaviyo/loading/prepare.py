# SPDX-License-Identifier: Apache-2.0
"""From rows to items: map, check, leave out what was sent before. Every row that is read comes out once, to be sent or with its fate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.subscriptions import LeftChannel
from airflow_provider_klaviyo.api.values import is_null
from airflow_provider_klaviyo.loading.checks import Check, Invalid
from airflow_provider_klaviyo.loading.destinations import fields_of
from airflow_provider_klaviyo.loading.history import History
from airflow_provider_klaviyo.loading.kinds import Kind, digest
from airflow_provider_klaviyo.loading.lanes import SINGLE, Lane
from airflow_provider_klaviyo.loading.ledger import Sent
from airflow_provider_klaviyo.loading.mapping import Unmappable, as_columns, check_destinations, mapper
from airflow_provider_klaviyo.loading.plan import Plan
from airflow_provider_klaviyo.loading.rows import Fate, Json, Outcome, Reject, Row, Skip
from airflow_provider_klaviyo.loading.seen import Seen

Source = Iterable[Row | Skip | Reject | Mapping[str, Any]]
Mapped = Callable[[Mapping[str, Any]], Mapping[str, Any]]
SHAPES = 1_000
"""Sets of columns whose mapping is remembered."""


def _as_it_is(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return row


@dataclass(frozen=True, slots=True)
class Item:
    """
    A row ready to be sent.

    :param key: What the source calls it.
    :param identity: Whom or what it is about, in eight bytes.
    :param written: It, as it is staged.
    :param lane: How it is sent.
    :param mark: What it says, in eight bytes, where that is compared with the next load's.
    """

    key: str
    identity: bytes
    written: bytes
    lane: Lane
    mark: bytes = b""


class Preparation:
    """
    The way of one source's rows to the batches.

    :param plan: The rules.
    :param kind: What is loaded.
    :param check: The checks; it counts what it leaves out.
    :param history: What earlier loads have sent.
    :param seen: What this load has met; it learns.
    :param only: The rows to be loaded, where it is not all.
    """

    def __init__(self, plan: Plan, kind: Kind, check: Check, *, history: History, seen: Seen, only: Seen | None = None) -> None:
        self.plan, self.kind, self.check, self.history, self.seen, self.only = plan, kind, check, history, seen, only
        self.left_out = 0
        """Rows that were read and are none of those to be loaded."""
        self._by_columns: dict[tuple[str, ...], Mapped] = {}
        self._room = {name: room_for_items(plan, lane) for name, lane in kind.lanes.items()}
        self._leave_out = check.leave_out if plan.on_invalid == "drop_field" else None
        if plan.mapping:
            check_destinations(plan.mapping, plan.kind)
            self._map: Mapped = mapper(plan.mapping, sparse=plan.sparse, leave_out=self._leave_out, region=plan.default_region)
        else:
            self._map = self._by_name if plan.columns else _as_it_is

    def items(self, rows: Source) -> Iterator[Item | Outcome]:
        """
        Yield for every row either an item to send or why it is not sent.

        :param rows: The source.
        """
        for each in self.kind.holding(self._said(rows)):
            key = each.key if isinstance(each, Outcome) else each[0]
            if not self._is_left_out(key):
                yield each if isinstance(each, Outcome) else self._item(*each)
        for key, data in self.kind.leftovers():
            yield Item(key, self.kind.identity(data), self.kind.item(data), self.kind.lanes[self.kind.lane(data)])

    def _said(self, rows: Source) -> Iterator[tuple[str, Json] | Outcome]:
        for position, source in enumerate(rows):
            match source:
                case Skip():
                    yield Outcome(source.key, Fate.SKIPPED, "source", source.code, source.reason)
                case Reject():
                    yield Outcome(source.key, Fate.REJECTED, "source", source.code, source.reason)
                case Row():
                    yield from self._row(source.key, source.data)
                case _:
                    yield from self._row(self._key(source, position), source)

    def _row(self, key: str, source: Mapping[str, Any]) -> Iterator[tuple[str, Json] | Outcome]:
        try:
            for each in self.kind.rows(self._map(source), self.check):
                match each:
                    case Skip():
                        yield Outcome(key + each.key, Fate.SKIPPED, "check", each.code, each.reason)
                    case Reject():
                        yield Outcome(key + each.key, Fate.REJECTED, "check", each.code, each.reason)
                    case suffix, data:
                        yield key + suffix, data
        except Unmappable as error:
            yield Outcome(key, Fate.REJECTED, "map", error.code, error.reason, error.field)
        except Invalid as error:
            yield Outcome(key, Fate.REJECTED, "check", error.code, error.reason, error.field)

    def _item(self, key: str, data: Json) -> Item | Outcome:
        try:
            return self._ready(key, data)
        except Invalid as error:
            return Outcome(key, Fate.REJECTED, "check", error.code, error.reason, error.field)

    def _is_left_out(self, key: str) -> bool:
        """Whether a row is none of those to be loaded; then nothing is known of it."""
        if self.only is None or any(self.only.get(digest(each)) is not None for each in names_of(key)):
            return False
        self.left_out += 1
        return True

    def _ready(self, key: str, data: Json) -> Item | Outcome:
        """Return a checked row as an item, or what became of it already."""
        kind = self.kind
        if outcome := kind.known(key, data):
            return outcome
        lane, written = kind.lanes[kind.lane(data)], kind.item(data)
        if len(written) > self._room[lane.name]:
            raise Invalid("", "too_large", f"the row has {len(written):,} bytes, and a request has room for {self._room[lane.name]:,}")
        identity = kind.identity(data)
        if not self.seen.add(identity):
            match self.seen.get(identity):
                case Sent.ACCEPTED if not self.plan.resend:
                    return Outcome(
                        key, Fate.UNCHANGED, "dedupe", "sent_before", "an earlier load sent this event, and Klaviyo keeps the first"
                    )
                case Sent.ACCEPTED | Sent.DOUBT:
                    lane = kind.lanes[SINGLE]
                    self.seen.update((identity,), 0)
                case _:
                    reason = f"an earlier row of this load {kind.same}; the first is sent"
                    return Outcome(key, Fate.DUPLICATE, "dedupe", "duplicate", reason)
        mark = self.history.mark(written)
        if mark and not self.plan.resend and self.history.last_mark(identity) == mark:
            return Outcome(key, Fate.UNCHANGED, "dedupe", "unchanged", "it says what it said when it was last loaded")
        return Item(key, identity, written, lane, mark)

    def _by_name(self, source: Mapping[str, Any]) -> Mapping[str, Any]:
        """Map a row whose columns are fields by their names."""
        if not isinstance(source, Mapping):
            raise Unmappable("", "not_an_object", f"a row is an object, not a {type(source).__name__}")
        columns = tuple(source)
        if columns not in self._by_columns:
            if len(self._by_columns) == SHAPES:
                self._by_columns.clear()  # lines of JSON may all be different
            # A table's own id is no id of Klaviyo's: it names the row, and is not sent.
            fields = fields_of(self.plan.kind) - {"id"}
            mappings = as_columns([name for name in columns if name != self.plan.key_field or name in fields])
            check_destinations(mappings, self.plan.kind, some=self.plan.sparse)
            self._by_columns[columns] = mapper(mappings, leave_out=self._leave_out)
        return self._by_columns[columns](source)

    def _key(self, source: Mapping[str, Any], position: int) -> str:
        field = self.plan.key_field
        if field is None:
            return f"row {position + 1}"
        if field not in source:
            message = f"The source has no column {field!r}, which key_field names; it has {', '.join(map(str, source))}."
            raise KlaviyoConfigError(message)
        value = source[field]
        return f"row {position + 1}" if is_null(value) else str(value)


def names_of(key: str) -> tuple[str, ...]:
    """Return the names by which a row may stand in a rejects file: a word about one channel by that of its row, too."""
    row, _, channel = key.rpartition("/")
    return (key, row) if row and channel in get_args(LeftChannel) else (key,)


def room_for_items(plan: Plan, lane: Lane) -> int:
    """Return how many bytes the items of one request may have, the commas between them counted."""
    return plan.max_batch_bytes - sum(map(len, lane.frame))

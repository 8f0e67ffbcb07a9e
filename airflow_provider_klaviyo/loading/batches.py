# SPDX-License-Identifier: Apache-2.0
"""From items to batches: packed by count and bytes, one after the other for each lane, and laid ready in the stage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from airflow_provider_klaviyo.loading.kinds import Kind
from airflow_provider_klaviyo.loading.plan import Plan
from airflow_provider_klaviyo.loading.prepare import Item, room_for_items
from airflow_provider_klaviyo.loading.progress import Progress
from airflow_provider_klaviyo.loading.rows import Fate, Outcome
from airflow_provider_klaviyo.loading.stage import Manifest, Stage

OUTCOMES_A_FILE = 10_000


@dataclass(slots=True)
class _Open:
    """A batch being filled."""

    most: int
    room: int
    items: list[Item] = field(default_factory=list)
    bytes: int = 0

    def takes(self, item: Item) -> bool:
        return len(self.items) < self.most and self.bytes + len(item.written) <= self.room

    def add(self, item: Item) -> None:
        self.items.append(item)
        self.bytes += len(item.written) + 1

    def empty(self) -> list[Item]:
        full, self.items, self.bytes = self.items, [], 0
        return full


class Packer:
    """
    Lays what comes ready in the stage.

    :param plan: The rules.
    :param kind: What is loaded.
    :param stage: Where the batches are laid.
    :param manifest: What is found is counted there.
    """

    def __init__(self, plan: Plan, kind: Kind, stage: Stage, manifest: Manifest) -> None:
        self.stage, self.manifest, self.lanes = stage, manifest, kind.lanes
        self._progress = Progress("%s staged", plan.kind)
        self._open = {
            name: _Open(min(plan.max_batch_items or lane.most, lane.most), room_for_items(plan, lane)) for name, lane in kind.lanes.items()
        }
        self._outcomes: list[Outcome] = []

    def pack(self, prepared: Iterable[Item | Outcome]) -> None:
        """
        Lay all of a source ready.

        :param prepared: Items to send, and rows that ended already.
        """
        for result in prepared:
            self._progress.at(self.manifest.read)
            if isinstance(result, Outcome):
                self._end(result)
            else:
                self._add(result)
        for name in self.lanes:
            self._close(name)
        self._put_outcomes()

    def _end(self, outcome: Outcome) -> None:
        self.manifest.read += 1
        self.manifest.count(outcome)
        if outcome.fate is Fate.UNCHANGED:
            return  # of a nightly load these are nearly all: they are counted, and not listed
        self._outcomes.append(outcome)
        if len(self._outcomes) == OUTCOMES_A_FILE:
            self._put_outcomes()

    def _add(self, item: Item) -> None:
        if item.lane.counted:
            self.manifest.read += 1
        batch = self._open[item.lane.name]
        if batch.items and not batch.takes(item):
            self._close(item.lane.name)
        batch.add(item)

    def _close(self, lane: str) -> None:
        if items := self._open[lane].empty():
            name = f"{lane}-{len(self.manifest.batches) + 1:06d}"
            self.stage.put(
                name,
                self.lanes[lane].pack(each.written for each in items),
                [each.key for each in items],
                [each.identity for each in items],
                [each.mark for each in items if each.mark],
            )
            self.manifest.batches[name] = len(items)

    def _put_outcomes(self) -> None:
        if self._outcomes:
            self.manifest.outcome_files += 1
            self.stage.put_outcomes(f"staging-{self.manifest.outcome_files:06d}", self._outcomes)
            self._outcomes = []

# SPDX-License-Identifier: Apache-2.0
"""What a load did, in numbers that add up."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from airflow_provider_klaviyo.api.errors import KlaviyoLoadFailed
from airflow_provider_klaviyo.loading.plan import Plan
from airflow_provider_klaviyo.loading.rows import Fate, Json


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """
    What a load did. ``read`` is the sum of the seven counts after it; :attr:`accounted` says so.

    :param kind: ``profiles``, ``events``, ``consent`` or ``members``.
    :param load_id: The load's id.
    :param read: Rows read: things to be sent, after the source was expanded.
    :param loaded: Rows that a job of Klaviyo's confirmed.
    :param accepted: Rows Klaviyo took without saying what it made of them: events and consent, unless they were verified.
    :param rejected: Rows that Klaviyo, or our check before it, refused.
    :param duplicate: Rows that said again what an earlier row of the same load is about.
    :param unchanged: Rows that there is nothing to send for: an earlier load has sent them, or Klaviyo's state is theirs.
    :param skipped: Rows that the source says are not to be sent, such as test orders.
    :param unknown: Rows whose fate nobody knows. Above zero, the task fails.
    :param removed: People who were taken out of the list, because no row named them. They are no rows.
    :param not_removed: People who were to be taken out, and of whom Klaviyo does not say that they were. Above zero, the task fails.
    :param left_out: Rows that ``retry_rejects`` did not name; they do not count as read.
    :param verified: Whether Klaviyo was asked for each row afterwards.
    :param reasons: Rows not loaded, by ``fate: code``.
    :param dropped: Optional fields left out, by ``field: code``.
    :param jobs: Klaviyo's jobs.
    :param batches: Requests that carried rows.
    :param requests: Requests that the load's sessions sent, by operation, and ``429`` for those told to wait.
    :param seconds: Time from the first row read to the report.
    :param rejects_path: File with every row not loaded and its reason, or ``""`` where all were.
    :param preview: Whether nothing was sent.
    :param payloads: Of a preview, up to five rows as they would be sent.
    """

    kind: str
    load_id: str = ""
    read: int = 0
    loaded: int = 0
    accepted: int = 0
    rejected: int = 0
    duplicate: int = 0
    unchanged: int = 0
    skipped: int = 0
    unknown: int = 0
    removed: int = 0
    not_removed: int = 0
    left_out: int = 0
    verified: bool = False
    reasons: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    jobs: list[str] = field(default_factory=list)
    batches: int = 0
    requests: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    rejects_path: str = ""
    preview: bool = False
    payloads: list[Json] = field(default_factory=list)

    @property
    def accounted(self) -> bool:
        """Whether every row that was read has a fate. A preview leaves those open that it would send."""
        ended = sum(getattr(self, fate) for fate in Fate)
        return self.read == ended or (self.preview and ended < self.read)

    def check(self, plan: Plan) -> LoadReport:
        """
        Return the report, or raise when the load failed by its plan.

        :raises KlaviyoLoadFailed: More rows were rejected than the plan allows, or the fate of some is unknown.
        """
        where = f" Each stands with its reason in {self.rejects_path}." if self.rejects_path else ""
        if not self.accounted:
            message = f"{self}: the counts do not add up to the rows read. This is a fault of this package: please report it.{where}"
            raise KlaviyoLoadFailed(message)
        if self.unknown:
            message = (
                f"{self}: nobody knows whether {self.unknown:,} rows were loaded.{where} Look them up in Klaviyo before loading them again."
            )
            raise KlaviyoLoadFailed(message)
        if self.not_removed:
            message = f"{self}: {self.not_removed:,} people who no row names may still be in the list.{where} Run the task again."
            raise KlaviyoLoadFailed(message)
        if not plan.allows(self.rejected, self.read):
            message = f"{self}: {self.rejected:,} rows were rejected and allowed_rejects is {plan.allowed_rejects:g}; all others are loaded.{where}"
            raise KlaviyoLoadFailed(message)
        return self

    def as_json(self) -> Json:
        """Return the report as it goes to XCom."""
        return {**asdict(self), "accounted": self.accounted}

    @classmethod
    def of(cls, data: dict[str, Any]) -> LoadReport:
        """Read a report back from :meth:`as_json`."""
        return cls(**{key: value for key, value in data.items() if key != "accounted"})

    def __str__(self) -> str:
        counts = ", ".join(f"{getattr(self, fate):,} {fate}" for fate in Fate if getattr(self, fate))
        beside = f"; {self.removed:,} removed from the list" if self.removed else ""
        lost = ", ".join(f"{field} of {count:,}" for field, count in sorted(self.dropped.items()))
        return f"{self.kind}: {self.read:,} read, {counts or 'none sent'}{beside}" + (f"; left out: {lost} rows" if lost else "")

# SPDX-License-Identifier: Apache-2.0
"""What to load, and by which rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Protocol, Self

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.loading.checks import OnInvalid
from airflow_provider_klaviyo.loading.mapping import FieldMapping

MEGABYTE = 1_000_000


class Folder(Protocol):
    """What a load needs of a path: ``pathlib.Path`` and Airflow's ``ObjectStoragePath`` both have it."""

    @property
    def name(self) -> str:
        """Its last part."""

    @property
    def parent(self) -> Self:
        """The folder it lies in."""

    def __truediv__(self, name: str, /) -> Self: ...

    def exists(self) -> bool:
        """Whether anything is there."""

    def iterdir(self) -> Iterator[Self]:
        """Yield what lies in it."""

    def mkdir(self, *, parents: bool = ..., exist_ok: bool = ...) -> None:
        """Make it a folder."""

    def open(self, mode: str, /) -> Any:
        """Open it."""

    def read_bytes(self) -> bytes:
        """Return what is in it."""

    def write_bytes(self, data: bytes, /) -> Any:
        """Replace what is in it."""

    def unlink(self) -> None:
        """Delete it."""

    def rmdir(self) -> None:
        """Delete it, an empty folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    What to load, and by which rules.

    :param kind: ``profiles`` or ``events``.
    :param staging_path: Folder for the batches until Klaviyo has confirmed them; every worker that may retry must reach it.
    :param rejects_path: The JSONL file for rows that were not loaded; by default it stands beside the stage.
    :param state_path: Folder for the ids of sent events, so that later loads do not send them again.
    :param mapping: How the columns of a row become fields; without one, rows are Klaviyo's fields already.
    :param key_field: The column that names a row in the rejects file; its position by default.
    :param list_id: List the profiles are added to. Membership is no consent.
    :param on_invalid: What a bad optional field does: ``drop_field`` leaves it out and counts it, ``reject_row`` rejects its row.
    :param default_region: ISO 3166 country whose national phone numbers are understood, such as ``US``.
    :param allowed_rejects: How many rejected rows the load may have without failing: a count, or a share below 1.
    :param backfill_after: Events older than this are recorded without starting flows; ``None`` for none.
    :param unique_id_scope: What a ``unique_id`` is unique in: ``profile`` as in Klaviyo, or ``metric`` where the source
        never gives one id to two people, so that a person whose e-mail changed is not sent the same event again.
    :param resend: Send events again that an earlier load sent. Klaviyo keeps the first.
    :param sent_ids_window: How long the ids of sent events are kept.
    :param in_flight: Requests at once.
    :param poll_interval: Seconds between two looks at Klaviyo's jobs.
    :param max_batch_items: Rows a request at most; Klaviyo's own maximum by default.
    :param max_batch_bytes: Bytes a request at most, before compression.
    :raises KlaviyoConfigError: Two arguments exclude each other.
    """

    kind: Literal["profiles", "events"]
    staging_path: Folder
    rejects_path: Folder | None = None
    state_path: Folder | None = None
    mapping: Sequence[FieldMapping] | None = None
    key_field: str | None = None
    list_id: str | None = None
    on_invalid: OnInvalid = "drop_field"
    default_region: str | None = None
    allowed_rejects: float = 0
    backfill_after: timedelta | None = timedelta(hours=24)
    unique_id_scope: Literal["profile", "metric"] = "profile"
    resend: bool = False
    sent_ids_window: timedelta = timedelta(days=90)
    in_flight: int = 6
    poll_interval: float = 5.0
    max_batch_items: int | None = None
    max_batch_bytes: int = 5 * MEGABYTE

    def __post_init__(self) -> None:
        if self.kind not in {"profiles", "events"} or self.on_invalid not in {"drop_field", "reject_row"}:
            message = "kind is 'profiles' or 'events', on_invalid is 'drop_field' or 'reject_row'."
            raise KlaviyoConfigError(message)
        if self.kind == "events" and self.list_id:
            message = "Events cannot be added to a list: list_id goes with profiles."
            raise KlaviyoConfigError(message)
        if self.allowed_rejects < 0:
            message = "allowed_rejects is a count, or a share below 1; it cannot be negative."
            raise KlaviyoConfigError(message)
        if not 1 <= self.max_batch_bytes <= 5 * MEGABYTE:
            message = "max_batch_bytes lies between 1 and 5,000,000: Klaviyo takes no larger request."
            raise KlaviyoConfigError(message)

        if self.in_flight < 1 or (self.max_batch_items is not None and self.max_batch_items < 1):
            message = "in_flight and max_batch_items are whole numbers from 1 on."
            raise KlaviyoConfigError(message)

    def allows(self, rejected: int, read: int) -> bool:
        """Whether a load of ``read`` rows may have that many rejected ones."""
        limit = self.allowed_rejects
        return rejected <= (limit * read if 0 < limit < 1 else limit)

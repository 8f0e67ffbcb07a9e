# SPDX-License-Identifier: Apache-2.0
"""What to load, and by which rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from hashlib import blake2b
from typing import Any, Literal, Protocol, Self, get_args

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.loading.checks import OnInvalid
from airflow_provider_klaviyo.loading.consent import ConsentRules
from airflow_provider_klaviyo.loading.mapping import Mappings
from airflow_provider_klaviyo.loading.rows import Json

KindName = Literal["profiles", "events", "consent", "members"]

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
class AuditTrail:
    """
    Where each change of consent is written down.

    :param folder: The folder.
    :param who: Who makes the changes: the connection's id, the DAG's, the task's and the run's.
    :param key: A secret from which, with a person's identifier, the hash is made that stands for them; without one nothing does.
    :param identities: Whether the identifiers themselves stand there.
    """

    folder: Folder
    who: Json
    key: bytes | None = None
    identities: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    What to load, and by which rules.

    :param kind: ``profiles``, ``events``, ``consent`` (who says yes and no to what), or ``members`` (make a list have exactly these people).
    :param staging_path: Folder for the batches until Klaviyo has confirmed them; every worker that may retry must reach it.
    :param rejects_path: The JSONL file for rows that were not loaded; by default it stands beside the stage.
    :param state_path: Folder for what later loads have to know: the ids of sent events, and what profiles were sent.
    :param state_name: Which load of profiles it is whose rows are compared with its last; loads of the same name share what they know.
    :param mapping: How the columns of a row become fields, in any form that :func:`~airflow_provider_klaviyo.loading.mapping.mappings_of`
        takes; without one, rows are Klaviyo's fields already.
    :param columns: Whether rows are flat: without a mapping, their columns are fields by their names, such as ``properties.plan``, and a
        null leaves its field.
    :param sparse: Whether a row may lack a column that the mapping names, as lines of JSON do.
    :param key_field: The column that names a row in the rejects file; its position by default.
    :param list_id: List that profiles are added to (membership is no consent), or that ``members`` is about.
    :param on_invalid: What a bad optional field does: ``drop_field`` leaves it out and counts it, ``reject_row`` rejects its row.
    :param default_region: ISO 3166 country whose national phone numbers are understood, such as ``US``.
    :param allowed_rejects: How many rejected rows the load may have without failing: a count, or a share below 1.
    :param retry_rejects: The rejects file of an earlier load: only the rows it names as rejected or unknown are loaded, by ``key_field``.
    :param identity_conflict: What becomes of a profile whose identifiers belong to several people: ``reject`` names them, ``drop_phone``
        sends it again without its phone number.
    :param backfill_after: Events older than this are recorded without starting flows; ``None`` for none.
    :param unique_id_scope: What a ``unique_id`` is unique in: ``profile`` as in Klaviyo, or ``metric`` where the source
        never gives one id to two people, so that a person whose e-mail changed is not sent the same event again.
    :param resend: Send again what an earlier load sent: unchanged profiles, and events, of which Klaviyo keeps the first.
    :param sent_ids_window: How long the ids of sent events are kept.
    :param consent: The rules for a load of consent.
    :param max_change: The most people who may be taken out of a list, unsubscribed or suppressed: a count, or below 1 a share of the list's
        members. More stop the load before anything is sent.
    :param audit: Where each change of consent is written down.
    :param verify: Whether Klaviyo is asked for each row afterwards: ``loaded`` is what it shows.
    :param settle_seconds: How long Klaviyo may take to show what it has carried out, where it is read back.
    :param in_flight: Requests at once.
    :param poll_interval: Seconds between two looks at Klaviyo's jobs.
    :param max_batch_items: Rows a request at most; Klaviyo's own maximum by default.
    :param max_batch_bytes: Bytes a request at most, before compression.
    :param chunk_waiting_time: Seconds between two requests with rows, but for events that go one by one; the account's limits are kept
        without it.
    :raises KlaviyoConfigError: Two arguments exclude each other.
    """

    kind: KindName
    staging_path: Folder
    rejects_path: Folder | None = None
    state_path: Folder | None = None
    state_name: str = "profiles"
    mapping: Mappings | None = None
    columns: bool = False
    sparse: bool = False
    key_field: str | None = None
    list_id: str | None = None
    on_invalid: OnInvalid = "drop_field"
    default_region: str | None = None
    allowed_rejects: float = 0
    retry_rejects: Folder | None = None
    identity_conflict: Literal["reject", "drop_phone"] = "reject"
    backfill_after: timedelta | None = timedelta(hours=24)
    unique_id_scope: Literal["profile", "metric"] = "profile"
    resend: bool = False
    sent_ids_window: timedelta = timedelta(days=90)
    consent: ConsentRules = field(default_factory=ConsentRules)
    max_change: float | None = None
    audit: AuditTrail | None = None
    verify: bool = False
    settle_seconds: float = 180.0
    in_flight: int = 6
    poll_interval: float = 5.0
    max_batch_items: int | None = None
    max_batch_bytes: int = 5 * MEGABYTE
    chunk_waiting_time: float = 0.0

    def __post_init__(self) -> None:
        for wrong, message in self._contradictions():
            if wrong:
                raise KlaviyoConfigError(message)

    def _contradictions(self) -> Iterator[tuple[bool, str]]:
        yield self.kind not in get_args(KindName), f"kind is one of {', '.join(get_args(KindName))}."
        yield self.on_invalid not in {"drop_field", "reject_row"}, "on_invalid is 'drop_field' or 'reject_row'."
        yield self.identity_conflict not in {"reject", "drop_phone"}, "identity_conflict is 'reject' or 'drop_phone'."
        yield bool(self.kind == "events" and self.list_id), "Events cannot be added to a list: list_id goes with profiles."
        yield (
            bool(self.kind == "consent" and self.list_id),
            "The list of a load of consent is one of its rules: consent=ConsentRules(list_id=...).",
        )
        yield bool(self.kind == "members" and not self.list_id), "members needs list_id: the list to make."
        yield self.allowed_rejects < 0, "allowed_rejects is a count, or a share below 1; it cannot be negative."
        yield self.max_change is not None and self.max_change < 0, "max_change is a count, or a share below 1; it cannot be negative."
        yield bool(self.audit and self.kind != "consent"), "audit goes with consent: nothing else is written down there."
        yield (
            bool(self.retry_rejects and self.kind == "members"),
            "A list cannot be made equal to the rejected rows alone: everybody else would be taken out. Load all rows, without retry_rejects.",
        )
        yield (
            bool(self.retry_rejects and not self.key_field and (self.mapping or self.columns)),
            "retry_rejects finds rows by their key: name the column that holds it with key_field. A row's position may be another one today.",
        )
        yield (
            not 1 <= self.max_batch_bytes <= 5 * MEGABYTE,
            "max_batch_bytes lies between 1 and 5,000,000: Klaviyo takes no larger request.",
        )
        items = self.max_batch_items
        yield self.in_flight < 1 or (items is not None and items < 1), "in_flight and max_batch_items are whole numbers from 1 on."
        yield self.chunk_waiting_time < 0, "chunk_waiting_time is a number of seconds."

    @property
    def bound(self) -> str:
        """What a load that has begun cannot change, in a digest: its batches were laid ready for it."""
        rules = [*asdict(self.consent).values()] if self.kind == "consent" else []
        said = [self.kind, self.list_id, self.unique_id_scope, str(self.state_path or ""), self.state_name, *rules]
        return blake2b(repr(said).encode(), digest_size=8).hexdigest()

    def allows(self, rejected: int, read: int) -> bool:
        """Whether a load of ``read`` rows may have that many rejected ones."""
        limit = self.allowed_rejects
        return rejected <= (limit * read if 0 < limit < 1 else limit)

# SPDX-License-Identifier: Apache-2.0
"""
What earlier loads have left behind: which events were sent, and what was last sent of each profile.

Both are an account's own, and neither is needed: without ``state_path`` a load knows nothing of those before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from enum import Enum, auto
from hashlib import blake2b
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_klaviyo.loading.journal import Batch, State
from airflow_provider_klaviyo.loading.ledger import Ledger
from airflow_provider_klaviyo.loading.rows import Fate
from airflow_provider_klaviyo.loading.snapshot import Fingerprints, Snapshot, fingerprints
from airflow_provider_klaviyo.loading.stage import UNSEEN

if TYPE_CHECKING:
    from airflow_provider_klaviyo.loading.plan import Plan
    from airflow_provider_klaviyo.loading.seen import Seen
    from airflow_provider_klaviyo.loading.stage import Stage

T = TypeVar("T")


class History:
    """
    What a load has to know of those before it, and leaves to those behind it.

    :param plan: The rules.
    :param account: Klaviyo's id of the account that is loaded.
    """

    def __init__(self, plan: Plan, account: str) -> None:
        folder = plan.state_path if account else None
        self._ledger = Ledger(folder / f"sent-{account}", plan.sent_ids_window) if folder and plan.kind == "events" else None
        self._snapshot = Snapshot(folder / f"{plan.state_name}-{account}") if folder and plan.kind == "profiles" else None
        self._last: Fingerprints | None = None
        self._salt = (plan.list_id or "").encode()[:16]

    @contextmanager
    def read(self, seen: Seen, load_id: str) -> Iterator[None]:
        """
        Read what earlier loads have left; it is known inside the block.

        :param seen: Learns which events were sent.
        :param load_id: This load, whose own files are left out.
        """
        if self._ledger:
            self._ledger.read(seen, load_id=load_id)
        with fingerprints() if self._snapshot else nullcontext() as last:
            self._last = last
            if self._snapshot and last:
                self._snapshot.read(last)
            yield
        self._last = None

    def mark(self, written: bytes) -> bytes:
        """Return what a row says, in eight bytes, or nothing where that is not compared."""
        return blake2b(written, digest_size=8, salt=self._salt).digest() if self._snapshot else b""

    def last_mark(self, identity: bytes) -> bytes | None:
        """Return what was last loaded of somebody."""
        return self._last.get(identity) if self._last else None

    def begin(self, load_id: str, batches: Iterable[str], stage: Stage) -> None:
        """Write down what is about to be sent."""
        identities = (each for name in batches for each in stage.identities(name))
        if self._ledger:
            self._ledger.begin(load_id, identities)
        if self._snapshot:
            self._snapshot.begin(load_id, identities)

    def finish(self, load_id: str, batches: list[Batch], stage: Stage) -> None:
        """
        Write down what Klaviyo took, and what may have arrived.

        :param load_id: The load.
        :param batches: Its batches, those that went in the place of others among them.
        :param stage: Where they lie.
        """
        if self._ledger:
            ids = stage.identities
            self._ledger.finish(load_id, _those(Became.TAKEN, batches, stage, ids), _those(Became.UNKNOWN, batches, stage, ids))
        if self._snapshot and batches:

            def pairs(name: str) -> list[tuple[bytes, bytes]]:
                return list(zip(stage.identities(name), stage.marks(name), strict=True))

            kept = _those(Became.TAKEN, batches, stage, pairs)
            lost = (each for how in (Became.REFUSED, Became.UNKNOWN) for each in _those(how, batches, stage, stage.identities))
            self._snapshot.replace(load_id, kept, lost)


class Became(Enum):
    """What a row of a batch became, as far as later loads are concerned."""

    TAKEN = auto()
    REFUSED = auto()
    UNKNOWN = auto()


def _those(how: Became, batches: Iterable[Batch], stage: Stage, of: Callable[[str], list[T]]) -> Iterator[T]:
    """Yield what belongs to the rows that became so."""
    for batch in batches:
        places = [at for at, became in _fates(batch, stage) if became is how]
        if places:
            belongings = of(batch.name)
            yield from (belongings[at] for at in places)


def _fates(batch: Batch, stage: Stage) -> Iterator[tuple[int, Became]]:
    """Yield what became of the rows of a batch; those of a refused one that went on in another are told of there."""
    ended = {line["at"]: line["fate"] for line in (*stage.outcomes(batch.name), *stage.outcomes(f"{batch.name}{UNSEEN}"))}
    settled = batch.state is State.SETTLED and None not in ended  # that rows failed is known, but not which
    for at in range(batch.rows):
        if at in ended:
            yield at, Became.UNKNOWN if ended[at] == Fate.UNKNOWN else Became.REFUSED
        elif settled:
            yield at, Became.TAKEN
        elif batch.state in {State.INTENT, State.DOUBT, State.ACCEPTED, State.SETTLED}:
            yield at, Became.UNKNOWN

# SPDX-License-Identifier: Apache-2.0
"""
The ledger: which events were sent before, across loads.

Klaviyo refuses a whole bulk request for one ``unique_id`` it has seen, or drops the row in silence; which, nobody says.
So a bulk request carries only ids never sent. Each load keeps files of its own, and so disturbs no other's:
``<day>-<load>.doubt`` with all its ids before the first request, ``<day>-<load>.accepted`` with those that Klaviyo took.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import TYPE_CHECKING

from airflow_provider_klaviyo.loading.seen import WIDTH, Seen

if TYPE_CHECKING:
    from airflow_provider_klaviyo.loading.plan import Folder


BLOCK = 8_192
"""Ids that are read at once: millions of them must not lie in memory."""


class Sent(IntEnum):
    """What the ledger knows of an event."""

    DOUBT = 1
    """It was about to be sent; nobody wrote down that Klaviyo took it."""
    ACCEPTED = 2

    @property
    def suffix(self) -> str:
        """How the names of its files end."""
        return f".{self.name.lower()}"


class Ledger:
    """
    The ids of sent events in a folder.

    :param folder: The folder of one account.
    :param window: How long ids are kept.
    """

    def __init__(self, folder: Folder, window: timedelta) -> None:
        self._folder, self._window = folder, window

    def read(self, into: Seen, *, load_id: str, now: datetime | None = None) -> None:
        """
        Read what earlier loads have sent.

        :param into: Where the ids go, each with a :class:`Sent`; accepted wins over doubt.
        :param load_id: This load, whose own files are left out; ``""`` only looks, and clears nothing away.
        :param now: The time from which the window counts.
        """
        oldest = f"{(now or datetime.now(UTC)) - self._window:%Y%m%d}"
        for path in self._files(*Sent):
            if load_id and path.name[:8] < oldest and load_id not in path.name:
                path.unlink()
        # A load that ends meanwhile writes what was accepted before it takes its doubt away: so doubt is read first.
        for how in (Sent.DOUBT, Sent.ACCEPTED):
            for path in self._files(how):
                if path.name[:8] >= oldest and not (load_id and load_id in path.name):
                    into.update(_identities(path), how)

    def begin(self, load_id: str, identities: Iterable[bytes]) -> None:
        """Write down what a load is about to send."""
        self._write(load_id, Sent.DOUBT, identities)

    def finish(self, load_id: str, accepted: Iterable[bytes], doubtful: Iterable[bytes]) -> None:
        """Write down what Klaviyo took of it, and what nobody knows."""
        self._write(load_id, Sent.ACCEPTED, accepted)
        self._write(load_id, Sent.DOUBT, doubtful)

    def _write(self, load_id: str, how: Sent, identities: Iterable[bytes]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        known = [path.name[:8] for path in self._files(*Sent) if load_id in path.name]
        day = known[0] if known else f"{datetime.now(UTC):%Y%m%d}"
        path = self._folder / f"{day}-{load_id}{how.suffix}"
        with path.open("wb") as file:
            written = sum(file.write(identity) for identity in identities)
        if not written:
            path.unlink()

    def _files(self, *which: Sent) -> list[Folder]:
        suffixes = tuple(how.suffix for how in which)
        return [path for path in self._folder.iterdir() if path.name.endswith(suffixes)] if self._folder.exists() else []


def _identities(path: Folder) -> Iterator[bytes]:
    try:
        file = path.open("rb")
    except FileNotFoundError:  # another load has ended, or cleared away what is too old
        return
    with file:
        while packed := file.read(BLOCK * WIDTH):
            yield from (packed[at : at + WIDTH] for at in range(0, len(packed), WIDTH))

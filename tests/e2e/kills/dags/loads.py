# SPDX-License-Identifier: Apache-2.0
"""Loads to be killed: rows that are the same every time, in batches small enough that a few of them tell where a load stood."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG

from airflow_provider_klaviyo.transfers.base import KlaviyoLoadOperator
from airflow_provider_klaviyo.transfers.kinds import ConsentLoad, EventsLoad, ProfilesLoad

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_klaviyo.loading import Row
    from airflow_provider_klaviyo.operators.base import Journal

SIZE = 5
"""Rows a batch."""
PARAMS: dict[str, Any] = {"conn": "", "count": 60, "deferrable": False, "folder": "", "staging_path": ""}


class MadeUp(KlaviyoLoadOperator):
    """
    Load made-up rows.

    :param count: How many.
    :param reads: File that gets a line each time the source is read.
    """

    count: int
    reads: str

    def rows(self, context: Context, journal: Journal) -> Iterable[Row]:
        """Note that the source is read, and return it."""
        with Path(self.reads).open("a", encoding="utf-8") as file:
            file.write(f"{time.time()}\n")
        return ROWS[self.kind](self.count)


class MadeUpProfiles(MadeUp, ProfilesLoad):
    """Load people."""


class MadeUpEvents(MadeUp, EventsLoad):
    """Load orders."""


class MadeUpConsent(MadeUp, ConsentLoad):
    """Load what people agreed to."""


def people(count: int) -> list[Row]:
    """Make profiles."""
    from airflow_provider_klaviyo.loading import Row

    return [Row(f"customer {at}", {"email": email(at), "first_name": f"N{at}"}) for at in range(count)]


def orders(count: int) -> list[Row]:
    """Make events, two for each of their people."""
    from airflow_provider_klaviyo.loading import Row

    events = [
        {
            "metric": "Placed Order",
            "profile": {"email": email(at // 2)},
            "time": "2026-11-01T10:00:00+00:00",
            "value": at + 0.5,
            "value_currency": "USD",
            "unique_id": f"o{at}",
            "properties": {"OrderId": f"o{at}"},
        }
        for at in range(count)
    ]
    return [Row(f"order {at}", event) for at, event in enumerate(events)]


def words(count: int) -> list[Row]:
    """Make words of consent, each a dated yes."""
    from airflow_provider_klaviyo.loading import Row

    said = {"consent": "subscribed", "consented_at": "2026-10-01T10:00:00+00:00"}
    return [Row(f"customer {at}", {"email": email(at), **said}) for at in range(count)]


def email(at: int) -> str:
    """Return somebody's address."""
    return f"p{at:05d}@example.com"


ROWS = {"profiles": people, "events": orders, "consent": words}


def dag(dag_id: str, operator: type[MadeUp], **arguments: Any) -> DAG:
    """Make a DAG of one load; its run's configuration says the rest."""
    with DAG(dag_id, schedule=None, params=PARAMS, is_paused_upon_creation=False) as made:
        operator(
            task_id="load",
            klaviyo_conn_id="{{ params.conn }}",
            count="{{ params.count }}",  # type: ignore[arg-type]
            deferrable="{{ params.deferrable }}",  # type: ignore[arg-type]
            reads="{{ params.folder }}/reads",
            staging_path="{{ params.staging_path or None }}",
            chunk_size=SIZE,
            poll_interval=1,
            retries=4,
            retry_delay=timedelta(seconds=0),
            **arguments,
        )
    return made


profiles = dag("profiles", MadeUpProfiles)
in_a_hurry = dag("profiles_in_a_hurry", MadeUpProfiles, execution_timeout=timedelta(seconds=6))
events = dag("events", MadeUpEvents, state_path="file://{{ params.folder }}/state")
consent = dag("consent", MadeUpConsent, subscribe=True, audit_path="file://{{ params.folder }}/audit")

# SPDX-License-Identifier: Apache-2.0
"""Loads to be killed: rows that are the same every time, in batches small enough that a few of them tell where a load stood."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.sdk import DAG

from airflow_provider_klaviyo.transfers.base import KlaviyoLoadOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_klaviyo.loading import Row
    from airflow_provider_klaviyo.operators.base import Journal

PARAMS: dict[str, Any] = {"conn": "", "count": 60, "in_flight": 6, "deferrable": False, "reads": "", "staging_path": ""}
SIZE = 5
"""Rows a batch."""


class Synthetic(KlaviyoLoadOperator):
    """
    Load made-up rows.

    :param count: How many.
    :param in_flight: Requests at once.
    :param reads: File that gets a line each time the source is read.
    """

    count: int
    in_flight: int
    reads: str

    def rows(self, context: Context, journal: Journal) -> Iterator[Row]:
        """Note that the source is read, and return it."""
        with Path(self.reads).open("a", encoding="utf-8") as file:
            file.write(f"{time.time()}\n")
        return people(self.count) if self.kind == "profiles" else orders(self.count)

    def plan_fields(self, context: Context) -> dict[str, Any]:
        """Make small batches."""
        return {"max_batch_items": SIZE, "in_flight": self.in_flight}


class SyntheticProfiles(Synthetic):
    """Load people."""

    kind: ClassVar[Literal["profiles", "events"]] = "profiles"


class SyntheticEvents(Synthetic):
    """Load orders."""

    kind: ClassVar[Literal["profiles", "events"]] = "events"


def people(count: int) -> Iterator[Row]:
    """Make profiles."""
    from airflow_provider_klaviyo.loading import Row

    for at in range(count):
        yield Row(f"customer {at}", {"email": f"p{at:05d}@example.com", "first_name": f"N{at}"})


def orders(count: int) -> Iterator[Row]:
    """Make events, two for each of their people."""
    from airflow_provider_klaviyo.loading import Row

    for at in range(count):
        event = {
            "metric": "Placed Order",
            "profile": {"email": f"p{at // 2:05d}@example.com"},
            "time": "2026-11-01T10:00:00+00:00",
            "value": at + 0.5,
            "value_currency": "USD",
            "unique_id": f"o{at}",
            "properties": {"OrderId": f"o{at}"},
        }
        yield Row(f"order {at}", event)


def dag(dag_id: str, operator: type[Synthetic], **arguments: Any) -> DAG:
    """Make a DAG of one load; its run's configuration says the rest."""
    with DAG(dag_id, schedule=None, params=PARAMS, is_paused_upon_creation=False) as made:
        operator(
            task_id="load",
            klaviyo_conn_id="{{ params.conn }}",
            count="{{ params.count }}",  # type: ignore[arg-type]
            in_flight="{{ params.in_flight }}",  # type: ignore[arg-type]
            deferrable="{{ params.deferrable }}",  # type: ignore[arg-type]
            reads="{{ params.reads }}",
            staging_path="{{ params.staging_path or None }}",
            poll_interval=1,
            retries=4,
            retry_delay=timedelta(seconds=0),
            **arguments,
        )
    return made


profiles = dag("profiles", SyntheticProfiles)
events = dag("events", SyntheticEvents)
in_a_hurry = dag("profiles_in_a_hurry", SyntheticProfiles, execution_timeout=timedelta(seconds=6))

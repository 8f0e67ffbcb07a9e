# SPDX-License-Identifier: Apache-2.0
"""Loads from TaskFlow: a store in which a load goes on where an earlier try of the task stopped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

from airflow_provider_klaviyo.api.errors import KlaviyoLoadFailed
from airflow_provider_klaviyo.operators.journal import Journal
from airflow_provider_klaviyo.transfers.base import TaskStore

if TYPE_CHECKING:
    from airflow.sdk import Context


@contextmanager
def load_store(context: Context, name: str = "load") -> Iterator[TaskStore]:
    """
    Open the store of a load in a TaskFlow task, by the rules of the load operators.

    A next try of the task goes on where this one stopped. A task that is cleared after its load has ended runs it anew.

    .. code-block:: python

        with KlaviyoHook().session() as klaviyo, load_store(context) as store:
            load(klaviyo, rows, plan, store=store)

    :param context: Context of the running task.
    :param name: Tells several loads of one task apart.
    """
    journal = Journal(context)
    if (run := journal.get(f"run of {name}")) is None:
        run = uuid4().hex[:8]
        journal.write(**{f"run of {name}": run})
    try:
        yield TaskStore(context, run)
    except KlaviyoLoadFailed:
        journal.close()  # it has ended, if not well: to clear the task is somebody's word to begin anew
        raise
    journal.close()

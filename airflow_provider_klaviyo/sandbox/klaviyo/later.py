# SPDX-License-Identifier: Apache-2.0
"""What Klaviyo accepts at once and carries out a little later, without a job to look at."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from airflow_provider_klaviyo.sandbox.klaviyo import imports
from airflow_provider_klaviyo.sandbox.klaviyo.checks import compact
from airflow_provider_klaviyo.sandbox.klaviyo.state import MICROS, KlaviyoState

Json = dict[str, Any]
Work = Callable[[KlaviyoState, Json], None]
WORKS: dict[str, Work] = {}


def works(name: str) -> Callable[[Work], Work]:
    """Register the function that carries something out. It takes the account and what :func:`enqueue` was given."""

    def register(work: Work) -> Work:
        WORKS[name] = work
        return work

    return register


def enqueue(state: KlaviyoState, work: str, given: Json, *, due: int | None = None) -> int:
    """
    Have something carried out.

    :param state: The account.
    :param work: The name it is registered by.
    :param given: What it needs.
    :param due: When, in microseconds; as soon as a job would be, where left out.
    :returns: When that will be, in microseconds.
    """
    due = state.now() + int(state.behaviour.job_seconds * MICROS) if due is None else due
    state.db.execute("INSERT INTO later (due, work, given) VALUES (?, ?, ?)", (due, work, compact(given)))
    return due


def settle(state: KlaviyoState) -> None:
    """Carry out what is due, import jobs first, oldest first. Each request begins with it, so nobody sees one half done."""
    imports.settle(state)
    due = state.db.execute("SELECT id, work, given FROM later WHERE due <= ? ORDER BY due, id", (state.now(),)).fetchall()
    for identifier, work, given in due:
        with state.transaction():
            state.db.execute("DELETE FROM later WHERE id = ?", (identifier,))
            WORKS[work](state, json.loads(given))

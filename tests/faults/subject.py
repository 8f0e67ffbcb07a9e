# SPDX-License-Identifier: Apache-2.0
"""What the fault suite has to know of a kind of loads, to disturb one and to judge what it leaves."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_klaviyo.loading import Row, Skip
from airflow_provider_klaviyo.sandbox.klaviyo import later

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.klaviyo.state import KlaviyoState
    from airflow_provider_klaviyo.sandbox.server import SandboxServer
    from tests.faults.driver import World
    from tests.faults.scenario import Scenario
    from tests.faults.worker import Sent

Source = list[Row | Skip]
Held = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """
    A kind of loads.

    :param steps: The requests it makes, by name: method and a pattern of the path.
    :param rows: Makes the source.
    :param prepare: Sets Klaviyo up, and returns the plan's own fields.
    :param refuse: Lets Klaviyo refuse some rows, by place, with the whole request they are in.
    :param bad: Names the rows that a load has to reject, whatever befalls it, by key.
    :param holdings: Reads back what Klaviyo holds, by row's key.
    :param repeated: Names what was sent that must not be sent twice.
    :param doubtful: Says whether what befell a load can leave rows whose fate nobody knows, jobs apart.
    """

    steps: Mapping[str, tuple[str, str]]
    rows: Callable[[Scenario], Source]
    prepare: Callable[[SandboxServer, Scenario, Path], dict[str, Any]]
    refuse: Callable[[SandboxServer, Scenario], None]
    bad: Callable[[Scenario], set[str]]
    holdings: Callable[[SandboxServer], Held]
    repeated: Callable[[World], list[str]]
    doubtful: Callable[[Scenario], bool] = lambda _: False


def messy(rows: list[Row], scenario: Scenario, *bad: Row) -> Source:
    """Put among the rows what never leaves: one that is skipped, one that says something again, and those that nobody can use."""
    return [*rows, Skip("skipped", "test", "A test."), rows[0], *bad] if scenario.messy else list(rows)


def refused(scenario: Scenario) -> set[str]:
    """Name the rows that Klaviyo refuses with the whole request they are in, and the one that nobody can use."""
    return {f"customer {at % scenario.rows}" for at in scenario.unwelcome} | ({"bad"} if scenario.messy else set())


def address(at: int) -> str:
    """Return the address of a row."""
    return f"p{at:05d}@example.com"


def key_of(email: str) -> str:
    """Return the key of the row with an address."""
    return f"customer {int(email[1:6])}" if email[1:6].isdigit() else email


def unwelcome(sandbox: SandboxServer, scenario: Scenario) -> None:
    """Let Klaviyo refuse rows for their people, for a rule of its own."""
    sandbox.klaviyo.behaviour.unwelcome = frozenset(address(at % scenario.rows) for at in scenario.unwelcome)


def settled(sandbox: SandboxServer) -> KlaviyoState:
    """Let everything that is due be carried out."""
    state = sandbox.klaviyo
    with state.lock:
        later.settle(state)
    return state


def carried(sent: Sent) -> Any:
    """Return the JSON a request carried."""
    return json.loads(gzip.decompress(sent.body) if sent.body[:2] == b"\x1f\x8b" else sent.body)


def taken(sent: Sent) -> bool:
    """Whether Klaviyo may have carried it out, for all its sender knows."""
    return sent.reached and (sent.status is None or sent.status < 300 or sent.status >= 500)


def jobs_repeated(world: World) -> list[str]:
    """Name the batches that were sent again although their job was written down."""
    wrong = []
    for note in world.history:
        job = note.value.get("job")
        first = next((each for each in world.log if job and each.job == job), None)
        if first:
            again = [each for each in world.log if each.at > note.at and (each.load, each.body) == (first.load, first.body)]
            wrong += [note.key for each in again if not each.stale]
    return wrong

# SPDX-License-Identifier: Apache-2.0
"""A Klaviyo whose time is simulated, as the loader's is, and a place for scenarios to be run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airflow_provider_klaviyo.sandbox.server import SandboxServer
from tests.faults.driver import World
from tests.faults.oracle import Undisturbed, check, undisturbed
from tests.faults.scenario import Scenario
from tests.loading.kit import Clock


class Bench:
    """
    Where scenarios are run.

    :param sandbox: A Klaviyo of its own.
    :param folder: Where files lie meanwhile.
    :param clock: The time of both sides.
    """

    def __init__(self, sandbox: SandboxServer, folder: Path, clock: Clock) -> None:
        self.sandbox, self.folder, self.clock = sandbox, folder, clock

    def check(self, scenario: Scenario) -> World:
        """Run a scenario and hold its end against the undisturbed one."""
        return check(self.sandbox, scenario, self.folder, self.clock)

    def calm(self, scenario: Scenario) -> Undisturbed:
        """Run it without anything that befalls it."""
        return undisturbed(self.sandbox, scenario, self.folder, self.clock)


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    """
    Serve a Klaviyo for scenarios.

    :param folder: Where files lie meanwhile.
    """
    clock = Clock()
    with SandboxServer(limits="off", job_seconds=0, customers=1, orders=1, clock=clock) as sandbox:
        yield Bench(sandbox, folder, clock)

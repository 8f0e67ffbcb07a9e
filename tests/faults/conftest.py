# SPDX-License-Identifier: Apache-2.0
"""A Klaviyo whose time is simulated, as the loader's is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

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


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Serve a Klaviyo for all scenarios of this process."""
    clock = Clock()
    clock.now = time.time()
    with SandboxServer(limits="off", job_seconds=0, customers=1, orders=1, clock=clock) as sandbox:
        yield Bench(sandbox, tmp_path_factory.mktemp("faults"), clock)

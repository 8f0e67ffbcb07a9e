# SPDX-License-Identifier: Apache-2.0
"""An Airflow that tests may do harm to, and a Klaviyo for each of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from airflow_provider_klaviyo.sandbox.server import SandboxServer
from tests.e2e.kills.case import Case
from tests.e2e.kills.scheduler import Airflow, until


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    """Run an Airflow whose tasks are processes of the scheduler's machine."""
    with Airflow(tmp_path_factory.mktemp("airflow")).started() as running:
        yield running
        until("nobody is left behind", lambda: not running.orphans())


@pytest.fixture
def klaviyo() -> Iterator[SandboxServer]:
    """Serve a Klaviyo that remembers every request."""
    with SandboxServer(limits="off", job_seconds=0, keep=10_000, customers=1, orders=1) as server:
        yield server


@pytest.fixture
def case(airflow: Airflow, klaviyo: SandboxServer, tmp_path: Path) -> Iterator[Case]:
    """Connect the Airflow to a Klaviyo of the test's own."""
    made = Case(airflow, klaviyo, tmp_path, f"klaviyo_{uuid4().hex[:8]}")
    made.connect()
    yield made
    made.release()

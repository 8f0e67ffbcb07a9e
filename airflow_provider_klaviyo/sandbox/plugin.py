# SPDX-License-Identifier: Apache-2.0
"""
A pytest plugin for tests of your own DAGs.

Name it in your ``conftest.py``, ``pytest_plugins = ["airflow_provider_klaviyo.sandbox.plugin"]``, and take the fixture ``klaviyo_sandbox``::

    def test_loads_the_customers(klaviyo_sandbox):
        my_dag.test()
        assert klaviyo_sandbox.klaviyo.counts()["profiles"] == 12
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_klaviyo.sandbox.server import SandboxServer


@pytest.fixture(scope="session")
def klaviyo_sandbox_options() -> dict[str, Any]:
    """Return the arguments of :class:`~airflow_provider_klaviyo.sandbox.server.SandboxServer`; override it for others."""
    return {"limits": "off", "job_seconds": 0.05, "customers": 60, "orders": 90}


@pytest.fixture(scope="session")
def klaviyo_sandbox_server(klaviyo_sandbox_options: dict[str, Any]) -> Iterator[SandboxServer]:
    """Serve a local Klaviyo and a local Shopify for the whole run; tests take ``klaviyo_sandbox``."""
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

    with SandboxServer(**klaviyo_sandbox_options) as server:
        yield server


@pytest.fixture
def klaviyo_sandbox(klaviyo_sandbox_server: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> SandboxServer:
    """
    Hand out the sandbox as new: empty, without faults, and with Airflow's connections ``klaviyo_default`` and ``shopify_default`` leading to it.

    Queue faults with ``klaviyo_sandbox.fail(path=..., status=...)``, look at ``klaviyo_sandbox.klaviyo.received``.
    """
    from airflow_provider_klaviyo import pacing

    klaviyo_sandbox_server.reset()
    pacing.forget()
    for name, value in klaviyo_sandbox_server.connections.items():
        monkeypatch.setenv(name, value)
    return klaviyo_sandbox_server

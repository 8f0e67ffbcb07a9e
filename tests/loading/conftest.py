# SPDX-License-Identifier: Apache-2.0
"""The sandbox as loads want it."""

from __future__ import annotations

import pytest

from airflow_provider_klaviyo.sandbox.server import SandboxServer


@pytest.fixture
def klaviyo(sandbox: SandboxServer) -> SandboxServer:
    """Hand out the sandbox with jobs that are done when they are first asked for."""
    sandbox.klaviyo.behaviour.job_seconds = 0
    return sandbox


@pytest.fixture(params=["drop", "refuse"])
def reading(request: pytest.FixtureRequest, klaviyo: SandboxServer) -> str:
    """Let a ``unique_id`` that was sent before be dropped in silence, or refuse the whole request: nobody knows which Klaviyo does."""
    klaviyo.klaviyo.behaviour.reused_unique_id = request.param
    return str(request.param)

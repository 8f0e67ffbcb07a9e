# SPDX-License-Identifier: Apache-2.0
"""The sandbox leaves nothing behind."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from airflow_provider_klaviyo.sandbox.server import SandboxServer


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder in which this process makes its temporary folders."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_stopping_removes_what_lies_on_disk(temporary: Path) -> None:
    with SandboxServer(customers=1, orders=1):
        assert list(temporary.iterdir())
    assert not list(temporary.iterdir())


def test_a_server_that_does_not_start_leaves_nothing(temporary: Path) -> None:
    server = SandboxServer(customers=1, orders=1).start()
    with pytest.raises(RuntimeError, match="once"), server:
        raise AssertionError("it was started before")
    assert not list(temporary.iterdir())


def test_stopping_twice_is_stopping() -> None:
    server = SandboxServer(customers=1, orders=1).start()
    server.stop()
    server.stop()

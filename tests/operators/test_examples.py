# SPDX-License-Identifier: Apache-2.0
"""Each example runs as it stands."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

    from airflow_provider_klaviyo.sandbox.server import SandboxServer

EXAMPLES = Path(__file__).parents[2] / "example_dags"


def load(name: str) -> Any:
    """Load an example's DAG from its file, as Airflow does."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.dag


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.py")))
def test_an_example_runs(sandbox: SandboxServer, run_dag: Callable[..., DagRun], name: str) -> None:
    if name == "klaviyo_events":  # whom the second event is about
        run_dag(load("klaviyo_profiles"))
    dag = load(name)
    run = run_dag(dag, logical_date=datetime(2026, 11, 20, 4, tzinfo=UTC))
    assert {each.task_id: each.state for each in run.get_task_instances()} == dict.fromkeys(dag.task_ids, "success")

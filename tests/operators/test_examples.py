# SPDX-License-Identifier: Apache-2.0
"""Each example runs as it stands, and asks Klaviyo for what its operators say they do."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from datetime import UTC, datetime
from inspect import getdoc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_klaviyo.api import limits

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

    from airflow_provider_klaviyo.sandbox.server import SandboxServer

EXAMPLES = Path(__file__).parents[2] / "example_dags"
PAGE = re.compile(r"https://developers\.klaviyo\.com/en/reference/(\w+)")
OVERVIEW = "api_overview"  # Klaviyo's page about all operations, which is none
SECTION = re.compile(r"START howto_(?:operator|sensor)_(\w+)")


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
    prepare(name, run_dag)
    sandbox.klaviyo.add_flow("Welcome of Airflow")  # people make flows, no operator does
    sandbox.klaviyo.requests.clear()
    dag = load(name)
    run = run_dag(dag, logical_date=datetime(2026, 11, 20, 4, tzinfo=UTC))
    assert {each.task_id: each.state for each in run.get_task_instances()} == dict.fromkeys(dag.task_ids, "success")
    for operator in shown(name, dag):
        assert operations_of(operator) <= asked_for(sandbox), operator.__name__


def prepare(name: str, run_dag: Callable[..., DagRun]) -> None:
    """Make what an example finds in an account."""
    match name:
        case "klaviyo_events":  # whom the second event is about
            run_dag(load("klaviyo_profiles"))
        case "klaviyo_reports":  # the metric Placed Order
            run_dag(load("klaviyo_commerce_events"))


def shown(name: str, dag: Any) -> set[type[Any]]:
    """Return the operators that an example has a section about."""
    sections = {each.removesuffix("_sensor") for each in SECTION.findall((EXAMPLES / f"{name}.py").read_text(encoding="utf-8"))}
    return {type(task) for task in dag.tasks if snake(type(task).__name__) in sections}


def snake(operator: str) -> str:
    """Return how sections name an operator or a sensor: ``KlaviyoGetListOperator`` as ``get_list``."""
    words = re.findall("[A-Z][a-z]*", operator.removeprefix("Klaviyo").removesuffix("Operator").removesuffix("Sensor"))
    return "_".join(words).lower()


def operations_of(operator: type[Any]) -> set[str]:
    """Return the operations whose reference pages an operator names."""
    return set(PAGE.findall(getdoc(operator) or "")) - {OVERVIEW}


def asked_for(sandbox: SandboxServer) -> set[str]:
    """Return the operations that the local Klaviyo was asked for."""
    found = (limits.find(*name.split(" ")) for name in sandbox.klaviyo.requests if " " in name)
    return {each.id for each in found if each}

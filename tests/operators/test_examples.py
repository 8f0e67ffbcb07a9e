# SPDX-License-Identifier: Apache-2.0
"""Each example runs as it stands, and each of its operators asks Klaviyo for what it says it does, and for nothing else."""

from __future__ import annotations

import importlib.util
import re
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_klaviyo.api import limits
from airflow_provider_klaviyo.operators.request import KlaviyoRequestOperator
from airflow_provider_klaviyo.transfers.base import KlaviyoLoadOperator
from docs._ext import catalogue
from tests.transfers.example_warehouse import example_warehouse

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

    from airflow_provider_klaviyo.sandbox.server import SandboxServer

EXAMPLES = Path(__file__).parents[2] / "example_dags"
Started = tuple[type[Any], Counter[str]]
SECTION = re.compile(r"START howto_(?:operator|sensor)_(\w+)")


def load(name: str) -> Any:
    """Load an example's DAG from its file, as Airflow does."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.dag


WITH_FILES = {"files_to_klaviyo"}
"""Examples that read files: tests/transfers/test_example_files.py lays those out, and runs them."""


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.py") if path.stem not in WITH_FILES))
def test_an_example_runs_and_each_operator_calls_what_it_links(
    sandbox: SandboxServer, run_dag: Callable[..., DagRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with example_warehouse(name, sandbox, tmp_path, monkeypatch):
        check_example(sandbox, run_dag, name)


def check_example(sandbox: SandboxServer, run_dag: Callable[..., DagRun], name: str) -> None:
    """Run an example, and hold what each of its operators calls against what it links."""
    prepare(name, run_dag)
    sandbox.klaviyo.add_flow("Welcome of Airflow")  # people make flows, no operator does
    sandbox.klaviyo.requests.clear()
    dag = load(name)
    started = noting(dag, sandbox)
    run = run_dag(dag, logical_date=datetime(2026, 11, 20, 4, tzinfo=UTC))
    assert {each.task_id: each.state for each in run.get_task_instances()} == dict.fromkeys(dag.task_ids, "success")
    called = asked_for(sandbox, started)
    for operator in shown(name, dag):
        always = {each.id for each, when in catalogue.links(operator, alike=False) if not when}
        assert always <= called[operator], f"{operator.__name__} links what it does not call"
    for operator, asked in called.items():
        if linking(operator):
            assert asked <= {each.id for each in catalogue.named(operator)}, f"{operator.__name__} calls what it does not link"


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


def linking(operator: type[Any]) -> bool:
    """Say whether an operator's docstring links all that it calls: one of ours, but for that of any request, and the loads."""
    ours = operator.__module__.startswith("airflow_provider_klaviyo.")
    return ours and operator is not KlaviyoRequestOperator and not issubclass(operator, KlaviyoLoadOperator)


def noting(dag: Any, sandbox: SandboxServer) -> list[Started]:
    """Note, whenever a task of a DAG begins, its operator and what had been asked before: the tasks run one after the other."""
    started: list[Started] = []

    def note(context: Any) -> None:
        started.append((type(context["task"]), sandbox.klaviyo.requests.copy()))

    for task in dag.tasks:
        task.on_execute_callback = [note]
    return started


def asked_for(sandbox: SandboxServer, started: list[Started]) -> dict[type[Any], set[str]]:
    """Return the operations that the local Klaviyo was asked for, by the operator whose task was running."""
    called: dict[type[Any], set[str]] = {operator: set() for operator, _ in started}
    ends = [*(before for _, before in started[1:]), sandbox.klaviyo.requests]
    for (operator, before), after in zip(started, ends, strict=True):
        called[operator] |= operations(after - before)
    return called


def operations(requests: Iterable[str]) -> set[str]:
    """Return the operations that requests to the local Klaviyo are, by method and path template."""
    found = (limits.find(*name.split(" ")) for name in requests if " " in name)
    return {each.id for each in found if each}

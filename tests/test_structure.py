# SPDX-License-Identifier: Apache-2.0
"""What holds for every operator and sensor, without exemptions."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import BaseOperator

from airflow_provider_klaviyo.provider import get_provider_info

CLONE = Path(__file__).parents[1]
EXAMPLES = "\n".join(path.read_text() for path in (CLONE / "example_dags").glob("*.py"))
DOCS = "\n".join(path.read_text() for path in (CLONE / "docs").rglob("*.md"))


def listed() -> list[str]:
    """Return the modules that the provider says have operators."""
    info: dict[str, Any] = get_provider_info()
    modules = [name for part in ("operators", "sensors") for each in info[part] for name in each["python-modules"]]
    return sorted({*modules, *(each["python-module"] for each in info["transfers"])})


def _built_upon(operator: type[BaseOperator]) -> bool:
    return any(each.__module__.startswith("airflow_provider_klaviyo.") for each in operator.__subclasses__())


def public() -> list[type[BaseOperator]]:
    """Return the operators a DAG can use: those that no other of ours builds upon."""
    found = {
        each
        for name in listed()
        for each in vars(importlib.import_module(name)).values()
        if isinstance(each, type) and issubclass(each, BaseOperator) and each.__module__ == name and not _built_upon(each)
    }
    return sorted(found, key=lambda each: each.__name__)


@pytest.mark.parametrize("operator", public(), ids=lambda each: each.__name__)
def test_every_operator_has_an_example_and_stands_in_the_docs(operator: type[BaseOperator]) -> None:
    assert f"{operator.__name__}(" in EXAMPLES
    assert operator.__name__ in DOCS
    for name in getattr(operator, "_declared", {}):
        assert f":param {name}:" in "".join(each.__doc__ or "" for each in operator.__mro__), name


def test_the_readme_shows_code_that_runs() -> None:
    running = {line.strip() for line in EXAMPLES.splitlines()}
    shown = [block.split("```")[0] for block in (CLONE / "README.md").read_text().split("```python")[1:]]
    assert shown
    assert [line for block in shown for line in block.splitlines() if line.strip() and line.strip() not in running] == []


def test_the_operators_of_the_first_release_are_there() -> None:
    assert {each.__name__ for each in public()} == {
        "KlaviyoAddProfilesToListOperator",
        "KlaviyoBulkCreateEventsOperator",
        "KlaviyoBulkImportProfilesOperator",
        "KlaviyoCreateEventOperator",
        "KlaviyoCreateListOperator",
        "KlaviyoCreateProfileOperator",
        "KlaviyoGetListOperator",
        "KlaviyoGetProfileOperator",
        "KlaviyoJobSensor",
        "KlaviyoListListsOperator",
        "KlaviyoListProfilesOperator",
        "KlaviyoRequestOperator",
        "KlaviyoUpdateProfileOperator",
        "KlaviyoUpsertProfileOperator",
        "ShopifyBulkQueryOperator",
        "ShopifyToKlaviyoEventsOperator",
        "ShopifyToKlaviyoProfilesOperator",
    }

# SPDX-License-Identifier: Apache-2.0
"""The pages have one order, and leave out no operator, no operation and no action. Sphinx itself sees to links and includes."""

from __future__ import annotations

import re
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import pytest
from airflow.sdk import BaseOperator

from airflow_provider_klaviyo.operators.lists import KlaviyoCreateListOperator, KlaviyoListListsOperator
from airflow_provider_klaviyo.operators.request import KlaviyoRequestOperator
from docs._ext import catalogue, docstrings, tables
from docs._ext.catalogue import CatalogueError

PAGES = [catalogue.DOCS / "sensors.md", *sorted(catalogue.DOCS.glob("operators/*.md"))]
OVERVIEWS = {"index", "actions"}
DIRECTIVE = re.compile(
    r"\n(`{3,})\{klaviyo-operator\} \w+\n(?:(?!\1).*\n)+\1\n+(?:\([\w-]+\)=\n)?"
)  # at the end, a target: the next section's
OPERATORS = sorted((each for each in catalogue.public().values() if ".transfers." not in each.__module__), key=lambda each: each.__name__)

ACTIONS = """
    add-profiles-to-list, create-event, create-profile, get-profile, list-campaigns, list-events, list-flows, list-lists, list-profiles,
    raw-api-request, update-profile,
    bulk create events, create campaign, get campaign, list campaigns, update campaign, delete campaign,
    create list, get list, list lists, update list, delete list, list list profiles,
    create segment, get segment, list segments, update segment, delete segment,
    create template, get template, list templates, update template, delete template,
    get image, list images, update image, upload image, get account, list accounts, subscribe profiles, unsubscribe profiles,
    remove from list, upsert profile, get flow, recipient estimation, webhooks with signature check
"""


@pytest.mark.parametrize("page", [each for each in PAGES if each.stem not in OVERVIEWS], ids=lambda page: page.stem)
def test_a_page_tells_what_the_resource_is_then_of_each_operator_then_the_rest(page: Path) -> None:
    introduction, *sections = re.split(r"^## .+\n", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert re.fullmatch(r"# .+\n\n.+", introduction, re.DOTALL)
    assert "{klaviyo-operator} " not in introduction
    alone = [bool(DIRECTIVE.fullmatch(each)) for each in sections]
    assert alone == ["{klaviyo-operator} " in each for each in sections], "a directive stands alone in its section"
    assert any(alone)
    assert alone == sorted(alone, reverse=True), "operators first"


def test_every_operator_is_explained_on_one_page_and_every_sensor_on_that_of_sensors() -> None:
    found = Counter((each.operator, each.page == "sensors.md") for each in catalogue.sections())
    assert found == {(each.__name__, ".sensors." in each.__module__): 1 for each in OPERATORS}


def test_every_transfer_is_explained_in_one_guide() -> None:
    guides = "".join(path.read_text(encoding="utf-8") for path in catalogue.DOCS.glob("guides/*.md"))
    for each in set(catalogue.public().values()) - set(OPERATORS):
        assert guides.count(f".. autoclass:: {each.__module__}.{each.__name__}\n") == 1, each.__name__


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda each: each.__name__)
def test_every_operator_has_an_example_and_links_what_it_calls(operator: type[BaseOperator]) -> None:
    assert catalogue.example(operator.__name__).suffix == ".py"
    if operator.__name__ not in {"KlaviyoRequestOperator", "ShopifyBulkQueryOperator"}:
        assert tables.facts(operator.__name__, {})


def test_all_423_operations_are_listed_each_with_scopes_limits_and_a_way_to_reach_it() -> None:
    sections = tables.operations()
    rows = [row for found in sections.values() for row in found]
    assert catalogue.newest() == 423
    assert len({called for called, *_ in rows}) == len(rows) == 423 + 11  # what browsers and apps call
    assert all(all(row) for row in rows)
    assert [title for title, found in sections.items() if "`/client/" in str(found)] == ["Client"]
    assert len(sections["Client"]) == 1 + 11


def test_a_way_to_reach_an_operation_leads_there() -> None:
    explained = {each.operator: each.link for each in catalogue.sections()}
    for entry in (each for found in catalogue.entries().values() for each in found):
        for operator in entry.operators:
            assert entry.operation in catalogue.named(operator)
            assert operator.__name__ in explained or ".transfers." in operator.__module__
        if not entry.operators and not entry.functions:
            path = re.sub(r"\{\w+\}", "01J", entry.operation.path)
            request = KlaviyoRequestOperator(task_id="any", method=cast("Any", entry.operation.method), path=path).request()
            assert (request.method, request.path) == (entry.operation.method, path)


def test_every_action_of_the_connector_pages_stands_in_the_table() -> None:
    table = [line.strip("| \n").split(" | ") for line in _actions().splitlines() if line.startswith("| ")][2:]
    told = [name.strip("` ") for action, *_ in table for name in action.split(",")]
    assert sorted(told) == sorted(name.strip() for name in ACTIONS.split(","))


def test_every_operator_of_the_table_of_actions_exists() -> None:
    named = re.findall(r"\{klaviyo-operator\}`(\w+)`", _actions())
    assert [name for name in named if name not in catalogue.public()] == []


def test_every_function_of_the_table_of_actions_exists() -> None:
    cells = [line.rpartition(" | ")[2] for line in _actions().splitlines() if line.startswith("| ")]
    functions = [name for cell in cells for name in re.findall(r"`([\w.]+)`", cell)]
    assert functions
    for module, _, name in (each.partition(".") for each in functions):
        assert callable(getattr(import_module(f"airflow_provider_klaviyo.api.{module}"), name)), f"{module}.{name}"


def test_what_base_classes_say_of_parameters_stands_with_the_operator_s_own() -> None:
    told = [each.split(":")[1] for each in docstrings.fields(KlaviyoListListsOperator)]
    declared = [f"param {name}" for name in KlaviyoListListsOperator._declared]
    assert sorted(told) == sorted([*declared, "return"])
    assert told[-1] == "return"


@pytest.mark.parametrize(
    ("name", "marker"),
    [
        ("KlaviyoCreateListOperator", "howto_operator_create_list"),
        ("KlaviyoJobSensor", "howto_sensor_job"),
        ("ShopifyBulkQueryOperator", "howto_operator_shopify_bulk_query"),
    ],
)
def test_an_example_is_found_by_the_operator_s_name(name: str, marker: str) -> None:
    assert catalogue.marker(name) == marker


def test_what_an_operator_calls_at_times_says_so_in_its_table_and_is_no_way_to_reach_the_operation() -> None:
    told = {called.partition("]")[0]: called.partition("<br>")[2] for called, *_ in tables.facts("KlaviyoCreateListOperator", {})}
    assert told == {"[create_list": "", "[get_lists": "", "[get_list": "in a retry"}
    ways = {entry.operation.id: entry.operators for found in catalogue.entries().values() for entry in found}
    assert KlaviyoCreateListOperator not in ways["get_list"]


def test_what_a_section_needs_and_does_not_find_is_an_error_that_names_it() -> None:
    class KlaviyoNothingOperator:
        """
        Do nothing.

        https://developers.klaviyo.com/en/reference/get_nothing
        """

    with pytest.raises(CatalogueError, match=r"KlaviyoNothingOperator links the reference page get_nothing"):
        catalogue.named(KlaviyoNothingOperator)
    with pytest.raises(CatalogueError, match=r"class KlaviyoNothingOperator"):
        catalogue.operator("KlaviyoNothingOperator")
    with pytest.raises(CatalogueError, match=r"# \[START howto_operator_nothing\]"):
        catalogue.example("KlaviyoNothingOperator")
    with pytest.raises(CatalogueError, match=r"links no operation"):
        tables.facts("KlaviyoRequestOperator", {})
    with pytest.raises(CatalogueError, match=r"missing: scopes, limits"):
        tables.facts("KlaviyoRequestOperator", {"operation": "any"})


def _actions() -> str:
    return (catalogue.DOCS / "operators" / "actions.md").read_text(encoding="utf-8")

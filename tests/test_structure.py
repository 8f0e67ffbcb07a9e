# SPDX-License-Identifier: Apache-2.0
"""What holds for every operator and sensor, without exemptions."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import BaseOperator

from airflow_provider_klaviyo import api
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


#: Endpoint functions that no operator makes a request with, and why.
WITHOUT_OPERATOR = {
    "webhooks.topic": "a topic has nothing but its id, and the list has them all",
}


def endpoint_functions() -> list[str]:
    """Return the functions of the API that make requests, as ``module.function``."""
    return [
        f"{found.name}.{name}"
        for found in pkgutil.iter_modules(api.__path__)
        for name, function in inspect.getmembers(importlib.import_module(f"{api.__name__}.{found.name}"), inspect.isfunction)
        if function.__module__ == f"{api.__name__}.{found.name}" and "developers.klaviyo.com/en/reference/" in (function.__doc__ or "")
    ]


def test_every_endpoint_function_serves_an_operator_or_has_a_reason_not_to() -> None:
    package = CLONE / "airflow_provider_klaviyo"
    rooms = ("operators", "sensors", "triggers", "transfers", "loading", "hooks")
    code = "\n".join(path.read_text() for room in rooms for path in (package / room).rglob("*.py"))
    code += (package / "watch.py").read_text()
    unused = {each for each in endpoint_functions() if not re.search(rf"\b{re.escape(each)}\b", code)}
    assert unused == set(WITHOUT_OPERATOR)


def test_the_operators_are_those_of_the_design() -> None:
    assert [each.__name__ for each in public()] == OPERATORS.split()


OPERATORS = """
    KlaviyoAddProfilesToListOperator
    KlaviyoAssignTemplateToCampaignMessageOperator
    KlaviyoBulkCreateCatalogCategoriesOperator
    KlaviyoBulkCreateCatalogItemsOperator
    KlaviyoBulkCreateCatalogVariantsOperator
    KlaviyoBulkCreateCouponCodesOperator
    KlaviyoBulkCreateEventsOperator
    KlaviyoBulkDeleteCatalogCategoriesOperator
    KlaviyoBulkDeleteCatalogItemsOperator
    KlaviyoBulkDeleteCatalogVariantsOperator
    KlaviyoBulkImportProfilesOperator
    KlaviyoBulkUpdateCatalogCategoriesOperator
    KlaviyoBulkUpdateCatalogItemsOperator
    KlaviyoBulkUpdateCatalogVariantsOperator
    KlaviyoCampaignSensor
    KlaviyoCancelCampaignSendOperator
    KlaviyoCloneCampaignOperator
    KlaviyoCloneTemplateOperator
    KlaviyoCreateCampaignOperator
    KlaviyoCreateCouponOperator
    KlaviyoCreateEventOperator
    KlaviyoCreateListOperator
    KlaviyoCreateProfileOperator
    KlaviyoCreateSegmentOperator
    KlaviyoCreateTagOperator
    KlaviyoCreateTemplateOperator
    KlaviyoCreateWebhookOperator
    KlaviyoDeleteCampaignOperator
    KlaviyoDeleteListOperator
    KlaviyoDeleteProfileDataOperator
    KlaviyoDeleteSegmentOperator
    KlaviyoDeleteTagOperator
    KlaviyoDeleteTemplateOperator
    KlaviyoDeleteWebhookOperator
    KlaviyoEstimateCampaignRecipientsOperator
    KlaviyoEventSensor
    KlaviyoGetAccountOperator
    KlaviyoGetCampaignOperator
    KlaviyoGetEventOperator
    KlaviyoGetFlowOperator
    KlaviyoGetImageOperator
    KlaviyoGetListOperator
    KlaviyoGetMetricOperator
    KlaviyoGetProfileOperator
    KlaviyoGetSegmentOperator
    KlaviyoGetTemplateOperator
    KlaviyoGetWebhookOperator
    KlaviyoJobSensor
    KlaviyoListAccountsOperator
    KlaviyoListCampaignsOperator
    KlaviyoListCatalogItemsOperator
    KlaviyoListCouponsOperator
    KlaviyoListEventsOperator
    KlaviyoListFlowsOperator
    KlaviyoListImagesOperator
    KlaviyoListListProfilesOperator
    KlaviyoListListsOperator
    KlaviyoListMetricsOperator
    KlaviyoListProfilesOperator
    KlaviyoListSegmentProfilesOperator
    KlaviyoListSegmentsOperator
    KlaviyoListTagsOperator
    KlaviyoListTemplatesOperator
    KlaviyoListWebhookTopicsOperator
    KlaviyoListWebhooksOperator
    KlaviyoMergeProfilesOperator
    KlaviyoQueryCampaignValuesOperator
    KlaviyoQueryFlowSeriesOperator
    KlaviyoQueryFlowValuesOperator
    KlaviyoQueryFormSeriesOperator
    KlaviyoQueryFormValuesOperator
    KlaviyoQueryMetricAggregatesOperator
    KlaviyoQuerySegmentSeriesOperator
    KlaviyoQuerySegmentValuesOperator
    KlaviyoRemoveProfilesFromListOperator
    KlaviyoRenderTemplateOperator
    KlaviyoRequestOperator
    KlaviyoScheduleCampaignOperator
    KlaviyoSendCampaignOperator
    KlaviyoSubscribeProfilesOperator
    KlaviyoSuppressProfilesOperator
    KlaviyoSyncListProfilesOperator
    KlaviyoTagResourcesOperator
    KlaviyoUnsubscribeProfilesOperator
    KlaviyoUnsuppressProfilesOperator
    KlaviyoUpdateCampaignOperator
    KlaviyoUpdateFlowStatusOperator
    KlaviyoUpdateImageOperator
    KlaviyoUpdateListOperator
    KlaviyoUpdateProfileOperator
    KlaviyoUpdateSegmentOperator
    KlaviyoUpdateTemplateOperator
    KlaviyoUpdateWebhookOperator
    KlaviyoUploadImageOperator
    KlaviyoUpsertProfileOperator
    ObjectStorageToKlaviyoConsentOperator
    ObjectStorageToKlaviyoEventsOperator
    ObjectStorageToKlaviyoProfilesOperator
    ShopifyBulkQueryOperator
    ShopifyToKlaviyoConsentOperator
    ShopifyToKlaviyoEventsOperator
    ShopifyToKlaviyoProfilesOperator
    SqlToKlaviyoConsentOperator
    SqlToKlaviyoEventsOperator
    SqlToKlaviyoListOperator
    SqlToKlaviyoProfilesOperator
"""

# SPDX-License-Identifier: Apache-2.0
"""Operators for catalogs, against the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_klaviyo.api import catalogs
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError, KlaviyoInDoubt, KlaviyoJobFailed, KlaviyoUnanswered
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.operators.catalogs import (
    KlaviyoBulkCreateCatalogCategoriesOperator,
    KlaviyoBulkCreateCatalogItemsOperator,
    KlaviyoBulkCreateCatalogVariantsOperator,
    KlaviyoBulkDeleteCatalogCategoriesOperator,
    KlaviyoBulkDeleteCatalogItemsOperator,
    KlaviyoBulkDeleteCatalogVariantsOperator,
    KlaviyoBulkUpdateCatalogCategoriesOperator,
    KlaviyoBulkUpdateCatalogItemsOperator,
    KlaviyoBulkUpdateCatalogVariantsOperator,
    KlaviyoListCatalogItemsOperator,
)
from tests.operators.kit import Killed, Store, context

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

    Run = Callable[..., Any]

POST = "POST /api/catalog-item-bulk-create-jobs"
QUICK = {"poll_interval": 0.02, "job_timeout": 60, "deferrable": False}
ITEMS = [{"external_id": f"SKU{n}", "title": f"Item {n}", "description": "D", "url": f"https://example.com/{n}"} for n in range(3)]


def listed(**query: Any) -> dict[str, Any]:
    """Return the account's items by their external ids."""
    with KlaviyoHook().session() as klaviyo:
        return {each["attributes"]["external_id"]: each for each in klaviyo.walk(catalogs.list_items(**query))}


def start(*items: dict[str, Any]) -> None:
    """Let another client make items."""
    with KlaviyoHook().session() as klaviyo:
        klaviyo.send(catalogs.bulk_create_items(items=items))


def create(store: Store | None = None, max_tries: int = 2, **fields: Any) -> Any:
    operator = KlaviyoBulkCreateCatalogItemsOperator(task_id="items", **{"items": ITEMS, **QUICK, **fields})
    return operator.execute(context(store, max_tries=max_tries))


def killed(store: Store) -> None:
    """Start the job, and die before that is noted."""
    store.writes_left = 2  # what it is about, and that it is sent
    with pytest.raises(Killed):
        create(store)
    store.writes_left = None


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_catalog_is_made_changed_and_deleted(sandbox: SandboxServer, run: Run, deferrable: bool) -> None:
    quick = {"poll_interval": 0.02, "deferrable": deferrable}
    categories = [{"external_id": "SHIRTS", "name": "Shirts"}, {"external_id": "HATS", "name": "Hats"}]
    made = run(KlaviyoBulkCreateCatalogCategoriesOperator, categories="{{ " + repr(categories) + " }}", **quick).returned
    assert {name: made[name] for name in ("kind", "status", "total", "completed", "failed", "errors")} == {
        "kind": "catalog-category-bulk-create",
        "status": "complete",
        "total": 2,
        "completed": 2,
        "failed": 0,
        "errors": [],
    }
    assert (
        run(KlaviyoBulkCreateCatalogItemsOperator, items=[{**each, "categories": ["SHIRTS"]} for each in ITEMS], **quick).state == "success"
    )
    variant = {
        **ITEMS[0],
        "external_id": "SKU0-M",
        "sku": "S0M",
        "price": 9.5,
        "inventory_quantity": 0,
        "inventory_policy": 1,
        "item": "SKU0",
    }
    assert run(KlaviyoBulkCreateCatalogVariantsOperator, variants=[variant], **quick).state == "success"

    items = [{"id": "$custom:::$default:::SKU0", "price": 5}, {"external_id": "SKU1", "published": False, "categories": ["HATS"]}]
    assert run(KlaviyoBulkUpdateCatalogItemsOperator, items=items, **quick).returned["completed"] == 2
    run(KlaviyoBulkUpdateCatalogVariantsOperator, variants=[{"id": "SKU0-M", "inventory_quantity": 7}], **quick)
    run(KlaviyoBulkUpdateCatalogCategoriesOperator, categories=[{"id": "HATS", "items": ["SKU1", "SKU2"]}], **quick)
    found = listed(include="variants")
    assert (found["SKU0"]["attributes"]["price"], found["SKU0"]["attributes"]["title"]) == (5, "Item 0")
    assert found["SKU0"]["relationships"]["variants"]["data"] == [{"type": "catalog-variant", "id": "$custom:::$default:::SKU0-M"}]
    assert sorted(listed(filter='equals(category.id,"$custom:::$default:::HATS")')) == ["SKU1", "SKU2"]
    assert sorted(listed(filter='equals(category.id,"$custom:::$default:::SHIRTS")')) == ["SKU0", "SKU2"]
    assert sorted(listed(filter="equals(published,false)")) == ["SKU1"]

    read = run(KlaviyoListCatalogItemsOperator, filter='contains(title,"Item 0")', include=["variants"])
    assert [each["attributes"]["inventory_quantity"] for each in read.returned[0]["included"]] == [7]
    assert run(KlaviyoBulkDeleteCatalogVariantsOperator, variant_ids=["SKU0-M"], **quick).returned["completed"] == 1
    assert run(KlaviyoBulkDeleteCatalogCategoriesOperator, category_ids=["SHIRTS", "HATS"], **quick).returned["completed"] == 2
    assert run(KlaviyoBulkDeleteCatalogItemsOperator, item_ids="{{ ['SKU0', 'SKU1'] }}", **quick).returned["completed"] == 2
    assert sorted(listed()) == ["SKU2"]


@pytest.mark.parametrize("deferrable", [False, True])
def test_rows_that_failed_fail_the_task_which_says_why(sandbox: SandboxServer, run: Run, deferrable: bool) -> None:
    quick = {"poll_interval": 0.02, "deferrable": deferrable, "retries": 2}
    create(items=ITEMS[1:2])
    failed = run(KlaviyoBulkCreateCatalogItemsOperator, items=ITEMS, **quick)
    assert (failed.state, failed.tries) == ("failed", 1)
    assert "1 of 3 rows failed (0 allowed): conflict at /data/attributes/items/data/1: Item with id" in failed.said
    rows = [{"id": "SKU0", "title": "New"}, {"id": "SKU9", "title": "New"}]
    allowed = run(KlaviyoBulkUpdateCatalogItemsOperator, items=rows, allowed_failures=1, **quick).returned
    assert (allowed["completed"], allowed["failed"]) == (1, 1)
    assert [(each["code"], each["pointer"]) for each in allowed["errors"]] == [("not_found", "/data/attributes/items/data/1")]


def test_only_the_first_few_failures_are_named(sandbox: SandboxServer) -> None:
    sandbox.klaviyo.next_job(fail=range(3, 10))
    many = [{**ITEMS[0], "external_id": n} for n in range(10)]
    with pytest.raises(KlaviyoJobFailed, match=r"7 of 10 rows failed .*data/3: .*data/7: Invalid input\.; and 2 more$"):
        create(items=many)


def test_what_is_not_there_need_not_be_deleted(sandbox: SandboxServer, run: Run) -> None:
    create()
    done = run(KlaviyoBulkDeleteCatalogItemsOperator, item_ids=["SKU0", "SKU8", "SKU9"], poll_interval=0.02)
    assert (done.returned["completed"], done.returned["skipped"], done.returned["failed"]) == (1, 2, 0)
    sandbox.klaviyo.behaviour.job_seconds = 0
    sandbox.fail(method="POST", path="/api/catalog-item-bulk-delete-jobs", drop="after")
    twice = run(KlaviyoBulkDeleteCatalogItemsOperator, item_ids=["SKU1"], poll_interval=0.02)
    assert (twice.state, twice.returned["skipped"]) == ("success", 1)
    assert sorted(listed()) == ["SKU2"]


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([], "1 to 100 items, not 0"),
        ([{**ITEMS[0], "external_id": n} for n in range(101)], "not 101: split them, in a DAG with expand()"),
        ([ITEMS[0], {**ITEMS[1], "titles": "x"}], r"items\[1\] has no 'titles': did you mean title\?"),
        ([{**ITEMS[0], "price": "19.99"}], r"items\[0\]\.price is a number"),
    ],
)
def test_wrong_rows_are_refused_before_anything_is_sent(sandbox: SandboxServer, items: Any, said: str) -> None:
    with pytest.raises(KlaviyoConfigError, match=said):
        create(items=items)
    assert POST not in sandbox.klaviyo.requests


# ── a job whose start was not answered ──────────────────────────────────────────────


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_job_whose_start_was_not_answered_is_started_once(sandbox: SandboxServer, run: Run, drop: Any) -> None:
    sandbox.klaviyo.behaviour.job_seconds = 0
    start({**ITEMS[0], "external_id": "OTHER"})
    sandbox.fail(method="POST", path="/api/catalog-item-bulk-create-jobs", drop=drop)
    made = run(KlaviyoBulkCreateCatalogItemsOperator, items=ITEMS, retries=1, poll_interval=0.02)
    assert (made.state, made.tries, made.returned["completed"]) == ("success", 2, 3)
    assert sandbox.klaviyo.requests[POST] == (3 if drop == "before" else 2)
    assert sorted(listed()) == ["OTHER", "SKU0", "SKU1", "SKU2"]


def test_a_worker_killed_between_leaves_one_job(sandbox: SandboxServer) -> None:
    store = Store()
    sandbox.klaviyo.behaviour.job_seconds = 0
    killed(store)
    assert create(store)["completed"] == 3
    assert sandbox.klaviyo.requests[POST] == 1
    assert "SKU" not in str(store)


def test_rows_of_the_job_may_have_failed(sandbox: SandboxServer) -> None:
    store = Store()
    sandbox.klaviyo.behaviour.job_seconds = 0
    start(ITEMS[1])
    killed(store)
    with pytest.raises(KlaviyoJobFailed, match=r"1 of 3 rows failed .* conflict at /data/attributes/items/data/1"):
        create(store)
    assert sandbox.klaviyo.requests[POST] == 2


def test_a_job_of_another_client_is_not_taken_for_it(sandbox: SandboxServer) -> None:
    store = Store()
    sandbox.klaviyo.behaviour.job_seconds = 0
    sandbox.fail(method="POST", path="/api/catalog-item-bulk-create-jobs", drop="before")
    with pytest.raises(KlaviyoUnanswered):
        create(store)
    start(*({**each, "external_id": f"X{each['external_id']}"} for each in ITEMS))
    assert create(store)["completed"] == 3
    assert len(listed()) == 6


def test_a_job_that_may_be_it_is_waited_for(sandbox: SandboxServer) -> None:
    store = Store()
    sandbox.klaviyo.behaviour.job_seconds = 0.3
    killed(store)
    with pytest.raises(KlaviyoUnanswered, match="a job that may be its own is not done yet") as waiting:
        create(store)
    assert not waiting.value.permanent, "Airflow tries again"
    done: Any = None
    while done is None:
        with suppress(KlaviyoUnanswered):
            done = create(store)
    assert done["completed"] == 3
    assert sandbox.klaviyo.requests[POST] == 1


def test_a_job_that_made_nothing_leaves_doubt(sandbox: SandboxServer) -> None:
    store = Store()
    sandbox.klaviyo.behaviour.job_seconds = 0
    sandbox.klaviyo.next_job("cancelled")
    killed(store)
    with pytest.raises(KlaviyoInDoubt, match="clear this task"):
        create(store)
    assert sandbox.klaviyo.requests[POST] == 1
    assert create(store, max_tries=5)["completed"] == 3, "clearing it is a person's word to send it"


def test_a_change_is_sent_again(sandbox: SandboxServer, run: Run) -> None:
    """It is the same twice."""
    create()
    sandbox.fail(method="POST", path="/api/catalog-item-bulk-update-jobs", drop="after")
    changed = run(KlaviyoBulkUpdateCatalogItemsOperator, items=[{"id": "SKU0", "title": "New"}], poll_interval=0.02)
    assert (changed.state, changed.tries, changed.returned["completed"]) == ("success", 1, 1)
    assert listed()["SKU0"]["attributes"]["title"] == "New"

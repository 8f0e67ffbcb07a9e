# SPDX-License-Identifier: Apache-2.0
"""A bulk operation is run once, waited for in either way, and an end without a result says what to do."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import TaskDeferred
from airflow.sdk.serde import deserialize, serialize

from airflow_provider_klaviyo.hooks.shopify import ShopifyHook
from airflow_provider_klaviyo.operators.base import Journal
from airflow_provider_klaviyo.operators.shopify import ShopifyBulkQueryOperator, bulk_operation
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from airflow_provider_klaviyo.sandbox.shopify import ShopFault
from airflow_provider_klaviyo.sandbox.shopify.faults import Fault
from airflow_provider_klaviyo.shopify import queries
from airflow_provider_klaviyo.shopify.errors import ShopifyApiError, ShopifyBulkFailed, ShopifyError
from airflow_provider_klaviyo.shopify.queries import BulkQuery
from airflow_provider_klaviyo.triggers.shopify import ShopifyBulkTrigger

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

QUERY = "{ customers(sortKey: UPDATED_AT) { edges { node { id updatedAt } } } }"
MODES = pytest.mark.parametrize("deferrable", [False, True])

RunDag = Callable[..., "DagRun"]


class Store(dict[str, Any]):
    """A task state store that lasts as long as the test."""

    def set(self, key: str, value: Any, **_: Any) -> None:
        self[key] = json.loads(json.dumps(value))


def context(store: Store | None = None, max_tries: int = 1) -> Any:
    return {"task_state_store": Store() if store is None else store, "ti": SimpleNamespace(max_tries=max_tries)}


def operator(**fields: Any) -> ShopifyBulkQueryOperator:
    return ShopifyBulkQueryOperator(**{"task_id": "bulk", "query": QUERY, "poll_interval": 0.05, "deferrable": False, **fields})


@pytest.fixture
def shop(sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> SandboxServer:
    """Hand out the sandbox with a connection that gives up at the first failure: tries of the task are what is tested."""
    connection = json.loads(sandbox.connections["AIRFLOW_CONN_SHOPIFY_DEFAULT"]) | {"extra": {"max_attempts": 1}}
    monkeypatch.setenv("AIRFLOW_CONN_SHOPIFY_DEFAULT", json.dumps(connection))
    return sandbox


def starts(sandbox: SandboxServer) -> int:
    return sandbox.shopify.requests.get("bulkOperationRunQuery", 0)


def run(run_dag: RunDag, **fields: Any) -> Any:
    """Run a DAG with the operator in it and return its task instance."""
    with DAG("bulk", schedule=None) as dag:
        operator(retry_delay=timedelta(0), **fields)
    return run_dag(dag).get_task_instance("bulk")


@MODES
def test_it_returns_what_shopify_says_but_never_the_address(shop: SandboxServer, run_dag: RunDag, deferrable: bool) -> None:
    task = run(run_dag, deferrable=deferrable, query="{ customers { edges { node { id } } } } # {{ dag.dag_id }}")
    returned = task.xcom_pull(task_ids="bulk")
    (operation,) = shop.shopify.bulk.all.values()
    assert task.state == "success"
    assert operation.query.endswith("# bulk")
    assert (returned["id"], returned["status"], returned["root_object_count"]) == (
        operation.id,
        "COMPLETED",
        shop.shopify.tallies()["customers"],
    )
    assert returned["file_size"] > 0
    assert "http" not in str(returned)


@MODES
@pytest.mark.parametrize(
    ("fault", "detail", "says"),
    [
        (ShopFault.BULK_FAILED, "TIMEOUT", "shorter window"),
        (ShopFault.BULK_CANCELED, "", "cancelled it, or Shopify did"),
        (ShopFault.BULK_EXPIRED, "", "seven days"),
    ],
)
def test_an_end_without_a_result_fails_the_try_and_the_next_runs_anew(
    shop: SandboxServer, deferrable: bool, fault: ShopFault, detail: str, says: str
) -> None:
    shop.shopify.fail(fault, detail=detail)
    store = Store()
    with pytest.raises(ShopifyBulkFailed, match=says):
        finish(deferrable, store)
    assert finish(deferrable, store)["status"] == "COMPLETED"
    assert starts(shop) == 2


def finish(deferrable: bool, store: Store, max_tries: int = 1) -> Any:
    """Run one try to its end, standing in for the triggerer where the task defers."""
    task = operator(deferrable=deferrable)
    step: Callable[[], Any] = lambda: task.execute(context(store, max_tries))  # noqa: E731
    while True:
        try:
            return step()
        except TaskDeferred as deferred:
            event = fired(deferred.trigger)
            step = lambda event=event: task.resume(context(store, max_tries), event)  # type: ignore[misc]  # noqa: E731


def fired(trigger: Any) -> Any:
    """Run a trigger as the triggerer does: made anew from what it serializes to."""
    path, fields = trigger.serialize()
    assert path == "airflow_provider_klaviyo.triggers.shopify.ShopifyBulkTrigger"
    anew = ShopifyBulkTrigger(**cast("dict[str, Any]", deserialize(serialize(fields))))

    async def first() -> Any:
        return json.loads(json.dumps((await anext(anew.run())).payload))

    return asyncio.run(asyncio.wait_for(first(), 20))


@MODES
def test_a_retry_goes_on_waiting_for_the_same_operation(shop: SandboxServer, run_dag: RunDag, deferrable: bool) -> None:
    shop.shopify.fail(ShopFault.HTTP_STATUS, detail="502", root="bulkOperation")
    task = run(run_dag, deferrable=deferrable, retries=2)
    assert task.state == "success"
    assert starts(shop) == 1


def test_an_operation_that_started_unanswered_is_found_again(shop: SandboxServer) -> None:
    shop.shopify.settings.job_seconds = 1.0
    shop.shopify.fail(ShopFault.DROP_AFTER, root="bulkOperationRunQuery")
    store = Store()
    with pytest.raises(ShopifyApiError, match="may have been carried out"):
        finish(False, store)
    (operation,) = shop.shopify.bulk.all.values()
    while operation.status(time.time()) == "CREATED":  # the list knows what runs, not what is about to
        time.sleep(0.02)
    assert finish(False, store)["id"] == operation.id
    assert starts(shop) == 1


def test_what_was_certainly_not_started_is_started_by_the_next_try(shop: SandboxServer) -> None:
    shop.shopify.fail(ShopFault.DROP_BEFORE, root="bulkOperationRunQuery")
    store = Store()
    with pytest.raises(ShopifyApiError):
        finish(False, store)
    assert finish(False, store)["status"] == "COMPLETED"
    assert len(shop.shopify.bulk.all) == 1


def test_clearing_a_finished_task_runs_it_anew(shop: SandboxServer) -> None:
    store = Store()
    first, cleared = finish(False, store), finish(False, store, max_tries=3)
    assert first["id"] != cleared["id"]


def test_another_query_is_another_operation(shop: SandboxServer) -> None:
    store = Store()
    journal = Journal(context(store))
    task = operator()
    options: dict[str, Any] = {"shopify_conn_id": "shopify_default", "deferrable": False, "poll_interval": 0.05}
    first = bulk_operation(task, journal, BulkQuery(QUERY), **options)
    assert bulk_operation(task, journal, BulkQuery(QUERY), **options).id == first.id
    assert bulk_operation(task, journal, queries.orders(), **options).id != first.id


def test_a_result_that_shopify_no_longer_keeps_is_fetched_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task cleared after nine days: its operation is EXPIRED, which is no reason to fail."""
    with SandboxServer(job_seconds=0.05, customers=5, orders=5, clock=lambda: time.time() - 9 * 86400) as nine_days_ago:
        for name, value in nine_days_ago.connections.items():
            monkeypatch.setenv(name, value)
        nine_days_ago.shopify.fail(ShopFault.BULK_EXPIRED)
        assert finish(False, Store())["status"] == "COMPLETED"
        assert starts(nine_days_ago) == 2


@MODES
def test_where_five_run_already_it_waits_for_one_to_end(shop: SandboxServer, deferrable: bool) -> None:
    taken = shop.shopify.bulk.occupy()
    task, store = operator(deferrable=True), Store()
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context(store))
    assert sorted(deferred.value.trigger.operation_ids) == sorted(taken)
    with ShopifyHook().session() as shopify:
        shopify.send(queries.cancel(taken[2]))
    event = fired(deferred.value.trigger)
    assert event["operation"]["id"] == taken[2]
    task.deferrable = deferrable
    assert finish(deferrable, store)["status"] == "COMPLETED"


def test_without_waiting_it_ends_when_the_operation_has_started(shop: SandboxServer, run_dag: RunDag) -> None:
    shop.shopify.settings.job_seconds = 60
    assert run(run_dag, wait_for_completion=False).xcom_pull(task_ids="bulk")["status"] == "CREATED"


def test_a_search_term_that_shopify_would_drop_stops_it_before_it_starts(shop: SandboxServer) -> None:
    search = "updated_at:>=2026-11-18T19:45:00Z"
    query = BulkQuery(QUERY, probe=queries.probe("customers", search))
    with pytest.raises(ShopifyApiError, match="answer with everything"):
        bulk_operation(operator(), Journal(context()), query, shopify_conn_id="shopify_default", deferrable=False)
    assert starts(shop) == 0


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("{ shop { id } }", "must contain at least one connection"),
        ("{ customers { nodes { id } } }", "'edges' > 'node'"),
        ("{ customers { edges { node { id shoeSize } } } }", "shoeSize"),
    ],
)
def test_a_query_that_cannot_run_is_refused_once_with_shopifys_words(shop: SandboxServer, run_dag: RunDag, query: str, says: str) -> None:
    with pytest.raises(ShopifyApiError, match=says):
        operator(query=query).execute(context())
    before = starts(shop)
    task = run(run_dag, query=query, retries=3)
    assert (task.state, task.try_number, starts(shop)) == ("failed", 1, before + 1)


@pytest.mark.parametrize(
    ("fault", "detail"),
    [(ShopFault.ACCESS_DENIED, "read_customers"), (ShopFault.UNAUTHORIZED, ""), (ShopFault.BULK_STATUS, "PONDERING")],
)
def test_both_ways_of_waiting_raise_the_same(shop: SandboxServer, fault: ShopFault, detail: str) -> None:
    raised = []
    for deferrable in (False, True):
        shop.shopify.settings.job_seconds = 0.4
        store = Store()
        with pytest.raises(TaskDeferred) as deferred:
            operator(deferrable=True).execute(context(store))
        (*_, latest) = shop.shopify.bulk.all
        if fault is ShopFault.BULK_STATUS:  # of an operation that runs already
            shop.shopify.bulk.all[latest].fault = Fault(fault, detail)
        else:
            shop.shopify.fail(fault, detail=detail, root="bulkOperation")
        event = fired(deferred.value.trigger) if deferrable else None
        with pytest.raises(ShopifyError) as failure:
            operator().resume(context(store), event)
        raised.append((type(failure.value), str(failure.value).replace(latest, "it"), failure.value.permanent))
    assert raised[0] == raised[1]
    assert raised[0][2]


def test_a_trigger_waits_out_what_passes(shop: SandboxServer) -> None:
    with pytest.raises(TaskDeferred) as deferred:
        operator(deferrable=True).execute(context())
    shop.shopify.fail(ShopFault.HTTP_STATUS, detail="502", root="bulkOperation")
    shop.shopify.fail(ShopFault.DROP_AFTER, root="bulkOperation", times=2)
    assert fired(deferred.value.trigger)["operation"]["status"] == "COMPLETED"


def test_a_deferred_task_has_airflows_own_time_limit(shop: SandboxServer) -> None:
    with pytest.raises(TaskDeferred) as deferred:
        operator(deferrable=True, execution_timeout=timedelta(hours=2)).execute(context())
    assert deferred.value.timeout == timedelta(hours=2)


def test_neither_token_nor_address_is_kept_or_logged(
    shop: SandboxServer, run_dag: RunDag, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    store = Store()
    finish(True, store)
    run(run_dag, deferrable=True)
    out, err = capfd.readouterr()
    for text in (out, err, caplog.text, str(store)):
        assert "shpat_" not in text
        assert "Signature" not in text

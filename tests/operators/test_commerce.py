# SPDX-License-Identifier: Apache-2.0
"""Standard e-commerce events, from a task to the sandbox."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, task

from airflow_provider_klaviyo.api import commerce, events
from airflow_provider_klaviyo.api.commerce import Order
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.loading import Plan, load
from airflow_provider_klaviyo.operators.events import KlaviyoBulkCreateEventsOperator, KlaviyoCreateEventOperator

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

    from airflow_provider_klaviyo.api.bodies import Event
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

ORDER: Order = {
    "order_id": 1234,
    "profile": {"email": "sarah@example.com"},
    "time": dt.datetime(2026, 11, 1, 10, tzinfo=dt.UTC),
    "value": Decimal("44.97"),
    "value_currency": "EUR",
    "items": [
        {"product_id": 1111, "product_name": "Winnie the Pooh", "price": Decimal("9.99"), "brand": "Kids Books"},
        {"product_id": 1112, "product_name": "A Tale of Two Cities", "quantity": 2, "price": Decimal("19.99")},
    ],
}


def stored() -> list[tuple[str, str, float]]:
    """Read all events back: id, item names or product, value."""
    with KlaviyoHook().session() as klaviyo:
        found = [each["attributes"]["event_properties"] for each in klaviyo.walk(events.list_())]
    return sorted((each["$event_id"], str(each.get("ProductName", each.get("ItemNames"))), each["$value"]) for each in found)


EVENTS = [
    ("1234", "['Winnie the Pooh', 'A Tale of Two Cities']", 44.97),
    ("1234:product:1111", "Winnie the Pooh", 9.99),
    ("1234:product:1112", "A Tale of Two Cities", 39.98),
]


def test_events_of_a_task_go_through_xcom_to_the_operator(sandbox: SandboxServer, run_dag: Callable[..., DagRun]) -> None:
    with DAG("commerce", schedule=None, start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)) as dag:

        @task
        def orders() -> list[dict[str, Any]]:
            return [dict(ORDER)]

        @task
        def built(rows: list[dict[str, Any]]) -> list[Event]:
            return [event for row in rows for event in (commerce.placed_order(**row), *commerce.ordered_products(**row))]

        KlaviyoBulkCreateEventsOperator(task_id="send", events=built(orders()))  # type: ignore[arg-type]

    finished = run_dag(dag)
    assert finished.state == "success"
    instance = finished.get_task_instance("send")
    assert instance is not None
    assert instance.xcom_pull(task_ids="send") == {"accepted": 3}
    assert stored() == EVENTS


def test_an_event_is_mapped_over_the_operator_for_one(sandbox: SandboxServer, run_dag: Callable[..., DagRun]) -> None:
    with DAG("commerce_one", schedule=None, start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)) as dag:

        @task
        def built() -> list[Event]:
            return commerce.ordered_products(**ORDER)

        KlaviyoCreateEventOperator.partial(task_id="send").expand_kwargs(built())

    assert run_dag(dag).state == "success"
    assert stored() == EVENTS[1:]


def test_a_load_takes_them_as_they_are(sandbox: SandboxServer, tmp_path: Path) -> None:
    rows = [commerce.placed_order(**ORDER), *commerce.ordered_products(**ORDER), commerce.placed_order(**ORDER)]
    with KlaviyoHook().session() as klaviyo:
        report = load(klaviyo, rows, Plan(kind="events", staging_path=tmp_path)).as_json()
    assert (report["read"], report["accepted"], report["duplicate"], report["rejected"]) == (4, 3, 1, 0)
    assert stored() == EVENTS

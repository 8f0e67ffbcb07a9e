# SPDX-License-Identifier: Apache-2.0
"""What the example DAG wrote, read back by Klaviyo's official SDK, unchanged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from klaviyo_api import KlaviyoAPI

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

    from airflow_provider_klaviyo.sandbox.server import SandboxServer

LOADS = ("customers_to_profiles", "orders_to_events")
DAGS = Path(__file__).parents[2] / "example_dags"


def pages(call: Any, *ids: str, **arguments: Any) -> Iterator[Any]:
    """Follow the SDK's own way through pages."""
    cursor: dict[str, str] = {}
    while True:
        page = call(*ids, **arguments, **cursor)
        yield from page.data
        if not page.links.next:
            return
        cursor = {"page_cursor": page.links.next}


def test_profiles_events_list_job_and_its_errors(sandbox: SandboxServer, run_dag: Callable[..., DagRun], tmp_path: Path) -> None:
    from airflow.dag_processing.dagbag import DagBag

    dag = DagBag(str(DAGS / "shopify_to_klaviyo.py")).dags["shopify_to_klaviyo"]
    tasks: dict[str, Any] = dict(dag.task_dict)
    tasks["customers_to_profiles"].allowed_rejects = 1
    for task_id in LOADS:
        tasks[task_id].staging_path = tasks[task_id].state_path = f"file://{tmp_path}"
    sandbox.klaviyo.next_job(fail=[3])
    run = run_dag(dag, run_conf={"start": "2000-01-01T00:00:00Z"})
    assert run.state == "success"
    done = {each.task_id: each for each in run.get_task_instances()}
    people, happenings = (done[task_id].xcom_pull(task_ids=task_id) for task_id in LOADS)
    assert (people["rejected"], people["loaded"] + people["rejected"] + people["skipped"]) == (1, people["read"])

    sdk = KlaviyoAPI("pk_sandbox", test_host=sandbox.url, max_delay=1, max_retries=1)
    (members_of,) = pages(sdk.Lists.get_lists)
    members = list(pages(sdk.Lists.get_profiles_for_list, members_of.id, page_size=100))
    assert (members_of.attributes.name, len(members)) == ("Shopify customers", people["loaded"])
    assert {each.id for each in members} <= {each.id for each in pages(sdk.Profiles.get_profiles, page_size=100)}

    metrics = {each.id: each.attributes.name for each in sdk.Metrics.get_metrics().data}
    events = list(pages(sdk.Events.get_events, page_size=1000))
    assert len(events) == happenings["accepted"]
    counted = Counter(metrics[each.relationships.metric.data.id] for each in events)
    assert counted["Placed Order"] > counted["Cancelled Order"] > 0
    assert {"Placed Order", "Ordered Product", "Refunded Order"} <= set(counted) <= set(map(str, tasks["orders_to_events"].metrics))

    (job_id,) = people["jobs"]
    job = sdk.Profiles.get_bulk_import_profiles_job(job_id).data.attributes
    assert (job.status, job.completed_count + job.failed_count, job.failed_count) == ("complete", people["loaded"] + 1, 1)
    (error,) = pages(sdk.Profiles.get_errors_for_bulk_import_profiles_job, job_id)
    assert error.attributes.source.pointer.startswith("/data/attributes/profiles/data/3")

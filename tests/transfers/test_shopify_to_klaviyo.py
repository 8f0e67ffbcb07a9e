# SPDX-License-Identifier: Apache-2.0
"""A shop lands in Klaviyo, by a task that waits in either way, is retried, cleared and asked too little."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import TaskDeferred

from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoConfigError, KlaviyoInDoubt, KlaviyoLoadFailed
from airflow_provider_klaviyo.loading import Fate
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from airflow_provider_klaviyo.sandbox.shopify import ShopFault
from airflow_provider_klaviyo.transfers.shopify_to_klaviyo import ShopifyToKlaviyoEventsOperator, ShopifyToKlaviyoProfilesOperator
from tests.loading.kit import KeptStore, Killed, event_ids, finish_jobs, held, new_list, requests

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

    RunDag = Callable[..., "DagRun"]

LONG_AGO = "2000-01-01T00:00:00+00:00"
MODES = pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferring"])
OPERATORS = pytest.mark.parametrize(
    "operator", [ShopifyToKlaviyoProfilesOperator, ShopifyToKlaviyoEventsOperator], ids=["profiles", "events"]
)
Json = dict[str, Any]


@pytest.fixture
def shop(sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> SandboxServer:
    """Hand out the sandbox with connections that give up at the second failure: it is the tries of the task that are tested."""
    for name, value in sandbox.connections.items():
        monkeypatch.setenv(name, json.dumps(json.loads(value) | {"extra": {"max_attempts": 1, "timeout": 10}}))
    sandbox.klaviyo.behaviour.job_seconds = 0.2
    return sandbox


@pytest.fixture
def folders(tmp_path: Path) -> Json:
    return {"staging_path": f"file://{tmp_path}/stage", "rejects_path": f"file://{tmp_path}/rejects.jsonl"}


class Store(KeptStore):
    """The task state store, as Airflow hands it to a task."""

    def set(self, key: str, value: Any, **_: Any) -> None:
        """Set a key, for good."""
        super().set(key, value)


class Pushed(SimpleNamespace):
    """As much of a task instance as a load wants: it remembers what was pushed."""

    def __init__(self, max_tries: int) -> None:
        super().__init__(max_tries=max_tries, xcoms={})

    def xcom_push(self, key: str, value: Any) -> None:
        """Keep an XCom."""
        self.xcoms[key] = json.loads(json.dumps(value))


def context(store: Store, max_tries: int = 3, **more: Any) -> Any:
    return {"task_state_store": store, "ti": Pushed(max_tries), **more}


def task(operator: type[Any], folders: Json, **fields: Any) -> Any:
    events = {"state_path": folders["staging_path"].replace("/stage", "/state")} if operator is ShopifyToKlaviyoEventsOperator else {}
    given = {"task_id": "load", "start": datetime.fromisoformat(LONG_AGO), "poll_interval": 0.1, "deferrable": False, **folders, **events}
    return operator(**{**given, **fields})


def run(run_dag: RunDag, operator: type[Any], folders: Json, **fields: Any) -> Any:
    """Run a DAG with the operator in it, and return its task instance."""
    with DAG("load", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        task(operator, folders, retry_delay=timedelta(0), **{"start": LONG_AGO, **fields})
    instance = run_dag(dag).get_task_instance("load")
    assert instance is not None
    return instance


def summed(report: Json) -> Json:
    """Check that a report adds up, and return what must be equal however the load went."""
    assert report["accounted"]
    assert report["read"] == sum(report[fate] for fate in Fate)
    return {name: report[name] for name in ("kind", "read", *Fate, "reasons", "dropped", "batches")}


def bulk_queries(sandbox: SandboxServer) -> int:
    return sandbox.shopify.requests.get("bulkOperationRunQuery", 0)


@OPERATORS
def test_waiting_and_deferring_give_equal_reports_and_klaviyo_holds_the_shop(
    shop: SandboxServer, run_dag: RunDag, folders: Json, operator: type[Any]
) -> None:
    reports, holds = [], []
    for deferrable in (False, True):
        shop.klaviyo.reset()
        shop.klaviyo.behaviour.job_seconds = 0.4
        more = {"list_id": new_list(shop)} if operator is ShopifyToKlaviyoProfilesOperator else {}
        mine = {name: path.replace("/stage", f"/{deferrable}/stage") for name, path in folders.items()}
        done = run(run_dag, operator, mine, deferrable=deferrable, **more)
        assert done.state == "success"
        report = done.xcom_pull(task_ids="load", key="report")
        assert report == done.xcom_pull(task_ids="load")
        reports.append(summed(report))
        holds.append(held(shop))
        sent = {name: count for name, count in report["requests"].items() if name.startswith("POST")}
        assert sent.items() <= shop.klaviyo.requests.items()
    assert reports[0] == reports[1]
    assert holds[0] == holds[1]
    tallies = shop.shopify.tallies()
    if operator is ShopifyToKlaviyoProfilesOperator:
        assert reports[0]["read"] == tallies["customers"] == reports[0]["loaded"] + reports[0]["skipped"] + reports[0]["duplicate"]
        assert len(holds[0]["profiles"]) == len(holds[0]["members"]) == reports[0]["loaded"] > 0
    else:
        assert len(holds[0]["events"]) == reports[0]["accepted"] > tallies["orders"]


@pytest.mark.parametrize("reading", ["drop", "refuse"])
def test_the_same_orders_twice_and_in_overlapping_windows_are_counted_once(shop: SandboxServer, folders: Json, reading: Any) -> None:
    shop.klaviyo.behaviour.reused_unique_id = reading
    now = datetime.now(UTC)
    whole = {"start": datetime.fromisoformat(LONG_AGO)}
    shifted = [{"end": now - timedelta(days=30)}, {"start": now - timedelta(days=45)}]
    for at, windows in enumerate(([whole, whole], [whole, {"start": now - timedelta(days=60)}], shifted)):
        shop.klaviyo.reset()
        shop.klaviyo.behaviour.reused_unique_id = reading
        mine = {**folders, "staging_path": folders["staging_path"].replace("/stage", f"/{at}/stage")}
        reports = [task(ShopifyToKlaviyoEventsOperator, mine, **window).execute(context(Store())) for window in windows]
        for report in reports:
            summed(report)
        again = task(ShopifyToKlaviyoEventsOperator, mine).execute(context(Store()))
        assert (again["accepted"], again["rejected"]) == (0, 0)
        assert again["unchanged"] == len(event_ids(shop)) == sum(report["accepted"] for report in reports)


@OPERATORS
@MODES
def test_a_failing_try_goes_on_without_reading_the_shop_again(
    shop: SandboxServer, run_dag: RunDag, folders: Json, operator: type[Any], deferrable: bool
) -> None:
    shop.fail(path="bulk", method="POST", drop="before")  # once: what was certainly or perhaps not carried out
    shop.fail(path=r"profile-bulk-import-jobs/[^/]+$|/api/events$", status=503)
    done = run(run_dag, operator, folders, deferrable=deferrable, retries=4)
    assert done.state == "success"
    assert done.try_number > 1
    summed(done.xcom_pull(task_ids="load", key="report"))
    assert bulk_queries(shop) == 1


def to_the_end(operator: type[Any], folders: Json, store: Store, *, deferrable: bool) -> Json:
    """Run one try with all its hops, without a triggerer: whoever goes on looks for itself."""
    step: Callable[[Any], Any] = task(operator, folders, deferrable=deferrable).execute
    while True:
        try:
            return summed(step(context(store)))
        except TaskDeferred:
            step = task(operator, folders, deferrable=deferrable).resume


@OPERATORS
@MODES
def test_a_try_that_dies_at_any_write_resumes(shop: SandboxServer, folders: Json, operator: type[Any], deferrable: bool) -> None:
    def fresh(name: str) -> Json:
        shop.klaviyo.reset()
        shop.klaviyo.behaviour.job_seconds = shop.shopify.settings.job_seconds = 0.02 if deferrable else 0
        return {where: path.replace("/stage", f"/{name}/stage") for where, path in folders.items()}

    expected = to_the_end(operator, fresh("undisturbed"), Store(), deferrable=deferrable)
    leaves = held(shop)
    for kill in range(1, 200, 3):  # every single write is tried in tests/loading/test_resume.py
        mine, store, before = fresh(str(kill)), Store(kill_at=kill), bulk_queries(shop)
        try:
            to_the_end(operator, mine, store, deferrable=deferrable)
        except Killed:
            store.revive()
            assert to_the_end(operator, mine, store, deferrable=deferrable) == expected
        assert held(shop) == leaves
        assert bulk_queries(shop) - before <= 2  # one whose start was not written down may run once more
        if store.writes < kill:
            break
    else:
        raise AssertionError("it never came to its end")
    assert kill > 8


def test_clearing_a_finished_task_runs_it_anew_and_a_retry_does_not(shop: SandboxServer, folders: Json) -> None:
    store = Store()
    first = task(ShopifyToKlaviyoProfilesOperator, folders).execute(context(store))
    assert task(ShopifyToKlaviyoProfilesOperator, folders).execute(context(store)) == first
    cleared = task(ShopifyToKlaviyoProfilesOperator, folders).execute(context(store, max_tries=7))
    assert cleared["load_id"] != first["load_id"]
    assert summed(cleared) == summed(first)
    assert bulk_queries(shop) == 2


def test_a_load_that_fails_by_its_plan_leaves_its_report_and_is_not_retried(shop: SandboxServer, run_dag: RunDag, folders: Json) -> None:
    shop.klaviyo.next_job(fail=[0])
    done = run(run_dag, ShopifyToKlaviyoProfilesOperator, folders, retries=3)
    assert (done.state, done.try_number) == ("failed", 1)
    report = done.xcom_pull(task_ids="load", key="report")
    assert summed(report)["rejected"] == 1
    assert Path(folders["rejects_path"].removeprefix("file://")).exists()
    assert shop.klaviyo.counts()["profiles"] == report["loaded"]


def test_a_failed_load_that_is_cleared_runs_anew(shop: SandboxServer, folders: Json) -> None:
    shop.klaviyo.next_job(fail=[0])
    store = Store()
    with pytest.raises(KlaviyoLoadFailed):
        task(ShopifyToKlaviyoProfilesOperator, folders).execute(context(store))
    report = task(ShopifyToKlaviyoProfilesOperator, folders).execute(context(store, max_tries=7))
    assert summed(report)["rejected"] == 0


def test_a_job_that_takes_too_long_is_an_error_and_waiting_goes_on_when_cleared(shop: SandboxServer, folders: Json) -> None:
    shop.klaviyo.behaviour.job_seconds = 3600
    store = Store()
    with pytest.raises(KlaviyoInDoubt, match="clear this task"):
        task(ShopifyToKlaviyoProfilesOperator, folders, job_timeout=timedelta(seconds=0.1)).execute(context(store))
    finish_jobs(shop)
    report = task(ShopifyToKlaviyoProfilesOperator, folders).execute(context(store, max_tries=7))
    assert summed(report)["loaded"] > 0
    assert (bulk_queries(shop), requests(shop, "POST /api/profile-bulk-import-jobs")) == (1, 1)


@pytest.mark.parametrize("operator", [ShopifyToKlaviyoProfilesOperator, ShopifyToKlaviyoEventsOperator], ids=["profiles", "events"])
def test_a_stage_that_is_gone_is_said_and_the_cleared_task_begins_anew(
    shop: SandboxServer, tmp_path: Path, folders: Json, operator: Any
) -> None:
    shop.fail(path="bulk", method="POST", status=401)
    store = Store()
    with pytest.raises(KlaviyoApiError):
        task(operator, folders).execute(context(store))
    shutil.rmtree(tmp_path / "stage")
    with pytest.raises(KlaviyoInDoubt, match=r"gone from .*Clear this task to load anew"):
        task(operator, folders).execute(context(store))
    report = task(operator, folders).execute(context(store, max_tries=7))
    summed(report)
    assert report["loaded"] + report["accepted"] + report["skipped"] + report["duplicate"] == report["read"] > 50


def test_a_late_run_of_a_day_still_starts_the_flows_of_that_day(folders: Json) -> None:
    interval: Json = {
        "data_interval_start": datetime(2026, 11, 19, 4, tzinfo=UTC),
        "data_interval_end": datetime(2026, 11, 20, 4, tzinfo=UTC),
    }
    daily = task(ShopifyToKlaviyoEventsOperator, folders, start=None).plan_fields(context(Store(), **interval))
    assert daily["backfill_after"] == timedelta(hours=48)
    history = task(ShopifyToKlaviyoEventsOperator, folders).plan_fields(context(Store(), **interval))
    assert history["backfill_after"] == timedelta(hours=24)


@pytest.mark.parametrize(
    ("start", "end"),
    [(None, None), (datetime(2026, 11, 1, tzinfo=UTC), None), (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))],
    ids=["none", "half", "empty"],
)
def test_a_run_without_a_window_names_the_timetable_that_has_one(shop: SandboxServer, folders: Json, start: Any, end: Any) -> None:
    with pytest.raises(KlaviyoConfigError, match=r"CronDataIntervalTimetable.*or give start"):
        task(ShopifyToKlaviyoEventsOperator, folders, start=None).execute(
            context(Store(), data_interval_start=start, data_interval_end=end)
        )
    assert bulk_queries(shop) == 0


def test_a_manual_run_without_start_fails_at_once_and_says_why(
    shop: SandboxServer, run_dag: RunDag, folders: Json, capsys: pytest.CaptureFixture[str]
) -> None:
    done = run(run_dag, ShopifyToKlaviyoEventsOperator, folders, start="{{ none }}", retries=2)
    assert (done.state, done.try_number) == ("failed", 1)
    out, err = capsys.readouterr()
    assert "CronDataIntervalTimetable" in out + err


def test_what_a_template_makes_of_nothing_is_nothing(shop: SandboxServer, folders: Json) -> None:
    now = datetime.now(UTC)
    made = task(ShopifyToKlaviyoProfilesOperator, folders, start="{{ params.start }}", end="{{ params.end }}", overlap=timedelta(0))
    given = context(Store(), params={"start": None, "end": None}, data_interval_start=now - timedelta(days=3650), data_interval_end=now)
    made.render_template_fields(given)
    window = made.window(given)
    assert (window.start, window.end) == (given["data_interval_start"], given["data_interval_end"])


def test_only_what_changed_in_the_window_is_loaded(shop: SandboxServer, folders: Json) -> None:
    rows = [row.data for row in shop.shopify.store.customers.values()]
    moments = sorted(datetime.fromisoformat(row["updatedAt"]) for row in rows)
    start, end = moments[len(moments) // 3], moments[2 * len(moments) // 3]
    expected = sum(start <= moment < end for moment in moments)
    made = task(ShopifyToKlaviyoProfilesOperator, folders, start=None, overlap=timedelta(0))
    report = made.execute(context(Store(), data_interval_start=start, data_interval_end=end))
    assert summed(report)["read"] == expected
    report = task(ShopifyToKlaviyoProfilesOperator, folders, start=start, overlap=timedelta(0)).execute(context(Store()))
    assert summed(report)["read"] == sum(start <= moment for moment in moments)


@OPERATORS
def test_a_preview_sends_nothing_and_makes_no_file(shop: SandboxServer, tmp_path: Path, folders: Json, operator: type[Any]) -> None:
    store = Store()
    report = task(operator, folders, preview=True).execute(context(store))
    assert report["preview"]
    assert len(report["payloads"]) == 5
    assert report["read"] > report["skipped"] > 0
    assert not [name for name in shop.klaviyo.requests if not name.startswith("GET ")]
    assert list(tmp_path.iterdir()) == []
    full = task(operator, folders).execute(context(Store()))
    assert full["read"] == report["read"]
    assert full["skipped"] == report["skipped"]


@MODES
@pytest.mark.parametrize(
    ("fault", "says"),
    [(ShopFault.BULK_FAILED, "failed"), (ShopFault.BULK_CANCELED, "cancelled"), (ShopFault.BULK_EXPIRED, "seven days")],
    ids=str,
)
def test_an_operation_of_shopifys_without_a_result_loads_nothing_and_the_next_try_everything(
    shop: SandboxServer, run_dag: RunDag, folders: Json, capsys: pytest.CaptureFixture[str], fault: ShopFault, says: str, deferrable: bool
) -> None:
    shop.shopify.fail(fault, detail="TIMEOUT" if fault is ShopFault.BULK_FAILED else "")
    done = run(run_dag, ShopifyToKlaviyoProfilesOperator, folders, deferrable=deferrable)
    out, err = capsys.readouterr()
    assert done.state == "failed"
    assert says in (out + err).lower()
    assert shop.klaviyo.counts()["profiles"] == 0
    shop.shopify.fail(fault, detail="TIMEOUT" if fault is ShopFault.BULK_FAILED else "")
    done = run(run_dag, ShopifyToKlaviyoProfilesOperator, folders, deferrable=deferrable, retries=2)
    assert (done.state, done.try_number) == ("success", 2)
    assert summed(done.xcom_pull(task_ids="load", key="report"))["loaded"] == shop.klaviyo.counts()["profiles"] > 0


@pytest.mark.parametrize("fault", [ShopFault.DOWNLOAD_DROPPED, ShopFault.DOWNLOAD_STATUS], ids=str)
def test_a_result_that_breaks_off_is_read_anew_or_fails_the_try_but_never_loads_a_part(
    shop: SandboxServer, folders: Json, fault: ShopFault
) -> None:
    shop.shopify.fail(fault, detail="503" if fault is ShopFault.DOWNLOAD_STATUS else "")
    store = Store()
    for _ in range(3):
        try:
            report = task(ShopifyToKlaviyoProfilesOperator, folders).execute(context(store))
        except Exception:  # noqa: BLE001 - whichever it is
            assert shop.klaviyo.counts()["profiles"] == 0
            continue
        break
    assert summed(report)["read"] == shop.shopify.tallies()["customers"]
    assert bulk_queries(shop) == 1


def test_a_window_without_orders_is_a_load_of_nothing(shop: SandboxServer, folders: Json) -> None:
    future = datetime.now(UTC) + timedelta(days=1)
    for operator in (ShopifyToKlaviyoProfilesOperator, ShopifyToKlaviyoEventsOperator):
        report = task(operator, folders, start=future, overlap=timedelta(0)).execute(context(Store()))
        assert summed(report)["read"] == 0
        assert report["rejects_path"] == ""
    assert shop.klaviyo.counts()["profiles"] == 0


@OPERATORS
def test_an_unknown_key_fails_at_once_and_reads_nothing_twice(
    shop: SandboxServer,
    run_dag: RunDag,
    folders: Json,
    operator: type[Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    connection = json.loads(shop.connections["AIRFLOW_CONN_KLAVIYO_DEFAULT"]) | {"password": "pk_wrong_and_secret"}
    monkeypatch.setenv("AIRFLOW_CONN_KLAVIYO_DEFAULT", json.dumps(connection))
    done = run(run_dag, operator, folders, retries=3)
    out, err = capsys.readouterr()
    assert (done.state, done.try_number) == ("failed", 1)
    assert "pk_wrong_and_secret" not in out + err
    assert "klaviyo_default" in out + err


def test_an_unknown_list_is_named_and_nobody_is_rejected(shop: SandboxServer, folders: Json) -> None:
    store = Store()
    with pytest.raises(KlaviyoApiError) as refused:
        task(ShopifyToKlaviyoProfilesOperator, folders, list_id="ABCDEF").execute(context(store))
    assert refused.value.status == 404
    assert shop.klaviyo.counts()["profiles"] == 0


@OPERATORS
@MODES
def test_neither_people_nor_keys_are_kept_or_logged(
    shop: SandboxServer,
    run_dag: RunDag,
    folders: Json,
    operator: type[Any],
    deferrable: bool,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    from airflow.models.task_state_store import TaskStateStoreModel
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    caplog.set_level(logging.DEBUG, logger="airflow_provider_klaviyo")
    shop.klaviyo.next_job(fail=[0, 3])
    done = run(run_dag, operator, folders, deferrable=deferrable, allowed_rejects=9)
    assert done.state == "success"
    with create_session() as db:
        xcoms = [str(row.value) for row in db.query(XComModel).filter_by(dag_id="load")]
        kept = [str(row.value) for row in db.query(TaskStateStoreModel).filter_by(dag_id="load")]
    assert xcoms
    assert kept
    rejects = Path(folders["rejects_path"].removeprefix("file://")).read_text()
    out, err = capfd.readouterr()
    people = [row.data for row in shop.shopify.store.customers.values()]
    secrets = {"pk_sandbox", "shpat_sandbox", "Signature="}
    secrets |= {row["defaultEmailAddress"]["emailAddress"].strip() for row in people if row["defaultEmailAddress"]}
    secrets |= {row["defaultPhoneNumber"]["phoneNumber"] for row in people if row["defaultPhoneNumber"]}
    secrets |= {row["lastName"] for row in people if row["lastName"] and len(row["lastName"]) > 5}
    assert len(secrets) > 50
    places = {"XCom": " ".join(xcoms), "the store": " ".join(kept), "the log": caplog.text, "the output": out + err, "the rejects": rejects}
    for place, text in places.items():
        assert [secret for secret in secrets if secret in text] == [], place

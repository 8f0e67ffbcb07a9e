# SPDX-License-Identifier: Apache-2.0
"""Files land in Klaviyo: every row of them is accounted for, and a file that is not whole sends nothing."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from airflow.sdk import DAG
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem
from pyarrow import parquet

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError, KlaviyoLoadFailed
from airflow_provider_klaviyo.loading import Fate, FieldMapping
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from airflow_provider_klaviyo.transfers.formats import KlaviyoFileError
from airflow_provider_klaviyo.transfers.object_storage_to_klaviyo import (
    ObjectStorageToKlaviyoConsentOperator,
    ObjectStorageToKlaviyoEventsOperator,
    ObjectStorageToKlaviyoProfilesOperator,
)
from tests.loading.kit import KeptStore, emails, event_ids, held, new_list
from tests.transfers.files_kit import lay

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

    RunDag = Callable[..., "DagRun"]

LONG_AGO = "2024-05-01T00:00:00+00:00"
Json = dict[str, Any]


@pytest.fixture
def klaviyo(sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> SandboxServer:
    """Hand out the sandbox with jobs that are done when first asked for, and a connection that gives up at the first failure."""
    for name, value in sandbox.connections.items():
        monkeypatch.setenv(name, json.dumps(json.loads(value) | {"extra": {"max_attempts": 1}}))
    sandbox.klaviyo.behaviour.job_seconds = 0
    return sandbox


@pytest.fixture
def bucket() -> Iterator[MemoryFileSystem]:
    """Hand out an object store, which has no folders."""
    store = MemoryFileSystem(skip_instance_cache=True)
    attach("memory", conn_id="exports", fs=store)
    yield store
    store.store.clear()
    store.pseudo_dirs[:] = [""]


class Store(KeptStore):
    """The task state store, as Airflow hands it to a task."""

    def set(self, key: str, value: Any, **_: Any) -> None:
        """Set a key, for good."""
        super().set(key, value)


def context(store: Store | None = None) -> Json:
    """Return as much of a task's context as a load wants."""
    instance = SimpleNamespace(max_tries=3, run_id="run", map_index=-1, xcom_push=lambda key, value: None)
    return {"task_state_store": store if store is not None else Store(), "ti": instance}


def task(operator: type[Any], folder: Path, **fields: Any) -> Any:
    state = {"state_path": f"file://{folder}/state"} if operator is ObjectStorageToKlaviyoEventsOperator else {}
    audit = {"audit_path": f"file://{folder}/audit"} if operator is ObjectStorageToKlaviyoConsentOperator else {}
    paths = {"staging_path": f"file://{folder}/stage", "rejects_path": f"file://{folder}/rejects.jsonl"}
    return operator(**{"task_id": "load", "poll_interval": 0.01, **paths, **state, **audit, **fields})


def run(operator: type[Any], folder: Path, **fields: Any) -> Json:
    """Run a task, and hold its report against itself and against the rejects file."""
    return summed(task(operator, folder, **fields).execute(context()), folder)


def summed(report: Json, folder: Path) -> Json:
    assert report["accounted"]
    assert report["read"] == sum(report[fate] for fate in Fate)
    assert len(rejected(folder)) == report["read"] - report["loaded"] - report["accepted"] - report["unchanged"]
    return report


def rejected(folder: Path) -> dict[str, str]:
    """Return the codes in the rejects file, by key."""
    path = folder / "rejects.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    assert len({line["key"] for line in lines}) == len(lines)
    return {line["key"]: line["code"] for line in lines}


def source(tmp_path: Path, name: str, rows: list[Json]) -> str:
    """Write people into a file of the format that its name says."""
    if name.endswith(".parquet"):
        sink = pa.BufferOutputStream()
        parquet.write_table(pa.Table.from_pylist(rows), sink)
        return lay(tmp_path, name, sink.getvalue().to_pybytes())
    if name.endswith(".csv"):
        lines = [",".join(rows[0]), *(",".join(str(value if value is not None else "") for value in row.values()) for row in rows)]
        return lay(tmp_path, name, "\n".join(lines))
    return lay(tmp_path, name, "\n".join(json.dumps(row) for row in rows), zipped=True)


def people(count: int) -> list[Json]:
    return [
        {"email": f"p{at:03d}@example.com", "first_name": f"N{at}", "properties.plan": "free" if at % 2 else None} for at in range(count)
    ]


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.csv", "a.parquet"])
def test_without_a_mapping_columns_are_fields_by_their_names(klaviyo: SandboxServer, tmp_path: Path, name: str) -> None:
    path = source(tmp_path, name, people(25))
    report = run(ObjectStorageToKlaviyoProfilesOperator, tmp_path, source_path=path)
    assert (report["read"], report["loaded"]) == (25, 25)
    profiles = [json.loads(row[4]) for row in held(klaviyo)["profiles"]]
    assert [each["first_name"] for each in profiles] == [f"N{at}" for at in range(25)]
    assert [each.get("properties", {}) for each in profiles] == [{"plan": "free"} if at % 2 else {} for at in range(25)]


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.parquet"])
def test_what_is_nested_is_reached_by_dots(klaviyo: SandboxServer, tmp_path: Path, name: str) -> None:
    rows: list[Json] = [{"id": at, "mail": f"P{at}@example.com", "address": {"city": "Ulm"}, "tags": ["a", "b"]} for at in range(3)]
    rows[2]["address"] = None
    report = run(
        ObjectStorageToKlaviyoProfilesOperator,
        tmp_path,
        source_path=source(tmp_path, name, rows),
        mapping=[
            FieldMapping("mail", "email", "lower"),
            FieldMapping("address.city", "location.city"),
            FieldMapping("tags", "properties.tags"),
            {"origin_field": "id", "destination_field": "external_id", "convert_function": "text"},
        ],
    )
    assert (report["read"], report["loaded"], report["dropped"]) == (3, 3, {})
    profiles = [json.loads(row[4]) for row in held(klaviyo)["profiles"]]
    assert [each.get("location", {}).get("city") for each in profiles] == ["Ulm", "Ulm", None]
    assert all(each["properties"]["tags"] == ["a", "b"] for each in profiles)
    assert [row[2] for row in held(klaviyo)["profiles"]] == ["0", "1", "2"]


def test_a_column_that_a_file_lacks_fails_and_a_line_of_json_may_lack_it(klaviyo: SandboxServer, tmp_path: Path) -> None:
    mapping = [FieldMapping("mail", "email"), FieldMapping("plan", "properties.plan")]
    lay(tmp_path, "in/a.csv", "mail,plan\na@example.com,free\n")
    lay(tmp_path, "in/b.csv", "mail,plans\nb@example.com,free\n")
    with pytest.raises(KlaviyoConfigError, match=r"b\.csv has no column 'plan', which the mapping or key_field names; it has mail, plans"):
        run(ObjectStorageToKlaviyoProfilesOperator, tmp_path, source_path=f"file://{tmp_path}/in", mapping=mapping)
    assert emails(klaviyo) == set()
    path = lay(tmp_path, "c.jsonl", '{"mail": "a@example.com"}\n{"mail": "b@example.com", "plan": "paid"}\n{"plan": "free"}\n')
    report = run(ObjectStorageToKlaviyoProfilesOperator, tmp_path, source_path=path, mapping=mapping, allowed_rejects=1)
    assert (report["loaded"], report["rejected"]) == (2, 1)
    assert rejected(tmp_path) == {"c.jsonl:3": "no_identifier"}


def test_an_empty_cell_leaves_a_field_as_it_is_or_clears_it_as_the_mapping_says(klaviyo: SandboxServer, tmp_path: Path) -> None:
    def names(mapped: FieldMapping, rows: str) -> Json:
        fields = {"mapping": [FieldMapping("email", "email"), mapped], "source_path": lay(tmp_path, "a.csv", f"email,name\n{rows}")}
        assert run(ObjectStorageToKlaviyoProfilesOperator, tmp_path, **fields)["loaded"] == 2
        return {row[0]: json.loads(row[4]).get("first_name") for row in held(klaviyo)["profiles"]}

    names(FieldMapping("name", "first_name"), "a@example.com,A\nb@example.com,B\n")
    assert names(FieldMapping("name", "first_name"), 'a@example.com,\nb@example.com,""\n') == {"a@example.com": "A", "b@example.com": "B"}
    cleared = names(FieldMapping("name", "first_name", on_null="clear"), "a@example.com,\nb@example.com,BB\n")
    assert cleared == {"a@example.com": None, "b@example.com": "BB"}


def messy(tmp_path: Path) -> str:
    """Write files in which almost everything is wrong that may be, beside seven good rows."""
    lay(
        tmp_path,
        "in/1.csv",
        b'id,email\n1,a@example.com\n2,b@example.com,x\n3\n4,Zo\xeb@example.com\n5,c@example\0.com\n6,\n7,"d"@example.com\n',
    )
    lay(tmp_path, "in/2.csv", "\ufeffid,email\r\n8,e@example.com\r\n\r\n9,not an address\r\n10,A@EXAMPLE.COM\r\n")
    lay(tmp_path, "in/3.jsonl", '{"id": 11, "email": "f@example.com"}\n{"id": 12\n[13]\n\n{"id": 14}\n{"id": 15, "email": null}\n')
    lay(tmp_path, "in/4.jsonl.gz", '{"id": 16, "email": "g@example.com"}\n{"id": 17, "email": "h@example.com"},\n', zipped=True)
    lay(tmp_path, "in/5.csv", "id,email\n")
    lay(tmp_path, "in/_SUCCESS", "")
    table = pa.table({"id": [18, 19], "email": ["i@example.com", None]})
    parquet.write_table(table, tmp_path / "in/6.parquet")
    return f"file://{tmp_path}/in"


def test_of_messy_files_every_row_is_accounted_for(klaviyo: SandboxServer, tmp_path: Path) -> None:
    mapping = [FieldMapping("email", "email", "lower"), FieldMapping("id", "properties.id", "text")]
    fields = {"source_path": messy(tmp_path), "mapping": mapping, "allowed_rejects": 99}
    report = run(ObjectStorageToKlaviyoProfilesOperator, tmp_path, **fields)
    assert (report["read"], report["loaded"], report["duplicate"], report["rejected"]) == (19, 5, 1, 13)
    assert emails(klaviyo) == {f"{name}@example.com" for name in "aefgi"}
    assert rejected(tmp_path) == {
        "1.csv:3": "ragged_row",
        "1.csv:4": "ragged_row",
        "1.csv:5": "not_utf8",
        "1.csv:6": "nul_byte",
        "1.csv:7": "no_identifier",
        "1.csv:8": "malformed_csv",
        "2.csv:4": "no_identifier",
        "2.csv:5": "duplicate",
        "3.jsonl:2": "not_json",
        "3.jsonl:3": "not_an_object",
        "3.jsonl:5": "no_identifier",
        "3.jsonl:6": "no_identifier",
        "4.jsonl.gz:2": "not_json",
        "6.parquet:2": "no_identifier",
    }
    assert "example.com" not in (tmp_path / "rejects.jsonl").read_text()
    with pytest.raises(KlaviyoLoadFailed, match="13 rows were rejected and allowed_rejects is 12"):
        task(ObjectStorageToKlaviyoProfilesOperator, tmp_path, **{**fields, "allowed_rejects": 12}).execute(context())


def test_rows_are_called_by_their_key_in_the_rejects_file(klaviyo: SandboxServer, tmp_path: Path) -> None:
    run(
        ObjectStorageToKlaviyoProfilesOperator,
        tmp_path,
        source_path=messy(tmp_path),
        key_field="id",
        mapping=[FieldMapping("email", "email", "lower")],
        allowed_rejects=99,
    )
    assert list(rejected(tmp_path)) == [
        *("1.csv:3", "1.csv:4", "1.csv:5", "1.csv:6", "6", "1.csv:8", "9", "10"),
        *("3.jsonl:2", "3.jsonl:3", "14", "15", "4.jsonl.gz:2", "19"),
    ]


def test_events_are_counted_once_however_often_their_files_are_read(klaviyo: SandboxServer, tmp_path: Path) -> None:
    rows = [
        {"order": f"o{at}", "mail": f"p{at % 3}@example.com", "at": datetime(2026, 11, 1, tzinfo=UTC), "total": at + 0.5} for at in range(9)
    ]
    mapping = [
        FieldMapping(None, "metric", "default:Placed Order"),
        FieldMapping("order", "unique_id"),
        FieldMapping("mail", "profile.email"),
        FieldMapping("at", "time", "iso8601"),
        FieldMapping("total", "value", "number"),
    ]
    as_text: list[Json] = [{**row, "at": str(row["at"])} for row in rows]
    counts = []
    for name, written in (("a.parquet", rows), ("b.jsonl.gz", as_text), ("c.csv", [*as_text, {**as_text[0], "order": "new"}])):
        path = source(tmp_path, name, written)
        report = run(ObjectStorageToKlaviyoEventsOperator, tmp_path, source_path=path, mapping=mapping)
        counts.append((report["read"], report["accepted"], report["unchanged"]))
    assert counts == [(9, 9, 0), (9, 0, 9), (10, 1, 9)]
    assert event_ids(klaviyo) == ["new", *(f"o{at}" for at in range(9))]


def test_consent_in_a_file_is_carried_out(klaviyo: SandboxServer, tmp_path: Path) -> None:
    path = lay(
        tmp_path,
        "consent.csv",
        "customer,email,consent,consented_at,channels\n"
        f"1,yes@example.com,subscribed,{LONG_AGO},email.marketing\n"
        f"2,no@example.com,unsubscribed,{LONG_AGO},\n"
        "3,undated@example.com,subscribed,,\n"
        f"4,odd@example.com,perhaps,{LONG_AGO},\n"
        f"5,ragged@example.com,subscribed,{LONG_AGO}\n",
    )
    mapping = [FieldMapping(name, name) for name in ("email", "consent", "consented_at")] + [FieldMapping("channels", "channels", "split")]
    fields = {"source_path": path, "mapping": mapping, "subscribe": True, "allowed_rejects": 99, "key_field": "customer"}
    report = run(ObjectStorageToKlaviyoConsentOperator, tmp_path, **fields)
    assert (report["read"], report["accepted"]) == (5, 2)
    assert {key.partition(" ")[0].partition("/")[0] for key in rejected(tmp_path)} == {"3", "4", "consent.csv:6"}
    assert report["reasons"].get("rejected: ragged_row") == 1


def test_a_yes_whose_channels_are_mistyped_becomes_nobodys_consent(klaviyo: SandboxServer, tmp_path: Path) -> None:
    said = {"email": "yes@example.com", "consent": "subscribed", "consented_at": LONG_AGO}
    path = lay(tmp_path, "consent.jsonl", f"{json.dumps({**said, 'chanels': ['sms.marketing']})}\n{json.dumps(said)}\n")
    mapping = [FieldMapping(name, name) for name in (*said, "channels")]
    with pytest.raises(KlaviyoConfigError, match="None of the 2 rows has 'channels'"):
        run(ObjectStorageToKlaviyoConsentOperator, tmp_path, source_path=path, mapping=mapping, subscribe=True)
    assert not [name for name in klaviyo.klaviyo.requests if name.startswith("POST")]
    assert emails(klaviyo) == set()


def test_a_preview_says_that_a_column_is_mistyped(klaviyo: SandboxServer, tmp_path: Path) -> None:
    path = source(tmp_path, "a.jsonl.gz", people(30))
    with pytest.raises(KlaviyoConfigError, match=r"None of the 30 rows has 'customer\.id'"):
        run(ObjectStorageToKlaviyoProfilesOperator, tmp_path, source_path=path, key_field="customer.id", preview=True)


def test_texts_that_mean_null_clear_or_leave_a_field(klaviyo: SandboxServer, tmp_path: Path) -> None:
    path = lay(tmp_path, "a.csv", "email,first_name,properties.plan\na@example.com,\\N,NULL\nb@example.com,B,\n")
    report = run(ObjectStorageToKlaviyoProfilesOperator, tmp_path, source_path=path, null_values=["", "NULL", "\\N"])
    assert (report["read"], report["loaded"]) == (2, 2)
    there = [json.loads(row[4]) for row in held(klaviyo)["profiles"]]
    assert [(each.get("first_name"), each.get("properties", {})) for each in there] == [(None, {}), ("B", {})]


def test_a_file_that_is_late_is_read_by_the_next_try(klaviyo: SandboxServer, run_dag: RunDag, tmp_path: Path) -> None:
    with DAG("late", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        task(
            ObjectStorageToKlaviyoProfilesOperator,
            tmp_path,
            source_path=f"file://{tmp_path}/in/a.jsonl",
            retries=1,
            retry_delay=timedelta(0),
            on_retry_callback=[lambda _: lay(tmp_path, "in/a.jsonl", '{"email": "late@example.com"}') and None],
        )
    done: Any = run_dag(dag).get_task_instance("load")
    assert (done.state, done.try_number) == ("success", 2)
    assert done.xcom_pull(task_ids="load")["loaded"] == 1
    assert emails(klaviyo) == {"late@example.com"}


@pytest.mark.parametrize("kind", ["gzip", "quote", "parquet"])
def test_a_file_that_is_not_whole_sends_nothing_and_the_next_try_begins_anew(klaviyo: SandboxServer, tmp_path: Path, kind: str) -> None:
    rows = people(5_000)
    whole = {
        "gzip": gzip.compress("\n".join(json.dumps(row) for row in rows).encode()),
        "quote": b'email,first_name\na@example.com,A\nb@example.com,"B"\n',
        "parquet": b"",
    }
    name = {"gzip": "b.jsonl.gz", "quote": "b.csv", "parquet": "b.parquet"}[kind]
    if kind == "parquet":
        parquet.write_table(pa.Table.from_pylist(rows), tmp_path / name)
        whole["parquet"] = (tmp_path / name).read_bytes()
        (tmp_path / name).unlink()
    lay(tmp_path, "in/a.jsonl", '{"email": "first@example.com"}\n')
    lay(tmp_path, f"in/{name}", whole[kind][: -len(whole[kind]) // 3 if kind != "quote" else -3])
    store = Store()
    load = task(ObjectStorageToKlaviyoProfilesOperator, tmp_path, source_path=f"file://{tmp_path}/in")
    with pytest.raises(
        KlaviyoFileError, match=r"b\..* of its rows\. Nothing of this load has been sent; the next try begins anew\."
    ) as failed:
        load.execute(context(store))
    assert not failed.value.permanent
    assert not [name for name in klaviyo.klaviyo.requests if name.startswith("POST")]
    lay(tmp_path, f"in/{name}", whole[kind])
    report = summed(load.execute(context(store)), tmp_path)
    assert report["loaded"] == report["read"] == (3 if kind == "quote" else 5_001)
    assert len(emails(klaviyo)) == report["loaded"]


def test_a_try_that_finds_its_rows_staged_does_not_read_the_files_again(klaviyo: SandboxServer, tmp_path: Path) -> None:
    path = source(tmp_path, "a.jsonl.gz", people(30))
    store = Store()
    load = task(ObjectStorageToKlaviyoProfilesOperator, tmp_path, source_path=path)
    klaviyo.fail(path="/api/profile-bulk-import-jobs", status=503, times=99)
    with pytest.raises(Exception, match="503"):
        load.execute(context(store))
    klaviyo.faults.clear()
    (tmp_path / "a.jsonl.gz").unlink()
    report = summed(load.execute(context(store)), tmp_path)
    assert (report["read"], report["loaded"]) == (30, 30)


def test_an_hour_without_rows_is_well_where_it_may_be(klaviyo: SandboxServer, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    path = f"file://{tmp_path}/in/*.csv"
    with pytest.raises(KlaviyoFileError, match=r"No file is there: .*in/\*\.csv"):
        run(ObjectStorageToKlaviyoProfilesOperator, tmp_path, source_path=path)
    assert run(ObjectStorageToKlaviyoProfilesOperator, tmp_path, source_path=path, allow_missing=True)["read"] == 0
    lay(tmp_path, "in/a.csv", "")
    assert run(ObjectStorageToKlaviyoProfilesOperator, tmp_path, source_path=path)["read"] == 0


def test_a_preview_shows_rows_and_counts_the_broken_ones(klaviyo: SandboxServer, tmp_path: Path) -> None:
    mapping = [FieldMapping("email", "email", "lower")]
    report = task(ObjectStorageToKlaviyoProfilesOperator, tmp_path, source_path=messy(tmp_path), mapping=mapping, preview=True).execute(
        context()
    )
    assert (report["read"], report["rejected"], report["preview"], len(report["payloads"])) == (19, 13, True, 5)
    assert emails(klaviyo) == set()


def test_a_dag_reads_a_bucket_by_a_template(klaviyo: SandboxServer, bucket: MemoryFileSystem, run_dag: RunDag, tmp_path: Path) -> None:
    for day in ("2026-01-01", "2026-01-02"):
        bucket.pipe(f"/shop/{day}/part-0.tsv.gz", gzip.compress(f"mail\tname\n{day}@example.com\tZo\xeb\n".encode("cp1252")))
    listed = new_list(klaviyo)
    with DAG("files", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        task(
            ObjectStorageToKlaviyoProfilesOperator,
            tmp_path,
            source_path="memory://shop/{{ ds }}/part-*",
            source_conn_id="{{ 'exports' }}",
            encoding="cp1252",
            list_id=listed,
            allow_missing="{{ False }}",
            mapping={
                "mapped_fields": [
                    {"origin_field": "mail", "destination_field": "email"},
                    {"origin_field": "name", "destination_field": "first_name"},
                ]
            },
        )
    done: Any = run_dag(dag, logical_date=datetime(2026, 1, 2, tzinfo=UTC)).get_task_instance("load")
    assert done.state == "success"
    report = done.xcom_pull(task_ids="load")
    assert (summed(report, tmp_path)["read"], report["loaded"]) == (1, 1)
    assert held(klaviyo)["members"] == [("Customers", "2026-01-02@example.com")]
    assert json.loads(held(klaviyo)["profiles"][0][4])["first_name"] == "Zoë"


def test_the_format_and_the_delimiter_may_be_said(klaviyo: SandboxServer, tmp_path: Path) -> None:
    path = lay(tmp_path, "0000_part_00", "email|first_name\na@example.com|A\n")
    report = run(ObjectStorageToKlaviyoProfilesOperator, tmp_path, source_path=path, file_format="csv", delimiter="|")
    assert report["loaded"] == 1
    assert emails(klaviyo) == {"a@example.com"}

# SPDX-License-Identifier: Apache-2.0
"""Parquet: its types as mappings can use them, and files that are damaged."""

from __future__ import annotations

import gzip
import sys
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.loading.rows import Row
from airflow_provider_klaviyo.transfers.files import rows_in
from airflow_provider_klaviyo.transfers.formats import KlaviyoFileError
from airflow_provider_klaviyo.transfers.parquet_files import parquet_rows
from tests.transfers.files_kit import both, lay, read, reasons

NANOSECONDS = 1_700_000_000_123_456_789
MOMENT = datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=UTC)


def write(folder: Path, name: str, table: Any, *, zipped: bool = False, **how: Any) -> str:
    """Write a Parquet file, and return its URL."""
    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink, **how)
    return lay(folder, name, sink.getvalue().to_pybytes(), zipped=zipped)


@pytest.mark.parametrize(
    ("value", "kind", "found"),
    [
        (7, pa.int8(), 7),
        (1.5, pa.float32(), 1.5),
        (True, pa.bool_(), True),
        ("Zoë", pa.string(), "Zoë"),
        ("Zoë", pa.large_string(), "Zoë"),
        (Decimal("12.50"), pa.decimal128(10, 2), Decimal("12.50")),
        (date(2026, 11, 1), pa.date32(), date(2026, 11, 1)),
        (NANOSECONDS // 10**6, pa.timestamp("ms"), MOMENT.replace(tzinfo=None, microsecond=123000)),
        (NANOSECONDS, pa.timestamp("ns"), MOMENT.replace(tzinfo=None)),
        (NANOSECONDS, pa.timestamp("ns", tz="UTC"), MOMENT),
        (NANOSECONDS, pa.timestamp("ns", tz="Europe/Berlin"), MOMENT.astimezone(ZoneInfo("Europe/Berlin"))),
        (NANOSECONDS // 1000, pa.timestamp("us", tz="+02:00"), MOMENT.astimezone(timezone(timedelta(hours=2)))),
        (1_234_567_891, pa.time64("ns"), time(0, 0, 1, 234567)),
        (1_234_567_891, pa.duration("ns"), timedelta(seconds=1, microseconds=234567)),
        (b"\x00\xff", pa.binary(), b"\x00\xff"),
        (UUID(int=7).bytes, pa.uuid(), UUID(int=7)),
        ({"city": "Ulm", "at": NANOSECONDS}, pa.struct([("city", pa.string()), ("at", pa.timestamp("ns"))]), None),
        ([{"sku": "a", "n": 1}], pa.list_(pa.struct([("sku", pa.string()), ("n", pa.int64())])), [{"sku": "a", "n": 1}]),
        ([NANOSECONDS], pa.list_(pa.timestamp("ns", tz="UTC")), [MOMENT]),
        ([NANOSECONDS], pa.large_list(pa.timestamp("ns", tz="UTC")), [MOMENT]),
        ([("a", 1), ("b", 2)], pa.map_(pa.string(), pa.int64()), {"a": 1, "b": 2}),
        ([("a", NANOSECONDS)], pa.map_(pa.string(), pa.timestamp("ns", tz="UTC")), {"a": MOMENT}),
        ([[("a", 1)]], pa.list_(pa.map_(pa.string(), pa.int64())), [{"a": 1}]),
    ],
    ids=str,
)
def test_a_value_comes_as_pythons_own_and_null_as_none(tmp_path: Path, value: Any, kind: Any, found: Any) -> None:
    found = found if found is not None else {"city": "Ulm", "at": MOMENT.replace(tzinfo=None)}
    path = write(tmp_path, "a.parquet", pa.table({"id": [1, 2], "value": pa.array([value, None], kind)}))
    assert both(path)[0] == {"a.parquet:1": {"id": 1, "value": found}, "a.parquet:2": {"id": 2, "value": None}}


def test_dictionaries_and_the_times_of_old_writers_come_as_what_they_mean(tmp_path: Path) -> None:
    plans = pa.array(["free", "paid", None, "free"]).dictionary_encode()
    seen = pa.array([0, 2**45, None, -(2**43)], pa.timestamp("ms"))  # one of them in the year 3084, one in 1691
    path = write(tmp_path, "a.parquet", pa.table({"plan": plans, "seen": seen}), use_deprecated_int96_timestamps=True)
    assert read(path) == [{"plan": plan, "seen": at} for plan, at in zip(plans.to_pylist(), seen.to_pylist(), strict=True)]


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "zstd", "lz4"])
@pytest.mark.parametrize("zipped", [False, True])
def test_codecs_row_groups_and_gzip_around_it_make_no_difference(tmp_path: Path, codec: str, zipped: bool) -> None:
    table = pa.table({"id": list(range(5_000)), "name": [f"n{at}" for at in range(5_000)]})
    path = write(tmp_path, "a.parquet.gz" if zipped else "a.snappy.parquet", table, zipped=zipped, compression=codec, row_group_size=1_234)
    assert read(path) == table.to_pylist()
    assert [row.key for row in rows_in(path)][-1].endswith(":5000")


def test_a_file_in_an_object_store_is_read_as_one_on_a_disk(tmp_path: Path) -> None:
    store = MemoryFileSystem(skip_instance_cache=True)
    attach("memory", conn_id="lake", fs=store)
    table = pa.table({"id": list(range(3_000))})
    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink, row_group_size=500)
    whole = sink.getvalue().to_pybytes()
    try:
        store.pipe({"/lake/a.parquet": whole, "/lake/b.parquet.gz": gzip.compress(whole)})
        assert [row["id"] for row in read("memory://lake@lake/*")] == [*range(3_000), *range(3_000)]
    finally:
        store.store.clear()


def test_without_rows_there_are_none(tmp_path: Path) -> None:
    path = write(tmp_path, "a.parquet", pa.table({"id": pa.array([], pa.int64())}))
    assert list(rows_in(path, required=["id"])) == []


def test_columns_have_to_be_there_and_to_have_names_of_their_own(tmp_path: Path) -> None:
    path = write(tmp_path, "a.parquet", pa.table({"id": [1], "address": [{"city": "Ulm"}]}))
    assert read(path, required=["id", "address.city"]) == [{"id": 1, "address": {"city": "Ulm"}}]
    with pytest.raises(
        KlaviyoConfigError, match=r"a\.parquet has no column 'email', which the mapping or key_field names; it has id, address"
    ):
        list(rows_in(path, required=["id", "email"]))
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["id", "id"])
    with pytest.raises(KlaviyoConfigError, match=r"a\.parquet: columns 1, 2 have the same name as another"):
        list(rows_in(write(tmp_path, "a.parquet", twice)))


def test_a_file_that_is_damaged_or_cut_off_fails(tmp_path: Path) -> None:
    table = pa.table({"id": list(range(50_000)), "name": [f"{at * 7919}" for at in range(50_000)]})
    path = Path(write(tmp_path, "a.parquet", table, row_group_size=10_000, compression="snappy").removeprefix("file://"))
    whole = path.read_bytes()
    harmed = bytearray(whole)
    harmed[len(whole) // 2 : len(whole) // 2 + 4_000] = b"\xff" * 4_000
    for content in (
        b"",
        b"PAR1",
        whole[:-1],
        whole[: len(whole) // 2],
        b"PAR1" + b"x" * 500 + b"\x10\x00\x00\x00PAR1",
        bytes(harmed),
        b"id\n1\n",
    ):
        path.write_bytes(content)
        had: list[str] = []
        with pytest.raises(KlaviyoFileError, match=r"a\.parquet is no complete Parquet file, or it is damaged") as failed:
            had.extend(row.key for row in rows_in(f"file://{path}"))
        assert f"after {len(had):,} of its rows. Nothing of this load has been sent; the next try begins anew." in str(failed.value)
        assert not failed.value.permanent


def test_a_gzip_around_it_that_is_cut_off_fails(tmp_path: Path) -> None:
    path = Path(write(tmp_path, "a.parquet.gz", pa.table({"id": list(range(9_000))}), zipped=True).removeprefix("file://"))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(KlaviyoFileError, match=r"a\.parquet\.gz is cut off or damaged, and cannot be decompressed to its end"):
        list(rows_in(f"file://{path}"))


def test_a_value_that_python_has_no_form_for_rejects_its_row_and_no_other(tmp_path: Path) -> None:
    names = pa.Array.from_buffers(pa.string(), 3, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0"), pa.py_buffer(b"a\xffc")])
    seen = pa.array([1, 2, 2**55], pa.timestamp("ms"))
    path = write(tmp_path, "a.parquet", pa.table({"name": names, "seen": seen}))
    assert both(path) == (
        {"a.parquet:1": {"name": "a", "seen": datetime(1970, 1, 1, microsecond=1000, tzinfo=UTC).replace(tzinfo=None)}},
        {"a.parquet:2": "not_utf8", "a.parquet:3": "unreadable_value"},
    )
    assert reasons(path) == ["row 2: its name is not UTF-8", "row 3: Python has no form for its seen (timestamp[ms])"]


def test_without_pyarrow_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "a.parquet", pa.table({"id": [1]}))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(KlaviyoConfigError, match=r"pip install 'airflow-provider-klaviyo\[parquet\]'"):
        list(rows_in(path))


VALUES = st.fixed_dictionaries(
    {
        "id": st.none() | st.integers(-(2**63), 2**63 - 1),
        "name": st.none() | st.text(),
        "seen": st.none() | st.datetimes(timezones=st.just(UTC)),
        "tags": st.none() | st.lists(st.none() | st.text(), max_size=3),
        "address": st.none() | st.fixed_dictionaries({"city": st.none() | st.text(), "no": st.none() | st.integers(0, 99)}),
    }
)
SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("name", pa.string()),
        ("seen", pa.timestamp("us", tz="UTC")),
        ("tags", pa.list_(pa.string())),
        ("address", pa.struct([("city", pa.string()), ("no", pa.int32())])),
    ]
)


@given(st.lists(VALUES, max_size=20))
@settings(deadline=None)
def test_what_pyarrow_writes_is_read_as_it_was(rows: list[dict[str, Any]]) -> None:
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.Table.from_pylist(rows, SCHEMA), sink, row_group_size=7)
    assert [row.data for row in parquet_rows(pa.BufferReader(sink.getvalue()), "a") if isinstance(row, Row)] == rows

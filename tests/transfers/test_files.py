# SPDX-License-Identifier: Apache-2.0
"""Which files a path means, what they are told by, and files that are not whole or not what they were."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.loading.rows import Row
from airflow_provider_klaviyo.transfers.files import rows_in
from airflow_provider_klaviyo.transfers.formats import KlaviyoFileError
from tests.transfers.files_kit import both, lay, read

ONE, TWO, THREE = ('{"id": 1}\n', '{"id": 2}\n', '{"id": 3}\n')


@pytest.fixture
def bucket() -> Iterator[MemoryFileSystem]:
    """Hand out an object store: it has no folders but in the names of its keys."""
    store = MemoryFileSystem(skip_instance_cache=True)
    attach("memory", conn_id="exports", fs=store)
    yield store
    store.store.clear()
    store.pseudo_dirs[:] = [""]


def test_a_folder_means_its_files_by_name_and_not_the_markers_beside_them(tmp_path: Path) -> None:
    for name, content in {"b.jsonl": TWO, "a.jsonl": ONE, "c.jsonl": THREE, "_SUCCESS": "", ".a.jsonl.crc": "x", "in/d.jsonl": ONE}.items():
        lay(tmp_path, name, content)
    for path in (f"file://{tmp_path}", f"file://{tmp_path}/", str(tmp_path)):
        assert both(path)[0] == {"a.jsonl:1": {"id": 1}, "b.jsonl:1": {"id": 2}, "c.jsonl:1": {"id": 3}}


def test_a_pattern_means_what_it_matches_and_rows_are_named_from_where_it_begins(tmp_path: Path) -> None:
    for name, content in {"2026-11-02/part-0.jsonl": TWO, "2026-11-01/part-1.jsonl": ONE, "2026-10-31/part-0.jsonl": THREE}.items():
        lay(tmp_path, name, content)
        lay(tmp_path, f"{name.partition('/')[0]}/_part-9.jsonl", "no rows")
    assert both(f"file://{tmp_path}/2026-11-*/part-*.jsonl")[0] == {
        "2026-11-01/part-1.jsonl:1": {"id": 1},
        "2026-11-02/part-0.jsonl:1": {"id": 2},
    }
    assert [row["id"] for row in read(f"file://{tmp_path}/**/part-*.jsonl")] == [3, 1, 2]
    assert both(f"file://{tmp_path}/2026-11-01/_part-?.jsonl")[1] == {"_part-9.jsonl:1": "not_json"}


def test_a_path_from_here_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(tmp_path, "in/a.jsonl", ONE)
    monkeypatch.chdir(tmp_path)
    for path in ("in/a.jsonl", "in", "in/*"):
        assert both(path)[0] == {"a.jsonl:1": {"id": 1}}


def test_a_name_that_looks_like_a_pattern_is_the_file_of_that_name(tmp_path: Path) -> None:
    lay(tmp_path, "a1.jsonl", ONE)
    lay(tmp_path, "a[1].jsonl", TWO)
    assert both(f"file://{tmp_path}/a[1].jsonl")[0] == {"a[1].jsonl:1": {"id": 2}}


def test_an_object_store_is_read_by_its_connection_wherever_that_stands(bucket: MemoryFileSystem) -> None:
    bucket.pipe({"/shop/exports/2026/b.jsonl.gz": gzip.compress(TWO.encode()), "/shop/exports/2026/a.jsonl": ONE.encode()})
    bucket.pipe("/shop/exports/2026/c.csv", b"id\n3\n")
    for path, conn_id in (("memory://exports@shop/exports/2026", None), ("memory://shop/exports/2026/", "exports")):
        assert both(path, conn_id=conn_id)[0] == {"a.jsonl:1": {"id": 1}, "b.jsonl.gz:1": {"id": 2}, "c.csv:2": {"id": "3"}}
    assert read("memory://shop/exports/*/b*", conn_id="exports") == [{"id": 2}]
    assert read("memory://shop/exports/2026/a.jsonl", conn_id="exports") == [{"id": 1}]
    with pytest.raises(KlaviyoFileError, match="in the folders there"):
        rows_in("memory://shop/exports", conn_id="exports")


@pytest.mark.parametrize("path", ["none.jsonl", "none/", "none-*.jsonl", "*/none.jsonl"])
def test_no_file_fails_for_now_unless_there_may_be_none(tmp_path: Path, path: str) -> None:
    (tmp_path / "empty").mkdir()
    for where in (path, "empty"):
        with pytest.raises(KlaviyoFileError, match=r"No file is there: .*allow_missing=True") as failed:
            rows_in(f"file://{tmp_path}/{where}")
        assert not failed.value.permanent  # it may be late
        assert list(rows_in(f"file://{tmp_path}/{where}", allow_missing=True)) == []


def test_a_folder_of_folders_says_how_to_mean_their_files(tmp_path: Path) -> None:
    lay(tmp_path, "2026-11-01/a.jsonl", ONE)
    with pytest.raises(KlaviyoFileError, match=r"The files in the folders there are meant by a pattern"):
        rows_in(f"file://{tmp_path}")


def test_what_a_writer_keeps_to_itself_is_no_part_of_a_pattern_that_does_not_name_it(tmp_path: Path) -> None:
    names = (
        "_spool/day=1/part-0.jsonl",
        "_spool/day=1/_temporary/0/part-1.jsonl",
        "_spool/.tmp/part-2.jsonl",
        "_spool/_old/2025/part-3.jsonl",
    )
    for name in names:
        lay(tmp_path, name, ONE)

    def found(pattern: str) -> list[str]:
        return [row.key.removesuffix(":1") for row in rows_in(f"file://{tmp_path}/_spool/{pattern}", allow_missing=True)]

    assert found("**/*.jsonl") == ["day=1/part-0.jsonl"]
    assert found("*/*.jsonl") == ["day=1/part-0.jsonl"]
    assert found("*/*/*/*.jsonl") == []
    assert found("_old/**/*.jsonl") == ["2025/part-3.jsonl"]
    assert found("_o*/*/*.jsonl") == ["_old/2025/part-3.jsonl"]


def test_what_a_writer_keeps_to_itself_in_an_object_store_is_left_out_too(bucket: MemoryFileSystem) -> None:
    for name in ("2026/part-0.jsonl", "2026/_temporary/0/_attempt_1/part-1.jsonl", "_temporary/0/part-2.jsonl"):
        bucket.pipe(f"/shop/exports/{name}", ONE.encode())
    assert list(both("memory://exports@shop/exports/**/*.jsonl")[0]) == ["2026/part-0.jsonl:1"]


def test_a_name_that_tells_no_format_needs_it_said(tmp_path: Path) -> None:
    path = lay(tmp_path, "0000_part_00", ONE)
    with pytest.raises(KlaviyoConfigError, match="The name of 0000_part_00 does not tell its format: say file_format"):
        rows_in(path)
    assert read(path, file_format="jsonl") == [{"id": 1}]
    assert read(lay(tmp_path, "jsonl", ONE), file_format="jsonl") == [{"id": 1}]


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "A.JSON", "a.jsonl.gz", "a.JSONL.GZ"])
@pytest.mark.parametrize("zipped", [True, False])
def test_gzip_is_seen_in_the_file_whatever_it_is_called(tmp_path: Path, name: str, zipped: bool) -> None:
    assert read(lay(tmp_path, name, ONE + TWO, zipped=zipped)) == [{"id": 1}, {"id": 2}]


def test_several_compressed_files_behind_each_other_are_one(tmp_path: Path) -> None:
    path = lay(tmp_path, "a.jsonl.gz", b"".join(gzip.compress(each.encode()) for each in (ONE, TWO, THREE)))
    assert read(path) == [{"id": 1}, {"id": 2}, {"id": 3}]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_an_empty_file_has_no_rows_but_an_empty_gzip_is_none(tmp_path: Path, name: str) -> None:
    assert list(rows_in(lay(tmp_path, name, ""))) == []
    assert list(rows_in(lay(tmp_path, f"{name}.gz", "", zipped=True))) == []
    with pytest.raises(KlaviyoFileError, match="has no bytes"):
        list(rows_in(lay(tmp_path, f"{name}.gz", "")))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"PK\x03\x04rest", "a ZIP archive or an Excel workbook"),
        (b"\x28\xb5\x2f\xfdrest", "Zstandard"),
        (b"PAR1\x15rest", "say file_format='parquet'"),
    ],
)
def test_a_file_that_is_something_else_says_what(tmp_path: Path, content: bytes, what: str) -> None:
    with pytest.raises(KlaviyoConfigError, match=what):
        list(rows_in(lay(tmp_path, "a.csv", content)))


def many(count: int) -> bytes:
    return "".join(f"{json.dumps({'id': at, 'noise': os.urandom(40).hex()})}\n" for at in range(count)).encode()


def test_a_gzip_that_is_cut_off_fails_and_says_how_far_it_was_read(tmp_path: Path) -> None:
    whole = gzip.compress(many(30_000))
    lay(tmp_path, "a.jsonl.gz", many(5), zipped=True)
    for cut in (len(whole) // 2, len(whole) - 1, len(whole) - 8, 12, 3):
        lay(tmp_path, "b.jsonl.gz", whole[:cut])
        had: list[str] = []
        with pytest.raises(KlaviyoFileError, match=r"b\.jsonl\.gz is cut off or damaged") as failed:
            had.extend(row.key for row in rows_in(f"file://{tmp_path}"))
        assert not failed.value.permanent
        assert f"after {len(had) - 5:,} of its rows. Nothing of this load has been sent; the next try begins anew." in str(failed.value)


def test_a_gzip_that_is_damaged_fails(tmp_path: Path) -> None:
    whole = bytearray(gzip.compress(many(3_000)))
    for at in (len(whole) // 2, len(whole) - 6, len(whole) - 2):
        harmed = bytearray(whole)
        harmed[at] ^= 0xFF
        with pytest.raises(KlaviyoFileError, match="damaged"):
            list(rows_in(lay(tmp_path, "a.jsonl.gz", bytes(harmed))))


def test_a_file_that_vanishes_or_changes_before_it_is_read_fails(tmp_path: Path) -> None:
    for name in ("a", "b"):
        lay(tmp_path, f"{name}.jsonl", ONE)
    rows = rows_in(f"file://{tmp_path}")
    (tmp_path / "b.jsonl").unlink()
    assert next(rows).key == "a.jsonl:1"
    with pytest.raises(KlaviyoFileError, match=r"b\.jsonl was there when the load began, and is no more, after 0 of its rows"):
        next(rows)
    lay(tmp_path, "b.jsonl", ONE)
    rows = rows_in(f"file://{tmp_path}")
    lay(tmp_path, "b.jsonl", TWO * 2)
    assert next(rows).key == "a.jsonl:1"
    with pytest.raises(KlaviyoFileError, match=r"b\.jsonl was changed while the load was reading, after 0 of its rows"):
        next(rows)


def test_a_file_that_changes_while_it_is_read_fails_though_all_rows_came(tmp_path: Path) -> None:
    path = lay(tmp_path, "a.jsonl", ONE + TWO)
    rows = rows_in(path)
    next(rows)
    with (tmp_path / "a.jsonl").open("a") as file:
        file.write(THREE)
    with pytest.raises(KlaviyoFileError, match=r"a\.jsonl was changed while the load was reading, after [23] of its rows"):
        list(rows)


def test_a_key_of_an_object_store_that_is_written_anew_fails(bucket: MemoryFileSystem) -> None:
    bucket.pipe("/shop/a.jsonl", (ONE + TWO).encode())
    rows = rows_in("memory://exports@shop/a.jsonl")
    next(rows)
    bucket.pipe("/shop/a.jsonl", (TWO + ONE).encode())
    with pytest.raises(KlaviyoFileError, match="was changed while the load was reading"):
        list(rows)


class Versioned(MemoryFileSystem):  # type: ignore[misc] # fsspec says nothing of its types
    """A store as S3 is: it tells versions, in listings by other words than of a single key, and it remembers what it has listed."""

    def __init__(self, **_: Any) -> None:
        super().__init__()
        self.versions = {"/shop/a.jsonl": "v1", "/shop/b.jsonl": "v1"}
        self.listed: dict[str, list[dict[str, Any]]] = {}

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[dict[str, Any]]:
        """List from memory."""
        if path not in self.listed:
            names = [name for name in self.versions if name.startswith(f"{path}/")]
            self.listed[path] = [{"name": name, "type": "file", "size": 10, "ETag": f'"{self.versions[name]}"'} for name in names]
        return self.listed[path]

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Tell of a key what was listed, or what is there."""
        if remembered := [each for each in self.listed.get(path.rpartition("/")[0], ()) if each["name"] == path]:
            return dict(remembered[0])
        if path in self.versions:
            return {"name": path, "type": "file", "size": 10, "ETag": self.versions[path], "LastModified": object()}
        return dict(super().info(path))

    def invalidate_cache(self, path: str | None = None) -> None:
        """Forget a listing."""
        self.listed = {name: found for name, found in self.listed.items() if path is not None and name != path}


def test_a_store_with_versions_is_asked_for_them_and_not_for_what_it_has_listed() -> None:
    store = Versioned(skip_instance_cache=True)
    attach("memory", conn_id="versioned", fs=store)
    for name in store.versions:
        store.pipe(name, ONE.encode())
    assert [row.key for row in rows_in("memory://versioned@shop")] == ["a.jsonl:1", "b.jsonl:1"]
    rows = rows_in("memory://versioned@shop")
    next(rows)
    store.versions["/shop/b.jsonl"] = "v2"
    with pytest.raises(KlaviyoFileError, match=r"b\.jsonl was changed"):
        list(rows)
    rows = rows_in("memory://versioned@shop")
    next(rows)
    store.versions["/shop/a.jsonl"] = "v2"
    with pytest.raises(KlaviyoFileError, match=r"a\.jsonl was changed while the load was reading, after 1 of its rows"):
        list(rows)
    store.store.clear()


def test_a_store_that_fails_on_the_way_says_which_file_and_that_nothing_was_sent(bucket: MemoryFileSystem) -> None:
    bucket.pipe("/shop/a.jsonl", many(50_000))
    rows = rows_in("memory://exports@shop/a.jsonl")
    next(rows)
    bucket.store["/shop/a.jsonl"].read = _refuse  # as a network would
    with pytest.raises(KlaviyoFileError, match=r"a\.jsonl cannot be read on \(ConnectionResetError\), after [\d,]+ of its rows") as failed:
        list(rows)
    assert isinstance(failed.value.__cause__, ConnectionResetError)


def _refuse(*_: Any) -> bytes:
    raise ConnectionResetError("peer 10.0.0.1 hung up")


def test_a_row_is_called_by_the_column_that_names_it_else_by_file_and_line(tmp_path: Path) -> None:
    path = lay(tmp_path, "a.jsonl", '{"id": 7}\n{"other": 1}\n{"id": null}\n{"id": "x"}\n')
    assert [row.key for row in rows_in(path, key_field="id")] == ["7", "a.jsonl:2", "a.jsonl:3", "x"]


def test_the_column_that_names_a_row_may_lie_in_an_object(tmp_path: Path) -> None:
    lines = [
        {"customer": {"id": 7}},
        {"customer.id": 8, "customer": {"id": 0}},
        {"customer": None},
        {"customer": {"id": None}},
        {"customer": 9},
    ]
    path = lay(tmp_path, "a.jsonl", "\n".join(map(json.dumps, lines)))
    assert [row.key for row in rows_in(path, key_field="customer.id")] == ["7", "8", "a.jsonl:3", "a.jsonl:4", "a.jsonl:5"]


@pytest.mark.parametrize("missing", ["email", "address.town", "address.city.name", "mail.host"])
def test_a_column_that_no_row_has_fails_when_all_are_read(tmp_path: Path, missing: str) -> None:
    lay(tmp_path, "a.jsonl", '{"id": 7}\n')
    lay(tmp_path, "b.jsonl", '{"mail": "x", "address": {"city": "y"}}\n{"id": 8\n')
    path = f"file://{tmp_path}"
    assert len(list(rows_in(path, required=["id", "mail", "address.city"]))) == 3
    had: list[str] = []
    with pytest.raises(KlaviyoConfigError, match=f"None of the 2 rows has '{missing}', which the mapping or key_field names") as failed:
        had.extend(row.key for row in rows_in(path, required=["id", missing]))
    assert had == ["a.jsonl:1", "b.jsonl:1", "b.jsonl:2"]
    assert failed.value.permanent


def test_a_column_is_there_where_it_is_null_or_the_object_that_would_hold_it(tmp_path: Path) -> None:
    path = lay(tmp_path, "a.jsonl", '{"plan": null}\n{"address": null}\n')
    assert len(list(rows_in(path, required=["plan", "address.city"]))) == 2


@pytest.mark.parametrize("content", ["", "\n", "{\n"])
def test_of_no_rows_no_column_is_missed(tmp_path: Path, content: str) -> None:
    assert not [row for row in rows_in(lay(tmp_path, "a.jsonl", content), required=["email"]) if isinstance(row, Row)]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"encoding": "utf-99"}, "There is no encoding 'utf-99'"),
        ({"encoding": "base64"}, "There is no encoding 'base64'"),
        ({"delimiter": ";;"}, "delimiter is one character"),
        ({"delimiter": '"'}, "delimiter is one character"),
        ({"delimiter": ""}, "delimiter is one character"),
        ({"null_values": "NULL"}, "null_values is a list of texts"),
    ],
)
def test_what_cannot_be_is_refused_before_any_file_is_read(how: dict[str, Any], message: str) -> None:
    with pytest.raises(KlaviyoConfigError, match=message):
        rows_in("file:///nowhere", **how)

# SPDX-License-Identifier: Apache-2.0
"""JSON Lines: what its writers mean, and each way in which a line of it is broken."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.loading.rows import Reject, Row
from airflow_provider_klaviyo.transfers import text_files
from airflow_provider_klaviyo.transfers.files import rows_in
from airflow_provider_klaviyo.transfers.formats import KlaviyoFileError
from airflow_provider_klaviyo.transfers.text_files import Text, jsonl_rows
from tests.transfers.files_kit import both, lay, read, reasons


def test_a_line_is_an_object_and_a_blank_one_is_none(tmp_path: Path) -> None:
    path = lay(tmp_path, "a.jsonl", '{"id": 1, "a": {"b": [1.5, null, true]}}\r\n\n  \t\n {"id": 2} \n{"id": 3}')
    assert both(path)[0] == {
        "a.jsonl:1": {"id": 1, "a": {"b": [1.5, None, True]}},
        "a.jsonl:4": {"id": 2},
        "a.jsonl:5": {"id": 3},
    }


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    assert read(lay(tmp_path, "a.jsonl", '\ufeff{"id": 1}\n')) == [{"id": 1}]


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_other_encodings_are_read_if_they_are_named(tmp_path: Path, encoding: str) -> None:
    assert read(lay(tmp_path, "a.jsonl", '{"name": "Zoë"}\n{}\n'.encode(encoding)), encoding=encoding) == [{"name": "Zoë"}, {}]


@pytest.mark.parametrize(
    ("line", "code", "reason"),
    [
        (b'{"id": 2', "not_json", "line 2 is not JSON from character 9 on"),
        (b'{"id": 2},', "not_json", "line 2 is not JSON from character 10 on"),
        (b'{"id": 2,}', "not_json", "line 2 is not JSON"),
        (b'{"id": 2}{"id": 3}', "not_json", "line 2 is not JSON from character 10 on"),
        (b"id,email", "not_json", "line 2 is not JSON from character 1 on"),
        (b"{'id': 2}", "not_json", "line 2 is not JSON"),
        (b'{"id": NaN}', "not_json", "NaN or Infinity"),
        (b'{"id": -Infinity}', "not_json", "NaN or Infinity"),
        (b'{"id": ' + b"9" * 5_000 + b"}", "not_json", "line 2 is not JSON that can be read"),
        (b'{"id": ' + b"[" * 100_000 + b"}", "not_json", "nested too deep"),
        (b"[1, 2]", "not_an_object", "line 2 holds a list, and a row is an object"),
        (b'"text"', "not_an_object", "line 2 holds a str"),
        (b"17", "not_an_object", "line 2 holds a int"),
        (b"null", "not_an_object", "line 2 holds a NoneType"),
        ('{"name": "Zoë"}'.encode("latin-1"), "not_utf8", "line 2: it is not utf-8: name the file's encoding"),
        (b'{"name": "\xed\xa0\x80"}', "not_utf8", "line 2: it is not utf-8"),
        (b'{"name": "a\0b"}', "nul_byte", "line 2: it holds a NUL byte"),
        (b"\0" * 50, "nul_byte", "line 2: it holds a NUL byte"),
    ],
    ids=lambda value: value[:20] if isinstance(value, bytes) else "",
)
def test_a_broken_line_is_rejected_by_its_number_and_the_rest_goes_on(tmp_path: Path, line: bytes, code: str, reason: str) -> None:
    path = lay(tmp_path, "a.jsonl", b'{"id": 1}\n' + line + b'\n{"id": 4}\n')
    assert both(path) == ({"a.jsonl:1": {"id": 1}, "a.jsonl:3": {"id": 4}}, {"a.jsonl:2": code})
    (said,) = reasons(path)
    assert said.startswith("line 2")
    assert reason in said
    assert "Zo" not in said


def test_a_line_too_long_for_any_request_is_passed_over_without_holding_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_files, "LONGEST_LINE", 1_000)
    lines = ['{"id": 1}', f'{{"id": "{"x" * 5_000}"}}', f'{{"id": "{"y" * 980}"}}', '{"id": 4}', "x" * 1_001]
    for end in ("\n", ""):
        rows, rejects = both(lay(tmp_path, "a.jsonl", "\n".join(lines) + end))
        assert list(rows) == ["a.jsonl:1", "a.jsonl:3", "a.jsonl:4"]
        assert rejects == {"a.jsonl:2": "too_large", "a.jsonl:5": "too_large"}


@pytest.mark.parametrize("content", ['[{"id": 1}, {"id": 2}]', '\n[\n  {"id": 1},\n  {"id": 2}\n]\n', "[]"])
def test_an_array_is_no_json_lines_and_says_what_to_do(tmp_path: Path, content: str) -> None:
    with pytest.raises(KlaviyoConfigError, match=r"a\.json holds a JSON array\. Write one object a line") as failed:
        list(rows_in(lay(tmp_path, "a.json", content)))
    assert failed.value.permanent


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff\n"])
def test_a_file_without_lines_has_no_rows(tmp_path: Path, content: str) -> None:
    assert list(rows_in(lay(tmp_path, "a.jsonl", content))) == []


def test_an_encoding_that_loses_its_way_fails(tmp_path: Path) -> None:
    path = lay(tmp_path, "a.jsonl", '{"id": 1}\n{"id": 2}\n'.encode("utf-16") + b"\x00")
    with pytest.raises(KlaviyoFileError, match=r"a\.jsonl is not utf-16 from line [1-3] on, or it is cut off"):
        list(rows_in(path, encoding="utf-16"))


def parsed(data: bytes) -> list[Row | Reject]:
    stream: Any = io.BufferedReader(io.BytesIO(data))
    return list(jsonl_rows(stream, "a.jsonl", Text()))


SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8)
OBJECTS = st.lists(st.dictionaries(st.text(), VALUES, max_size=4))


@given(OBJECTS, st.booleans(), st.sampled_from(["\n", "\r\n", "\n\n"]))
def test_what_python_writes_is_read_as_it_was(objects: list[dict[str, Any]], ascii_only: bool, end: str) -> None:
    data = "".join(json.dumps(each, ensure_ascii=ascii_only) + end for each in objects).encode()
    assert [row.data for row in parsed(data) if isinstance(row, Row)] == objects


@given(st.lists(st.binary(max_size=20) | st.sampled_from([b'{"a": 1}', b"{}", b"{", b"", b"1"])))
def test_whatever_the_bytes_are_each_line_is_a_row_a_reject_or_blank(lines: list[bytes]) -> None:
    rows = parsed(b"{}\n" + b"\n".join(lines))
    keys = [int(row.key.rpartition(":")[2]) for row in rows]
    assert keys == sorted(set(keys))
    solid = [at for at, line in enumerate(b"\n".join(lines).split(b"\n"), 2) if line.decode("utf-8", "surrogateescape").strip()]
    assert keys == [1, *solid]

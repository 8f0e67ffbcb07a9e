# SPDX-License-Identifier: Apache-2.0
"""CSV: what its writers mean, and each way in which a file of it is broken."""

from __future__ import annotations

import csv
import gzip
import io
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.loading.rows import Reject, Row
from airflow_provider_klaviyo.transfers import text_files
from airflow_provider_klaviyo.transfers.files import rows_in
from airflow_provider_klaviyo.transfers.formats import KlaviyoFileError
from airflow_provider_klaviyo.transfers.text_files import Text, csv_rows
from tests.transfers.files_kit import both, lay, read, reasons


def test_cells_are_text_and_an_empty_one_is_no_value(tmp_path: Path) -> None:
    path = lay(tmp_path, "a.csv", 'id,name,plan\n1,"Ann, ""A""",\n2,, x \n\n3,"",None\n')
    assert both(path)[0] == {
        "a.csv:2": {"id": "1", "name": 'Ann, "A"', "plan": None},
        "a.csv:3": {"id": "2", "name": None, "plan": " x "},
        "a.csv:5": {"id": "3", "name": None, "plan": "None"},
    }


@pytest.mark.parametrize(
    ("nulls", "cells"),
    [
        (("",), [None, "\\N", "NULL", "null", " "]),
        (("", "\\N"), [None, None, "NULL", "null", " "]),
        (["", "NULL", " "], [None, "\\N", None, "null", None]),
        ((r"\N",), ["", None, "NULL", "null", " "]),
        ((), ["", "\\N", "NULL", "null", " "]),
    ],
)
def test_which_texts_are_nulls_may_be_said(tmp_path: Path, nulls: Any, cells: list[Any]) -> None:
    path = lay(tmp_path, "a.csv", 'a,b,c,d,e\n,\\N,"NULL",null, \n')
    assert [list(row.values()) for row in read(path, null_values=nulls)] == [cells]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "UTF8"])
def test_line_ends_and_a_byte_order_mark_are_no_part_of_the_text(tmp_path: Path, end: str, mark: str, encoding: str) -> None:
    path = lay(tmp_path, "a.csv", f"{mark}email, name{end}ä@x.de,Ö{end}b@x.de,")
    assert both(path, encoding=encoding)[0] == {
        "a.csv:2": {"email": "ä@x.de", "name": "Ö"},
        "a.csv:3": {"email": "b@x.de", "name": None},
    }


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-32", "shift_jis"])
def test_other_encodings_are_read_if_they_are_named(tmp_path: Path, encoding: str) -> None:
    name = "ソ" if encoding == "shift_jis" else "Zoë"
    path = lay(tmp_path, "a.csv", f"id,name\n1,{name}\n2,B\n".encode(encoding))
    assert read(path, encoding=encoding) == [{"id": "1", "name": name}, {"id": "2", "name": "B"}]


@pytest.mark.parametrize(("name", "delimiter"), [("a.tsv", None), ("a.tab.gz", None), ("a.csv", "\t"), ("a.csv", r"\t"), ("a.tsv", "\t")])
def test_tabs_stand_between_cells_where_the_name_or_the_user_says_so(tmp_path: Path, name: str, delimiter: str | None) -> None:
    path = lay(tmp_path, name, 'id\tname\n1\t"a\tb"\n2\tc,d\n', zipped=name.endswith(".gz"))
    assert read(path, delimiter=delimiter) == [{"id": "1", "name": "a\tb"}, {"id": "2", "name": "c,d"}]


def test_a_quoted_cell_goes_over_lines_and_its_row_is_called_by_the_first(tmp_path: Path) -> None:
    path = lay(tmp_path, "a.csv", 'id,note\n1,"one\ntwo, ""2""\r\n"\n2,"\n"\n3,x\n')
    assert both(path)[0] == {
        "a.csv:2": {"id": "1", "note": 'one\ntwo, "2"\r\n'},
        "a.csv:5": {"id": "2", "note": "\n"},
        "a.csv:7": {"id": "3", "note": "x"},
    }


def test_a_row_with_too_many_or_too_few_cells_is_rejected_and_the_rest_goes_on(tmp_path: Path) -> None:
    path = lay(tmp_path, "a.csv", 'id,name\n1,a\n2,b,c\n3\n4,"x\ny",z\n5,e\n')
    rows, rejects = both(path)
    assert (list(rows), set(rejects.values())) == (["a.csv:2", "a.csv:7"], {"ragged_row"})
    assert reasons(path) == [
        "line 3: the row has 3 cells, and the header 2",
        "line 4: the row has 1 cells, and the header 2",
        "lines 5 to 6: the row has 3 cells, and the header 2",
    ]


def test_a_line_that_is_not_in_the_encoding_is_rejected_and_named(tmp_path: Path) -> None:
    content = "id,name\n1,Zoë\n".encode() + "2,Zoë\n".encode("latin-1") + b'3,"Zo\n' + 'ë"\n'.encode("latin-1") + b"4,x\n"
    path = lay(tmp_path, "a.csv", content)
    rows, rejects = both(path)
    assert (list(rows), rejects) == (["a.csv:2", "a.csv:6"], {"a.csv:3": "not_utf8", "a.csv:4": "not_utf8"})
    assert reasons(path)[1].startswith("lines 4 to 5: it is not utf-8: name the file's encoding")
    assert "Zo" not in "".join(reasons(path))
    assert both(path, encoding="ascii")[1] == {"a.csv:2": "not_ascii", "a.csv:3": "not_ascii", "a.csv:4": "not_ascii"}


def test_a_row_with_a_nul_byte_is_rejected(tmp_path: Path) -> None:
    path = lay(tmp_path, "a.csv", "id,name\n1,a\0b\n2,c\n\0\0\0\0")
    assert both(path) == ({"a.csv:3": {"id": "2", "name": "c"}}, {"a.csv:2": "nul_byte", "a.csv:4": "nul_byte"})


def test_a_quote_that_is_not_doubled_spoils_its_row_and_no_other(tmp_path: Path) -> None:
    path = lay(tmp_path, "a.csv", 'id,size,note\n1,"5" disk",x\n2,"a",b\n3,"a"b,"c"\n4,5" disk,x\n')
    rows, rejects = both(path)
    assert rejects == {"a.csv:2": "malformed_csv", "a.csv:4": "malformed_csv"}
    assert rows == {"a.csv:3": {"id": "2", "size": "a", "note": "b"}, "a.csv:5": {"id": "4", "size": '5" disk', "note": "x"}}


@pytest.mark.parametrize(
    "tail",
    ['2,"b', '2,"b\n', '2,"b\n3,c\n4,d\n', '2,"5" disk",x\n3,"', '2,"b\n3,""c"",d\n'],
    ids=["cut", "line", "lines", "later", "doubled"],
)
def test_a_file_that_ends_within_quotes_fails_because_it_may_be_half_of_one(tmp_path: Path, tail: str) -> None:
    with pytest.raises(KlaviyoFileError, match=r"a\.csv ends in a cell whose quote opens on line [34] or later: the file is cut off"):
        list(rows_in(lay(tmp_path, "a.csv", f"id,name\n1,a\n{tail}")))


def test_an_open_quote_that_swallows_rows_fails_because_nobody_can_tell_how_many(tmp_path: Path) -> None:
    path = lay(tmp_path, "a.csv", 'id,name\n1,"a\n2,b\n3,"c"\n4,d\n')
    with pytest.raises(KlaviyoFileError, match=r"a\.csv: a quote on lines 2 to 4 is not closed, or not doubled"):
        list(rows_in(path))


def test_a_cell_or_a_line_without_end_fails_before_it_fills_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_files, "LONGEST_LINE", 200_000)
    before = csv.field_size_limit(131_072)
    try:
        assert len(read(lay(tmp_path, "a.csv", f'id,name\n1,"{"x" * 199_000}"\n2,{"y" * 199_000}\n'))) == 2
        with pytest.raises(KlaviyoFileError, match="line 2 has more than 200,000 characters, and is no row"):
            list(rows_in(lay(tmp_path, "a.csv", f"id,name\n1,{'x,' * 200_000}\n")))
        open_quote = 'id,name\n1,a\n2,"' + "0123456789\n" * 40_000
        with pytest.raises(
            KlaviyoFileError, match="a cell that begins on line 3 or later has more than 200,000 characters: is a quote left"
        ):
            list(rows_in(lay(tmp_path, "a.csv", open_quote)))
    finally:
        csv.field_size_limit(before)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("id,plan,email,id,plan", "columns 1, 2, 4, 5 have the same name as another: each needs a name of its own"),
        ("id,email, id,plan", "columns 1, 3 have the same name"),
        (",email", "column 1 of 2 has no name in the header"),
        ("id,email,", "column 3 of 3 has no name"),
        ('id," "', "column 2 of 2 has no name"),
        ("id;email", "the header is one cell, with ';' in it: say delimiter=';'"),
        ("id\temail", r"the header is one cell, with '\\t' in it"),
        ("id,na\0me", "the header cannot be read: it holds a NUL byte"),
        ('id,"na"me', "the header cannot be read: a quote within a quoted cell"),
        ("id,mail", "a.csv has no column 'email', 'plan', which the mapping or key_field names; it has id, mail"),
        ("7,Sarah", "has none of the columns 'email', 'id', 'plan', which the mapping or key_field names: is its first line a header?"),
        ("id,sarah@example.com", "the first line is no header but a row, as it seems: the columns need names"),
        ("id,+14155550123", "the first line is no header but a row"),
    ],
)
def test_a_header_by_which_no_row_can_be_read_is_an_error(tmp_path: Path, header: str, message: str) -> None:
    with pytest.raises(KlaviyoConfigError, match=message) as failed:
        list(rows_in(lay(tmp_path, "a.csv", f"{header}\n1,a@x.de\n"), required=["email", "id", "plan"]))
    assert failed.value.permanent
    assert "arah" not in str(failed.value)


@pytest.mark.parametrize("content", ["é;x\n1;2\n".encode("latin-1"), "id,name\n1,a\n".encode("utf-16")])
def test_a_header_in_another_encoding_is_an_error(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(KlaviyoConfigError, match="the header cannot be read: it is not utf-8: name the file's encoding"):
        list(rows_in(lay(tmp_path, "a.csv", content)))


def test_an_encoding_that_loses_its_way_fails(tmp_path: Path) -> None:
    path = lay(tmp_path, "a.csv", "id,name\n1,a\n2,b\n".encode("utf-16") + b"\x00")
    with pytest.raises(KlaviyoFileError, match=r"a\.csv is not utf-16 from line [1-4] on, or it is cut off"):
        list(rows_in(path, encoding="utf-16"))


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff", "id,name", "id,name\r\n", "\n\nid,name\n\n\n"])
def test_a_file_without_rows_has_none(tmp_path: Path, content: str) -> None:
    assert list(rows_in(lay(tmp_path, "a.csv", content), required=["id"])) == []


def test_each_file_has_a_header_of_its_own(tmp_path: Path) -> None:
    lay(tmp_path, "a.csv", "id,name\n1,a\n")
    lay(tmp_path, "b.csv", "name,id\nb,2\n")
    assert read(f"file://{tmp_path}") == [{"id": "1", "name": "a"}, {"name": "b", "id": "2"}]
    lay(tmp_path, "c.csv", "3,c\n")
    with pytest.raises(KlaviyoConfigError, match=r"c\.csv has none of the columns"):
        list(rows_in(f"file://{tmp_path}", required=["id"]))


def parsed(data: bytes, **text: Any) -> list[Row | Reject]:
    stream: Any = io.BufferedReader(io.BytesIO(data))
    return list(csv_rows(stream, "a.csv", Text(**{"delimiter": ",", **text})))


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8) | st.text(',"\n\r; ', max_size=4)
NAMES = st.lists(st.text(string.ascii_letters, min_size=1, max_size=4), min_size=2, max_size=4, unique=True)
DIALECTS = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from(",;\t|"),
        "lineterminator": st.sampled_from(["\n", "\r\n"]),
        "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    }
)


@given(
    NAMES.flatmap(lambda names: st.tuples(st.just(names), st.lists(st.lists(CELLS, min_size=len(names), max_size=len(names))))), DIALECTS
)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_what_python_writes_is_read_as_it_was(table: tuple[list[str], list[list[str]]], dialect: dict[str, Any]) -> None:
    names, rows = table
    bare = dialect["lineterminator"] == "\n" and dialect["quoting"] == csv.QUOTE_MINIMAL
    assume(not bare or not any("\r" in cell for row in rows for cell in row))  # Python writes it without quotes, as if it ended a line
    file = io.StringIO(newline="")
    csv.writer(file, **dialect).writerows([names, *rows])
    read_back = parsed(file.getvalue().encode(), delimiter=dialect["delimiter"])
    assert [row.data for row in read_back if isinstance(row, Row)] == [
        {name: cell or None for name, cell in zip(names, row, strict=True)} for row in rows
    ]
    assert len(read_back) == len(rows)


@given(st.lists(st.text('ab,"\r\n', max_size=12)), st.binary(max_size=12))
def test_whatever_the_bytes_are_they_are_rows_or_an_error_that_says_so(lines: list[str], noise: bytes) -> None:
    data = b"id,name\n" + "\n".join(lines).encode() + noise
    try:
        rows = parsed(data)
    except (KlaviyoFileError, KlaviyoConfigError) as error:
        assert "a.csv" in str(error)  # noqa: PT017 - one of two outcomes
        return
    assert len({row.key for row in rows}) == len(rows)
    assert all(isinstance(row, Reject) or set(row.data) == {"id", "name"} for row in rows)


def test_a_gzip_of_csv_is_read_as_it_comes(tmp_path: Path) -> None:
    lines = [f"{at},{'x' * (at % 50)}" for at in range(20_000)]
    path = lay(tmp_path, "a.csv.gz", gzip.compress("\n".join(["id,name", *lines]).encode()))
    assert [row["id"] for row in read(path)] == [str(at) for at in range(20_000)]

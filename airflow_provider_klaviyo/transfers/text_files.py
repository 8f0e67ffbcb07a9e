# SPDX-License-Identifier: Apache-2.0
"""
The rows of a text file: JSON Lines and CSV.

A row that is broken is rejected, and the rest goes on. A file of which nobody can tell where its rows begin and end is no such case:
it is refused as a whole.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import IO

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.values import E164, is_email
from airflow_provider_klaviyo.loading.rows import Reject, Row
from airflow_provider_klaviyo.transfers.formats import KlaviyoFileError, checked, tabbed

LONGEST_LINE = 16 * 2**20
"""Characters of a line, or of a CSV file's cell: a request to Klaviyo has room for 5 MB."""
ESCAPED = re.compile("[\udc80-\udcff]")
"""What stands for a byte that could not be decoded."""
QUOTE = '"'
OTHER_DELIMITERS = ";\t|,"


@dataclass(frozen=True, slots=True)
class Text:
    """
    How the text in a file is written.

    :param encoding: Python's name of the encoding; a byte order mark before UTF-8 is no part of the text.
    :param delimiter: What stands between two cells of a CSV file; by default a comma, and a tab where the file's name says so.
    :param nulls: Which texts of a CSV file's cells are nulls.
    :raises KlaviyoConfigError: There is no such encoding, or the delimiter is not one character.
    """

    encoding: str = "utf-8"
    delimiter: str | None = None
    nulls: frozenset[str] = frozenset({""})

    def __post_init__(self) -> None:
        try:
            io.TextIOWrapper(io.BytesIO(), self.encoding)
        except LookupError:
            message = f"There is no encoding {self.encoding!r}: take one that Python knows, such as 'utf-8', 'cp1252' or 'utf-16'."
            raise KlaviyoConfigError(message) from None
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            message = f"delimiter is one character, such as ',' or ';': {self.delimiter!r} is none."
            raise KlaviyoConfigError(message)

    @property
    def name(self) -> str:
        """The encoding's own name."""
        return codecs.lookup(self.encoding).name.removesuffix("-sig")

    def of(self, stream: IO[bytes], newline: str) -> io.TextIOWrapper:
        """Open a stream as text; bytes that are none are kept as what :data:`ESCAPED` finds."""
        encoding = "utf-8-sig" if self.name == "utf-8" else self.encoding
        return io.TextIOWrapper(stream, encoding, errors="surrogateescape", newline=newline)

    def in_file(self, name: str) -> Text:
        """Return how the text in a file of that name is written."""
        return self if self.delimiter else replace(self, delimiter="\t" if tabbed(name) else ",")

    def fault(self, text: str) -> tuple[str, str] | None:
        """Return code and reason of what a line holds that is no text."""
        if not text.isascii() and ESCAPED.search(text):
            code = f"not_{re.sub('[-_]', '', self.name)}"
            return code, f"it is not {self.name}: name the file's encoding, such as encoding='cp1252', or mend the file"
        if "\0" in text:
            return "nul_byte", "it holds a NUL byte: the file is damaged, or in another encoding, such as UTF-16"
        return None


def jsonl_rows(stream: IO[bytes], name: str, text: Text) -> Iterator[Row | Reject]:
    """
    Yield the objects of a JSON Lines file, one a line. Blank lines are none.

    :param stream: The file, uncompressed.
    :param name: What it is called in the keys of its rows.
    :param text: Its encoding.
    :raises KlaviyoConfigError: It holds an array, and not lines.
    :raises KlaviyoFileError: It cannot be decoded.
    """
    lines = text.of(stream, "\n")
    number, begun = 0, False
    while line := _line(lines, name, number, text):
        number += 1
        key = f"{name}:{number}"
        if len(line) > LONGEST_LINE:
            while line and not line.endswith("\n"):
                line = _line(lines, name, number, text)
            yield Reject(key, "too_large", f"line {number} has more than {LONGEST_LINE:,} characters")
            continue
        if not line.strip():
            continue
        if not begun and line.lstrip().startswith("["):
            message = f"{name} holds a JSON array. Write one object a line (JSON Lines), as `jq -c '.[]'` does."
            raise KlaviyoConfigError(message)
        begun = True
        yield _json_row(key, line, number, text)


def _line(lines: io.TextIOWrapper, name: str, number: int, text: Text) -> str:
    try:
        return lines.readline(LONGEST_LINE + 1)
    except UnicodeDecodeError:  # of an encoding whose characters have several bytes: where the next one begins cannot be told
        message = f"{name} is not {text.name} from line {number + 1} on, or it is cut off: name its encoding, or mend the file"
        raise KlaviyoFileError(message) from None


def _json_row(key: str, line: str, number: int, text: Text) -> Row | Reject:
    if fault := text.fault(line):
        return Reject(key, fault[0], f"line {number}: {fault[1]}")
    try:
        data = json.loads(line.rstrip(), parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        return Reject(key, "not_json", f"line {number} is not JSON from character {error.pos + 1} on")
    except (ValueError, RecursionError):  # NaN, a number of thousands of digits, a thousand brackets
        return Reject(key, "not_json", f"line {number} is not JSON that can be read: it holds NaN or Infinity, or is nested too deep")
    if not isinstance(data, dict):
        return Reject(key, "not_an_object", f"line {number} holds a {type(data).__name__}, and a row is an object")
    return Row(key, data)


def _no_constant(_: str) -> float:
    raise ValueError


class _Lines:
    """The lines of a CSV file; those of the row at hand are kept, to see whether it is well-formed."""

    def __init__(self, lines: io.TextIOWrapper, name: str, text: Text) -> None:
        self._lines, self._name, self._text = lines, name, text
        self.number = 0
        self.held: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = _line(self._lines, self._name, self.number, self._text)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) > LONGEST_LINE:
            message = f"{self._name}: line {self.number} has more than {LONGEST_LINE:,} characters, and is no row of a CSV file"
            raise KlaviyoFileError(message)
        self.held.append(line)
        return line


@dataclass(slots=True)
class _Record:
    """One row of a CSV file, as it was read."""

    cells: list[str]
    first: int
    last: int
    fault: tuple[str, str] | None

    @property
    def place(self) -> str:
        return f"line {self.first}" if self.first == self.last else f"lines {self.first} to {self.last}"


def csv_rows(stream: IO[bytes], name: str, text: Text, required: Collection[str] = ()) -> Iterator[Row | Reject]:
    """
    Yield the rows of a CSV file that begins with the names of its columns. All cells are text, but for nulls.

    :param stream: The file, uncompressed.
    :param name: What it is called in the keys of its rows.
    :param text: Its encoding and delimiter, and which cells are nulls.
    :param required: Columns it has to have.
    :raises KlaviyoConfigError: The header is none that rows can be read by.
    :raises KlaviyoFileError: It cannot be told where a row ends.
    """
    records = _records(_Lines(text.of(stream, ""), name, text), name, text)
    if (first := next(records, None)) is None:
        return
    header = _header(first, name, required)
    for record in records:
        key = f"{name}:{record.first}"
        if record.fault:
            yield Reject(key, record.fault[0], f"{record.place}: {record.fault[1]}")
        elif len(record.cells) != len(header):
            yield Reject(key, "ragged_row", f"{record.place}: the row has {len(record.cells)} cells, and the header {len(header)}")
        else:
            yield Row(key, {column: None if cell in text.nulls else cell for column, cell in zip(header, record.cells, strict=True)})


def _records(lines: _Lines, name: str, text: Text) -> Iterator[_Record]:
    """Yield what stands between two ends of rows, blank lines left out."""
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_LINE))
    reader = csv.reader(lines, delimiter=text.delimiter or ",")
    while True:
        first = lines.number + 1
        lines.held.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            message = (
                f"{name}: a cell that begins on line {first} or later has more than {LONGEST_LINE:,} characters: is a quote left open?"
            )
            raise KlaviyoFileError(message) from None
        if cells:
            fault = next(filter(None, map(text.fault, lines.held)), None)
            yield _Record(cells, first, lines.number, fault or _misquoted(lines.held, name, first, text))


def _misquoted(held: Sequence[str], name: str, first: int, text: Text) -> tuple[str, str] | None:
    """Return what is wrong with a row's quotes, which Python would otherwise read in a way of its own."""
    if not any(QUOTE in line for line in held) or _strict(held, text):
        return None
    last = first + len(held) - 1
    if _strict([*held[:-1], held[-1] + QUOTE], text):
        message = f"{name} ends in a cell whose quote opens on line {first} or later: the file is cut off, or the quote is not closed"
        raise KlaviyoFileError(message)
    if last > first:
        message = f"{name}: a quote on lines {first} to {last} is not closed, or not doubled, so where a row ends there cannot be told"
        raise KlaviyoFileError(message)
    return "malformed_csv", "a quote within a quoted cell is not doubled"


def _strict(held: Sequence[str], text: Text) -> bool:
    try:
        return len(list(csv.reader(held, delimiter=text.delimiter or ",", strict=True))) == 1
    except csv.Error:
        return False


def _header(record: _Record, name: str, required: Collection[str]) -> list[str]:
    columns = [cell.strip() for cell in record.cells]
    if record.fault:
        raise KlaviyoConfigError(f"{name}: the header cannot be read: {record.fault[1]}.")
    if len(columns) == 1 and (others := [each for each in OTHER_DELIMITERS if each in columns[0]]):
        raise KlaviyoConfigError(f"{name}: the header is one cell, with {others[0]!r} in it: say delimiter={others[0]!r}.")
    if any(is_email(each) or E164.fullmatch(each) for each in columns):
        raise KlaviyoConfigError(f"{name}: the first line is no header but a row, as it seems: the columns need names.")
    if "" in columns:
        raise KlaviyoConfigError(
            f"{name}: column {columns.index('') + 1} of {len(columns)} has no name in the header: give it one, or drop it."
        )
    lacking = set(required) - set(columns)
    if lacking and len(lacking) == len(set(required)):  # what stands there may be a row: it is not shown
        named = ", ".join(map(repr, sorted(lacking)))
        raise KlaviyoConfigError(
            f"{name} has none of the columns {named}, which the mapping or key_field names: is its first line a header?"
        )
    checked(columns, name, lacking)
    return columns

# SPDX-License-Identifier: Apache-2.0
"""Rows from files: one, those of a folder, or those that a pattern matches, on a disk or in an object store."""

from __future__ import annotations

import gzip
import io
import logging
import shutil
import tempfile
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import takewhile
from typing import IO, TYPE_CHECKING, Any

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.loading.conversions import ABSENT
from airflow_provider_klaviyo.loading.rows import Reject, Row
from airflow_provider_klaviyo.transfers.formats import (
    GZIP,
    LONGEST_MAGIC,
    FileFormat,
    KlaviyoFileError,
    format_of,
    reached,
    refuse_foreign,
)
from airflow_provider_klaviyo.transfers.text_files import Text, csv_rows, jsonl_rows

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

BLOCK = 2**20
NEAR = frozenset({"", "file", "local"})
PATTERN = frozenset("*?[")
MARKERS = ("_", ".")
"""What the names of files without rows begin with, and of folders that somebody still writes: ``_SUCCESS``, ``_temporary``."""
VERSIONS = ("generation", "ETag", "etag")
MOMENTS = ("mtime", "LastModified", "last_modified", "updated", "created")

State = tuple[str, str]
"""Size and version of a file."""


@dataclass(frozen=True, slots=True)
class Source:
    """
    A file with rows.

    :param place: Where it is.
    :param name: What it is called in the keys of its rows and in messages: its path from the folder that was given.
    :param state: What tells it from what it may be later: size and version.
    """

    place: ObjectStoragePath
    name: str
    state: State

    def check(self) -> None:
        """
        See to it that the file is still the one that was found.

        :raises KlaviyoFileError: It is not.
        :raises FileNotFoundError: It is there no more.
        """
        fs = self.place.fs
        fs.invalidate_cache(self.place.path.rpartition("/")[0])  # what was listed once is not what is there
        if _told(fs.info(self.place.path)) != self.state:
            raise KlaviyoFileError(f"{self.name} was changed while the load was reading")


def rows_in(
    path: str | ObjectStoragePath,
    *,
    conn_id: str | None = None,
    file_format: FileFormat = "auto",
    encoding: str = "utf-8",
    delimiter: str | None = None,
    null_values: Sequence[str] = ("",),
    key_field: str | None = None,
    required: Collection[str] = (),
    may_lack: Collection[str] = (),
    allow_missing: bool = False,
) -> Iterator[Row | Reject]:
    r"""
    Return the rows of files, one after the other, the files in the order of their names. No file is held in memory.

    A row that is broken comes as a :class:`~airflow_provider_klaviyo.loading.rows.Reject` with its file and line. A file that is
    incomplete, damaged or changed while it is read ends the reading: a load, which reads all before it sends any, then sends nothing.

    :param path: A file, a folder (its files, not those of the folders in it), or a pattern such as
        ``s3://aws_default@bucket/exports/2026-11-*/part-*.jsonl.gz``. Files whose names begin with ``_`` or ``.`` are left out, and so
        is what lies in folders of such names below the part of the pattern that is no pattern.
    :param conn_id: The Airflow connection to the store, where it is not part of the path.
    :param file_format: ``jsonl``, ``csv`` or ``parquet``; ``auto`` goes by each file's name. Whether one is gzip is seen in it.
    :param encoding: Of the text in files of JSON Lines and CSV.
    :param delimiter: Between the cells of CSV files; by default a comma, and a tab in ``.tsv``.
    :param null_values: Which texts of CSV cells are nulls, such as ``("", "\\N")``. The others are text, also an empty one that is
        not among them.
    :param key_field: The column that says what a row is called in the rejects file; by default, and where it is null, file and line.
        ``customer.id`` reaches into objects.
    :param required: Columns that each CSV and Parquet file has to have, and at least one row of all JSON Lines.
    :param may_lack: Those of them that no line of JSON need have, because the export leaves out what is null: that is only said in the log.
    :param allow_missing: Whether it is well that no file is there: an export of an hour in which nothing happened.
    :raises KlaviyoFileError: No file is there, which another try may find; later, that one is not whole.
    :raises KlaviyoConfigError: A file cannot be read as it is; at the end, that no row had a column that is required.
    """
    text = Text(encoding, "\t" if delimiter == r"\t" else delimiter, _nulls(null_values))
    found = find(path, conn_id=conn_id, allow_missing=allow_missing)
    formats = [format_of(source.name, file_format) for source in found]
    log.info("%s files with rows in %s.", len(found), path)
    return _keyed(_rows(found, formats, text, required), key_field, frozenset(required), frozenset(may_lack))


def find(path: str | ObjectStoragePath, *, conn_id: str | None = None, allow_missing: bool = False) -> list[Source]:
    """
    Return the files that a path means, sorted by name.

    :param path: A file, a folder or a pattern.
    :param conn_id: The Airflow connection to the store, where it is not part of the path.
    :param allow_missing: Whether there may be none.
    :raises KlaviyoFileError: There is none.
    """
    from airflow.sdk import ObjectStoragePath

    place = ObjectStoragePath(path, conn_id=conn_id)
    place = place.absolute() if place.protocol in NEAR else place
    fs, where = place.fs, place.path.rstrip("/") or "/"
    fs.invalidate_cache()
    base, infos = _listed(fs, where)
    files = sorted((info["name"], info) for info in infos if info["type"] == "file" and info["name"].rstrip("/") == info["name"] != base)
    if not files and not allow_missing:
        folders = any(info["type"] == "directory" for info in infos)
        advice = " The files in the folders there are meant by a pattern: .../*/*." if folders else ""
        raise KlaviyoFileError(f"No file is there: {place}.{advice} Where an export may have none, say allow_missing=True.")
    return [
        Source(
            ObjectStoragePath(name, protocol=place.protocol, conn_id=place.conn_id),
            name.removeprefix(base).lstrip("/"),
            _state(fs, info),
        )
        for name, info in files
    ]


def _listed(fs: Any, where: str) -> tuple[str, list[Mapping[str, Any]]]:
    """Return the folder that names begin in, and what there is."""
    try:
        info = fs.info(where)
    except FileNotFoundError:
        if not PATTERN & set(where):
            return where, []
        steady = "/".join(takewhile(lambda part: not PATTERN & set(part), where.split("/")))
        found = fs.glob(where, detail=True).values()
        return steady, [each for each in found if not _marker(each, where) and not _unfinished(each, steady, where)]
    if info["type"] == "file":
        return where.rpartition("/")[0], [info]
    return where, [each for each in fs.ls(where, detail=True) if not _marker(each, "")]


def _marker(info: Mapping[str, Any], pattern: str) -> bool:
    """Whether a file is one without rows; a pattern that asks for such a name gets it."""
    name = info["name"].rpartition("/")[2]
    return name.startswith(MARKERS) and not pattern.rpartition("/")[2].startswith(MARKERS)


def _unfinished(info: Mapping[str, Any], steady: str, pattern: str) -> bool:
    """Whether a file lies in a folder that a writer keeps to itself, as Spark does ``_temporary``; a pattern that names one gets it."""
    folders = info["name"].removeprefix(steady).strip("/").split("/")[:-1]
    asked = [part for part in pattern.split("/") if part.startswith(MARKERS)]
    return any(each.startswith(MARKERS) and not any(fnmatchcase(each, part) for part in asked) for each in folders)


def _nulls(null_values: Sequence[str]) -> frozenset[str]:
    if isinstance(null_values, str):
        raise KlaviyoConfigError(f"null_values is a list of texts, such as ['', {null_values!r}].")
    return frozenset(null_values)


def _state(fs: Any, info: Mapping[str, Any]) -> State:
    """Return what tells whether a file is still the same. Where a store has no versions, its listings may tell times in another form."""
    if any(info.get(name) for name in VERSIONS):
        return _told(info)
    try:
        return _told(fs.info(info["name"]))
    except FileNotFoundError:  # whoever comes to read it will see
        return ("", "")


def _told(info: Mapping[str, Any]) -> State:
    version = next((str(info[name]).strip('"') for name in (*VERSIONS, *MOMENTS) if info.get(name) is not None), "")
    return str(info.get("size")), version


def _keyed(
    rows: Iterator[Row | Reject], key_field: str | None, required: frozenset[str], may_lack: frozenset[str]
) -> Iterator[Row | Reject]:
    """Name rows by a column of theirs, and refuse at the end a column that none of them had: what it was to say went unsaid."""
    unseen, read = set(required), 0
    for row in rows:
        if isinstance(row, Row):
            read += 1
            if unseen:
                unseen -= {each for each in unseen if reached(row.data, each) is not ABSENT}
            if key_field is not None and (key := reached(row.data, key_field)) is not None and key is not ABSENT:
                row = Row(str(key), row.data)  # noqa: PLW2901 - the same row by its name
        yield row
    if read and (left := unseen & may_lack):
        log.warning("None of the %s rows has %s, which the mapping names.", read, ", ".join(map(repr, sorted(left))))
    if read and (unseen := unseen - may_lack):
        raise KlaviyoConfigError(
            f"None of the {read:,} rows has {', '.join(map(repr, sorted(unseen)))}, which the mapping or key_field names: mend the name, or have the export"
            " write what is null as null. Nothing of this load has been sent."
        )


def _rows(found: list[Source], formats: list[FileFormat], text: Text, required: Collection[str]) -> Iterator[Row | Reject]:
    for source, file_format in zip(found, formats, strict=True):
        read = 0
        try:
            source.check()
            with source.place.open("rb") as file:
                for row in _rows_of(source, file, file_format, text.in_file(source.name), required):
                    read += 1
                    yield row
            source.check()
        except (KlaviyoFileError, OSError, EOFError, zlib.error) as error:
            what = f"{_why(error, source.name)}, after {read:,} of its rows"
            raise KlaviyoFileError(f"{what}. Nothing of this load has been sent; the next try begins anew.") from error


def _why(error: Exception, name: str) -> str:
    match error:
        case KlaviyoFileError():
            return str(error)
        case FileNotFoundError():
            return f"{name} was there when the load began, and is no more"
        case EOFError() | zlib.error() | gzip.BadGzipFile():
            return f"{name} is cut off or damaged, and cannot be decompressed to its end"
    return f"{name} cannot be read on ({type(error).__name__})"


def _rows_of(source: Source, file: Any, file_format: FileFormat, text: Text, required: Collection[str]) -> Iterator[Row | Reject]:
    name = source.name
    if file_format == "parquet":
        from airflow_provider_klaviyo.transfers.parquet_files import parquet_rows

        with _seekable(file, near=source.place.protocol in NEAR) as plain:
            yield from parquet_rows(plain, name, required)
        return
    stream = _plain(io.BufferedReader(_Raw(file), BLOCK), name)
    refuse_foreign(stream.peek(LONGEST_MAGIC)[:LONGEST_MAGIC], name)
    if file_format == "csv":
        yield from csv_rows(stream, name, text, required)
    else:
        yield from jsonl_rows(stream, name, text)


class _Raw(io.RawIOBase):
    """A file of any store as Python's own readers want it."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data: bytes = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _plain(stream: io.BufferedReader, name: str) -> io.BufferedReader:
    """Decompress a stream if it is gzip, whatever it is called."""
    head = stream.peek(len(GZIP))
    if not head and name.lower().endswith(".gz"):
        raise KlaviyoFileError(f"{name} has no bytes, and gzip has some where there is nothing else")
    return io.BufferedReader(gzip.GzipFile(fileobj=stream), BLOCK) if head.startswith(GZIP) else stream


@contextmanager
def _seekable(file: Any, *, near: bool) -> Iterator[IO[bytes]]:
    """
    Hand out a file to be sought in.

    A compressed one is decompressed to a file of its own, and one that is far away is fetched as a whole: to leap from column to
    column in a store costs a request of megabytes each time.
    """
    head = file.read(len(GZIP))
    file.seek(0)
    if near and head != GZIP:
        yield file
        return
    with tempfile.TemporaryFile() as plain:
        shutil.copyfileobj(gzip.GzipFile(fileobj=file) if head == GZIP else file, plain, BLOCK)
        plain.seek(0)
        yield plain

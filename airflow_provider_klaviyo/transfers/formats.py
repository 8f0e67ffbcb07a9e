# SPDX-License-Identifier: Apache-2.0
"""What the formats of files share: how one is told by its name and its first bytes, and what makes a file unreadable."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError, KlaviyoError
from airflow_provider_klaviyo.loading.conversions import ABSENT

FileFormat = Literal["auto", "jsonl", "csv", "parquet"]

SUFFIXES: dict[str, FileFormat] = {
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "json": "jsonl",
    "csv": "csv",
    "tsv": "csv",
    "tab": "csv",
    "parquet": "parquet",
    "pq": "parquet",
}
GZIP = b"\x1f\x8b"
PARQUET = b"PAR1\x15"  # and the beginning of its first page: a column may be called PAR1
FOREIGN = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
    b"\x28\xb5\x2f\xfd": "compressed with Zstandard",
    b"\xfd7zXZ\x00": "compressed with xz",
    b"BZh91AY&SY": "compressed with bzip2",
    PARQUET: "a Parquet file",
    b"Obj\x01": "an Avro file",
}
"""First bytes of files that are no text, and what they are."""
LONGEST_MAGIC = max(map(len, FOREIGN))


class KlaviyoFileError(KlaviyoError):
    """
    A file is not there, incomplete or damaged, or it changed while it was read. Nothing of the load has been sent.

    It is no permanent error: whoever writes the file may be late, or not done, and the next try begins anew.
    """

    permanent = False


def format_of(name: str, given: FileFormat) -> FileFormat:
    """
    Return how a file is written.

    :param name: Its name, which tells it where nothing else does: ``part-0001.jsonl.gz``.
    :param given: What the user says, or ``auto``.
    :raises KlaviyoConfigError: Neither says it.
    """
    if given != "auto":
        return given
    parts = name.lower().removesuffix(".gz").rsplit(".", 1)
    if parts[-1] in SUFFIXES and len(parts) > 1:
        return SUFFIXES[parts[-1]]
    raise KlaviyoConfigError(f"The name of {name} does not tell its format: say file_format, or narrow source_path to the files meant.")


def tabbed(name: str) -> bool:
    """Say whether a file's name tells that tabs stand between its cells."""
    return name.lower().removesuffix(".gz").endswith((".tsv", ".tab"))


def refuse_foreign(head: bytes, name: str) -> None:
    """
    Refuse what is no text, by its first bytes.

    :raises KlaviyoConfigError: It says what the file is.
    """
    for magic, what in FOREIGN.items():
        if head.startswith(magic):
            readable = "say file_format='parquet'" if magic == PARQUET else "JSON Lines and CSV can be read, plain or gzip, and Parquet"
            raise KlaviyoConfigError(f"{name} is {what}: {readable}.")


def reached(data: Mapping[str, Any], column: str) -> Any:
    """
    Return a column's value; where no column is called so, what lies where its dots lead, as in a mapping.

    :param data: The row.
    :param column: Its name.
    :return: The value, or ``ABSENT``.
    """
    if column in data:
        return data[column]
    value: Any = data
    for name in column.split("."):
        if value is None:
            break
        if not isinstance(value, Mapping) or name not in value:
            return ABSENT
        value = value[name]
    return value


def checked(columns: Sequence[str], name: str, lacking: Collection[str]) -> None:
    """
    See to it that rows can be read by their columns' names.

    :param columns: The names.
    :param name: What the file is called.
    :param lacking: Those it should have, and has not.
    :raises KlaviyoConfigError: Two are equal, or one is lacking.
    """
    if twice := [str(at) for at, each in enumerate(columns, 1) if columns.count(each) > 1]:
        raise KlaviyoConfigError(f"{name}: columns {', '.join(twice)} have the same name as another: each needs a name of its own.")
    if lacking:
        raise KlaviyoConfigError(
            f"{name} has no column {', '.join(map(repr, sorted(lacking)))}, which the mapping or key_field names; it has {', '.join(columns)}."
        )

# SPDX-License-Identifier: Apache-2.0
"""Load the rows of files into Klaviyo: JSON Lines, CSV and Parquet, on a disk or in an object store."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from airflow_provider_klaviyo.operators.base import Journal
from airflow_provider_klaviyo.transfers.base import KlaviyoLoadOperator
from airflow_provider_klaviyo.transfers.formats import FileFormat
from airflow_provider_klaviyo.transfers.kinds import ConsentLoad, EventsLoad, ProfilesLoad

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_klaviyo.loading.rows import Reject, Row

OPTIONAL = re.compile(r"(profile\.)?(properties|location)\.")
"""Begins the names of fields that a row may well be without."""


class ObjectStorageSource(KlaviyoLoadOperator):
    r"""
    Load the rows of files.

    The files are read once, in the order of their names; a next try that finds their rows staged does not read them again. A row that
    is broken is rejected with its file and line. A file that is cut off, damaged or changed while it is read fails the task before
    anything is sent, and the next try reads it anew. So does a file that is not there yet, and, for good, a column of the mapping that no
    row of JSON Lines has. Without ``mapping``, the names of columns are Klaviyo's fields: ``email``, ``properties.plan``.

    :param source_path: A file, a folder (its files, not those of the folders in it), or a pattern, as an object storage URL:
        ``s3://bucket/exports/{{ ds }}/part-*.jsonl.gz``. Files whose names begin with ``_`` or ``.`` are left out, and so is what
        lies in folders of such names below the part of the pattern that is no pattern.
    :param source_conn_id: The Airflow connection to the store, where it is not part of the path (``s3://aws_default@bucket/...``).
    :param file_format: ``jsonl``, ``csv`` or ``parquet``; ``auto`` goes by each file's name. Whether one is gzip is seen in it.
    :param encoding: Of the text in JSON Lines and CSV, by Python's name, such as ``cp1252``.
    :param delimiter: Between the cells of CSV files; by default a comma, and a tab in ``.tsv``.
    :param null_values: Which texts of CSV cells are nulls, such as ``("", "\\N")`` or ``("", "NULL")``. All others are text.
    :param allow_missing: Whether it is well that no file is there: the export of an hour in which nothing happened. Otherwise the task
        fails, and is retried.
    """

    columns: ClassVar[bool] = True
    sparse: ClassVar[bool] = True
    """A line of JSON may lack columns; that a file with a header has them, and lines of JSON at least once, the reader sees to."""

    source_path: str
    source_conn_id: str | None = None
    file_format: FileFormat = "auto"
    encoding: str = "utf-8"
    delimiter: str | None = None
    null_values: Sequence[str] = ("",)
    allow_missing: bool = False

    def rows(self, context: Context, journal: Journal) -> Iterator[Row | Reject]:  # noqa: ARG002 - the files are its fields'
        """
        Return the files' rows, as a stream.

        :raises KlaviyoFileError: No file is there, or one is not whole.
        :raises KlaviyoConfigError: A file cannot be read as it is, or no row has a column that the mapping names.
        """
        from airflow_provider_klaviyo.transfers.files import rows_in

        return rows_in(
            self.source_path,
            conn_id=self.source_conn_id,
            file_format=self.file_format,
            encoding=self.encoding,
            delimiter=self.delimiter,
            null_values=self.null_values,
            key_field=self.key_field,
            required=self._required(),
            may_lack=self._may_lack(),
            allow_missing=self.allow_missing,
        )

    def _may_lack(self) -> set[str]:
        """Return the columns that only properties and places come from: exports that leave out nulls may have none of them."""
        from airflow_provider_klaviyo.loading.mapping import mappings_of

        needed = {column for each in mappings_of(self.mapping) if not OPTIONAL.match(each.destination_field) for column in each.columns}
        return self._required() - needed - {self.key_field}

    def _required(self) -> set[str]:
        """Return the columns that the mapping and ``key_field`` name."""
        from airflow_provider_klaviyo.loading.mapping import mappings_of

        named = {column for each in mappings_of(self.mapping) for column in each.columns}
        return {*named, self.key_field} if self.key_field else named


class ObjectStorageToKlaviyoProfilesOperator(ObjectStorageSource, ProfilesLoad):
    """Load the rows of files as profiles."""


class ObjectStorageToKlaviyoEventsOperator(ObjectStorageSource, EventsLoad):
    """Load the rows of files as events."""


class ObjectStorageToKlaviyoConsentOperator(ObjectStorageSource, ConsentLoad):
    """Load the rows of files as consent: who agreed to what, and who did not."""

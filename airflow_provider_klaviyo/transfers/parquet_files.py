# SPDX-License-Identifier: Apache-2.0
"""The rows of a Parquet file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.loading.rows import Json, Reject, Row
from airflow_provider_klaviyo.transfers.formats import KlaviyoFileError, checked

HOW = {"buffer_size": 2**16, "pre_buffer": False, "coerce_int96_timestamp_unit": "us", "page_checksum_verification": True}
"""Without buffers of a size, pyarrow holds all there is between two columns' pages in memory: row groups have hundreds of megabytes."""
ROWS_AT_ONCE = 1_000
UNREADABLE = (ValueError, OverflowError, ArithmeticError)
"""What pyarrow raises for a value that Python has no form for, such as a date before the year 1."""


def parquet_rows(file: Any, name: str, required: Collection[str] = ()) -> Iterator[Row | Reject]:
    """
    Yield the rows of a Parquet file. Structs and maps are objects, and times have microseconds.

    :param file: The file, which can be sought in.
    :param name: What it is called in the keys of its rows.
    :param required: Columns it has to have; ``address.city`` may be a field of a column ``address``.
    :raises KlaviyoConfigError: pyarrow is not installed, or the columns are none that rows can be read by.
    :raises KlaviyoFileError: It is damaged or incomplete.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        message = "Parquet files are read with pyarrow: pip install 'airflow-provider-klaviyo[parquet]'."
        raise KlaviyoConfigError(message) from None
    at = 0
    try:
        opened = parquet.ParquetFile(file, **HOW)
        columns = opened.schema_arrow.names
        checked(columns, name, {each for each in required if each not in columns and each.partition(".")[0] not in columns})
        for batch in opened.iter_batches(batch_size=ROWS_AT_ONCE, use_threads=False):
            for row in _batch_rows(batch):
                at += 1
                key = f"{name}:{at}"
                yield Row(key, row) if isinstance(row, dict) else Reject(key, row[0], f"row {at}: {row[1]}")
    except (pa.ArrowException, OSError, EOFError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise KlaviyoFileError(f"{name} is no complete Parquet file, or it is damaged ({type(error).__name__})") from error


def _batch_rows(batch: Any) -> Iterator[Json | tuple[str, str]]:
    import pyarrow as pa

    columns = [_in_microseconds(column) for column in batch.columns]
    names = batch.schema.names
    try:
        yield from pa.RecordBatch.from_arrays(columns, names=names).to_pylist(maps_as_pydicts="lossy")
    except UNREADABLE:  # one value spoils them all: find its row
        for at in range(batch.num_rows):
            yield _single_row(names, columns, at)


def _single_row(names: Sequence[str], columns: Sequence[Any], at: int) -> Json | tuple[str, str]:
    row: Json = {}
    for name, column in zip(names, columns, strict=True):
        try:
            row[name] = column[at].as_py(maps_as_pydicts="lossy")
        except UnicodeDecodeError:
            return "not_utf8", f"its {name} is not UTF-8"
        except UNREADABLE:
            return "unreadable_value", f"Python has no form for its {name} ({column.type})"
    return row


def _in_microseconds(column: Any) -> Any:
    """Cut nanoseconds off, which Python's times do not have."""
    wanted = _coarser(column.type)
    return column if wanted == column.type else column.cast(wanted, safe=False)


def _coarser(kind: Any) -> Any:
    import pyarrow as pa

    is_, nested = pa.types, [kind.field(at) for at in range(kind.num_fields)] if kind.num_fields else []
    if is_.is_timestamp(kind) and kind.unit == "ns":
        return pa.timestamp("us", tz=kind.tz)
    if is_.is_time64(kind):
        return pa.time64("us")
    if is_.is_duration(kind):
        return pa.duration("us")
    if is_.is_struct(kind):
        return pa.struct([each.with_type(_coarser(each.type)) for each in nested])
    if is_.is_map(kind):
        return pa.map_(kind.key_type, _coarser(kind.item_type))
    if is_.is_list(kind):
        return pa.list_(kind.value_field.with_type(_coarser(kind.value_type)))
    if is_.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(_coarser(kind.value_type)))
    return kind

# SPDX-License-Identifier: Apache-2.0
"""A hundred times the rows are read in the same memory, whatever the format."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.kit import FULL

FEW, MANY = 10_000, 1_000_000 if FULL else 200_000
MEGABYTE = 2**20
CHILD = """
import resource, sys
from pathlib import Path
from airflow_provider_klaviyo.transfers.files import rows_in
count, told = sum(1 for _ in rows_in(sys.argv[1])), Path("/proc/self/status")
# Linux counts what the parent had into ru_maxrss.
own = [int(line.split()[1]) * 1024 for line in told.read_text().splitlines() if line.startswith("VmHWM")] if told.exists() else []
print(count, *(own or [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""


def rows(count: int) -> Iterator[dict[str, str | int]]:
    return ({"id": at, "email": f"p{at}@example.com", "name": f"Name {at * 7919 % 10_007}", "plan": "free"} for at in range(count))


def write_jsonl(path: Path, count: int) -> None:
    with gzip.open(path, "wt", compresslevel=1) as file:
        file.writelines(f"{json.dumps(row)}\n" for row in rows(count))


def write_csv(path: Path, count: int) -> None:
    with path.open("w") as file:
        file.write("id,email,name,plan\n")
        file.writelines(f'{row["id"]},{row["email"]},"{row["name"]}",free\n' for row in rows(count))


def write_parquet(path: Path, count: int, rows_a_group: int = 500_000) -> None:
    schema = pa.schema([("id", pa.int64()), ("email", pa.string()), ("name", pa.string()), ("plan", pa.string())])
    with parquet.ParquetWriter(path, schema) as writer:
        for start in range(0, count, rows_a_group):
            ids = range(start, min(start + rows_a_group, count))
            columns = [list(ids), [f"p{at}@example.com" for at in ids], [f"Name {at * 7919 % 10_007}" for at in ids], ["free"] * len(ids)]
            writer.write_table(pa.table(columns, schema=schema), row_group_size=rows_a_group)


def most_memory(path: Path, count: int) -> int:
    """Read a file in a process of its own, and return the most bytes of memory it had."""
    done = subprocess.run([sys.executable, "-c", CHILD, f"file://{path}"], capture_output=True, text=True, check=True, timeout=300)
    read, most = map(int, done.stdout.split()[-2:])
    assert read == count
    return most


@pytest.mark.slow
@pytest.mark.parametrize(("name", "write"), [("a.jsonl.gz", write_jsonl), ("a.csv", write_csv), ("a.parquet", write_parquet)])
def test_a_hundred_times_the_rows_need_no_more_memory(tmp_path: Path, name: str, write: Callable[[Path, int], None]) -> None:
    needed = []
    for count in (FEW, MANY):
        path = tmp_path / str(count) / name
        path.parent.mkdir()
        write(path, count)
        needed.append(most_memory(path, count))
    growth = (needed[1] - needed[0]) / MEGABYTE
    assert growth < 20, f"{growth:.1f} MB more for {MANY:,} rows than for {FEW:,}"

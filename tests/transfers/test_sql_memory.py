# SPDX-License-Identifier: Apache-2.0
"""A hundred times as many rows take no more memory, to read them and to write down what became of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit import FULL
from tests.transfers import databases
from tests.transfers.databases import Database

ROOT = Path(__file__).parents[2]
MOST_GROWTH = 20_000_000

READ = """
import resource, sys
from tests.transfers.databases import CONN_ID, Database
from airflow_provider_klaviyo.transfers.sql import rows_of

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

database, text = Database(sys.argv[1]), sys.argv[2]
peaks = []
for count in (10_000, int(sys.argv[3])):
    read = sum(1 for row in rows_of(database.hook, database.numbers(count, f"n AS id, {text} AS email, {text} AS note"))
               if row["email"] == row["note"])
    assert read == count, read
    peaks.append(peak())
print(peaks[1] - peaks[0])
"""
WRITE = """
import resource, sys
from tests.transfers.databases import Database
from airflow_provider_klaviyo.transfers.results import ResultsTable

line = {"key": "customer", "fate": "rejected", "stage": "check", "code": "bad", "reason": "r" * 200, "attempt": 1}
table = ResultsTable(Database(sys.argv[1]).hook, sys.argv[2])
table.prepare()
peaks = []
for count in (2_000, 100_000):
    assert table.write(({**line, "key": f"customer {at}"} for at in range(count)), {"dag_id": "d"}, "load") == count
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
print(peaks[1] - peaks[0])
"""
TEXTS = {
    "postgres": "'p' || n || repeat('x', 100) || '@example.com'",
    "mysql": "concat('p', n, repeat('x', 100), '@example.com')",
    "sqlite": f"'p' || n || '{'x' * 100}@example.com'",
}


def growth(program: str, *arguments: str) -> int:
    """Run a program in a process of its own, and return by how many bytes its peak has grown."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.strip().splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("driver", ["postgres", "psycopg2", "mysql", "sqlite"])
def test_many_rows_are_read_in_the_memory_of_ten_thousand(driver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with databases.opened(driver, tmp_path, monkeypatch) as database:
        assert growth(READ, driver, TEXTS[database.name], str(1_000_000 if FULL else 200_000)) < MOST_GROWTH


@pytest.mark.slow
@pytest.mark.parametrize("driver", databases.NAMES)
def test_results_are_written_as_they_come(driver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with databases.opened(driver, tmp_path, monkeypatch) as database:
        assert isinstance(database, Database)
        assert growth(WRITE, driver, database.table()) < MOST_GROWTH

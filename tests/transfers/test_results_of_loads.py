# SPDX-License-Identifier: Apache-2.0
"""A load writes what became of its rows beside their source, once, and finds out beforehand whether it can."""
# ruff: noqa: S608 - the tables and queries are the tests' own

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError, KlaviyoLoadFailed
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from airflow_provider_klaviyo.transfers.results import ResultsTableUnusable
from airflow_provider_klaviyo.transfers.sql_to_klaviyo import SqlToKlaviyoProfilesOperator
from tests.transfers import databases
from tests.transfers.databases import Database
from tests.transfers.sql_kit import PROFILES, Json, Store, context, impatient, people, task


@pytest.fixture
def postgres(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    with databases.opened("postgres", tmp_path, monkeypatch) as found:
        yield found


@pytest.fixture
def klaviyo(sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> SandboxServer:
    return impatient(sandbox, monkeypatch)


@pytest.fixture
def folders(tmp_path: Path) -> Json:
    return {"staging_path": f"file://{tmp_path}/stage", "rejects_path": f"file://{tmp_path}/rejects.jsonl"}


def test_a_results_table_that_cannot_be_written_stops_the_load_before_anything_is_sent(
    postgres: Database, klaviyo: SandboxServer, folders: Json
) -> None:
    table = people(postgres, 3)
    query = f"SELECT email FROM {table}"
    with pytest.raises(KlaviyoConfigError, match="has no columns"):
        task(SqlToKlaviyoProfilesOperator, folders, sql=query, results_table=table).execute(context())
    with pytest.raises(ResultsTableUnusable):
        task(SqlToKlaviyoProfilesOperator, folders, sql=query, results_table="no_such_schema.results").execute(context())
    assert klaviyo.klaviyo.counts()["profiles"] == 0
    assert not any(name.startswith("POST") for name in klaviyo.klaviyo.requests)


def test_a_load_that_is_finished_again_has_its_results_once(postgres: Database, klaviyo: SandboxServer, folders: Json) -> None:
    table, results = people(postgres, 20, odd=True), postgres.table()
    query = PROFILES.format(table=table).replace("id AS external_id, ", "")
    store = Store()
    for _ in range(2):
        with pytest.raises(KlaviyoLoadFailed):
            task(SqlToKlaviyoProfilesOperator, folders, sql=query, results_table=results).execute(context(store))
    assert postgres.run(f"SELECT count(*), count(DISTINCT load_id) FROM {results}") == [(3, 1)]
    with pytest.raises(KlaviyoLoadFailed):  # cleared, it is another load
        task(SqlToKlaviyoProfilesOperator, folders, sql=query, results_table=results).execute(context(store, max_tries=9))
    assert postgres.run(f"SELECT count(*), count(DISTINCT load_id) FROM {results}") == [(6, 2)]

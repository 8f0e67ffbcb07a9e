# SPDX-License-Identifier: Apache-2.0
"""What every test shares. Airflow reads its environment at the first import, so it is set before that."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

HOME = Path(tempfile.mkdtemp(prefix="airflow-test-"))
os.environ.update(
    {
        "AIRFLOW_HOME": str(HOME),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).parents[1] / "example_dags"),
        "AIRFLOW__CORE__FERNET_KEY": "",
        # A test that runs one DAG twice would otherwise serialize it twice.
        "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "86400",
        "AIRFLOW__KLAVIYO__SETTLE_SECONDS": "0",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME}/airflow.db",
    }
)

import pytest  # noqa: E402 - after the environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.models.dagrun import DagRun
    from airflow.sdk import DAG

    from airflow_provider_klaviyo.sandbox.server import SandboxServer

pytest_plugins = ["airflow_provider_klaviyo.sandbox.plugin"]


def pytest_report_header() -> str:
    """Tell which of Klaviyo's contracts this run holds calls against."""
    from tests.contract import july

    return july.header()


@pytest.fixture(scope="session")
def airflow_db() -> None:
    """Make Airflow's database once a process."""
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture
def run_dag(airflow_db: None) -> Callable[..., DagRun]:
    """Return a function that runs a DAG made in a test to its end."""

    def run(dag: DAG, **arguments: Any) -> DagRun:
        from airflow.dag_processing.bundles.manager import DagBundlesManager
        from airflow.dag_processing.collection import update_dag_parsing_results_in_db
        from airflow.serialization.serialized_objects import LazyDeserializedDAG
        from airflow.utils.session import create_session

        with create_session() as session:
            DagBundlesManager().sync_bundles_to_db(session=session)
            session.commit()
            serialized = LazyDeserializedDAG.from_dag(dag)
            update_dag_parsing_results_in_db("dags-folder", None, [serialized], {}, None, set(), session=session)
        finished: DagRun = dag.test(**arguments)
        return finished

    return run


@pytest.fixture
def sandbox(klaviyo_sandbox: SandboxServer) -> SandboxServer:
    """Hand out the local Klaviyo and Shopify as new, Airflow's two connections leading to them."""
    return klaviyo_sandbox

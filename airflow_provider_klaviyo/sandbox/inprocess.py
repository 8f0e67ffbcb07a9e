# SPDX-License-Identifier: Apache-2.0
"""Run one DAG to its end in this process and write down its tasks' reports: the program behind the demo."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(dag_id: str, conf: str, out: str, *tasks: str) -> int:
    """
    Run a DAG in a new database.

    :param dag_id: The DAG, in the folder that Airflow's configuration names.
    :param conf: The run's configuration, as JSON.
    :param out: The file for the reports, as JSON by task.
    :param tasks: The tasks whose XCom ``report`` to write down.
    :return: The exit code: 0 where the run succeeded.
    """
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.collection import update_dag_parsing_results_in_db
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import conf as configuration
    from airflow.serialization.serialized_objects import LazyDeserializedDAG
    from airflow.utils.db import initdb
    from airflow.utils.session import create_session

    initdb()
    bag = DagBag(configuration.get_mandatory_value("core", "dags_folder"))
    dag = bag.dags[dag_id]
    with create_session() as session:
        DagBundlesManager().sync_bundles_to_db(session=session)
        session.commit()
        update_dag_parsing_results_in_db("dags-folder", None, [LazyDeserializedDAG.from_dag(dag)], {}, None, set(), session=session)
    run = dag.test(run_conf=json.loads(conf))
    reports = {}
    for task in tasks:
        instance = run.get_task_instance(task)
        reports[task] = instance.xcom_pull(task_ids=task, key="report") if instance else None
    Path(out).write_text(json.dumps(reports), encoding="utf-8")
    return 0 if run.state == "success" else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

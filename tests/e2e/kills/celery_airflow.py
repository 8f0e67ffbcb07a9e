# SPDX-License-Identifier: Apache-2.0
"""An Airflow on Celery, Redis and PostgreSQL, in an environment of its own: the project needs none of them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests.e2e.kills.scheduler import CLONE, Airflow

REDIS = os.environ.get("KLAVIYO_TEST_REDIS_URL", "redis://127.0.0.1:6379/0")
POSTGRES = os.environ.get("KLAVIYO_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/test")
# Celery 5.7 dropped a name that Airflow's provider imports.
NEEDED = ("apache-airflow[celery,postgres]", "celery<5.7")
TABLES = "import sys, psycopg; psycopg.connect(sys.argv[1], autocommit=True).execute(sys.argv[2])"
KEYS = "import sys, redis; r = redis.from_url(sys.argv[1]); [r.delete(each) for each in r.scan_iter(sys.argv[2])]"


def reached(url: str) -> bool:
    """Whether anybody listens there."""
    at = urlsplit(url)
    try:
        socket.create_connection((at.hostname or "", at.port or 0), timeout=2).close()
    except OSError:
        return False
    return True


def install(folder: Path) -> Path:
    """Install the clone beside Celery, and return the interpreter."""
    if not (uv := shutil.which("uv")):
        pytest.skip("uv is not installed: it installs Celery")
    newest = tomllib.loads((CLONE / "pyproject.toml").read_text())["tool"]["uv"]["exclude-newer"]
    python = folder / "bin" / "python"
    for command in (
        ["venv", "--python", sys.executable, str(folder)],
        ["pip", "install", "--python", str(python), "--exclude-newer", newest, "--editable", str(CLONE), *NEEDED],
    ):
        done = subprocess.run([uv, *command], cwd=folder.parent, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
    return python


@contextmanager
def celery_airflow(folder: Path) -> Iterator[Airflow]:
    """Run an Airflow without a worker, with a database and a queue that nobody else uses and nobody finds afterwards."""
    for url in (REDIS, POSTGRES):
        if not reached(url):
            pytest.skip(f"nobody listens at {urlsplit(url).hostname}:{urlsplit(url).port}")
    python = install(folder / "venv")
    name = f"kills_{uuid4().hex[:12]}"
    server = f"postgresql{POSTGRES[POSTGRES.index('://') :]}"
    database = f"{server.rpartition('/')[0]}/{name}"

    def run(script: str, *arguments: str) -> None:
        subprocess.run([python, "-c", script, *arguments], check=True, capture_output=True, timeout=60)

    run(TABLES, server, f"CREATE DATABASE {name}")
    settings = {
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database.replace("postgresql://", "postgresql+psycopg2://"),
        "AIRFLOW__CELERY__BROKER_URL": REDIS,
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{database}",
        "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__GLOBAL_KEYPREFIX": name,
        "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "3600",
    }
    try:
        with Airflow(folder / "airflow", settings, python).started() as airflow:
            yield airflow
    finally:
        run(TABLES, server, f"DROP DATABASE {name} WITH (FORCE)")
        run(KEYS, REDIS, f"{name}*")


class Workers:
    """
    The one worker of an Airflow on Celery, each at home in a folder of its own, as on a machine of its own.

    :param airflow: The Airflow.
    """

    def __init__(self, airflow: Airflow) -> None:
        self.airflow = airflow
        self._number = 0
        self._start()

    def replace(self) -> None:
        """Kill the worker with all that it runs, and start another."""
        self.airflow.kill(f"worker {self._number}")
        self._start()

    def _start(self) -> None:
        self._number += 1
        worker = ("celery", "worker", "--skip-serve-logs", "--concurrency", "1", "--without-mingle", "--without-gossip")
        self.airflow.start(f"worker {self._number}", *worker, home=self.airflow.home / f"worker-{self._number}")

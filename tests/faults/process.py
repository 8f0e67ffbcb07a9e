# SPDX-License-Identifier: Apache-2.0
"""A worker as a process of its own, to be killed: ``python -m tests.faults.process URL FOLDER KIND``. It exits with 0 after a good report."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

from airflow_provider_klaviyo.loading import Plan, load
from airflow_provider_klaviyo.session import open_session
from airflow_provider_klaviyo.settings import Settings
from tests.loading.kit import happenings, people

ROWS = 60
SOURCES = {"profiles": people, "events": happenings}


class Files:
    """
    A task state store that survives its worker.

    :param folder: Where it lies.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key."""
        path = self._folder / quote(key, safe="")
        return json.loads(path.read_text()) if path.exists() else default

    def set(self, key: str, value: Any) -> None:
        """Set a key, wholly or not at all."""
        path = self._folder / quote(key, safe="")
        half = path.with_suffix(".half")
        half.write_text(json.dumps(value))
        half.replace(path)


def plan(folder: Path, kind: Any) -> Plan:
    """Make the plan of every try."""
    fields: dict[str, Any] = {"state_path": folder / "state"} if kind == "events" else {}
    return Plan(
        kind=kind,
        staging_path=folder / "stage",
        rejects_path=folder / "rejects.jsonl",
        max_batch_items=5,
        in_flight=2,
        poll_interval=0.01,
        **fields,
    )


def main(url: str, folder: str, kind: str) -> int:
    """
    Load, or go on with a load that was begun; the source has more rows at each try.

    :param url: Where Klaviyo is.
    :param folder: What all tries share.
    :param kind: What is loaded.
    """
    at = Path(folder)
    store = Files(at / "store")
    begun = store.get("load", {}).get("phase") == "staged"
    rows = [*reversed(SOURCES[kind](ROWS + 5))] if begun else SOURCES[kind](ROWS)
    with open_session(Settings(conn_id="klaviyo_test", base_url=url, key="pk_sandbox")) as api:
        report = load(api, rows, plan(at, kind), store=store)
    return 0 if report.read == ROWS else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

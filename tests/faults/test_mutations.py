# SPDX-License-Identifier: Apache-2.0
"""The fault suite can fail: each way to break the engine is noticed by a few of its scenarios, and the engine as it is passes them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faults.mutations import MUTATIONS, PACKAGE

pytestmark = pytest.mark.slow

CLONE = Path(__file__).parents[2]


def tried(folder: Path, mutation: str = "") -> dict[str, Any]:
    """Run the scenarios on a copy of the package, broken or not, in a process of its own."""
    package = folder / PACKAGE
    shutil.copytree(CLONE / PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    if mutation:
        MUTATIONS[mutation].apply(package)
    run = subprocess.run(
        [sys.executable, "-P", "-m", "tests.faults.subset"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(folder), str(CLONE)))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    told: dict[str, Any] = json.loads(run.stdout)
    assert told["package"] == str(package), "another package was tested than the one that was broken"
    return told


def test_the_engine_as_it_is_passes(tmp_path: Path) -> None:
    assert tried(tmp_path)["failed"] == ""


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_broken_engine_is_noticed(tmp_path: Path, mutation: str) -> None:
    assert tried(tmp_path, mutation)["failed"], "no scenario notices it"

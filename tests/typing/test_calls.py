# SPDX-License-Identifier: Apache-2.0
"""Type checkers see the constructors that fields make."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CALLS = Path(__file__).with_name("calls.py")


def test_mypy_accepts_and_refuses_as_marked() -> None:
    assert CALLS.read_text().count("# type: ignore[") > 10
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", str(CALLS)], capture_output=True, text=True, check=False, cwd=CALLS.parents[2]
    )
    assert run.returncode == 0, run.stdout

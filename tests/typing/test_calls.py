# SPDX-License-Identifier: Apache-2.0
"""Type checkers see the constructors that fields make."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

CALLS = Path(__file__).with_name("calls.py")


def test_mypy_accepts_and_refuses_as_marked() -> None:
    marked = {
        (number, match[1]) for number, line in enumerate(CALLS.read_text().splitlines(), 1) if (match := re.search(r"# refused: ([\w-]+)$", line))
    }
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context", "--show-error-codes", "--no-pretty", str(CALLS)]
    out = subprocess.run(command, capture_output=True, text=True, check=False, cwd=CALLS.parents[2]).stdout  # noqa: S603
    found = {(int(match[1]), match[2]) for match in re.finditer(r"calls\.py:(\d+): error: .*\[([\w-]+)\]$", out, re.MULTILINE)}
    assert found == marked, out

# SPDX-License-Identifier: Apache-2.0
"""The committed limits are what Klaviyo's contract says."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

GENERATOR = runpy.run_path(str(Path(__file__).with_name("generate_limits.py")))


def test_the_committed_operations_are_what_the_generator_makes() -> None:
    if not GENERATOR["CONTRACT"].is_dir():
        pytest.skip("Klaviyo's contract is not beside the clone (../shared/contract)")
    assert GENERATOR["TARGET"].read_text(encoding="utf-8") == GENERATOR["generate"](GENERATOR["CONTRACT"])

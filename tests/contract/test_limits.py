# SPDX-License-Identifier: Apache-2.0
"""The committed limits are what Klaviyo's contract and its official SDK say."""

from __future__ import annotations

import pytest

from tests.contract import generate_limits


def test_the_committed_operations_are_what_the_generator_makes() -> None:
    if not generate_limits.available():
        pytest.skip("Klaviyo's contract is not beside the clone (../shared/contract)")
    assert generate_limits.TARGET.read_text(encoding="utf-8") == generate_limits.generate()

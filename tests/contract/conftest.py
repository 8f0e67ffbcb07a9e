# SPDX-License-Identifier: Apache-2.0
"""The older of the two contracts, which lies beside the clone."""

from __future__ import annotations

import pytest

from tests.contract import july


@pytest.fixture
def specification() -> july.Json:
    """Return the specification, for tests that are about it. All others do with the SDK where it is not there and need not be."""
    if not july.available():
        if july.demanded():
            pytest.fail(f"Klaviyo's specification is not beside the clone (../shared/contract), and {july.DEMANDED} is set")
        pytest.skip("Klaviyo's specification is not beside the clone (../shared/contract)")
    return july.specification()

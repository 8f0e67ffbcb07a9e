# SPDX-License-Identifier: Apache-2.0
"""A place for scenarios to be run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.bench import Bench
from tests.faults.bench import bench as serve


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Serve a Klaviyo for all scenarios of this process."""
    with serve(tmp_path_factory.mktemp("faults")) as made:
        yield made

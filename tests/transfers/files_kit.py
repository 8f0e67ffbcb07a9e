# SPDX-License-Identifier: Apache-2.0
"""What tests of files share: files to be read, and what was read."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

from airflow_provider_klaviyo.loading.rows import Reject, Row
from airflow_provider_klaviyo.transfers.files import rows_in

Json = dict[str, Any]


def lay(folder: Path, name: str, content: bytes | str, *, zipped: bool = False) -> str:
    """Write a file, and return its URL."""
    data = content.encode() if isinstance(content, str) else content
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data) if zipped else data)
    return f"file://{path}"


def read(path: str, **how: Any) -> list[Json]:
    """Read files that have no broken rows, and return the rows."""
    return [row.data for row in rows_in(path, **how) if isinstance(row, Row)]


def both(path: str, **how: Any) -> tuple[dict[str, Json], dict[str, str]]:
    """Read files, and return the rows and the codes of those rejected, each by its key."""
    rows: dict[str, Json] = {}
    rejects: dict[str, str] = {}
    for each in rows_in(path, **how):
        assert each.key not in {*rows, *rejects}, "two rows of one name"
        if isinstance(each, Reject):
            rejects[each.key] = each.code
        else:
            rows[each.key] = each.data
    return rows, rejects


def reasons(path: str, **how: Any) -> list[str]:
    """Read files, and return why rows were rejected."""
    return [each.reason for each in rows_in(path, **how) if isinstance(each, Reject)]

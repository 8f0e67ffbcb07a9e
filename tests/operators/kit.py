# SPDX-License-Identifier: Apache-2.0
"""As much of Airflow as a task's journal reads."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


class Killed(BaseException):
    """The worker died: no handler of ours sees it."""


class Store(dict[str, Any]):
    """What Airflow offers as the task state store, kept in memory; a try that was superseded may not write."""

    stale = False
    writes_left: int | None = None
    """How many writes the worker lives to see."""

    def set(self, key: str, value: Any, **_: Any) -> None:
        """Keep a value."""
        if self.writes_left == 0:
            raise Killed
        self.writes_left = self.writes_left and self.writes_left - 1
        if self.stale:
            raise RuntimeError("404: this try of the task was superseded")
        self[key] = value


def context(store: Store | None, max_tries: int = 2) -> Any:
    """Return what the task runner hands over, as far as the journal reads it; a clear by a person raises ``max_tries``."""
    return {"task_state_store": store, "ti": SimpleNamespace(max_tries=max_tries)} if store is not None else {}

# SPDX-License-Identifier: Apache-2.0
"""What a task has done so far, kept by Airflow across its tries, so that nothing is sent twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Context

KEY = "klaviyo"
KEPT = timedelta(days=30)
"""How long a journal is kept that is finished: a worker may die before Airflow has heard of it, and the task be tried again."""
DOUBTFUL = frozenset({"sent_at", "request", "done", "told"})
"""What a journal says of the one request that nobody knows the outcome of."""


class Journal:
    """
    One task's record in Airflow's task state store. It holds ids and times, never a person.

    A retry reads what the try before it wrote. A task that is cleared after it has succeeded starts anew; one that is cleared
    after a failure goes on. After it has said that it cannot know about a request, to clear it is a person's word to send that one
    again; what was known to be done stays done. Where Airflow offers no store (a plain call of ``execute``), it lasts as long
    as the object.

    :param context: The context of the running task.
    """

    def __init__(self, context: Context) -> None:
        store: Any = context.get("task_state_store")
        self._store = store
        # A clear by a person raises max_tries, a retry does not: that tells them apart.
        self._epoch = getattr(context.get("ti"), "max_tries", None)
        kept: dict[str, Any] | None = self._store.get(KEY) if self._store else None
        going_on = kept and (not kept["closed"] or kept["epoch"] == self._epoch)
        self._record: dict[str, Any] = dict(kept["record"]) if kept and going_on else {}
        if "told" in self._record and self._record["told"] != [self._epoch]:
            self._record = {key: value for key, value in self._record.items() if key not in DOUBTFUL}

    def get(self, key: str) -> Any:
        """Return what stands under a key, or ``None``."""
        return self._record.get(key)

    def intend(self, **entries: Any) -> None:
        """Note that a request is about to leave, beside other entries. It fails where another try of this task has taken over."""
        self.write(sent_at=datetime.now(UTC).isoformat(), **entries)

    @property
    def sent_at(self) -> datetime | None:
        """When a request left whose outcome is not known, or ``None``."""
        sent_at = self._record.get("sent_at")
        return datetime.fromisoformat(sent_at) if sent_at else None

    @property
    def under_way(self) -> bool:
        """Whether the request it is about was carried out, or may have been."""
        return self.sent_at is not None or self.get("done") is not None

    def withdraw(self) -> None:
        """Note that what was sent has certainly not been carried out."""
        self.write(sent_at=None)

    def write(self, **entries: Any) -> None:
        """Keep entries beside those that are there; ``None`` takes one away."""
        self._record = {key: value for key, value in {**self._record, **entries}.items() if value is not None}
        self._save(closed=False)

    def tell(self) -> None:
        """Note that a person is told of the doubt: when they clear the task, the request that is in doubt is sent again, and no other."""
        self.write(told=[self._epoch])

    def close(self) -> None:
        """Note that this is finished: the next run of the task, which a person asked for, starts anew."""
        if self._record:
            self._save(closed=True)

    def _save(self, *, closed: bool) -> None:
        if self._store is None:
            return
        from airflow.sdk.execution_time.context import NEVER_EXPIRE

        record = {"epoch": self._epoch, "closed": closed, "record": self._record}
        self._store.set(KEY, record, retention=KEPT if closed else NEVER_EXPIRE)

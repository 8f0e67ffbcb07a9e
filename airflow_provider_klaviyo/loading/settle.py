# SPDX-License-Identifier: Apache-2.0
"""Read what Klaviyo's jobs made of the rows: a job that is complete says who failed, and only then is the rest loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from airflow_provider_klaviyo.api import jobs
from airflow_provider_klaviyo.api.errors import KlaviyoApiError
from airflow_provider_klaviyo.api.jobs import Job, JobStatus
from airflow_provider_klaviyo.api.redaction import leaves, redacted
from airflow_provider_klaviyo.loading.journal import Batch, Journal, State
from airflow_provider_klaviyo.loading.kinds import Kind, person, unpack
from airflow_provider_klaviyo.loading.rows import Fate, Json, Outcome
from airflow_provider_klaviyo.loading.stage import Stage
from airflow_provider_klaviyo.session import Session
from airflow_provider_klaviyo.watch import Watch

JOBS: jobs.Kind = "profile-bulk-import"
"""The kind of job that a load of profiles leaves with Klaviyo."""


def family(journal: Journal, batches: Mapping[str, int]) -> Iterator[Batch]:
    """Yield the batches, and behind a refused one those that went in its place."""
    for name, rows in batches.items():
        batch = journal.batch(name, rows)
        yield batch
        yield from family(journal, dict.fromkeys(batch.children, 0))


def look(session: Session, job_ids: Iterable[str]) -> Iterator[dict[str, Job | None]]:
    """
    Ask how jobs stand, once for each item that is taken.

    :param session: Open session.
    :param job_ids: The jobs.
    :return: Each time those that are done by then; ``None`` for one that Klaviyo knows no more.
    """
    watch = Watch(JOBS, job_ids)
    gone: dict[str, Job | None] = {}
    while True:
        for request in watch.round():
            try:
                watch.learn(session.send(request))
            except KlaviyoApiError as error:
                asked = next((each for each in watch.pending if request.path == jobs.get(kind=JOBS, job_id=each).path), None)
                if error.status != HTTPStatus.NOT_FOUND or asked is None:
                    raise
                gone[asked] = None
                watch.forget(asked)
        yield gone | {job_id: job for job_id, job in watch.jobs.items() if job.done}


@dataclass(frozen=True, slots=True)
class Settlement:
    """
    The reading of a load's jobs.

    :param session: Open session.
    :param kind: What was sent.
    :param stage: Where the batches lie.
    :param journal: Where the fates are written down.
    """

    session: Session
    kind: Kind
    stage: Stage
    journal: Journal

    def settle(self, batch: Batch, job: Job | None) -> None:
        """
        Give every row of a batch its fate.

        :param batch: A batch that Klaviyo accepted.
        :param job: Its job, which is done; ``None`` where Klaviyo knows it no more.
        """
        keys = self.stage.keys(batch.name)
        if job is None or job.status is not JobStatus.COMPLETE:
            code, why = (
                ("job_expired", "Klaviyo no longer knows the job") if job is None else ("job_cancelled", "the job was cancelled in Klaviyo")
            )
            outcomes = [
                Outcome(key, Fate.UNKNOWN, "settle", code, f"{why}: whether it had loaded this row is not known", job=batch.job)
                for key in keys
            ]
        else:
            outcomes = list(self._failed(batch, job, keys))
        self.stage.put_outcomes(batch.name, outcomes)
        fates = {fate: sum(each.fate is fate for each in outcomes) for fate in (Fate.REJECTED, Fate.UNKNOWN)}
        batch.counts = {fate: count for fate, count in {Fate.LOADED: len(keys) - sum(fates.values()), **fates}.items() if count}
        batch.state = State.SETTLED
        self.journal.record(batch)

    def _failed(self, batch: Batch, job: Job, keys: list[str]) -> Iterator[Outcome]:
        """Yield the rows that the job says failed, each matched to its key."""
        failed = job.failed
        counted = job.total or job.completed or failed
        missing = max(len(keys) - job.completed - failed, 0) if counted else 0
        named: dict[int, Outcome] = {}
        if failed:
            items = unpack(self.kind, self.stage.body(batch.name))
            by_person = {person(item["attributes"] | {"id": item.get("id")}): at for at, item in enumerate(items)}
            for error in self.session.walk(jobs.import_errors(job_id=batch.job)):
                said: Json = error.get("attributes") or {}
                at = self._row(said, by_person, len(keys))
                if at is None:
                    continue
                pointer = str((said.get("source") or {}).get("pointer") or "")
                reason = redacted(str(said.get("detail") or said.get("title") or "Klaviyo gives no reason"), set(leaves(items[at])))
                named[at] = Outcome(keys[at], Fate.REJECTED, "settle", str(said.get("code") or "invalid"), reason, pointer, batch.job)
        yield from (named[at] for at in sorted(named))
        why = "the job counts rows as failed, or not as completed, without naming them"
        for _ in range(min(max(failed - len(named), 0) + missing, len(keys) - len(named))):
            yield Outcome("", Fate.UNKNOWN, "settle", "unnamed", why, job=batch.job)

    def _row(self, said: Json, by_person: Mapping[str, int], rows: int) -> int | None:
        """Return which row an import error is about, by its pointer or by the payload it quotes."""
        match = self.kind.pointer.match(str((said.get("source") or {}).get("pointer") or ""))
        if match and int(match[1]) < rows:
            return int(match[1])
        payload = said.get("original_payload")
        quoted = payload.get("attributes", payload) if isinstance(payload, dict) else None
        return by_person.get(person(quoted)) if isinstance(quoted, dict) else None

# SPDX-License-Identifier: Apache-2.0
"""Read what Klaviyo's jobs made of the rows: a job that is complete says who failed, and only then is the rest loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Literal

from airflow_provider_klaviyo.api import jobs
from airflow_provider_klaviyo.api.errors import KlaviyoApiError
from airflow_provider_klaviyo.api.jobs import Job, JobStatus
from airflow_provider_klaviyo.api.redaction import leaves, redacted
from airflow_provider_klaviyo.loading.conflicts import holders, holders_of, told_of
from airflow_provider_klaviyo.loading.journal import WITHOUT_PHONE, Batch, Journal, State
from airflow_provider_klaviyo.loading.kinds import Kind, person
from airflow_provider_klaviyo.loading.lanes import Lane, encode
from airflow_provider_klaviyo.loading.rows import Fate, Json, Outcome
from airflow_provider_klaviyo.loading.seen import WIDTH
from airflow_provider_klaviyo.loading.stage import Stage
from airflow_provider_klaviyo.session import Session
from airflow_provider_klaviyo.watch import Watch

IMPORT: jobs.Kind = "profile-bulk-import"
"""The one kind of job that names the rows it failed."""
CHANGED = bytes(WIDTH)
"""The mark of a row that went out otherwise than the source has it: no row's own, so that the next load sends it once more."""


def family(journal: Journal, batches: Mapping[str, int]) -> Iterator[Batch]:
    """Yield the batches, and behind a refused one those that went in its place."""
    for name, rows in batches.items():
        batch = journal.batch(name, rows)
        yield batch
        yield from family(journal, dict.fromkeys(batch.children, 0))


def look(session: Session, kind: jobs.Kind, job_ids: Iterable[str]) -> Iterator[dict[str, Job | None]]:
    """
    Ask how jobs stand, once for each item that is taken.

    :param session: Open session.
    :param kind: What the jobs do.
    :param job_ids: The jobs.
    :return: Each time those that are done by then; ``None`` for one that Klaviyo knows no more.
    """
    watch = Watch(kind, reversed(list(job_ids)))  # as the list has them, and as a trigger has waited for them
    gone: dict[str, Job | None] = {}
    while True:
        for request in watch.round():
            try:
                watch.learn(session.send(request))
            except KlaviyoApiError as error:
                asked = next((each for each in watch.pending if request.path == jobs.get(kind=kind, job_id=each).path), None)
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
    :param identity_conflict: What becomes of a row whose identifiers belong to several people.
    """

    session: Session
    kind: Kind
    stage: Stage
    journal: Journal
    identity_conflict: Literal["reject", "drop_phone"] = "reject"

    def settle(self, batch: Batch, job: Job | None) -> None:
        """
        Give every row of a batch its fate.

        :param batch: A batch that Klaviyo accepted.
        :param job: Its job, which is done; ``None`` where Klaviyo knows it no more.
        """
        keys = self.stage.keys(batch.name)
        lane = self.kind.lane_of(batch.name)
        again: list[int] = []
        if job is None or job.status is not JobStatus.COMPLETE:
            code, why = (
                ("job_expired", "Klaviyo no longer knows the job") if job is None else ("job_cancelled", "the job was cancelled in Klaviyo")
            )
            reason = f"{why}: whether it had loaded this row is not known"
            ended = [
                Outcome(key, Fate.UNKNOWN, "settle", code, reason, job=batch.job, attempt=batch.attempt, at=at)
                for at, key in enumerate(keys)
            ]
        elif job.kind == IMPORT:
            ended, again = self._failed(batch, job, keys, lane)
        else:
            ended = [self._unnamed(batch)] * min(job.failed, batch.rows)
        self.stage.put_outcomes(batch.name, ended)
        fates = {fate: sum(each.fate is fate for each in ended) for fate in (Fate.REJECTED, Fate.UNKNOWN)}
        loaded = len(keys) - sum(fates.values()) - len(again)
        batch.counts = {fate: count for fate, count in {Fate.LOADED: loaded, **fates}.items() if count}
        batch.state = State.SETTLED
        if again:
            self._without_phone(batch, lane, again)
        self.journal.record(batch)

    def _failed(self, batch: Batch, job: Job, keys: list[str], lane: Lane) -> tuple[list[Outcome], list[int]]:
        """Return the rows that the job says failed, each matched to its key, and those that can go again without their phone number."""
        failed = job.failed
        counted = job.total or job.completed or failed
        missing = max(len(keys) - job.completed - failed, 0) if counted else 0
        named: dict[int, Outcome] = {}
        conflicts: list[int] = []
        items: list[Json] = []
        if failed:
            items = lane.unpack(self.stage.body(batch.name))
            by_person = {person(item["attributes"] | {"id": item.get("id")}): at for at, item in enumerate(items)}
            for error in self.session.walk(jobs.import_errors(job_id=batch.job)):
                said: Json = error.get("attributes") or {}
                at = self._row(said, by_person, len(keys), lane)
                if at is None:
                    continue
                pointer = str((said.get("source") or {}).get("pointer") or "")
                reason = redacted(str(said.get("detail") or said.get("title") or "Klaviyo gives no reason"), set(leaves(items[at])))
                code = str(said.get("code") or "invalid")
                named[at] = Outcome(keys[at], Fate.REJECTED, "settle", code, reason, pointer, batch.job, batch.attempt, at)
                if told_of(code):
                    conflicts.append(at)
        again = self._conflicting(conflicts, items, named) if conflicts else []
        unnamed = [self._unnamed(batch)] * min(max(failed - len(named) - len(again), 0) + missing, len(keys) - len(named) - len(again))
        return [*(named[at] for at in sorted(named)), *unnamed], again

    def _conflicting(self, conflicts: list[int], items: list[Json], named: dict[int, Outcome]) -> list[int]:
        """Say to whom the identifiers of rows belong; return those that can do without their phone number, if that is the policy."""
        if self.identity_conflict == "drop_phone":
            again = [at for at in conflicts if items[at]["attributes"].get("phone_number") and len(holders(items[at])) > 1]
            for at in again:
                del named[at]
            return again
        for at, reason in holders_of(self.session, {at: items[at] for at in conflicts}).items():
            named[at] = replace(named[at], code="identity_conflict", reason=reason)
        return []

    def _without_phone(self, batch: Batch, lane: Lane, again: list[int]) -> None:
        """Lay rows ready to go again without their phone number, which is somebody else's."""
        items, keys, identities, marks = (
            lane.unpack(self.stage.body(batch.name)),
            self.stage.keys(batch.name),
            self.stage.identities(batch.name),
            self.stage.marks(batch.name),
        )
        for at in again:
            del items[at]["attributes"]["phone_number"]
        child = f"{batch.name}{WITHOUT_PHONE}"
        self.stage.put(
            child,
            lane.pack(encode(items[at]) for at in again),
            [keys[at] for at in again],
            [identities[at] for at in again],
            [CHANGED] * len(again) if marks else (),
        )
        self.journal.record(Batch(child, len(again)))
        batch.children = (child,)

    @staticmethod
    def _unnamed(batch: Batch) -> Outcome:
        why = "the job counts rows as failed, or not as completed, without naming them"
        return Outcome("", Fate.UNKNOWN, "settle", "unnamed", why, job=batch.job, attempt=batch.attempt)

    @staticmethod
    def _row(said: Json, by_person: Mapping[str, int], rows: int, lane: Lane) -> int | None:
        """Return which row an import error is about, by its pointer or by the payload it quotes."""
        match = lane.pointer.match(str((said.get("source") or {}).get("pointer") or ""))
        if match and int(match[1]) < rows:
            return int(match[1])
        payload = said.get("original_payload")
        quoted = payload.get("attributes", payload) if isinstance(payload, dict) else None
        return by_person.get(person(quoted)) if isinstance(quoted, dict) else None

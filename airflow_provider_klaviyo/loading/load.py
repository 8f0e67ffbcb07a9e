# SPDX-License-Identifier: Apache-2.0
"""
One load, from rows to report, in steps that each can be taken again.

Whoever calls the steps again with the same journal, after a crash or on another machine, goes on where it stood.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from airflow_provider_klaviyo.api.jobs import Job
from airflow_provider_klaviyo.loading.checks import Check
from airflow_provider_klaviyo.loading.journal import Batch, Journal, MemoryStore, Phase, State, Store
from airflow_provider_klaviyo.loading.kinds import digest, kind_of
from airflow_provider_klaviyo.loading.ledger import Ledger
from airflow_provider_klaviyo.loading.plan import Folder, Plan
from airflow_provider_klaviyo.loading.report import LoadReport
from airflow_provider_klaviyo.loading.rows import Fate
from airflow_provider_klaviyo.loading.seen import Seen, seen
from airflow_provider_klaviyo.loading.settle import Settlement, family, look
from airflow_provider_klaviyo.loading.stage import Manifest, Stage
from airflow_provider_klaviyo.loading.staging import Item, Source, prepare, stage_rows
from airflow_provider_klaviyo.loading.submit import Submission
from airflow_provider_klaviyo.session import Session

log = logging.getLogger(__name__)

PREVIEWED = 5


@dataclass(slots=True)
class Load:
    """
    One load.

    :param plan: What to load, and by which rules.
    :param journal: What was done so far.
    """

    plan: Plan
    journal: Journal
    _started: float = field(default_factory=time.monotonic)

    @property
    def staged(self) -> bool:
        """Whether all rows lie in the stage: from then on the source is not read."""
        return self.journal.phase is not None and self.journal.phase is not Phase.STAGING

    @property
    def done(self) -> LoadReport | None:
        """The report, once there is one."""
        return LoadReport.of(self.journal.report) if self.journal.report else None

    def stage(self, rows: Source, session: Session) -> None:
        """
        Read the source and lay every batch ready.

        :param rows: The source.
        :param session: Where they will go: a ledger holds for one account.
        """
        if self.journal.load_id:  # an earlier try died while staging: nothing was sent
            self._stage.remove()
        load_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid4().hex[:8]}"
        self.journal.write(Phase.STAGING, load_id=load_id)
        check = Check(self.plan.on_invalid, self.plan.default_region)
        stage = self._stage
        stage.create()
        with self._sent_before(load_id, account_of(session)) as sent:
            manifest = stage_rows(rows, self.plan, kind_of(self.plan, check.now), check, sent, stage)
        self.journal.write(Phase.STAGED)
        log.info(
            "%s: %s rows read, %s to send in %s batches.",
            self.plan.kind,
            manifest.read,
            sum(manifest.batches.values()),
            len(manifest.batches),
        )

    def submit(self, session: Session) -> None:
        """
        Send what has not been sent.

        :param session: Open session.
        :raises KlaviyoError: Klaviyo refuses, or cannot be reached; the next try goes on.
        """
        manifest = self._stage.manifest()
        kind = kind_of(self.plan, datetime.fromisoformat(manifest.staged_at))
        if ledger := self._ledger(account_of(session)):
            ledger.begin(self.journal.load_id, (each for name in manifest.batches for each in self._stage.identities(name)))
        Submission(session, kind, self._stage, self.journal, self.plan.in_flight).run(manifest.batches)

    def pending(self) -> dict[str, Batch]:
        """Return the batches whose jobs have not been read to the end, by job."""
        batches = family(self.journal, self._stage.manifest().batches)
        return {batch.job: batch for batch in batches if batch.state is State.ACCEPTED}

    def settle(self, session: Session, jobs: dict[str, Job | None]) -> None:
        """
        Give the rows of finished jobs their fates.

        :param jobs: Jobs that are done; ``None`` for one that Klaviyo knows no more.
        """
        manifest = self._stage.manifest()
        settlement = Settlement(session, kind_of(self.plan, datetime.fromisoformat(manifest.staged_at)), self._stage, self.journal)
        for job_id, batch in self.pending().items():
            if job_id in jobs:
                settlement.settle(batch, jobs[job_id])

    def pause(self, session: Session) -> None:
        """
        Remember what was sent, before another process goes on with the load.

        :param session: The session that is about to be closed.
        """
        self.journal.write(Phase.STAGED, requests=self.journal.requests + session.requests)

    def finish(self, session: Session) -> LoadReport:
        """
        Add up what became of every row, write down those not loaded, and clear the stage if all went well.

        :return: The report, which may be one of failure: :meth:`LoadReport.check` says so.
        """
        stage, manifest = self._stage, self._stage.manifest()
        batches = list(family(self.journal, manifest.batches))
        names = [f"staging-{at + 1:06d}" for at in range(manifest.outcome_files)] + [batch.name for batch in batches]
        fates: dict[str, Any] = {fate.value: manifest.ended(fate) + sum(batch.counts.get(fate, 0) for batch in batches) for fate in Fate}
        reasons, path = self._write_rejects(names)
        report = LoadReport(
            kind=self.plan.kind,
            load_id=self.journal.load_id,
            read=manifest.read,
            **fates,
            reasons=reasons,
            dropped=manifest.dropped,
            jobs=[batch.job for batch in batches if batch.job],
            batches=sum(batch.state is not State.SPLIT for batch in batches),
            requests=dict(self.journal.requests + session.requests),
            seconds=round((datetime.now(UTC) - datetime.fromisoformat(manifest.staged_at)).total_seconds(), 3),
            rejects_path=path,
        )
        if ledger := self._ledger(account_of(session)):
            self._close_ledger(ledger, batches)
        self.journal.write(Phase.DONE, report=report.as_json())
        log.info("%s", report)
        if report.accounted and not report.unknown and self.plan.allows(report.rejected, report.read):
            stage.remove()
        return report

    @property
    def _stage(self) -> Stage:
        return Stage(self.plan.staging_path / self.journal.load_id)

    def _ledger(self, account: str) -> Ledger | None:
        if self.plan.kind != "events" or self.plan.state_path is None:
            return None
        return Ledger(self.plan.state_path / f"sent-{account}", self.plan.sent_ids_window)

    @contextmanager
    def _sent_before(self, load_id: str, account: str) -> Iterator[Seen]:
        with seen() as known:
            if ledger := self._ledger(account):
                ledger.read(known, load_id=load_id)
            yield known

    def _close_ledger(self, ledger: Ledger, batches: list[Batch]) -> None:
        """Write down which events Klaviyo took: those of settled batches less the rejected ones."""
        accepted: list[bytes] = []
        doubtful: list[bytes] = []
        for batch in batches:
            if batch.state is State.SPLIT:
                continue
            identities = self._stage.identities(batch.name)
            if batch.state is State.SETTLED:
                rejected = {line["key"] for line in self._stage.outcomes(batch.name)}
                kept = zip(self._stage.keys(batch.name), identities, strict=True) if rejected else ()
                accepted.extend((each for key, each in kept if key not in rejected) if rejected else identities)
            else:
                doubtful.extend(identities)
        ledger.finish(self.journal.load_id, accepted, doubtful)

    def _write_rejects(self, names: list[str]) -> tuple[dict[str, int], str]:
        """Write every row that was not loaded, with its reason, as a line of JSON."""
        reasons: dict[str, int] = {}
        path: Folder = self.plan.rejects_path or self.plan.staging_path / "rejects" / f"{self.journal.load_id}.jsonl"
        lines = (line for name in names for line in self._stage.outcomes(name))
        first = next(lines, None)
        if first is None:
            return reasons, ""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for line in (first, *lines):
                reason = f"{line['fate']}: {line['code']}"
                reasons[reason] = reasons.get(reason, 0) + 1
                file.write(json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
        return reasons, str(path)


def account_of(session: Session) -> str:
    """Name the account of a session in a way that says nothing about its key."""
    settings = session.line.settings
    return digest(settings.base_url, settings.key).hex()


def load(
    session: Session, rows: Source, plan: Plan, *, store: Store | None = None, sleep: Callable[[float], None] = time.sleep
) -> LoadReport:
    """
    Load rows into Klaviyo, and wait until Klaviyo has said what became of each.

    For TaskFlow: ``with KlaviyoHook().session() as klaviyo: load(klaviyo, rows, Plan(kind="profiles", ...))``.

    :param session: Open session.
    :param rows: Mappings, or :class:`Row` and :class:`Skip`; read once, and not again if the load goes on after a crash.
    :param plan: What to load, and by which rules.
    :param store: Where progress is written down, such as ``context["task_state_store"]``: with it, a next try goes on
        where this one stood. Without it, a next try begins anew.
    :param sleep: How to wait between two looks at Klaviyo's jobs.
    :return: What became of the rows: ``read`` is the sum of its seven counts.
    :raises KlaviyoLoadFailed: More rows were rejected than ``allowed_rejects``, or the fate of some is unknown;
        everything good is loaded.
    :raises KlaviyoError: Klaviyo refuses the load as a whole, or cannot be reached.
    """
    run = Load(plan, Journal(store if store is not None else MemoryStore()))
    if run.done is None:
        if not run.staged:
            run.stage(rows, session)
        run.submit(session)
        while waiting := run.pending():
            run.settle(session, look(session, list(waiting)))
            if run.pending():
                sleep(plan.poll_interval)
    report = run.done or run.finish(session)
    return report.check(plan)


def preview(rows: Source, plan: Plan) -> LoadReport:
    """
    Map, check and count rows without sending any.

    :param rows: The source.
    :param plan: The rules; its stage is not touched.
    :return: The counts, and in ``payloads`` up to five rows as they would be sent.
    """
    check = Check(plan.on_invalid, plan.default_region)
    kind = kind_of(plan, check.now)
    manifest = Manifest()
    payloads: list[bytes] = []
    with seen() as known:
        for result in prepare(rows, plan, kind, check, known):
            manifest.read += 1
            if not isinstance(result, Item):
                manifest.count(result)
            elif len(payloads) < PREVIEWED:
                payloads.append(result.written)
    fates: dict[str, Any] = {fate.value: manifest.ended(fate) for fate in Fate}
    report = LoadReport(
        kind=plan.kind,
        read=manifest.read,
        **fates,
        reasons=manifest.reasons,
        dropped=check.dropped,
        preview=True,
        payloads=[json.loads(each) for each in payloads],
    )
    log.info("Preview, nothing sent: %s", report)
    return report

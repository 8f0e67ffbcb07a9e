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
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import chain
from typing import Any
from uuid import uuid4

from airflow_provider_klaviyo.api import accounts
from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoConfigError
from airflow_provider_klaviyo.api.jobs import Job
from airflow_provider_klaviyo.loading.checks import Check
from airflow_provider_klaviyo.loading.journal import Batch, Journal, MemoryStore, Phase, State, Store
from airflow_provider_klaviyo.loading.kinds import kind_of
from airflow_provider_klaviyo.loading.ledger import Ledger
from airflow_provider_klaviyo.loading.plan import Folder, Plan
from airflow_provider_klaviyo.loading.report import LoadReport
from airflow_provider_klaviyo.loading.rows import Fate
from airflow_provider_klaviyo.loading.seen import seen
from airflow_provider_klaviyo.loading.settle import Settlement, family, look
from airflow_provider_klaviyo.loading.stage import Manifest, Stage
from airflow_provider_klaviyo.loading.staging import Source, prepare, stage_rows
from airflow_provider_klaviyo.loading.submit import Submission
from airflow_provider_klaviyo.session import Session

log = logging.getLogger(__name__)

ABOUT_WHAT_IS_STAGED = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT})
"""Refusals that would come again however often the staged batches were sent: the list is gone, say."""


@dataclass(slots=True)
class Load:
    """
    One load.

    :param plan: What to load, and by which rules.
    :param journal: What was done so far.
    """

    plan: Plan
    journal: Journal

    @property
    def staged(self) -> bool:
        """Whether all rows lie in the stage: from then on the source is not read."""
        return self.journal.phase is not None and self.journal.phase is not Phase.STAGING

    @property
    def done(self) -> LoadReport | None:
        """The report, once there is one; then nothing is left of the stage."""
        if not self.journal.report:
            return None
        self._stage.remove()  # a try that died behind its report has left it
        return LoadReport.of(self.journal.report)

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
        manifest = Manifest(staged_at=check.now.isoformat(), account=self._account(session))
        stage = self._stage
        stage.create()
        with seen() as sent:
            if ledger := self._ledger(manifest):
                ledger.read(sent, load_id=load_id)
            kind = kind_of(self.plan, check.now)
            stage_rows(prepare(rows, self.plan, kind, check, sent), self.plan, kind, stage, manifest)
        manifest.dropped = check.dropped
        stage.put_manifest(manifest)  # last: a stage without one is not complete
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
        :raises KlaviyoError: Klaviyo refuses the load as a whole, and the next try stages it anew; or Klaviyo cannot be
            reached, and the next try goes on.
        """
        manifest = self._stage.manifest()
        kind = kind_of(self.plan, datetime.fromisoformat(manifest.staged_at))
        if ledger := self._ledger(manifest):
            ledger.begin(self.journal.load_id, (each for name in manifest.batches for each in self._stage.identities(name)))
        try:
            Submission(session, kind, self._stage, self.journal, self.plan.in_flight).run(manifest.batches)
        except KlaviyoApiError as error:
            if error.status in ABOUT_WHAT_IS_STAGED:
                self._abandon(manifest)
            raise

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
        if self.journal.phase is Phase.STAGED:
            self.journal.write(Phase.STAGED, requests=self.journal.requests + session.requests)

    def _abandon(self, manifest: Manifest) -> None:
        """
        Give up what is staged, because the stage holds what Klaviyo refuses, such as a list that is gone.

        What was sent stands in the ledger, as accepted or in doubt; what was not sent is forgotten.
        """
        if ledger := self._ledger(manifest):
            self._close_ledger(ledger, list(family(self.journal, manifest.batches)))
        self.journal.write(Phase.STAGING)
        self._stage.remove()

    def finish(self, session: Session) -> LoadReport:
        """
        Add up what became of every row, write down those not loaded, and clear the stage.

        :return: The report, which may be one of failure: :meth:`LoadReport.check` says so.
        """
        manifest = self._stage.manifest()
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
        if ledger := self._ledger(manifest):
            self._close_ledger(ledger, batches)
        self.journal.write(Phase.DONE, report=report.as_json())
        log.info("%s", report)
        self._stage.remove()
        return report

    @property
    def _stage(self) -> Stage:
        return Stage(self.plan.staging_path / self.journal.load_id)

    def _account(self, session: Session) -> str:
        """Return which account the session is with; only a ledger needs to know."""
        if self.plan.kind != "events" or self.plan.state_path is None:
            return ""
        try:
            return next((str(each["id"]) for each in session.walk(accounts.list_())), "")
        except KlaviyoApiError as error:
            if error.status != HTTPStatus.FORBIDDEN:
                raise
            raise KlaviyoConfigError(
                f"{error} Without it, what was sent to which account cannot be told apart, and an event might count twice."
            ) from None

    def _ledger(self, manifest: Manifest) -> Ledger | None:
        if self.plan.kind != "events" or self.plan.state_path is None:
            return None
        return Ledger(self.plan.state_path / f"sent-{manifest.account}", self.plan.sent_ids_window)

    def _close_ledger(self, ledger: Ledger, batches: list[Batch]) -> None:
        """Write down which events Klaviyo took, those of settled batches less the rejected ones, and which may have arrived."""
        settled = (batch for batch in batches if batch.state is State.SETTLED)
        open_ = (batch for batch in batches if batch.state in {State.INTENT, State.DOUBT})
        ledger.finish(
            self.journal.load_id,
            (each for batch in settled for each in self._taken(batch)),
            (each for batch in open_ for each in self._stage.identities(batch.name)),
        )

    def _taken(self, batch: Batch) -> Iterator[bytes]:
        rejected = {line["key"] for line in self._stage.outcomes(batch.name)}
        for key, identity in zip(self._stage.keys(batch.name), self._stage.identities(batch.name), strict=True):
            if key not in rejected:
                yield identity

    def _write_rejects(self, names: list[str]) -> tuple[dict[str, int], str]:
        """Write every row that was not loaded, with its reason, as a line of JSON."""
        reasons: dict[str, int] = {}
        path: Folder = self.plan.rejects_path or self.plan.staging_path / "rejects" / f"{self.journal.load_id}.jsonl"
        lines = (line for name in names for line in self._stage.outcomes(name))
        first = next(lines, None)
        if first is None:
            if path.exists():
                path.unlink()  # an earlier run's, which would be taken for this one's
            return reasons, ""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for line in chain((first,), lines):
                reason = f"{line['fate']}: {line['code']}"
                reasons[reason] = reasons.get(reason, 0) + 1
                file.write(json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
        return reasons, str(path)


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
    report = run.done
    if report is None:
        if not run.staged:
            run.stage(rows, session)
        run.submit(session)
        rounds = look(session, run.pending())
        while run.pending():
            run.settle(session, next(rounds))
            if run.pending():
                sleep(plan.poll_interval)
        report = run.finish(session)
    return report.check(plan)

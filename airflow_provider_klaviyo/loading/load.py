# SPDX-License-Identifier: Apache-2.0
"""
One load, from rows to report, in steps that each can be taken again.

Whoever calls the steps again with the same journal, after a crash or on another machine, goes on where it stood.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING
from uuid import uuid4

from airflow_provider_klaviyo.api import accounts
from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoConfigError
from airflow_provider_klaviyo.api.jobs import Job
from airflow_provider_klaviyo.loading import rejects
from airflow_provider_klaviyo.loading.batches import Packer
from airflow_provider_klaviyo.loading.checks import Check
from airflow_provider_klaviyo.loading.confirm import confirm
from airflow_provider_klaviyo.loading.history import History
from airflow_provider_klaviyo.loading.journal import WITHOUT_PHONE, Batch, Journal, MemoryStore, Phase, State, Store
from airflow_provider_klaviyo.loading.kinds import Kind, kind_of
from airflow_provider_klaviyo.loading.plan import Folder, Plan
from airflow_provider_klaviyo.loading.prepare import Preparation, Source
from airflow_provider_klaviyo.loading.report import LoadReport
from airflow_provider_klaviyo.loading.rows import Fate
from airflow_provider_klaviyo.loading.said import NOES
from airflow_provider_klaviyo.loading.seen import seen
from airflow_provider_klaviyo.loading.settle import Settlement, family, look
from airflow_provider_klaviyo.loading.stage import UNSEEN, Manifest, Stage
from airflow_provider_klaviyo.loading.submit import Submission
from airflow_provider_klaviyo.session import Session

if TYPE_CHECKING:
    from airflow_provider_klaviyo.loading.audit import Audit
    from airflow_provider_klaviyo.loading.guard import Guard

log = logging.getLogger(__name__)

UNSENT = frozenset({State.NEW, State.INTENT, State.DOUBT})


@dataclass(slots=True)
class Load:
    """
    One load.

    :param plan: What to load, and by which rules.
    :param journal: What was done so far.
    """

    plan: Plan
    journal: Journal
    _known: tuple[str, Manifest] | None = None
    _ended: threading.Event = field(default_factory=threading.Event)

    def stop(self) -> None:
        """Send nothing more, because the task is ended: answers that come are written down, and the next try goes on behind them."""
        self._ended.set()

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
        :param session: Where they will go: what earlier loads have left holds for one account.
        :raises KlaviyoConfigError: A place that will be written to cannot be: that is found out before anything is sent.
        """
        if self.journal.load_id:  # an earlier try died while staging: nothing was sent
            self._stage.remove()
        load_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid4().hex[:8]}"
        self.journal.write(Phase.STAGING, load_id=load_id)
        check = Check(self.plan.on_invalid, self.plan.default_region)
        manifest = Manifest(staged_at=check.now.isoformat(), account=account_of(self.plan, session), bound=self.plan.bound)
        stage, kind = self._stage, kind_of(self.plan, check.now)
        stage.create()
        self._check_places()
        with ExitStack() as stack:
            kind.open(session, stack)
            history, met = History(self.plan, manifest.account), stack.enter_context(seen())
            stack.enter_context(history.read(met, load_id))
            only = rejects.keys_in(self.plan.retry_rejects, stack) if self.plan.retry_rejects else None
            preparation = Preparation(self.plan, kind, check, history=history, seen=met, only=only)
            Packer(self.plan, kind, stage, manifest).pack(preparation.items(rows))
        if only and not manifest.read and preparation.left_out:
            raise KlaviyoConfigError(
                f"None of the rows that {self.plan.retry_rejects} names is in the source: key_field has to name the column it named then."
            )
        manifest.dropped, manifest.left_out = check.dropped, preparation.left_out
        if self.plan.max_change is not None and (guard := kind.guard(session)):
            guard.change_check(self._changes(guard, kind, manifest))
        stage.put_manifest(manifest)  # last: a stage without one is not complete
        self.journal.write(Phase.STAGED)
        log.info(
            "%s: %s rows read, %s to send in %s batches.",
            self.plan.kind,
            f"{manifest.read:,}",
            f"{sum(manifest.batches.values()):,}",
            f"{len(manifest.batches):,}",
        )

    def _changes(self, guard: Guard, kind: Kind, manifest: Manifest) -> dict[str, int]:
        """Return how many words of no would change something, by lane: a table of all who ever said no changes little."""
        counts: dict[str, int] = {}
        for name in manifest.batches:
            if (lane := kind.lane_of(name)).name in NOES:
                verdicts = guard.look(lane.name, lane.unpack(self._stage.body(name)))
                counts[lane.name] = counts.get(lane.name, 0) + sum(each.send for each in verdicts)
        return counts

    def submit(self, session: Session) -> None:
        """
        Send what has not been sent.

        :param session: Open session.
        :raises KlaviyoError: Klaviyo refuses the load as a whole, and the next try stages it anew; or Klaviyo cannot be
            reached, and the next try goes on.
        """
        manifest = self._manifest
        if not any(batch.state in UNSENT for batch in family(self.journal, manifest.batches)):
            return
        self._check_same(manifest, session)
        self._say_what_is_known(manifest)
        history = History(self.plan, manifest.account)
        history.begin(self.journal.load_id, manifest.batches, self._stage)
        submission = Submission(
            session,
            self._kind(manifest),
            self._stage,
            self.journal,
            in_flight=self.plan.in_flight,
            waiting_time=self.plan.chunk_waiting_time,
            settle_seconds=self.plan.settle_seconds,
            audit=self._audit,
            ended=self._ended,
        )
        try:
            submission.run(manifest.batches)
        except KlaviyoApiError:
            if submission.may_abandon(manifest.batches):
                self._abandon(manifest, history)
            raise

    def _say_what_is_known(self, manifest: Manifest) -> None:
        """Say in the log that an earlier try has begun, and how far it came."""
        states = [batch.state for batch in family(self.journal, manifest.batches)]
        if any(state is not State.NEW for state in states):
            log.info(
                "An earlier try has staged %s rows and begun to send them: of their batches %s are with Klaviyo, %s may be, %s are not sent.",
                sum(manifest.batches.values()),
                sum(state in {State.ACCEPTED, State.SETTLED} for state in states),
                sum(state in {State.INTENT, State.DOUBT} for state in states),
                sum(state is State.NEW for state in states),
            )

    def _check_same(self, manifest: Manifest, session: Session) -> None:
        """Go on only with what was laid ready: the same list, the same rules, the same account."""
        if manifest.bound != self.plan.bound:
            raise KlaviyoConfigError(
                "This load was begun with another list, other rules of consent or another state_path, and its batches lie ready for those. Put"
                " them back and clear the task, and it goes on; or delete the task's entries in its state store, and it begins anew."
            )
        if manifest.account and manifest.account != (now := account_of(self.plan, session)):
            raise KlaviyoConfigError(
                f"This load was begun with the account {manifest.account}, and its connection leads to {now} now. Give the connection its"
                " former account back and clear the task, and it goes on; or delete the task's entries in its state store, and it begins anew."
            )

    def pending(self) -> dict[str, Batch]:
        """Return the batches whose jobs have not been read to the end, by job."""
        batches = family(self.journal, self._manifest.batches)
        return {batch.job: batch for batch in batches if batch.state is State.ACCEPTED}

    def unsent(self) -> bool:
        """Whether rows are to be sent again, because a job has shown how they can be loaded after all."""
        return any(batch.state is State.NEW for batch in family(self.journal, self._manifest.batches))

    def looks(self, session: Session) -> Iterator[dict[str, Job | None]]:
        """
        Ask how the jobs stand that are waited for, once for each item that is taken.

        :param session: Open session.
        """
        kind = self._kind(self._manifest)
        waiting = self.pending()
        by_kind = {
            lane.job: [job for job, batch in waiting.items() if kind.lane_of(batch.name) is lane]
            for lane in kind.lanes.values()
            if lane.job
        }
        rounds = [look(session, job_kind, ids) for job_kind, ids in by_kind.items() if ids]
        while True:
            yield {job_id: job for each in rounds for job_id, job in next(each).items()}

    def job_kind(self, batch: Batch) -> str:
        """Return what kind of job a batch has become."""
        return str(self._kind(self._manifest).lane_of(batch.name).job)

    def settle(self, session: Session, jobs: dict[str, Job | None]) -> None:
        """
        Give the rows of finished jobs their fates.

        :param jobs: Jobs that are done; ``None`` for one that Klaviyo knows no more.
        """
        kind = self._kind(self._manifest)
        settlement = Settlement(session, kind, self._stage, self.journal, self.plan.identity_conflict)
        audit = self._audit
        for job_id, batch in self.pending().items():
            if job_id in jobs:
                settlement.settle(batch, jobs[job_id])
                if audit:
                    audit.note(batch.name, "unknown" if batch.counts.get(Fate.UNKNOWN) else "accepted", job_id)
        if audit and (errors := audit.write()):
            raise errors[0]

    def verify(self, session: Session) -> None:
        """
        Read back what was sent, if the plan says so: what Klaviyo shows is loaded, what it does not show in time is unknown.

        :param session: Open session.
        """
        if self.plan.verify:
            manifest = self._manifest
            batches = [each for each in family(self.journal, manifest.batches) if each.state is State.SETTLED and not each.verified]
            confirm(session, self._kind(manifest), self._stage, self.journal, batches, patience=self.plan.settle_seconds)

    def pause(self, session: Session) -> None:
        """
        Remember what was sent, before another process goes on with the load.

        :param session: The session that is about to be closed.
        """
        if self.journal.phase is Phase.STAGED:
            self.journal.write(Phase.STAGED, requests=self.journal.requests + session.requests)

    def finish(self, session: Session) -> LoadReport:
        """
        Add up what became of every row, write down those not loaded, and clear the stage.

        :return: The report, which may be one of failure: :meth:`LoadReport.check` says so.
        """
        manifest, stage = self._manifest, self._stage
        kind = self._kind(manifest)
        batches = list(family(self.journal, manifest.batches))
        counted = [batch for batch in batches if kind.lane_of(batch.name).counted]
        names = [f"staging-{at + 1:06d}" for at in range(manifest.outcome_files)] + [batch.name for batch in batches]
        names += [f"{batch.name}{UNSEEN}" for batch in batches]
        # Where another try has taken over and ended meanwhile, the stage is gone: its file is not touched.
        reasons, path = rejects.write(self._rejects_path, (line for name in names for line in stage.outcomes(name)), check=stage.manifest)
        reasons |= {
            reason: reasons.get(reason, 0) + count for reason, count in manifest.reasons.items() if reason.startswith(Fate.UNCHANGED)
        }
        beside = [batch for batch in batches if not kind.lane_of(batch.name).counted]
        removed = sum(batch.counts.get(Fate.LOADED, 0) for batch in beside)
        not_removed = sum(count for batch in beside for fate, count in batch.counts.items() if fate is not Fate.LOADED)
        dropped = dict(manifest.dropped)
        if without_phone := sum(batch.rows for batch in batches if batch.name.endswith(WITHOUT_PHONE)):
            dropped["phone_number: identity_conflict"] = without_phone
        report = LoadReport(
            kind=self.plan.kind,
            load_id=self.journal.load_id,
            read=manifest.read,
            **{fate.value: manifest.ended(fate) + sum(batch.counts.get(fate, 0) for batch in counted) for fate in Fate},  # type: ignore[arg-type]
            removed=removed,
            not_removed=not_removed,
            left_out=manifest.left_out,
            verified=self.plan.verify,
            reasons=reasons,
            dropped=dropped,
            jobs=[batch.job for batch in batches if batch.job],
            batches=sum(batch.state is not State.SPLIT for batch in batches),
            requests=dict(self.journal.requests + session.requests),
            seconds=round((datetime.now(UTC) - datetime.fromisoformat(manifest.staged_at)).total_seconds(), 3),
            rejects_path=path,
        )
        if audit := self._audit:
            audit.reconcile(batches)
        History(self.plan, manifest.account).finish(self.journal.load_id, batches, stage)
        self.journal.write(Phase.DONE, report=report.as_json())
        (log.warning if report.dropped else log.info)("%s", report)
        stage.remove()
        return report

    def _abandon(self, manifest: Manifest, history: History) -> None:
        """
        Give up what is staged, because the stage holds what Klaviyo refuses, such as a list that is gone.

        What was sent stands in the ledger, as accepted or in doubt; what was not sent is forgotten.
        """
        batches = list(family(self.journal, manifest.batches))
        if audit := self._audit:
            audit.reconcile(batches)
        history.finish(self.journal.load_id, batches, self._stage)
        self.journal.write(Phase.STAGING)
        self._stage.remove()

    def _kind(self, manifest: Manifest) -> Kind:
        return kind_of(self.plan, datetime.fromisoformat(manifest.staged_at))

    @property
    def _manifest(self) -> Manifest:
        """What staging found; it does not change any more, and is read once."""
        if self._known is None or self._known[0] != self.journal.load_id:
            self._known = self.journal.load_id, self._stage.manifest()
        return self._known[1]

    @property
    def _stage(self) -> Stage:
        return Stage(self.plan.staging_path / self.journal.load_id)

    @property
    def _rejects_path(self) -> Folder:
        return self.plan.rejects_path or self.plan.staging_path / "rejects" / f"{self.journal.load_id}.jsonl"

    @property
    def _audit(self) -> Audit | None:
        if (trail := self.plan.audit) is None:
            return None
        from airflow_provider_klaviyo.loading.audit import Audit

        rules = self.plan.consent
        return Audit(
            trail.folder,
            self.journal.load_id,
            who=trail.who,
            key=trail.key,
            identities=trail.identities,
            list_id=rules.list_id,
            left_list=rules.left_list,
            source=rules.custom_source,
        )

    def _check_places(self) -> None:
        """Find out now whether what comes later can be written."""
        if self.plan.rejects_path:
            rejects.check_writable("rejects_path", self.plan.rejects_path.parent)
        if self.plan.state_path:
            rejects.check_writable("state_path", self.plan.state_path)
        if self._audit:
            self._audit.check()


def account_of(plan: Plan, session: Session) -> str:
    """
    Return which account a session is with, for a plan that has to know: what earlier loads have left holds for one account.

    :param plan: The plan.
    :param session: Open session.
    :raises KlaviyoConfigError: The key may not read it.
    """
    remembers = plan.state_path is not None and plan.kind in {"events", "profiles"}
    if not remembers and plan.kind not in {"consent", "members"}:
        return ""
    try:
        return next((str(each["id"]) for each in session.walk(accounts.list_())), "")
    except KlaviyoApiError as error:
        if error.status != HTTPStatus.FORBIDDEN:
            raise
        if not remembers:
            return ""  # without the scope accounts:read a load goes on with whatever account its connection leads to
        raise KlaviyoConfigError(
            f"{error} Without it, what was sent to which account cannot be told apart, and an event might count twice."
        ) from None


def load(
    session: Session, rows: Source, plan: Plan, *, store: Store | None = None, sleep: Callable[[float], None] = time.sleep
) -> LoadReport:
    """
    Load rows into Klaviyo, and wait until Klaviyo has said what became of each.

    For TaskFlow: ``with KlaviyoHook().session() as klaviyo: load(klaviyo, rows, Plan(kind="profiles", ...))``.

    :param session: Open session.
    :param rows: Mappings, or :class:`Row`, :class:`Skip` and :class:`Reject`; read once, and not again if the load goes on after a crash.
    :param plan: What to load, and by which rules.
    :param store: Where progress is written down, such as that of
        :func:`~airflow_provider_klaviyo.transfers.taskflow.load_store`: with it, a next try goes on where this one stood, and a load that
        has ended is not done again. Without it, a next try begins anew.
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
        while run.pending():
            rounds = run.looks(session)
            while run.pending():
                run.settle(session, next(rounds))
                if run.pending():
                    sleep(plan.poll_interval)
            if run.unsent():
                run.submit(session)
        run.verify(session)
        report = run.finish(session)
    return report.check(plan)

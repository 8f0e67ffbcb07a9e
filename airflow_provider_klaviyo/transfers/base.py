# SPDX-License-Identifier: Apache-2.0
"""What all loads into Klaviyo share: the fields, the journal, and going on where an earlier hop or try stopped."""

from __future__ import annotations

import logging
import os
import re
import time
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from uuid import uuid4

from airflow.sdk import conf

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError, KlaviyoInDoubt
from airflow_provider_klaviyo.operators.base import Journal, KlaviyoOperator, Plain

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath

    from airflow_provider_klaviyo.api.request import Json
    from airflow_provider_klaviyo.loading import LoadReport, Plan, Reject, Row, Skip
    from airflow_provider_klaviyo.loading.load import Load
    from airflow_provider_klaviyo.loading.plan import AuditTrail
    from airflow_provider_klaviyo.loading.prepare import Source
    from airflow_provider_klaviyo.session import Session
    from airflow_provider_klaviyo.transfers.results import ResultsTable

log = logging.getLogger(__name__)

Mappings = Sequence[Any] | Mapping[str, Any] | str
"""A mapping in any of its forms; :func:`airflow_provider_klaviyo.loading.mapping.mappings_of` reads it."""
KindName = Literal["profiles", "events", "consent", "members"]
REPORT = "report"
"""Key of the XCom with the load's report; it is there also when the load has failed by its plan."""
KEPT = timedelta(days=90)
"""How long it is kept what a load has done: longer than any takes."""
FOLLOWED = 80
"""Jobs that a trigger waits for: fewer than stand on one page of Klaviyo's list, for some have overtaken others."""
ENDING = re.compile(r"(\.[^./]+)?(\.gz)?$")


class TaskStore:
    """
    A load's part of the task state store, kept apart from that of an earlier run of the task.

    :param context: Context of the running task; without a store, the journal goes with the process.
    :param run: Name of the run: another after the task was cleared.
    """

    def __init__(self, context: Context, run: str) -> None:
        self._store: Any = context.get("task_state_store")
        self._run = run
        self._kept: dict[str, Any] = {}

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key."""
        if key not in self._kept and self._store is not None:
            self._kept[key] = self._store.get(f"{self._run}:{key}")
        found = self._kept.get(key)
        return default if found is None else found

    def set(self, key: str, value: Any) -> None:
        """Set a key. It fails where another try of the task has taken over, and so comes before every request."""
        if self._store is not None:
            self._store.set(f"{self._run}:{key}", value, retention=KEPT)
        self._kept[key] = value


class KlaviyoLoadOperator(KlaviyoOperator):
    """
    Load rows into Klaviyo: map, check, dedupe, batch, stage, submit, settle, report.

    A subclass says in :meth:`rows` where they come from. The report goes to XCom, also under the key ``report``.

    :param on_invalid: What a bad optional field does: ``drop_field`` leaves it out and counts it, ``reject_row`` rejects its row.
    :param default_region: ISO 3166 country whose national phone numbers are understood, such as ``US``.
    :param mapping: How the source's columns become fields: a list of :class:`~airflow_provider_klaviyo.loading.mapping.FieldMapping`, or
        of objects with ``origin_field``, ``destination_field`` and ``convert_function``, also as ``{"mapped_fields": [...]}``. Without one,
        columns are fields by their names, such as ``email`` or ``properties.plan``.
    :param key_field: The column that names a row in the rejects file; its position by default.
    :param allowed_rejects: How many rejected rows the load may have without failing: a count, or a share below 1.
    :param retry_rejects: The rejects file of an earlier load: only the rows it names as rejected or unknown are loaded, by ``key_field``.
    :param verify: Whether Klaviyo is asked for each row afterwards: ``loaded`` is then what it shows.
    :param chunk_size: Rows a request at most; Klaviyo's own maximum by default, which is fastest.
    :param chunk_waiting_time: Seconds between two requests. The account's limits are kept without it.
    :param results_table: Table beside the source for the rows that were not loaded, as in the rejects file; it is made where it is missing.
    :param results_conn_id: The Airflow connection of its database; for loads from SQL the source's by default.
    :param staging_path: Folder for the batches until Klaviyo has confirmed them, as an object storage URL that every worker
        reaches; by default ``[klaviyo] staging_path`` of Airflow's configuration.
    :param rejects_path: File for the rows that were not loaded, JSON lines; each run replaces it, unless ``{{ run_id }}`` is part
        of its name. A mapped task (``expand``) puts its index before the ending: ``rejects.jsonl`` becomes ``rejects.3.jsonl``.
        By default one for each load below the staging path.
    :param preview: Map, check and count, and return five rows as they would be sent; send nothing.
    :param poll_interval: Seconds between two looks at Klaviyo's jobs.
    :param job_timeout: How long to wait for Klaviyo's jobs; after that the task fails and, cleared, goes on waiting.
    :param deferrable: Whether to wait in the triggerer, without a worker slot.
    """

    kind: ClassVar[KindName]
    columns: ClassVar[bool] = False
    """Whether rows are flat, and columns fields by their names where there is no mapping."""
    sparse: ClassVar[bool] = False
    """Whether a row may lack a column that the mapping names."""

    on_invalid: Literal["drop_field", "reject_row"] = "drop_field"
    default_region: str | None = None
    mapping: Plain[Mappings | None] = None
    key_field: str | None = None
    allowed_rejects: float = 0
    retry_rejects: str | None = None
    verify: bool = False
    chunk_size: int | None = None
    chunk_waiting_time: float = 0
    results_table: str | None = None
    results_conn_id: str | None = None
    staging_path: str | None = None
    rejects_path: str | None = None
    preview: bool = False
    poll_interval: float = 10
    job_timeout: timedelta = timedelta(hours=24)
    deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False)

    @abstractmethod
    def rows(self, context: Context, journal: Journal) -> Iterable[Row | Skip | Reject | Mapping[str, Any]]:
        """
        Return the rows, to be read once. What has a ``close``, as a generator has, is closed also where the load stops before the last.

        :param context: Context of the running task.
        :param journal: For what has to be remembered until they are staged, such as an export's id.
        :raises TaskDeferred: They are not ready; the operator is called again when they are.
        """

    def plan_fields(self, context: Context) -> dict[str, Any]:  # noqa: ARG002 - for subclasses
        """Return the arguments of the plan that only this load has."""
        return {}

    _load: Any = None

    def on_kill(self) -> None:
        """Send nothing more; Airflow lets the task write down what is answered in the next seconds, and then kills it."""
        if self._load is not None:
            self._load.stop()

    def execute(self, context: Context) -> Json:
        """Load, from where an earlier hop or try stopped."""
        return self._advance(context)

    def resume(self, context: Context, event: Any = None) -> Json:  # noqa: ARG002
        """
        Go on after a wait.

        What the trigger saw is not used: the operator looks itself, and so meets what a retry would meet.
        """
        return self._advance(context)

    def _advance(self, context: Context) -> Json:
        from airflow_provider_klaviyo.loading import preview
        from airflow_provider_klaviyo.loading.journal import Journal as LoadJournal
        from airflow_provider_klaviyo.loading.load import Load
        from airflow_provider_klaviyo.loading.stage import StageLost

        journal = Journal(context)
        if self.preview:
            with ExitStack() as source:
                rows = self._opened(source, context, journal)
                klaviyo = source.enter_context(self.hook.session())
                report = preview(rows, self._plan(context), klaviyo)
            journal.close()
            return report.as_json()
        if (run := journal.get("run")) is None:
            run = uuid4().hex[:8]
            journal.write(run=run)
        load = self._load = Load(self._plan(context), LoadJournal(TaskStore(context, run)))
        try:
            report = load.done or self._finished(load, context, journal)
        except StageLost:
            journal.close()  # a person has been told: clearing the task is their word to begin anew
            raise
        context["ti"].xcom_push(key=REPORT, value=report.as_json())
        if results := self._results():
            results.write(lines_of(report), self._names(context), report.load_id)
        journal.close()
        return report.check(load.plan).as_json()

    def _finished(self, load: Load, context: Context, journal: Journal) -> LoadReport:
        with ExitStack() as source:
            rows = None if load.staged else self._opened(source, context, journal)
            return self._carried_out(load, journal, rows, source)

    def _carried_out(self, load: Load, journal: Journal, rows: Source | None, source: ExitStack) -> LoadReport:
        with self.hook.session() as klaviyo:
            try:
                if rows is not None:
                    if results := self._results():
                        results.prepare()
                    load.stage(rows, klaviyo)
                    source.close()
                load.submit(klaviyo)
                while load.pending():
                    self._settle(load, klaviyo, journal)
                    load.submit(klaviyo)
                load.verify(klaviyo)
                return load.finish(klaviyo)
            finally:
                load.pause(klaviyo)

    def _opened(self, source: ExitStack, context: Context, journal: Journal) -> Source:
        rows = self.rows(context, journal)  # may defer, before Klaviyo is asked for anything
        if close := getattr(rows, "close", None):
            source.callback(close)  # else the error of a load that stops midway would keep it open, and locks with it
        return rows

    def _settle(self, load: Load, klaviyo: Session, journal: Journal) -> None:
        pauses = growing(self.poll_interval)
        waiting = load.pending()
        rounds = load.looks(klaviyo)
        while waiting:
            load.settle(klaviyo, next(rounds))
            if not (waiting := load.pending()):
                return
            since = journal.get("waiting_since") or time.time()
            journal.write(waiting_since=since)
            deadline = since + self.job_timeout.total_seconds()
            if time.time() > deadline:
                journal.write(waiting_since=None)
                raise KlaviyoInDoubt(
                    f"{len(waiting)} of Klaviyo's jobs are not done after {self.job_timeout}, {next(iter(waiting))} among them."
                    " Nothing is lost: clear this task, and it goes on waiting for them."
                )
            if self.deferrable:
                kinds = {job: load.job_kind(batch) for job, batch in waiting.items()}
                kind = next(iter(kinds.values()))
                # The newest: when they are done, hardly any other is not, and one page of the list tells of them all.
                self._defer(kind, [job for job, each in kinds.items() if each == kind][-FOLLOWED:], deadline)
            time.sleep(next(pauses))

    def _results(self) -> ResultsTable | None:
        """Return the table for rows that were not loaded."""
        if not self.results_table:
            return None
        from airflow_provider_klaviyo.transfers.results import ResultsTable
        from airflow_provider_klaviyo.transfers.sql import sql_hook

        source = getattr(self, "sql_conn_id", None)
        conn_id = self.results_conn_id or source
        if not conn_id:
            raise KlaviyoConfigError(f"{self.task_id}: results_table needs results_conn_id, the connection of its database.")
        beside = getattr(self, "sql_hook_params", None) if conn_id == source else None
        return ResultsTable(sql_hook(conn_id, beside), self.results_table)

    def _names(self, context: Context) -> dict[str, Any]:
        """Return what a load is known by in Airflow."""
        instance = context["ti"]
        return {"dag_id": self.dag_id, "task_id": self.task_id, "run_id": instance.run_id}

    def _defer(self, kind: Any, job_ids: list[str], deadline: float) -> None:
        from airflow_provider_klaviyo.triggers.jobs import KlaviyoJobTrigger

        trigger = KlaviyoJobTrigger(
            kind=kind,
            job_ids=job_ids,
            klaviyo_conn_id=self.klaviyo_conn_id,
            interval=self.poll_interval,
            deadline=deadline,
        )
        self.defer(trigger=trigger, method_name="resume", timeout=trigger.patience)

    def _plan(self, context: Context) -> Plan:
        from airflow_provider_klaviyo.loading import Plan

        return Plan(
            kind=self.kind,
            staging_path=folder("staging_path", self.staging_path),
            rejects_path=file(indexed(self.rejects_path, getattr(context["ti"], "map_index", -1))),
            mapping=self.mapping,
            columns=self.columns,
            sparse=self.sparse,
            key_field=self.key_field,
            on_invalid=self.on_invalid,
            default_region=self.default_region,
            allowed_rejects=self.allowed_rejects,
            retry_rejects=file(self.retry_rejects),
            verify=self.verify,
            settle_seconds=conf.getfloat("klaviyo", "settle_seconds", fallback=30.0),
            poll_interval=self.poll_interval,
            max_batch_items=self.chunk_size,
            chunk_waiting_time=self.chunk_waiting_time,
            **self.plan_fields(context),
        )


def file(given: str | None) -> ObjectStoragePath | None:
    """Return a file as object storage knows it."""
    from airflow.sdk import ObjectStoragePath

    return ObjectStoragePath(given) if given else None


def indexed(path: str | None, index: int) -> str | None:
    """
    Return the path of a mapped task's own file: others of its task write theirs at the same time.

    :param path: The path that all of them were given.
    :param index: The task's index; below 0 it is not mapped.
    """
    return ENDING.sub(lambda ending: f".{index}{ending[0]}", path, count=1) if path and index >= 0 else path


def lines_of(report: LoadReport) -> Iterable[Json]:
    """Return the lines of a report's rejects file."""
    from airflow_provider_klaviyo.loading.rejects import lines_in

    path = file(report.rejects_path)
    return lines_in(path) if path else ()


def folder(option: Literal["staging_path", "state_path", "audit_path"], given: str | None = None) -> ObjectStoragePath:
    """
    Return a folder: the one that is given, else that of Airflow's configuration, else one below Airflow's home.

    The last is right for one machine; where a task may be retried on another, set ``[klaviyo] staging_path`` and ``state_path``.

    :param option: Which of the two.
    :param given: What the operator was given.
    """
    from airflow.sdk import ObjectStoragePath

    if path := given or conf.get("klaviyo", option, fallback=""):
        return ObjectStoragePath(path)
    home = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "klaviyo" / option.removesuffix("_path")
    if (executor := conf.get("core", "executor", fallback="LocalExecutor")) != "LocalExecutor":
        log.warning(
            "[klaviyo] %s is not set, so %s is used. With %s a task may run on another machine next time, which would not find"
            " what lies there: set it to an object storage URL that every worker reaches.",
            option,
            home,
            executor,
        )
    return ObjectStoragePath(f"file://{home}")


def audit_trail(given: str | None, who: Mapping[str, str], *, identities: bool) -> AuditTrail:
    """
    Return where changes of consent are written down.

    :param given: The folder that the operator was given.
    :param who: Who makes the changes.
    :param identities: Whether the identifiers themselves stand there.
    """
    from airflow_provider_klaviyo.loading.plan import AuditTrail

    key = conf.get("klaviyo", "audit_key", fallback="")
    if not key and not identities:
        log.warning("[klaviyo] audit_key is not set: the audit trail names people by the keys of their rows alone.")
    return AuditTrail(folder=folder("audit_path", given), who=dict(who), key=key.encode() or None, identities=identities)


def growing(longest: float) -> Iterator[float]:
    """Yield pauses that double from half a second on: short jobs are seen at once, long ones asked after seldom."""
    pause = 0.5
    while True:
        yield min(pause, longest)
        pause *= 2

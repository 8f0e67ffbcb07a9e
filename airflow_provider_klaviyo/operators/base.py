# SPDX-License-Identifier: Apache-2.0
"""What all operators share: one request, sent once in effect, and no retry of what cannot succeed."""

from __future__ import annotations

import gzip
import json
import time
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk import RetryDecision, RetryPolicy, conf

from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoError, KlaviyoInDoubt, KlaviyoUnanswered
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.operators.fields import Airflows, DeclaredOperator, Personal, Plain, Verbatim
from airflow_provider_klaviyo.operators.journal import Journal

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
    from airflow_provider_klaviyo.session import Session

__all__ = ["Airflows", "DeclaredOperator", "Journal", "KlaviyoOperator", "KlaviyoRetryPolicy", "Personal", "Plain", "Verbatim"]

T = TypeVar("T")

LOOK_EVERY = 5.0
"""Seconds between two looks for what an earlier try may have done."""


class KlaviyoRetryPolicy(RetryPolicy):
    """Fail at once where another try would end the same way (a wrong key, a refused body); otherwise follow ``retries``."""

    def evaluate(self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None) -> RetryDecision:  # noqa: ARG002
        """Judge by the exception's attribute ``permanent``."""
        if getattr(exception, "permanent", False) is True:
            return RetryDecision.fail(reason="another try would end the same way")
        return RetryDecision.default()


class KlaviyoOperator(DeclaredOperator):
    """
    Send one request to Klaviyo.

    A subclass declares its parameters as fields and says in :meth:`request` which request they make. Fields are templated.

    :param klaviyo_conn_id: The Airflow connection with the account's private key.
    :param retry_policy: What to do with a failed try; by default, errors that would come again are not retried.
    """

    klaviyo_conn_id: str = "klaviyo_default"
    retry_policy: Airflows[RetryPolicy | None] = KlaviyoRetryPolicy()

    @property
    def hook(self) -> KlaviyoHook:
        """The hook of the connection."""
        from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook

        return KlaviyoHook(self.klaviyo_conn_id)

    def request(self) -> Request[Any]:
        """Make the request from the rendered fields."""
        raise NotImplementedError

    def result(self, answer: Any) -> Any:
        """Make what the task returns from the answer; by default the resource in it."""
        return answer.get("data", answer) if isinstance(answer, dict) else answer

    def note(self, klaviyo: Session) -> Json:  # noqa: ARG002
        """
        Read what :meth:`recall` will compare with, just before a request leaves that may not be repeated.

        :param klaviyo: An open session.
        :return: Entries for the journal; ids, nothing about people.
        """
        return {}

    def recall(self, klaviyo: Session, request: Request[T], journal: Journal) -> T | None:  # noqa: ARG002
        """
        Find out what became of a request that was sent and not answered, in an earlier try of the task.

        :param klaviyo: An open session.
        :param request: The request.
        :param journal: When it was sent (``journal.sent_at``), and what :meth:`note` found before.
        :return: The answer it would have had, or ``None`` where there is no sign of it. It is asked again until ``[klaviyo]
            settle_seconds`` after the request, because Klaviyo's lists may lag: only then ``None`` says that it was not carried out.
        :raises KlaviyoInDoubt: Nothing in Klaviyo can tell.
        """
        raise in_doubt(request, journal)

    def recallable(self) -> bool:
        """Say whether :meth:`recall` can find anything out; otherwise the try that got no answer says so itself, and no other follows."""
        return type(self).recall is not KlaviyoOperator.recall

    def reread(self, klaviyo: Session, done: Json) -> Any:  # noqa: ARG002
        """
        Return the answer of a request that an earlier try of the task has carried out.

        :param klaviyo: An open session.
        :param done: Type and id of what it answered, as far as it had any.
        """
        self.log.info("An earlier try of this task has done it: its type and id are returned.")
        return {"data": done}

    def execute(self, context: Context) -> Any:
        """Send the request, and return what :meth:`result` makes of the answer."""
        journal = Journal(context)
        with self.hook.session() as klaviyo:
            result = self.result(self.send(klaviyo, self.request(), journal))
        journal.close()
        return result

    def send(self, klaviyo: Session, request: Request[T], journal: Journal) -> T:
        """
        Send a request; one that may not be repeated is sent once in effect, over all tries of the task.

        :param klaviyo: An open session.
        :param request: The request.
        :param journal: The task's journal: intent is noted before, and an outcome that stays unknown is left standing there.
        :raises KlaviyoInDoubt: An earlier try sent it, got no answer, and :meth:`recall` cannot tell.
        """
        if request.repeatable:
            return klaviyo.send(request)
        self.recognise(request, journal)
        if (done := journal.get("done")) is not None:
            earlier: T = self.reread(klaviyo, done)
            return earlier
        answer = self._recalled(klaviyo, request, journal)
        if answer is None:
            journal.intend(**self.note(klaviyo))
            answer = self._sent(klaviyo, request, journal)
        journal.write(sent_at=None, done=_identity(answer))
        return answer

    def recognise(self, request: Request[Any], journal: Journal) -> None:
        """
        See to it that the journal is about this request: what an earlier try did with other arguments is forgotten.

        :param request: The request about to be made.
        :param journal: The task's journal. It keeps a digest of the request and the connection.
        :raises KlaviyoInDoubt: The earlier try was not answered, and to look for what this request asks would not settle it.
        """
        digest = self.digest(request)
        if journal.get("request") == digest:
            return
        if journal.sent_at is not None:
            journal.tell()
            raise in_doubt(request, journal, arguments="with other arguments ")
        journal.write(request=digest, done=None)

    def digest(self, request: Request[Any]) -> str:
        """Return what tells a request, and whom it is sent to, from others, and tells nothing about it."""
        return _digest(self.klaviyo_conn_id, request)

    def _recalled(self, klaviyo: Session, request: Request[T], journal: Journal) -> T | None:
        if journal.sent_at is None:
            return None
        settled = min(journal.sent_at, datetime.now(UTC)) + timedelta(seconds=conf.getfloat("klaviyo", "settle_seconds", fallback=30.0))
        try:
            while True:
                left = (settled - datetime.now(UTC)).total_seconds()
                if (found := self.recall(klaviyo, request, journal)) is not None or left <= 0:
                    return found
                self.log.info("Klaviyo shows no sign of the earlier try's request, and may still: it is asked again for %.0f s.", left)
                time.sleep(min(left, LOOK_EVERY))
        except KlaviyoInDoubt:
            journal.tell()
            raise

    def _sent(self, klaviyo: Session, request: Request[T], journal: Journal) -> T:
        try:
            return klaviyo.send(request)
        except KlaviyoError as error:
            if not outcome_unknown(error):
                journal.withdraw()
            elif not self.recallable():
                journal.tell()
                raise in_doubt(request, journal) from error
            else:
                journal.intend()  # from now on Klaviyo's lists have time to show it: it may have waited for its turn before it left
                self.log.warning("Whether Klaviyo carried it out is not known. The next try finds out; if none is left, clear this task.")
            raise


def in_doubt(request: Request[Any], journal: Journal, *, arguments: str = "") -> KlaviyoInDoubt:
    """
    Return the error that says what a person has to do about a request nobody can know the outcome of.

    :param request: The request.
    :param journal: When it was sent.
    :param arguments: What was different about it.
    """
    return KlaviyoInDoubt(
        f"{request.name} was sent {arguments}at {journal.sent_at:%Y-%m-%d %H:%M:%S} UTC and not answered as it should be: whether Klaviyo"
        " carried it out is not known, and sending it again might do it twice. Look in Klaviyo; if it was not carried out, clear this task"
        " to send it again, else mark it as success."
    )


def outcome_unknown(error: KlaviyoError) -> bool:
    """
    Say whether a request that ended so may have been carried out.

    :param error: How it ended.
    """
    match error:
        case KlaviyoUnanswered():
            return error.sent
        case KlaviyoApiError():
            return error.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return False


def _identity(answer: Any) -> Json:
    """Return what the journal keeps of an answer: type and id, nothing about people."""
    data = answer.get("data") if isinstance(answer, dict) else None
    return {key: data[key] for key in ("type", "id") if key in data} if isinstance(data, dict) else {}


def _digest(conn_id: str, request: Request[Any]) -> str:
    """Return what tells a request from others, and tells nothing about it."""
    body = request.json if request.body is None else json.loads(gzip.decompress(request.body))
    files = {part: [file.name, file.media_type, sha256(file.content).hexdigest()] for part, file in (request.files or {}).items()}
    beside = [dict(request.params), dict(request.form or {}), files, dict(request.headers)]
    told = json.dumps([conn_id, request.method, request.path, body, *beside], sort_keys=True, default=str)
    return sha256(told.encode()).hexdigest()[:16]

# SPDX-License-Identifier: Apache-2.0
"""What all operators share that send several requests, because Klaviyo takes only so many rows in one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.request import Request
from airflow_provider_klaviyo.operators.base import Journal, KlaviyoOperator

if TYPE_CHECKING:
    from airflow_provider_klaviyo.session import Session

T = TypeVar("T")


class PortionsOperator(KlaviyoOperator):
    """Send requests one after the other; a next try of the task goes on after the last that is known to be done."""

    def requests(self) -> Iterator[Request[Any]]:
        """Make the requests, all of them before the first is sent."""
        raise NotImplementedError

    def send_all(self, klaviyo: Session, requests: Sequence[Request[Any]], journal: Journal) -> None:
        """
        Send requests, each once in effect over all tries of the task.

        :param klaviyo: An open session.
        :param requests: The requests.
        :param journal: The task's journal. It keeps a digest of each request that is done.
        :raises KlaviyoInDoubt: An earlier try sent one, got no answer, and :meth:`recall` cannot tell.
        """
        due = self.due(requests, journal)
        for left, request in zip(reversed(range(len(due))), due, strict=True):
            self.send(klaviyo, request, journal)
            self.finish(request, journal)
            self.log.info("Klaviyo has accepted %s of %s requests.", len(requests) - left, len(requests))

    def due(self, requests: Sequence[Request[Any]], journal: Journal) -> list[Request[Any]]:
        """
        Return the requests that are not known to be done.

        :param requests: The requests.
        :param journal: The task's journal.
        """
        done = frozenset(journal.get("portions") or ())
        return [each for each in requests if self.digest(each) not in done]

    def finish(self, request: Request[Any], journal: Journal, **entries: Any) -> None:
        """
        Note that a request is done.

        :param request: The request.
        :param journal: The task's journal.
        :param entries: What else to note.
        """
        journal.write(portions=[*(journal.get("portions") or ()), self.digest(request)], **entries)


def portions(rows: Sequence[T], most: int, request: Callable[[Sequence[T]], Request[Any]]) -> Iterator[Request[Any]]:
    """
    Make the requests for any number of rows.

    :param rows: The rows.
    :param most: How many Klaviyo takes in one request.
    :param request: Makes the request for some of them.
    :raises KlaviyoConfigError: A row is wrong.
    """
    for start in range(0, len(rows), most):
        try:
            yield request(rows[start : start + most])
        except KlaviyoConfigError as error:
            raise KlaviyoConfigError(f"of the rows from position {start} on, {error}" if start else str(error)) from None

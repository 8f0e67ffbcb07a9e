# SPDX-License-Identifier: Apache-2.0
"""Any endpoint of Klaviyo's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.operators.base import Journal, Personal
from airflow_provider_klaviyo.operators.listing import PagedOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

CHARACTER = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"  # RFC 3986: what a part of a path may hold
PATH = re.compile(rf"/api(/{CHARACTER}+)+/?")


class KlaviyoRequestOperator(PagedOperator):
    """
    Send any request, for what has no operator of its own.

    Limits are kept, and errors are read, as everywhere. A request that changes something and is not ``replayable`` is sent once
    in effect: where its outcome stays unknown, the task fails and says so, and no retry sends it again.

    https://developers.klaviyo.com/en/reference/api_overview

    :param method: The HTTP method.
    :param path: The path on the connection's host, such as ``/api/lists``; the query is given apart.
    :param query: The query, unquoted: ``{"filter": 'equals(name,"VIP")'}``.
    :param body: The JSON to send.
    :param paginate: Whether to read all pages and return their items.
    :param replayable: Whether sending it twice does no harm; by default, reads and deletes are.
    :return: The answer without its ``links``, which repeat the query; with ``paginate``, the list of items.
    """

    path: str
    method: Literal["GET", "POST", "PATCH", "DELETE"] = "GET"
    query: Personal[Mapping[str, str | int] | None] = None
    body: Personal[Mapping[str, Any] | None] = None
    paginate: bool = False
    replayable: bool | None = None

    def request(self) -> Request[Json]:
        """Make the request, for this host and no other."""
        if not PATH.fullmatch(self.path) or any(
            part in {".", ".."} for part in self.path.replace("%2e", ".").replace("%2E", ".").split("/")
        ):
            foreign = re.sub(rf"{CHARACTER}|/", "", self.path)[:1]
            raise KlaviyoConfigError(
                "path is a path on Klaviyo's host, such as /api/lists/{id}: it begins with /api/, has no empty part"
                " and no query (that is given as `query`); an absolute URL is refused because the key would travel"
                + (f"; it holds {foreign!r}, which such a path does not" if foreign else "")
            )
        if self.paginate and self.method != "GET":
            raise KlaviyoConfigError("paginate goes with GET alone")
        body = None if self.body is None else dict(self.body)
        return Request(self.method, self.path, params=dict(self.query or {}), json=body, replayable=self.replayable)

    def result(self, answer: Any) -> Any:
        """Return the answer, but for the addresses that repeat the query."""
        return {name: each for name, each in answer.items() if name != "links"} if isinstance(answer, dict) else answer

    def execute(self, context: Context) -> Any:
        """Send the request."""
        request, journal = self.request(), Journal(context)
        with self.hook.session() as klaviyo:
            result = self.result(self.items(klaviyo, request) if self.paginate else self.send(klaviyo, request, journal))
        journal.close()
        return result

# SPDX-License-Identifier: Apache-2.0
"""Any endpoint of Klaviyo's."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.operators.base import Journal, Personal
from airflow_provider_klaviyo.operators.files import open_file
from airflow_provider_klaviyo.operators.listing import PagedOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_klaviyo.session import Session

CHARACTER = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"  # RFC 3986: what a part of a path may hold
PATH = re.compile(rf"/(api|client)(/{CHARACTER}+)+/?")


class KlaviyoRequestOperator(PagedOperator):
    """
    Send any request, for what has no operator of its own.

    Limits are kept, and errors are read, as everywhere. A request that changes something and is not ``replayable`` is sent once
    in effect: where its outcome stays unknown, the task fails and says so, and no retry sends it again.

    https://developers.klaviyo.com/en/reference/api_overview

    :param method: The HTTP method.
    :param path: The path on the connection's host, such as ``/api/lists`` or ``/client/events``; the query is given apart. ``/client``
        goes by the extra ``public_key`` of the connection, which becomes ``company_id``, and never by the private key.
    :param query: The query, unquoted: ``{"filter": 'equals(name,"VIP")'}``.
    :param body: The JSON to send.
    :param form: The fields of a form to send, in place of JSON.
    :param files: Files to send, the path of each by the name of its part: the form becomes ``multipart/form-data``. A path is local or
        one of an object store, and is read when the task runs.
    :param headers: Headers beside those of every request. ``Authorization``, ``revision`` and those that follow from the body are refused.
    :param response: What the answer is: JSON, or ``"text"``, or ``"bytes"``, which are returned as base64 text because XCom holds none.
    :param paginate: Whether to read all pages and return their items.
    :param replayable: Whether sending it twice does no harm; by default, reads and deletes are.
    :return: The answer without its ``links``, which repeat the query; with ``paginate``, the list of items; else a text.
    """

    path: str
    method: Literal["GET", "POST", "PATCH", "DELETE"] = "GET"
    query: Personal[Mapping[str, str | int] | None] = None
    body: Personal[Mapping[str, Any] | None] = None
    form: Personal[Mapping[str, str] | None] = None
    files: Mapping[str, str] | None = None
    headers: Personal[Mapping[str, str] | None] = None
    response: Literal["json", "text", "bytes"] = "json"
    paginate: bool = False
    replayable: bool | None = None

    def request(self) -> Request[Any]:
        """Make the request, for this host and no other."""
        if not PATH.fullmatch(self.path):
            foreign = re.sub(rf"{CHARACTER}|/", "", self.path)[:1]
            raise KlaviyoConfigError(
                "path is a path on Klaviyo's host, such as /api/lists/{id}: it begins with /api/ or /client/, has no empty part"
                " and no query (that is given as `query`); an absolute URL is refused because the key would travel"
                + (f"; it holds {foreign!r}, which such a path does not" if foreign else "")
            )
        if self.paginate and (self.method != "GET" or self.response != "json"):
            raise KlaviyoConfigError("paginate goes with GET and JSON alone")
        return Request(
            self.method,
            self.path,
            params=dict(self.query or {}),
            json=None if self.body is None else dict(self.body),
            form=dict(self.form or {}),
            files={part: open_file(path) for part, path in (self.files or {}).items()},
            headers=dict(self.headers or {}),
            replayable=self.replayable,
            answer=self.response,
        )

    def result(self, answer: Any) -> Any:
        """Return the answer, but for the addresses that repeat the query."""
        match answer:
            case dict():
                return {name: each for name, each in answer.items() if name != "links"}
            case bytes():
                return b64encode(answer).decode()
        return answer

    def reread(self, klaviyo: Session, done: Json) -> Any:
        """Return type and id of what was answered, and nothing where that was a text."""
        return super().reread(klaviyo, done) if self.response == "json" else None

    def execute(self, context: Context) -> Any:
        """Send the request."""
        request, journal = self.request(), Journal(context)
        with self.hook.session() as klaviyo:
            result = self.result(self.items(klaviyo, request) if self.paginate else self.send(klaviyo, request, journal))
        journal.close()
        return result

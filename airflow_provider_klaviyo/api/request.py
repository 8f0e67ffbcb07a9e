# SPDX-License-Identifier: Apache-2.0
"""A call is a value: what to send, and how to read the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import parse_qsl, quote, urlsplit

T = TypeVar("T")
Json = dict[str, Any]
Method = Literal["GET", "POST", "PATCH", "DELETE"]


def whole(answer: Any) -> Any:
    """Read an answer as it is."""
    return answer


def at(template: str, *ids: str) -> str:
    """
    Fill the ``{}`` of a path with ids, quoted so that none can reach another endpoint.

    :param template: A path such as ``/api/lists/{}/profiles``.
    :param ids: One id for each ``{}``.
    :raises KlaviyoConfigError: An id is empty, ``.`` or ``..``: the path would be another endpoint's.
    """
    from airflow_provider_klaviyo.api.errors import KlaviyoConfigError  # which imports this module

    for each in ids:
        if str(each).strip() in {"", ".", ".."}:
            raise KlaviyoConfigError(f"{template} needs an id in place of {{}}, not {each!r}")
    return template.format(*(quote(str(each), safe="") for each in ids))


@dataclass(frozen=True, slots=True)
class File:
    """
    A file in a form.

    :param name: Its name.
    :param content: Its bytes.
    :param media_type: What they are, such as ``image/png``.
    """

    name: str
    content: bytes = field(repr=False)
    media_type: str = "application/octet-stream"


@dataclass(frozen=True)  # no slots: Request[Json](...) could not be made on Python 3.11
class Request(Generic[T]):
    """
    One call to Klaviyo.

    :param method: The HTTP method.
    :param path: The path on Klaviyo's host, its ids quoted (:func:`at`).
    :param params: The query, unquoted.
    :param json: The body.
    :param body: The body as gzip-compressed JSON, in place of ``json``.
    :param form: The body as the fields of a form, in place of ``json``; with ``files`` they are parts beside those.
    :param files: Files by the name of their part: the body is ``multipart/form-data``.
    :param headers: Headers beside those that every request has.
    :param cursor: The attribute of the body that leads to the next page, for a list that is asked for with a body.
    :param replayable: Whether it may be sent again when nobody knows if it arrived.
        ``None``: reads and deletes may, everything else may not.
    :param answer: As what the body of the answer is read. Errors are read from JSON all the same.
    :param read: What :meth:`Session.send` makes of that.
    """

    method: Method
    path: str
    params: Mapping[str, str | int] = field(default_factory=dict)
    json: Json | None = None
    body: bytes | None = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    files: Mapping[str, File] | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    cursor: str = ""
    replayable: bool | None = None
    answer: Literal["json", "text", "bytes"] = "json"
    read: Callable[[Any], T] = whole

    @property
    def repeatable(self) -> bool:
        """Whether sending it twice leaves Klaviyo as sending it once does."""
        return self.method in {"GET", "DELETE"} if self.replayable is None else self.replayable

    @property
    def name(self) -> str:
        """Method and path, for messages: without a query, which may name people."""
        return f"{self.method} {self.path.partition('?')[0].partition('#')[0]}"

    def following(self, page: Json) -> Request[T] | None:
        """
        Return the request for the page after this one, or ``None`` after the last.

        Only path and query of ``links.next`` are taken: the key never travels to another host.
        """
        link = (page.get("links") or {}).get("next")
        if isinstance(link, dict):  # JSON:API has both
            link = link.get("href")
        if not link:
            return None
        parts = urlsplit(link)
        params = dict(parse_qsl(parts.query, keep_blank_values=True))
        if self.cursor and self.json:
            data = self.json["data"]
            found = params.get(self.cursor) or params.get("page[cursor]") or ""
            return replace(self, json={"data": {**data, "attributes": {**data["attributes"], self.cursor: found}}})
        return replace(self, path=parts.path, params=params)

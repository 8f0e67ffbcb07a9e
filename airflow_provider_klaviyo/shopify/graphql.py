# SPDX-License-Identifier: Apache-2.0
"""
A call to Shopify's GraphQL Admin API as a value, and what an answer says.

`Shopify: API limits <https://shopify.dev/docs/api/usage/limits>`__.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Generic, TypeVar

from airflow_provider_klaviyo.api.redaction import redacted
from airflow_provider_klaviyo.api.request import Json, whole
from airflow_provider_klaviyo.shopify.errors import Code, ShopifyApiError
from airflow_provider_klaviyo.shopify.settings import ShopifySettings

T = TypeVar("T")

SCOPE = re.compile(r"\b(?:read|write)_\w+")
BY_STATUS: dict[int, Code] = {
    HTTPStatus.UNAUTHORIZED: Code.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN: Code.UNAUTHORIZED,
    HTTPStatus.NOT_FOUND: Code.NOT_FOUND,
    HTTPStatus.PAYMENT_REQUIRED: Code.SHOP_INACTIVE,
    HTTPStatus.LOCKED: Code.SHOP_INACTIVE,
}


@dataclass(frozen=True)  # no slots: with them Python 3.11 cannot make a Call[T](...)
class Call(Generic[T]):
    """
    One GraphQL operation.

    :param name: Its name, for messages.
    :param document: The document.
    :param variables: Its variables.
    :param read: What a session makes of the answer's ``data``.
    :param replayable: Whether it may be sent again when nobody knows if it arrived.
    """

    name: str
    document: str
    variables: Json = field(default_factory=dict)
    read: Callable[[Json], T] = whole
    replayable: bool = True


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, the names of its headers in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def json(self) -> Json | None:
        """Return the body as an object, or ``None`` where it is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return None
        return found if isinstance(found, dict) else None


def answer_of(reply: Reply, settings: ShopifySettings, name: str) -> Json:
    """
    Return the body of an answer, if it came from the version that was asked for.

    :param reply: What came back.
    :param settings: The connection.
    :param name: The operation, for messages.
    :raises ShopifyApiError: It did not, or is no answer at all.
    """
    answer = reply.json()
    if reply.status != HTTPStatus.OK or answer is None:
        code = BY_STATUS.get(reply.status, Code.NOT_FOUND)
        raise ShopifyApiError(name, code, "" if answer else "the answer is not JSON", settings.conn_id, reply.status)
    served = reply.headers.get("x-shopify-api-version", settings.api_version)
    if served != settings.api_version:
        detail = f"asked for version {settings.api_version}, Shopify answered with {served}: the one asked for is retired or not out yet"
        raise ShopifyApiError(name, Code.VERSION, detail, settings.conn_id)
    return answer


def refusal_in(answer: Json, settings: ShopifySettings, name: str) -> ShopifyApiError | None:
    """
    Return what an answer of status 200 refuses: its errors, and its search warnings.

    Shopify drops a search term that it does not know, and answers with everything.

    :param answer: The body.
    :param settings: The connection.
    :param name: The operation, for messages.
    """
    if errors := answer.get("errors"):
        first: Json = errors[0] if isinstance(errors, list) else {"message": str(errors)}
        extensions: Json = first.get("extensions") or {}
        said = str(first.get("message") or "")
        scopes = SCOPE.findall(f"{extensions.get('requiredAccess') or ''} {said}")
        detail = f"it needs the access scope {', '.join(dict.fromkeys(scopes))}" if scopes else redacted(said)
        return ShopifyApiError(name, extensions.get("code") or "ERROR", detail, settings.conn_id)
    for search in (answer.get("extensions") or {}).get("search") or []:
        for warning in search.get("warnings") or []:
            detail = redacted(f"{warning.get('field')}: {warning.get('message')}")
            return ShopifyApiError(name, Code.SEARCH_WARNING, detail, settings.conn_id)
    return None


def cost_wait(answer: Json) -> float:
    """Return the seconds until the bucket of cost points holds what the query costs, at least one."""
    cost: dict[str, Any] = (answer.get("extensions") or {}).get("cost") or {}
    bucket = cost.get("throttleStatus") or {}
    missing = (cost.get("requestedQueryCost") or 0) - (bucket.get("currentlyAvailable") or 0)
    return float(max(1.0, missing / (bucket.get("restoreRate") or 100.0)))

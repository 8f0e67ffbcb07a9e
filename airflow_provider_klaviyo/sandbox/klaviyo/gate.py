# SPDX-License-Identifier: Apache-2.0
"""What every request has to pass: key, revision, operation, limits, scopes, content type, size, JSON."""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote

from airflow_provider_klaviyo.api import limits
from airflow_provider_klaviyo.api.limits import Operation
from airflow_provider_klaviyo.sandbox.klaviyo import forms
from airflow_provider_klaviyo.sandbox.klaviyo.behaviour import ACCOUNT
from airflow_provider_klaviyo.sandbox.klaviyo.problems import Problem, Refused, invalid, not_found
from airflow_provider_klaviyo.sandbox.klaviyo.state import KlaviyoState

#: Revisions that live: a revision is retired after two years, so the oldest of 2024 are gone.
REVISIONS = frozenset(f"{year}-{month}-15" for year in (2025, 2026) for month in ("01", "04", "07", "10"))
OPT_OUT = "x-klaviyo-revision-fall-forward-opt-out"
BODY_BYTES = 5_000_000
JSON_TYPES = frozenset({"application/vnd.api+json", "application/json"})
FORMS = frozenset({"upload_image_from_file"})
"""The operations that take a form in place of JSON."""
FORM_TYPE = "multipart/form-data"
CLIENT = "/client/"
METHODS = ("GET", "POST", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class Incoming:
    """
    A request as it came.

    :param method: The HTTP method.
    :param path: The path with quoted ids, without a slash at its end.
    :param query: The query as it stands in the URL.
    :param headers: Names in lower case.
    :param raw: The body, compressed or not.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    raw: bytes


def key_of(incoming: Incoming, state: KlaviyoState) -> frozenset[str] | None:
    """
    Return the scopes of the key or token, ``None`` for all.

    :raises Refused: 401, or 400 where a browser's request does not go by the public key, or a private one comes with it.
    """
    if incoming.path.startswith(CLIENT):
        _check_company(incoming)
        return None
    scheme, _, key = incoming.headers.get("authorization", "").partition(" ")
    if scheme == "Bearer" and (family := state.grants.of_access(key)):
        return family.scopes
    if scheme != "Klaviyo-API-Key" or key not in state.behaviour.keys:
        raise Refused(401, "authentication_failed", Problem("Incorrect authentication credentials.", "/data/"))
    return state.behaviour.keys[key]


def _check_company(incoming: Incoming) -> None:
    if "authorization" in incoming.headers:
        raise invalid("A private key must not be sent to a client endpoint.", "/data/")
    if parse_qs(incoming.query).get("company_id") != [ACCOUNT]:
        raise invalid("The parameter `company_id` must be the account's public key.", parameter="company_id")


def check_revision(incoming: Incoming) -> None:
    """
    Let a live revision through, and any other unless the client opted out of falling forward.

    :raises Refused: 400 where none is named, 410.
    """
    revision = incoming.headers.get("revision", "").strip()
    if not revision:
        raise invalid("The header `revision` is required.", "/data/")
    if revision.removesuffix(".pre") not in REVISIONS and OPT_OUT in incoming.headers:
        detail = f"The API revision {revision} is retired or unknown."
        raise Refused(410, "revision_retired", Problem(detail, "/data/"))


def operation_of(incoming: Incoming) -> Operation:
    """
    Find what is asked for.

    :raises Refused: 404 or 405.
    """
    operation = limits.find(incoming.method, incoming.path)
    if operation is None:
        others = [each for each in METHODS if limits.find(each, incoming.path)]
        if others:
            detail = f"Method '{incoming.method}' not allowed."
            raise Refused(405, "method_not_allowed", Problem(detail, "/data/"))
        raise not_found(f"The path {incoming.path} does not exist.")
    return operation


def ids_of(operation: Operation, path: str) -> tuple[str, ...]:
    """Return the ids in a path, unquoted."""
    pairs = zip(operation.path.split("/"), path.split("/"), strict=True)
    return tuple(unquote(part) for template, part in pairs if template.startswith("{"))


def check_scopes(operation: Operation, scopes: frozenset[str] | None) -> None:
    """
    Check that a key may do it.

    :raises Refused: 403.
    """
    missing = [each for each in operation.scopes if scopes is not None and each not in scopes]
    if missing:
        detail = f"The API key is missing the required scopes: {', '.join(missing)}"
        raise Refused(403, "permission_denied", Problem(detail, "/data/"))


def body_of(incoming: Incoming, *, gzip: bool) -> Any:
    """
    Return the parsed body, ``None`` where a request has none.

    :param incoming: The request.
    :param gzip: Whether compressed bodies are taken.
    :raises Refused: 415, or 400 for what is too large or no JSON.
    """
    if incoming.method in {"GET", "DELETE"} and not incoming.raw:
        return None
    _check_type(incoming, JSON_TYPES)
    coding = incoming.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ({"identity", "gzip"} if gzip else {"identity"}):
        raise _unsupported(f"Unsupported content encoding '{coding}' in request.")
    raw = _inflated(incoming.raw) if coding == "gzip" else incoming.raw
    if len(raw) > BODY_BYTES:
        raise invalid("The payload exceeds the limit of 5 MB.", "/data")
    try:
        parsed = json.loads(raw, parse_constant=_not_json)
        if b"\\ud" in raw.lower():
            json.dumps(parsed, ensure_ascii=False).encode()  # half a surrogate pair is no text
        return parsed
    except (ValueError, RecursionError):
        raise invalid("The body is not valid JSON.", "/data") from None


def form_of(incoming: Incoming) -> forms.Form:
    """
    Return the parsed form.

    :raises Refused: 415, or 400 for a file that is too large, and for what is no form.
    """
    _check_type(incoming, {FORM_TYPE})
    try:
        form = forms.read(incoming.raw, incoming.headers["content-type"])
    except ValueError:
        raise invalid("The body is not a valid form.", "/data") from None
    for part, file in form.files.items():
        if len(file.content) > BODY_BYTES:
            raise invalid("The file exceeds the limit of 5 MB.", f"/data/attributes/{part}")
    return form


def _check_type(incoming: Incoming, allowed: Collection[str]) -> None:
    kind = incoming.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in allowed:
        raise _unsupported(f"Unsupported media type '{kind}' in request.")


def _inflated(raw: bytes) -> bytes:
    """Inflate up to one byte over the limit: more is refused all the same."""
    inflator = zlib.decompressobj(wbits=31)
    try:
        text = inflator.decompress(raw, BODY_BYTES + 1)
    except zlib.error:
        raise invalid("The body is not gzip.", "/data") from None
    if len(text) <= BODY_BYTES and not inflator.eof:
        raise invalid("The body is not gzip.", "/data")
    return text


def _not_json(word: str) -> Any:
    raise ValueError(word)


def _unsupported(detail: str) -> Refused:
    return Refused(415, "unsupported_media_type", Problem(detail, "/data/"))

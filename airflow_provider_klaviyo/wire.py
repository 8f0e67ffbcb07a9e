# SPDX-License-Identifier: Apache-2.0
"""A request in HTTP's words, and an answer out of them: nothing is sent here, and the HTTP library is not known."""

from __future__ import annotations

import gzip
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from airflow_provider_klaviyo import __version__
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.redaction import redacted
from airflow_provider_klaviyo.api.request import Json, Request

if TYPE_CHECKING:
    from airflow_provider_klaviyo.settings import Settings

MEDIA_TYPE = "application/vnd.api+json"
CLIENT = "/client/"
"""The endpoints that a browser may call: they take the account's public key in place of a private one."""
OURS = (
    {"authorization", "cookie", "host", "proxy-authorization", "revision", "x-klaviyo-revision-fall-forward-opt-out"}
    | {"accept-encoding", "content-encoding", "content-length", "content-type", "expect", "transfer-encoding"}
    | {"connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade"}  # codespell:ignore te
    | {"forwarded", "via", "x-http-method", "x-http-method-override", "x-method-override", "x-original-url", "x-real-ip", "x-rewrite-url"}
)
"""Headers that follow from the connection and the body, or from how they are sent; and those that make another request of it on its way."""
FORWARDED = "x-forwarded-"
TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # RFC 9110  # noqa: S105 - HTTP's word for a word
HEADER_NAME = re.compile(TOKEN)
HEADER_VALUE = re.compile(r"(?:[!-~](?:[\t -~]*[!-~])?)?")
FILE_TYPE = re.compile(rf"{TOKEN}/{TOKEN}(?:; ?{TOKEN}=[!-~]+)*")
NOTHING: Json = {"json": {}, "text": "", "bytes": b""}
"""What an answer without a body is read as."""


def check(request: Request[Any], settings: Settings) -> None:
    """
    Check that a request can be sent as it is.

    :raises KlaviyoConfigError: It leads elsewhere, has two bodies, a header that is not the caller's to set, a file of no type, or a private
        key as its company; or it is one to ``/client`` and the connection has no public key.
    """
    _check_path(request.path, settings.base_url)
    if sum([request.json is not None, request.body is not None, bool(request.form or request.files)]) > 1:
        raise KlaviyoConfigError("a request has one body: JSON, or a form, which files may go with")
    for name, value in request.headers.items():
        _check_header(name, value)
    for part, file in (request.files or {}).items():
        if not FILE_TYPE.fullmatch(file.media_type):
            raise KlaviyoConfigError(f"the media type of the file {redacted(repr(part))} is one such as image/png")
    if str(request.params.get("company_id", "")).strip().lower().startswith("pk_"):
        raise KlaviyoConfigError("company_id is the account's six-character company id, and never a private key: it stands in the URL")
    if is_client(request) and "company_id" not in request.params and not settings.public_key:
        raise KlaviyoConfigError(
            f"{request.name} goes by the account's public key: set the extra `public_key` of the connection {settings.conn_id!r} to the"
            " six-character company id (Klaviyo: Settings, API keys)"
        )


def is_client(request: Request[Any]) -> bool:
    """Tell whether a request goes by the public key, so that the private one must not travel with it."""
    return request.path.startswith(CLIENT)


def common_headers(settings: Settings) -> dict[str, str]:
    """Return the headers of every request, but for who sends it."""
    return {
        "revision": settings.revision,
        "X-Klaviyo-Revision-Fall-Forward-Opt-Out": "1",
        "Accept": MEDIA_TYPE,
        "User-Agent": f"airflow-provider-klaviyo/{__version__}",
    }


def written(request: Request[Any], settings: Settings, *, plain: bool) -> Json:
    """
    Return what the library's ``build_request`` takes; who sends it is not in it.

    :param request: A request that passed :func:`check`.
    :param settings: Where to.
    :param plain: Whether to inflate a compressed body.
    """
    params, headers = dict(request.params), {name.lower(): value for name, value in request.headers.items()}
    if is_client(request):
        params.setdefault("company_id", settings.public_key or "")
    if request.answer != "json":
        headers.setdefault("accept", "*/*")
    words: Json = {"method": request.method, "url": settings.base_url + request.path, "params": params or None, "headers": headers}
    if request.body is not None:
        headers |= {"content-type": MEDIA_TYPE} | ({} if plain else {"content-encoding": "gzip"})
        words["content"] = gzip.decompress(request.body) if plain else request.body
    elif request.json is not None:
        headers["content-type"] = MEDIA_TYPE
        words["json"] = request.json
    else:
        words["data"] = request.form
        words["files"] = {part: (file.name, file.content, file.media_type) for part, file in (request.files or {}).items()}
    return words


def parsed(content: bytes, media_type: str, *, redirect: bool) -> tuple[Json, bool]:
    """
    Parse a body, and tell whether it was a JSON object or empty. Error pages of proxies are neither.

    :param content: The body.
    :param media_type: What its header calls it.
    :param redirect: Whether the answer leads elsewhere.
    """
    if not content.strip() and not redirect:
        return {}, True
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict):
        return answer, True
    if redirect:
        said = "redirect", "redirects are not followed, lest the key travels: check the host of the connection"
    else:
        said = "not_json", f"the answer was {media_type or 'of unknown type'} instead of JSON"
    return {"errors": [{"code": said[0], "detail": said[1]}]}, False


def lack(request: Request[Any], answer: Json, *, known: bool) -> str:
    """
    Say what an answer lacks.

    :param known: Whether Klaviyo documents the operation: then a read has data, be it an empty list. Without, it was cut on its way.
    """
    return "without data" if known and request.method == "GET" and "data" not in answer else ""


def cause(error: Exception) -> str:
    """Say why there is no answer, in the HTTP library's words, as far as these may be told."""
    return f"{type(error).__name__} {redacted(str(error))}".strip()


def _check_path(path: str, base_url: str) -> None:
    bare = re.split(r"[?#]", path)[0]
    climbs = not {".", ".."}.isdisjoint(map(unquote, path.split("/")))
    if not path.startswith("/") or path.startswith("//") or not path.isprintable() or bare != path or climbs:
        raise KlaviyoConfigError(
            f"A request goes to a path on {base_url}, such as /api/lists, and its query is given apart: {redacted(bare)!r} is none."
        )


def _check_header(name: str, value: str) -> None:
    if name.lower() in OURS or name.lower().startswith(FORWARDED):
        hint = "set `revision` in the connection's extra" if name.lower() == "revision" else "it follows from the connection and the body"
        raise KlaviyoConfigError(f"the header {name} is not set by a request: {hint}")
    if not HEADER_NAME.fullmatch(name) or not HEADER_VALUE.fullmatch(value):
        raise KlaviyoConfigError(f"the header {redacted(repr(name))} is no HTTP header: names and values are of visible ASCII characters")

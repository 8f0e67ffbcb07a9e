# SPDX-License-Identifier: Apache-2.0
"""Results of bulk operations over HTTP, as the storage behind Shopify gives them out."""

from __future__ import annotations

import hmac
import zlib
from collections.abc import Iterator
from pathlib import Path

from fastapi import Request
from fastapi.responses import FileResponse, PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from airflow_provider_klaviyo.sandbox.shopify.faults import DOWNLOAD_FAULTS, Fault, ShopFault
from airflow_provider_klaviyo.sandbox.shopify.state import ShopState

JSONL = "application/jsonl"
CHUNK = 1 << 18
SECRETS = ("x-shopify-access-token", "authorization")


class Cut(Response):
    """
    An answer whose connection ends before all of it was sent.

    :param body: What is sent of it.
    :param size: How many bytes were promised.
    """

    media_type = JSONL

    def __init__(self, body: bytes, size: int) -> None:
        super().__init__(body, headers={"content-length": str(size)})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what there is, nothing at all where there is none, and close the connection."""
        connection = scope.get("sandbox.transport")  # the sandbox's server shows it; any other server closes a bad answer itself
        if self.body or connection is None:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": self.body, "more_body": True})
        if connection is not None:
            connection.close()
            while (await receive())["type"] != "http.disconnect":
                pass


def download(state: ShopState, number: int, request: Request) -> Response:
    """
    Give out a result.

    A request that brings the shop's token is refused and counted in :attr:`ShopState.leaks`: the signature in the address is all it needs.
    """
    if any(name in request.headers for name in SECRETS):
        state.leaks += 1
        return _refused(400, "InvalidArgument", "Only one of a signature and a token may be sent")
    operation = state.bulk.all.get(f"gid://shopify/BulkOperation/{number}")
    expires = request.query_params.get("Expires", "")
    if operation is None or not operation.path.exists():
        return _refused(404, "NoSuchKey", "The specified key does not exist.")
    signed = expires.isdigit() and state.bulk.signature(operation, int(expires))
    if not signed or not hmac.compare_digest(signed, request.query_params.get("Signature", "")):
        return _refused(403, "SignatureDoesNotMatch", "The request signature does not match.")
    if int(expires) <= state.clock():
        return _refused(400, "ExpiredToken", "The provided token has expired.")
    if fault := state.faults.take(DOWNLOAD_FAULTS):
        return _fault(fault, operation.path)
    if "gzip" in request.headers.get("accept-encoding", "") and "range" not in request.headers:
        return StreamingResponse(_gzipped(operation.path), media_type=JSONL, headers={"content-encoding": "gzip"})
    return FileResponse(operation.path, media_type=JSONL)


def _fault(fault: Fault, path: Path) -> Response:
    if fault.kind is ShopFault.DOWNLOAD_STATUS:
        return _refused(int(fault.detail or 503), "InternalError", "We encountered an internal error. Please try again.")
    whole = path.read_bytes()
    kept = whole[: int(fault.detail or len(whole) // 2)]
    if fault.kind is ShopFault.DOWNLOAD_DROPPED:
        return Cut(kept, len(whole))
    return Response(kept.rstrip(b"}\n"), media_type=JSONL)


def _gzipped(path: Path) -> Iterator[bytes]:
    squeeze = zlib.compressobj(1, wbits=31)
    with path.open("rb") as file:
        while part := file.read(CHUNK):
            yield squeeze.compress(part)
    yield squeeze.flush()


def _refused(status: int, code: str, message: str) -> Response:
    body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return PlainTextResponse(body, status, media_type="application/xml")

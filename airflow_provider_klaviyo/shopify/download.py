# SPDX-License-Identifier: Apache-2.0
"""What has been read of a file, over as many answers as that takes."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from airflow_provider_klaviyo.shopify.errors import Code, ShopifyApiError, ShopifyDataError
from airflow_provider_klaviyo.shopify.settings import is_loopback

GZIP = b"\x1f\x8b"
NAME = "download of the bulk result"


def checked(url: str) -> str:
    """
    Return the address of a result if it may be fetched.

    :raises ShopifyDataError: It is not https; http is for this machine only. The address itself is a secret and not shown.
    """
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        return url
    raise ShopifyDataError("Shopify gave an address for the bulk result that is not https: it is not fetched.")


class Download:
    """
    One file: what to ask for next, and each byte of it once.

    A plain file goes on where it broke off. A compressed one may be compressed differently the next time, so it is read again
    from its beginning and what was had already is passed over.

    :param size: Bytes that the file has at least, uncompressed.
    """

    def __init__(self, size: int = 0) -> None:
        self.size = size
        self.received = 0
        """Bytes of the body as they came, since its beginning."""
        self.given = 0
        """Bytes handed on."""
        self._skip = 0
        self._inflate: zlib._Decompress | None = None
        self._tag = ""

    def headers(self) -> dict[str, str]:
        """Return the headers of the next request."""
        asked = {"Accept-Encoding": "gzip"}
        if self.received and self._inflate is None and self._tag:
            asked |= {"Accept-Encoding": "identity", "Range": f"bytes={self.received}-", "If-Range": self._tag}
        return asked

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """
        Take the head of an answer, names in lower case.

        :raises ShopifyApiError: It is not the file.
        """
        if status == HTTPStatus.PARTIAL_CONTENT and headers.get("content-range", "").startswith(f"bytes {self.received}-"):
            return
        if status != HTTPStatus.OK:
            code = Code.INTERNAL_SERVER_ERROR if status >= HTTPStatus.INTERNAL_SERVER_ERROR else Code.BULK_FAILED
            detail = "its address is valid for seven days only; another try asks for a new one" if code is Code.BULK_FAILED else ""
            raise ShopifyApiError(NAME, code, detail, status=status)
        tag = headers.get("etag", "")
        self._tag = "" if tag.startswith("W/") else tag
        self.received, self._skip = 0, self.given
        self._inflate = zlib.decompressobj(wbits=31) if headers.get("content-encoding") == "gzip" else None

    def feed(self, chunk: bytes) -> bytes:
        """Take a piece of the body as it came and return what is new in it."""
        if self.received == 0 and self._inflate is None and chunk.startswith(GZIP):  # stored compressed, and not said so
            self._inflate = zlib.decompressobj(wbits=31)
        self.received += len(chunk)
        data = chunk if self._inflate is None else self._inflated(chunk)
        passed, self._skip = min(self._skip, len(data)), max(0, self._skip - len(data))
        data = data[passed:]
        self.given += len(data)
        return data

    def finish(self) -> None:
        """
        Take the end of the body.

        :raises ShopifyDataError: It ended too early.
        """
        if self._skip or self.given < self.size or (self._inflate is not None and not self._inflate.eof):
            raise ShopifyDataError("The bulk result ended before its end.")

    def _inflated(self, chunk: bytes) -> bytes:
        """Decompress; a file may be several compressed ones behind each other."""
        pieces = []
        while chunk and self._inflate is not None:
            if self._inflate.eof:
                self._inflate = zlib.decompressobj(wbits=31)
            try:
                pieces.append(self._inflate.decompress(chunk))
            except zlib.error:
                raise ShopifyDataError("The compressed bulk result is damaged.") from None
            chunk = self._inflate.unused_data
        return b"".join(pieces)


def lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Cut a stream into its lines, without the line ends."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
    if rest:
        yield rest

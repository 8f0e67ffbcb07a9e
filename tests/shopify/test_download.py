# SPDX-License-Identifier: Apache-2.0
"""A file is read once, whatever happens to the connection."""

from __future__ import annotations

import gzip

import pytest

from airflow_provider_klaviyo.shopify.download import Download, checked, lines
from airflow_provider_klaviyo.shopify.errors import ShopifyApiError, ShopifyDataError

FILE = b"".join(b'{"n": %d}\n' % n for n in range(500))


def test_lines_are_cut_wherever_the_pieces_end() -> None:
    pieces = [FILE[start : start + 7] for start in range(0, len(FILE), 7)]
    assert list(lines(pieces)) == FILE.splitlines()
    assert list(lines([b"a\nb"])) == [b"a", b"b"]


def test_a_plain_file_goes_on_where_it_broke_off() -> None:
    download = Download()
    assert download.headers() == {"Accept-Encoding": "gzip"}
    download.begin(200, {"etag": '"1"'})
    first = download.feed(FILE[:1000])
    assert download.headers() == {"Accept-Encoding": "identity", "Range": "bytes=1000-", "If-Range": '"1"'}
    download.begin(206, {"content-range": f"bytes 1000-{len(FILE) - 1}/{len(FILE)}"})
    rest = download.feed(FILE[1000:])
    download.finish()
    assert first + rest == FILE


@pytest.mark.parametrize("tag", ["", 'W/"1"'])
def test_without_a_strong_tag_it_is_read_anew_and_what_was_had_is_passed_over(tag: str) -> None:
    download = Download()
    download.begin(200, {"etag": tag})
    first = download.feed(FILE[:1000])
    assert "Range" not in download.headers()
    download.begin(200, {})
    assert first + download.feed(FILE[:500]) + download.feed(FILE[500:]) == FILE
    download.finish()


@pytest.mark.parametrize("headers", [{"content-encoding": "gzip"}, {}])
def test_a_compressed_file_is_read_anew_though_compressed_otherwise(headers: dict[str, str]) -> None:
    one, other = gzip.compress(FILE, 9), gzip.compress(FILE[:2000], 1) + gzip.compress(FILE[2000:], 1)
    download = Download()
    download.begin(200, {"etag": '"1"', **headers})
    first = b"".join(download.feed(one[n : n + 50]) for n in range(0, 400, 50))
    assert 0 < len(first) < len(FILE)
    assert "Range" not in download.headers()
    download.begin(200, headers)
    rest = b"".join(download.feed(other[n : n + 50]) for n in range(0, len(other), 50))
    download.finish()
    assert first + rest == FILE


def test_a_compressed_file_that_stops_early_is_not_taken_for_whole() -> None:
    download = Download()
    download.begin(200, {"content-encoding": "gzip"})
    download.feed(gzip.compress(FILE)[:-20])
    with pytest.raises(ShopifyDataError, match="ended before its end"):
        download.finish()


def test_a_damaged_compressed_file_is_an_error() -> None:
    download = Download()
    download.begin(200, {"content-encoding": "gzip"})
    with pytest.raises(ShopifyDataError, match="damaged"):
        download.feed(b"<html>")


@pytest.mark.parametrize(("status", "permanent"), [(403, False), (404, False), (500, False), (302, False)])
def test_an_answer_that_is_not_the_file_is_an_error(status: int, permanent: bool) -> None:
    with pytest.raises(ShopifyApiError) as failure:
        Download().begin(status, {"location": "https://elsewhere.example"})
    assert failure.value.permanent is permanent


@pytest.mark.parametrize("url", ["http://storage.example/x?s=secret", "ftp://127.0.0.1/x?s=secret", "file:///etc/x?s=secret"])
def test_only_https_is_fetched(url: str) -> None:
    with pytest.raises(ShopifyDataError, match="not https") as failure:
        checked(url)
    assert "secret" not in str(failure.value)


def test_this_machine_may_use_http() -> None:
    assert checked("http://127.0.0.1:8000/bulk/1") == "http://127.0.0.1:8000/bulk/1"

# SPDX-License-Identifier: Apache-2.0
"""Forms with files: taken apart byte for byte, by the operations that take them and by no other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klaviyo.sandbox.klaviyo import forms
from tests.sandbox.klaviyo_client import HEADERS, pointers

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

PNG = b"\x89PNG\r\n\x1a\n"
UPLOAD = "/api/image-upload"
names = st.text("abcé-_ ", min_size=1, max_size=5)


@pytest.fixture
def http(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    sandbox.klaviyo.behaviour.limits = "off"
    headers = {name: value for name, value in HEADERS.items() if name != "Content-Type"}
    with httpx.Client(base_url=sandbox.url, headers=headers, timeout=10) as made:
        yield made


def sent(data: dict[str, str], files: dict[str, Any]) -> tuple[bytes, str]:
    request = httpx.Request("POST", "http://sandbox/", data=data, files=files)
    return request.read(), request.headers["content-type"]


@given(st.dictionaries(names, st.text(st.characters(exclude_categories=["Cs"]))), st.dictionaries(names, st.binary(), min_size=1))
def test_a_form_is_read_as_it_was_sent(fields: dict[str, str], files: dict[str, bytes]) -> None:
    form = forms.read(*sent(fields, {f"file{name}": (f"f{name}.png", content, "image/png") for name, content in files.items()}))
    assert form.fields == fields
    assert form.files == {f"file{name}": forms.UploadedFile(f"f{name}.png", "image/png", content) for name, content in files.items()}


def test_what_is_no_whole_form_is_refused() -> None:
    raw, media_type = sent({"name": "Logo"}, {"file": ("logo.png", PNG, "image/png")})
    assert forms.read(raw, media_type).fields == {"name": "Logo"}
    twice = raw.replace(b'name="file"', b'name="name"')
    nameless = raw.replace(b'; name="file"', b"")
    for broken in (raw[:-10], raw[20:], b"", b"{}", twice, nameless, raw.replace(b"Logo", b"\xff")):
        with pytest.raises(ValueError, match=r"form|part|decode"):
            forms.read(broken, media_type)
    for wrong in ("multipart/form-data", "multipart/form-data; boundary=other", "multipart/form-data; boundary=ü"):
        with pytest.raises(ValueError, match=r"form|encode"):
            forms.read(raw, wrong)


def test_only_where_forms_are_taken_are_they_taken(http: httpx.Client) -> None:
    file = {"file": ("logo.png", PNG, "image/png")}
    assert http.post("/api/lists", files=file).status_code == 415
    assert http.post(UPLOAD, json={"data": {}}).status_code == 415
    assert http.post(UPLOAD, data={"name": "Logo"}).status_code == 415
    broken = http.post(UPLOAD, content=b"--x\r\n", headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert (broken.status_code, pointers(broken)) == (400, ["/data"])


@pytest.mark.parametrize(("size", "refused"), [(5_000_000, False), (5_000_001, True)])
def test_a_file_may_have_five_megabytes(http: httpx.Client, size: int, *, refused: bool) -> None:
    answer = http.post(UPLOAD, files={"file": ("logo.png", PNG.ljust(size, b"\0"), "image/png")})
    assert (answer.status_code == 400) is refused
    assert not refused or pointers(answer) == ["/data/attributes/file"]


def test_a_form_is_remembered_as_it_came(sandbox: SandboxServer, http: httpx.Client) -> None:
    http.post(UPLOAD, data={"name": "Logo"}, files={"file": ("logo.png", PNG, "image/png")})
    received = sandbox.klaviyo.received[-1]
    assert received.body is None
    assert forms.read(received.raw, received.headers["content-type"]).files["file"].content == PNG

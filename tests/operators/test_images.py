# SPDX-License-Identifier: Apache-2.0
"""Operators for images, against the sandbox."""

from __future__ import annotations

import tracemalloc
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_klaviyo.api import images
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError, KlaviyoInDoubt, KlaviyoUnanswered
from airflow_provider_klaviyo.api.request import File
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.operators.images import (
    KlaviyoGetImageOperator,
    KlaviyoListImagesOperator,
    KlaviyoUpdateImageOperator,
    KlaviyoUploadImageOperator,
)
from airflow_provider_klaviyo.sandbox.klaviyo.forms import UploadedFile
from tests.operators.kit import Killed, Store, context

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

    Run = Callable[..., Any]

FROM_URL, FROM_FILE = "POST /api/images", "POST /api/image-upload"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
GIF = b"GIF89a" + bytes(40)
JPEG = b"\xff\xd8\xff\xe0" + bytes(40)
REMOTE = "https://example.com/img/logo.png?signature=hush"


def inline(content: bytes) -> str:
    """Return a ``data:`` URI."""
    return f"data:image/png;base64,{b64encode(content).decode()}"


def upload(name: str, content: bytes = PNG, *, hidden: bool = False) -> str:
    """Upload an image, and return its id."""
    with KlaviyoHook().session() as klaviyo:
        sent = images.upload_from_file(file=File("any.png", content), name=name, hidden=hidden)
        return str(klaviyo.send(sent)["data"]["id"])


def there() -> dict[str, str]:
    """Return the names of all images, hidden ones included, by id."""
    with KlaviyoHook().session() as klaviyo:
        asked = [images.list_(filter=f"equals(hidden,{hidden})") for hidden in ("true", "false")]
        return {each["id"]: each["attributes"]["name"] for request in asked for each in klaviyo.walk(request)}


@pytest.fixture
def logo(tmp_path: Path) -> Path:
    path = tmp_path / "logo.v2.png"
    path.write_bytes(PNG)
    return path


# ── what is sent ───────────────────────────────────────────────────────────────────


def test_a_file_is_uploaded_byte_for_byte(sandbox: SandboxServer, run: Run, logo: Path) -> None:
    made = run(KlaviyoUploadImageOperator, path=f"{logo.parent}/logo.v{{{{ 1 + 1 }}}}.png", name="Logo {{ 1 + 1 }}", hidden="{{ True }}")
    form = sandbox.klaviyo.received[-1].form
    assert form is not None
    assert form.fields == {"name": "Logo 2", "hidden": "true"}
    assert form.files == {"file": UploadedFile("logo.v2.png", "image/png", PNG)}
    told = made.returned["attributes"]
    assert (told["name"], told["format"], told["size"], told["hidden"]) == ("Logo 2", "png", len(PNG), True)


@pytest.mark.parametrize(("content", "media_type"), [(GIF, "image/gif"), (JPEG, "image/jpeg")])
def test_the_type_of_an_image_is_that_of_its_content(sandbox: SandboxServer, run: Run, logo: Path, content: bytes, media_type: str) -> None:
    logo.write_bytes(content)
    assert run(KlaviyoUploadImageOperator, path=f"file://{logo}").returned["attributes"]["format"] == media_type.removeprefix("image/")
    form = sandbox.klaviyo.received[-1].form
    assert form is not None
    assert form.files["file"].media_type == media_type


@pytest.mark.parametrize(("fields", "name"), [({"url": REMOTE}, "logo"), ({"url": inline(PNG), "name": "Logo"}, "Logo")])
def test_what_has_an_address_is_given_by_it_and_the_address_is_not_told(
    sandbox: SandboxServer, run: Run, fields: dict[str, str], name: str
) -> None:
    made = run(KlaviyoUploadImageOperator, **fields)
    attributes = {"name": name, "import_from_url": fields["url"], "hidden": False}
    assert sandbox.klaviyo.received[-1].body == {"data": {"type": "image", "attributes": attributes}}
    assert made.returned["attributes"]["name"] == name
    assert "hush" not in made.said
    assert inline(PNG) not in made.said


def test_a_name_is_that_of_the_file_without_its_suffix(sandbox: SandboxServer, run: Run, logo: Path) -> None:
    assert run(KlaviyoUploadImageOperator, path=str(logo)).returned["attributes"]["name"] == "logo.v2"
    sent = run(KlaviyoUploadImageOperator, url="https://example.com/a%20b/my%20logo.gif")
    assert sent.returned["attributes"]["name"] == "my logo"


def test_if_exists_use_returns_the_image_of_that_very_name(sandbox: SandboxServer, run: Run) -> None:
    first = upload("Logo", hidden=True)
    upload("Logo dark")
    assert run(KlaviyoUploadImageOperator, url=REMOTE, name="Logo", if_exists="use").returned["id"] == first
    assert sandbox.klaviyo.requests[FROM_URL] == 0
    made = run(KlaviyoUploadImageOperator, url=REMOTE, name="logo", if_exists="use").returned
    assert made["attributes"]["name"] == "logo"


# ── what is not sent ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "give either url or path"),
        ({"url": REMOTE, "path": "logo.png"}, "give either url or path"),
        ({"url": "http://example.com/logo.png"}, "begins with https://"),
        ({"url": "/img/logo.png"}, "given as path"),
        ({"url": "https://example.com"}, "give the image a name"),
        ({"url": "https://example.com/?logo.png"}, "give the image a name"),
        ({"url": inline(PNG)}, "give the image a name"),
        ({"url": "data:text/html;base64,AAAA", "name": "A"}, "begins with data:image/png;base64,"),
        ({"url": "data:image/png,AAAA", "name": "A"}, "begins with data:image/png;base64,"),
        ({"url": "data:image/png;base64,AAA", "name": "A"}, "no base64"),
        ({"url": inline(b"RIFF....WEBP"), "name": "A"}, "none of what Klaviyo takes: jpeg, png, gif"),
        ({"url": inline(PNG.ljust(5_000_001, b"\0")), "name": "A"}, "5,000,001 bytes"),
        ({"url": REMOTE, "name": " "}, "is not empty"),
    ],
)
def test_what_cannot_be_an_image_is_not_sent(sandbox: SandboxServer, run: Run, fields: dict[str, Any], said: str) -> None:
    refused = run(KlaviyoUploadImageOperator, retries=2, **fields)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert said in refused.said
    assert not sandbox.klaviyo.requests


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (PNG.ljust(5_000_001, b"\0"), "the file has 5,000,001 bytes, and Klaviyo takes 5,000,000"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "none of what Klaviyo takes"),
        (b"<svg/>", "none of what Klaviyo takes"),
        (b"", "none of what Klaviyo takes"),
    ],
)
def test_a_file_that_klaviyo_would_refuse_is_not_sent(sandbox: SandboxServer, run: Run, logo: Path, content: bytes, said: str) -> None:
    logo.write_bytes(content)
    refused = run(KlaviyoUploadImageOperator, path=str(logo), retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert said in refused.said
    assert not sandbox.klaviyo.requests


def test_a_file_that_is_too_large_is_not_read(logo: Path) -> None:
    with logo.open("wb") as file:
        file.truncate(50_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(KlaviyoConfigError, match="50,000,000 bytes"):
            KlaviyoUploadImageOperator(task_id="it", path=str(logo)).request()
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_a_file_of_five_megabytes_is_sent(sandbox: SandboxServer, run: Run, logo: Path) -> None:
    logo.write_bytes(PNG.ljust(5_000_000, b"\0"))
    assert run(KlaviyoUploadImageOperator, path=str(logo)).returned["attributes"]["size"] == 5_000_000


def test_a_file_that_is_not_there_yet_is_looked_for_again(sandbox: SandboxServer, run: Run, tmp_path: Path) -> None:
    missing = run(KlaviyoUploadImageOperator, path=str(tmp_path / "logo.png"), retries=1)
    assert (missing.state, missing.tries) == ("failed", 2)


def test_what_klaviyo_cannot_fetch_fails_at_once(sandbox: SandboxServer, run: Run) -> None:
    refused = run(KlaviyoUploadImageOperator, url="https://example.com/logo.webp", retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert "/data/attributes/import_from_url" in refused.said
    assert run(KlaviyoUploadImageOperator, url=REMOTE).state == "success"


# ── what is sent once ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("drop", ["before", "after"])
@pytest.mark.parametrize("name", [FROM_URL, FROM_FILE])
def test_an_image_whose_upload_was_not_answered_is_uploaded_once(
    sandbox: SandboxServer, run: Run, logo: Path, name: str, drop: Any, *, hidden: bool
) -> None:
    others = {upload("logo dark"), upload("log")}
    sandbox.fail(method="POST", path=f"{name.removeprefix('POST ')}$", drop=drop)
    fields = {"url": REMOTE, "name": "logo.png"} if name == FROM_URL else {"path": str(logo), "name": "logo.png"}
    made = run(KlaviyoUploadImageOperator, **fields, hidden=hidden, retries=1)
    assert (made.state, made.tries) == ("success", 2)
    assert {each for each, called in there().items() if called == "logo.png"} == {made.returned["id"]}
    assert there().keys() - others == {made.returned["id"]}


@pytest.mark.parametrize("drop", ["before", "after"])
def test_an_image_whose_name_was_taken_is_found_by_its_size(sandbox: SandboxServer, run: Run, logo: Path, drop: Any) -> None:
    first = upload("Logo", GIF)
    sandbox.fail(method="POST", path="/api/image-upload", drop=drop)
    made = run(KlaviyoUploadImageOperator, path=str(logo), name="Logo", retries=1)
    assert (made.state, made.tries) == ("success", 2)
    assert there() == {first: "Logo", made.returned["id"]: "Logo (1)"}


def test_an_image_whose_name_was_taken_and_whose_size_is_not_known_stays_in_doubt(sandbox: SandboxServer, run: Run) -> None:
    upload("Logo")
    sandbox.fail(method="POST", path="/api/images", drop="after")
    doubt = run(KlaviyoUploadImageOperator, url=REMOTE, name="Logo", retries=5)
    assert (doubt.state, doubt.tries) == ("failed", 2)
    assert "clear this task to send it again" in doubt.said
    assert len(there()) == 2


def test_an_image_that_another_uploaded_meanwhile_is_not_taken_for_ours(sandbox: SandboxServer, logo: Path) -> None:
    store = Store()
    operator = KlaviyoUploadImageOperator(task_id="it", path=str(logo), name="Logo")
    sandbox.fail(method="POST", path="/api/image-upload", drop="before")
    with pytest.raises(KlaviyoUnanswered):
        operator.execute(context(store))
    theirs = upload("Logo dark")
    made = operator.execute(context(store))
    assert there() == {theirs: "Logo dark", made["id"]: "Logo"}


def test_two_that_could_be_ours_leave_it_in_doubt(sandbox: SandboxServer, logo: Path) -> None:
    upload("Logo")
    store = Store()
    operator = KlaviyoUploadImageOperator(task_id="it", path=str(logo), name="Logo")
    sandbox.fail(method="POST", path="/api/image-upload", drop="after")
    with pytest.raises(KlaviyoUnanswered):
        operator.execute(context(store))
    upload("Logo")
    with pytest.raises(KlaviyoInDoubt, match="since then 2 images were uploaded"):
        operator.execute(context(store))
    assert len(there()) == 3


@pytest.mark.parametrize("writes", [2, 3])
def test_what_a_killed_worker_uploaded_is_not_uploaded_again(sandbox: SandboxServer, logo: Path, writes: int) -> None:
    """The worker dies before it noted the answer, or right after that."""
    store = Store()
    operator = KlaviyoUploadImageOperator(task_id="it", path=str(logo))
    store.writes_left = writes
    with pytest.raises(Killed):
        operator.execute(context(store))
    assert sandbox.klaviyo.requests[FROM_FILE] == 1
    store.writes_left = None
    made = operator.execute(context(store))
    assert there() == {made["id"]: "logo.v2"}
    assert sandbox.klaviyo.requests[FROM_FILE] == 1
    assert made["attributes"]["size"] == len(PNG)


# ── what is there ──────────────────────────────────────────────────────────────────


def test_an_image_is_read_renamed_and_hidden(sandbox: SandboxServer, run: Run) -> None:
    first = upload("Logo")
    assert run(KlaviyoGetImageOperator, image_id=first, fields={"image": "name"}).returned["attributes"] == {"name": "Logo"}
    for fields, sent in (
        ({"hidden": "{{ True }}"}, {"name": "Logo", "hidden": True}),
        ({"name": "Old {{ 'logo' }}"}, {"name": "Old logo", "hidden": True}),
        ({"name": "Logo", "hidden": False}, {"name": "Logo", "hidden": False}),
    ):
        changed = run(KlaviyoUpdateImageOperator, image_id=first, **fields)
        assert sandbox.klaviyo.received[-1].body["data"]["attributes"] == sent
        assert {name: changed.returned["attributes"][name] for name in sent} == sent
    assert sandbox.klaviyo.requests["GET /api/images/{id}"] == 3
    refused = run(KlaviyoUpdateImageOperator, image_id=first, retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)


def test_a_change_that_was_not_answered_is_sent_again(sandbox: SandboxServer, run: Run) -> None:
    first = upload("Logo")
    sandbox.fail(method="PATCH", path="/api/images/", drop="after")
    done = run(KlaviyoUpdateImageOperator, image_id=first, hidden=True)
    assert (done.state, done.tries) == ("success", 1)
    assert done.returned["attributes"]["hidden"] is True


def test_images_are_read_across_pages_and_hidden_ones_where_they_are_asked_for(sandbox: SandboxServer, run: Run) -> None:
    seen = [upload(f"I{number:03}", PNG if number else GIF) for number in range(25)]
    hidden = upload("I999", hidden=True)
    assert [each["id"] for each in run(KlaviyoListImagesOperator, sort="name").returned] == seen
    assert [each["id"] for each in run(KlaviyoListImagesOperator, filter='equals(format,"gif")').returned] == seen[:1]
    assert [each["id"] for each in run(KlaviyoListImagesOperator, filter="equals(hidden,true)").returned] == [hidden]
    refused = run(KlaviyoListImagesOperator, filter="greater-than(size,0)", retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)


def test_an_image_that_is_not_there_fails_at_once(sandbox: SandboxServer, run: Run) -> None:
    for missing in (run(KlaviyoGetImageOperator, image_id="99", retries=2), run(KlaviyoUpdateImageOperator, image_id="99", name="A")):
        assert (missing.state, missing.tries) == ("failed", 1)
        assert "answered 404" in missing.said

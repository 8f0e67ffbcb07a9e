# SPDX-License-Identifier: Apache-2.0
"""Images of the local Klaviyo, as recorded; and flows and images as Klaviyo's official SDK reads and writes them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from klaviyo_api import KlaviyoAPI

from tests.sandbox.klaviyo_client import client, pointers

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_klaviyo.sandbox.server import SandboxServer

Json = dict[str, Any]
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
INLINE = f"data:image/png;base64,{b64encode(PNG).decode()}"


@pytest.fixture
def http(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    sandbox.klaviyo.behaviour.limits = "off"
    with client(sandbox) as made:
        yield made


def send(http: httpx.Client, attributes: Json, image_id: str | None = None) -> httpx.Response:
    """Make an image from a URL, or change one."""
    if image_id is None:
        return http.post("/api/images", json={"data": {"type": "image", "attributes": attributes}})
    return http.patch(f"/api/images/{image_id}", json={"data": {"type": "image", "id": image_id, "attributes": attributes}})


def upload(http: httpx.Client, data: Json, **files: tuple[str, bytes]) -> httpx.Response:
    """Upload a form."""
    form = httpx.Request("POST", "http://sandbox/", data=data, files=files)
    return http.post("/api/image-upload", content=form.read(), headers={"Content-Type": form.headers["content-type"]})


def test_an_image_is_shown_as_recorded(http: httpx.Client) -> None:
    made = send(http, {"name": "Logo", "import_from_url": INLINE})
    assert made.status_code == 201
    told = made.json()["data"]
    assert told.keys() == {"type", "id", "attributes", "links"}
    assert told["attributes"].keys() == {"name", "image_url", "format", "size", "hidden", "updated_at"}
    assert (told["attributes"]["format"], told["attributes"]["size"], told["attributes"]["hidden"]) == ("png", len(PNG), False)
    assert told["id"].isdecimal()
    missing = http.get("/api/images/99999999999")
    assert (missing.status_code, missing.json()["errors"][0]["detail"]) == (404, "Not found.")


def test_a_name_that_is_taken_gets_something_appended(http: httpx.Client) -> None:
    told = [send(http, {"name": "Logo", "import_from_url": INLINE}).json() for _ in range(3)]
    assert [each["data"]["attributes"]["name"] for each in told] == ["Logo", "Logo (1)", "Logo (2)"]
    assert upload(http, {}, file=("logo.png", PNG)).json()["data"]["attributes"]["name"] == "logo.png"


def test_a_change_empties_what_it_leaves_out(http: httpx.Client) -> None:
    image_id = send(http, {"name": "Logo", "import_from_url": INLINE}).json()["data"]["id"]
    for given, left in (({"hidden": True}, (None, True)), ({"name": "Logo"}, ("Logo", False))):
        told = send(http, given, image_id).json()["data"]["attributes"]
        assert (told["name"], told["hidden"]) == left


@pytest.mark.parametrize(
    ("attributes", "pointer"),
    [
        ({"name": "Logo"}, "/data/attributes/import_from_url"),
        ({"import_from_url": INLINE, "size": 1}, "/data/attributes/size"),
        ({"import_from_url": INLINE, "hidden": "true"}, "/data/attributes/hidden"),
        *(
            ({"import_from_url": url}, "/data/attributes/import_from_url")
            for url in (
                "https://example.com/logo.webp",
                "https://[",
                "ftp://example.com/a.png",
                "data:image/png;base64,AAA",
                "data:,AAAA",
                "logo.png",
            )
        ),
    ],
)
def test_what_is_no_image_is_refused(http: httpx.Client, attributes: Json, pointer: str) -> None:
    refused = send(http, attributes)
    assert (refused.status_code, pointers(refused)) == (400, [pointer])


@pytest.mark.parametrize(
    ("form", "files", "pointer"),
    [
        ({}, {"other": ("logo.png", PNG), "file": ("logo.png", PNG)}, "/data/attributes/other"),
        ({"size": "1"}, {"file": ("logo.png", PNG)}, "/data/attributes/size"),
        ({"hidden": "yes"}, {"file": ("logo.png", PNG)}, "/data/attributes/hidden"),
        ({}, {"file": ("logo.png", b"RIFF\0\0\0\0WEBP")}, "/data/attributes/file"),
    ],
)
def test_a_form_of_something_else_is_refused(http: httpx.Client, form: Json, files: Any, pointer: str) -> None:
    refused = upload(http, form, **files)
    assert (refused.status_code, pointers(refused)) == (400, [pointer])


def test_a_form_without_a_file_is_refused(http: httpx.Client) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nLogo\r\n--x--\r\n'
    refused = http.post("/api/image-upload", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert (refused.status_code, pointers(refused)) == (400, ["/data/attributes/file"])


@pytest.fixture
def sdk(sandbox: SandboxServer) -> KlaviyoAPI:
    return KlaviyoAPI("pk_sandbox", test_host=sandbox.url, max_delay=1, max_retries=1)


def test_the_sdk_uploads_and_reads_images(sdk: KlaviyoAPI, tmp_path: Path) -> None:
    path = tmp_path / "logo.png"
    path.write_bytes(PNG)
    made = sdk.Images.upload_image_from_file(str(path), name="Logo", hidden=True)
    assert (made.data.attributes.name, made.data.attributes.size, made.data.attributes.hidden) == ("Logo", len(PNG), True)
    other = sdk.Images.upload_image_from_url({"data": {"type": "image", "attributes": {"name": "Dot", "import_from_url": INLINE}}})
    assert [each.id for each in sdk.Images.get_images().data] == [other.data.id]
    assert [each.id for each in sdk.Images.get_images(filter="equals(hidden,true)").data] == [made.data.id]
    shown = {"data": {"type": "image", "id": made.data.id, "attributes": {"name": "Old", "hidden": False}}}
    assert sdk.Images.update_image(made.data.id, shown).data.attributes.name == "Old"
    assert sdk.Images.get_image(made.data.id).data.attributes.hidden is False


def test_the_sdk_reads_flows_and_turns_them_on(sdk: KlaviyoAPI, sandbox: SandboxServer) -> None:
    flow_id = sandbox.klaviyo.add_flow("Welcome")
    listed = sdk.Flows.get_flows(include=["flow-actions", "tags"], filter='equals(trigger_type,"Added to List")')
    assert [each.id for each in listed.data] == [flow_id]
    assert [each["type"] for each in listed.included] == ["flow-action"]
    changed = sdk.Flows.update_flow(flow_id, {"data": {"type": "flow", "id": flow_id, "attributes": {"status": "live"}}})
    assert changed.data.attributes.status == "live"
    read = sdk.Flows.get_flow(flow_id, additional_fields_flow=["definition"])
    assert read.data.attributes.definition.entry_action_id == read.data.attributes.definition.actions[0]["id"]

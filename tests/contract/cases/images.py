# SPDX-License-Identifier: Apache-2.0
"""Images."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from airflow_provider_klaviyo.api import images
from airflow_provider_klaviyo.api.request import File, Json
from tests.contract.kit import Case

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer
    from airflow_provider_klaviyo.session import Session

PNG = b"\x89PNG\r\n\x1a\n"
INLINE = f"data:image/png;base64,{b64encode(PNG).decode()}"
LOGO = File("logo.png", PNG)


def an_image(klaviyo: Session, sandbox: SandboxServer) -> Json:
    """Upload an image."""
    return {"image_id": klaviyo.send(images.upload_from_file(file=LOGO))["data"]["id"]}


CASES = [
    Case(images.get, "get_image", {"image_id": "7"}, an_image),
    Case(images.get, "get_image", {"image_id": "7", "fields": {"image": ["name", "image_url"]}}, an_image),
    Case(images.list_, "get_images", {}, an_image),
    Case(
        images.list_,
        "get_images",
        {
            "filter": 'starts-with(name,"l"),equals(hidden,false),any(format,["png","gif"]),greater-than(size,1)',
            "sort": "-updated_at",
            "page_size": 100,
        },
        an_image,
    ),
    Case(images.upload_from_url, "upload_image_from_url", {"url": "https://example.com/logo.png"}),
    Case(images.upload_from_url, "upload_image_from_url", {"url": INLINE, "name": "Logo", "hidden": True}),
    Case(images.upload_from_file, "upload_image_from_file", {"file": LOGO}),
    Case(images.upload_from_file, "upload_image_from_file", {"file": LOGO, "name": "Logo", "hidden": True}),
    Case(images.update, "update_image", {"image_id": "7", "name": "Logo", "hidden": True}, an_image),
]

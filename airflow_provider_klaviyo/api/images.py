# SPDX-License-Identifier: Apache-2.0
"""Images: what templates and campaigns show."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from typing import Unpack

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.jsonapi import Listing, Reading, document, given, listing, reading
from airflow_provider_klaviyo.api.request import File, Json, Request, at

MOST_BYTES = 5_000_000
FORMATS = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF87a": "gif", b"GIF89a": "gif"}
"""The formats Klaviyo takes, by how a file begins."""


def get(*, image_id: str, **query: Unpack[Reading]) -> Request[Json]:
    """
    Read an image, which is to say its name and where it lies; for the query see :class:`~airflow_provider_klaviyo.api.jsonapi.Reading`.

    https://developers.klaviyo.com/en/reference/get_image

    :param image_id: Klaviyo's id of it.
    """
    return reading(at("/api/images/{}", image_id), **query)


def list_(**query: Unpack[Listing]) -> Request[Json]:
    """
    Read images, page by page; for the query see :class:`~airflow_provider_klaviyo.api.jsonapi.Listing`.

    Hidden ones are left out unless the filter has ``equals(hidden,true)``.

    https://developers.klaviyo.com/en/reference/get_images
    """
    return listing("/api/images", **query)


def upload_from_url(*, url: str, name: str | None = None, hidden: bool = False) -> Request[Json]:
    """
    Have Klaviyo fetch an image, or send it one in the text of a ``data:`` URI.

    https://developers.klaviyo.com/en/reference/upload_image_from_url

    :param url: Where it lies, with https, or the image itself: ``data:image/png;base64,...``. A jpeg, png or gif of up to 5 MB.
    :param name: Its name in Klaviyo, which appends something where another has it; the file's name where left out.
    :param hidden: Whether the asset library leaves it out.
    :raises KlaviyoConfigError: An empty name, another kind of URL, or a ``data:`` URI whose image is too large or of another format.
    """
    _check_name(name)
    content = content_of(url)
    if content is not None:
        _check_content(content)
    elif not url.lower().startswith("https://"):
        raise KlaviyoConfigError("url begins with https:// or is a data: URI; a file of your own is given as path")
    return Request("POST", "/api/images", json=document("image", given(name=name, import_from_url=url, hidden=hidden)))


def upload_from_file(*, file: File, name: str | None = None, hidden: bool = False) -> Request[Json]:
    """
    Send Klaviyo an image.

    https://developers.klaviyo.com/en/reference/upload_image_from_file

    :param file: The image, a jpeg, png or gif of up to 5 MB. Its media type is that of its content, whatever was said.
    :param name: Its name in Klaviyo, which appends something where another has it; the file's name where left out.
    :param hidden: Whether the asset library leaves it out.
    :raises KlaviyoConfigError: An empty name, or an image that is too large or of another format.
    """
    _check_name(name)
    image = replace(file, media_type=f"image/{_check_content(file.content)}")
    form = given(name=name, hidden="true" if hidden else "false")
    return Request("POST", "/api/image-upload", form=form, files={"file": image})


def update(*, image_id: str, name: str, hidden: bool) -> Request[Json]:
    """
    Change an image's name and whether it is hidden. Klaviyo replaces both, and empties the one that is left out: so give both.

    https://developers.klaviyo.com/en/reference/update_image

    :param image_id: Klaviyo's id of it.
    :param name: Its name.
    :param hidden: Whether the asset library leaves it out.
    :raises KlaviyoConfigError: An empty name.
    """
    _check_name(name)
    body = document("image", {"name": name, "hidden": hidden}, identity=image_id)
    return Request("PATCH", at("/api/images/{}", image_id), json=body, replayable=True)


def content_of(url: str) -> bytes | None:
    """
    Return the image in a ``data:`` URI, ``None`` for any other URL.

    :raises KlaviyoConfigError: It is no image in base64.
    """
    if url[:5].lower() != "data:":
        return None
    head, _, text = url.partition(",")
    if not (head.lower().startswith("data:image/") and head.lower().endswith(";base64")):
        raise KlaviyoConfigError("a data: URI of an image begins with data:image/png;base64, or the like")
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise KlaviyoConfigError("what follows the comma of the data: URI is no base64") from None


def _check_name(name: str | None) -> None:
    if name is not None and not name.strip():
        raise KlaviyoConfigError("the name of an image is not empty")


def _check_content(content: bytes) -> str:
    """Return the format of an image that Klaviyo takes."""
    if len(content) > MOST_BYTES:
        raise KlaviyoConfigError(f"the image has {len(content):,} bytes, and Klaviyo takes {MOST_BYTES:,}: make it smaller")
    for beginning, name in FORMATS.items():
        if content.startswith(beginning):
            return name
    raise KlaviyoConfigError("the image is none of what Klaviyo takes: jpeg, png, gif")

# SPDX-License-Identifier: Apache-2.0
"""Operators for images: what templates and campaigns show."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from airflow_provider_klaviyo.api import images
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError, KlaviyoInDoubt
from airflow_provider_klaviyo.api.filters import all_of, equals, starts_with
from airflow_provider_klaviyo.api.pages import in_large_pages
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.operators.base import Journal, KlaviyoOperator, Personal
from airflow_provider_klaviyo.operators.files import open_file
from airflow_provider_klaviyo.operators.listing import GettingOperator, ListingOperator
from airflow_provider_klaviyo.operators.making import CreatingOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_klaviyo.session import Session


class KlaviyoUploadImageOperator(CreatingOperator):
    """
    Upload an image: one that Klaviyo fetches, one from a file, or one in the text of a ``data:`` URI.

    https://developers.klaviyo.com/en/reference/upload_image_from_url
    https://developers.klaviyo.com/en/reference/upload_image_from_file
    https://developers.klaviyo.com/en/reference/get_images
    In a retry: https://developers.klaviyo.com/en/reference/get_image

    :param url: Where it lies, with https, or the image itself: ``data:image/png;base64,...``. Airflow does not show it, since it may be
        signed, or long. Give either this or ``path``.
    :param path: A file, local or of an object store (``s3://aws_default@bucket/logo.png``), read when the task runs.
    :param name: Its name in Klaviyo, which appends something where another has it. Where left out, that of the file, without its suffix;
        a ``data:`` URI has none.
    :param hidden: Whether the asset library leaves it out.
    :return: The image: ``id``, ``attributes``. What to show it by is ``image_url`` among these.
    """

    noun = "images"

    url: Personal[str | None] = None
    path: str | None = None
    name: str | None = None  # type: ignore[assignment] # others cannot do without
    hidden: bool = False

    @property
    def called(self) -> str:
        """The name it is to have."""
        url = str(self.url or "")
        address = "" if url[:5].lower() == "data:" else re.sub(r"^\w+://[^/?#]*|[?#].*", "", url)
        called = self.name or PurePosixPath(self.path or unquote(address)).stem
        if not called:
            raise KlaviyoConfigError("give the image a name: its url has none")
        return called

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        if self.path:
            return images.upload_from_file(file=open_file(self.path, images.MOST_BYTES), name=self.called, hidden=self.hidden)
        return images.upload_from_url(url=str(self.url), name=self.called, hidden=self.hidden)

    def execute(self, context: Context) -> Any:
        """Upload it, or return the one that is there."""
        if bool(self.url) == bool(self.path):
            raise KlaviyoConfigError("give either url or path")
        return super().execute(context)

    def named(self, item: Json) -> bool:
        """Say whether an image has exactly the name."""
        return bool(item["attributes"]["name"] == self.called)

    def got(self, identity: str) -> Request[Json]:
        """Make the request that reads one by its id."""
        return images.get(image_id=identity)

    def namesakes(self, klaviyo: Session) -> list[Json]:
        """Return all that have the name."""
        return [each for each in self._alike(klaviyo) if self.named(each)]

    def _alike(self, klaviyo: Session) -> list[Json]:
        """Return all whose name begins like this one's: Klaviyo appends something where a name is taken, maybe before a suffix."""
        beginning = self.called.rpartition(".")[0] or self.called
        asked = (images.list_(filter=all_of(starts_with("name", beginning), equals("hidden", hidden))) for hidden in (False, True))
        return [each for request in asked for each in klaviyo.walk(in_large_pages(request))]

    def note(self, klaviyo: Session) -> Json:
        """Note those that are alike, and whether one has the very name."""
        alike = self._alike(klaviyo)
        return {"there": [each["id"] for each in alike], "taken": any(map(self.named, alike))}

    def recall(self, klaviyo: Session, request: Request[Any], journal: Journal) -> Any:
        """Look for one that was not there before: by its name or, where that was taken, by how it begins and by its size."""
        if not journal.get("taken"):
            return super().recall(klaviyo, request, journal)
        new = [each for each in self._alike(klaviyo) if each["id"] not in journal.get("there")]
        fitting = [each for each in new if each["attributes"]["size"] == _size(request)]
        if len(fitting) == 1 or not new:
            return {"data": fitting[0]} if new else None
        raise KlaviyoInDoubt(
            f"an earlier try was not answered, and since then {len(new)} images were uploaded whose names begin alike"
            f" ({', '.join(each['id'] for each in new)}): whether this is among them cannot be told. Look in Klaviyo; if it is not there,"
            " clear this task to send it again, else mark it as success."
        )


class KlaviyoGetImageOperator(GettingOperator):
    """
    Read an image, which is to say its name and where it lies.

    https://developers.klaviyo.com/en/reference/get_image

    :param image_id: Klaviyo's id of it.
    """

    image_id: str

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return images.get(image_id=self.image_id, **self.query)


class KlaviyoListImagesOperator(ListingOperator):
    """
    Read images, all pages of them. Hidden ones are left out unless the filter has ``equals(hidden,true)``.

    https://developers.klaviyo.com/en/reference/get_images

    :return: The images, each with ``id`` and ``attributes``.
    """

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return images.list_(**self.query)


class KlaviyoUpdateImageOperator(KlaviyoOperator):
    """
    Change an image's name, or whether it is hidden. What is not given is read before, because Klaviyo would empty it.

    https://developers.klaviyo.com/en/reference/update_image
    https://developers.klaviyo.com/en/reference/get_image

    :param image_id: Klaviyo's id of it.
    :param name: Its new name.
    :param hidden: Whether the asset library leaves it out.
    :return: The image: ``id``, ``attributes``.
    """

    image_id: str
    name: str | None = None
    hidden: bool | None = None

    def execute(self, context: Context) -> Any:  # noqa: ARG002
        """Change it."""
        name, hidden = self.name, self.hidden
        if name is None and hidden is None:
            raise KlaviyoConfigError("nothing to change: give a name or hidden")
        with self.hook.session() as klaviyo:
            if name is None or hidden is None:
                there = klaviyo.send(images.get(image_id=self.image_id))["data"]["attributes"]
                name, hidden = there["name"] if name is None else name, there["hidden"] if hidden is None else hidden
            return self.result(klaviyo.send(images.update(image_id=self.image_id, name=name, hidden=hidden)))


def _size(request: Request[Any]) -> int | None:
    """Return how many bytes a request uploads, ``None`` where Klaviyo fetches them."""
    if request.files:
        return len(request.files["file"].content)
    content = images.content_of((request.json or {})["data"]["attributes"]["import_from_url"])
    return None if content is None else len(content)

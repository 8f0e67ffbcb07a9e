# SPDX-License-Identifier: Apache-2.0
"""Files that a request takes along, from a disk or an object store."""

from __future__ import annotations

from mimetypes import guess_type

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.request import File


def open_file(path: str, most: int | None = None) -> File:
    """
    Read a file whole.

    :param path: A local path, or what ``ObjectStoragePath`` takes, such as ``s3://aws_default@bucket/logo.png``.
    :param most: Bytes that Klaviyo takes, where that is known: a larger file is not read.
    :return: The file under its own name; its media type is guessed by that.
    :raises OSError: It cannot be read. Another try may find it.
    :raises KlaviyoConfigError: It is too large.
    """
    from airflow.sdk import ObjectStoragePath

    place = ObjectStoragePath(path)
    if most is not None and (size := place.stat().st_size) > most:
        raise KlaviyoConfigError(f"the file has {size:,} bytes, and Klaviyo takes {most:,}: make it smaller")
    media_type, compressed = guess_type(place.name)
    return File(place.name, place.read_bytes(), "application/octet-stream" if compressed or not media_type else media_type)

# SPDX-License-Identifier: Apache-2.0
"""Files that a request takes along, from a disk or an object store."""

from __future__ import annotations

from mimetypes import guess_type

from airflow_provider_klaviyo.api.request import File


def open_file(path: str) -> File:
    """
    Read a file whole.

    :param path: A local path, or what ``ObjectStoragePath`` takes, such as ``s3://aws_default@bucket/logo.png``.
    :return: The file under its own name; its media type is guessed by that.
    :raises OSError: It cannot be read. Another try may find it.
    """
    from airflow.sdk import ObjectStoragePath

    place = ObjectStoragePath(path)
    media_type, compressed = guess_type(place.name)
    return File(place.name, place.read_bytes(), "application/octet-stream" if compressed or not media_type else media_type)

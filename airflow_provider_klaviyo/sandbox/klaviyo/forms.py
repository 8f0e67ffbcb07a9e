# SPDX-License-Identifier: Apache-2.0
"""Forms with files: ``multipart/form-data``, byte for byte."""

from __future__ import annotations

from dataclasses import dataclass, field
from email.message import Message


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """
    A file that was sent.

    :param name: Its name.
    :param media_type: What it is said to be.
    :param content: Its bytes.
    """

    name: str
    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Form:
    """
    A form that was sent.

    :param fields: The texts, by the name of their part.
    :param files: The files, by the name of their part.
    """

    fields: dict[str, str]
    files: dict[str, UploadedFile]


def read(raw: bytes, media_type: str) -> Form:
    """
    Take a form apart.

    :param raw: The body.
    :param media_type: The header ``Content-Type``, which names what stands between the parts.
    :raises ValueError: It is no form, is cut short, or has a part twice.
    """
    boundary = _message(f"content-type: {media_type}").get_boundary() or ""
    before, *parts = (b"\r\n" + raw).split(b"\r\n--" + boundary.encode("ascii"))
    if not boundary or before or not parts or parts.pop().strip() != b"--":
        raise ValueError("not a whole form")
    form = Form({}, {})
    for part in parts:
        head, blank, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        message = _message(head.decode())
        name = message.get_param("name", header="content-disposition")
        if not blank or not isinstance(name, str) or name in {*form.fields, *form.files}:
            raise ValueError("a part without a name, or twice")
        if (filename := message.get_filename()) is None:
            form.fields[name] = content.decode()
        else:
            form.files[name] = UploadedFile(filename, message.get_content_type(), content)
    return form


def _message(head: str) -> Message:
    """Read headers."""
    message = Message()
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        message[name] = value.strip()
    return message

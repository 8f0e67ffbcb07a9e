# SPDX-License-Identifier: Apache-2.0
"""``/api/images`` and ``/api/image-upload``: what templates and campaigns show. The sandbox fetches nothing: what a URL leads to goes by its end."""

from __future__ import annotations

import base64
import re
import uuid
from typing import Any
from urllib.parse import unquote

from airflow_provider_klaviyo.sandbox.klaviyo import bodies, filters, resources
from airflow_provider_klaviyo.sandbox.klaviyo.behaviour import ACCOUNT
from airflow_provider_klaviyo.sandbox.klaviyo.bodies import Strict
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Answer, Call, answers
from airflow_provider_klaviyo.sandbox.klaviyo.gate import BODY_BYTES
from airflow_provider_klaviyo.sandbox.klaviyo.problems import Problem, invalid, not_found
from airflow_provider_klaviyo.sandbox.klaviyo.resources import Kind, Resource

Json = dict[str, Any]
IMAGE = Kind("image", "images", "Image", times=("", "updated_at"))
FIRST = 100_000_000
SIGNATURES = {"png": rb"\x89PNG\r\n\x1a\n", "jpeg": rb"\xff\xd8\xff", "gif": rb"GIF8[79]a"}
ENDINGS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".gif": "gif"}
REMOTE_BYTES = 1_000
"""The size of what is not fetched."""
FLAGS = {"true": True, "false": False}


class New(Strict):
    """Attributes of an image to be fetched."""

    import_from_url: str
    name: str | None = None
    hidden: bool = False


class Change(Strict):
    """Attributes of a changed image."""

    name: str | None = None
    hidden: bool | None = None


CREATE = bodies.document("image", New)
UPDATE = bodies.document("image", Change, identified=True)


@answers("get_images")
def get_images(call: Call) -> Answer:
    """List images; as recorded, hidden ones only where the filter asks for them, and no size is compared with 0."""
    if any(term.field == "size" and filters.number(term) < 1 for term in call.query.terms):
        raise invalid("size must be compared with a positive number", parameter="filter")
    hidden = any(term.field == "hidden" and term.operator == "equals" for term in call.query.terms)
    found, following = resources.page(call, IMAGE, keep=lambda each: hidden or not each.attributes["hidden"])
    return Answer(200, call.page([resources.show(call, each) for each in found], following))


@answers("get_image")
def get_image(call: Call) -> Answer:
    """Read one image."""
    return Answer(200, call.document(resources.show(call, _load(call))))


@answers("upload_image_from_url")
def upload_image_from_url(call: Call) -> Answer:
    """Take an image from a ``data:`` URI; or from a URL, by its end, without fetching it."""
    asked = bodies.parse(call, CREATE).attributes
    scheme, _, rest = asked.import_from_url.partition(":")
    if scheme == "data":
        content = _inline(rest)
        found, size, name = _format(content), len(content), "image"
    else:
        name = unquote(re.split("[?#]", rest, maxsplit=1)[0].rpartition("/")[2])
        found, size = ENDINGS.get(name[name.rfind(".") :].lower()) if scheme in {"http", "https"} else None, REMOTE_BYTES
    if found is None or size > BODY_BYTES:
        raise invalid("Unable to fetch the URL you entered.", "/data/attributes/import_from_url")
    return _make(call, asked.name or name, found, size, hidden=asked.hidden)


@answers("upload_image_from_file")
def upload_image_from_file(call: Call) -> Answer:
    """Take an image from a form."""
    unknown = [*(call.form.keys() - {"name", "hidden"}), *(call.files.keys() - {"file"})]
    problems = [Problem(f"'{each}' is not a valid field for the resource.", f"/data/attributes/{each}") for each in unknown]
    if "file" not in call.files:
        problems.append(Problem("'file' is a required field for the resource.", "/data/attributes/file"))
    hidden = FLAGS.get(call.form.get("hidden", "false").lower())  # the official SDK writes True
    if hidden is None:
        problems.append(Problem("Expected true or false.", "/data/attributes/hidden"))
    call.refuse(problems)
    file = call.files["file"]
    found = _format(file.content)
    if found is None:
        raise invalid("The file is not an image of a supported format: jpeg, png, gif.", "/data/attributes/file")
    return _make(call, call.form.get("name") or file.name, found, len(file.content), hidden=bool(hidden))


@answers("update_image")
def update_image(call: Call) -> Answer:
    """Change an image; as recorded, what is left out is emptied."""
    found = _load(call)
    asked = bodies.parse(call, UPDATE).attributes
    changed = resources.change(call.state, found, {"name": asked.name, "hidden": bool(asked.hidden)})
    return Answer(200, call.document(resources.show(call, changed, written=True)))


def _make(call: Call, name: str, kind: str, size: int, *, hidden: bool) -> Answer:
    there = resources.every(call.state, IMAGE)
    taken = {each.attributes["name"] for each in there}
    free = next(each for each in (name, *(f"{name} ({number})" for number in range(1, len(there) + 2))) if each not in taken)
    attributes = {
        "name": free,
        "image_url": f"https://images.example.com/company/{ACCOUNT}/images/{uuid.uuid4()}.{kind}",
        "format": kind,
        "size": size,
        "hidden": hidden,
    }
    made = resources.make(call.state, IMAGE, attributes, identity=str(FIRST + len(there)))
    return Answer(201, call.document(resources.show(call, made, written=True)))


def _load(call: Call) -> Resource:
    found = resources.find(call.state, IMAGE, call.ids[0])
    if found is None:
        raise not_found("Not found.")
    return found


def _inline(text: str) -> bytes:
    """Return what a ``data:`` URI holds, nothing where it is no image in base64."""
    head, _, content = text.partition(",")
    if not re.fullmatch(r"image/[\w.+-]+;base64", head):
        return b""
    try:
        return base64.b64decode(content, validate=True)
    except ValueError:
        return b""


def _format(content: bytes) -> str | None:
    """Return what an image is by how it begins."""
    return next((kind for kind, signature in SIGNATURES.items() if re.match(signature, content)), None)

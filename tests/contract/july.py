# SPDX-License-Identifier: Apache-2.0
"""
What Klaviyo's published specification says, that of revision 2026-07-15: the newest there is.

It lies beside the clone, at ``../shared/contract``. Where it does not, there is nothing to hold a call against but the SDK.
"""

from __future__ import annotations

import gzip
import json
import os
from copy import deepcopy
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

import jsonschema  # type: ignore[import-untyped]
from jsonschema.exceptions import best_match  # type: ignore[import-untyped]
from referencing import Registry
from referencing.jsonschema import DRAFT4

from tests.contract.revisions import NULL

Json = dict[str, Any]
Reading = Literal["strict", "open", "sparse"]
"""
How a schema is read. ``strict``: names it does not know are forbidden. ``open``: they are allowed, as Klaviyo's policy has
it for answers. ``sparse``: like open, and any attribute may be missing, because the request chose among them.
"""

PATH = Path(__file__).parents[2].parent / "shared" / "contract" / "klaviyo-openapi-2026-07-15.json.gz"
DEMANDED = "KLAVIYO_CONTRACT_REQUIRED"
"""The variable of the environment that makes a run fail where the specification is not there."""
URI = "july:"
FORMATS = jsonschema.FormatChecker(formats=())
STRUCTURE = {"data", "type", "id", "links", "self", "attributes"}
"""What a resource has, whatever was chosen of its attributes."""


def available() -> bool:
    """Say whether the specification is there."""
    return PATH.exists()


def demanded() -> bool:
    """Say whether a run without it is a failure."""
    return bool(os.environ.get(DEMANDED))


def header() -> str:
    """Tell at the beginning of a run which contracts it holds calls against."""
    return "contracts: the official SDK" + (" and the specification" if available() else f" alone, for {PATH.name} is not beside the clone")


@cache
def specification() -> Json:
    """Read the specification."""
    with gzip.open(PATH) as file:
        return dict(json.load(file))


def operation(method: str, path: str) -> Json | None:
    """
    Return what the specification says of an operation, ``None`` where it does not have it.

    :param method: The HTTP method.
    :param path: The path, with a name in braces for each id.
    """
    found: Json | None = specification()["paths"].get(path, {}).get(method.lower()) if available() else None
    return found


def schema(content: Json) -> Json:
    """Return the schema of a body or of an answer, whatever its media type."""
    (found,) = content["content"].values()
    return dict(found["schema"])


def refusal(schema: Json, value: Any, reading: Reading) -> str:
    """
    Return what a schema has against a value, ``""`` for nothing.

    :param schema: One of the specification's.
    :param value: JSON.
    :param reading: How the schema is read.
    """
    error = best_match(_validator(json.dumps(schema), reading).iter_errors(value))
    return f"{error.json_path}: {error.message}" if error else ""


def _is_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


FORMATS.checks("date-time", ValueError)(_is_time)


@cache
def _validator(schema: str, reading: Reading) -> jsonschema.Draft4Validator:
    return jsonschema.Draft4Validator(_read(json.loads(schema), reading), registry=_registry(reading), format_checker=FORMATS)


@cache
def _registry(reading: Reading) -> Registry[Any]:
    components = deepcopy(specification()["components"])
    for name, members in NULL.items():
        for member in members:
            components["schemas"][name]["properties"][member]["nullable"] = True
    registry: Registry[Any] = Registry().with_resource(URI, DRAFT4.create_resource({"components": _read(components, reading)}))
    return registry


def _read(schema: Any, reading: Reading) -> Any:
    """Turn OpenAPI's schemas into JSON Schema's."""
    match schema:
        case list():
            return [_read(each, reading) for each in schema]
        case {"$ref": str(ref)}:
            made: Any = {"$ref": URI + ref}
        case dict():
            made = {key: _members(key, value, reading) for key, value in schema.items() if key not in {"nullable", "example", "default"}}
            if "oneOf" in made:
                made["anyOf"] = made.pop("oneOf")  # some differ in nothing but a field that may be left out
            if reading == "strict" and made.get("type") == "object" and "properties" in made:
                made.setdefault("additionalProperties", False)
            if reading == "sparse" and "required" in made:
                made["required"] = [each for each in made["required"] if each in STRUCTURE]
        case _:
            return schema
    return {"anyOf": [made, {"type": "null"}]} if schema.get("nullable") is True else made


def _members(key: str, value: Any, reading: Reading) -> Any:
    """Read what stands under a keyword; under ``properties`` and ``schemas`` stand names, whatever they look like."""
    if key in {"properties", "schemas"} and isinstance(value, dict):
        return {name: _read(each, reading) for name, each in value.items()}
    return value if key in {"required", "enum"} else _read(value, reading)

# SPDX-License-Identifier: Apache-2.0
"""What autodoc is told about operators."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from airflow_provider_klaviyo.operators.fields import DeclaredOperator
from docs._ext.docstrings import fields, split

MARKED = re.compile(r"Annotated\[(.+?), <Mark[^>]*>\]")
OBJECT = re.compile(r"<(?:\w+\.)*(\w+) object[^>]*>")
FIELDS_ALONE = "klaviyo_fields_alone"


def connect(app: Sphinx) -> None:
    """Have autodoc ask here."""
    app.connect("autodoc-process-docstring", _complete)
    app.connect("autodoc-process-signature", _shorten)
    app.connect("object-description-transform", _plain, priority=900)  # after autodoc has put types in


@contextmanager
def fields_alone(env: BuildEnvironment) -> Iterator[None]:
    """Leave out the prose of docstrings: the page around says what the operator does."""
    env.temp_data[FIELDS_ALONE] = True
    try:
        yield
    finally:
        del env.temp_data[FIELDS_ALONE]


def _complete(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:  # noqa: ARG001, PLR0917 - Sphinx's
    """Add what is inherited."""
    if what == "class" and issubclass(obj, DeclaredOperator):
        prose, _ = split("\n".join(lines))
        text = [] if FIELDS_ALONE in app.env.temp_data else [prose]
        lines[:] = "\n".join([*text, *fields(obj), ""]).splitlines()


def _shorten(app: Sphinx, what: str, name: str, obj: Any, options: Any, arguments: str | None, result: str | None) -> Any:  # noqa: ARG001, PLR0917 - Sphinx's
    """Write a default that is an object as the call that makes it."""
    return arguments and (OBJECT.sub(r"\1()", arguments), result)


def _plain(app: Sphinx, domain: str, objtype: str, content: nodes.Element) -> None:  # noqa: ARG001 - Sphinx's
    """Take our markers out of the types of a class's parameters, and leave out its result's type: autodoc reads it off the constructor."""
    if (domain, objtype) != ("py", "class"):
        return
    for field in list(content.findall(nodes.field)):
        name, body = field.children
        if name.astext() == "rtype":
            field.parent.remove(field)
        elif name.astext().startswith("type "):
            body[:] = [nodes.paragraph("", MARKED.sub(r"\1", body.astext()))]

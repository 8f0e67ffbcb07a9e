# SPDX-License-Identifier: Apache-2.0
"""The catalogue as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from airflow_provider_klaviyo.api.limits import Operation
from airflow_provider_klaviyo.operators.request import KlaviyoRequestOperator
from docs._ext import catalogue
from docs._ext.catalogue import CatalogueError, Entry

Row = tuple[str, ...]

FACTS = ("operation", "scopes", "limits")
"""What a section says of an operation."""


def table(style: str, head: Row, rows: Iterable[Row]) -> str:
    """Write a table in one of the styles of ``_static/klaviyo.css``."""
    lines = (f"| {' | '.join(cells)} |" for cells in (head, ("---",) * len(head), *rows))
    return "\n".join((":::{table}", f":class: {style}", "", *lines, ":::"))


def facts(name: str, given: Mapping[str, str]) -> list[Row]:
    """
    Write the operations that an operator names, their scopes and limits.

    :param name: The class's name.
    :param given: What the page says of what is no operation of Klaviyo's: all of :data:`FACTS`, or nothing.
    :raises CatalogueError: There is nothing to write, or only half of it.
    """
    rows: list[Row] = [
        (f"[{each.id}]({each.page})" + (when and f"<br>{when[0].lower()}{when[1:]}"), _scopes(each), _limits(each))
        for each, when in catalogue.links(catalogue.operator(name))
    ]
    if given:
        if missing := [each for each in FACTS if each not in given]:
            raise CatalogueError(f"{name}: the options {', '.join(FACTS)} go together; missing: {', '.join(missing)}")
        rows.append(tuple(given[each] for each in FACTS))
    if not rows:
        raise CatalogueError(f"{name}: its docstring links no operation of Klaviyo's, and the section has no option `operation`")
    return rows


def operations() -> Mapping[str, list[Row]]:
    """Write all operations by resource: name and path, scopes, limits, how to reach it."""
    return {title: [_row(each) for each in found] for title, found in catalogue.entries().items()}


def link(name: str) -> str:
    """Write a link to where an operator is explained, or its name where it is nowhere."""
    if section := next((each for each in catalogue.sections() if each.operator == name), None):
        return f"[{name}]({section.link})"
    known = catalogue.public().get(name)
    return f"{{py:class}}`{name} <{known.__module__}.{name}>`" if known else f"`{name}`"


def _row(entry: Entry) -> Row:
    known = entry.operation
    called = f"[{known.id}]({known.page})<br>{known.method} `{known.path}`"
    return called, _scopes(known), _limits(known), "<br>".join(_ways(entry))


def _scopes(known: Operation) -> str:
    return " ".join(f"`{each}`" for each in known.scopes) or "none"


def _limits(known: Operation) -> str:
    counted = ((known.burst, "s"), (known.steady, "min"), (known.daily, "day"), (known.max_page_size, "page"))
    return ", ".join(f"{count:,}/{unit}" for count, unit in counted if count)


def _ways(entry: Entry) -> list[str]:
    """Write how to reach an operation: the operators for it, else the endpoint functions, else the operator for any request."""
    if entry.functions and not entry.operators:
        return [f"{{py:func}}`{each} <airflow_provider_klaviyo.api.{each}>`" for each in entry.functions]
    return [link(each.__name__) for each in entry.operators or (KlaviyoRequestOperator,)]

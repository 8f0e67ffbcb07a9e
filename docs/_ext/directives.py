# SPDX-License-Identifier: Apache-2.0
"""The directives ``klaviyo-operator``, whose sections have one and the same order, and ``klaviyo-operations``, all of Klaviyo's operations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective, SphinxRole

from airflow_provider_klaviyo.settings import REVISION
from docs._ext import autodoc, catalogue, tables
from docs._ext.catalogue import CatalogueError
from docs._ext.tables import Row


class OperatorDirective(SphinxDirective):
    """
    Explain an operator: the body says what it does; scopes and limits, example, parameters and result follow by themselves.

    Operations are those that the class's docstring links. What calls none has the options ``operation``, ``scopes`` and ``limits``.
    """

    required_arguments = 1
    has_content = True
    option_spec: ClassVar[dict[str, Any]] = dict.fromkeys(tables.FACTS, directives.unchanged_required)

    def run(self) -> list[nodes.Node]:
        """Put the section's text together, and read it as a part of the page."""
        name = self.arguments[0]
        try:
            parts = [
                "\n".join(self.content),
                tables.table("klaviyo-facts", ("Operation", "Scopes", "Limits"), tables.facts(name, self.options)),
                self._example(name),
                self._autodoc(name),
            ]
        except CatalogueError as error:
            raise self.error(str(error)) from error
        with autodoc.fields_alone(self.env):
            return self.parse_text_to_nodes("\n\n".join(parts))

    def _example(self, name: str) -> str:
        path, marker = catalogue.example(name), catalogue.marker(name)
        source = f"/../{path.parent.name}/{path.name}"
        return f"""
```{{literalinclude}} {source}
:caption: "{{download}}`{path.name} <{source}>`"
:start-after: "[START {marker}]"
:end-before: "[END {marker}]"
:language: python
:dedent:
```
"""

    def _autodoc(self, name: str) -> str:
        return f"""
```{{eval-rst}}
.. autoclass:: {catalogue.operator(name).__module__}.{name}
   :no-index:
   :no-members:
   :no-show-inheritance:
```
"""


class OperationsDirective(SphinxDirective):
    """List all of Klaviyo's operations by resource, each with its scopes, its limits and how to reach it."""

    def run(self) -> list[nodes.Node]:
        """Make a section of each resource."""
        self.env.note_reread()
        try:
            found = tables.operations()
        except CatalogueError as error:
            raise self.error(str(error)) from error
        newest = catalogue.newest()
        told = f"{newest} operations of revision {REVISION}, and {sum(map(len, found.values())) - newest} more that browsers and apps call, under Client."
        return [*self.parse_text_to_nodes(told), *(self._section(title, rows) for title, rows in found.items())]

    def _section(self, title: str, rows: Iterable[Row]) -> nodes.section:
        section = nodes.section("", nodes.title(title, title), names=[nodes.fully_normalize_name(title)])
        self.state.document.note_implicit_target(section)
        section += self.parse_text_to_nodes(tables.table("klaviyo-operations", ("Operation", "Scopes", "Limits", "With"), rows))
        return section


class OperatorRole(SphinxRole):
    """Link the section that explains an operator."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Read the link as a part of the text."""
        found: tuple[list[nodes.Node], list[nodes.system_message]]
        found = self.inliner.parse(tables.link(self.text), self.lineno, self.inliner, self.inliner.parent)
        return found


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives and the role."""
    app.add_directive("klaviyo-operator", OperatorDirective)
    app.add_directive("klaviyo-operations", OperationsDirective)
    app.add_role("klaviyo-operator", OperatorRole())
    autodoc.connect(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

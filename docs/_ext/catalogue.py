# SPDX-License-Identifier: Apache-2.0
"""What the package has: operators, the operations they name, their examples, and the sections that explain them."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType
from typing import get_args

from airflow.sdk import BaseOperator

from airflow_provider_klaviyo import api, operators, sensors, transfers
from airflow_provider_klaviyo.api import limits
from airflow_provider_klaviyo.api.jobs import Kind
from airflow_provider_klaviyo.api.limits import Operation

DOCS = Path(__file__).parents[1]
EXAMPLES = DOCS.parent / "example_dags"

LINK = re.compile(
    r"(?:^ *([A-Z][^:\n]*): )?https://developers\.klaviyo\.com/en/reference/(\w+)(, and alike for the other kinds)?", re.MULTILINE
)
OVERVIEW = "api_overview"
"""Klaviyo's page about all operations, which is none."""
SECTION = re.compile(r"^## (.+)$|^(`{3,})\{klaviyo-operator\} (\w+)$", re.MULTILINE)

GROUPS: Mapping[str, str] = {
    "Reporting": r".+-reports",  # the first that matches; the others go by how a path begins
    "Accounts": "account",
    "Billing": "billing",
    "Brands": "brand",
    "Campaigns": "campaign",
    "Catalogs": "catalog|back-in-stock",
    "Conversations": "conversation",
    "Coupons": "coupon",
    "Custom objects": "data-source|object|source-mapping",
    "Data privacy": "data-privacy",
    "Events": "event",
    "Flows": "flow",
    "Forms": "form",
    "Images": "image",
    "Lists": "list",
    "Metrics": "metric|custom-metric|mapped-metric",
    "Profiles": "profile|push-token",
    "Reviews": "review",
    "Segments": "segment",
    "Tags": "tag",
    "Templates": "template",
    "Text messaging": "text-messaging",
    "Tracking settings": "tracking",
    "Translations": "translation",
    "Web feeds": "web-feed",
    "Webhooks": "webhook",
}
CLIENT = "Client"
NEWEST_CLIENT = "get_client_ip_allowlist"
"""The one operation of ``/client`` that counts among those of the newest revision: Klaviyo's SDK leaves the others out."""


class CatalogueError(Exception):
    """Something that the pages need is not where the convention has it."""


@dataclass(frozen=True)
class Section:
    """
    Where an operator is explained.

    :param operator: The class's name.
    :param page: The page, from ``docs/`` on.
    :param title: The heading above it.
    """

    operator: str
    page: str
    title: str

    @property
    def link(self) -> str:
        """The heading's address, as MyST takes it."""
        anchor = re.sub(r"[^\w\- ]", "", self.title.lower()).replace(" ", "-")
        return f"/{self.page}#{anchor}"


@dataclass(frozen=True)
class Entry:
    """
    One operation, and what serves it.

    :param operation: The operation.
    :param operators: The operators and sensors that name it; those it is the main one of come first.
    :param functions: The endpoint functions that name it, from ``api.`` on.
    """

    operation: Operation
    operators: tuple[type[BaseOperator], ...]
    functions: tuple[str, ...]


@cache
def public() -> Mapping[str, type[BaseOperator]]:
    """Return the operators, sensors and transfers a DAG can use, by name: those that no other of ours builds upon."""
    found = {
        each
        for package in (operators, sensors, transfers)
        for module in _modules(package)
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, BaseOperator) and each.__module__ == module.__name__
    }
    upon = {base for each in found for base in each.__mro__[1:]}
    return {each.__name__: each for each in sorted(found - upon, key=lambda each: each.__name__)}


def operator(name: str) -> type[BaseOperator]:
    """
    Return an operator or sensor by its name.

    :raises CatalogueError: There is none.
    """
    if name not in public():
        raise CatalogueError(f"no module of operators/, sensors/ or transfers/ has a class {name} that a DAG can use")
    return public()[name]


def named(thing: type | FunctionType) -> tuple[Operation, ...]:
    """Return the operations whose pages a docstring links; see :func:`links`."""
    return tuple(operation for operation, _ in links(thing))


def links(thing: type | FunctionType, *, alike: bool = True) -> tuple[tuple[Operation, str], ...]:
    """
    Return the operations whose pages a docstring links, in its order, each with when it is called: ``""`` for always.

    :param thing: An operator or an endpoint function. "In a retry: https://..." in a line of its own is called in a retry alone.
    :param alike: Whether "and alike for the other kinds" behind a link stands for the same of all jobs.
    :raises CatalogueError: A link leads to no operation.
    """
    found: dict[str, tuple[Operation, str]] = {}
    for when, name, others in LINK.findall(thing.__doc__ or ""):
        if name == OVERVIEW:
            continue
        if name not in _by_id():
            raise CatalogueError(
                f"{thing.__module__}.{thing.__qualname__} links the reference page {name}: api/limits has no such operation"
            )
        found |= {each.id: (each, when) for each in (_alike(_by_id()[name]) if alike and others else (_by_id()[name],))}
    return tuple(found.values())


def marker(name: str) -> str:
    """Return what an operator's example stands between: ``howto_operator_create_list``, ``howto_sensor_job``."""
    kind = "sensor" if name.endswith("Sensor") else "operator"
    noun = name.removeprefix("Klaviyo").removesuffix("Operator").removesuffix("Sensor")
    return f"howto_{kind}_{re.sub(r'(?<!^)(?=[A-Z])', '_', noun).lower()}"


def example(name: str) -> Path:
    """
    Return the DAG file that has an operator's example.

    :raises CatalogueError: None has it, or several.
    """
    start, end = (f"# [{word} {marker(name)}]\n" for word in ("START", "END"))
    found = [path for path in sorted(EXAMPLES.glob("*.py")) if start in (text := path.read_text(encoding="utf-8")) and end in text]
    if len(found) != 1:
        raise CatalogueError(f"{name} has {len(found)} examples: one file of example_dags/ holds {start.strip()} and {end.strip()}")
    return found[0]


@cache
def sections() -> tuple[Section, ...]:
    """Read the pages, and return the sections that have an operator."""
    found = []
    for path in (*sorted(DOCS.glob("operators/*.md")), DOCS / "sensors.md"):
        title = ""
        for heading, _, name in SECTION.findall(path.read_text(encoding="utf-8")):
            title = heading or title
            if name:
                found.append(Section(name, path.relative_to(DOCS).as_posix(), title))
    return tuple(found)


def entries() -> Mapping[str, list[Entry]]:
    """Return all of Klaviyo's operations by the resource they are about, and those for browsers and apps last."""
    ours = [(each, tuple(operation for operation, when in links(each) if not when)) for each in public().values()]
    functions = [(name, named(each)) for name, each in _functions().items()]
    groups: dict[str, list[Entry]] = {name: [] for name in (*sorted(GROUPS), CLIENT)}
    for operation in sorted(limits.OPERATIONS, key=lambda each: (each.path, each.method)):
        naming = sorted((names.index(operation), each.__name__, each) for each, names in ours if operation in names)
        calling = tuple(name for name, names in functions if operation in names)
        groups[group(operation)].append(Entry(operation, tuple(each for *_, each in naming), calling))
    return groups


def newest() -> int:
    """Count the operations of the newest revision."""
    return sum(not each.client or each.id == NEWEST_CLIENT for each in limits.OPERATIONS)


def group(operation: Operation) -> str:
    """
    Return the resource an operation is about.

    :raises CatalogueError: :data:`GROUPS` has none for its path.
    """
    if operation.client:
        return CLIENT
    noun = operation.path.split("/")[2]
    for name, beginning in GROUPS.items():
        if re.match(beginning, noun):
            return name
    raise CatalogueError(f"docs/_ext/catalogue.py: GROUPS has no place for {operation.path}")


def _functions() -> Mapping[str, FunctionType]:
    """Return the endpoint functions by the name a DAG calls them by: ``lists.create``."""
    return {
        f"{module.__name__.rpartition('.')[2]}.{name}": each
        for module in _modules(api)
        for name, each in vars(module).items()
        if isinstance(each, FunctionType) and each.__module__ == module.__name__ and not name.startswith("_")
    }


def _modules(package: ModuleType) -> list[ModuleType]:
    return [import_module(each.name) for each in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")]


@cache
def _by_id() -> Mapping[str, Operation]:
    return {each.id: each for each in limits.OPERATIONS}


def _alike(operation: Operation) -> Iterator[Operation]:
    """Return the same operation of all kinds of jobs, as far as Klaviyo has it."""
    for kind in get_args(Kind):
        if found := limits.find(operation.method, operation.path.replace("profile-bulk-import", kind)):
            yield found

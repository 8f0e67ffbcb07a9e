# SPDX-License-Identifier: Apache-2.0
"""
The table of calls that the contract suite makes: one file a resource in ``tests/contract/cases``.

Each file is named after the module in ``api`` and has a list ``CASES``. Nothing else is to be done for a new endpoint function:
the files are found by themselves, and a test fails for a function that no case calls. Models are not named, they are the
SDK's. A file may look like this::

    def a_list(klaviyo: Session, sandbox: SandboxServer) -> Json:
        return {"list_id": klaviyo.send(lists.create(name="VIP"))["data"]["id"]}


    CASES = [
        Case(lists.create, "create_list", {"name": "VIP"}),
        Case(lists.get, "get_list", {"list_id": "L1"}, a_list),
    ]

Give a function a case with every argument it has, and a case without what it does not need. One of its cases, at least, leaves
``fields`` out: an answer that was chosen among cannot be held against a model. A kind of job has its cases (``jobs.get``, ``jobs.list_``)
with the resource whose job it is. What 2026-10-15 changed has an entry in :mod:`tests.contract.revisions`.
"""

from __future__ import annotations

import gzip
import json
import pkgutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_klaviyo.api.request import Json, Request

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer
    from airflow_provider_klaviyo.session import Session

    Before = Callable[[Session, SandboxServer], Mapping[str, Any]]


@dataclass(frozen=True)
class Case:
    """
    A call of an endpoint function.

    :param function: The function.
    :param operation: Klaviyo's name of the operation it is.
    :param arguments: What it is called with. Ids may be made up where ``before`` gives real ones.
    :param before: Makes what the call needs in an empty local Klaviyo, with requests or by the sandbox's own means, and returns
        values for arguments of these names; what it returns beside them is not used, so that several cases may share it.
    """

    function: Callable[..., Request[Any]]
    operation: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    before: Before | None = None

    @property
    def request(self) -> Request[Any]:
        """The request that the function makes."""
        return self.function(**self.arguments)

    def prepared(self, klaviyo: Session, sandbox: SandboxServer) -> Case:
        """Return the case with what it needs in place."""
        found = self.before(klaviyo, sandbox) if self.before else {}
        return replace(self, arguments={name: found.get(name, value) for name, value in self.arguments.items()})

    @property
    def name(self) -> str:
        """The function's name, with its module's."""
        return f"{self.function.__module__.rpartition('.')[2]}.{self.function.__name__}"


@cache
def cases() -> list[Case]:
    """Return the cases of all resources."""
    return list(_cases())


def _cases() -> Iterator[Case]:
    from tests.contract import cases as folder

    for found in pkgutil.iter_modules(folder.__path__):
        yield from import_module(f"{folder.__name__}.{found.name}").CASES


def each_case() -> pytest.MarkDecorator:
    """Return the mark that runs a test for each case; the cases of a function are numbered."""
    counted: Counter[str] = Counter()
    parameters = []
    for case in cases():
        counted[case.name] += 1
        parameters.append(pytest.param(case, id=f"{case.name}-{counted[case.name]}"))
    return pytest.mark.parametrize("case", parameters)


def body_of(request: Request[Any]) -> Json | None:
    """Return the JSON that a request sends, ``None`` for none."""
    if request.body is not None:
        return dict(json.loads(gzip.decompress(request.body)))
    return None if request.json is None else dict(json.loads(json.dumps(request.json)))

# SPDX-License-Identifier: Apache-2.0
"""Every endpoint function is the operation it says it is, sends what Klaviyo's contracts take, and is answered as they say."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from inspect import getdoc, getmembers, isfunction, signature
from typing import TYPE_CHECKING, Any, get_args

import pytest

from airflow_provider_klaviyo import api
from airflow_provider_klaviyo.api import jobs, limits, profiles
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.request import Request
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from tests.contract.agreement import Contract, agree, form_of, sparse
from tests.contract.kit import Case, body_of, cases, each_case

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

PAGE = re.compile(r"https://developers\.klaviyo\.com/en/reference/(\w+)")


def endpoint_functions() -> Iterator[Callable[..., Any]]:
    """Yield every public function of the API that makes a request, but for those that make one of any path or of another request."""
    for found in pkgutil.iter_modules(api.__path__):
        module = import_module(f"{api.__name__}.{found.name}")
        for name, function in getmembers(module, isfunction):
            made = signature(function)
            if (
                function.__module__ == module.__name__
                and not name.startswith("_")
                and str(made.return_annotation).startswith("Request[")
                and not made.parameters.keys() & {"path", "request"}
            ):
                yield function


def test_every_endpoint_function_is_in_the_table() -> None:
    assert set(endpoint_functions()) == {case.function for case in cases()}


@pytest.mark.parametrize("function", [*endpoint_functions()], ids=lambda each: f"{each.__module__.rpartition('.')[2]}.{each.__name__}")
def test_a_function_names_the_page_of_its_operation_and_has_a_case_that_is_judged_in_full(function: Callable[..., Any]) -> None:
    own = [case for case in cases() if case.function is function]
    named = set(PAGE.findall(getdoc(function) or ""))
    assert named
    assert named <= {case.operation for case in own}
    assert any(not sparse(case.request.params) for case in own)


def test_every_kind_of_job_that_klaviyo_shows_is_known() -> None:
    shown = {
        operation.path.split("/")[2].removesuffix("-jobs")
        for operation in limits.OPERATIONS
        if operation.method == "GET" and operation.path.count("/") == 3 and operation.path.split("/")[2].endswith("-jobs")
    }
    assert shown == set(get_args(jobs.Kind))


def test_every_kind_of_job_has_its_cases() -> None:
    """One to read a job, and where Klaviyo lists them one to list them."""
    called = {(case.function, case.arguments.get("kind")) for case in cases()}
    assert {kind for kind in get_args(jobs.Kind) if (jobs.get, kind) not in called} == set()
    listed = [kind for kind in get_args(jobs.Kind) if limits.find("GET", f"/api/{kind}-jobs")]
    assert {kind for kind in listed if (jobs.list_, kind) not in called} == set()


@each_case()
def test_a_request_is_the_operation_it_says_and_what_the_contracts_take(case: Case) -> None:
    contract = Contract.of(case.request.method, case.request.path)
    assert contract.id == case.operation
    contract.check_query(case.request.params)
    contract.check_body(body_of(case.request), form_of(case.request.form, case.request.files))


@each_case()
def test_the_sandbox_takes_a_request_and_answers_as_the_contracts_say(sandbox: SandboxServer, case: Case) -> None:
    with KlaviyoHook().session() as klaviyo:
        request = case.prepared(klaviyo, sandbox).request
        klaviyo.send(request)
    operation = limits.find(request.method, request.path)
    assert operation is not None
    assert sandbox.klaviyo.received[-1].name == f"{operation.method} {operation.path}"
    agree(sandbox.klaviyo.received)


@each_case()
def test_no_argument_is_lost(case: Case) -> None:
    """Without any one of them, or of what stands within, it is another request or none at all."""
    sent = on_the_wire(case.request)
    for place, arguments in without_one(case.arguments):
        if len(place) == 1 and needed(case.function, place[0]):
            continue
        try:
            fewer = replace(case, arguments=arguments).request
        except KlaviyoConfigError:
            continue
        assert on_the_wire(fewer) != sent, place


@pytest.mark.parametrize("function", [*endpoint_functions()], ids=lambda each: f"{each.__module__.rpartition('.')[2]}.{each.__name__}")
def test_every_argument_is_in_a_case(function: Callable[..., Any]) -> None:
    given = {name for case in cases() if case.function is function for name in case.arguments}
    assert {name for name, each in signature(function).parameters.items() if each.kind is not each.VAR_KEYWORD} - given == set()


def test_a_merge_tells_who_stays_from_who_goes() -> None:
    body = body_of(profiles.merge(destination_id="01STAYS", source_id="01GOES"))
    assert body is not None
    assert body["data"]["id"] == "01STAYS"
    assert body["data"]["relationships"]["profiles"]["data"] == [{"type": "profile", "id": "01GOES"}]


def without_one(value: Any) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield a value without each of what stands in its mappings, and where that stood."""
    match value:
        case Mapping():
            for name, each in value.items():
                yield (name,), {other: kept for other, kept in value.items() if other != name}
                yield from (((name, *place), {**value, name: fewer}) for place, fewer in without_one(each))
        case list() | tuple():
            for index, each in enumerate(value):
                yield from (((index, *place), [*value[:index], fewer, *value[index + 1 :]]) for place, fewer in without_one(each))


def needed(function: Callable[..., Any], name: str) -> bool:
    """Say whether an argument has no default."""
    known = signature(function).parameters.get(name)
    return known is not None and known.default is known.empty


def on_the_wire(request: Request[Any]) -> tuple[Any, ...]:
    """Return what of a request reaches Klaviyo."""
    return request.method, request.path, request.params, body_of(request), request.form, request.files, request.headers

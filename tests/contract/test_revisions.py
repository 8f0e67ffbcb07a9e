# SPDX-License-Identifier: Apache-2.0
"""The two contracts: both are read in full, and where they differ they really do."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pytest

from airflow_provider_klaviyo.api import limits
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from tests.contract import july, sdk
from tests.contract.agreement import Contract, answer_refusal, body_refusal, query_refusal, sparse
from tests.contract.kit import body_of, cases
from tests.contract.revisions import ADDED, ANSWERED, CHANGED, NULL, Part

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

NEWEST = july.PATH.with_name("klaviyo-operations-2026-10-15.csv")


def test_every_operation_stands_in_the_sdk_or_in_the_specification(specification: july.Json) -> None:
    found = [Contract.of(each.method, each.path) for each in limits.OPERATIONS]
    assert [each.id for each in found if not each.newest and not each.specified] == []
    assert {each.id for each in found if each.newest} == {*sdk.operations()}


def test_the_sdk_is_read_as_its_table_has_it(specification: july.Json) -> None:
    with NEWEST.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        read = sdk.operations()[row["operationId"]]
        assert (read.method, read.path, int(row["success"]) in read.answers) == (row["method"], row["path"], True)
        assert row["request_model"] in {"", read.body}
        assert row["response_model"] in {"", "None", *read.answers.values()}


@pytest.mark.parametrize(("operation", "part"), [(name, part) for name, change in CHANGED.items() for part in sorted(change.parts)])
def test_a_change_is_one(sandbox: SandboxServer, specification: july.Json, operation: str, part: Part) -> None:
    """Something that we send, or are answered, is refused by the specification."""
    assert any(_refusals(sandbox, operation, part))


def _refusals(sandbox: SandboxServer, operation: str, part: Part) -> list[str]:
    found = []
    for case in cases():
        if case.operation == operation:
            sandbox.reset()
            with KlaviyoHook().session() as klaviyo:
                klaviyo.send(case.prepared(klaviyo, sandbox).request)
            exchange = sandbox.klaviyo.received[-1]
            specified = Contract.of(case.request.method, case.request.path).specified
            assert specified is not None, f"{operation} is new: nothing of it has changed"
            found.append(
                {
                    "query": query_refusal(specified, exchange.query),
                    "body": body_refusal(specified, exchange.body),
                    "answer": answer_refusal(specified, exchange.status, exchange.answer, sparse=sparse(exchange.query)),
                }[part]
            )
    return found


@pytest.mark.parametrize(("operation", "status"), ANSWERED.items())
def test_a_status_of_klaviyos_own_is_in_neither_contract(specification: july.Json, operation: str, status: int) -> None:
    newest = sdk.operations()[operation]
    specified = july.operation(newest.method, newest.path)
    assert status not in newest.answers
    assert specified is None or str(status) not in specified["responses"]


@pytest.mark.parametrize(("schema", "member"), [(name, member) for name, members in NULL.items() for member in sorted(members)])
def test_the_specification_knows_nothing_of_a_null(specification: july.Json, schema: str, member: str) -> None:
    assert "nullable" not in specification["components"]["schemas"][schema]["properties"][member]


@pytest.mark.parametrize("name", ADDED)
def test_the_sdk_adds_a_default_to_a_body_of_ours(name: str) -> None:
    """It stands in more of the SDK's bodies than in ours."""
    word = json.dumps({name: ADDED[name]})[1:-1]
    bodies = [(Contract.of(case.request.method, case.request.path).newest, body_of(case.request)) for case in cases()]
    theirs = [sdk.parsed(newest.body, body).to_dict() for newest, body in bodies if newest and newest.body]
    assert sum(word in json.dumps(each, default=str) for each in theirs) > sum(word in json.dumps(body) for _, body in bodies)

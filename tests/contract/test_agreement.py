# SPDX-License-Identifier: Apache-2.0
"""The suite can fail: exchanges that are wrong in one point, each seen by the contracts that can see it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_klaviyo.api import accounts, events, lists, profiles
from airflow_provider_klaviyo.api.errors import KlaviyoApiError
from airflow_provider_klaviyo.api.request import Json
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from tests.contract.agreement import Contract, agree

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.klaviyo.received import Received
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

    Change = Callable[[Json], object]


@pytest.fixture
def made(sandbox: SandboxServer) -> Received:
    """Make a list, and return the exchange."""
    with KlaviyoHook().session() as klaviyo:
        klaviyo.send(lists.create(name="VIP", opt_in_process="single_opt_in"))
    return sandbox.klaviyo.received[-1]


@pytest.fixture
def read(made: Received, sandbox: SandboxServer) -> Received:
    """Read the list, and return the exchange."""
    with KlaviyoHook().session() as klaviyo:
        klaviyo.send(lists.get(list_id=made.answer["data"]["id"]))
    return sandbox.klaviyo.received[-1]


def asked(exchange: Received, change: Change) -> Received:
    """Return an exchange whose body is another."""
    body = exchange.body
    change(body)
    return replace(exchange, raw=json.dumps(body).encode())


def answered(exchange: Received, change: Change) -> Received:
    """Return an exchange whose answer is another."""
    answer = exchange.answer
    change(answer)
    return replace(exchange, answered=json.dumps(answer).encode())


def attributes(**given: Any) -> Change:
    """Return what sets attributes."""
    return lambda document: document["data"]["attributes"].update(given)


def without(*path: str | int) -> Change:
    """Return what takes a key away."""

    def take(document: Any) -> None:
        *above, last = path
        for key in above:
            document = document[key]
        del document[last]

    return take


def test_an_exchange_as_it_should_be_agrees(made: Received, read: Received) -> None:
    agree([made, read])


def test_of_a_refusal_the_answer_is_judged_and_not_the_request(sandbox: SandboxServer, made: Received) -> None:
    with KlaviyoHook().session() as klaviyo, pytest.raises(KlaviyoApiError):
        klaviyo.send(lists.get(list_id="NOPE01"))
    refused = asked(replace(made, status=404, answered=sandbox.klaviyo.received[-1].answered), attributes(unheard_of=1))
    agree([refused])
    with pytest.raises(AssertionError, match="title"):
        agree([answered(refused, without("errors", 0, "title"))])


BODIES = [
    (attributes(unheard_of=1), "unheard_of"),
    (attributes(opt_in_process="triple_opt_in"), "opt_in_process"),
    (attributes(name=1), "name"),
    (without("data", "attributes", "name"), "name"),
    (without("data", "type"), "type"),
]


@pytest.mark.parametrize(("change", "named"), BODIES, ids=range(len(BODIES)))
def test_the_sdk_sees_a_wrong_body(made: Received, change: Change, named: str) -> None:
    contract = replace(Contract.of("POST", "/api/lists"), specified=None)
    contract.check_body(made.body)
    with pytest.raises(AssertionError, match=named):
        contract.check_body(asked(made, change).body)


@pytest.mark.parametrize(("change", "named"), BODIES, ids=range(len(BODIES)))
def test_the_specification_sees_a_wrong_body(specification: Json, made: Received, change: Change, named: str) -> None:
    contract = replace(Contract.of("POST", "/api/lists"), newest=None)
    contract.check_body(made.body)
    with pytest.raises(AssertionError, match=named):
        contract.check_body(asked(made, change).body)


ANSWERS = [
    (without("data", "links"), "links"),
    (without("data", "links", "self"), "self"),
    (without("data", "relationships", "tags", "links", "self"), "self"),
    (attributes(opt_in_process="triple_opt_in"), "opt_in_process"),
    (attributes(created="yesterday"), "created"),
    (without("data"), "data"),
]


@pytest.mark.parametrize(("change", "named"), ANSWERS, ids=range(len(ANSWERS)))
def test_the_sdk_sees_a_wrong_answer(read: Received, change: Change, named: str) -> None:
    contract = replace(Contract.of("GET", read.path), specified=None)
    contract.check_answer(200, read.answer, sparse=False)
    with pytest.raises(AssertionError, match=named):
        contract.check_answer(200, answered(read, change).answer, sparse=False)


@pytest.mark.parametrize(("change", "named"), ANSWERS, ids=range(len(ANSWERS)))
def test_the_specification_sees_a_wrong_answer(specification: Json, read: Received, change: Change, named: str) -> None:
    contract = replace(Contract.of("GET", read.path), newest=None)
    contract.check_answer(200, read.answer, sparse=False)
    with pytest.raises(AssertionError, match=named):
        contract.check_answer(200, answered(read, change).answer, sparse=False)


@pytest.mark.parametrize(("change", "named"), ANSWERS, ids=range(len(ANSWERS)))
def test_the_sdk_sees_a_wrong_value_in_an_answer_of_chosen_fields(read: Received, change: Change, named: str) -> None:
    contract = replace(Contract.of("GET", read.path), specified=None)
    fewer = answered(read, without("data", "attributes", "updated"))
    contract.check_answer(200, fewer.answer, sparse=True)
    with pytest.raises(AssertionError, match=named):
        contract.check_answer(200, answered(fewer, change).answer, sparse=True)


def test_an_answer_may_have_names_that_no_contract_knows(read: Received) -> None:
    agree([answered(read, attributes(unheard_of=1))])


def test_an_answer_that_was_chosen_may_lack_attributes_but_no_links(specification: Json, sandbox: SandboxServer) -> None:
    with KlaviyoHook().session() as klaviyo:
        klaviyo.send(accounts.list_())
    exchange = sandbox.klaviyo.received[-1]
    agree([exchange])
    exchange = answered(exchange, without("data", 0, "attributes", "timezone"))
    with pytest.raises(AssertionError, match="timezone"):
        agree([exchange])
    chosen = replace(exchange, query={"fields[account]": "locale"})
    agree([chosen])
    with pytest.raises(AssertionError, match="links"):
        agree([answered(chosen, without("data", 0, "links"))])


def test_what_an_answer_includes_is_as_it_would_be_alone(sandbox: SandboxServer) -> None:
    with KlaviyoHook().session() as klaviyo:
        klaviyo.send(events.create(metric="Placed Order", profile={"email": "sarah@example.com"}))
        klaviyo.send(events.list_(include="metric"))
    exchange = sandbox.klaviyo.received[-1]
    agree([exchange])
    with pytest.raises(AssertionError, match="GetMetricResponse"):
        agree([answered(exchange, without("included", 0, "links"))])


def test_an_empty_answer_is_empty(sandbox: SandboxServer, made: Received) -> None:
    with KlaviyoHook().session() as klaviyo:
        person = klaviyo.send(profiles.create(profile={"email": "sarah@example.com"}))["data"]["id"]
        klaviyo.send(lists.add_profiles(list_id=made.answer["data"]["id"], profile_ids=[person]))
    exchange = sandbox.klaviyo.received[-1]
    agree([exchange])
    with pytest.raises(AssertionError, match="the SDK's answer is None"):
        agree([replace(exchange, answered=b"{}")])
    with pytest.raises(AssertionError, match="PostListCreateResponse"):
        agree([replace(made, answered=b"")])


def test_a_status_is_one_of_the_contracts(made: Received) -> None:
    with pytest.raises(AssertionError, match="201"):
        agree([replace(made, status=200)])


def test_an_operation_that_klaviyo_does_not_have_is_refused(made: Received) -> None:
    with pytest.raises(AssertionError, match="no POST /api/wishes"):
        agree([replace(made, name="POST /api/wishes", path="/api/wishes")])


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"unheard_of": "1"}, "unheard_of"),
        ({"filter": 'equals(colour,"red")'}, "colour"),
        ({"filter": 'contains(name,"equals(id,1)")'}, r"contains\(name\)"),
    ],
)
def test_a_wrong_query_is_seen_without_the_specification(query: dict[str, str], named: str) -> None:
    with pytest.raises(AssertionError, match=named):
        replace(Contract.of("GET", "/api/lists"), specified=None).check_query(query)


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"unheard_of": "1"}, "unheard_of"),
        ({"include": "tags,friends"}, "friends"),
        ({"fields[list]": "name,colour"}, "colour"),
        ({"sort": "colour"}, "colour"),
        ({"page[size]": "11"}, "maximum"),
    ],
)
def test_the_specification_sees_a_wrong_query(specification: Json, query: dict[str, str], named: str) -> None:
    contract = replace(Contract.of("GET", "/api/lists"), newest=None)
    contract.check_query({"include": "tags,flow-triggers", "sort": "-created", "page[size]": 10})
    with pytest.raises(AssertionError, match=named):
        contract.check_query(query)


def test_a_query_that_is_needed_is_missed(specification: Json) -> None:
    contract = Contract.of("POST", "/client/events")
    contract.check_query({"company_id": "SandBx"})
    with pytest.raises(AssertionError, match="company_id"):
        contract.check_query({})


@pytest.mark.parametrize("form", [{"unheard_of": "1", "file": ""}, {"name": "logo"}, {"file": "", "hidden": "perhaps"}, {}])
def test_the_specification_sees_a_wrong_form(specification: Json, form: dict[str, str]) -> None:
    contract = Contract.of("POST", "/api/image-upload")
    contract.check_body(None, {"file": "", "name": "logo", "hidden": False})
    with pytest.raises(AssertionError, match="upload_image_from_file"):
        contract.check_body(None, form)

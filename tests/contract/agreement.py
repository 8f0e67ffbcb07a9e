# SPDX-License-Identifier: Apache-2.0
"""
Hold what was sent and what was answered against Klaviyo's contracts.

Two contracts: the official SDK's models (revision 2026-10-15), and the published specification (2026-07-15) for what it has
and what has not changed since (:mod:`tests.contract.revisions`).

The SDK's models refuse wrong types, unknown enums and missing links, but drop names they do not know in silence, and add
defaults: bodies are compared with what became of them, both ways. In answers unknown names are allowed, as Klaviyo's policy is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from airflow_provider_klaviyo.api import limits
from tests.contract import july, sdk
from tests.contract.revisions import ADDED, ANSWERED, CHANGED, Part

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.klaviyo.received import Received

Query = Mapping[str, str | int]
Form = Mapping[str, Any]
REFUSAL = "GetAccounts4XXResponse"
"""The SDK's model of all refusals."""
WORDS = {"true": True, "false": False}
CONDITION = re.compile(r"([a-z-]+)\(([\w.\[\]-]+)[,)]")
QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


def agree(received: Iterable[Received]) -> None:
    """
    Hold every exchange against both contracts: all of one that went well, and of a refusal the answer.

    :param received: What the local Klaviyo received and answered.
    :raises AssertionError: Something in one is not as a contract says.
    """
    for each in received:
        if each.status >= HTTPStatus.BAD_REQUEST:
            sdk.parsed(REFUSAL, each.answer)
            continue
        method, _, _ = each.name.partition(" ")
        contract = Contract.of(method, each.path)
        contract.check_query(each.query)
        form = each.form
        contract.check_body(each.body, form_of(form.fields, form.files) if form else None)
        contract.check_answer(each.status, each.answer, sparse=sparse(each.query))


def form_of(texts: Mapping[str, str] | None, files: Iterable[str] | None) -> Form | None:
    """
    Return a form as the contracts speak of it, ``None`` where there is none.

    :param texts: Its texts by the name of their part.
    :param files: The names of its files' parts.
    """
    form = {name: WORDS.get(text, text) for name, text in (texts or {}).items()} | dict.fromkeys(files or (), "")
    return form or None


def sparse(query: Query) -> bool:
    """Say whether a query chooses among the fields, so that any may be missing in the answer."""
    return any(name.startswith("fields[") for name in query)


@dataclass(frozen=True)
class Contract:
    """
    What both contracts say of an operation.

    :param id: Klaviyo's name of it.
    :param newest: What the SDK says, ``None`` where it does not have it.
    :param specified: What the specification says, ``None`` where it does not have it.
    """

    id: str
    newest: sdk.Operation | None
    specified: july.Json | None

    @classmethod
    def of(cls, method: str, path: str) -> Contract:
        """
        Find the operation that a request is one of.

        :param method: The HTTP method.
        :param path: A path with ids in it.
        :raises AssertionError: Klaviyo has no such operation.
        """
        known = limits.find(method, path)
        assert known is not None, f"Klaviyo has no {method} {path}"
        newest = sdk.operations().get(known.id)
        assert newest is None or (newest.method, newest.path) == (known.method, known.path)
        return cls(known.id, newest, july.operation(known.method, known.path))

    def held(self, part: Part) -> july.Json | None:
        """Return the specification, where it still holds for a part of the operation."""
        changed = CHANGED.get(self.id)
        return None if changed and part in changed.parts else self.specified

    def check_query(self, query: Query) -> None:
        """Check the names in a query, its words, and what it filters and sorts by."""
        if self.newest:
            assert not query.keys() - self.newest.params, f"{self.id}: the SDK's query has no {query.keys() - self.newest.params}"
        if specified := self.held("query"):
            problem = query_refusal(specified, query)
            assert not problem, f"{self.id}: {problem}"
        self._check_filter(str(query.get("filter", "")))

    def _check_filter(self, condition: str) -> None:
        known = next(each for each in limits.OPERATIONS if each.id == self.id).filters
        for operator, field in CONDITION.findall(QUOTED.sub('""', condition)):
            assert operator in known.get(field, ()), f"{self.id} does not filter by {operator}({field})"

    def check_body(self, body: Any, form: Form | None = None) -> None:
        """
        Check a body: the SDK keeps all of it and adds nothing but defaults, the specification knows every name.

        :param body: The JSON, ``None`` where there is none.
        :param form: The form in its place: texts by the name of their part, that of a file's content being of no interest.
        """
        if self.newest:
            assert (form or {}).keys() <= self.newest.form, f"{self.id}: the SDK's form has {[*self.newest.form]}"
            assert (body is None) == (self.newest.body is None), f"{self.id}: the SDK's body is {self.newest.body}"
        if self.newest and self.newest.body:
            same(body, sdk.parsed(self.newest.body, body).to_dict())
        if specified := self.held("body"):
            problem = body_refusal(specified, body if form is None else form)
            assert not problem, f"{self.id}: the specification refuses the body at {problem}"

    def check_answer(self, status: int, answer: Any, *, sparse: bool) -> None:
        """
        Check an answer: the SDK's model parses it, and the specification has it.

        :param status: The HTTP status.
        :param answer: The JSON, ``None`` for an empty answer.
        :param sparse: Whether attributes may be missing.
        """
        if self.newest:
            model = self._model(status)
            assert (answer is None) == (model is None), f"{self.id}: the SDK's answer is {model}"
            if model:
                check = sdk.sparse if sparse else sdk.parsed
                check(model, answer)
                check_included(answer.get("included") or [], check)
        if specified := self.held("answer"):
            problem = answer_refusal(specified, status, answer, sparse=sparse)
            assert not problem, f"{self.id}: the specification refuses the answer at {problem}"

    def _model(self, status: int) -> str | None:
        assert self.newest is not None
        if ANSWERED.get(self.id) == status:
            (model,) = self.newest.answers.values()
            return model
        assert status in self.newest.answers, f"{self.id} answers {[*self.newest.answers]}, not {status}"
        return self.newest.answers[status]


def check_included(resources: Iterable[july.Json], check: Callable[[str, Any], object] = sdk.parsed) -> None:
    """Check resources that an answer includes, which the SDK does not parse: each is as reading it alone would give it."""
    for each in resources:
        if alone := sdk.reading(each["type"]):
            check(str(alone.answers[HTTPStatus.OK]), {"data": each})


def query_refusal(specified: july.Json, query: Query) -> str:
    """Return what the specification has against a query, ``""`` for nothing."""
    known = {each["name"]: each for each in specified["parameters"] if each["in"] == "query"}
    for name, value in query.items():
        if name not in known:
            return f"the specification's query has no {name}"
        schema = known[name]["schema"]
        read: Any = value
        match schema.get("type"):
            case "array":
                read = str(value).split(",")
            case "integer":
                read = int(value)
            case "boolean":
                read = value == "true"
        if problem := july.refusal(schema, read, "strict"):
            return f"the specification refuses {name}: {problem}"
    missing = [name for name, each in known.items() if each.get("required") and name not in query]
    return f"the specification's query needs {', '.join(missing)}" if missing else ""


def body_refusal(specified: july.Json, body: Any) -> str:
    """Return what the specification has against a body, ``""`` for nothing."""
    if "requestBody" not in specified:
        return "" if body is None else "it takes none"
    return july.refusal(july.schema(specified["requestBody"]), body, "strict")


def answer_refusal(specified: july.Json, status: int, answer: Any, *, sparse: bool) -> str:
    """Return what the specification has against an answer, ``""`` for nothing."""
    answers = {int(each): content for each, content in specified["responses"].items() if each.startswith("2")}
    told = answers.get(status) or next(iter(answers.values()))  # a status of Klaviyo's own: see ``ANSWERED``
    if "content" not in told:
        return "" if answer is None else "it is empty"
    return july.refusal(july.schema(told), answer, "sparse" if sparse else "open")


def same(ours: Any, theirs: Any, path: str = "") -> None:
    """
    Compare a body with what the SDK made of it: it adds nothing but defaults, and writes times its own way.

    :param ours: What we send.
    :param theirs: What the SDK would send.
    :param path: Where in the body both stand.
    :raises AssertionError: They differ.
    """
    match ours, theirs:
        case dict(), dict():
            for key, value in ours.items():
                assert key in theirs, f"the SDK knows no {path}/{key}"
                same(value, theirs[key], f"{path}/{key}")
            added = {key: value for key, value in theirs.items() if key not in ours and value is not None}
            assert added.items() <= ADDED.items(), f"the SDK adds {added} at {path}"
        case list(), list():
            assert len(ours) == len(theirs), path
            for index, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
                same(mine, other, f"{path}/{index}")
        case str(), datetime():
            assert datetime.fromisoformat(ours) == theirs, path
        case str(), date():
            assert date.fromisoformat(ours) == theirs, path
        case _:
            assert ours == theirs, path

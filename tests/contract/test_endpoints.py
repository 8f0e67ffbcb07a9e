# SPDX-License-Identifier: Apache-2.0
"""Every endpoint function is the operation it says it is, and sends what the official SDK and Klaviyo's specification take."""

from __future__ import annotations

import gzip
import json
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from inspect import getdoc, getmembers, isfunction
from pathlib import Path
from typing import Any, get_args

import jsonschema  # type: ignore[import-untyped]
import pytest
from openapi_client import models

from airflow_provider_klaviyo import api
from airflow_provider_klaviyo.api import accounts, bodies, events, jobs, limits, lists, metrics, profiles
from airflow_provider_klaviyo.api.request import Json, Request

SPECIFICATION = Path(__file__).parents[2].parent / "shared" / "contract" / "klaviyo-openapi-2026-07-15.json.gz"
CORE = {"request", "jsonapi", "errors", "limits", "bodies", "pages", "redaction", "values"}

PROFILE: Json = {
    "email": "sarah@example.com",
    "phone_number": "+14155550123",
    "external_id": "shopify:1",
    "first_name": "Sarah",
    "last_name": None,
    "organization": "Example",
    "locale": "en-US",
    "title": "Owner",
    "image": "https://example.com/sarah.png",
    "location": {
        "address1": "1 Main St",
        "address2": None,
        "city": "Boston",
        "country": "US",
        "region": "MA",
        "zip": "02110",
        "latitude": 42.36,
        "longitude": "-71.06",
        "timezone": "America/New_York",
        "ip": "203.0.113.7",
    },
    "properties": {"ltv": 12.5, "skus": ["A1"], "address": {"floor": 2}, "gone": None},
}
IMPORTED: Json = {**PROFILE, "id": "01J", "_kx": "kx"}
DOER: Json = {**IMPORTED, "anonymous_id": "anon"}
MINIMAL_EVENT: Json = {"metric": "Placed Order", "profile": {"email": "sarah@example.com"}}
EVENT: Json = {
    **MINIMAL_EVENT,
    "profile": DOER,
    "time": datetime(2026, 11, 1, 10, tzinfo=UTC),
    "value": 9.99,
    "value_currency": "USD",
    "unique_id": "1001",
    "properties": {"OrderId": "1001", "Items": [{"SKU": "A1"}]},
}
FIELDS = {"profile": ["email", "first_name"]}
SUBSCRIPTIONS = {"profile": ["subscriptions"]}


@dataclass(frozen=True)
class Case:
    """A call of an endpoint function, the operation it is, and the SDK's model of its body."""

    function: Callable[..., Request[Any]]
    operation: str
    arguments: Json = field(default_factory=dict)
    model: str = ""

    @property
    def request(self) -> Request[Any]:
        return self.function(**self.arguments)

    def __str__(self) -> str:
        return f"{self.request.name} {' '.join(self.arguments)}"


CASES = [
    Case(accounts.get, "get_account", {"account_id": "A1", "fields": {"account": "timezone"}}),
    Case(accounts.list_, "get_accounts", {"fields": {"account": ["timezone"]}}),
    Case(events.create, "create_event", MINIMAL_EVENT, "EventCreateQueryV2"),
    Case(events.create, "create_event", {**EVENT, "backfill": True}, "EventCreateQueryV2"),
    Case(
        events.bulk_create,
        "bulk_create_events",
        {"events": [bodies.event_entry(MINIMAL_EVENT), bodies.event_entry(EVENT, backfill=True)]},
        "EventsBulkCreateJob",
    ),
    Case(events.get, "get_event", {"event_id": "4vRpBT", "fields": {"event": "datetime"}, "include": ["metric", "profile"]}),
    Case(
        events.list_,
        "get_events",
        {"filter": 'equals(metric_id,"M1")', "sort": "datetime", "fields": FIELDS, "include": ["profile"], "page_size": 1000},
    ),
    *(Case(jobs.get, "", {"kind": kind, "job_id": "J1"}) for kind in get_args(jobs.Kind)),
    *(
        Case(jobs.list_, "", {"kind": kind, "status": jobs.JobStatus.QUEUED})
        for kind in get_args(jobs.Kind)
        if not kind.startswith("campaign")
    ),
    Case(jobs.import_errors, "get_errors_for_bulk_import_profiles_job", {"job_id": "J1"}),
    Case(lists.create, "create_list", {"name": "VIP"}, "ListCreateQuery"),
    Case(lists.create, "create_list", {"name": "VIP", "opt_in_process": "double_opt_in"}, "ListCreateQuery"),
    Case(
        lists.get,
        "get_list",
        {"list_id": "L1", "fields": {"list": "name"}, "additional_fields": {"list": "profile_count"}, "include": "tags"},
    ),
    Case(
        lists.list_,
        "get_lists",
        {"filter": 'equals(name,"VIP")', "sort": "-created", "fields": {"list": "name"}, "include": "tags", "page_size": 10},
    ),
    Case(
        lists.profiles,
        "get_profiles_for_list",
        {
            "list_id": "L1",
            "filter": "greater-than(joined_group_at,2026-01-01T00:00:00Z)",
            "sort": "joined_group_at",
            "fields": FIELDS,
            "additional_fields": SUBSCRIPTIONS,
            "page_size": 100,
        },
    ),
    Case(lists.add_profiles, "add_profiles_to_list", {"list_id": "L1", "profile_ids": ["01J", "01K"]}, "ListMembersAddQuery"),
    Case(metrics.get, "get_metric", {"metric_id": "M1", "fields": {"metric": "name"}, "include": "flow-triggers"}),
    Case(
        metrics.list_, "get_metrics", {"filter": 'equals(integration.name,"API")', "fields": {"metric": "name"}, "include": "flow-triggers"}
    ),
    Case(profiles.create, "create_profile", {"profile": PROFILE}, "ProfileCreateQuery"),
    Case(profiles.upsert, "create_or_update_profile", {"profile": {"email": "sarah@example.com"}}, "ProfileUpsertQuery"),
    Case(
        profiles.upsert,
        "create_or_update_profile",
        {"profile": IMPORTED, "append": {"skus": "B2"}, "unappend": {"skus": ["A1"]}, "unset": ["old"]},
        "ProfileUpsertQuery",
    ),
    Case(profiles.update, "update_profile", {"profile_id": "01J", "profile": PROFILE, "unset": "old"}, "ProfilePartialUpdateQuery"),
    Case(
        profiles.bulk_import,
        "bulk_import_profiles",
        {"profiles": [bodies.profile_resource(IMPORTED), bodies.profile_resource({"email": "a@example.com"})], "list_id": "L1"},
        "ProfileImportJobCreateQuery",
    ),
    Case(
        profiles.get,
        "get_profile",
        {"profile_id": "01J", "fields": FIELDS, "additional_fields": SUBSCRIPTIONS, "include": ["lists", "segments"]},
    ),
    Case(
        profiles.get_by,
        "get_profiles",
        {
            "lookup": {"email": "sarah@example.com"},
            "fields": FIELDS,
            "additional_fields": SUBSCRIPTIONS,
            "include": "push-tokens",
        },
    ),
    Case(
        profiles.list_,
        "get_profiles",
        {
            "filter": "greater-than(updated,2026-01-01T00:00:00Z)",
            "sort": "updated",
            "fields": FIELDS,
            "additional_fields": SUBSCRIPTIONS,
            "include": "push-tokens",
            "page_size": 100,
        },
    ),
]
WITH_BODY = [case for case in CASES if case.request.json is not None]


def endpoint_functions() -> Iterator[Callable[..., Request[Any]]]:
    """Yield every public function of the API's resource modules."""
    for found in pkgutil.iter_modules(api.__path__):
        if found.name not in CORE:
            module = import_module(f"{api.__name__}.{found.name}")
            yield from (
                function
                for name, function in getmembers(module, isfunction)
                if not name.startswith("_") and function.__module__ == module.__name__
            )


def test_every_public_function_of_a_resource_is_an_endpoint_in_the_table() -> None:
    assert set(endpoint_functions()) == {case.function for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_request_is_the_operation_it_says(case: Case) -> None:
    operation = limits.find(case.request.method, case.request.path)
    assert operation is not None
    if case.operation:
        assert operation.id == case.operation
        assert operation.page in (getdoc(case.function) or "")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_query_uses_what_the_operation_filters_and_sorts_by(case: Case) -> None:
    operation = limits.find(case.request.method, case.request.path)
    assert operation is not None
    if condition := str(case.request.params.get("filter", "")):
        operator, _, rest = condition.partition("(")
        assert operator in operation.filters[rest.partition(",")[0]]
    if order := str(case.request.params.get("sort", "")):
        assert order.removeprefix("-") in operation.sortable


@pytest.mark.parametrize("case", WITH_BODY, ids=str)
def test_the_official_sdk_takes_the_body_and_drops_nothing_of_it(case: Case) -> None:
    agree(case.request.json, through_the_sdk(case.model, case.request.json))


@pytest.mark.parametrize("case", WITH_BODY, ids=str)
def test_the_body_is_what_the_specification_allows(case: Case) -> None:
    body = json.loads(json.dumps(case.request.json))
    validator = jsonschema.Draft4Validator(body_schema(case.request))
    validator.validate(body)
    assert not validator.is_valid({**body, "unheard_of": 1}), "the schema forbids nothing"


def test_the_comparison_with_the_sdk_sees_a_name_it_does_not_know() -> None:
    body = lists.create(name="VIP").json
    assert body is not None
    body["data"]["attributes"]["unheard_of"] = 1
    with pytest.raises(AssertionError, match="unheard_of"):
        agree(body, through_the_sdk("ListCreateQuery", body))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_query_is_what_the_specification_allows(case: Case) -> None:
    allowed = {each["name"]: each["schema"] for each in specified(case.request)["parameters"] if each["in"] == "query"}
    for name, value in case.request.params.items():
        assert name in allowed
        choices = allowed[name].get("enum") or allowed[name].get("items", {}).get("enum")
        assert not choices or set(str(value).split(",")) <= set(choices)


def test_every_kind_of_job_that_klaviyo_shows_is_known() -> None:
    shown = {
        operation.path.split("/")[2].removesuffix("-jobs")
        for operation in limits.OPERATIONS
        if operation.method == "GET" and operation.path.count("/") == 3 and operation.path.split("/")[2].endswith("-jobs")
    }
    assert shown == set(get_args(jobs.Kind))


def through_the_sdk(model: str, body: Json | None) -> Json:
    """Return what the official SDK would send for a body."""
    return dict(getattr(models, model).from_dict(body).to_dict())


def agree(ours: Any, theirs: Any, path: str = "") -> None:
    """Compare a body with what the SDK made of it: it adds nothing but defaults, and writes times its own way."""
    match ours, theirs:
        case dict(), dict():
            for key, value in ours.items():
                assert key in theirs, f"the SDK knows no {path}/{key}"
                agree(value, theirs[key], f"{path}/{key}")
            assert not {key for key, value in theirs.items() if key not in ours and value}, path
        case list(), list():
            assert len(ours) == len(theirs), path
            for index, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
                agree(mine, other, f"{path}/{index}")
        case str(), datetime():
            assert datetime.fromisoformat(ours) == theirs, path
        case _:
            assert ours == theirs, path


@cache
def specification() -> Json:
    """Read Klaviyo's specification."""
    if not SPECIFICATION.exists():
        pytest.skip("Klaviyo's specification is not beside the clone (../shared/contract)")
    with gzip.open(SPECIFICATION) as file:
        return dict(json.load(file))


def specified(request: Request[Any]) -> Json:
    """Return what the specification says about a request."""
    operation = limits.find(request.method, request.path)
    assert operation is not None
    return dict(specification()["paths"][operation.path][request.method.lower()])


def body_schema(request: Request[Any]) -> Json:
    """Return the strict schema of a request's body."""
    (content,) = specified(request)["requestBody"]["content"].values()
    return {**strict(content["schema"]), "components": strict_components()}


@cache
def strict_components() -> Json:
    """Return the schemas that others refer to, made strict once."""
    return dict(strict(specification()["components"]))


def strict(schema: Any) -> Any:
    """Turn OpenAPI's schemas into JSON Schema's, with unknown names forbidden."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: strict(value) for name, value in schema.items() if name not in {"nullable", "example"}}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return {"anyOf": [made, {"type": "null"}]} if schema.get("nullable") is True else made

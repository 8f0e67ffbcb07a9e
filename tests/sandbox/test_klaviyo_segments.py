# SPDX-License-Identifier: Apache-2.0
"""Segments: which conditions the local Klaviyo takes, and where it says what is wrong with the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.contract.agreement import agree
from tests.sandbox.klaviyo_client import client, pointers

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

AT = "/data/attributes/definition/condition_groups/0/conditions/0"
EVER = {"type": "date", "operator": "alltime"}  # codespell:ignore alltime
LATELY = {"type": "date", "operator": "in-the-last", "unit": "day", "quantity": 30}
ONCE = {"type": "numeric", "operator": "greater-than", "value": 0}
IS_SET = {"type": "existence", "operator": "is-set"}
DID = {"type": "profile-metric", "metric_id": "M1", "measurement": "count", "measurement_filter": ONCE, "timeframe_filter": EVER}
PREDICTED = {"type": "profile-predictive-analytics", "dimension": "churn_probability", "filter": ONCE}
NEAR = {"type": "profile-postal-code-distance", "country_code": "DE", "postal_code": "53113", "unit": "kilometers", "filter": ONCE}
FUNNEL = {
    "type": "profile-metric-funnel",
    "timeframe_filter": LATELY,
    "steps": [{"metric_exists": True, "metric_id": "M1"}, {"metric_exists": False, "metric_id": "M2"}],
}
OBJECT = {
    "type": "profile-has-custom-object",
    "object_type_id": "O1",
    "object_type_relationship_id": "R1",
    "filter": ONCE,
    "filters": [{"property_id": 1, "filter": {"type": "string", "operator": "in", "value": ["gold"]}}],
}
SUBSCRIBED = {
    "type": "profile-marketing-consent",
    "consent": {
        "channel": "email",
        "can_receive_marketing": True,
        "consent_status": {"subscription": "subscribed", "filters": [{"field": "status_date", "filter": LATELY}]},
    },
}
REACHABLE = {
    "type": "profile-permissions",
    "channel": "whatsapp_marketing",
    "permission": {"reachable_status": "implicitly_reachable"},
}


def known(filtered: dict[str, Any]) -> dict[str, Any]:
    return {"type": "profile-property", "property": "properties['plan']", "filter": filtered}


@pytest.fixture
def http(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    with client(sandbox) as made:
        yield made


def make(http: httpx.Client, condition: Any, name: str = "VIP") -> httpx.Response:
    definition = {"condition_groups": [{"conditions": [condition]}]}
    return http.post("/api/segments", json={"data": {"type": "segment", "attributes": {"name": name, "definition": definition}}})


@pytest.mark.parametrize(
    "condition",
    [
        DID,
        {**DID, "metric_filters": [{"property": "sku", "filter": {"type": "list", "operator": "contains-any", "value": ["a"]}}]},
        FUNNEL,
        OBJECT,
        SUBSCRIBED,
        REACHABLE,
        NEAR,
        PREDICTED,
        {"type": "profile-region", "in_region": False, "region": "european_union"},
        known(IS_SET),
        known({"type": "date", "operator": "after", "date": "2026-01-01T00:00:00+00:00"}),
        known({"type": "date", "operator": "anniversary-month"}),
        known({"type": "string", "operator": "not-equals", "value": "basic"}),
        known({"type": "boolean", "operator": "equals", "value": True}),
        known({"type": "list", "operator": "length-equals", "value": 2}),
    ],
)
def test_takes_the_conditions_that_there_are(sandbox: SandboxServer, http: httpx.Client, condition: dict[str, Any]) -> None:
    made = make(http, condition)
    assert made.status_code == 201
    assert made.json()["data"]["attributes"]["definition"]["condition_groups"] == [{"conditions": [condition]}]
    agree(sandbox.klaviyo.received)


@pytest.mark.parametrize(
    ("condition", "wrong"),
    [
        ({"type": "custom-object"}, ["/type"]),
        ({"type": "profile-random-sample"}, ["/type"]),
        ({"type": "profile-has-group-membership"}, ["/type"]),
        ({"type": ["profile-metric"]}, ["/type"]),
        ({}, ["/type"]),
        ("VIP", [""]),
        ({"type": "profile-metric"}, ["/metric_id", "/measurement", "/measurement_filter", "/timeframe_filter"]),
        ({**DID, "measurement": "unique"}, ["/measurement"]),
        ({**DID, "timeframe_filter": {**LATELY, "quantity": "30"}}, ["/timeframe_filter/quantity"]),
        ({**DID, "timeframe_filter": {"type": "date", "operator": "anniversary"}}, ["/timeframe_filter/operator"]),
        ({**DID, "often": True}, ["/often"]),
        (known({**LATELY, "unit": "year"}), ["/filter/unit"]),
        (known({"type": "date", "operator": "before", "date": "2026-01-01"}), ["/filter/date"]),
        (known({"type": "date", "operator": "before", "date": "2026-01-01T00:00:00"}), ["/filter/date"]),
        (known(EVER), ["/filter/operator"]),
        (known({"type": "text", "operator": "equals", "value": "pro"}), ["/filter/type"]),
        ({"type": "profile-group-membership", "is_member": True, "group_ids": 5}, ["/group_ids"]),
        ({"type": "profile-group-membership", "is_member": True, "group_ids": []}, ["/group_ids"]),
        ({"type": "profile-group-membership", "is_member": False, "group_ids": ["L1"], "timeframe_filter": LATELY}, [""]),
        ({"type": "profile-region", "in_region": True, "region": "europe"}, ["/region"]),
    ],
)
def test_refuses_other_conditions_and_says_where(http: httpx.Client, condition: Any, wrong: list[str]) -> None:
    refused = make(http, condition)
    assert refused.status_code == 400
    assert pointers(refused) == [AT + each for each in wrong]
    assert http.get("/api/segments").json()["data"] == []


def test_a_null_changes_nothing(http: httpx.Client) -> None:
    made = make(http, DID).json()["data"]
    body = {"data": {"type": "segment", "id": made["id"], "attributes": {"name": None, "definition": None, "is_starred": True}}}
    changed = http.patch(f"/api/segments/{made['id']}", json=body).json()["data"]["attributes"]
    assert (changed["name"], changed["is_starred"]) == ("VIP", True)
    assert changed["definition"] == made["attributes"]["definition"]


def test_members_are_filtered_in_a_segment_as_in_a_list(http: httpx.Client) -> None:
    list_id = http.post("/api/lists", json={"data": {"type": "list", "attributes": {"name": "VIP"}}}).json()["data"]["id"]
    ids = {}
    for name in ("ann", "bob"):
        body = {"data": {"type": "profile", "attributes": {"email": f"{name}@example.com"}}}
        ids[name] = http.post("/api/profiles", json=body).json()["data"]["id"]
    http.post(f"/api/lists/{list_id}/relationships/profiles", json={"data": [{"type": "profile", "id": each} for each in ids.values()]})
    members = {"type": "profile-group-membership", "is_member": True, "group_ids": [list_id]}
    segment_id = make(http, members).json()["data"]["id"]
    for group in (f"lists/{list_id}", f"segments/{segment_id}"):
        query = {"filter": 'equals(email,"ann@example.com")'}
        (whole,) = http.get(f"/api/{group}/profiles", params=query).json()["data"]
        assert (whole["id"], "joined_group_at" in whole["attributes"]) == (ids["ann"], True)
        assert http.get(f"/api/{group}/relationships/profiles", params=query).json()["data"] == [{"type": "profile", "id": ids["ann"]}]
        late = {"filter": "greater-than(joined_group_at,2100-01-01T00:00:00Z)"}
        assert http.get(f"/api/{group}/profiles", params=late).json()["data"] == []

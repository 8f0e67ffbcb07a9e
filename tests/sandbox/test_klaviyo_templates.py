# SPDX-License-Identifier: Apache-2.0
"""Templates: what the local Klaviyo takes for one, and what a null changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.sandbox.klaviyo_client import client, pointers

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

WELCOME = {"name": "Welcome", "editor_type": "CODE", "html": "<p>Hello</p>", "text": "Hello"}


@pytest.fixture
def http(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    with client(sandbox) as made:
        yield made


def body(**resource: Any) -> dict[str, Any]:
    return {"data": {"type": "template", **resource}}


def test_a_null_changes_nothing(http: httpx.Client) -> None:
    made = http.post("/api/templates", json=body(attributes=WELCOME)).json()["data"]["id"]
    nulls = dict.fromkeys(("name", "html", "text"))
    changed = http.patch(f"/api/templates/{made}", json=body(id=made, attributes={**nulls, "amp": "<html></html>"}))
    read = http.get(f"/api/templates/{made}").json()["data"]["attributes"]
    assert changed.status_code == 200
    assert {name: read[name] for name in WELCOME} == WELCOME
    assert read["amp"] == "<html></html>"


def test_a_template_has_a_name(http: httpx.Client) -> None:
    refused = http.post("/api/templates", json=body(attributes={**WELCOME, "name": ""}))
    assert (refused.status_code, pointers(refused)) == (400, ["/data/attributes/name"])
    made = http.post("/api/templates", json=body(attributes=WELCOME)).json()["data"]["id"]
    for name in ("", 5):
        assert http.patch(f"/api/templates/{made}", json=body(id=made, attributes={"name": name})).status_code == 400

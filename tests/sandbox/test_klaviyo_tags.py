# SPDX-License-Identifier: Apache-2.0
"""Tags: which resource has which is seen from both ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.contract.agreement import agree
from tests.sandbox.klaviyo_client import client

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

KNOWN = {"type": "profile-property", "property": "email", "filter": {"type": "existence", "operator": "is-set"}}
ATTRIBUTES: dict[str, dict[str, Any]] = {
    "list": {"name": "VIP"},
    "segment": {"name": "VIP", "definition": {"condition_groups": [{"conditions": [KNOWN]}]}},
    "tag": {"name": "Loyalty"},
}


@pytest.fixture
def http(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    with client(sandbox) as made:
        yield made
    agree(sandbox.klaviyo.received)


def make(http: httpx.Client, kind: str, **attributes: Any) -> str:
    body = {"data": {"type": kind, "attributes": {**ATTRIBUTES[kind], **attributes}}}
    return str(http.post(f"/api/{kind}s", json=body).json()["data"]["id"])


@pytest.mark.parametrize("kind", ["list", "segment"])
def test_what_is_tagged_includes_its_tags(http: httpx.Client, kind: str) -> None:
    tag_id, other, tagged, plain = make(http, "tag"), make(http, "tag", name="Other"), make(http, kind), make(http, kind)
    for each in (tag_id, other):
        body = {"data": [{"type": kind, "id": tagged}]}
        assert http.post(f"/api/tags/{each}/relationships/{kind}s", json=body).status_code == 204
    one = http.get(f"/api/{kind}s/{tagged}", params={"include": "tags"}).json()
    assert {each["id"] for each in one["data"]["relationships"]["tags"]["data"]} == {tag_id, other}
    assert {each["attributes"]["name"] for each in one["included"]} == {"Loyalty", "Other"}
    every = http.get(f"/api/{kind}s", params={"include": "tags"}).json()
    named = {each["id"]: len(each["relationships"]["tags"]["data"]) for each in every["data"]}
    assert named == {tagged: 2, plain: 0}
    assert len(every["included"]) == 2
    assert "data" not in http.get(f"/api/{kind}s/{tagged}").json()["data"]["relationships"]["tags"]
    flows = http.get(f"/api/{kind}s/{tagged}", params={"include": "flow-triggers"}).json()
    assert flows["included"] == []


@pytest.mark.parametrize("kind", ["list", "segment"])
def test_what_is_deleted_has_no_tag_any_more(http: httpx.Client, kind: str) -> None:
    tag_id, kept, deleted = make(http, "tag"), make(http, kind), make(http, kind)
    address = f"/api/tags/{tag_id}/relationships/{kind}s"
    http.post(address, json={"data": [{"type": kind, "id": each} for each in (kept, deleted)]})
    http.delete(f"/api/{kind}s/{deleted}")
    assert http.get(address).json()["data"] == [{"type": kind, "id": kept}]
    assert http.post(address, json={"data": [{"type": kind, "id": deleted}]}).status_code == 404

# SPDX-License-Identifier: Apache-2.0
"""The local Klaviyo's catalogs and coupons: their jobs, their lists, and Klaviyo's official SDK against both."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from klaviyo_api import KlaviyoAPI

from airflow_provider_klaviyo.sandbox.server import SandboxServer
from tests.sandbox.klaviyo_client import client, pointers

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]
PREFIX = "$custom:::$default:::"
CREATE = "/api/catalog-item-bulk-create-jobs"
ROWS = "/data/attributes/items/data"


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_795_000_000.25

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def http(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    """Talk to a local Klaviyo that carries out at once what it accepts."""
    sandbox.klaviyo.behaviour.job_seconds = 0
    with client(sandbox) as http:
        yield http


def item(external_id: str, **more: Any) -> Json:
    """Return a new item as it stands in a body."""
    own = {"external_id": external_id, "title": external_id, "description": "D", "url": "U"}
    return {"type": "catalog-item", "attributes": own | more}


def body(verb: str, *rows: Json, kind: str = "catalog-item", name: str = "items") -> Json:
    """Return the body of a job."""
    return {"data": {"type": f"{kind}-bulk-{verb}-job", "attributes": {name: {"data": list(rows)}}}}


def codes(*given: str) -> Json:
    """Return the body of a job that adds codes."""
    relationships = {"coupon": {"data": {"type": "coupon", "id": "S"}}}
    rows = [{"type": "coupon-code", "attributes": {"unique_code": each}, "relationships": relationships} for each in given]
    return body("create", *rows, kind="coupon-code", name="coupon-codes")


def told(job: Json) -> tuple[Any, ...]:
    """Return where a job stands."""
    return tuple(job["attributes"][name] for name in ("status", "total_count", "completed_count", "failed_count", "completed_at"))


def test_a_job_goes_its_way_by_the_clock_and_expires() -> None:
    clock = Clock()
    with SandboxServer(limits="off", job_seconds=30, clock=clock) as sandbox, client(sandbox) as http:
        made = http.post(CREATE, json=body("create", item("A"), item("A"))).json()["data"]
        assert made["attributes"] == {
            "status": "processing",
            "created_at": "2026-11-18T11:06:40.250000+00:00",
            "total_count": 2,
            "completed_count": 0,
            "failed_count": 0,
            "completed_at": None,
            "errors": [],
            "expires_at": "2026-11-25T11:06:40.250000+00:00",
        }
        assert "relationships" not in made
        read = http.get(f"{CREATE}/{made['id']}").json()["data"]
        assert (told(read), read["relationships"]) == (("processing", 2, 0, 0, None), {"items": {"data": []}})
        clock.now += 30
        read = http.get(f"{CREATE}/{made['id']}").json()["data"]
        assert told(read) == ("complete", 2, 1, 1, "2026-11-18T11:07:10.250000+00:00")
        assert read["relationships"] == {"items": {"data": [{"type": "catalog-item", "id": f"{PREFIX}A"}]}}
        (error,) = read["attributes"]["errors"]
        assert (error["code"], error["source"]) == ("conflict", {"pointer": f"{ROWS}/1"})
        clock.now += 7 * 86_400
        assert http.get(f"{CREATE}/{made['id']}").status_code == 404
        assert http.get(CREATE).json()["data"] == []


def test_what_can_be_seen_to_be_wrong_refuses_all(http: httpx.Client) -> None:
    def refused(*rows: Json) -> list[str]:
        answer = http.post(CREATE, json=body("create", *rows))
        assert answer.status_code == 400
        return pointers(answer)

    assert refused(item("A"), item("B", titles="T")) == [f"{ROWS}/1/attributes/titles"]
    assert refused(item("A", price="1")) == [f"{ROWS}/0/attributes/price"]
    assert refused(item("A", integration_type="$shopify")) == [f"{ROWS}/0/attributes/integration_type"]
    assert refused({"type": "catalog-item", "attributes": {"external_id": "A"}})[0] == f"{ROWS}/0/attributes/title"
    assert refused(*(item(str(n)) for n in range(101))) == [ROWS]
    assert refused() == [ROWS]
    assert http.get("/api/catalog-items").json()["data"] == []


def test_jobs_are_listed_by_kind_newest_first(http: httpx.Client, sandbox: SandboxServer) -> None:
    first = http.post(CREATE, json=body("create", item("A"))).json()["data"]["id"]
    sandbox.klaviyo.next_job("cancelled")
    second = http.post(CREATE, json=body("create", item("B"))).json()["data"]["id"]
    http.post("/api/catalog-item-bulk-delete-jobs", json=body("delete", {"type": "catalog-item", "id": f"{PREFIX}A"}))
    assert [each["id"] for each in http.get(CREATE).json()["data"]] == [second, first]
    only = http.get(CREATE, params={"filter": 'equals(status,"complete")', "fields[catalog-item-bulk-create-job]": "failed_count"})
    assert [each["attributes"] for each in only.json()["data"]] == [{"failed_count": 0}]
    assert http.get(CREATE, params={"page[size]": 10}).status_code == 400
    assert http.get(f"/api/catalog-item-bulk-update-jobs/{first}").status_code == 404


def test_an_item_knows_its_categories_and_they_know_it(http: httpx.Client) -> None:
    def ids(path: str, condition: str) -> list[str]:
        found = http.get(path, params={"filter": condition, "sort": "-created"}).json()["data"]
        return [each["id"].removeprefix(PREFIX) for each in found]

    hats = {"type": "catalog-category", "attributes": {"external_id": "HATS", "name": "Hats"}}
    http.post("/api/catalog-category-bulk-create-jobs", json=body("create", hats, kind="catalog-category", name="categories"))
    related = {"categories": {"data": [{"type": "catalog-category", "id": f"{PREFIX}HATS"}]}}
    http.post(CREATE, json=body("create", {**item("A"), "relationships": related}, item("B")))
    assert ids("/api/catalog-items", f'equals(category.id,"{PREFIX}HATS")') == ["A"]
    assert ids("/api/catalog-categories", f'equals(item.id,"{PREFIX}A")') == ["HATS"]
    gone = {"type": "catalog-item", "id": f"{PREFIX}A"}
    http.post("/api/catalog-item-bulk-delete-jobs", json=body("delete", gone))
    assert ids("/api/catalog-categories", f'equals(item.id,"{PREFIX}A")') == []
    assert ids("/api/catalog-items", f'any(ids,["{PREFIX}A","{PREFIX}B"])') == ["B"]


def test_a_code_lasts_a_year_and_is_found_by_its_coupon(http: httpx.Client) -> None:
    made = http.post("/api/coupons", json={"data": {"type": "coupon", "attributes": {"external_id": "S"}}})
    assert (made.status_code, made.json()["data"]["id"]) == (201, "S")
    assert http.post("/api/coupons", json={"data": {"type": "coupon", "attributes": {"external_id": "S"}}}).status_code == 409
    low = {"external_id": "T", "monitor_configuration": {"low_balance_threshold": 99}}
    refused = http.post("/api/coupons", json={"data": {"type": "coupon", "attributes": low}})
    assert pointers(refused) == ["/data/attributes/monitor_configuration"]
    assert [http.get(f"/api/coupons/{each}").status_code for each in ("S", "T", "S-T")] == [200, 404, 400]
    started = http.post("/api/coupon-code-bulk-create-jobs", json=codes("A", "B", "A"))
    assert "data" not in started.json()["data"]["relationships"]["coupon-codes"]
    job = http.get(f"/api/coupon-code-bulk-create-jobs/{started.json()['data']['id']}", params={"include": "coupon-codes"}).json()
    assert told(job["data"])[:4] == ("complete", 3, 2, 1)
    assert [each["id"] for each in job["included"]] == ["S-A", "S-B"]
    soon = http.get("/api/coupon-codes", params={"filter": 'equals(coupon.id,"S"),less-than(expires_at,2020-01-01T00:00:00Z)'})
    late = http.get("/api/coupon-codes", params={"filter": "greater-than(expires_at,2020-01-01T00:00:00Z)", "include": "coupon"}).json()
    assert soon.json()["data"] == []
    assert [each["attributes"]["status"] for each in late["data"]] == ["UNASSIGNED", "UNASSIGNED"]
    assert [each["id"] for each in late["included"]] == ["S"]


def test_the_official_sdk_works_with_them(sandbox: SandboxServer) -> None:
    sdk = KlaviyoAPI("pk_sandbox", test_host=sandbox.url, max_delay=1, max_retries=1)
    sandbox.klaviyo.behaviour.job_seconds = 0
    start: Callable[..., Any] = sdk.Catalogs.bulk_create_catalog_items
    started = start(body("create", item("A"), item("A")))
    assert (started.data.attributes.status, started.data.attributes.total_count) == ("processing", 2)
    job = sdk.Catalogs.get_bulk_create_catalog_items_job(started.data.id, include=["items"])
    assert (job.data.attributes.failed_count, job.data.attributes.errors[0].source.pointer) == (1, f"{ROWS}/1")
    assert [each.id for each in job.included] == [f"{PREFIX}A"]
    assert [each.id for each in sdk.Catalogs.get_bulk_create_catalog_items_jobs().data] == [job.data.id]
    found = sdk.Catalogs.get_catalog_items(filter=f'any(ids,["{PREFIX}A"])', include=["variants"])
    assert [each.attributes.title for each in found.data] == ["A"]
    coupon = sdk.Coupons.create_coupon({"data": {"type": "coupon", "attributes": {"external_id": "S", "description": "10 %"}}})
    assert sdk.Coupons.get_coupon(coupon.data.id).data.attributes.description == "10 %"
    added = sdk.Coupons.bulk_create_coupon_codes(codes("A"))
    assert sdk.Coupons.get_bulk_create_coupon_codes_job(added.data.id).data.attributes.completed_count == 1
    assert [each.id for each in sdk.Coupons.get_coupon_codes(filter='equals(coupon.id,"S")').data] == ["S-A"]

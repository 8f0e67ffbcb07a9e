# SPDX-License-Identifier: Apache-2.0
"""What every request to the local Klaviyo has to pass: key, revision, path, scopes, content type, size."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.sandbox.klaviyo_client import HEADERS, client, import_body, pointers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_klaviyo.sandbox.server import SandboxServer


@pytest.fixture
def http(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    with client(sandbox) as made:
        yield made


@pytest.mark.parametrize("value", ["Klaviyo-API-Key pk_wrong", "pk_sandbox", "Bearer pk_sandbox", ""])
def test_refuses_a_wrong_key_as_recorded(http: httpx.Client, value: str) -> None:
    answer = http.get("/api/profiles", headers={"Authorization": value})
    (error,) = answer.json()["errors"]
    assert answer.status_code == 401
    assert (error["code"], error["source"], error["status"]) == ("authentication_failed", {"pointer": "/data/"}, 401)
    assert "ratelimit-limit" not in answer.headers


@pytest.mark.parametrize("revision", ["2024-10-15", "2026-10-16", "yesterday"])
def test_a_retired_or_unknown_revision_is_gone_for_who_opted_out(http: httpx.Client, revision: str) -> None:
    assert http.get("/api/profiles", headers={"revision": revision}).status_code == 410


@pytest.mark.parametrize("revision", ["2024-10-15", "2025-01-15", "2026-10-15", "2026-10-15.pre"])
def test_falls_forward_otherwise(sandbox: SandboxServer, revision: str) -> None:
    headers = {name: value for name, value in HEADERS.items() if not name.startswith("X-")}
    assert httpx.get(f"{sandbox.url}/api/profiles", headers={**headers, "revision": revision}).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"revision": ""}, {"X-Klaviyo-Revision-Fall-Forward-Opt-Out": "1"}])
def test_every_operation_needs_a_revision(sandbox: SandboxServer, headers: dict[str, str]) -> None:
    answer = httpx.get(f"{sandbox.url}/api/profiles", headers={"Authorization": HEADERS["Authorization"], **headers})
    assert answer.status_code == 400
    assert "revision" in answer.json()["errors"][0]["detail"]


def test_a_key_does_what_its_scopes_allow(sandbox: SandboxServer, http: httpx.Client) -> None:
    sandbox.klaviyo.behaviour.keys["pk_reader"] = frozenset({"profiles:read"})
    reader = {"Authorization": "Klaviyo-API-Key pk_reader"}
    assert http.get("/api/profiles", headers=reader).status_code == 200
    answer = http.get("/api/lists", headers=reader)
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["code"] == "permission_denied"
    assert "lists:read" in answer.json()["errors"][0]["detail"]


def test_knows_what_it_does_not_emulate(http: httpx.Client) -> None:
    assert http.get("/api/reviews").status_code == 501
    assert http.get("/api/nothing").status_code == 404
    assert http.delete("/api/profiles").status_code == 405
    assert http.put("/api/profiles").status_code == 405


def test_a_slash_at_the_end_is_no_other_path(http: httpx.Client) -> None:
    assert http.get("/api/lists/").status_code == 200


def test_ids_with_slashes_stay_ids(http: httpx.Client) -> None:
    answer = http.get("/api/lists/a%2Frelationships%2Fprofiles")
    assert answer.status_code == 404
    assert "`a/relationships/profiles`" in answer.json()["errors"][0]["detail"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/json"}, 202),
        ({"Content-Type": "application/vnd.api+json; charset=utf-8"}, 202),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": ""}, 415),
        ({"Content-Encoding": "br"}, 415),
    ],
)
def test_takes_json_only(http: httpx.Client, headers: dict[str, str], status: int) -> None:
    body = json.dumps(import_body([{"email": "a@example.com"}]))
    assert http.post("/api/profile-bulk-import-jobs", content=body, headers=headers).status_code == status


def test_takes_gzip_unless_it_is_told_not_to(sandbox: SandboxServer, http: httpx.Client) -> None:
    body = gzip.compress(json.dumps(import_body([{"email": "a@example.com"}])).encode())
    assert http.post("/api/profile-bulk-import-jobs", content=body, headers={"Content-Encoding": "gzip"}).status_code == 202
    assert sandbox.klaviyo.received[-1].body == import_body([{"email": "a@example.com"}])
    sandbox.klaviyo.behaviour.gzip_bodies = False
    assert http.post("/api/profile-bulk-import-jobs", content=body, headers={"Content-Encoding": "gzip"}).status_code == 415
    sandbox.reset()
    assert http.post("/api/profile-bulk-import-jobs", content=body[:-4], headers={"Content-Encoding": "gzip"}).status_code == 400


@pytest.mark.parametrize("compressed", [True, False])
def test_five_megabytes_are_the_limit_once_inflated(http: httpx.Client, *, compressed: bool) -> None:
    rows = [{"email": f"a{n}@example.com", "properties": {"text": "x" * 90_000}} for n in range(55)]
    head = len(json.dumps(import_body(rows)))
    fits = json.dumps(import_body(rows)) + " " * (5_000_000 - head)
    for text, status in ((fits, 202), (fits + " ", 400)):
        body = gzip.compress(text.encode()) if compressed else text.encode()
        headers = {"Content-Encoding": "gzip"} if compressed else {}
        assert http.post("/api/profile-bulk-import-jobs", content=body, headers=headers).status_code == status


@pytest.mark.parametrize("text", ["", "{", '{"data": NaN}', '{"data": "\\ud800"}', "\xff", "[" * 100_000])
def test_takes_well_formed_json_only(http: httpx.Client, text: str) -> None:
    answer = http.post("/api/profiles", content=text.encode("latin-1"))
    assert answer.status_code == 400
    assert pointers(answer) == ["/data"]


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/api/profiles?page[size]=101", "page[size]"),
        ("/api/profiles?page[size]=0", "page[size]"),
        ("/api/events?page[size]=1001", "page[size]"),
        ("/api/lists?page[size]=11", "page[size]"),
        ("/api/metrics?page[size]=10", "page[size]"),
        ("/api/profile-bulk-import-jobs?page[size]=101", "page[size]"),
        ("/api/profiles?page[cursor]=nonsense", "page[cursor]"),
        ("/api/profiles?page[cursor]=W3t9LCAiYSJd", "page[cursor]"),
        ("/api/profiles?sort=first_name", "sort"),
        ("/api/metrics?sort=name", "sort"),
        ("/api/profiles?fields[profile]=age", "fields[profile]"),
        ("/api/profiles?include=lists", "include"),
        ("/api/profiles?additional-fields[profile]=everything", "additional-fields[profile]"),
        ("/api/profiles?limit=1", "limit"),
        ('/api/profiles?filter=equals(first_name,"A")', "filter"),
        ('/api/profiles?filter=contains(email,"A")', "filter"),
        ("/api/profiles?filter=greater-or-equal(updated,2026-01-01T00:00:00Z)", "filter"),
        ('/api/profiles?filter=greater-than(updated,"2026-01-01T00:00:00Z")', "filter"),
        ("/api/profiles?filter=greater-than(updated,2026-01-01T00:00:00)", "filter"),
        ("/api/profiles?filter=equals(email,a@example.com)", "filter"),
        ('/api/profiles?filter=equals(email,"a@example.com"', "filter"),
        ('/api/profiles?filter=equals(email,"a")equals(email,"b")', "filter"),
        ('/api/profile-bulk-import-jobs?filter=equals(status,"cancelled")', "filter"),
        ('/api/events?filter=greater-than(timestamp,"5")', "filter"),
    ],
)
def test_refuses_what_an_operation_does_not_take(http: httpx.Client, path: str, parameter: str) -> None:
    answer = http.get(path)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["source"] == {"parameter": parameter}

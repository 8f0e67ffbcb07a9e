# SPDX-License-Identifier: Apache-2.0
"""A plain client and plain bodies for tests of the local Klaviyo: nothing of this package builds what it is tested with."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_klaviyo.sandbox.server import SandboxServer

Json = dict[str, Any]
HEADERS = {
    "Authorization": "Klaviyo-API-Key pk_sandbox",
    "Content-Type": "application/vnd.api+json",
    "revision": "2026-10-15",
    "X-Klaviyo-Revision-Fall-Forward-Opt-Out": "1",
}


def client(sandbox: SandboxServer, **headers: str) -> httpx.Client:
    """Return a client that knows the key."""
    return httpx.Client(base_url=sandbox.url, headers={**HEADERS, **headers}, timeout=10)


def profile(attributes: Json) -> Json:
    """Return a profile's resource object."""
    return {"type": "profile", "attributes": attributes}


def import_body(rows: Iterable[Json], lists: Sequence[str] = ()) -> Json:
    """Return the body of an import job."""
    data: Json = {"type": "profile-bulk-import-job", "attributes": {"profiles": {"data": [profile(row) for row in rows]}}}
    if lists:
        data["relationships"] = {"lists": {"data": [{"type": "list", "id": each} for each in lists]}}
    return {"data": data}


def event(metric: str = "Placed Order", **attributes: Any) -> Json:
    """Return an event's attributes."""
    return {"properties": {}, "metric": {"data": {"type": "metric", "attributes": {"name": metric}}}, **attributes}


def entry(who: Json, *events: Json) -> Json:
    """Return one person's events, for :func:`bulk_body`."""
    rows = [{"type": "event", "attributes": event(**each)} for each in events]
    return {"type": "event-bulk-create", "attributes": {"profile": {"data": profile(who)}, "events": {"data": rows}}}


def bulk_body(entries: Sequence[Json]) -> Json:
    """Return the body of a bulk of events."""
    return {"data": {"type": "event-bulk-create-job", "attributes": {"events-bulk-create": {"data": list(entries)}}}}


def single_body(who: Json, **attributes: Any) -> Json:
    """Return the body of one event."""
    return {"data": {"type": "event", "attributes": {**event(**attributes), "profile": {"data": profile(who)}}}}


def wait(http: httpx.Client, job_id: str) -> Json:
    """Read a job until it is neither queued nor processing."""
    for _ in range(200):
        job: Json = http.get(f"/api/profile-bulk-import-jobs/{job_id}").json()["data"]
        if job["attributes"]["status"] not in {"queued", "processing"}:
            return job
        time.sleep(0.01)
    raise AssertionError("the job did not end")


def pointers(answer: httpx.Response) -> list[str]:
    """Return where an answer says it is wrong."""
    return [each["source"].get("pointer") or each["source"]["parameter"] for each in answer.json()["errors"]]

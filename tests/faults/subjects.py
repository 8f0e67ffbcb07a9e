# SPDX-License-Identifier: Apache-2.0
"""The kinds of loads that the fault suite disturbs: their rows, their steps, what Klaviyo holds after them, what must not happen twice."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_klaviyo.loading import Row, Skip
from airflow_provider_klaviyo.loading import load as load_rows
from tests.faults.worker import Sent
from tests.loading.kit import happenings, held, new_list, people, plan, session

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer
    from tests.faults.driver import World
    from tests.faults.scenario import Scenario

Source = list[Row | Skip]
Held = dict[str, Any]
LIST = "Customers"


@dataclass(frozen=True)
class Subject:
    """
    A kind of loads.

    :param steps: The requests it makes, by name: method and a pattern of the path.
    :param rows: Makes the source.
    :param prepare: Sets Klaviyo up, and returns the plan's own fields.
    :param holdings: Reads back what Klaviyo holds, by row's key.
    :param repeated: Says what was sent that must not be sent twice.
    """

    steps: Mapping[str, tuple[str, str]]
    rows: Callable[[Scenario], Source]
    prepare: Callable[[SandboxServer, Scenario, Path], dict[str, Any]]
    holdings: Callable[[SandboxServer], Held]
    repeated: Callable[[World], list[str]]


def messy(rows: list[Row], scenario: Scenario, bad: Row) -> Source:
    """Put among the rows what never leaves: one that is skipped, one that says something again, one that nobody can use."""
    return [*rows, Skip("skipped", "test", "A test."), rows[0], bad] if scenario.messy else list(rows)


def carried(sent: Sent) -> Any:
    """Return the JSON a request carried."""
    return json.loads(gzip.decompress(sent.body) if sent.body[:2] == b"\x1f\x8b" else sent.body)


def taken(sent: Sent) -> bool:
    """Whether Klaviyo may have carried it out, for all its sender knows."""
    return sent.reached and (sent.status is None or sent.status < 300 or sent.status >= 500)


# ── profiles ────────────────────────────────────────────────────────────────────────


def profile_rows(scenario: Scenario) -> Source:
    rows = people(scenario.rows)
    for at in scenario.conflicts:
        row = rows[at % scenario.rows]
        rows[at % scenario.rows] = Row(row.key, {**row.data, "phone_number": "+14155552671"})
    return messy(rows, scenario, Row("bad", {"first_name": "Nobody"}))


def prepare_profiles(sandbox: SandboxServer, scenario: Scenario, folder: Path) -> dict[str, Any]:
    if scenario.conflicts:  # those rows' phone number is someone else's, and Klaviyo finds out in the job
        others = [Row(f"{at}", {"email": f"p{at % scenario.rows:05d}@example.com"}) for at in dict.fromkeys(scenario.conflicts)]
        with session(sandbox) as api:
            load_rows(
                api,
                [*others, Row("other", {"email": "other@example.com", "phone_number": "+14155552671"})],
                plan("profiles", folder / "before"),
                sleep=lambda _: None,
            )
    return {"list_id": new_list(sandbox, LIST)} if scenario.listed else {}


def profile_holdings(sandbox: SandboxServer) -> Held:
    found = held(sandbox)
    members = [who for _, who in found["members"]]
    return {_customer(row[0]): (row, members.count(row[0])) for row in found["profiles"]}


def _customer(email: str) -> str:
    return f"customer {int(email[1:6])}" if email[1:6].isdigit() else email


def profiles_repeated(world: World) -> list[str]:
    """Name the batches that were sent again although their job was written down."""
    wrong = []
    for note in world.history:
        job = note.value.get("job")
        first = next((each for each in world.log if job and each.job == job), None)
        if first:
            again = [each for each in world.log if each.at > note.at and (each.load, each.body) == (first.load, first.body)]
            wrong += [note.key for each in again if not each.stale]
    return wrong


# ── events ──────────────────────────────────────────────────────────────────────────


def event_rows(scenario: Scenario) -> Source:
    rows = happenings(scenario.rows)
    bad = Row("bad", {**rows[0].data, "unique_id": "bad", "time": "yesterday"})
    return messy(rows, scenario, bad)


def prepare_events(sandbox: SandboxServer, scenario: Scenario, folder: Path) -> dict[str, Any]:
    fields: dict[str, Any] = {"state_path": folder / "state"} if scenario.ledger else {}
    with session(sandbox) as api:
        if scenario.foreign:  # another client has sent them
            load_rows(api, happenings(scenario.foreign, start=2), plan("events", folder / "foreign"))
        if scenario.known and scenario.ledger:
            load_rows(api, happenings(scenario.known), plan("events", folder / "before", **fields))
    return fields


def event_holdings(sandbox: SandboxServer) -> Held:
    found: Held = {}
    for row in held(sandbox)["events"]:
        found.setdefault(f"order {row[3][1:]}", []).append(row)
    assert all(len(rows) == 1 for rows in found.values()), "an event counts twice"
    return found


def bulk_ids(sent: Sent) -> list[str]:
    """Return the ids of a bulk request's events."""
    entries = carried(sent)["data"]["attributes"]["events-bulk-create"]["data"]
    return [entry["attributes"]["events"]["data"][0]["attributes"]["unique_id"] for entry in entries]


def events_repeated(world: World) -> list[str]:
    """Name the events that a bulk request carried although Klaviyo may have had them from us."""
    before = {row.data["unique_id"] for row in happenings(world.scenario.known)} if world.scenario.ledger else set[str]()
    wrong: list[str] = []
    load = ""
    for each in world.log:
        if each.load != load and not world.scenario.ledger:  # without a ledger, a load knows of no other
            before.clear()
        load = each.load
        if each.name == "POST /api/events":  # one that Klaviyo refuses for its content, it has not taken in bulk either
            (before.add if taken(each) else before.discard if each.status in {400, 422} else str)(
                carried(each)["data"]["attributes"]["unique_id"]
            )
        if each.name == "POST /api/event-bulk-create-jobs" and not each.stale:
            ids = bulk_ids(each)
            wrong += [name for name in ids if name in before]
            before |= set(ids) if taken(each) else set()
    return wrong


SUBJECTS: Mapping[str, Subject] = {
    "profiles": Subject(
        steps={
            "import": ("POST", "/profile-bulk-import-jobs$"),
            "jobs": ("GET", "/profile-bulk-import-jobs$"),
            "job": ("GET", "/profile-bulk-import-jobs/[^/]+$"),
            "errors": ("GET", "/import-errors$"),
        },
        rows=profile_rows,
        prepare=prepare_profiles,
        holdings=profile_holdings,
        repeated=profiles_repeated,
    ),
    "events": Subject(
        steps={"bulk": ("POST", "/event-bulk-create-jobs$"), "single": ("POST", "/api/events$"), "account": ("GET", "/api/accounts$")},
        rows=event_rows,
        prepare=prepare_events,
        holdings=event_holdings,
        repeated=events_repeated,
    ),
}

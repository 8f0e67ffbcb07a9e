# SPDX-License-Identifier: Apache-2.0
"""Loads of events."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_klaviyo.loading import Row
from airflow_provider_klaviyo.loading import load as load_rows
from tests.faults.subject import Held, Source, Subject, address, carried, messy, settled, taken
from tests.loading.kit import happenings, held, plan, session

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer
    from tests.faults.driver import World
    from tests.faults.scenario import Scenario
    from tests.faults.worker import Sent

BULK, SINGLE = "POST /api/event-bulk-create-jobs", "POST /api/events"


def rows(scenario: Scenario) -> Source:
    """Make events, two for each of their people."""
    made = happenings(scenario.rows)
    return messy(made, scenario, Row("bad", {**made[0].data, "unique_id": "bad", "time": "yesterday"}))


def prepare(sandbox: SandboxServer, scenario: Scenario, folder: Path) -> dict[str, Any]:
    """Let another client, and an earlier load, have sent some of them."""
    fields: dict[str, Any] = {"state_path": folder / "state"} if scenario.remember else {}
    with session(sandbox) as api:
        if scenario.foreign:
            load_rows(api, happenings(scenario.foreign, start=2), plan("events", folder / "foreign"))
        if scenario.known and scenario.remember:
            load_rows(api, happenings(scenario.known), plan("events", folder / "before", **fields))
    return fields


def refuse(sandbox: SandboxServer, scenario: Scenario) -> None:
    """Let Klaviyo refuse events for their people, for a rule of its own."""
    sandbox.klaviyo.behaviour.unwelcome = frozenset(address(at % scenario.rows // 2) for at in scenario.unwelcome)


def bad(scenario: Scenario) -> set[str]:
    """Name the events of people who are refused, but for those that an earlier load has sent."""
    people = {at % scenario.rows // 2 for at in scenario.unwelcome}
    known = scenario.known if scenario.remember else 0
    orders = {f"order {at}" for at in range(known, scenario.rows) if at // 2 in people}
    return orders | ({"bad"} if scenario.messy else set())


def holdings(sandbox: SandboxServer) -> Held:
    """Read the events, of which each may be there once."""
    settled(sandbox)
    found: Held = {}
    for row in held(sandbox)["events"]:
        found.setdefault(f"order {row[3][1:]}", []).append(row)
    assert all(len(events) == 1 for events in found.values()), "an event counts twice"
    return found


def bulk_ids(sent: Sent) -> list[str]:
    """Return the ids of a bulk request's events."""
    entries = carried(sent)["data"]["attributes"]["events-bulk-create"]["data"]
    return [entry["attributes"]["events"]["data"][0]["attributes"]["unique_id"] for entry in entries]


def repeated(world: World) -> list[str]:
    """Name the events that a bulk request carried although Klaviyo may have had them from us."""
    remember = world.scenario.remember
    before = {row.data["unique_id"] for row in happenings(world.scenario.known)} if remember else set[str]()
    wrong: list[str] = []
    load = ""
    for each in world.log:
        if each.load != load and not remember:  # it knows of no load before it
            before.clear()
        load = each.load
        if each.name == SINGLE:
            unique_id = carried(each)["data"]["attributes"]["unique_id"]
            if taken(each):
                before.add(unique_id)
            elif each.status in {400, 422}:  # what Klaviyo refuses for its content, it has not taken in bulk either
                before.discard(unique_id)
        if each.name == BULK and not each.stale:
            ids = bulk_ids(each)
            wrong += [name for name in ids if name in before]
            before |= set(ids) if taken(each) else set()
    return wrong


EVENTS = Subject(
    steps={
        "bulk": ("POST", "/event-bulk-create-jobs$"),
        "single": ("POST", "/api/events$"),
        "account": ("GET", "/api/accounts$"),
        "metrics": ("GET", "/api/metrics$"),
        "find": ("GET", "/api/events$"),
    },
    rows=rows,
    prepare=prepare,
    refuse=refuse,
    bad=bad,
    holdings=holdings,
    repeated=repeated,
)

# SPDX-License-Identifier: Apache-2.0
"""Loads of profiles, and of the members of a list."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_klaviyo.loading import Row
from airflow_provider_klaviyo.loading import load as load_rows
from tests.faults.subject import Held, Source, Subject, address, jobs_repeated, key_of, messy, refused, settled, unwelcome
from tests.loading.kit import held, new_list, people, plan, session

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer
    from tests.faults.scenario import Scenario

LIST = "Customers"
PHONE = "+14155552671"
SURPLUS = 3
IMPORT = {
    "import": ("POST", "/profile-bulk-import-jobs$"),
    "jobs": ("GET", "/profile-bulk-import-jobs$"),
    "job": ("GET", "/profile-bulk-import-jobs/[^/]+$"),
    "errors": ("GET", "/import-errors$"),
}


def rows(scenario: Scenario) -> Source:
    """Make profiles, some with the phone number of somebody else."""
    made = people(scenario.rows)
    for at in scenario.conflicts:
        row = made[at % scenario.rows]
        made[at % scenario.rows] = Row(row.key, {**row.data, "phone_number": PHONE})
    return messy(made, scenario, Row("bad", {"first_name": "Nobody"}))


def prepare(sandbox: SandboxServer, scenario: Scenario, folder: Path) -> dict[str, Any]:
    """Let somebody have the phone number that others claim: Klaviyo finds that out in the job."""
    if scenario.conflicts:
        others = [Row(f"{at}", {"email": address(at % scenario.rows)}) for at in dict.fromkeys(scenario.conflicts)]
        _given(sandbox, folder, [*others, Row("other", {"email": "other@example.com", "phone_number": PHONE})])
    fields: dict[str, Any] = {"identity_conflict": scenario.identity_conflict}
    fields |= {"list_id": new_list(sandbox, LIST)} if scenario.listed else {}
    return fields | ({"state_path": folder / "state"} if scenario.remember else {})


def holdings(sandbox: SandboxServer) -> Held:
    """Read who is there, and how often each is in the list."""
    settled(sandbox)
    found = held(sandbox)
    members = [who for _, who in found["members"]]
    return {key_of(row[0]): (row, members.count(row[0])) for row in found["profiles"]}


def bad(scenario: Scenario) -> set[str]:
    """Name the rows that are refused, and those whose phone number is somebody else's, where Klaviyo says which they are."""
    kept = scenario.plain or scenario.identity_conflict == "drop_phone"
    return refused(scenario) | (set() if kept else {f"customer {at % scenario.rows}" for at in scenario.conflicts})


def bad_members(scenario: Scenario) -> set[str]:
    """Name the rows that are refused: nobody is who is in the list already."""
    return refused(scenario) - {"bad", *(f"customer {at}" for at in range(scenario.rows // 3))}


def member_rows(scenario: Scenario) -> Source:
    """Name people by their addresses: where one cannot be read, nobody is taken out of the list."""
    return messy([Row(row.key, {"email": row.data["email"]}) for row in people(scenario.rows)], scenario)


def prepare_members(sandbox: SandboxServer, scenario: Scenario, folder: Path) -> dict[str, Any]:
    """Make a list in which a third of the people are, and some whom no row names."""
    list_id = new_list(sandbox, LIST)
    _given(sandbox, folder, [*people(scenario.rows // 3), *people(SURPLUS, start=900)], list_id=list_id)
    return {"list_id": list_id, "max_change": 100}


def _given(sandbox: SandboxServer, folder: Path, rows: list[Row], **fields: Any) -> None:
    with session(sandbox) as api:
        load_rows(api, rows, plan("profiles", folder / "before", **fields), sleep=lambda _: None)


PROFILES = Subject(
    steps={
        **IMPORT,
        "account": ("GET", "/api/accounts$"),
        "find": ("GET", "/api/profiles$"),
        "inside": ("GET", "/api/lists/[^/]+/profiles$"),
    },
    rows=rows,
    prepare=prepare,
    refuse=unwelcome,
    bad=bad,
    holdings=holdings,
    repeated=jobs_repeated,
)
MEMBERS = Subject(
    steps={**IMPORT, "inside": ("GET", "/api/lists/[^/]+/profiles$"), "remove": ("DELETE", "/relationships/profiles$")},
    rows=member_rows,
    prepare=prepare_members,
    refuse=unwelcome,
    bad=bad_members,
    holdings=holdings,
    repeated=jobs_repeated,
)

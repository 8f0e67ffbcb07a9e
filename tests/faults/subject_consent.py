# SPDX-License-Identifier: Apache-2.0
"""Loads of consent: a yes goes at most once, and a no that leaves a list does, too."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_klaviyo.api import lists, subscriptions
from airflow_provider_klaviyo.loading import Row
from airflow_provider_klaviyo.loading.consent import ConsentRules
from airflow_provider_klaviyo.sandbox.klaviyo.database import to_micros
from tests.faults.subject import Held, Source, Subject, address, carried, key_of, messy, refused, settled, taken
from tests.faults.troubles import TROUBLES
from tests.loading.kit import session

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer
    from tests.faults.driver import World
    from tests.faults.scenario import Scenario

BEFORE, SAID = "2023-05-01T00:00:00+00:00", "2024-05-01T00:00:00+00:00"
YES, NO = "POST /api/profile-subscription-bulk-create-jobs", "POST /api/profile-subscription-bulk-delete-jobs"
WORDS: tuple[dict[str, Any], ...] = (
    {"consent": "subscribed", "consented_at": SAID},
    {"consent": "subscribed"},  # asked to confirm it, through a list that asks
    {"consent": "unsubscribed", "consented_at": SAID},
    {"consent": "suppressed"},
    {"consent": "unsuppressed"},
)
ABROAD = "+49151123"


def rows(scenario: Scenario) -> Source:
    """Make words of all kinds, some of them about phone numbers that Klaviyo cannot write to."""
    made = [Row(f"customer {at}", {"email": address(at), **WORDS[at % len(WORDS)]}) for at in range(scenario.rows)]
    for at in {each % scenario.rows for each in scenario.unwelcome}:
        abroad = {"consent": "subscribed", "consented_at": SAID, "channels": ["sms.marketing"], "phone_number": f"{ABROAD}{at:05d}"}
        made[at] = Row(made[at].key, abroad)
    return messy(made, scenario, Row("bad", {"email": "q@example.com", "consent": "maybe"}))


def prepare(sandbox: SandboxServer, scenario: Scenario, folder: Path) -> dict[str, Any]:
    """Let those who will leave have said yes, and those who will be written to again be suppressed."""
    those = {name: [address(at) for at in range(scenario.rows) if at % len(WORDS) == place] for place, name in ((2, "leave"), (4, "lift"))}
    with session(sandbox) as api:
        list_id = str(api.send(lists.create(name="Customers", opt_in_process="double_opt_in"))["data"]["id"])
        there = list_id if scenario.listed else None
        if those["leave"]:
            said = [{"email": each, "channels": ["email.marketing"], "consented_at": BEFORE} for each in those["leave"]]
            api.send(subscriptions.subscribe(profiles=said, list_id=there, historical_import=True))
        if those["lift"]:
            api.send(subscriptions.suppress(emails=those["lift"]))
    settled(sandbox)
    return {"consent": ConsentRules(subscribe=True, list_id=there), "settle_seconds": 30.0}


def refuse(sandbox: SandboxServer, scenario: Scenario) -> None:
    """Let Klaviyo write to no phone abroad."""
    sandbox.klaviyo.behaviour.sms_regions = frozenset({"+1"})


def holdings(sandbox: SandboxServer) -> Held:
    """Read what stands of each person, and how often they were asked to confirm."""
    state = settled(sandbox)
    with state.lock:
        ask = state.db.execute
        names = {row[0]: key_of(row[1] or row[2] or "") for row in ask("SELECT id, email, phone_number FROM profiles")}
        asked = Counter(key_of(row[0] or "") for row in ask("SELECT email FROM opt_ins"))
        then = to_micros(datetime.fromisoformat(SAID).astimezone(UTC))
        found: Held = {key: {"asked": asked[key]} for key in {*names.values(), *asked}}
        for who, channel, consent, at in ask("SELECT profile_id, channel, consent, at FROM consents"):
            found[names[who]][channel] = (consent, at == then)
        for who, list_id, reason in ask("SELECT profile_id, list_id, reason FROM suppressions"):
            found[names[who]][f"{reason} {'of the list' if list_id else ''}"] = True
        for (who,) in ask("SELECT profile_id FROM members"):
            found[names[who]]["member"] = True
    return found


def repeated(world: World) -> list[str]:
    """Name the people whose word was sent again although Klaviyo may have had it."""
    sent: Counter[tuple[str, str]] = Counter()
    for each in world.log[: world.cleared]:
        if taken(each) and not each.stale and (each.name == YES or (each.name == NO and world.scenario.listed)):
            data = carried(each)["data"]["attributes"]["profiles"]["data"]
            sent.update((each.name, str(who["attributes"].get("email") or who["attributes"].get("phone_number"))) for who in data)
    return [f"{name} about {key_of(who)}" for (name, who), count in sent.items() if count > 1]


def doubtful(scenario: Scenario) -> bool:
    """Say whether a request about consent may have been carried out without a sound answer."""
    return bool(scenario.kills) or any(
        each.step in {"yes", "no"} and each.what in TROUBLES and each.nature.doubtful for each in scenario.troubles
    )


CONSENT = Subject(
    steps={
        "list": ("GET", "/api/lists/[^/]+$"),
        "find": ("GET", "/api/profiles$"),
        "inside": ("GET", "/api/lists/[^/]+/profiles$"),
        "yes": ("POST", "/profile-subscription-bulk-create-jobs$"),
        "no": ("POST", "/profile-subscription-bulk-delete-jobs$"),
        "suppress": ("POST", "/profile-suppression-bulk-create-jobs$"),
        "lift": ("POST", "/profile-suppression-bulk-delete-jobs$"),
        "job": ("GET", "/profile-suppression-bulk-(create|delete)-jobs/[^/]+$"),
    },
    rows=rows,
    prepare=prepare,
    refuse=refuse,
    bad=refused,
    holdings=holdings,
    repeated=repeated,
    doubtful=doubtful,
)

# SPDX-License-Identifier: Apache-2.0
"""What has to hold at the end of a load, whatever befell it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_klaviyo.loading import Fate, LoadReport
from tests.faults.driver import LAX, World, world
from tests.faults.subject import Held, key_of
from tests.loading.kit import Clock, accounted, rejects

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer
    from tests.faults.scenario import Scenario


@dataclass(frozen=True)
class Undisturbed:
    """
    What a load leaves that nothing befell.

    :param report: Its report.
    :param held: What Klaviyo holds then.
    :param again: What it holds after the task was cleared and ran once more.
    :param refused: The rows that were rejected, by key.
    :param steps: What its worker did.
    """

    report: LoadReport
    held: Held
    again: Held
    refused: frozenset[str]
    steps: tuple[str, ...]


BULK = ("POST /api/profile-bulk-import-jobs", "POST /api/event-bulk-create-jobs")
LEFTOVER = "member "
"""Begins the keys of what is to be done beside the rows: a list's members whom none has named."""
_undisturbed: dict[Scenario, Undisturbed] = {}


def undisturbed(sandbox: SandboxServer, scenario: Scenario, folder: Path, clock: Clock) -> Undisturbed:
    """Run a load without anything that befalls it, on an account of its own; the same one is run once."""
    calm = scenario.undisturbed()
    if calm not in _undisturbed:
        with world(sandbox, calm, folder, clock) as made:
            made.run()
            assert made.report is not None
            accounted(made.report)
            assert len(made.ends) == 1, made.ends
            refused = keys(made.report, "rejected")
            assert refused == made.subject.bad(calm), f"rejected {refused} of {calm}"
            check_thrift(made)
            held, steps = made.holdings(), tuple(made.steps)
            made.again()
            _undisturbed[calm] = Undisturbed(made.report, held, made.holdings(), refused, steps)
    return _undisturbed[calm]


def check(sandbox: SandboxServer, scenario: Scenario, folder: Path, clock: Clock) -> World:
    """
    Run a scenario and hold its end against the undisturbed one.

    :return: The world as it was left, for tests that want more of it.
    """
    calm = undisturbed(sandbox, scenario, folder, clock)
    with world(sandbox, scenario, folder, clock) as made:
        made.run()
        assert made.report is not None
        said = f"{scenario}\nended {made.ends}\nwith {made.report}\nundisturbed {calm.report}"
        check_sum(made.report)
        check_fates(made, calm, said)
        check_holdings(made, calm, said)
        check_again(made, calm, said)
        assert made.subject.repeated(made) == [], f"sent twice\n{said}"
    return made


def check_thrift(made: World) -> None:
    """Check that nothing is sent more often than it must be, where Klaviyo says which rows it refuses."""
    scenario = made.scenario
    if scenario.pointers != "all" or scenario.kind not in {"profiles", "events"}:
        return
    names = Counter(each.name for each in made.log)
    refused = 2 * len(scenario.unwelcome) * (2 if scenario.kind == "events" else 1)
    refused += len(scenario.conflicts) if scenario.identity_conflict == "drop_phone" else 0
    assert sum(names[each] for each in BULK) <= -(-scenario.rows // scenario.batch) + refused, f"{names} for {scenario}"
    assert names["POST /api/events"] <= scenario.foreign * scenario.batch, f"{names} for {scenario}"


def check_sum(report: LoadReport) -> None:
    """Check that every row has one fate, and that the rejects file names, beside the rows, what else was not done."""
    beside = [line for line in rejects(report) if line["key"].startswith(LEFTOVER)]
    assert len(beside) == report.not_removed
    if not beside:
        accounted(report)
    assert report.read == sum(getattr(report, fate) for fate in Fate)


def keys(report: LoadReport, fate: str) -> frozenset[str]:
    """Return the keys of the rows with a fate."""
    return frozenset(line["key"] for line in rejects(report) if line["fate"] == fate and line["key"])


def fates(report: LoadReport, *, anew: bool) -> Mapping[str, int]:
    """
    Return the counts.

    :param anew: Whether the source was staged more than once: what an earlier staging has sent is unchanged then, its repetition, too.
    """
    counts = {
        name: getattr(report, name) for name in ("read", "loaded", "accepted", "rejected", "duplicate", "unchanged", "skipped", "unknown")
    }
    if anew:
        counts["loaded"] += counts.pop("accepted") + counts.pop("unchanged") + counts.pop("duplicate")
    return counts


def check_fates(made: World, calm: Undisturbed, said: str) -> None:
    """Check that every row ended as it would have, and that those that did not say why and have failed the task."""
    report, scenario = made.report, made.scenario
    assert report is not None
    left = any(line["key"].startswith(LEFTOVER) for line in rejects(report))
    assert made.failed == (left or report.unknown > 0 or report.rejected > LAX * report.read), f"its end does not fit its report\n{said}"
    for line in rejects(report):
        assert line["code"], said
        assert line["reason"], said
    assert (report.read, report.skipped) == (calm.report.read, calm.report.skipped), said
    if not scenario.lied_to:
        assert keys(report, "rejected") <= calm.refused, f"a sound row is rejected\n{said}"
    undecidable = scenario.undecidable or made.subject.doubtful(scenario)
    if not undecidable:
        assert report.unknown == calm.report.unknown, f"a fate that could be known is not\n{said}"
    if not undecidable and not scenario.lied_to:
        anew = made.staged > 1 or scenario.kind == "consent"  # who is looked at twice may have been dealt with by then
        assert fates(report, anew=anew) == fates(calm.report, anew=anew), said


def uncertain(made: World, calm: Undisturbed) -> frozenset[str]:
    """Return the rows that are reported as not loaded, but for those that never would be."""
    assert made.report is not None
    found = keys(made.report, "unknown") | (keys(made.report, "rejected") - calm.refused)
    state = made.sandbox.klaviyo
    with state.lock:
        people = {f"{LEFTOVER}{row[0]}": key_of(row[1] or "") for row in state.db.execute("SELECT id, email FROM profiles")}
    return frozenset(people.get(each, each) for each in found)


def check_again(made: World, calm: Undisturbed, said: str) -> None:
    """Check that the task, cleared after its end, does what an undisturbed one does then: what was not loaded is made up for."""
    unsure = uncertain(made, calm) if made.scenario.kind == "consent" else frozenset[str]()
    again, held = made.again(), made.holdings()
    different = {key for key in held.keys() | calm.again.keys() if held.get(key) != calm.again.get(key)} - unsure
    assert not different, f"cleared after its end, it leaves {different} otherwise\n{said}"
    assert again.read == calm.report.read, said


def check_holdings(made: World, calm: Undisturbed, said: str) -> None:
    """Check that Klaviyo holds what it would have, but for rows that are reported as not loaded."""
    report = made.report
    assert report is not None
    held = made.holdings()
    unsure = uncertain(made, calm)
    nameless = sum(line["fate"] == "unknown" and not line["key"] for line in rejects(report))
    missing = [key for key, what in calm.held.items() if held.get(key) != what and key not in unsure]
    assert len(missing) <= nameless, f"missing {missing}\n{said}"
    assert held.keys() <= calm.held.keys(), f"nobody should hold {held.keys() - calm.held.keys()}\n{said}"

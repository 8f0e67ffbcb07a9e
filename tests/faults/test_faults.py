# SPDX-License-Identifier: Apache-2.0
"""
Whatever befalls a load, Klaviyo holds in the end what an undisturbed one leaves, and what nobody can know is said.

A failure prints its scenario, which is a value: put it into ``KNOWN`` to have it again. ``FAULTS_SEED`` and ``FAULTS_RUNS`` make other runs.
"""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.faults.bench import Bench
from tests.faults.scenario import JobEnd, Kill, Scenario
from tests.faults.subjects import SUBJECTS
from tests.faults.troubles import TROUBLES, Trouble
from tests.faults.worker import Death
from tests.kit import FULL

SEED = int(os.environ.get("FAULTS_SEED", "4"))
RUNS = int(os.environ.get("FAULTS_RUNS", "200"))
HIDDEN = "200 and nothing"
"""What a read answers that does not show what is there; a lie, if it is a write."""
KNOWN: tuple[Scenario, ...] = (
    # what was sent one by one before the load was given up is not to be sent in bulk by the next
    Scenario(kind="events", rows=5, batch=4, pointers="none", unwelcome=(0,), troubles=(Trouble("single", "400 about the key"),)),
    # who was asked to confirm a subscription is not asked again because another request was refused
    Scenario(kind="consent", rows=10, batch=3, listed=True, troubles=(Trouble("no", "409"),)),
    Scenario(kind="consent", rows=10, batch=3, listed=True, troubles=(Trouble("inside", "404"),)),
    # who could not be taken out of the list fails the task
    Scenario(kind="members", rows=12, troubles=(Trouble("remove", "400 about nothing", times=9),)),
)
"""Scenarios that failed once."""
NOT_SHOWN = Scenario(kind="events", rows=8, batch=4, verify=True, troubles=(Trouble("find", HIDDEN, times=9_999),))
"""Events that Klaviyo takes and never shows: reading them back takes two tries, and each of them finds the same."""
WORLDS = {
    "profiles": Scenario(kind="profiles", rows=32, batch=5, listed=True, unwelcome=(8,), conflicts=(3, 17), verify=True),
    "events": Scenario(kind="events", rows=32, batch=5, unwelcome=(8,), foreign=5, known=2, reading="refuse", verify=True),
    "members": Scenario(kind="members", rows=20, batch=5, unwelcome=(18,)),
    "consent": Scenario(kind="consent", rows=20, batch=3, listed=True, unwelcome=(10,)),
}
"""A load of each kind that takes every step it can: refused batches, jobs with errors, rows sent before."""
READS = (
    "could not connect",
    "half an answer",
    "429 for a day",
    "503 with a page",
    "400 with a page",
    "401",
    "403 with a page",
    "404",
    "410",
)
"""What befalls a request that only reads; more would be the same."""
WRITES = tuple(each for each in TROUBLES if each != HIDDEN)
STEPS = [
    (kind, step, what)
    for kind, subject in SUBJECTS.items()
    for step, (method, _) in subject.steps.items()
    for what in (READS if method == "GET" else WRITES)
][:: 1 if FULL else 3]
DEATHS: tuple[Death, ...] = ("after", "torn", "overtaken")
"""Before a step is after the one before."""


@pytest.mark.parametrize("scenario", KNOWN, ids=str)
def test_what_failed_once(bench: Bench, scenario: Scenario) -> None:
    bench.check(scenario)


@pytest.mark.parametrize("how", ["after", "torn"])
def test_a_worker_that_dies_while_it_writes_down_what_klaviyo_does_not_show(bench: Bench, how: Death) -> None:
    world = bench.check(replace(NOT_SHOWN, kills=(Kill(1, how, "write .*bulk-.*outcomes"),)))
    assert world.report is not None
    assert world.report.unknown == NOT_SHOWN.rows


@pytest.mark.parametrize(("kind", "step", "what"), STEPS)
def test_every_trouble_at_every_step(bench: Bench, kind: str, step: str, what: str) -> None:
    bench.check(replace(WORLDS[kind], troubles=(Trouble(step, what), Trouble(step, what, skip=1))))


@pytest.mark.parametrize("how", DEATHS)
@pytest.mark.parametrize("kind", SUBJECTS)
def test_the_end_of_a_worker_at_every_step(bench: Bench, kind: str, how: Death) -> None:
    small = replace(WORLDS[kind], rows=8, batch=4, foreign=3, unwelcome=(6,), conflicts=(3,), verify=False)
    for at, step in enumerate(bench.calm(small).steps, 1):
        if how != "torn" or step.startswith("write"):
            bench.check(replace(small, kills=(Kill(at, how),)))


def places(rows: int) -> st.SearchStrategy[tuple[int, ...]]:
    return st.lists(st.integers(0, rows - 1), max_size=2, unique=True).map(tuple)


@st.composite
def scenarios(draw: st.DrawFn, kind: str) -> Scenario:
    """Draw a load, its world, and what befalls it."""
    rows = draw(st.integers(5, 40))
    profiles = kind == "profiles"
    steps = st.sampled_from(sorted(SUBJECTS[kind].steps))
    befalling = {step: TROUBLES if step == "find" and kind != "consent" else WRITES for step in SUBJECTS[kind].steps}
    troubles = steps.flatmap(
        lambda step: st.builds(Trouble, st.just(step), st.sampled_from(sorted(befalling[step])), st.integers(0, 6), st.integers(1, 7))
    )
    ends = st.builds(JobEnd, st.sampled_from(("complete", "complete", "cancelled")), places(4))
    return Scenario(
        kind=kind,
        rows=rows,
        batch=draw(st.integers(4, 8)),
        in_flight=draw(st.sampled_from((1, 3))),
        listed=kind in {"profiles", "consent"} and draw(st.booleans()),
        remember=draw(st.booleans()),
        verify=kind in {"profiles", "events"} and draw(st.booleans()),
        identity_conflict=draw(st.sampled_from(("reject", "drop_phone"))) if profiles else "reject",
        reading=draw(st.sampled_from(("drop", "refuse"))),
        pointers=draw(st.sampled_from(("all", "first", "none"))),
        plain=draw(st.booleans()) if profiles else False,
        unwelcome=draw(places(rows)),
        conflicts=draw(places(rows)) if profiles else (),
        foreign=draw(st.integers(0, 6)) if kind == "events" else 0,
        known=draw(st.integers(0, 6)) if kind == "events" else 0,
        job_seconds=draw(st.sampled_from((0.0, 20.0))),
        crowd=draw(st.sampled_from((0, 120))) if profiles else 0,
        jobs=tuple(draw(st.lists(ends, max_size=2))) if kind != "events" else (),
        troubles=tuple(draw(st.lists(troubles, max_size=3))),
        kills=tuple(draw(st.lists(st.builds(Kill, st.integers(1, 100), st.sampled_from((*DEATHS, "before"))), max_size=3))),
        lost=kind != "consent" and draw(st.integers(0, 3)) == 3,
    )


@pytest.mark.parametrize("kind", SUBJECTS)
def test_whatever_befalls_a_load(bench: Bench, kind: str) -> None:
    @seed(SEED)
    @settings(
        max_examples=RUNS // len(SUBJECTS),
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    @given(scenarios(kind))
    def run(scenario: Scenario) -> None:
        bench.check(scenario)

    run()

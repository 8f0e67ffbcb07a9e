# SPDX-License-Identifier: Apache-2.0
"""
The few scenarios that every way to break the engine is tried on: ``python -P -m tests.faults.subset``.

It says as JSON which package it tested, and the first scenario that failed.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import traceback
from dataclasses import replace
from pathlib import Path

import airflow_provider_klaviyo
from tests.faults.bench import Bench, bench
from tests.faults.scenario import JobEnd, Kill, Scenario
from tests.faults.troubles import Trouble

PROFILES = Scenario(kind="profiles", rows=14, batch=5, listed=True, unwelcome=(8,), conflicts=(3,))
EVENTS = Scenario(kind="events", rows=14, batch=5, unwelcome=(8,), known=2)
CONSENT = Scenario(kind="consent", rows=10, batch=3, listed=True, unwelcome=(5,))
SENT = "POST /api/(profile|event)-.*bulk-.*-jobs"
SUBSET: tuple[Scenario, ...] = (
    PROFILES,
    replace(PROFILES, pointers="none"),
    replace(PROFILES, jobs=(JobEnd("cancelled"),)),
    replace(PROFILES, jobs=(JobEnd(fail=(1,)),)),
    replace(PROFILES, jobs=(JobEnd(fail=(1,)),), plain=True),
    replace(PROFILES, jobs=(JobEnd("cancelled"),) * 4, troubles=(Trouble("job", "404", times=9),)),
    replace(PROFILES, kills=(Kill(2, "after", SENT),)),
    replace(PROFILES, kills=(Kill(2, "after", "note .*:bulk"),)),
    EVENTS,
    replace(EVENTS, kills=(Kill(2, "after", SENT),)),
    replace(EVENTS, troubles=(Trouble("bulk", "500, done"), Trouble("bulk", "timeout, done", skip=1))),
    replace(EVENTS, reading="refuse", foreign=4),
    replace(EVENTS, remember=False, kills=(Kill(3, "after", SENT), Kill(1, "before", SENT))),
    CONSENT,
    replace(CONSENT, kills=(Kill(1, "after", SENT),)),
    replace(CONSENT, troubles=(Trouble("yes", "timeout, not done"), Trouble("yes", "500, done", skip=2))),
)


def first_failure(at: Bench) -> str:
    """Run the scenarios until one fails; return how it failed, or nothing."""
    for scenario in SUBSET:
        try:
            at.check(scenario)
        except Exception:  # noqa: BLE001 - a broken engine breaks in any way
            return f"{scenario}\n{traceback.format_exc(limit=-2)}"
    return ""


def main() -> int:
    """Run the scenarios on the package that is imported."""
    logging.disable()
    with tempfile.TemporaryDirectory(prefix="klaviyo-subset-") as folder, bench(Path(folder)) as at:
        failed = first_failure(at)
    print(json.dumps({"package": str(Path(airflow_provider_klaviyo.__file__).parent), "failed": failed}))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())

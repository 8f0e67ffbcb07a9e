# SPDX-License-Identifier: Apache-2.0
"""The kinds of loads that the fault suite disturbs."""

from __future__ import annotations

from collections.abc import Mapping

from tests.faults.subject import Subject
from tests.faults.subject_consent import CONSENT
from tests.faults.subject_events import EVENTS
from tests.faults.subject_profiles import MEMBERS, PROFILES

SUBJECTS: Mapping[str, Subject] = {"profiles": PROFILES, "events": EVENTS, "members": MEMBERS, "consent": CONSENT}

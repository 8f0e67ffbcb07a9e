# SPDX-License-Identifier: Apache-2.0
"""A load and what befalls it, as a value: whoever prints it can have it again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from tests.faults.troubles import Trouble
from tests.faults.worker import Death


@dataclass(frozen=True, slots=True)
class Kill:
    """
    The end of a try.

    :param at: The step at which it ends, from 1 on: a note, a file, a request. Beyond its last step, it lives.
    :param how: How it ends there.
    :param what: A pattern of the steps that are counted; all by default.
    """

    at: int
    how: Death = "before"
    what: str = ""


@dataclass(frozen=True, slots=True)
class JobEnd:
    """
    How one of Klaviyo's jobs ends, in the order in which they are made.

    :param status: ``complete``, or ``cancelled`` with none of its rows imported.
    :param fail: Rows that fail, by place.
    """

    status: str = "complete"
    fail: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """
    A load, the world it finds, and what befalls it.

    :param kind: What is loaded.
    :param rows: How many rows there are to be sent.
    :param batch: How many a request takes.
    :param in_flight: How many requests at once.
    :param messy: Whether there are rows that never leave: skipped, repeated, impossible ones.
    :param listed: Whether profiles go to a list.
    :param remember: Whether loads know what those before them have sent.
    :param verify: Whether it is read back what was sent.
    :param identity_conflict: What becomes of rows whose phone number is somebody else's.
    :param reading: What Klaviyo does with a ``unique_id`` that was sent before.
    :param pointers: How much Klaviyo tells of what is wrong with a request.
    :param plain: Whether import errors say which row they are about.
    :param unwelcome: Rows that Klaviyo refuses with their whole request, by place.
    :param conflicts: Rows whose phone number is somebody else's, so that they fail in Klaviyo's job, by place.
    :param foreign: Events that another client has sent before.
    :param known: Events that an earlier load has sent.
    :param job_seconds: How long a job takes.
    :param crowd: Jobs of other clients in the list of jobs.
    :param jobs: How the first jobs end.
    :param troubles: What befalls requests.
    :param kills: How the first tries end.
    :param lost: Whether the stage is gone after the first try that did not come to its end: the next is on another machine.
    """

    kind: str
    rows: int = 14
    batch: int = 5
    in_flight: int = 1
    messy: bool = True
    listed: bool = False
    remember: bool = True
    verify: bool = False
    identity_conflict: Literal["reject", "drop_phone"] = "reject"
    reading: Literal["drop", "refuse"] = "drop"
    pointers: Literal["all", "first", "none"] = "all"
    plain: bool = False
    unwelcome: tuple[int, ...] = ()
    conflicts: tuple[int, ...] = ()
    foreign: int = 0
    known: int = 0
    job_seconds: float = 0.0
    crowd: int = 0
    jobs: tuple[JobEnd, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    kills: tuple[Kill, ...] = ()
    lost: bool = False

    def undisturbed(self) -> Scenario:
        """Return the same load in the same world, without anything that befalls it."""
        return replace(self, jobs=(), troubles=(), kills=(), lost=False, in_flight=1, job_seconds=0.0, crowd=0)

    @property
    def lied_to(self) -> bool:
        """Whether Klaviyo refuses, or fails, rows that are sound."""
        return any(each.nature.lies for each in self.troubles) or any(each.fail for each in self.jobs)

    @property
    def undecidable(self) -> bool:
        """Whether something happens to Klaviyo's jobs after which nobody can know what became of their rows."""
        hidden = any((each.step, each.what) in {("job", "404"), ("find", "200 and nothing")} for each in self.troubles)
        return hidden or any(each.status != "complete" or (each.fail and self.plain) for each in self.jobs)

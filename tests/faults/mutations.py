# SPDX-License-Identifier: Apache-2.0
"""
Ways to break the engine on purpose, each a small change of one file, to see whether the fault suite notices.

A mutation whose text is no longer in its file is an error: it has to be written anew with the code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "airflow_provider_klaviyo"


@dataclass(frozen=True, slots=True)
class Mutation:
    """
    A way to break the engine.

    :param file: The file, below ``loading``.
    :param old: What stands there, once.
    :param new: What stands there instead.
    """

    file: str
    old: str
    new: str

    def apply(self, package: Path) -> None:
        """
        Change a copy of the package.

        :param package: Its folder.
        :raises LookupError: The text does not stand there, or more than once.
        """
        path = package / "loading" / self.file
        text = path.read_text()
        if (found := text.count(self.old)) != 1:
            raise LookupError(f"{self.file} has {found} times what is to be changed, not once: write the mutation anew\n{self.old}")
        path.write_text(text.replace(self.old, self.new))


MUTATIONS: Mapping[str, Mutation] = {
    # the journal
    "skip the note of intent": Mutation(
        "submit.py",
        "        batch.state = State.INTENT\n        self.journal.record(batch)\n",
        "        batch.state = State.INTENT\n",
    ),
    "skip the note of the job's id": Mutation(
        "submit.py",
        "            self._blind = 0\n            self.journal.record(batch)\n",
        "            self._blind = 0\n",
    ),
    "finish before the jobs are read": Mutation(
        "load.py",
        "        while run.pending():\n            rounds =",
        "        while False:\n            rounds =",
    ),
    # the stage
    "read the source again": Mutation(
        "load.py",
        "return self.journal.phase is not None and self.journal.phase is not Phase.STAGING",
        "return False",
    ),
    "drop the outcomes of a refused batch": Mutation(
        "submit.py",
        "        stage.put_outcomes(name, ended)\n",
        "",
    ),
    # refusals
    "ignore pointers": Mutation(
        "refusals.py",
        "    guilty = pointed_at(error, batch.rows, lane)\n",
        "    guilty: dict[int, Fault] = {}\n",
    ),
    "reject the whole batch that is refused": Mutation(
        "refusals.py",
        "    elif blind and batch.rows == 1:\n        guilty = {0: error.faults[0] if error.faults else UNEXPLAINED}\n",
        "    elif blind:\n        guilty = {at: UNEXPLAINED for at in every}\n",
    ),
    "count the rows of a split batch twice": Mutation(
        "submit.py",
        "        batch.counts = {fate: count for fate in Fate if (count := sum(each.fate is fate for each in ended))}\n",
        "        batch.counts = {Fate.LOADED: batch.rows}\n",
    ),
    # jobs
    "ignore the count of failed rows": Mutation(
        "settle.py",
        "        failed = job.failed\n",
        "        failed = 0\n",
    ),
    "ignore failed rows that have no name": Mutation(
        "settle.py",
        "        return [*(named[at] for at in sorted(named)), *unnamed], again\n",
        "        return [*(named[at] for at in sorted(named))], again\n",
    ),
    "take a job that is gone for complete": Mutation(
        "settle.py",
        "                gone[asked] = None\n",
        "                gone[asked] = Job(asked, kind, JobStatus.COMPLETE)\n",
    ),
    "take a cancelled job for complete": Mutation(
        "settle.py",
        "        if job is None or job.status is not JobStatus.COMPLETE:\n",
        "        if job is not None and job.status is JobStatus.CANCELLED:\n            ended = []\n        elif job is None:\n",
    ),
    # doubt
    "send doubtful events in bulk again": Mutation(
        "submit.py",
        "            case State.INTENT if lane.repeatable and lane.name != SINGLE:\n",
        "            case State.INTENT if lane.name != SINGLE:\n",
    ),
    "take a 5xx for not carried out": Mutation(
        "submit.py",
        "carried_out=error.status >= HTTPStatus.INTERNAL_SERVER_ERROR)",
        "carried_out=False)",
    ),
    "take no answer for not carried out": Mutation(
        "submit.py",
        "carried_out=error.sent)",
        "carried_out=False)",
    ),
    "take consent that is in doubt for accepted": Mutation(
        "doubt.py",
        "for at, key in enumerate(keys) if not done[at]\n",
        "for at, key in enumerate(keys) if done[at] is None\n",
    ),
    "send a yes again that is in doubt": Mutation(
        "consents.py",
        '            lane("historical", SUBSCRIBE, most, repeatable=False),\n            lane("subscribe", SUBSCRIBE, most, repeatable=False),\n',
        '            lane("historical", SUBSCRIBE, most, repeatable=True),\n            lane("subscribe", SUBSCRIBE, most, repeatable=True),\n',
    ),
    # what later loads know
    "forget what earlier loads have sent": Mutation(
        "history.py",
        "            self._ledger.read(seen, load_id=load_id)\n",
        "            pass\n",
    ),
    "take for granted what is unknown": Mutation(
        "history.py",
        "            yield at, Became.UNKNOWN if ended[at] == Fate.UNKNOWN else Became.REFUSED\n",
        "            yield at, Became.TAKEN\n",
    ),
}

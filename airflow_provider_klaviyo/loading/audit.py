# SPDX-License-Identifier: Apache-2.0
"""
The audit trail: a line of JSON for each change of consent that Klaviyo is asked for, written before the request leaves.

It lies at ``<day>/<load>/<batch>.<outcome>.jsonl``. A batch begins as ``sent``; when it is known what became of it, its lines are written
under their new name, and then the old ones are removed, so that there is no moment at which a line is lost. A load that dies between the
two leaves ``sent``, which is the truth; whoever goes on, and the load at its end, brings the trail in line with the journal. A batch that is sent again has files of its own: ``<batch>~2.sent.jsonl``.
"""

from __future__ import annotations

import hmac
import json
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_klaviyo.api.values import E164
from airflow_provider_klaviyo.loading.journal import Batch, State
from airflow_provider_klaviyo.loading.rejects import check_writable
from airflow_provider_klaviyo.loading.rows import Fate
from airflow_provider_klaviyo.loading.standing import own

if TYPE_CHECKING:
    from airflow_provider_klaviyo.api.request import Json
    from airflow_provider_klaviyo.loading.plan import Folder

log = logging.getLogger(__name__)

Told = Literal["accepted", "refused", "not_sent", "unknown"]
"""What is known of a batch: Klaviyo took it, refused it, never got it; or nobody knows."""
SENT = "sent"
SHORTEST_NUMBER = 7
"""Digits of a phone number that a key may be, written in whatever way."""
DAY = re.compile(r"(\d{4})(\d{2})(\d{2})T")


def pseudonym(key: bytes, identifier: str) -> str:
    """
    Return what stands for a person in the trail: the HMAC-SHA256 of their address in lower case, or of their number in E.164 form.

    :param key: The secret, ``[klaviyo] audit_key``.
    :param identifier: The e-mail address or phone number.
    """
    return hmac.digest(key, identifier.strip().lower().encode(), "sha256").hex()


class Audit:
    """
    The audit trail of one load.

    :param folder: The folder of all loads.
    :param load_id: The load's id.
    :param who: Who makes the changes: the connection's id, the DAG's, the task's and the run's.
    :param key: A secret from which, with a person's identifier, the hash is made that stands for them; without one nothing does.
    :param identities: Whether the identifiers themselves stand there. Otherwise a row's key that is one is a hash, too, or not there.
    :param list_id: The list that people are put in who say yes.
    :param left_list: The list that people leave who say no.
    :param source: Where a yes comes from, as Klaviyo is told.
    """

    def __init__(
        self,
        folder: Folder,
        load_id: str,
        *,
        who: Json,
        key: bytes | None = None,
        identities: bool = False,
        list_id: str | None = None,
        left_list: str | None = None,
        source: str | None = None,
    ) -> None:
        # The day it began: a later try of the load has to find what an earlier one wrote.
        began = DAY.match(load_id)
        day = "-".join(began.groups()) if began else f"{datetime.now(UTC):%Y-%m-%d}"
        self._root, self._folder = folder, folder / day / load_id
        self._who, self._key, self._identities = who, key, identities
        self._lists, self._source = {"subscribe": list_id, "unsubscribe": left_list}, source
        self._names: dict[str, set[str]] | None = None
        self._noted: list[tuple[str, Told, str]] = []

    def check(self) -> None:
        """
        Find out whether the trail can be written, before anything is sent.

        :raises KlaviyoConfigError: It cannot.
        """
        check_writable("audit_path", self._root)

    def asked(self, batch: str, words: Sequence[Mapping[str, Any]], before: Sequence[str], keys: Sequence[str]) -> None:
        """
        Write down what Klaviyo is about to be asked for.

        :param batch: The batch that asks.
        :param words: What people said: ``action``, ``channel``, ``consented_at``, and what they are known by.
        :param before: What Klaviyo had of each, in a few words that name nobody.
        :param keys: What the source calls each.
        """
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        lines = [self._line(at, batch, *each) for each in zip(words, before, keys, strict=True)]
        earlier = self._last(batch)
        attempt = _attempt(earlier[0]) + self._whole(earlier[0]) if earlier else 1
        self._put(batch, f"{batch}{'' if attempt == 1 else f'~{attempt}'}.{SENT}.jsonl", lines)

    def told(self, batch: str, outcome: Told, job: str = "") -> None:
        """
        Write down what became of a batch, the last time it was sent.

        :param batch: The batch.
        :param outcome: What became of it.
        :param job: The job of Klaviyo's that works on it.
        """
        old = self._last(batch)
        if not old:
            log.warning("The audit trail of %s is not there: what became of it, %s, is not written down.", batch, outcome)
            return
        # Whoever died between writing and removing has left two, of which the first is whole.
        lines = [json.loads(line) for line in (self._folder / old[0]).read_bytes().splitlines()]
        new = f"{old[0].partition('.')[0]}.{outcome}.jsonl"
        if new != old[0]:
            told_at = datetime.now(UTC).isoformat(timespec="milliseconds")
            self._put(batch, new, [{**line, "job": job or line["job"], "outcome": outcome, "told_at": told_at} for line in lines])
        for each in old:
            if each != new:
                self._remove(batch, each)

    def note(self, batch: str, outcome: Told, job: str = "") -> None:
        """Remember what became of a batch until :meth:`write`: the journal comes first. The parameters are those of :meth:`told`."""
        self._noted.append((batch, outcome, job))

    def write(self) -> list[Exception]:
        """Write down what was noted; return what came in between. What is missing after that, :meth:`reconcile` writes."""
        errors: list[Exception] = []
        noted, self._noted = self._noted, []
        for batch, outcome, job in noted:
            try:
                self.told(batch, outcome, job)
            except Exception as error:
                log.exception("That %s is %s could not be written into the audit trail.", batch, outcome)
                errors.append(error)
        return errors

    def reconcile(self, batches: Iterable[Batch]) -> None:
        """
        Bring the trail in line with what the journal knows: a load that died may have written the one and not the other.

        :param batches: Batches, as the journal has them; nothing is written about those that were never sent.
        """
        by_name = self._files()
        for batch in batches:
            if not by_name.get(batch.name):
                continue
            last = self._last(batch.name)
            if not self._whole(last[0]):  # whoever died before its end has asked nothing
                self._remove(batch.name, last[0])
                continue
            known, trail = _outcome(batch), {_outcome_in(each) for each in last}
            settled_later = known == "unknown" and not batch.verified and "accepted" in trail
            if SENT in trail or settled_later:
                self.told(batch.name, known, batch.job)

    def _line(self, at: str, batch: str, word: Mapping[str, Any], before: str, key: str) -> Json:
        identifier = str(word[own(word)])
        return {
            "at": at,
            "by": self._who,
            "action": word["action"],
            "channel": word["channel"],
            "list": self._lists.get(word["action"]),  # suppressions hold everywhere
            "source": self._source if word["action"] == "subscribe" else None,
            "consented_at": word.get("consented_at"),
            "before": before,
            "key": key if self._identities else self._nameless(key, word),
            **({"person": pseudonym(self._key, identifier)} if self._key else {}),
            **({"identity": identifier} if self._identities else {}),
            "batch": batch,
            "job": "",
            "outcome": SENT,
        }

    def _nameless(self, key: str, word: Mapping[str, Any]) -> str | None:
        """Return a row's key, if it names nobody; an e-mail address or a phone number is hashed as a person is."""
        digits, number = re.sub(r"\D", "", key).lstrip("0"), str(word.get("phone_number") or "")
        names_somebody = "@" in key or E164.fullmatch(key.strip()) or (len(digits) >= SHORTEST_NUMBER and number.endswith(digits))
        if not names_somebody:
            return key
        return pseudonym(self._key, key) if self._key else None

    def _put(self, batch: str, name: str, lines: Sequence[Json]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (self._folder / name).write_bytes(text.encode("utf-8", "replace"))
        self._files().setdefault(batch, set()).add(name)

    def _remove(self, batch: str, name: str) -> None:
        (self._folder / name).unlink()
        self._files()[batch].discard(name)

    def _last(self, batch: str) -> list[str]:
        """Return the names of the files of a batch's last attempt, the one that was written first before the others."""
        names = self._files().get(batch, set())
        last = max(map(_attempt, names), default=0)
        return sorted((each for each in names if _attempt(each) == last), key=lambda each: not each.endswith(f".{SENT}.jsonl"))

    def _whole(self, name: str) -> bool:
        """Say whether a file was written to its end; who died before that has sent nothing."""
        return bool((self._folder / name).read_bytes().endswith(b"\n"))

    def _files(self) -> dict[str, set[str]]:
        """Return the names of the load's files by batch, listed once."""
        if self._names is None:
            self._names = {}
            with suppress(FileNotFoundError, NotADirectoryError):  # nothing is written yet
                for each in self._folder.iterdir():
                    self._names.setdefault(each.name.partition(".")[0].partition("~")[0], set()).add(each.name)
        return self._names


def _attempt(name: str) -> int:
    return int(name.partition(".")[0].partition("~")[2] or 1)


def _outcome_in(name: str) -> str:
    return name.removesuffix(".jsonl").rpartition(".")[2]


def _outcome(batch: Batch) -> Told:
    """Say what the journal knows of a batch that was sent."""
    match batch.state:
        case State.NEW:
            return "not_sent"
        case State.INTENT | State.DOUBT:
            return "unknown"
        case State.ACCEPTED:
            return "accepted"
    if Fate.UNKNOWN in batch.counts:
        return "unknown"
    return "accepted" if batch.counts.keys() & {Fate.LOADED, Fate.ACCEPTED} else "refused"

# SPDX-License-Identifier: Apache-2.0
"""The audit trail: what was asked stands there before it is asked, and whoever dies leaves the truth."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.loading.audit import Audit, Told, pseudonym
from airflow_provider_klaviyo.loading.journal import Batch, State
from airflow_provider_klaviyo.loading.rows import Fate
from tests.loading.test_object_storage import Key

LOAD = "20261120T190000-abcd1234"
KEY = b"a secret"
WHO = {"connection": "klaviyo_default", "dag_id": "crm", "task_id": "consent", "run_id": "manual__1"}
YES = {"action": "subscribe", "channel": "email.marketing", "email": "Sarah@Example.com", "consented_at": "2026-01-01T00:00:00+00:00"}
NO = {"action": "unsubscribe", "channel": "sms.marketing", "phone_number": "+14155550123", "email": "tom@example.com"}
STOP = {"action": "suppress", "channel": "email.marketing", "email": "zoë@example.com"}
Json = dict[str, Any]


def audit(folder: Any, **fields: Any) -> Audit:
    return Audit(folder, LOAD, **{"who": WHO, "key": KEY, "list_id": "VIP", "left_list": "VIP", "source": "Shopify", **fields})


def asked(trail: Audit, batch: str = "subscribe-000001", words: tuple[Json, ...] = (YES, NO, STOP)) -> None:
    trail.asked(
        batch, words, ["NEVER_SUBSCRIBED", "SUBSCRIBED 2025-01-01T00:00:00+00:00", "no profile"][: len(words)], list("123")[: len(words)]
    )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "2026-11-20" / LOAD).iterdir())


def lines(folder: Path, name: str) -> list[Json]:
    return [json.loads(line) for line in (folder / "2026-11-20" / LOAD / name).read_text(encoding="utf-8").splitlines()]


def test_a_line_says_who_asked_for_what_about_whom_and_from_where(tmp_path: Path) -> None:
    asked(audit(tmp_path))
    yes, no, stop = lines(tmp_path, "subscribe-000001.sent.jsonl")
    assert abs((datetime.now(UTC) - datetime.fromisoformat(yes.pop("at"))).total_seconds()) < 60
    assert yes == {
        "by": WHO,
        "action": "subscribe",
        "channel": "email.marketing",
        "list": "VIP",
        "source": "Shopify",
        "consented_at": "2026-01-01T00:00:00+00:00",
        "before": "NEVER_SUBSCRIBED",
        "key": "1",
        "person": hmac.new(KEY, b"sarah@example.com", hashlib.sha256).hexdigest(),
        "batch": "subscribe-000001",
        "job": "",
        "outcome": "sent",
    }
    assert (no["source"], no["consented_at"], no["person"]) == (None, None, pseudonym(KEY, "+14155550123"))
    assert (stop["list"], stop["key"]) == (None, "3")  # a suppression is about no list


def test_people_stand_there_as_a_keyed_hash_unless_it_is_said_otherwise(tmp_path: Path) -> None:
    asked(audit(tmp_path))
    assert "@" not in (tmp_path / "2026-11-20" / LOAD / "subscribe-000001.sent.jsonl").read_text(encoding="utf-8")
    asked(audit(tmp_path / "named", key=None, identities=True))
    named = lines(tmp_path / "named", "subscribe-000001.sent.jsonl")
    assert [each["identity"] for each in named] == ["Sarah@Example.com", "+14155550123", "zoë@example.com"]
    assert all("person" not in each for each in named)
    asked(audit(tmp_path / "none", key=None))
    assert all(each.keys().isdisjoint({"person", "identity"}) for each in lines(tmp_path / "none", "subscribe-000001.sent.jsonl"))


def test_one_person_has_one_hash_however_they_are_written_and_another_under_another_key() -> None:
    assert pseudonym(KEY, " SARAH@example.com ") == pseudonym(KEY, "sarah@example.com")
    assert len({pseudonym(KEY, "sarah@example.com"), pseudonym(b"other", "sarah@example.com"), pseudonym(KEY, "tom@example.com")}) == 3


@pytest.mark.parametrize("outcome", ["accepted", "refused", "not_sent", "unknown"])
def test_what_became_of_a_batch_replaces_that_it_was_sent(tmp_path: Path, outcome: Told) -> None:
    trail = audit(tmp_path)
    asked(trail)
    before = lines(tmp_path, "subscribe-000001.sent.jsonl")
    trail.told("subscribe-000001", outcome, "JOB1")
    assert names(tmp_path) == [f"subscribe-000001.{outcome}.jsonl"]
    after = lines(tmp_path, f"subscribe-000001.{outcome}.jsonl")
    assert all(datetime.fromisoformat(each.pop("told_at")) >= datetime.fromisoformat(each["at"]) for each in after)
    assert after == [{**each, "outcome": outcome, "job": "JOB1"} for each in before]


def test_the_next_try_tells_on_another_machine_what_became_of_it(tmp_path: Path) -> None:
    asked(audit(tmp_path))
    audit(tmp_path).told("subscribe-000001", "unknown")
    assert names(tmp_path) == ["subscribe-000001.unknown.jsonl"]


def test_what_is_told_later_counts_and_keeps_the_job(tmp_path: Path) -> None:
    trail = audit(tmp_path)
    asked(trail, "suppress-000001")
    trail.told("suppress-000001", "accepted", "JOB1")
    before = lines(tmp_path, "suppress-000001.accepted.jsonl")
    trail.told("suppress-000001", "accepted", "JOB1")
    assert lines(tmp_path, "suppress-000001.accepted.jsonl") == before
    trail.told("suppress-000001", "unknown")
    assert names(tmp_path) == ["suppress-000001.unknown.jsonl"]
    assert {each["job"] for each in lines(tmp_path, "suppress-000001.unknown.jsonl")} == {"JOB1"}


def test_a_batch_that_is_sent_again_leaves_what_is_known_of_the_first_time(tmp_path: Path) -> None:
    asked(audit(tmp_path), "unsubscribe-000001")  # and dies
    trail = audit(tmp_path)
    asked(trail, "unsubscribe-000001")
    trail.told("unsubscribe-000001", "accepted")
    asked(trail, "unsubscribe-000001")
    assert names(tmp_path) == ["unsubscribe-000001.sent.jsonl", "unsubscribe-000001~2.accepted.jsonl", "unsubscribe-000001~3.sent.jsonl"]


def test_batches_and_their_parts_are_not_mixed_up(tmp_path: Path) -> None:
    trail = audit(tmp_path)
    for batch in ("subscribe-000001", "subscribe-000001a", "subscribe-000001ab", "subscribe-000011"):
        asked(trail, batch)
    trail.told("subscribe-000001", "refused")
    trail.told("subscribe-000001a", "accepted")
    assert names(tmp_path) == [
        "subscribe-000001.refused.jsonl",
        "subscribe-000001a.accepted.jsonl",
        "subscribe-000001ab.sent.jsonl",
        "subscribe-000011.sent.jsonl",
    ]


def test_who_died_while_telling_has_lost_nothing(tmp_path: Path) -> None:
    asked(audit(tmp_path))
    folder = tmp_path / "2026-11-20" / LOAD
    sent = (folder / "subscribe-000001.sent.jsonl").read_bytes()
    for length in range(0, len(sent) + 1, 97):
        (folder / "subscribe-000001.sent.jsonl").write_bytes(sent)
        (folder / "subscribe-000001.accepted.jsonl").write_bytes(sent[:length])
        for outcome in ("accepted", "unknown"):
            audit(tmp_path).told("subscribe-000001", outcome)
            assert names(tmp_path) == [f"subscribe-000001.{outcome}.jsonl"]
            assert [each["key"] for each in lines(tmp_path, f"subscribe-000001.{outcome}.jsonl")] == ["1", "2", "3"]


def test_who_died_while_writing_down_what_to_ask_has_asked_nothing(tmp_path: Path) -> None:
    asked(audit(tmp_path))
    path = tmp_path / "2026-11-20" / LOAD / "subscribe-000001.sent.jsonl"
    whole = path.read_bytes()
    for length in (0, 1, len(whole) - 1):
        path.write_bytes(whole[:length])
        asked(audit(tmp_path))
        assert names(tmp_path) == ["subscribe-000001.sent.jsonl"]
        assert len(lines(tmp_path, "subscribe-000001.sent.jsonl")) == 3


def test_what_was_never_asked_is_told_to_the_log_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    audit(tmp_path).told("subscribe-000009", "accepted")
    assert "subscribe-000009" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_a_load_whose_id_has_no_day_is_filed_under_today(tmp_path: Path) -> None:
    Audit(tmp_path, "mine", who=WHO).asked("b", [YES], [""], ["1"])
    (day,) = tmp_path.iterdir()
    assert abs((datetime.now(UTC).date() - datetime.fromisoformat(day.name).date()).days) <= 1


def test_a_folder_that_cannot_be_written_is_found_out_beforehand(tmp_path: Path) -> None:
    audit(tmp_path / "new").check()
    assert list((tmp_path / "new").iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(KlaviyoConfigError, match="audit_path"):
        audit(tmp_path / "file").check()


def test_an_object_store_keeps_it(tmp_path: Path) -> None:
    bucket: dict[str, bytes] = {}
    trail = audit(Key(bucket, "bucket/audit"))
    trail.check()
    asked(trail)
    audit(Key(bucket, "bucket/audit")).told("subscribe-000001", "accepted")
    assert list(bucket) == [f"bucket/audit/2026-11-20/{LOAD}/subscribe-000001.accepted.jsonl"]


@pytest.mark.parametrize(
    ("batch", "outcome"),
    [
        (Batch("b", 3), "not_sent"),
        (Batch("b", 3, State.INTENT), "unknown"),
        (Batch("b", 3, State.DOUBT), "unknown"),
        (Batch("b", 3, State.ACCEPTED, "JOB1"), "accepted"),
        (Batch("b", 3, State.SPLIT, counts={Fate.REJECTED: 1}), "refused"),
        (Batch("b", 3, State.SETTLED, counts={Fate.REJECTED: 3}), "refused"),
        (Batch("b", 3, State.SETTLED, counts={Fate.ACCEPTED: 3}), "accepted"),
        (Batch("b", 3, State.SETTLED, "JOB1", counts={Fate.LOADED: 2, Fate.UNKNOWN: 1}), "unknown"),
    ],
)
def test_what_a_dead_load_left_open_is_brought_in_line_with_the_journal(tmp_path: Path, batch: Batch, outcome: str) -> None:
    asked(audit(tmp_path), "b")
    asked(audit(tmp_path), "other")
    audit(tmp_path).reconcile([batch, Batch("never sent", 1)])
    assert names(tmp_path) == [f"b.{outcome}.jsonl", "other.sent.jsonl"]
    assert {each["job"] for each in lines(tmp_path, f"b.{outcome}.jsonl")} == {batch.job}


def test_what_the_trail_knows_already_stays(tmp_path: Path) -> None:
    trail = audit(tmp_path)
    for batch, outcome in (("a", "not_sent"), ("b", "unknown"), ("c", "accepted"), ("d", "accepted")):
        asked(trail, batch)
        trail.told(batch, outcome)  # type: ignore[arg-type]
    unknown = {Fate.UNKNOWN: 3}
    audit(tmp_path).reconcile(
        [
            Batch("a", 3, State.SETTLED, counts={Fate.UNCHANGED: 3}),  # they were found to hold when it was to be sent again
            Batch("b", 3, State.SETTLED, counts={Fate.UNCHANGED: 3}),
            Batch("c", 3, State.SETTLED, counts=unknown, verified=True),  # Klaviyo took it, and does not show it
            Batch("d", 3, State.SETTLED, counts=unknown),  # its job did not end well
        ]
    )
    assert names(tmp_path) == ["a.not_sent.jsonl", "b.unknown.jsonl", "c.accepted.jsonl", "d.unknown.jsonl"]


def test_a_line_that_was_cut_off_is_no_trail_of_anything(tmp_path: Path) -> None:
    asked(audit(tmp_path), "b")
    path = tmp_path / "2026-11-20" / LOAD / "b.sent.jsonl"
    path.write_bytes(path.read_bytes()[:-1])
    audit(tmp_path).reconcile([Batch("b", 3)])
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "key", ["sarah@example.com", "+14155550123", "14155550123", "(415) 555-0123", "sarah@example.com, 2", "Sarah <sarah@example.com>"]
)
def test_a_key_that_names_somebody_is_hashed_or_left_out(tmp_path: Path, key: str) -> None:
    for folder, more in (("hashed", {}), ("left out", {"key": None}), ("named", {"identities": True})):
        audit(tmp_path / folder, **more).asked("b", [NO], [""], [key])
    written = {folder: lines(tmp_path / folder, "b.sent.jsonl")[0]["key"] for folder in ("hashed", "left out", "named")}
    assert written == {"hashed": pseudonym(KEY, key), "left out": None, "named": key}


@pytest.mark.parametrize("key", ["row 7", "1042", "crm-20261120-0001", "0123", "14155550124"])
def test_a_key_that_names_nobody_stays(tmp_path: Path, key: str) -> None:
    audit(tmp_path).asked("b", [NO], [""], [key])
    assert lines(tmp_path, "b.sent.jsonl")[0]["key"] == key


def test_the_folder_is_listed_once(tmp_path: Path) -> None:
    bucket: dict[str, bytes] = {}
    listed: list[str] = []

    class Listed(Key):
        def __truediv__(self, name: str) -> Key:
            return Listed(self.bucket, f"{self.path}/{name}")

        def iterdir(self) -> Any:
            listed.append(self.path)
            return super().iterdir()

    trail = audit(Listed(bucket, "bucket/audit"))
    for at in range(5):
        asked(trail, f"b{at}")
        trail.told(f"b{at}", "accepted")
    trail.reconcile([Batch(f"b{at}", 3, State.SETTLED, counts={Fate.ACCEPTED: 3}) for at in range(5)])
    assert len(listed) == 1

# SPDX-License-Identifier: Apache-2.0
"""What a load remembers: names it met, events it sent, and how far it came."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klaviyo.api.errors import KlaviyoLoadFailed
from airflow_provider_klaviyo.loading import Fate, LoadReport, Plan
from airflow_provider_klaviyo.loading.journal import Batch, Journal, Phase, State
from airflow_provider_klaviyo.loading.ledger import Ledger, Sent
from airflow_provider_klaviyo.loading.seen import seen
from tests.loading.kit import KeptStore, accounted

ONE, TWO, THREE = b"\x00" * 8, b"\xff" * 8, b"\x80" + b"\x00" * 7
NINETY = timedelta(days=90)


@given(st.lists(st.tuples(st.binary(min_size=8, max_size=8), st.integers(0, 2))))
def test_names_are_kept_as_a_dictionary_would(names: list[tuple[bytes, int]]) -> None:
    with seen() as known:
        model: dict[bytes, int] = {}
        for name, how in names:
            assert known.add(name, how) is (name not in model)
            model.setdefault(name, how)
        known.update([name for name, _ in names], 9)
        assert all(known.get(name) == 9 for name in model)
        assert known.get(b"unheard!") is None


def ledger_says(folder: Path, load_id: str = "mine", **when: Any) -> dict[bytes, int | None]:
    with seen() as known:
        Ledger(folder, NINETY).read(known, load_id=load_id, **when)
        return {name: known.get(name) for name in (ONE, TWO, THREE)}


def test_what_was_begun_is_in_doubt_until_it_is_finished(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "sent", NINETY)
    assert ledger_says(tmp_path / "sent") == {ONE: None, TWO: None, THREE: None}
    ledger.begin("other", [ONE, TWO, THREE])
    assert ledger_says(tmp_path / "sent") == {ONE: Sent.DOUBT, TWO: Sent.DOUBT, THREE: Sent.DOUBT}
    ledger.finish("other", [ONE], [TWO])
    assert ledger_says(tmp_path / "sent") == {ONE: Sent.ACCEPTED, TWO: Sent.DOUBT, THREE: None}
    ledger.finish("other", [ONE, TWO], [])
    assert ledger_says(tmp_path / "sent") == {ONE: Sent.ACCEPTED, TWO: Sent.ACCEPTED, THREE: None}


def test_a_load_does_not_meet_itself_and_accepted_wins_over_anothers_doubt(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, NINETY)
    ledger.begin("mine", [ONE])
    assert ledger_says(tmp_path)[ONE] is None
    ledger.finish("a", [TWO], [])
    ledger.begin("b", [TWO])
    assert ledger_says(tmp_path)[TWO] == Sent.ACCEPTED


def test_ids_are_kept_for_a_window_and_files_of_others_for_good(tmp_path: Path) -> None:
    (tmp_path / ".DS_Store").write_bytes(b"not ours")
    (tmp_path / "00000000-notes.txt").write_bytes(b"not ours")
    Ledger(tmp_path, NINETY).finish("other", [ONE], [TWO])
    now = datetime.now(UTC)
    assert ledger_says(tmp_path, now=now + timedelta(days=89))[ONE] == Sent.ACCEPTED
    assert ledger_says(tmp_path, now=now + timedelta(days=92)) == {ONE: None, TWO: None, THREE: None}
    assert sorted(path.name for path in tmp_path.iterdir()) == [".DS_Store", "00000000-notes.txt"]


def test_a_file_that_another_load_takes_away_meanwhile_is_no_reason_to_fail(tmp_path: Path) -> None:
    """A concurrent load that ends turns its doubt into acceptance, between our listing and our reading."""
    Ledger(tmp_path, NINETY).begin("other", [ONE])

    class Vanishing(type(tmp_path)):  # type: ignore[misc]
        def open(self, mode: str = "r") -> Any:
            if self.name.endswith(".doubt"):
                Ledger(tmp_path, NINETY).finish("other", [ONE], [])
            return super().open(mode)

    with seen() as known:
        Ledger(Vanishing(tmp_path), NINETY).read(known, load_id="mine")
        assert known.get(ONE) == Sent.ACCEPTED


def test_the_journal_gives_back_what_it_was_given() -> None:
    store = KeptStore()
    journal = Journal(store)
    assert (journal.load_id, journal.phase, journal.report, journal.batch("b", 7)) == ("", None, None, Batch("b", 7))
    journal.write(Phase.STAGING, load_id="L")
    journal.write(Phase.STAGED)
    batch = Batch("b", 7, State.SPLIT, "J", ("ba", "bb"), {Fate.REJECTED: 2})
    journal.record(batch)
    again = Journal(store)
    assert (again.load_id, again.phase, again.batch("b"), again.batch("c", 1)) == ("L", Phase.STAGED, batch, Batch("c", 1))
    journal.write(Phase.STAGING, load_id="M")
    assert again.batch("b", 3) == Batch("b", 3)  # another load's batch of the same name


COUNTS = st.fixed_dictionaries({fate.value: st.integers(0, 50) for fate in Fate})


def reported(counts: dict[str, int], **fields: Any) -> LoadReport:
    return LoadReport(kind="profiles", **{"read": sum(counts.values()), **counts, **fields})


@given(COUNTS, st.integers(-3, 3))
def test_a_report_is_accounted_for_if_it_adds_up_and_only_then(counts: dict[str, int], off: int) -> None:
    report = reported(counts, read=sum(counts.values()) + off)
    assert report.accounted is (off == 0)
    assert LoadReport.of(report.as_json()) == report
    if off:
        with pytest.raises(KlaviyoLoadFailed, match="do not add up"):
            report.check(Plan(kind="profiles", staging_path=Path(), allowed_rejects=10**9))


@pytest.mark.parametrize(
    ("rejected", "read", "allowed", "passes"),
    [
        (0, 0, 0, True),
        (1, 10, 0, False),
        (2, 10, 2, True),
        (3, 10, 2, False),
        (1, 10, 0.1, True),
        (2, 10, 0.1, False),
        (1, 1, 1, True),
        (5, 5, 1, False),
        (2, 100, 0.015, False),
    ],
)
def test_rejects_may_be_as_many_as_the_plan_says(rejected: int, read: int, allowed: float, passes: bool) -> None:
    report = LoadReport(kind="profiles", read=read, loaded=read - rejected, rejected=rejected)
    plan = Plan(kind="profiles", staging_path=Path(), allowed_rejects=allowed)
    if passes:
        assert report.check(plan) is report
    else:
        with pytest.raises(KlaviyoLoadFailed, match="were rejected") as failed:
            report.check(plan)
        assert failed.value.permanent


def test_what_nobody_knows_fails_whatever_is_allowed() -> None:
    report = LoadReport(kind="profiles", read=2, loaded=1, unknown=1, rejects_path="s3://bucket/rejects")
    with pytest.raises(KlaviyoLoadFailed, match=r"nobody knows whether 1 rows were loaded.*s3://bucket/rejects"):
        report.check(Plan(kind="profiles", staging_path=Path(), allowed_rejects=10**9))


def test_the_helper_that_checks_sums_would_notice() -> None:
    accounted(LoadReport(kind="profiles"))
    with pytest.raises(AssertionError):
        accounted(LoadReport(kind="profiles", read=1))
    with pytest.raises(AssertionError):
        accounted(LoadReport(kind="profiles", read=1, rejected=1))  # not in the rejects file

# SPDX-License-Identifier: Apache-2.0
"""A list is made to have exactly the people that rows name, and nobody is taken out by mistake."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError, KlaviyoError, KlaviyoLoadFailed
from airflow_provider_klaviyo.loading import Reject, preview
from airflow_provider_klaviyo.loading import load as load_rows
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from tests.loading.kit import PROFILE_JOBS, KeptStore, Killed, accounted, held, load, new_list, people, plan, rejects, session, untouchable


def filled(sandbox: SandboxServer, folder: Path, count: int = 10) -> str:
    """Make a list with so many members."""
    list_id = new_list(sandbox)
    load(sandbox, people(count), plan("profiles", folder, list_id=list_id))
    sandbox.klaviyo.requests.clear()
    return list_id


def members(sandbox: SandboxServer) -> set[str]:
    return {who for _, who in held(sandbox)["members"]}


def addresses(*numbers: int) -> list[dict[str, Any]]:
    return [{"email": f"p{at:05d}@example.com"} for at in numbers]


def ids(sandbox: SandboxServer) -> dict[str, str]:
    with sandbox.klaviyo.lock:
        return dict(sandbox.klaviyo.db.execute("SELECT email, id FROM profiles").fetchall())


def previewed(sandbox: SandboxServer, rows: Any, made: Any) -> Any:
    with session(sandbox) as api:
        return preview(rows, made, api)


def test_who_is_missing_is_added_and_who_is_not_named_is_taken_out(klaviyo: SandboxServer, tmp_path: Path) -> None:
    list_id = filled(klaviyo, tmp_path)
    report = load(klaviyo, addresses(0, 1, 2, 3, 4, 5, 6, 20, 21, 5), plan("members", tmp_path, list_id=list_id))
    assert (report.read, report.unchanged, report.loaded, report.duplicate, report.removed) == (10, 7, 2, 1, 3)
    assert members(klaviyo) == {each["email"] for each in addresses(0, 1, 2, 3, 4, 5, 6, 20, 21)}
    assert str(report).endswith("; 3 removed from the list")
    assert sum(count for name, count in klaviyo.klaviyo.requests.items() if name.startswith("DELETE /api/lists/")) == 1
    again = load(klaviyo, addresses(0, 1, 2, 3, 4, 5, 6, 20, 21), plan("members", tmp_path, list_id=list_id))
    assert (again.unchanged, again.removed, klaviyo.klaviyo.requests[PROFILE_JOBS]) == (9, 0, 1)


def test_people_are_named_by_any_identifier(klaviyo: SandboxServer, tmp_path: Path) -> None:
    list_id = new_list(klaviyo)
    rows = [{"email": "Ann@Example.com"}, {"phone_number": "+14155552671"}, {"external_id": "x1"}, {"email": "bob@example.com"}]
    load(klaviyo, rows, plan("profiles", tmp_path, list_id=list_id))
    named = [{"email": "ann@example.com"}, {"phone_number": "+14155552671"}, {"external_id": "x1"}, {"id": ids(klaviyo)["bob@example.com"]}]
    report = load(klaviyo, named, plan("members", tmp_path, list_id=list_id))
    assert (report.unchanged, report.removed, report.loaded) == (4, 0, 0)


def test_by_ids_an_unknown_one_is_a_rejected_row(klaviyo: SandboxServer, tmp_path: Path) -> None:
    list_id = filled(klaviyo, tmp_path, 3)
    load(klaviyo, people(1, start=50), plan("profiles", tmp_path))
    known = ids(klaviyo)
    rows = [*({"id": known[each["email"]]} for each in addresses(0, 1, 2, 50)), {"id": "01JNOBODY"}]
    report = load(klaviyo, rows, plan("members", tmp_path, list_id=list_id, allowed_rejects=1))
    assert (report.unchanged, report.loaded, report.rejected) == (3, 1, 1)
    assert rejects(report)[-1]["key"] == "row 5"
    assert len(members(klaviyo)) == 4


@pytest.mark.parametrize(("most", "goes"), [(0.3, True), (0.29, False), (3, True), (2, False), (0, False), (None, True)])
def test_more_removals_than_allowed_change_nothing(klaviyo: SandboxServer, tmp_path: Path, most: float | None, goes: bool) -> None:
    list_id = filled(klaviyo, tmp_path)
    made = plan("members", tmp_path, list_id=list_id, max_change=most)
    if goes:
        assert load(klaviyo, addresses(*range(7)), made).removed == 3
        return
    with pytest.raises(KlaviyoConfigError, match=r"3 of the list's 10 members .* raise max_change"):
        load(klaviyo, [*addresses(*range(7)), *addresses(30)], made)
    assert members(klaviyo) == {each["email"] for each in addresses(*range(10))}
    assert not [name for name in klaviyo.klaviyo.requests if not name.startswith("GET ")]


def test_an_empty_source_empties_no_list(klaviyo: SandboxServer, tmp_path: Path) -> None:
    list_id = filled(klaviyo, tmp_path)
    for rows in ([], [{"email": "broken"}]):
        with pytest.raises(KlaviyoConfigError, match="would be emptied"):
            load(klaviyo, rows, plan("members", tmp_path, list_id=list_id, max_change=1))
    assert len(members(klaviyo)) == 10


BROKEN = [
    {"email": "p00009@example.com", "phone_number": "12"},
    Reject("10", "unreadable", "the line is no JSON"),
]


@pytest.mark.parametrize("broken", BROKEN, ids=["by the check", "by the source"])
def test_a_row_that_cannot_be_read_costs_nobody_the_membership(klaviyo: SandboxServer, tmp_path: Path, broken: Any) -> None:
    list_id = filled(klaviyo, tmp_path)
    rows = [*addresses(*range(9), 30), broken]
    made = plan("members", tmp_path, list_id=list_id, on_invalid="reject_row")
    for look in (load, previewed):
        with pytest.raises(KlaviyoConfigError, match=r"1 of 11 rows are rejected \(.*: 1\).* 1 of the list's members .* allowed_rejects"):
            look(klaviyo, rows, made)
    assert members(klaviyo) == {each["email"] for each in addresses(*range(10))}
    assert not [name for name in klaviyo.klaviyo.requests if not name.startswith("GET ")]


@pytest.mark.parametrize("broken", BROKEN, ids=["by the check", "by the source"])
def test_where_rejects_are_allowed_people_are_only_added(
    klaviyo: SandboxServer, tmp_path: Path, broken: Any, caplog: pytest.LogCaptureFixture
) -> None:
    list_id = filled(klaviyo, tmp_path)
    made = plan("members", tmp_path, list_id=list_id, on_invalid="reject_row", allowed_rejects=1)
    with caplog.at_level(logging.WARNING):
        report = load(klaviyo, [*addresses(*range(8), 30), broken], made)
    assert (report.unchanged, report.loaded, report.rejected, report.removed) == (8, 1, 1, 0)
    assert members(klaviyo) == {each["email"] for each in addresses(*range(10), 30)}
    assert "nobody is taken out; 2 of the list's members" in caplog.text
    assert "example.com" not in caplog.text
    mended = load(klaviyo, addresses(*range(8), 30), made)
    assert mended.removed == 2


def test_a_rejected_row_does_not_matter_where_nobody_would_be_taken_out(klaviyo: SandboxServer, tmp_path: Path) -> None:
    list_id = filled(klaviyo, tmp_path, 2)
    with pytest.raises(KlaviyoLoadFailed, match="rejected"):
        load(klaviyo, [*addresses(0, 1, 30), {"email": "broken"}], plan("members", tmp_path, list_id=list_id))
    assert len(members(klaviyo)) == 3


def test_some_of_the_rows_make_no_list(klaviyo: SandboxServer, tmp_path: Path) -> None:
    list_id = filled(klaviyo, tmp_path)
    (tmp_path / "rejects.jsonl").write_text('{"key": "row 11", "fate": "rejected"}\n')
    fields = {"list_id": list_id, "retry_rejects": tmp_path / "rejects.jsonl", "max_change": 1000}
    with pytest.raises(KlaviyoConfigError, match="retry_rejects"):
        load(klaviyo, addresses(*range(10), 20), plan("members", tmp_path, **fields))
    assert len(members(klaviyo)) == 10


def test_who_was_taken_out_is_looked_for_in_one_walk_through_the_list(klaviyo: SandboxServer, tmp_path: Path) -> None:
    list_id = filled(klaviyo, tmp_path, 150)
    made = plan("members", tmp_path, list_id=list_id, verify=True, settle_seconds=0.0, max_batch_items=5)
    report = load(klaviyo, addresses(*range(130)), made)
    assert (report.unchanged, report.removed, report.unknown) == (130, 20, 0)
    assert klaviyo.klaviyo.requests["GET /api/lists/{id}/relationships/profiles"] == 2, "pages of a hundred"


def test_who_is_still_shown_is_looked_for_again(klaviyo: SandboxServer, tmp_path: Path) -> None:
    """What was read of the list is not taken for what it is later."""
    list_id = filled(klaviyo, tmp_path)
    known = [{"type": "profile", "id": each} for each in ids(klaviyo).values()]
    stale = klaviyo.fail(method="GET", path="relationships/profiles", status=200, body={"data": known, "links": {"next": None}}, times=2)
    made = plan("members", tmp_path, list_id=list_id, verify=True, settle_seconds=60.0, max_batch_items=2)
    report = load(klaviyo, addresses(*range(6)), made)
    assert (report.removed, report.unknown, stale.hits) == (4, 0, 2)


def test_a_preview_counts_both_ways_and_changes_nothing(klaviyo: SandboxServer, tmp_path: Path) -> None:
    list_id = filled(klaviyo, tmp_path)
    with session(klaviyo) as api:
        report = preview(addresses(*range(8), 30), plan("members", tmp_path, list_id=list_id), api)
    assert (report.read, report.unchanged, report.removed, len(report.payloads)) == (9, 8, 2, 1)
    assert not [name for name in klaviyo.klaviyo.requests if not name.startswith("GET ")]


def test_a_row_says_nothing_else_of_anybody(klaviyo: SandboxServer, tmp_path: Path) -> None:
    list_id = filled(klaviyo, tmp_path, 2)
    with pytest.raises(KlaviyoConfigError, match="'first_name'"):
        load(klaviyo, [{"email": "a@example.com", "first_name": "Ann"}], plan("members", tmp_path, list_id=list_id))


def test_killed_at_every_step_it_ends_the_same(klaviyo: SandboxServer, tmp_path: Path) -> None:
    kills = 0
    while True:
        kills += 1
        klaviyo.reset()
        klaviyo.klaviyo.behaviour.job_seconds = 0
        folder = tmp_path / str(kills)
        list_id = filled(klaviyo, folder)
        rows, store = addresses(*range(6), *range(20, 26)), KeptStore(kill_at=kills)
        made = plan("members", folder, list_id=list_id, max_batch_items=2, in_flight=1)
        with session(klaviyo) as api:
            try:
                load_rows(api, rows, made, store=store, sleep=lambda _: None)
            except Killed:
                source: Iterator[Any] = untouchable() if store.get("load", {}).get("phase") == "staged" else iter(rows)
                store.revive()
                report = accounted(load_rows(api, source, made, store=store, sleep=lambda _: None))
            else:
                break
        assert (report.unchanged, report.loaded, report.removed) == (6, 6, 4), f"killed at write {kills}"
        assert members(klaviyo) == {each["email"] for each in rows}
    assert kills > 8


def test_a_list_that_goes_meanwhile_stops_the_load(klaviyo: SandboxServer, tmp_path: Path) -> None:
    list_id = filled(klaviyo, tmp_path, 4)

    def rows() -> Iterator[dict[str, Any]]:
        yield from addresses(0, 1, 2)
        with session(klaviyo) as api:
            from airflow_provider_klaviyo.api import lists

            api.send(lists.delete(list_id=list_id))

    with pytest.raises((KlaviyoError, KlaviyoLoadFailed)):
        load(klaviyo, rows(), plan("members", tmp_path, list_id=list_id))

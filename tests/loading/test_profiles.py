# SPDX-License-Identifier: Apache-2.0
"""Profiles: one bad row never costs its neighbours, and every job's verdict reaches its rows."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoError, KlaviyoLoadFailed
from airflow_provider_klaviyo.loading import FieldMapping, LoadReport, Row, Skip
from airflow_provider_klaviyo.loading import load as load_rows
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from tests.loading.kit import (
    PROFILE_JOBS,
    KeptStore,
    accounted,
    emails,
    finish_jobs,
    held,
    load,
    new_list,
    people,
    plan,
    rejects,
    requests,
    session,
    untouchable,
)

POINTERS = pytest.mark.parametrize("pointers", ["all", "first", "none"])
EXPIRED = 8 * 86_400
LAX = 10**9


def spoil(sandbox: SandboxServer, places: Iterable[int]) -> None:
    """Let Klaviyo refuse some of :func:`people` for a rule of its own: there will always be some that our check does not know."""
    sandbox.klaviyo.behaviour.unwelcome = frozenset(f"p{at:05d}@example.com" for at in places)


def test_every_row_lands_once_in_the_list_and_nothing_is_left_behind(klaviyo: SandboxServer, tmp_path: Path) -> None:
    list_id = new_list(klaviyo)
    rows: list[Row | Skip] = [*people(25), *people(3), Row("bad", {"email": "bad"}), Skip("skipped", "test", "A test.")]
    report = load(klaviyo, iter(rows), plan("profiles", tmp_path, max_batch_items=10, list_id=list_id, allowed_rejects=1))
    assert (report.read, report.loaded, report.duplicate, report.rejected, report.skipped) == (30, 25, 3, 1, 1)
    assert report.reasons == {"duplicate: duplicate": 3, "rejected: no_identifier": 1, "skipped: test": 1}
    assert report.dropped == {"email: bad_email": 1}
    assert (report.batches, len(report.jobs), requests(klaviyo, PROFILE_JOBS), report.requests[PROFILE_JOBS]) == (3, 3, 3, 3)
    assert emails(klaviyo) == {row.data["email"] for row in people(25)}
    assert len(held(klaviyo)["members"]) == 25
    assert [path.name for path in (tmp_path / "stage").iterdir()] == ["rejects"]


def test_an_empty_source_sends_nothing_and_succeeds(klaviyo: SandboxServer, tmp_path: Path) -> None:
    for kind in ("profiles", "events"):
        report = load(klaviyo, [], plan(kind, tmp_path, state_path=tmp_path / "state" if kind == "events" else None))
        assert (report.read, report.rejects_path, report.jobs) == (0, "", [])
    assert set(klaviyo.klaviyo.requests) <= {"GET /api/accounts"}  # whose ledger it would be


def test_running_twice_leaves_klaviyo_as_after_the_first_run(klaviyo: SandboxServer, tmp_path: Path) -> None:
    first = load(klaviyo, people(30), plan("profiles", tmp_path, max_batch_items=7))
    after = held(klaviyo)
    second = load(klaviyo, people(30), plan("profiles", tmp_path, max_batch_items=7))
    assert first.loaded == second.loaded == 30
    assert first.load_id != second.load_id
    assert held(klaviyo) == after
    load(klaviyo, people(30, start=20), plan("profiles", tmp_path))
    assert emails(klaviyo) == {row.data["email"] for row in people(50)}


def test_template_tags_and_whatever_else_arrive_byte_for_byte(klaviyo: SandboxServer, tmp_path: Path) -> None:
    texts = ["{{ first_name }}", "{% unsubscribe %}", "{# no #}", "\u2028 \x85 \x00 \\ \" ' <b>", "😀 Zoë \ufeff", " space "]
    rows = [Row(str(at), {"external_id": str(at), "first_name": text, "properties": {text: text}}) for at, text in enumerate(texts)]
    columns = [{"n": str(at), "t": text} for at, text in enumerate(texts)]
    mapping = [FieldMapping("n", "external_id"), FieldMapping("t", "first_name"), FieldMapping("t", "properties.t")]
    for source, made, name in ((rows, plan("profiles", tmp_path), None), (columns, plan("profiles", tmp_path, mapping=mapping), "t")):
        assert load(klaviyo, source, made).loaded == len(texts)
        with session(klaviyo) as api:
            from airflow_provider_klaviyo.api import profiles

            found = {each["attributes"]["external_id"]: each["attributes"] for each in api.walk(profiles.list_())}
        for at, text in enumerate(texts):
            assert found[str(at)]["first_name"] == text
            assert found[str(at)]["properties"][name or text] == text
        klaviyo.reset()


def test_one_bad_row_among_ten_thousand_the_other_9999_load(klaviyo: SandboxServer, tmp_path: Path) -> None:
    spoil(klaviyo, {6_789})
    report = load(klaviyo, people(10_000), plan("profiles", tmp_path, allowed_rejects=1))
    assert (report.read, report.loaded, report.rejected) == (10_000, 9_999, 1)
    assert len(emails(klaviyo)) == klaviyo.klaviyo.counts()["profiles"] == 9_999
    (line,) = rejects(report)
    assert (line["key"], line["stage"], line["code"]) == ("customer 6789", "submit", "invalid")
    assert line["pointer"].endswith("/6789/attributes/email")
    assert requests(klaviyo, PROFILE_JOBS) == 2


@POINTERS
@pytest.mark.parametrize("seed", range(4))
def test_bad_rows_anywhere_cost_nobody_else(klaviyo: SandboxServer, tmp_path: Path, pointers: Any, seed: int) -> None:
    klaviyo.klaviyo.behaviour.pointers = pointers
    chance = random.Random(seed)
    bad = set(chance.sample(range(100), chance.choice([1, 2, 7, 15])))
    bad |= {(at + 1) % 100 for at in list(bad)[:2]}  # neighbours, too
    spoil(klaviyo, bad)
    report = load(klaviyo, people(100), plan("profiles", tmp_path, max_batch_items=40, allowed_rejects=0.9))
    assert (report.loaded, report.rejected) == (100 - len(bad), len(bad))
    assert sorted(line["key"] for line in rejects(report)) == sorted(f"customer {at}" for at in bad)
    assert emails(klaviyo) == {row.data["email"] for at, row in enumerate(people(100)) if at not in bad}


@POINTERS
def test_a_batch_of_nothing_but_bad_rows(klaviyo: SandboxServer, tmp_path: Path, pointers: Any) -> None:
    klaviyo.klaviyo.behaviour.pointers = pointers
    spoil(klaviyo, range(9))
    report = load(klaviyo, people(9), plan("profiles", tmp_path, allowed_rejects=9))
    assert (report.rejected, report.loaded, emails(klaviyo)) == (9, 0, set())


def test_several_hundred_bad_rows_told_one_at_a_time(klaviyo: SandboxServer, tmp_path: Path) -> None:
    """Each refusal names one row only: neither names of files nor the stack may grow with them."""
    klaviyo.klaviyo.behaviour.pointers = "first"
    bad = set(random.Random(7).sample(range(500), 300))
    spoil(klaviyo, bad)
    report = load(klaviyo, people(500), plan("profiles", tmp_path, allowed_rejects=0.9))
    assert (report.loaded, report.rejected) == (200, 300)
    assert requests(klaviyo, PROFILE_JOBS) < 2 * 500


def test_more_rejects_than_allowed_fail_the_load_after_everything_good_is_loaded(klaviyo: SandboxServer, tmp_path: Path) -> None:
    store = KeptStore()
    made = plan("profiles", tmp_path, rejects_path=tmp_path / "deep" / "rejects.jsonl")
    spoil(klaviyo, {3})
    with (
        session(klaviyo) as api,
        pytest.raises(KlaviyoLoadFailed, match="1 rows were rejected and allowed_rejects is 0; all others are loaded") as failed,
    ):
        load_rows(api, people(10), made, store=store)
    assert failed.value.permanent
    assert str(tmp_path / "deep" / "rejects.jsonl") in str(failed.value)
    assert len(emails(klaviyo)) == 9
    report = accounted(LoadReport.of(store["load"]["report"]))
    assert (report.loaded, report.rejected) == (9, 1)
    assert not (tmp_path / "stage" / report.load_id).exists()


@pytest.mark.parametrize("list_known", [True, False])
def test_a_refusal_that_is_no_rows_fault_rejects_nobody(klaviyo: SandboxServer, tmp_path: Path, list_known: bool) -> None:
    if list_known:  # Klaviyo refuses the list in a 400 that points at it
        fault = {
            "errors": [{"code": "invalid", "detail": "List is archived.", "source": {"pointer": "/data/relationships/lists/data/0/id"}}]
        }
        klaviyo.fail(path="profile-bulk-import-jobs$", method="POST", status=400, body=fault, times=3)
    store = KeptStore()
    made = plan(
        "profiles", tmp_path, list_id=new_list(klaviyo) if list_known else "ABCDEF", max_batch_items=5, in_flight=1, allowed_rejects=LAX
    )
    with session(klaviyo) as api:
        with pytest.raises(KlaviyoApiError) as refused:
            load_rows(api, people(20), made, store=store)
        assert refused.value.status == (400 if list_known else 404)
        assert emails(klaviyo) == set()
        assert requests(klaviyo, PROFILE_JOBS) == 1  # nor does it go on with the others
        klaviyo.faults.clear()
        assert not (tmp_path / "stage" / store["load"]["id"]).exists()
        mended = replace(made, list_id=new_list(klaviyo))  # the list that is refused is not sent again
        report = accounted(load_rows(api, people(20), mended, store=store))
        assert (report.loaded, report.rejected, len(held(klaviyo)["members"])) == (20, 0, 20)


@pytest.mark.parametrize("status", [400, 422])
def test_a_page_of_some_proxy_is_no_verdict_on_anybody(klaviyo: SandboxServer, tmp_path: Path, status: int) -> None:
    klaviyo.fail(path="profile-bulk-import-jobs$", status=status, body="<html>Bad request</html>", times=100)
    with session(klaviyo) as api, pytest.raises(KlaviyoApiError, match=str(status)):
        load_rows(api, people(20), plan("profiles", tmp_path, allowed_rejects=LAX))
    assert requests(klaviyo, PROFILE_JOBS) == 1


def test_a_request_too_large_for_some_proxy_goes_in_halves(klaviyo: SandboxServer, tmp_path: Path) -> None:
    klaviyo.fail(path="profile-bulk-import-jobs$", status=413, body="<html>Request Entity Too Large</html>", times=3)
    report = load(klaviyo, people(20), plan("profiles", tmp_path))
    assert (report.loaded, len(emails(klaviyo))) == (20, 20)


@pytest.mark.parametrize("plain", [False, True], ids=["named", "unnamed"])
def test_a_job_that_is_complete_but_for_some_rows(klaviyo: SandboxServer, tmp_path: Path, plain: bool) -> None:
    klaviyo.klaviyo.behaviour.plain_import_errors = plain
    klaviyo.klaviyo.next_job(fail=[0, 4, 9])
    store = KeptStore()
    made = plan("profiles", tmp_path, max_batch_items=10, allowed_rejects=LAX, in_flight=1)
    with session(klaviyo) as api:
        if plain:  # which of the ten, nobody can say
            with pytest.raises(KlaviyoLoadFailed, match="nobody knows whether 3 rows"):
                load_rows(api, people(20), made, store=store)
        else:
            load_rows(api, people(20), made, store=store)
    report = accounted(LoadReport.of(store["load"]["report"]))
    assert (report.loaded, report.rejected, report.unknown) == ((17, 0, 3) if plain else (17, 3, 0))
    named = [] if plain else ["customer 0", "customer 4", "customer 9"]
    assert [line["key"] for line in rejects(report) if line["key"]] == named
    assert {line["job"] for line in rejects(report)} == {report.jobs[0]}
    assert len(emails(klaviyo)) == 17


def test_errors_of_a_job_that_quote_the_row_but_point_nowhere(klaviyo: SandboxServer, tmp_path: Path) -> None:
    klaviyo.klaviyo.next_job(fail=[2])
    payload = {"type": "profile", "attributes": {"email": "P00002@example.com"}}
    for quoted, unnamed in ((payload, 0), (payload["attributes"], 0), ("a text", 1), ([], 1), (None, 1), ({"attributes": None}, 1)):
        klaviyo.reset()
        klaviyo.klaviyo.behaviour.job_seconds = 0
        klaviyo.klaviyo.next_job(fail=[2])
        errors = {"code": "invalid", "detail": "Invalid input.", "source": {"pointer": "/data"}, "original_payload": quoted}
        body = {"data": [{"type": "import-error", "id": "1", "attributes": errors}], "links": {"next": None}}
        klaviyo.fail(path="import-errors$", status=200, body=body)
        store = KeptStore()
        with session(klaviyo) as api:
            try:
                load_rows(api, people(5), plan("profiles", tmp_path, allowed_rejects=1), store=store)
            except KlaviyoLoadFailed:
                assert unnamed
        report = accounted(LoadReport.of(store["load"]["report"]))
        assert (report.loaded, report.rejected, report.unknown) == (4, 1 - unnamed, unnamed)


def test_several_errors_about_one_row_are_one_row(klaviyo: SandboxServer, tmp_path: Path) -> None:
    klaviyo.klaviyo.next_job(fail=[2])
    pointer = {"pointer": "/data/attributes/profiles/data/2/attributes/email"}
    for source, rejected in ((pointer, 1), ({"pointer": "/data"}, 0)):
        klaviyo.klaviyo.next_job(fail=[2])
        errors = [{"type": "import-error", "id": str(at), "attributes": {"code": "invalid", "source": source}} for at in range(3)]
        klaviyo.fail(path="import-errors$", status=200, body={"data": errors, "links": {"next": None}})
        store = KeptStore()
        with session(klaviyo) as api:
            try:
                load_rows(api, people(5), plan("profiles", tmp_path, allowed_rejects=1), store=store)
            except KlaviyoLoadFailed:
                assert not rejected
        report = accounted(LoadReport.of(store["load"]["report"]))
        assert (report.loaded, report.rejected, report.unknown) == (4, rejected, 1 - rejected)


def test_more_errors_than_a_page_holds(klaviyo: SandboxServer, tmp_path: Path) -> None:
    klaviyo.klaviyo.next_job(fail=range(0, 300, 2))
    report = load(klaviyo, people(300), plan("profiles", tmp_path, allowed_rejects=150))
    assert (report.loaded, report.rejected) == (150, 150)
    assert {line["key"] for line in rejects(report)} == {f"customer {at}" for at in range(0, 300, 2)}


def test_an_identifier_that_is_somebody_elses_is_a_rows_result(klaviyo: SandboxServer, tmp_path: Path) -> None:
    load(klaviyo, [{"email": "holder@example.com", "phone_number": "+14155552671"}], plan("profiles", tmp_path))
    rows = [{"email": "other@example.com", "phone_number": "+14155552671"}, *(row.data for row in people(3))]
    load(klaviyo, [{"email": "other@example.com"}], plan("profiles", tmp_path))
    report = load(klaviyo, rows, plan("profiles", tmp_path, allowed_rejects=1))
    assert (report.loaded, report.rejected, report.reasons) == (3, 1, {"rejected: identity_conflict": 1})


@pytest.mark.parametrize("end", ["cancelled", "expired", "short"])
def test_where_the_fate_of_rows_is_not_known_it_is_said(klaviyo: SandboxServer, tmp_path: Path, end: str) -> None:
    store = KeptStore()
    if end == "cancelled":
        klaviyo.klaviyo.next_job("cancelled")
    if end == "expired":
        klaviyo.fail(method="GET", path=r"profile-bulk-import-jobs/[^/]+$", status=404)
    klaviyo.klaviyo.behaviour.job_seconds = 3600 if end == "short" else 0

    def shorten(_: float) -> None:  # two of the rows are neither failed nor completed
        finish_jobs(klaviyo)
        with klaviyo.klaviyo.lock:
            klaviyo.klaviyo.db.execute("UPDATE jobs SET completed = 8 WHERE id = (SELECT min(id) FROM jobs)")

    with session(klaviyo) as api, pytest.raises(KlaviyoLoadFailed, match="nobody knows"):
        load_rows(
            api, people(20), plan("profiles", tmp_path, max_batch_items=10, in_flight=1, allowed_rejects=LAX), store=store, sleep=shorten
        )
    report = accounted(LoadReport.of(store["load"]["report"]))
    assert (report.loaded, report.unknown) == ((18, 2) if end == "short" else (10, 10))
    assert report.reasons == {f"unknown: {'unnamed' if end == 'short' else f'job_{end}'}": report.unknown}


def test_a_status_never_seen_raises_and_the_next_try_settles(klaviyo: SandboxServer, tmp_path: Path) -> None:
    klaviyo.klaviyo.next_job("paused")
    store, made = KeptStore(), plan("profiles", tmp_path)
    with session(klaviyo) as api:
        for _ in range(2):
            with pytest.raises(KlaviyoError, match="paused"):
                load_rows(api, people(5), made, store=store)
        with klaviyo.klaviyo.lock:
            klaviyo.klaviyo.db.execute("UPDATE jobs SET status = 'complete', completed = total")
        report = accounted(load_rows(api, untouchable(), made, store=store))
    assert (report.loaded, requests(klaviyo, PROFILE_JOBS)) == (5, 1)


def test_hundreds_of_foreign_jobs_hide_none_of_ours(klaviyo: SandboxServer, tmp_path: Path) -> None:
    klaviyo.klaviyo.behaviour.job_seconds = 3600
    made, store = plan("profiles", tmp_path, max_batch_items=1), KeptStore()
    with session(klaviyo) as api:
        foreign: list[int] = []

        def others(_: float) -> None:
            if not foreign:
                foreign.append(len(klaviyo.klaviyo.add_foreign_jobs(300, status="paused")))
                return
            finish_jobs(klaviyo)

        report = accounted(load_rows(api, people(9), made, store=store, sleep=others))
    assert foreign == [300]
    assert (report.loaded, len(report.jobs)) == (9, 9)


def test_other_clients_jobs_with_strange_words_do_not_matter(klaviyo: SandboxServer, tmp_path: Path) -> None:
    klaviyo.klaviyo.add_foreign_jobs(20, status="paused")
    report = load(klaviyo, people(12), plan("profiles", tmp_path, max_batch_items=1))
    assert report.loaded == 12

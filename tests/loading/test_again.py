# SPDX-License-Identifier: Apache-2.0
"""What is loaded again: only what was rejected, only what has changed, and nothing that went to another account."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError, KlaviyoLoadFailed
from airflow_provider_klaviyo.loading import FieldMapping, Row, preview
from airflow_provider_klaviyo.loading import load as load_rows
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from tests.loading.kit import (
    EVENT_JOBS,
    PROFILE_JOBS,
    KeptStore,
    Killed,
    emails,
    happenings,
    held,
    load,
    new_list,
    people,
    plan,
    rejects,
    requests,
    session,
)

BAD = "p00003@example.com"


@pytest.mark.parametrize("kind", ["profiles", "events"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_only_the_rejected_rows_are_loaded_again(klaviyo: SandboxServer, tmp_path: Path, kind: str, packed: bool) -> None:
    klaviyo.klaviyo.behaviour.unwelcome = frozenset({BAD})
    rows = [*(people(10) if kind == "profiles" else happenings(10)), Row("broken", {})]
    rows[-1] = Row("broken", {"email": "x"} if kind == "profiles" else {**happenings(1)[0].data, "profile": {"email": "x"}})
    file = tmp_path / "rejects.jsonl"
    with pytest.raises(KlaviyoLoadFailed, match="rejected"):
        load(klaviyo, rows, plan(kind, tmp_path, rejects_path=file))
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert {line["attempt"] for line in lines if line["key"] == "broken"} == {0}
    assert all(line["attempt"] >= 1 and line["reason"] for line in lines if line["key"] != "broken")
    if packed:
        file = tmp_path / "rejects.jsonl.gz"
        file.write_bytes(gzip.compress((tmp_path / "rejects.jsonl").read_bytes()))
    klaviyo.klaviyo.behaviour.unwelcome = frozenset()
    klaviyo.klaviyo.received.clear()
    mended = [*rows[:-1], people(1, start=77)[0] if kind == "profiles" else happenings(1, start=77)[0]]
    mended[-1] = Row("broken", mended[-1].data)
    report = load(klaviyo, mended, plan(kind, tmp_path, retry_rejects=file))
    assert report.read == len(lines)
    assert report.left_out == len(rows) - len(lines)
    assert report.loaded + report.accepted == len(lines)
    assert "p00077@example.com" in emails(klaviyo) or kind == "events"


def test_a_row_that_is_left_out_makes_no_duplicate_of_one_that_is_not(klaviyo: SandboxServer, tmp_path: Path) -> None:
    file = tmp_path / "rejects.jsonl"
    file.write_text('{"key": "second", "fate": "rejected"}\n')
    (row,) = people(1)
    report = load(klaviyo, [Row("first", row.data), Row("second", row.data)], plan("profiles", tmp_path, retry_rejects=file))
    assert (report.read, report.loaded, report.left_out) == (1, 1, 1)


def test_a_rejects_file_that_is_not_there_or_none_is_said_before_anything_is_sent(klaviyo: SandboxServer, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text('{"key": "1", "fate": "rejected"}\nnothing\n')
    for file, says in ((tmp_path / "none.jsonl", "no rejects file"), (other, "line 2")):
        with pytest.raises(KlaviyoConfigError, match=says):
            load(klaviyo, people(3), plan("profiles", tmp_path, retry_rejects=file))
    with pytest.raises(KlaviyoConfigError, match="key_field"):
        plan("profiles", tmp_path, retry_rejects=other, mapping=[FieldMapping("a", "email")])
    assert not requests(klaviyo, PROFILE_JOBS)


@pytest.mark.parametrize("option", ["rejects_path", "state_path"])
def test_a_place_that_cannot_be_written_is_found_out_before_the_first_request(klaviyo: SandboxServer, tmp_path: Path, option: str) -> None:
    (tmp_path / "file").write_text("in the way")
    place = tmp_path / "file" / "below" / "x"
    with pytest.raises(KlaviyoConfigError, match=option):
        load(klaviyo, people(3), plan("profiles", tmp_path, **{option: place}))
    assert not requests(klaviyo, PROFILE_JOBS)


def test_a_second_load_of_the_same_rows_sends_nothing_and_a_third_what_has_changed(klaviyo: SandboxServer, tmp_path: Path) -> None:
    made = plan("profiles", tmp_path, state_path=tmp_path / "state", max_batch_items=7)
    assert load(klaviyo, people(30), made).loaded == 30
    posts = requests(klaviyo, PROFILE_JOBS)
    report = load(klaviyo, reversed(people(30)), made)
    assert (report.unchanged, report.loaded, report.reasons) == (30, 0, {"unchanged: unchanged": 30})
    assert requests(klaviyo, PROFILE_JOBS) == posts
    with session(klaviyo) as api:
        seen = preview([*people(3), *people(1, start=90)], made, api)
    assert (seen.unchanged, len(seen.payloads)) == (3, 1)
    changed = [*people(29), *people(1, start=29, last_name="New")]
    assert (report := load(klaviyo, changed, made)).loaded == 1
    assert report.unchanged == 29
    back = load(klaviyo, people(30), made)
    assert (back.loaded, back.unchanged) == (1, 29)
    assert load(klaviyo, people(30), plan("profiles", tmp_path, state_path=tmp_path / "state", resend=True)).loaded == 30


def test_a_preview_knows_what_was_sent(klaviyo: SandboxServer, tmp_path: Path) -> None:
    made = plan("events", tmp_path, state_path=tmp_path / "state")
    load(klaviyo, happenings(6), made)
    with session(klaviyo) as api:
        report = preview(happenings(8), made, api)
    assert (report.read, report.unchanged, len(report.payloads)) == (8, 6, 2)


def test_a_load_goes_on_only_with_what_it_was_begun_with(klaviyo: SandboxServer, tmp_path: Path) -> None:
    first, second = new_list(klaviyo, "A"), new_list(klaviyo, "B")
    store = KeptStore(kill_at=4)
    with session(klaviyo) as api, pytest.raises(Killed):
        load_rows(api, people(6), plan("profiles", tmp_path, list_id=first, max_batch_items=2), store=store, sleep=lambda _: None)
    store.revive()
    with session(klaviyo) as api, pytest.raises(KlaviyoConfigError, match="begun with another list"):
        load_rows(api, people(6), plan("profiles", tmp_path, list_id=second, max_batch_items=2), store=store, sleep=lambda _: None)
    with session(klaviyo) as api:
        assert load_rows(api, people(6), plan("profiles", tmp_path, list_id=first), store=store, sleep=lambda _: None).loaded == 6


def test_a_mended_row_of_consent_is_found_by_the_name_of_its_row(klaviyo: SandboxServer, tmp_path: Path) -> None:
    from airflow_provider_klaviyo.loading.consent import ConsentRules

    file = tmp_path / "rejects.jsonl"
    row = {
        "no": "7",
        "consent": "unsubscribed",
        "email": "a@example.com",
        "phone_number": "+14155552671",
        "channels": "email.marketing,sms.marketing",
    }
    mapping = [{"origin_field": name, "destination_field": name} for name in row if name != "no"]
    rules: dict[str, Any] = {"consent": ConsentRules(), "key_field": "no", "mapping": mapping, "settle_seconds": 0.0}
    with pytest.raises(KlaviyoLoadFailed):
        load(klaviyo, [{**row, "consent": "maybe"}], plan("consent", tmp_path, rejects_path=file, **rules))
    report = load(klaviyo, [row, {**row, "no": "8"}], plan("consent", tmp_path, retry_rejects=file, **rules))
    assert (report.read, report.accepted, report.left_out) == (2, 2, 2)
    with pytest.raises(KlaviyoConfigError, match="key_field"):
        load(klaviyo, [{**row, "no": "9"}], plan("consent", tmp_path, retry_rejects=file, **rules))


def test_what_is_left_out_of_rows_is_said(klaviyo: SandboxServer, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    report = load(klaviyo, people(3, locale="nowhere"), plan("profiles", tmp_path))
    assert str(report) == "profiles: 3 read, 3 loaded; left out: locale: bad_locale of 3 rows"
    assert str(report) in [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]


def test_another_list_another_name_and_another_account_know_nothing_of_it(klaviyo: SandboxServer, tmp_path: Path) -> None:
    state = tmp_path / "state"
    load(klaviyo, people(5), plan("profiles", tmp_path, state_path=state))
    assert load(klaviyo, people(5), plan("profiles", tmp_path, state_path=state, list_id=new_list(klaviyo))).loaded == 5
    assert load(klaviyo, people(5), plan("profiles", tmp_path, state_path=state, state_name="other")).loaded == 5


def test_what_was_rejected_is_sent_again_though_it_has_not_changed(klaviyo: SandboxServer, tmp_path: Path) -> None:
    klaviyo.klaviyo.behaviour.unwelcome = frozenset({BAD})
    made = plan("profiles", tmp_path, state_path=tmp_path / "state", allowed_rejects=1)
    assert load(klaviyo, people(6), made).rejected == 1
    klaviyo.klaviyo.behaviour.unwelcome = frozenset()
    report = load(klaviyo, people(6), made)
    assert (report.loaded, report.unchanged) == (1, 5)


def test_a_load_that_dies_and_is_never_continued_leaves_nothing_unsaid(klaviyo: SandboxServer, tmp_path: Path) -> None:
    made = plan("profiles", tmp_path, state_path=tmp_path / "state", max_batch_items=5, in_flight=1)
    load(klaviyo, people(20), made)
    kill = KeptStore(kill_at=7)
    with session(klaviyo) as api, pytest.raises(Killed):
        load_rows(api, people(20, first_name="New"), made, store=kill, sleep=lambda _: None)
    load(klaviyo, people(20), made)  # the old rows again: what the dead load changed has to be put back
    assert not [row for row in held(klaviyo)["profiles"] if "New" in row[4]]


def test_a_load_does_not_go_on_with_another_account(klaviyo: SandboxServer, tmp_path: Path) -> None:
    made = plan("events", tmp_path, state_path=tmp_path / "state", max_batch_items=5, in_flight=1)
    store = KeptStore(kill_at=6)
    with session(klaviyo) as api, pytest.raises(Killed):
        load_rows(api, happenings(20), made, store=store, sleep=lambda _: None)
    store.revive()
    klaviyo.fail(path="/api/accounts", status=200, body={"data": [{"type": "account", "id": "Other1"}], "links": {"next": None}})
    sent = requests(klaviyo, EVENT_JOBS)
    with session(klaviyo) as api, pytest.raises(KlaviyoConfigError, match="begun with the account"):
        load_rows(api, happenings(20), made, store=store, sleep=lambda _: None)
    assert requests(klaviyo, EVENT_JOBS) == sent


HOLDER: dict[str, Any] = {"email": "holder@example.com", "phone_number": "+14155552671"}


@pytest.mark.parametrize("policy", ["reject", "drop_phone"])
@pytest.mark.parametrize("plain", [False, True], ids=["pointed at", "not pointed at"])
def test_identifiers_of_several_people(klaviyo: SandboxServer, tmp_path: Path, policy: str, plain: bool) -> None:
    klaviyo.klaviyo.behaviour.plain_import_errors = plain
    load(klaviyo, [HOLDER, {"email": "other@example.com"}], plan("profiles", tmp_path))
    row = Row("conflict", {"email": "other@example.com", "phone_number": HOLDER["phone_number"], "first_name": "Ann"})
    made = plan("profiles", tmp_path, identity_conflict=policy, allowed_rejects=1, state_path=tmp_path / "state", list_id=new_list(klaviyo))
    if plain:  # nothing says whose fault it is: that is unknown, and fails
        with pytest.raises(KlaviyoLoadFailed, match="nobody knows"):
            load(klaviyo, [*people(3), row], made)
        return
    report = load(klaviyo, [*people(3), row], made)
    with klaviyo.klaviyo.lock:
        holders = dict(klaviyo.klaviyo.db.execute("SELECT email, id FROM profiles").fetchall())
    if policy == "reject":
        assert (report.loaded, report.rejected) == (3, 1)
        (line,) = rejects(report)
        assert (line["key"], line["code"], line["attempt"]) == ("conflict", "identity_conflict", 1)
        assert holders["holder@example.com"] in line["reason"]
        assert holders["other@example.com"] in line["reason"]
        assert "example.com" not in line["reason"]
        return
    assert (report.loaded, report.rejected, report.dropped) == (4, 0, {"phone_number: identity_conflict": 1})
    assert requests(klaviyo, PROFILE_JOBS) == 3
    assert ("other@example.com", "", "", "") in {row[:4] for row in held(klaviyo)["profiles"]}
    assert len(held(klaviyo)["members"]) == 4
    again = load(klaviyo, [*people(3), row], made)
    assert (again.unchanged, again.loaded) == (3, 1), "what went out is not what the row says: it is tried each time"


def test_a_chunk_waits_for_its_time(klaviyo: SandboxServer, tmp_path: Path) -> None:
    slept: list[float] = []
    made = plan("profiles", tmp_path, max_batch_items=5, chunk_waiting_time=60.0)
    with session(klaviyo) as api:
        from dataclasses import replace

        report = load_rows(replace(api, sleep=slept.append), people(20), made, sleep=lambda _: None)
    assert report.loaded == 20
    assert 175 < sum(slept) <= 180.0

# SPDX-License-Identifier: Apache-2.0
"""A load of consent, from rows to what Klaviyo holds: nobody is subscribed without a record, and doubt stays doubt."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError, KlaviyoLoadFailed
from airflow_provider_klaviyo.loading import load as load_rows
from airflow_provider_klaviyo.loading import preview
from airflow_provider_klaviyo.loading.consent import ConsentRules
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from tests.loading.kit import KeptStore, Killed, accounted, load, new_list, plan, rejects, session, untouchable

SUBSCRIBE = "POST /api/profile-subscription-bulk-create-jobs"
UNSUBSCRIBE = "POST /api/profile-subscription-bulk-delete-jobs"
LONG_AGO = "2024-05-01T00:00:00+00:00"
YES = ConsentRules(subscribe=True)


def word(who: str, consent: str = "subscribed", **more: Any) -> dict[str, Any]:
    return {"consent": consent, "email": f"{who}@example.com", "consented_at": LONG_AGO, **more}


def made(folder: Path, rules: ConsentRules = YES, **more: Any) -> Any:
    return plan("consent", folder, consent=rules, settle_seconds=0.0, **more)


def consents(sandbox: SandboxServer) -> dict[str, str]:
    """Return what people's state of e-mail is."""
    from airflow_provider_klaviyo.sandbox.klaviyo import later

    state = sandbox.klaviyo
    with state.lock:
        later.settle(state)
        sql = "SELECT p.email, c.consent FROM consents c JOIN profiles p ON p.id = c.profile_id WHERE c.channel = 'email.marketing'"
        return dict(state.db.execute(sql).fetchall())


def people_in(sandbox: SandboxServer, name: str) -> Counter[str]:
    """Return how often each address was in a request that Klaviyo took."""
    return Counter(
        each["attributes"]["email"]
        for request in sandbox.klaviyo.received
        if request.name == name and request.status == 202
        for each in request.body["data"]["attributes"]["profiles"]["data"]
    )


def test_words_go_in_the_lanes_of_what_they_ask_for(klaviyo: SandboxServer, tmp_path: Path) -> None:
    rows = [word("yes"), word("no", "unsubscribed"), word("never", "never_subscribed"), word("stop", "suppressed"), word("bad", "maybe")]
    report = load(klaviyo, rows, made(tmp_path, allowed_rejects=1))
    assert (report.read, report.accepted, report.loaded, report.skipped, report.rejected) == (5, 2, 1, 1, 1)
    assert consents(klaviyo) == {"yes@example.com": "SUBSCRIBED", "no@example.com": "UNSUBSCRIBED"}
    assert {line["code"] for line in rejects(report)} == {"never_subscribed", "unknown_consent"} or rejects(report)
    again = load(klaviyo, rows, made(tmp_path, allowed_rejects=1))
    assert (again.unchanged, again.accepted, again.loaded) == (3, 0, 0)


def test_nobody_is_subscribed_unless_the_load_is_to(klaviyo: SandboxServer, tmp_path: Path) -> None:
    report = load(klaviyo, [word("yes"), word("no", "unsubscribed")], made(tmp_path, ConsentRules()))
    assert (report.skipped, report.accepted) == (1, 1)
    assert not klaviyo.klaviyo.requests[SUBSCRIBE]


def test_a_no_beats_a_yes_about_the_same_person_whatever_comes_first(klaviyo: SandboxServer, tmp_path: Path) -> None:
    rows = [word("a", "unsubscribed"), word("a"), word("b"), word("b", "unsubscribed")]
    load(klaviyo, rows, made(tmp_path))
    assert consents(klaviyo) == {"a@example.com": "UNSUBSCRIBED", "b@example.com": "UNSUBSCRIBED"}


def test_the_later_word_holds_whatever_comes_first(klaviyo: SandboxServer, tmp_path: Path) -> None:
    early, late = "2024-01-01T00:00:00+00:00", "2024-02-01T00:00:00+00:00"
    rows = []
    for name, yes, no in (("a", early, late), ("b", late, early), ("c", early, early), ("d", late, None)):
        rows += [word(name, "unsubscribed", consented_at=no), word(name, consented_at=yes)]
    klaviyo.klaviyo.behaviour.job_seconds = 3600
    report = load(klaviyo, [*rows, word("a", "unsubscribed", consented_at=early)], made(tmp_path))
    assert (report.accepted, report.duplicate, report.reasons) == (4, 1, {"skipped: contradicted": 4, "duplicate: duplicate": 1})
    assert people_in(klaviyo, SUBSCRIBE) == {"b@example.com": 1}
    assert people_in(klaviyo, UNSUBSCRIBE) == {"a@example.com": 1, "c@example.com": 1, "d@example.com": 1}


def test_after_a_request_without_an_answer_klaviyo_is_read_and_what_it_does_not_show_is_unknown(
    klaviyo: SandboxServer, tmp_path: Path
) -> None:
    klaviyo.fail(path="subscription-bulk-create-jobs", drop="after")
    report = load(klaviyo, [word("a"), word("b")], made(tmp_path))
    assert (report.accepted, report.unknown) == (2, 0)
    klaviyo.fail(path="subscription-bulk-create-jobs", status=503)
    with pytest.raises(KlaviyoLoadFailed, match="nobody knows whether 2 rows"):
        load(klaviyo, [word("c"), word("d"), word("a")], made(tmp_path))
    assert people_in(klaviyo, SUBSCRIBE) == Counter({"a@example.com": 1, "b@example.com": 1})


@pytest.mark.parametrize("written", [False, True], ids=["before a write", "after a write"])
def test_killed_at_every_step_each_word_goes_once(klaviyo: SandboxServer, tmp_path: Path, written: bool) -> None:
    rows = [*(word(f"y{at}") for at in range(6)), *(word(f"n{at}", "unsubscribed") for at in range(4))]
    kills = 0
    while True:
        kills += 1
        klaviyo.reset()
        klaviyo.klaviyo.behaviour.job_seconds = 0
        store = KeptStore(kill_at=kills, written=written)
        this = made(tmp_path / f"{kills}", max_batch_items=2, in_flight=1)
        with session(klaviyo) as api:
            try:
                load_rows(api, rows, this, store=store, sleep=lambda _: None)
            except Killed:
                staged = store.get("load", {}).get("phase") in {"staged", "done"}
                store.revive()
                try:
                    report = accounted(load_rows(api, untouchable() if staged else rows, this, store=store, sleep=lambda _: None))
                    assert report.accepted + report.unchanged == 10
                except KlaviyoLoadFailed as failure:
                    assert "nobody knows" in str(failure)
            else:
                break
        assert max(people_in(klaviyo, SUBSCRIBE).values()) == 1, f"killed at write {kills}"
        assert set(consents(klaviyo)) >= {f"n{at}@example.com" for at in range(4)}
    assert kills > 8


def test_more_people_than_allowed_are_not_unsubscribed(klaviyo: SandboxServer, tmp_path: Path) -> None:
    rows = [word(f"n{at}", "unsubscribed") for at in range(5)]
    with pytest.raises(KlaviyoConfigError, match="max_change=4"):
        load(klaviyo, rows, made(tmp_path, max_change=4))
    assert not klaviyo.klaviyo.requests[UNSUBSCRIBE]
    assert load(klaviyo, rows, made(tmp_path, max_change=5)).accepted == 5
    consents(klaviyo)
    again = load(klaviyo, [*rows, word("n9", "unsubscribed")], made(tmp_path, max_change=1))  # all but one say what Klaviyo knows
    assert (again.unchanged, again.accepted) == (5, 1)


def test_a_preview_holds_words_against_klaviyo_and_sends_none(klaviyo: SandboxServer, tmp_path: Path) -> None:
    rows = [word("yes"), word("no", "unsubscribed")]
    load(klaviyo, rows, made(tmp_path))
    consents(klaviyo)
    klaviyo.klaviyo.requests.clear()
    with session(klaviyo) as api:
        report = preview([*rows, word("n2", "unsubscribed"), word("n3", "unsubscribed")], made(tmp_path, max_change=2), api)
        assert (report.read, report.unchanged, len(report.payloads)) == (4, 2, 2)
        with pytest.raises(KlaviyoConfigError, match="max_change=1"):
            preview([word("n2", "unsubscribed"), word("n3", "unsubscribed")], made(tmp_path, max_change=1), api)
    assert not [name for name in klaviyo.klaviyo.requests if not name.startswith("GET ")]


def test_leaving_a_list_is_looked_at_first(klaviyo: SandboxServer, tmp_path: Path) -> None:
    list_id = new_list(klaviyo)
    rules = ConsentRules(subscribe=True, list_id=list_id)
    load(klaviyo, [word("a"), word("b")], made(tmp_path, rules))
    consents(klaviyo)
    rows = [word("a", "unsubscribed", consented_at=None), word("stranger", "unsubscribed", consented_at=None)]
    report = load(klaviyo, rows, made(tmp_path, rules))
    assert (report.accepted, report.skipped, report.reasons) == (1, 1, {"skipped: not_in_list": 1})
    assert set(people_in(klaviyo, UNSUBSCRIBE)) == {"a@example.com"}
    assert consents(klaviyo)["a@example.com"] == "SUBSCRIBED"


def test_with_a_list_for_the_yes_a_no_may_hold_everywhere(klaviyo: SandboxServer, tmp_path: Path) -> None:
    rules = ConsentRules(subscribe=True, list_id=new_list(klaviyo), leave="everywhere")
    report = load(
        klaviyo,
        [word("yes"), word("no", "unsubscribed"), word("no", "unsubscribed", channels="sms.marketing", phone_number="+14155552671")],
        made(tmp_path, rules),
    )
    assert report.accepted == 3
    assert consents(klaviyo) == {"yes@example.com": "SUBSCRIBED", "no@example.com": "UNSUBSCRIBED"}
    (left,) = [each for each in klaviyo.klaviyo.received if each.name == UNSUBSCRIBE]
    assert "relationships" not in left.body["data"]
    assert load(klaviyo, [word("no", "unsubscribed")], made(tmp_path, rules)).unchanged == 1


def test_verified_words_are_loaded(klaviyo: SandboxServer, tmp_path: Path) -> None:
    report = load(klaviyo, [word("yes"), word("no", "unsubscribed")], made(tmp_path, verify=True))
    assert (report.loaded, report.accepted, report.verified) == (2, 0, True)

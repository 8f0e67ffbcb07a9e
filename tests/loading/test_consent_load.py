# SPDX-License-Identifier: Apache-2.0
"""A load of consent, from rows to what Klaviyo holds: nobody is subscribed without a record, and doubt stays doubt."""

from __future__ import annotations

import gc
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoConfigError, KlaviyoError, KlaviyoLoadFailed
from airflow_provider_klaviyo.loading import load as load_rows
from airflow_provider_klaviyo.loading import preview
from airflow_provider_klaviyo.loading.consent import ConsentRules, Verdict
from airflow_provider_klaviyo.loading.journal import Journal
from airflow_provider_klaviyo.loading.plan import AuditTrail
from airflow_provider_klaviyo.loading.report import LoadReport
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from tests.loading.kit import Clock, KeptStore, Killed, accounted, load, new_list, plan, rejects, session, untouchable

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
                doubt = ""
                try:
                    report = accounted(load_rows(api, untouchable() if staged else rows, this, store=store, sleep=lambda _: None))
                except KlaviyoLoadFailed as failure:
                    doubt = str(failure)
                assert "nobody knows" in doubt or (not doubt and report.accepted + report.unchanged == 10)
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


UNSUPPRESS = "POST /api/profile-suppression-bulk-delete-jobs"
INVALID = {"errors": [{"status": 400, "code": "invalid", "title": "Invalid.", "detail": "Invalid.", "source": {"parameter": "filter"}}]}


def tries(sandbox: SandboxServer, rows: Any, this: Any, store: KeptStore, *, most: int = 3) -> Any:
    """Load, and again after each error, as a task's tries do."""
    for _ in range(most):
        with session(sandbox) as api:
            try:
                return load_rows(api, rows, this, store=store, sleep=lambda _: None)
            except KlaviyoLoadFailed:
                return LoadReport.of(Journal(store).report or {})
            except (KlaviyoError, OSError):
                continue
    raise AssertionError("no try came to its end")


def double_opt_in(sandbox: SandboxServer) -> str:
    list_id = new_list(sandbox)
    with sandbox.klaviyo.lock:
        sandbox.klaviyo.db.execute("UPDATE lists SET opt_in_process = 'double_opt_in'")
    return list_id


# ── what Klaviyo refuses ────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [400, 404, 409])
def test_who_may_have_been_asked_to_confirm_is_not_asked_again_when_a_look_is_refused(
    klaviyo: SandboxServer, tmp_path: Path, status: int
) -> None:
    rules = ConsentRules(subscribe=True, list_id=double_opt_in(klaviyo))
    klaviyo.fail(path="subscription-bulk-create-jobs", drop="after")
    klaviyo.fail(method="GET", path="^/api/profiles", status=status, skip=1, body=INVALID)
    report = tries(klaviyo, [word("ann", consented_at=None)], made(tmp_path, rules), KeptStore())
    assert people_in(klaviyo, SUBSCRIBE) == {"ann@example.com": 1}
    assert (report.read, report.accepted + report.unknown) == (1, 1)


def test_who_has_left_a_list_is_not_unsubscribed_everywhere_when_another_request_is_refused(klaviyo: SandboxServer, tmp_path: Path) -> None:
    rules = ConsentRules(subscribe=True, list_id=new_list(klaviyo))
    load(klaviyo, [word("a")], made(tmp_path / "before", rules))
    consents(klaviyo)
    klaviyo.klaviyo.behaviour.job_seconds = 3600
    body = {"errors": [{"status": 400, "code": "invalid", "title": "No.", "detail": "No.", "source": {"pointer": "/data/relationships"}}]}
    klaviyo.fail(path="suppression-bulk-create-jobs", status=400, body=body)
    rows, store = [word("a", "unsubscribed", consented_at=None), word("z", "suppressed", consented_at=None)], KeptStore()
    with session(klaviyo) as api, pytest.raises(KlaviyoApiError, match="relationships"):
        load_rows(api, rows, made(tmp_path, rules), store=store)
    klaviyo.klaviyo.behaviour.job_seconds = 0
    report = tries(klaviyo, untouchable(), made(tmp_path, rules), store)
    assert people_in(klaviyo, UNSUBSCRIBE) == {"a@example.com": 1}
    assert (report.read, report.accepted, report.loaded) == (2, 1, 1)


def test_a_load_that_asked_for_nothing_yet_begins_anew_when_its_list_is_gone(klaviyo: SandboxServer, tmp_path: Path) -> None:
    list_id, store, rows = new_list(klaviyo), KeptStore(), [word("a")]
    klaviyo.fail(method="GET", path="^/api/lists/", status=404, times=10)
    with session(klaviyo) as api, pytest.raises(KlaviyoApiError, match="404"):
        load_rows(api, rows, made(tmp_path, ConsentRules(subscribe=True, list_id=list_id)), store=store)
    klaviyo.faults.clear()
    assert store["load"]["phase"] == "staging"
    assert tries(klaviyo, rows, made(tmp_path, ConsentRules(subscribe=True, list_id=new_list(klaviyo, "Other"))), store).accepted == 1


def test_who_cannot_be_looked_up_is_rejected_and_the_others_are_sent(klaviyo: SandboxServer, tmp_path: Path) -> None:
    """Klaviyo refuses each request that names the second of five: all, the first two, and the second alone."""
    for skip in (0, 0, 1):
        klaviyo.fail(method="GET", path="^/api/profiles", status=400, skip=skip, body=INVALID)
    report = load(klaviyo, [word(f"a{at}") for at in range(5)], made(tmp_path, allowed_rejects=1))
    assert (report.accepted, report.rejected, report.reasons) == (4, 1, {"rejected: not_readable": 1})
    (line,) = rejects(report)
    assert (line["key"], line["stage"], line["attempt"]) == ("row 2", "guard", 0)
    assert set(people_in(klaviyo, SUBSCRIBE)) == {f"a{at}@example.com" for at in (0, 2, 3, 4)}


def test_a_look_that_is_refused_whoever_it_is_about_is_no_rows_fault(klaviyo: SandboxServer, tmp_path: Path) -> None:
    klaviyo.fail(method="GET", path="^/api/profiles", status=400, body=INVALID, times=10_000)
    with session(klaviyo) as api, pytest.raises(KlaviyoApiError, match="Invalid"):
        load_rows(api, [word(f"a{at}") for at in range(100)], made(tmp_path, allowed_rejects=100, in_flight=1))
    assert klaviyo.klaviyo.requests["GET /api/profiles"] < 50


# ── how old what was seen may be ────────────────────────────────────────────────────


def test_a_no_that_comes_while_a_yes_waits_for_its_turn_holds(klaviyo: SandboxServer, tmp_path: Path) -> None:
    load(klaviyo, [word("a")], made(tmp_path / "before"))
    consents(klaviyo)
    with klaviyo.klaviyo.lock:
        klaviyo.klaviyo.db.execute("DELETE FROM consents")
    path = "subscription-bulk-create-jobs"
    klaviyo.fail(path=path, status=429, headers={"retry-after": "300"}, meanwhile={"unsubscribe": "a@example.com"})
    report = load(klaviyo, [word("a"), word("b")], made(tmp_path))
    assert (report.accepted, report.reasons) == (1, {"skipped: unsubscribed_in_klaviyo": 1})
    assert people_in(klaviyo, SUBSCRIBE) == {"a@example.com": 1, "b@example.com": 1}  # before, and now
    assert consents(klaviyo) == {"a@example.com": "UNSUBSCRIBED", "b@example.com": "SUBSCRIBED"}


def test_a_no_that_comes_between_two_chunks_holds(klaviyo: SandboxServer, tmp_path: Path) -> None:
    load(klaviyo, [word("b")], made(tmp_path / "before"))
    consents(klaviyo)
    with klaviyo.klaviyo.lock:
        klaviyo.klaviyo.db.execute("DELETE FROM consents")
    klaviyo.fail(path="subscription-bulk-create-jobs", meanwhile={"unsubscribe": "b@example.com"})  # while the first is sent
    clock = Clock()
    report = load(klaviyo, [word("a"), word("b")], made(tmp_path, max_batch_items=1, chunk_waiting_time=60.0), clock=clock)
    assert (report.accepted, report.reasons) == (1, {"skipped: unsubscribed_in_klaviyo": 1})
    assert clock.now >= 1060


def test_every_request_goes_soon_after_a_look(klaviyo: SandboxServer, tmp_path: Path) -> None:
    """Whatever Klaviyo says, and however long it lets wait."""
    clock = Clock()
    looked: list[float] = []
    sent: list[float] = []
    for seconds in ("5", "40", "300", "29"):
        klaviyo.fail(path="subscription-bulk", status=429, headers={"retry-after": seconds}, skip=1)
    klaviyo.fail(path="subscription-bulk-delete", status=503, skip=2, times=2)
    klaviyo.fail(path="subscription-bulk", method="POST", meanwhile=lambda: sent.append(clock.now), times=100)
    klaviyo.fail(path="^/api/profiles", method="GET", meanwhile=lambda: looked.append(clock.now), times=100)
    rows = [*(word(f"y{at}") for at in range(6)), *(word(f"n{at}", "unsubscribed") for at in range(6))]
    report = load(klaviyo, rows, made(tmp_path, max_batch_items=2, in_flight=1), clock=clock)
    assert report.accepted + report.unchanged == 12
    assert clock.now >= 1300
    assert len(sent) == 6
    assert all(min(at - each for each in looked if each <= at) <= 30 for at in sent)
    assert set(people_in(klaviyo, SUBSCRIBE).values()) == {1}


def test_a_limit_that_stays_spent_fails_the_try_and_the_next_goes_on(klaviyo: SandboxServer, tmp_path: Path) -> None:
    klaviyo.fail(path="subscription-bulk-create-jobs", status=429, headers={"retry-after": "700"})
    store, this = KeptStore(), made(tmp_path)
    with session(klaviyo) as api, pytest.raises(KlaviyoApiError, match="429") as spent:
        load_rows(api, [word("a")], this, store=store)
    assert not spent.value.permanent
    assert tries(klaviyo, untouchable(), this, store, most=1).accepted == 1
    assert people_in(klaviyo, SUBSCRIBE) == {"a@example.com": 1}


def test_a_suppression_is_not_lifted_twice(klaviyo: SandboxServer, tmp_path: Path) -> None:
    """Whoever is suppressed again after the first request is not set free by a second."""
    load(klaviyo, [word("a", "suppressed", consented_at=None)], made(tmp_path / "before"))
    consents(klaviyo)
    with klaviyo.klaviyo.lock:
        klaviyo.klaviyo.db.execute("UPDATE suppressions SET at = 0")
    klaviyo.fail(path="suppression-bulk-delete-jobs", drop="after")
    report = tries(klaviyo, [word("a", "unsuppressed")], made(tmp_path), KeptStore())
    assert (report.accepted, report.unknown) == (1, 0)
    assert klaviyo.klaviyo.requests[UNSUPPRESS] == 1


class Counting(KeptStore):
    """A store that counts, at each write, how many verdicts are in memory."""

    most = 0

    def set(self, key: str, value: Any) -> None:
        """Set a key."""
        super().set(key, value)
        self.most = max(self.most, sum(type(each) is Verdict for each in gc.get_objects()))


def test_memory_does_not_grow_with_the_words_that_were_looked_at(klaviyo: SandboxServer, tmp_path: Path) -> None:
    gc.collect()
    store = Counting()
    report = load(klaviyo, [word(f"a{at}") for at in range(300)], made(tmp_path, max_batch_items=10, in_flight=2), store=store)
    assert report.accepted == 300
    assert store.most <= 60


# ── the trail ───────────────────────────────────────────────────────────────────────


def trail(folder: Path) -> dict[str, str]:
    """Return what became of each batch, by the last of its files."""
    return {path.name.partition(".")[0]: path.name.split(".")[1] for path in sorted(folder.rglob("*.jsonl"))}


class Full:
    """A folder on a disk that is full for a while: whatever ends so cannot be written."""

    def __init__(self, path: Path, ending: str) -> None:
        self._path, self._ending = path, ending

    def __truediv__(self, name: str) -> Full:
        return Full(self._path / name, self._ending)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._path, name)

    def write_bytes(self, data: bytes) -> None:
        if self._path.name.endswith(self._ending):
            raise OSError("no space left on device")
        self._path.write_bytes(data)


def test_a_trail_that_cannot_be_written_loses_no_answers(klaviyo: SandboxServer, tmp_path: Path) -> None:
    store, rows = KeptStore(), [word(f"a{at}") for at in range(12)]

    def this(folder: Any) -> Any:
        return made(tmp_path, max_batch_items=2, audit=AuditTrail(folder=folder, who={}))

    with session(klaviyo) as api, pytest.raises(OSError, match="no space"):
        load_rows(api, rows, this(Full(tmp_path / "audit", ".accepted.jsonl")), store=store, sleep=lambda _: None)
    states = Counter(value["state"] for key, value in store.items() if key != "load")
    assert states.keys() <= {"settled", "new"}
    report = tries(klaviyo, untouchable(), this(tmp_path / "audit"), store, most=1)
    assert (report.accepted, report.unknown) == (12, 0)
    assert set(people_in(klaviyo, SUBSCRIBE).values()) == {1}


@pytest.mark.parametrize("written", [False, True], ids=["before a write", "after a write"])
def test_killed_at_every_step_the_trail_says_what_the_journal_knows(klaviyo: SandboxServer, tmp_path: Path, written: bool) -> None:
    rows = [word("y1"), word("y2"), word("n1", "unsubscribed"), word("s1", "suppressed")]
    kills, died = 0, True
    while died:
        kills += 1
        klaviyo.reset()
        klaviyo.klaviyo.behaviour.job_seconds = 0
        klaviyo.fail(path="subscription-bulk-delete", status=503)
        klaviyo.fail(path="suppression-bulk-create", status=429)
        store, folder, died = KeptStore(kill_at=kills, written=written), tmp_path / f"audit{kills}", False
        this = made(tmp_path / f"{kills}", max_batch_items=1, in_flight=1, audit=AuditTrail(folder=folder, who={}))
        try:
            with session(klaviyo) as api:
                load_rows(api, rows, this, store=store, sleep=lambda _: None)
        except Killed:
            died = True
            store.revive()
            tries(klaviyo, rows, this, store)
        journal = {key.partition(":")[2]: value for key, value in store.items() if key != "load"}
        last = {path.name.partition(".")[0].partition("~")[0]: trail(folder)[path.name.partition(".")[0]] for path in _in_order(folder)}
        assert set(trail(folder).values()) <= {"accepted", "not_sent", "unknown"}, f"killed at write {kills}"
        for batch, outcome in last.items():
            counts = journal[batch]["counts"]
            if "unknown" in counts:
                assert outcome == "unknown", f"killed at write {kills}"
            elif counts.keys() & {"accepted", "loaded"}:
                assert outcome == "accepted", f"killed at write {kills}"
            else:  # it was found to hold when it was looked at again
                assert outcome in {"unknown", "not_sent"}, f"killed at write {kills}"
    assert kills > 10


def _in_order(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.jsonl"), key=lambda path: int(path.name.partition(".")[0].partition("~")[2] or 1))


def test_the_trail_names_nobody_where_the_key_of_a_row_does(klaviyo: SandboxServer, tmp_path: Path) -> None:
    trail = AuditTrail(folder=tmp_path / "audit", who={}, key=b"a secret")
    load(klaviyo, [word("secret", "unsubscribed")], made(tmp_path, key_field="email", audit=trail))
    (line,) = [json.loads(path.read_text()) for path in (tmp_path / "audit").rglob("*.jsonl")]
    assert line["key"] == line["person"]
    assert "secret@" not in json.dumps(line)

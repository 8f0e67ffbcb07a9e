# SPDX-License-Identifier: Apache-2.0
"""Which words are sent: every state in Klaviyo, every date, every flag, held against a table written by hand and against rules that have no exception."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_klaviyo.loading.consent import REASONS, Action, ConsentRules, Verdict, decide, holds, lane
from airflow_provider_klaviyo.loading.rows import Fate
from airflow_provider_klaviyo.loading.standing import Mark, Standing
from tests.loading.consent_table import CASES, STATES, WHEN, Case, T

CHANNELS = ("email.marketing", "sms.marketing", "sms.transactional", "whatsapp.marketing", "whatsapp.transactional")


def standing(case: Case) -> Standing:
    state = STATES[case.state]
    if state.consent is None:
        return Standing(member=case.member)
    return Standing(
        holder="01SARAH",
        consent=state.consent,
        since=state.at,
        suppressions=tuple(Mark(*each) for each in state.marks),
        left=(Mark("UNSUBSCRIBE", T),) if state.left else (),
        left_others=(Mark("UNSUBSCRIBE", T),) if state.left_other else (),
        member=case.member,
    )


def rules(case: Case, **more: Any) -> ConsentRules:
    return ConsentRules(**{"subscribe": True, "list_id": None if case.member is None else "L1", "resubscribe": case.resubscribe, **more})


def judged(case: Case, **more: Any) -> Verdict:
    return decide(case.word, standing(case), rules(case, **more), double_opt_in=case.double_opt_in)


# ── the table ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("action", list(Action))
def test_every_word_ends_as_the_table_says(action: Action) -> None:
    wrong = {(each.person, each.double_opt_in, each.resubscribe): (judged(each).code, each.code) for each in CASES if each.action == action}
    assert {who: codes for who, codes in wrong.items() if codes[0] != codes[1]} == {}


def test_the_table_has_every_state_every_date_and_every_flag_once() -> None:
    """Nobody is in a list who is not there, and who left one counts where the load is about that."""
    told = [(each.action, each.state, each.member, each.date, each.double_opt_in, each.resubscribe) for each in CASES]
    alone = product(Action, STATES.keys() - {"left"}, [None], WHEN, [False], [False, True])
    listed = product(("subscribe", "unsubscribe"), STATES, [True, False], WHEN, [False, True], [False, True])
    possible = {*alone, *(each for each in listed if each[1:3] != ("nobody", True))}
    assert (len(told), set(told)) == (len(possible), possible)


def test_a_verdict_says_what_becomes_of_the_row() -> None:
    fates = {each.code: judged(each).fate for each in CASES if each.code}
    assert fates.pop("unchanged") is Fate.UNCHANGED
    assert set(fates.values()) == {Fate.SKIPPED}
    assert all(judged(each).send is (each.code == "") for each in CASES)
    assert all(bool(judged(each).reason) is bool(each.code) for each in CASES)


def test_no_verdict_names_anybody() -> None:
    assert [each for each in CASES if "example.com" in judged(each).reason + judged(each).before] == []


# ── rules without exception, over more than the table has ───────────────────────────


def everything() -> Any:
    """Yield words and standings of every kind, likely or not."""
    consents = ("SUBSCRIBED", "UNSUBSCRIBED", "NEVER_SUBSCRIBED", "PENDING", "")
    marks = ((), (Mark("UNSUBSCRIBE", T),), (Mark("USER_SUPPRESSED"),), (Mark("SPAM_COMPLAINT", T),), (Mark("HARD_BOUNCE", T),))
    lists = (((), ()), ((Mark("UNSUBSCRIBE", T),), ()), ((), (Mark("UNSUBSCRIBE", T),)))
    people = product(("", "01SARAH"), ("", "01TOM"), consents, (None, T), marks, lists, (None, True, False))
    for holder, foreign, consent, since, suppressions, (left, left_others), member in people:
        there = Standing(
            holder=holder,
            foreign=foreign,
            consent=consent,
            since=since,
            suppressions=suppressions,
            left=left,
            left_others=left_others,
            member=member,
            along=("email",),
        )
        for action, said, channel in product(Action, WHEN.values(), CHANNELS[:2]):
            dated = {} if said is None else {"consented_at": said.isoformat()}
            yield {"action": action.value, "channel": channel, "email": "sarah@example.com", "phone_number": "+14155550123", **dated}, there


def test_nobody_is_subscribed_without_a_date_but_through_double_opt_in_and_nobody_against_their_word_unasked() -> None:
    sent = 0
    for word, there in everything():
        if word["action"] != "subscribe":
            continue
        list_id = None if there.member is None else "L1"
        for subscribe, resubscribe, double in product((True, False), repeat=3):
            verdict = decide(word, there, ConsentRules(subscribe=subscribe, list_id=list_id, resubscribe=resubscribe), double_opt_in=double)
            if not verdict.send:
                continue
            sent += 1
            assert subscribe, "subscribing has to be asked for"
            assert not there.foreign, "nobody is subscribed who may be two"
            dated = "consented_at" in word
            assert dated or double, "a yes without a date needs to be confirmed"
            marks = [each for each in (*there.suppressions, *there.left, *there.left_others) if each.reason != "HARD_BOUNCE"]
            if there.consent == "UNSUBSCRIBED" or marks:
                assert resubscribe, "a no is taken back only where that is asked for"
                assert dated, "and by a word that is known to be later"
                times = [each.at for each in marks] + ([there.since] if there.consent == "UNSUBSCRIBED" else [])
                assert all(at is not None and at < datetime.fromisoformat(word["consented_at"]) for at in times), "by a later word alone"
    assert sent > 500


def test_a_no_is_lost_only_to_a_later_yes_to_a_no_that_is_known_and_to_a_list_that_somebody_is_not_in() -> None:
    for word, there in everything():
        if word["action"] not in {"unsubscribe", "suppress"}:
            continue
        list_id = None if there.member is None or word["action"] == "suppress" else "L1"
        verdict = decide(word, there, ConsentRules(list_id=list_id), double_opt_in=False)
        match verdict.code:
            case "identity_conflict":
                assert there.foreign
            case "newer_in_klaviyo":
                assert list_id is None
                assert there.consent == "SUBSCRIBED"
                assert there.since is not None
                assert there.since > datetime.fromisoformat(word["consented_at"])
            case "not_in_list":
                assert list_id == "L1"
                assert not there.member
            case "unchanged":
                assert there.consent == "UNSUBSCRIBED" or there.suppressions or there.left
            case code:
                assert code == ""


def test_who_is_not_in_the_list_is_never_unsubscribed_from_it() -> None:
    """Klaviyo would unsubscribe them everywhere."""
    for word, there in everything():
        if word["action"] == "unsubscribe" and not there.member:
            assert not decide(word, there, ConsentRules(list_id="L1"), double_opt_in=False).send


def test_a_word_that_klaviyo_holds_is_not_sent_again() -> None:
    """What is sent and carried out is unchanged for the next load: loads can be repeated."""
    for word, there in everything():
        list_id = None if there.member is None else "L1"
        rules = ConsentRules(subscribe=True, list_id=list_id, resubscribe=True)
        if word["action"] == "subscribe" and holds(word, there, rules):
            assert decide(word, there, rules, double_opt_in=True).code == "unchanged"
        if word["action"] in {"unsubscribe", "suppress"} and holds(word, there, rules) and not there.foreign:
            assert decide(word, there, rules, double_opt_in=True).code == "unchanged"


# ── single matters ──────────────────────────────────────────────────────────────────


def test_subscribing_is_off_unless_asked_for_and_says_nothing_of_people_it_did_not_look_at() -> None:
    for each in CASES:
        if each.action in {"subscribe", "unsuppress"}:
            verdict = judged(each, subscribe=False)
            assert (verdict.code, verdict.fate, verdict.before) == ("subscribing_off", Fate.SKIPPED, "")


def test_identifiers_of_two_people_reject_a_yes_with_the_other_s_id() -> None:
    word = {
        "action": "subscribe",
        "channel": "sms.marketing",
        "phone_number": "+14155550123",
        "email": "sarah@example.com",
        "consented_at": T.isoformat(),
    }
    there = Standing(holder="01SARAH", foreign="01TOM")
    verdict = decide(word, there, ConsentRules(subscribe=True), double_opt_in=False)
    assert (verdict.code, verdict.fate) == ("identity_conflict", Fate.REJECTED)
    assert "01TOM" in verdict.reason


@pytest.mark.parametrize("action", ["unsubscribe", "suppress"])
def test_a_no_that_would_miss_the_profile_its_id_leads_to_is_rejected_and_says_what_to_do(action: str) -> None:
    word = {"action": action, "channel": "email.marketing", "email": "sarah@example.com", "id": "01TOM"}
    for there in (Standing(foreign="01TOM"), Standing(holder="01SARAH", foreign="01TOM", consent="UNSUBSCRIBED")):
        verdict = decide(word, there, ConsentRules(), double_opt_in=False)
        assert (verdict.code, verdict.fate) == ("identity_conflict", Fate.REJECTED)
        assert "did not reach the profile 01TOM" in verdict.reason


def test_a_no_to_a_list_is_lost_only_to_the_yes_that_put_them_in_it() -> None:
    """The channel's date is that of the last yes to anything."""
    word = {"action": "unsubscribe", "channel": "email.marketing", "email": "sarah@example.com", "consented_at": WHEN["older"].isoformat()}  # type: ignore[union-attr]
    months = timedelta(days=90)
    for joined, code in ((T, "newer_in_klaviyo"), (T - months, ""), (T + months, ""), (None, "")):
        there = Standing(holder="01SARAH", consent="SUBSCRIBED", since=T, member=True, joined=joined)
        assert decide(word, there, ConsentRules(list_id="L1"), double_opt_in=False).code == code
    assert decide(word, there, ConsentRules(list_id="L1", leave="everywhere"), double_opt_in=False).code == "newer_in_klaviyo"


def test_a_no_without_a_date_does_not_overtake_a_yes_given_since_it_was_read() -> None:
    word = {"action": "unsubscribe", "channel": "email.marketing", "email": "sarah@example.com"}
    there = Standing(holder="01SARAH", consent="SUBSCRIBED", since=T)
    for said_by, code in ((None, ""), (WHEN["older"], "newer_in_klaviyo"), (T, ""), (WHEN["later"], "")):
        assert decide(word, there, ConsentRules(said_by=said_by), double_opt_in=False).code == code


def test_what_goes_along_is_said_in_the_word() -> None:
    word = {
        "action": "subscribe",
        "channel": "sms.marketing",
        "phone_number": "+14155550123",
        "email": "sarah@example.com",
        "consented_at": T.isoformat(),
    }
    verdict = decide(word, Standing(along=("email",)), ConsentRules(subscribe=True), double_opt_in=False)
    assert verdict.word == {**word, "along": ["email"]}
    assert "along" not in word
    again = decide(verdict.word, Standing(holder="01SARAH"), ConsentRules(subscribe=True), double_opt_in=False)
    assert again.word == word, "a later look, of another try, finds somebody who holds the number"


def test_a_no_whose_time_klaviyo_does_not_tell_is_as_late_as_its_last_change() -> None:
    changed = datetime(2025, 7, 1, tzinfo=UTC)
    there = Standing(holder="01SARAH", consent="UNSUBSCRIBED", changed=changed)
    word = {"action": "subscribe", "channel": "sms.marketing", "phone_number": "+14155550123"}
    rules = ConsentRules(subscribe=True, resubscribe=True)
    for said, code in (("2025-06-30T00:00:00+00:00", "newer_in_klaviyo"), ("2025-07-02T00:00:00+00:00", "")):
        assert decide({**word, "consented_at": said}, there, rules, double_opt_in=False).code == code


@pytest.mark.parametrize(
    ("there", "told"),
    [
        (Standing(), "no profile"),
        (Standing(holder="01", consent="UNSUBSCRIBED", since=T), "UNSUBSCRIBED 2025-06-01T12:00:00+00:00"),
        (Standing(holder="01", consent=""), "not told"),
        (
            Standing(
                holder="01",
                suppressions=(Mark("HARD_BOUNCE"),),
                left=(Mark("UNSUBSCRIBE", T),),
                left_others=(Mark("UNSUBSCRIBE", T),),
                member=False,
            ),
            "NEVER_SUBSCRIBED, HARD_BOUNCE, left the list 2025-06-01T12:00:00+00:00, left another list, not in the list",
        ),
    ],
)
def test_what_klaviyo_had_is_told_in_a_few_words(there: Standing, told: str) -> None:
    word = {"action": "unsubscribe", "channel": "email.marketing", "email": "sarah@example.com"}
    assert decide(word, there, ConsentRules(), double_opt_in=False).before == told


def test_a_yes_with_a_date_goes_as_history_and_one_without_as_a_question() -> None:
    assert {lane(each.word) for each in CASES if each.action == "subscribe" and each.date == "undated"} == {"subscribe"}
    assert {lane(each.word) for each in CASES if each.action == "subscribe" and each.date != "undated"} == {"historical"}
    assert {lane(each.word) for each in CASES if each.action != "subscribe"} == {"unsubscribe", "suppress", "unsuppress"}


def test_the_guide_tells_every_reason() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guides" / "consent.md").read_text(encoding="utf-8")
    assert [code for code in REASONS if f"`{code}`" not in guide] == []

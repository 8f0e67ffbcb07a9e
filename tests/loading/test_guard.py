# SPDX-License-Identifier: Apache-2.0
"""Words against the local Klaviyo: what the guard reads there, what then leaves, and whom it reaches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from airflow_provider_klaviyo.api import lists
from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoConfigError
from airflow_provider_klaviyo.loading.consent import ConsentRules, Verdict, lane, request
from airflow_provider_klaviyo.loading.guard import Guard
from airflow_provider_klaviyo.sandbox.klaviyo import later, people
from airflow_provider_klaviyo.sandbox.klaviyo.database import to_micros
from tests.contract.agreement import agree
from tests.loading.consent_table import CASES, STATES, Case, T
from tests.loading.kit import session

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer
    from airflow_provider_klaviyo.session import Session

Json = dict[str, Any]
Each = TypeVar("Each")

SUBSCRIBE = "POST /api/profile-subscription-bulk-create-jobs"
UNSUBSCRIBE = "POST /api/profile-subscription-bulk-delete-jobs"
MOST = {"historical": 1000, "subscribe": 1000, "unsubscribe": 100, "suppress": 100, "unsuppress": 100}
PHONE, OTHER_PHONE = "+14155550123", "+14155550124"
SARAH = "sarah@example.com"
AT = T.isoformat()


@pytest.fixture
def talk(klaviyo: SandboxServer) -> Iterator[Session]:
    """Talk to the local Klaviyo, and hold all that was said against Klaviyo's contracts."""
    with session(klaviyo) as talk:
        yield talk
    agree(klaviyo.klaviyo.received)


def new_list(talk: Session, opt_in_process: lists.OptIn = "single_opt_in") -> str:
    return str(talk.send(lists.create(name="VIP", opt_in_process=opt_in_process))["data"]["id"])


def person(
    sandbox: SandboxServer,
    channel: str = "email.marketing",
    *,
    state: str = "never",
    list_id: str | None = None,
    member: bool = False,
    **known: str,
) -> str:
    """Put somebody into the local Klaviyo, and return their id."""
    klaviyo, told = sandbox.klaviyo, STATES[state]
    with klaviyo.lock:
        profile = people.create(klaviyo, {"attributes": known}, klaviyo.now())
        if told.consent and told.at:
            row = (profile, channel, told.consent, to_micros(told.at), "API", None, False)
            klaviyo.db.execute("INSERT INTO consents VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        marks = [("", reason, at) for reason, at in told.marks] + ([(list_id, "UNSUBSCRIBE", T)] if told.left else [])
        marks += [("OTHER1", "UNSUBSCRIBE", T)] if told.left_other else []
        rows = [(profile, about, reason, to_micros(at)) for about, reason, at in marks if at]
        klaviyo.db.executemany("INSERT INTO suppressions VALUES (?, ?, ?, ?)", rows)
        if member:
            klaviyo.db.execute("INSERT INTO members VALUES (?, ?, ?)", (list_id, profile, klaviyo.now()))
    return profile


def settle(sandbox: SandboxServer) -> None:
    with sandbox.klaviyo.lock:
        later.settle(sandbox.klaviyo)


def sent_to(sandbox: SandboxServer, name: str) -> list[Json]:
    """Return the people that requests were about, as they were received."""
    bodies = [each.body["data"] for each in sandbox.klaviyo.received if each.name == name]
    return [
        each["attributes"] | ({"id": each["id"]} if "id" in each else {})
        for body in bodies
        for each in body["attributes"]["profiles"]["data"]
    ]


def look(talk: Session, rules: ConsentRules, *words: Json) -> list[Verdict]:
    (name,) = {lane(each) for each in words}
    return Guard(talk, rules).look(name, words)


def send(talk: Session, rules: ConsentRules, *words: Json) -> list[Verdict]:
    """Do as a load does: look, and send what may be sent."""
    verdicts = look(talk, rules, *words)
    if those := [each.word for each in verdicts if each.send]:
        talk.send(request(lane(words[0]), those, rules))
    return verdicts


def yes(channel: str = "email.marketing", *, at: str | None = AT, **known: str) -> Json:
    return {"action": "subscribe", "channel": channel, **known, **({"consented_at": at} if at else {})}


def no(channel: str = "email.marketing", **known: str) -> Json:
    return {"action": "unsubscribe", "channel": channel, **known}


# ── the truth table, through Klaviyo ────────────────────────────────────────────────


def those(cases: Iterable[Case]) -> dict[str, list[Case]]:
    lanes: dict[str, list[Case]] = {}
    for each in cases:
        lanes.setdefault(lane(each.word), []).append(each)
    return lanes


def portions(several: Sequence[Each], name: str) -> Iterator[Sequence[Each]]:
    """Cut what goes in a lane into requests."""
    for start in range(0, len(several), MOST[name]):
        yield several[start : start + MOST[name]]


@pytest.mark.parametrize("resubscribe", [False, True])
@pytest.mark.parametrize("opt_in", [None, "single_opt_in", "double_opt_in"])
def test_the_truth_table_holds_against_klaviyo(
    klaviyo: SandboxServer, talk: Session, opt_in: lists.OptIn | None, resubscribe: bool
) -> None:
    list_id = new_list(talk, opt_in) if opt_in else None
    rules = ConsentRules(subscribe=True, list_id=list_id, resubscribe=resubscribe, custom_source="CRM")
    mine = [
        each
        for each in CASES
        if STATES[each.state].made
        and (each.member is not None) is (list_id is not None)
        and each.double_opt_in is (opt_in == "double_opt_in")
        and each.resubscribe is resubscribe
    ]
    for each in mine:
        if STATES[each.state].consent is not None:
            person(klaviyo, state=each.state, list_id=list_id, member=bool(each.member), email=f"{each.person}@example.com")
    guard = Guard(talk, rules)
    guard.open()
    verdicts: dict[Case, Verdict] = {}
    for name, group in those(mine).items():
        for portion in portions(group, name):
            judged = guard.look(name, [each.word for each in portion])
            verdicts |= zip(portion, judged, strict=True)
    assert {each.person: verdict.code for each, verdict in verdicts.items() if verdict.code != each.code} == {}

    sent = {each: verdict for each, verdict in verdicts.items() if verdict.send}
    for name, group in those(sent).items():
        for portion in portions(group, name):
            talk.send(request(name, [sent[each].word for each in portion], rules))
    settle(klaviyo)
    assert_nobody_was_subscribed_without_a_record(klaviyo, mine, opt_in)
    assert_the_list_was_left_by_members_alone(klaviyo, mine, list_id)

    for name, group in those(sent).items():
        words = [sent[each].word for each in group]
        done = [done for portion in portions(words, name) for done in guard.carried_out(name, portion)]
        assert set(done) == {name != "subscribe"}, "who is asked to confirm has not done so"
        again = [each for portion in portions(words, name) for each in guard.look(name, portion) if each.send]
        assert name == "subscribe" or not again, "a load can be repeated"


def assert_nobody_was_subscribed_without_a_record(klaviyo: SandboxServer, mine: list[Case], opt_in: str | None) -> None:
    """Read what Klaviyo received, whatever the verdicts were."""
    case_of = {f"{each.person}@example.com": each for each in mine}
    bodies = [each.body["data"] for each in klaviyo.klaviyo.received if each.name == SUBSCRIBE]
    assert bodies
    for body in bodies:
        historical = body["attributes"].get("historical_import", False)
        assert historical or opt_in == "double_opt_in"
        for row in body["attributes"]["profiles"]["data"]:
            case = case_of[row["attributes"]["email"]]
            assert case.action == "subscribe"
            said = row["attributes"]["subscriptions"]["email"]["marketing"]
            if historical:
                assert said["consented_at"] == case.word["consented_at"]
            if case.state in {
                "no",
                "suppressed_no",
                "yes_and_no",
                "complained",
                "by_hand",
                "by_hand_bounced",
                "left",
                "never_left_other",
            } or (case.state == "left_other"):
                assert case.resubscribe
                assert not historical or datetime.fromisoformat(said["consented_at"]) > T


def assert_the_list_was_left_by_members_alone(klaviyo: SandboxServer, mine: list[Case], list_id: str | None) -> None:
    case_of = {f"{each.person}@example.com": each for each in mine}
    asked = sent_to(klaviyo, UNSUBSCRIBE)
    assert asked
    for row in asked:
        assert case_of[row["email"]].action == "unsubscribe"
        assert list_id is None or case_of[row["email"]].member
    if list_id is not None:
        ask = "SELECT count(*) FROM consents WHERE consent = 'UNSUBSCRIBED' AND at != ?"
        assert klaviyo.klaviyo.db.execute(ask, (to_micros(T),)).fetchone() == (0,), "nobody was unsubscribed everywhere"


@pytest.mark.parametrize("channel", ["sms.marketing", "sms.transactional", "whatsapp.marketing", "whatsapp.transactional"])
@pytest.mark.parametrize("resubscribe", [False, True])
def test_the_truth_table_holds_for_the_channels_of_a_phone(klaviyo: SandboxServer, talk: Session, channel: str, resubscribe: bool) -> None:
    """Suppressions are of e-mail: they say nothing of a phone."""
    states = ("nobody", "never", "yes", "no", "new_word")
    mine = [
        each
        for each in CASES
        if each.member is None and each.state in states and each.resubscribe is resubscribe and "suppress" not in each.action
    ]
    phones = {each: f"+1415555{at:04d}" for at, each in enumerate(mine)}
    for each in mine:
        if each.state != "nobody":
            profile = person(klaviyo, channel, state=each.state, phone_number=phones[each], email=f"{each.person}@example.com")
            klaviyo.klaviyo.db.execute("INSERT OR IGNORE INTO suppressions VALUES (?, '', 'SPAM_COMPLAINT', ?)", (profile, to_micros(T)))
    rules = ConsentRules(subscribe=True, resubscribe=resubscribe)
    for group in those(mine).values():
        words = [{**each.word, "channel": channel, "phone_number": phones[each]} for each in group]
        verdicts = send(talk, rules, *words)
        assert [(each.person, verdict.code) for each, verdict in zip(group, verdicts, strict=True)] == [
            (each.person, each.code) for each in group
        ]
        done = Guard(talk, rules).carried_out(lane(words[0]), [each.word for each in verdicts if each.send])
        assert all(done)
    assert {row["phone_number"] for row in sent_to(klaviyo, SUBSCRIBE)} == {
        phones[each] for each in mine if each.action == "subscribe" and not each.code
    }


# ── one person stays one profile ────────────────────────────────────────────────────


def profiles_of(sandbox: SandboxServer) -> set[tuple[str | None, str | None]]:
    settle(sandbox)
    return set(sandbox.klaviyo.db.execute("SELECT email, phone_number FROM profiles").fetchall())


@pytest.mark.parametrize(
    ("there", "sent", "left"),
    [
        ([], {"email": SARAH, "phone_number": PHONE}, {(SARAH, PHONE)}),
        ([{"email": SARAH}], {"email": SARAH, "phone_number": PHONE}, {(SARAH, PHONE)}),
        ([{"email": SARAH, "phone_number": PHONE}], {"phone_number": PHONE}, {(SARAH, PHONE)}),
        ([{"phone_number": PHONE}], {"phone_number": PHONE}, {(None, PHONE)}),
        ([{"email": "old@example.com", "phone_number": PHONE}], {"phone_number": PHONE}, {("old@example.com", PHONE)}),
        ([{"email": SARAH, "phone_number": OTHER_PHONE}], None, {(SARAH, OTHER_PHONE)}),
        ([{"email": SARAH}, {"phone_number": PHONE}], None, {(SARAH, None), (None, PHONE)}),
    ],
    ids=["nobody", "by e-mail", "by both", "by phone", "another e-mail", "another phone", "two people"],
)
def test_a_yes_by_phone_makes_no_second_profile_and_changes_no_identifier(
    klaviyo: SandboxServer, talk: Session, there: list[Json], sent: Json | None, left: set[Any]
) -> None:
    ids = [person(klaviyo, **known) for known in there]
    (verdict,) = send(talk, ConsentRules(subscribe=True), yes("sms.marketing", email="Sarah@Example.com", phone_number=PHONE))
    received = [{name: each[name].lower() for name in ("email", "phone_number") if name in each} for each in sent_to(klaviyo, SUBSCRIBE)]
    assert received == ([sent] if sent else [])
    assert profiles_of(klaviyo) == left
    assert verdict.code == ("" if sent else "identity_conflict")
    assert sent or ids[0] in verdict.reason


@pytest.mark.parametrize(
    "there",
    [
        [],
        [{"email": SARAH}],
        [{"email": SARAH, "phone_number": OTHER_PHONE}],
        [{"email": SARAH}, {"phone_number": PHONE}],
    ],
    ids=["nobody", "by e-mail", "another phone", "two people"],
)
def test_a_no_is_sent_by_its_own_identifier_alone_whoever_the_other_leads_to(
    klaviyo: SandboxServer, talk: Session, there: list[Json]
) -> None:
    for known in there:
        person(klaviyo, **known)
    (verdict,) = send(talk, ConsentRules(), no("sms.marketing", email=SARAH, phone_number=PHONE, id="01NOBODY"))
    (row,) = sent_to(klaviyo, UNSUBSCRIBE)
    assert row.keys() - {"subscriptions"} == {"phone_number"}
    assert Guard(talk, ConsentRules()).carried_out("unsubscribe", [verdict.word]) == [True]


def test_people_who_share_a_number_keep_their_addresses_and_words(klaviyo: SandboxServer, talk: Session) -> None:
    """Noes of a family: none of them takes the number from another, or their address."""
    send(talk, ConsentRules(), *(no(email=f"{name}@example.com", phone_number=PHONE) for name in ("a", "b", "c")))
    assert profiles_of(klaviyo) == {("a@example.com", None), ("b@example.com", None), ("c@example.com", None)}
    assert klaviyo.klaviyo.db.execute("SELECT consent, count(*) FROM consents").fetchall() == [("UNSUBSCRIBED", 3)]


@pytest.mark.parametrize("action", ["unsubscribe", "suppress"])
def test_a_no_that_misses_the_person_under_another_address_says_so(klaviyo: SandboxServer, talk: Session, action: str) -> None:
    sarah = person(klaviyo, state="yes", email="new@example.com")
    phone = person(klaviyo, phone_number=PHONE)
    words = [
        {"action": action, "channel": "email.marketing", **each}
        for each in (
            {"email": SARAH, "id": sarah},
            {"email": "New@example.com", "id": sarah},
            {"email": "tom@example.com", "id": phone},
            {"email": "ann@example.com", "id": "01NOBODY"},
        )
    ]
    verdicts = look(talk, ConsentRules(), *words)
    assert [each.code for each in verdicts] == ["identity_conflict", "", "", ""]
    assert f"did not reach the profile {sarah}" in verdicts[0].reason


@pytest.mark.parametrize(
    ("state", "asked", "code"),
    [
        ("yes", "subscribe", ""),
        ("no", "subscribe", "unsubscribed_in_klaviyo"),
    ],
)
def test_what_somebody_said_with_a_number_they_no_longer_have_is_a_no_to_the_new_one_and_nothing_else(
    klaviyo: SandboxServer, talk: Session, state: str, asked: str, code: str
) -> None:
    person(klaviyo, "sms.marketing", state=state, email=SARAH)
    earlier = {
        "action": asked,
        "channel": "sms.marketing",
        "email": SARAH,
        "phone_number": PHONE,
        "consented_at": "2025-01-01T00:00:00+00:00",
    }
    (verdict,) = send(talk, ConsentRules(subscribe=True), earlier)
    assert verdict.code == code
    assert profiles_of(klaviyo) == {(SARAH, None if code else PHONE)}


def test_klaviyo_s_id_joins_an_address_that_is_new_to_its_profile(klaviyo: SandboxServer, talk: Session) -> None:
    known = person(klaviyo, phone_number=PHONE)
    rules = ConsentRules(subscribe=True)
    send(talk, rules, yes(email=SARAH, id=known))
    send(talk, rules, yes(email="tom@example.com", id="01NOBODY"))
    assert profiles_of(klaviyo) == {(SARAH, PHONE), ("tom@example.com", None)}
    (verdict,) = look(talk, rules, yes(email="other@example.com", id=known))
    assert (verdict.code, known in verdict.reason) == ("identity_conflict", True), "the profile has another address"


def test_an_address_that_is_new_joins_nobody_where_the_rest_leads_to_two_people(klaviyo: SandboxServer, talk: Session) -> None:
    """Neither of them has an address that would be another."""
    one, other = person(klaviyo, phone_number=PHONE), person(klaviyo, phone_number=OTHER_PHONE)
    (verdict,) = send(talk, ConsentRules(subscribe=True), yes(email=SARAH, phone_number=PHONE, id=other))
    assert (verdict.code, one in verdict.reason or other in verdict.reason) == ("identity_conflict", True)
    send(talk, ConsentRules(), no(email=SARAH, phone_number=PHONE, id=other))
    assert profiles_of(klaviyo) == {(None, PHONE), (None, OTHER_PHONE), (SARAH, None)}


def test_a_row_about_two_channels_becomes_one_person(klaviyo: SandboxServer, talk: Session) -> None:
    known = {"email": SARAH, "phone_number": PHONE}
    send(talk, ConsentRules(subscribe=True), yes(**known), yes("sms.marketing", **known))
    assert profiles_of(klaviyo) == {(SARAH, PHONE)}
    assert {each.code for each in look(talk, ConsentRules(subscribe=True), yes(**known), yes("sms.marketing", **known))} == {"unchanged"}


# ── races, and how few requests it takes ────────────────────────────────────────────


def test_who_unsubscribes_between_staging_and_sending_is_left_alone(klaviyo: SandboxServer, talk: Session) -> None:
    list_id = new_list(talk)
    person(klaviyo, state="yes", email=SARAH)
    rules = ConsentRules(subscribe=True, list_id=list_id)
    assert look(talk, rules, yes(email=SARAH))[0].send
    klaviyo.klaviyo.unsubscribe(SARAH)
    assert look(talk, rules, yes(email=SARAH))[0].code == "unsubscribed_in_klaviyo"
    assert look(talk, replace(rules, resubscribe=True), yes(email=SARAH))[0].code == "newer_in_klaviyo"


def test_a_yes_to_one_list_takes_no_no_to_another_back(klaviyo: SandboxServer, talk: Session) -> None:
    """Klaviyo would lift what stands against all lists."""
    left, joined = new_list(talk), new_list(talk)
    person(klaviyo, state="left", list_id=left, email=SARAH)
    klaviyo.klaviyo.db.execute("DELETE FROM consents")
    rules = ConsentRules(subscribe=True, list_id=joined)
    later = (T + timedelta(days=1)).isoformat()
    assert send(talk, rules, yes(at=later, email=SARAH))[0].code == "left_another_list"
    assert send(talk, replace(rules, resubscribe=True), yes(email=SARAH))[0].code == "newer_in_klaviyo"
    settle(klaviyo)
    assert klaviyo.klaviyo.db.execute("SELECT list_id FROM suppressions").fetchall() == [(left,)]
    assert send(talk, replace(rules, resubscribe=True), yes(at=later, email=SARAH))[0].send


def test_a_no_to_a_list_is_not_lost_to_a_later_yes_to_another(klaviyo: SandboxServer, talk: Session) -> None:
    """Unless that yes is what put them in the list."""
    list_id, earlier = new_list(talk), (T - timedelta(days=1)).isoformat()
    for name in ("another", "this"):
        person(klaviyo, state="yes", list_id=list_id, member=True, email=f"{name}@example.com")
    at = to_micros(T + timedelta(seconds=20))
    klaviyo.klaviyo.db.execute("UPDATE members SET joined = ? WHERE profile_id = (SELECT id FROM profiles WHERE email LIKE 'this%')", (at,))
    words = [no(email=f"{name}@example.com") | {"consented_at": earlier} for name in ("another", "this")]
    assert [each.code for each in look(talk, ConsentRules(list_id=list_id), *words)] == ["", "newer_in_klaviyo"]


def test_a_suppression_is_taken_back_only_by_a_later_word_of_a_load_that_subscribes(klaviyo: SandboxServer, talk: Session) -> None:
    person(klaviyo, state="by_hand", email=SARAH)
    word = {"action": "unsuppress", "channel": "email.marketing", "email": SARAH}
    later = (T + timedelta(days=1)).isoformat()
    on = ConsentRules(subscribe=True)
    told = [(ConsentRules(), later), (on, None), (on, AT), (on, later)]
    codes = [look(talk, rules, word | ({"consented_at": at} if at else {}))[0].code for rules, at in told]
    assert codes == ["subscribing_off", "no_consent_date", "newer_in_klaviyo", ""]


def test_who_left_is_not_asked_to_confirm_every_night(klaviyo: SandboxServer, talk: Session) -> None:
    rules = ConsentRules(subscribe=True, resubscribe=True, list_id=new_list(talk, "double_opt_in"))
    person(klaviyo, state="no", email=SARAH)
    assert send(talk, rules, yes(at=None, email=SARAH))[0].code == "undated_after_no"
    assert not klaviyo.klaviyo.requests[SUBSCRIBE]


def test_who_leaves_the_list_by_other_hands_is_not_unsubscribed_everywhere(klaviyo: SandboxServer, talk: Session) -> None:
    list_id = new_list(talk)
    sarah = person(klaviyo, state="yes", list_id=list_id, member=True, email=SARAH)
    rules = ConsentRules(list_id=list_id)
    assert look(talk, rules, no(email=SARAH))[0].send
    talk.send(lists.remove_profiles(list_id=list_id, profile_ids=[sarah]))
    assert look(talk, rules, no(email=SARAH))[0].code == "not_in_list"


def test_a_list_that_is_no_longer_double_opt_in_asks_nobody_without_a_date(klaviyo: SandboxServer, talk: Session) -> None:
    list_id = new_list(talk, "double_opt_in")
    guard = Guard(talk, ConsentRules(subscribe=True, list_id=list_id))
    guard.open()
    word = yes(at=None, email=SARAH)
    assert guard.look("subscribe", [word])[0].send
    talk.send(lists.update(list_id=list_id, opt_in_process="single_opt_in"))
    assert guard.look("subscribe", [word])[0].code == "no_consent_date"


def test_who_was_asked_to_confirm_is_subscribed_once_they_have(klaviyo: SandboxServer, talk: Session) -> None:
    rules = ConsentRules(subscribe=True, list_id=new_list(talk, "double_opt_in"))
    word = yes(at=None, email=SARAH)
    send(talk, rules, word)
    assert Guard(talk, rules).carried_out("subscribe", [word]) == [False]
    klaviyo.klaviyo.confirm(SARAH)
    assert Guard(talk, rules).carried_out("subscribe", [word]) == [True]
    assert look(talk, rules, word)[0].code == "unchanged"


def test_without_a_list_nobody_is_asked_whatever_the_account_does(klaviyo: SandboxServer, talk: Session) -> None:
    """The account's own process cannot be read."""
    klaviyo.klaviyo.behaviour.opt_in_process = "double_opt_in"
    assert look(talk, ConsentRules(subscribe=True), yes(at=None, email=SARAH))[0].code == "no_consent_date"


def test_a_list_that_is_gone_is_found_out_at_once(klaviyo: SandboxServer, talk: Session) -> None:
    with pytest.raises(KlaviyoApiError) as gone:
        Guard(talk, ConsentRules(list_id="NoList")).open()
    assert gone.value.status == 404
    Guard(talk, ConsentRules()).open()
    assert sum(klaviyo.klaviyo.requests.values()) == 1


@pytest.mark.parametrize(("listed", "reads"), [(False, 10), (True, 10 + 5)])
def test_a_thousand_people_take_a_dozen_reads(klaviyo: SandboxServer, talk: Session, listed: bool, reads: int) -> None:
    """A hundred at once; the list is asked for those alone who are in Klaviyo."""
    list_id = new_list(talk) if listed else None
    for at in range(500):
        person(klaviyo, state="never", email=f"p{at:03}@example.com")
    klaviyo.klaviyo.requests.clear()
    verdicts = look(talk, ConsentRules(subscribe=True, list_id=list_id), *(yes(email=f"p{at:03}@example.com") for at in range(1000)))
    assert all(each.send for each in verdicts)
    assert sum(klaviyo.klaviyo.requests.values()) == reads


def test_an_address_is_suppressed_whatever_list_it_is_in(klaviyo: SandboxServer, talk: Session) -> None:
    list_id = new_list(talk)
    person(klaviyo, list_id=list_id, member=True, email=SARAH)
    klaviyo.klaviyo.requests.clear()
    (verdict,) = look(talk, ConsentRules(list_id=list_id), {"action": "suppress", "channel": "email.marketing", "email": SARAH})
    assert (verdict.send, verdict.before) == (True, "NEVER_SUBSCRIBED")
    assert sum(klaviyo.klaviyo.requests.values()) == 1


def test_who_was_in_the_list_and_is_no_longer_has_left_it_though_klaviyo_does_not_say_how(klaviyo: SandboxServer, talk: Session) -> None:
    list_id = new_list(talk)
    person(klaviyo, state="yes", email=SARAH)
    person(klaviyo, state="yes", list_id=list_id, member=True, email="tom@example.com")
    words = [no(email=SARAH), no(email="tom@example.com")]
    assert Guard(talk, ConsentRules(list_id=list_id)).carried_out("unsubscribe", words) == [True, False]
    assert Guard(talk, ConsentRules()).carried_out("unsubscribe", words) == [False, False]


def test_a_load_that_does_not_subscribe_reads_nothing_for_a_yes(klaviyo: SandboxServer, talk: Session) -> None:
    verdicts = look(talk, ConsentRules(), yes(email=SARAH), yes(email="tom@example.com"))
    assert {each.code for each in verdicts} == {"subscribing_off"}
    assert not klaviyo.klaviyo.requests


def test_words_are_answered_in_their_order_and_addresses_compared_without_case(klaviyo: SandboxServer, talk: Session) -> None:
    person(klaviyo, state="no", email="tom@example.com")
    verdicts = look(talk, ConsentRules(), no(email="Tom@Example.com"), no(email=SARAH), no(email="TOM@example.com"))
    assert [each.code for each in verdicts] == ["unchanged", "", "unchanged"]


# ── how many may be unsubscribed ────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("most", "counts", "stops"),
    [
        (None, {"unsubscribe": 10_000}, False),
        (10, {"unsubscribe": 6, "suppress": 4}, False),
        (10, {"unsubscribe": 6, "suppress": 5}, True),
        (10, {"historical": 5_000, "unsuppress": 5_000}, False),
        (0, {"suppress": 1}, True),
        (0.1, {"unsubscribe": 2}, False),
        (0.1, {"unsubscribe": 3}, True),
    ],
)
def test_more_than_max_change_stops_before_anything_is_sent(
    klaviyo: SandboxServer, talk: Session, most: float | None, counts: dict[str, int], stops: bool
) -> None:
    list_id = new_list(talk)
    for at in range(29):
        person(klaviyo, list_id=list_id, member=True, email=f"p{at}@example.com")
    guard = Guard(talk, ConsentRules(list_id=list_id), most)
    if stops:
        with pytest.raises(KlaviyoConfigError, match="max_change"):
            guard.change_check(counts)
    else:
        guard.change_check(counts)


def test_a_share_needs_a_list_and_a_count_none(klaviyo: SandboxServer, talk: Session) -> None:
    with pytest.raises(KlaviyoConfigError, match="give a list_id"):
        Guard(talk, ConsentRules(), 0.5)
    Guard(talk, ConsentRules(), 1).change_check({"unsubscribe": 1})
    assert not klaviyo.klaviyo.requests

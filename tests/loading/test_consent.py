# SPDX-License-Identifier: Apache-2.0
"""How rows become words and words requests: what says nothing is skipped, what cannot be is rejected, and a no is not lost to a detail."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.loading.checks import Check, Invalid
from airflow_provider_klaviyo.loading.consent import ConsentRules, identity, lane, request, rows, words
from airflow_provider_klaviyo.loading.rows import Reject, Skip

Json = dict[str, Any]

SARAH, PHONE = "sarah@example.com", "+14155550123"
AT = "2025-06-01T12:00:00+00:00"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ALL = ("email.marketing", "sms.marketing", "sms.transactional", "whatsapp.marketing", "whatsapp.transactional")


def said(row: Json, *, on_invalid: Any = "drop_field", region: str | None = None, **rules: Any) -> list[Any]:
    return list(words(row, Check(on_invalid, region, now=NOW), ConsentRules(**rules)))


def word(row: Json, **rules: Any) -> Json:
    ((key, only),) = said(row, **rules)
    assert key == ""
    return dict(only)


def refused(row: Json, **rules: Any) -> str:
    with pytest.raises(Invalid) as invalid:
        said(row, **rules)
    assert SARAH not in str(invalid.value)
    return invalid.value.code


# ── what a row says ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("consent", "action"),
    [
        ("SUBSCRIBED", "subscribe"),
        (" subscribed ", "subscribe"),
        ("Unsubscribed", "unsubscribe"),
        ("suppressed", "suppress"),
        ("UNSUPPRESSED", "unsuppress"),
    ],
)
def test_a_row_says_one_of_four_words_in_any_case(consent: str, action: str) -> None:
    assert word({"email": SARAH, "consent": consent, "consented_at": AT}) == {
        "action": action,
        "channel": "email.marketing",
        "email": SARAH,
        "consented_at": AT,
    }


@pytest.mark.parametrize(
    ("consent", "code"),
    [
        (None, "no_consent"),
        ("", "no_consent"),
        ("  ", "no_consent"),
        (math.nan, "no_consent"),
        ("NEVER_SUBSCRIBED", "never_subscribed"),
        ("not_subscribed", "not_subscribed"),
        ("PENDING", "pending"),
        ("INVALID", "invalid"),
        ("REDACTED", "redacted"),
    ],
)
def test_what_says_nothing_is_skipped_whatever_else_is_in_the_row(consent: Any, code: str) -> None:
    assert said({"consent": consent, "consented_at": "soon", "email": "nobody"}) == [Skip("", code, "the row says neither yes nor no")]
    assert said({"email": SARAH})[0].code == "no_consent"


@pytest.mark.parametrize("consent", [True, False, "true", "FALSE"])
def test_a_truth_value_is_refused_because_false_may_mean_that_nobody_was_asked(consent: Any) -> None:
    assert refused({"email": SARAH, "consent": consent}) == "boolean_consent"


@pytest.mark.parametrize("consent", [1, 0, "yes", "opted_in", ["subscribed"], "SINGLE_OPT_IN", "sub scribed"])
def test_a_word_that_there_is_not_is_refused_and_not_guessed(consent: Any) -> None:
    assert refused({"email": SARAH, "consent": consent}) == "unknown_consent"


@given(
    consent=st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=20),
        st.sampled_from([" SUBSCRIBED", "subscribed", "Subscribed "]),
    ),
    when=st.one_of(
        st.none(), st.text(max_size=30), st.datetimes(), st.datetimes(timezones=st.timezones()), st.dates(), st.integers(), st.floats()
    ),
)
def test_nobody_says_yes_but_by_that_word_and_no_date_is_made_up(consent: Any, when: Any) -> None:
    try:
        found = said({"email": SARAH, "consent": consent, "consented_at": when}, subscribe=True)
    except Invalid:
        return
    for each in found:
        if isinstance(each, tuple) and each[1]["action"] == "subscribe":
            assert consent.strip().lower() == "subscribed"
            if "consented_at" in each[1]:
                meant = when if isinstance(when, datetime) else datetime.fromisoformat(when.strip())
                assert datetime.fromisoformat(each[1]["consented_at"]) == meant
                assert meant <= max(NOW, datetime.now(UTC))
            else:
                assert when is None or (isinstance(when, str) and not when.strip()) or (isinstance(when, float) and math.isnan(when))


def test_a_name_that_is_no_field_is_the_mapping_s_fault() -> None:
    with pytest.raises(KlaviyoConfigError, match="'first_name': a row of consent has consent, channels"):
        said({"email": SARAH, "consent": "subscribed", "first_name": "Sarah"})


# ── when ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "when",
    [
        AT,
        "2025-06-01T14:00:00+02:00",
        " 2025-06-01T12:00:00Z ",
        datetime(2025, 6, 1, 12, tzinfo=UTC),
        datetime(2025, 6, 1, 5, tzinfo=timezone(timedelta(hours=-7))),
    ],
)
def test_dates_go_as_utc(when: Any) -> None:
    assert word({"email": SARAH, "consent": "subscribed", "consented_at": when})["consented_at"] == AT


def test_parts_of_a_second_are_kept_for_they_may_order_two_words() -> None:
    assert (
        word({"email": SARAH, "consent": "subscribed", "consented_at": "2025-06-01T12:00:00.25Z"})["consented_at"]
        == "2025-06-01T12:00:00.250000+00:00"
    )


BAD_DATES = [
    ("2025-06-01T12:00:00", "naive_time"),
    ("2025-06-01", "naive_time"),
    (date(2025, 6, 1), "naive_time"),
    (datetime(2025, 6, 1), "naive_time"),  # noqa: DTZ001 - that is the point
    ("yesterday", "bad_time"),
    (1748779200, "bad_time"),
    ("2999-01-01T00:00:00Z", "future_time"),
    (datetime(2999, 1, 1, tzinfo=UTC), "future_time"),
    ("1970-01-01T00:00:00Z", "time_out_of_range"),
]


@pytest.mark.parametrize(("when", "code"), BAD_DATES)
@pytest.mark.parametrize("consent", ["subscribed", "unsuppressed"])
def test_a_yes_with_a_date_that_cannot_be_is_rejected_and_not_taken_for_undated(consent: str, when: Any, code: str) -> None:
    assert refused({"email": SARAH, "consent": consent, "consented_at": when}) == code


@pytest.mark.parametrize(("when", "code"), BAD_DATES)
@pytest.mark.parametrize("consent", ["unsubscribed", "suppressed"])
def test_a_no_is_not_lost_to_its_date(consent: str, when: Any, code: str) -> None:
    check = Check(now=NOW)
    row = {"email": SARAH, "consent": consent, "consented_at": when}
    ((_, only),) = words(row, check, ConsentRules())  # type: ignore[misc]
    assert "consented_at" not in only
    assert check.dropped == {f"consented_at: {code}": 1}
    assert refused(row, on_invalid="reject_row") == code


def test_what_was_said_while_the_source_is_read_is_not_in_the_future() -> None:
    a_moment_ago = datetime.now(UTC) - timedelta(seconds=1)
    check = Check(now=a_moment_ago - timedelta(hours=1))
    ((_, only),) = words({"email": SARAH, "consent": "subscribed", "consented_at": a_moment_ago}, check, ConsentRules())  # type: ignore[misc]
    assert only["consented_at"] == a_moment_ago.isoformat()


# ── who, and by which channel ───────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "channels",
    [
        "email.marketing,sms.marketing",
        " email.marketing , sms.marketing,",
        ["email.marketing", "sms.marketing"],
        ("email.marketing", "sms.marketing", "email.marketing"),
    ],
)
def test_a_row_about_several_channels_is_several_words_named_after_them(channels: Any) -> None:
    found = said({"email": SARAH, "phone_number": PHONE, "consent": "subscribed", "channels": channels})
    assert [(key, each["channel"]) for key, each in found] == [("/email.marketing", "email.marketing"), ("/sms.marketing", "sms.marketing")]


@pytest.mark.parametrize("channels", [None, "", " "])
def test_without_channels_of_its_own_a_row_is_about_those_of_the_rules(channels: Any) -> None:
    row = {"email": SARAH, "phone_number": PHONE, "consent": "unsubscribed", "channels": channels}
    assert [each[1]["channel"] for each in said(row, channels=ALL)] == list(ALL)
    assert word(row)["channel"] == "email.marketing"


@pytest.mark.parametrize(
    ("consent", "channels", "fits"),
    [
        *(("subscribed", each, True) for each in ALL),
        ("subscribed", "whatsapp.conversational", False),
        ("unsubscribed", "whatsapp.conversational", True),
        ("subscribed", "email", False),
        ("subscribed", [], False),
        ("subscribed", 5, False),
        ("unsubscribed", ["sms"], False),
        ("unsubscribed", [["sms.marketing"]], False),
        ("suppressed", "email.marketing", True),
        ("suppressed", "sms.marketing", False),
        ("unsuppressed", ["email.marketing", "sms.marketing"], False),
    ],
)
def test_channels_are_those_that_klaviyo_has_for_the_word(consent: str, channels: Any, fits: bool) -> None:
    row = {"email": SARAH, "phone_number": PHONE, "consent": consent, "channels": channels}
    if fits:
        assert word(row)["channel"] == channels
    elif not channels or channels == 5 or isinstance(channels[0], list):
        assert refused(row) == "unknown_channel"
    else:
        assert {each.code for each in said(row) if isinstance(each, Reject)} == {"unknown_channel"}


def test_a_suppression_is_about_e_mail_whatever_the_other_channels_of_the_rules() -> None:
    row = {"email": SARAH, "consent": "suppressed"}
    assert word(row, channels=("sms.marketing", "email.marketing"))["channel"] == "email.marketing"
    assert [each.code for each in said(row, channels=("sms.marketing",))] == ["unknown_channel"]


def test_a_channel_that_there_is_not_is_rejected_by_itself_and_not_named_by_its_text() -> None:
    """The text may be anything of the row, where the mapping is wrong."""
    row = {"email": SARAH, "consent": "unsubscribed", "channels": f"email.marketing, push.marketing,{PHONE},sms.marketing"}
    found = said(row)
    assert [each.key if isinstance(each, Reject) else each[0] for each in found] == [
        "/email.marketing",
        "/channel 2",
        "/channel 3",
        "/sms.marketing",
    ]
    assert [each.code for each in found if isinstance(each, Reject)] == ["unknown_channel", "unknown_channel", "no_identifier"]
    assert PHONE not in "".join(each.reason for each in found if isinstance(each, Reject))
    assert [
        each.key for each in said({**row, "consent": "subscribed", "channels": ["email.marketing", "whatsapp.conversational"]})[1:]
    ] == ["/whatsapp.conversational"]


def test_a_channel_without_its_identifier_is_rejected_and_the_others_are_not_lost_with_it() -> None:
    row = {"email": SARAH, "phone_number": "12", "consent": "unsubscribed", "channels": "sms.marketing,email.marketing,whatsapp.marketing"}
    sms, (key, email), whatsapp = said(row)
    assert [(each.key, each.code) for each in (sms, whatsapp)] == [
        ("/sms.marketing", "no_identifier"),
        ("/whatsapp.marketing", "no_identifier"),
    ]
    assert isinstance(sms, Reject)
    assert (key, email["email"], "phone_number" in email) == ("/email.marketing", SARAH, False)
    strict = said(row, on_invalid="reject_row")
    assert [each.code if isinstance(each, Reject) else each[1]["email"] for each in strict] == ["bad_phone", SARAH, "bad_phone"]
    assert said({"consent": "unsubscribed"}) == [
        Reject("", "no_identifier", "email.marketing needs email, and the row has none that can be used")
    ]
    assert said({"consent": "unsubscribed", "id": "01SARAH"})[0].code == "no_identifier"


@pytest.mark.parametrize("on_invalid", ["drop_field", "reject_row"])
def test_a_no_is_not_lost_to_an_identifier_that_it_does_not_need(on_invalid: Any) -> None:
    row = {"email": SARAH, "phone_number": "12", "id": "", "consent": "unsubscribed"}
    check = Check(on_invalid, now=NOW)
    ((_, only),) = words(row, check, ConsentRules())  # type: ignore[misc]
    assert only == {"action": "unsubscribe", "channel": "email.marketing", "email": SARAH}
    assert check.dropped == {"phone_number: bad_phone": 1}


def test_numbers_are_understood_in_the_region() -> None:
    row = {"phone_number": "(415) 555-0123", "consent": "unsubscribed", "channels": "sms.marketing"}
    assert said(row, region="US")[0][1]["phone_number"] == "+14155550123"
    assert said(row)[0].code == "no_identifier"


@pytest.mark.parametrize("channel", [each for each in (*ALL, "whatsapp.conversational") if each != "email.marketing"])
def test_a_list_is_left_by_e_mail_alone(channel: str) -> None:
    row = {"email": SARAH, "phone_number": PHONE, "consent": "unsubscribed", "channels": ["email.marketing", channel]}
    (_, email), other = said(row, list_id="L1")
    assert email["channel"] == "email.marketing"
    assert (other.key, other.code) == (f"/{channel}", "list_is_email_only")
    assert (
        len([each for each in said({**row, "consent": "subscribed", "channels": "sms.marketing"}, list_id="L1") if isinstance(each, tuple)])
        == 1
    )


@pytest.mark.parametrize(
    ("born", "kept"),
    [
        ("2000-12-31", "2000-12-31"),
        (date(2000, 12, 31), "2000-12-31"),
        (datetime(2000, 12, 31, 5, tzinfo=UTC), "2000-12-31"),
        ("2999-01-01", None),
        ("x", None),
        ("", None),
    ],
)
def test_a_date_of_birth_is_a_day_in_the_past(born: Any, kept: str | None) -> None:
    row = {"phone_number": PHONE, "consent": "subscribed", "channels": "sms.marketing", "age_gated_date_of_birth": born}
    if born and not kept:
        assert refused(row) == "bad_date", "where a law asks for it, a yes without it is none"
    else:
        assert word(row).get("age_gated_date_of_birth") == kept
    assert "age_gated_date_of_birth" not in word({**row, "consent": "unsubscribed"})


@pytest.mark.parametrize("rules", [{"channels": ()}, {"channels": "email.marketing"}, {"channels": ("email",)}, {"list_id": " "}])
def test_rules_that_cannot_be_are_refused(rules: Json) -> None:
    with pytest.raises(KlaviyoConfigError):
        ConsentRules(**rules)


# ── requests ────────────────────────────────────────────────────────────────────────


def test_a_word_is_known_by_its_channel_and_the_identifier_that_it_needs() -> None:
    row = {
        "email": "Sarah@Example.com",
        "phone_number": PHONE,
        "id": "01SARAH",
        "consent": "unsubscribed",
        "channels": "email.marketing,sms.marketing",
    }
    assert [identity(each[1]) for each in said(row)] == [("email.marketing", SARAH), ("sms.marketing", PHONE)]


KNOWN = {"email": SARAH, "phone_number": PHONE, "id": "01SARAH"}


@pytest.mark.parametrize(
    ("spoken", "row"),
    [
        ({"action": "subscribe", "consented_at": AT}, {"email": SARAH, "channels": ["email.marketing"], "consented_at": AT}),
        ({"action": "subscribe", "channel": "sms.marketing"}, {"phone_number": PHONE, "channels": ["sms.marketing"]}),
        (
            {"action": "subscribe", "along": ["id", "phone_number"], "age_gated_date_of_birth": "2000-12-31"},
            {**KNOWN, "channels": ["email.marketing"], "age_gated_date_of_birth": "2000-12-31"},
        ),
        (
            {"action": "unsubscribe", "along": ["id", "phone_number"], "consented_at": AT},
            {"email": SARAH, "channels": ["email.marketing"]},
        ),
        ({"action": "suppress", "consented_at": AT}, SARAH),
        ({"action": "unsuppress"}, SARAH),
    ],
)
def test_people_go_by_what_their_channel_needs_and_by_others_only_where_that_was_looked_at(spoken: Json, row: Any) -> None:
    asked = {"channel": "email.marketing", **KNOWN, **spoken}
    assert rows(lane(asked), [asked]) == [row]


@pytest.mark.parametrize(
    ("spoken", "path", "attributes", "listed"),
    [
        (
            {"action": "subscribe", "consented_at": AT},
            "subscription-bulk-create",
            {"historical_import": True, "custom_source": "CRM"},
            True,
        ),
        ({"action": "subscribe"}, "subscription-bulk-create", {"custom_source": "CRM"}, True),
        ({"action": "unsubscribe"}, "subscription-bulk-delete", {}, True),
        ({"action": "suppress"}, "suppression-bulk-create", {}, False),
        ({"action": "unsuppress"}, "suppression-bulk-delete", {}, False),
    ],
)
def test_each_lane_has_its_request(spoken: Json, path: str, attributes: Json, listed: bool) -> None:
    asked = {"channel": "email.marketing", "email": SARAH, **spoken}
    made = request(lane(asked), [asked], ConsentRules(list_id="L1", custom_source="CRM"))
    assert made.path == f"/api/profile-{path}-jobs"
    data = (made.json or {})["data"]
    assert {name: value for name, value in data["attributes"].items() if name != "profiles"} == attributes
    assert data.get("relationships") == ({"list": {"data": {"type": "list", "id": "L1"}}} if listed else None)

# SPDX-License-Identifier: Apache-2.0
"""The local Klaviyo's consent: who says yes and no to what, and what a profile shows of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.sandbox.klaviyo_client import client, pointers, profile

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

Json = dict[str, Any]
YES, NO = {"consent": "SUBSCRIBED"}, {"consent": "UNSUBSCRIBED"}
SARAH = "sarah@example.com"
SUBSCRIBE, UNSUBSCRIBE = "/api/profile-subscription-bulk-create-jobs", "/api/profile-subscription-bulk-delete-jobs"


@pytest.fixture
def http(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    """Talk to a local Klaviyo that carries out at once what it accepts."""
    sandbox.klaviyo.behaviour.job_seconds = 0
    with client(sandbox) as http:
        yield http


def body(kind: str, rows: list[Json], list_id: str | None, **attributes: Any) -> Json:
    data: Json = {"type": kind, "attributes": {"profiles": {"data": [profile(row) for row in rows]}, **attributes}}
    if list_id:
        data["relationships"] = {"list": {"data": {"type": "list", "id": list_id}}}
    return {"data": data}


def subscribe(http: httpx.Client, *rows: Json, list_id: str | None = None, **attributes: Any) -> httpx.Response:
    return http.post(SUBSCRIBE, json=body("profile-subscription-bulk-create-job", list(rows), list_id, **attributes))


def unsubscribe(http: httpx.Client, *rows: Json, list_id: str | None = None) -> httpx.Response:
    return http.post(UNSUBSCRIBE, json=body("profile-subscription-bulk-delete-job", list(rows), list_id))


def by_email(word: Json = YES, email: str = SARAH) -> Json:
    return {"email": email, "subscriptions": {"email": {"marketing": word}}}


def make_list(http: httpx.Client, opt_in: str = "single_opt_in") -> str:
    attributes = {"name": "VIP", "opt_in_process": opt_in}
    return str(http.post("/api/lists", json={"data": {"type": "list", "attributes": attributes}}).json()["data"]["id"])


def read(http: httpx.Client, identifier: str = SARAH, name: str = "email") -> Json | None:
    """Read somebody's subscriptions, or ``None`` where there is nobody."""
    query = {"filter": f'equals({name},"{identifier}")', "additional-fields[profile]": "subscriptions"}
    found = http.get("/api/profiles", params=query).json()["data"]
    return found[0]["attributes"]["subscriptions"] if found else None


def marketing(http: httpx.Client, email: str = SARAH) -> Json:
    told = read(http, email)
    assert told is not None
    return dict(told["email"]["marketing"])


def members(http: httpx.Client, list_id: str) -> list[str]:
    return [each["attributes"]["email"] for each in http.get(f"/api/lists/{list_id}/profiles").json()["data"]]


def test_a_single_opt_in_list_subscribes_at_once_and_says_how(http: httpx.Client) -> None:
    vip = make_list(http)
    answer = subscribe(http, by_email(), list_id=vip, custom_source="Fair")
    assert (answer.status_code, answer.content) == (202, b"")
    said = marketing(http)
    assert said["consent"] == "SUBSCRIBED"
    assert said["can_receive_email_marketing"] is True
    assert said["consent_timestamp"] == said["last_updated"]
    assert (said["method"], said["custom_method_detail"], said["double_optin"]) == ("API", "Fair", False)
    assert members(http, vip) == [SARAH]


def test_a_double_opt_in_list_waits_for_the_person(http: httpx.Client, sandbox: SandboxServer) -> None:
    vip = make_list(http, "double_opt_in")
    subscribe(http, by_email(), list_id=vip)
    assert read(http) is None, "there is no profile before it is confirmed"
    sandbox.klaviyo.confirm("Sarah@example.com")
    assert (marketing(http)["consent"], marketing(http)["double_optin"]) == ("SUBSCRIBED", True)
    assert members(http, vip) == [SARAH]
    with pytest.raises(KeyError):
        sandbox.klaviyo.confirm(SARAH)


def test_without_a_list_the_account_decides(http: httpx.Client, sandbox: SandboxServer) -> None:
    subscribe(http, by_email())
    assert read(http) is None, "a new address without a list never becomes a profile"
    sandbox.klaviyo.behaviour.opt_in_process = "single_opt_in"
    subscribe(http, by_email())
    assert marketing(http)["consent"] == "SUBSCRIBED"


def test_history_needs_no_confirmation_and_keeps_its_date(http: httpx.Client) -> None:
    given = {**YES, "consented_at": "2025-01-01T10:00:00+01:00"}
    assert subscribe(http, by_email(given), historical_import=True).status_code == 202
    assert marketing(http)["consent_timestamp"] == "2025-01-01T09:00:00+00:00"
    vip = make_list(http, "double_opt_in")
    assert subscribe(http, by_email(given, "tom@example.com"), list_id=vip, historical_import=True).status_code == 202
    assert members(http, vip) == ["tom@example.com"]


@pytest.mark.parametrize("at", [None, "2025-01-01T10:00:00", "2999-01-01T10:00:00+00:00", "soon", 5])
def test_history_needs_a_date_in_the_past_with_a_zone(http: httpx.Client, at: Any) -> None:
    refused = subscribe(http, by_email({**YES, "consented_at": at}), historical_import=True)
    assert (refused.status_code, pointers(refused)) == (
        400,
        ["/data/attributes/profiles/data/0/attributes/subscriptions/email/marketing/consented_at"],
    )


def test_a_date_without_history_is_refused(http: httpx.Client) -> None:
    refused = subscribe(http, by_email({**YES, "consented_at": "2025-01-01T10:00:00+00:00"}))
    assert pointers(refused) == ["/data/attributes/profiles/data/0/attributes/subscriptions/email/marketing/consented_at"]


def test_texts_and_whatsapp_are_channels_of_their_own(http: httpx.Client) -> None:
    vip = make_list(http)
    channels = {"sms": {"marketing": YES, "transactional": YES}, "whatsapp": {"marketing": YES}, "email": {"open_tracking": YES}}
    assert subscribe(http, {"email": SARAH, "phone_number": "+14155550123", "subscriptions": channels}, list_id=vip).status_code == 202
    told = read(http)
    assert told is not None
    assert told["sms"]["marketing"]["can_receive_sms_marketing"] is True
    assert told["sms"]["transactional"]["consent"] == "SUBSCRIBED"
    assert told["whatsapp"]["marketing"]["can_receive"] is True
    assert told["whatsapp"]["transactional"]["consent"] == "NEVER_SUBSCRIBED"
    assert told["email"]["open_tracking"]["consent"] == "SUBSCRIBED"
    assert told["email"]["marketing"]["consent"] == "NEVER_SUBSCRIBED"


def test_tracking_alone_puts_nobody_in_a_list(http: httpx.Client) -> None:
    vip = make_list(http)
    assert subscribe(http, {"email": SARAH, "subscriptions": {"email": {"click_tracking": YES}}}, list_id=vip).status_code == 202
    assert members(http, vip) == []


def test_a_channel_needs_its_identifier(http: httpx.Client) -> None:
    refused = subscribe(
        http, {"email": SARAH, "subscriptions": {"sms": {"marketing": YES}}}, {"subscriptions": {"email": {"marketing": YES}}}
    )
    where = "/data/attributes/profiles/data"
    assert pointers(refused) == [f"{where}/0/attributes/phone_number", f"{where}/1/attributes/email"]
    assert pointers(subscribe(http, {"email": SARAH, "subscriptions": {}})) == [f"{where}/0/attributes/subscriptions"]


def test_a_number_the_account_cannot_send_to_refuses_all(http: httpx.Client, sandbox: SandboxServer) -> None:
    sandbox.klaviyo.behaviour.sms_regions = frozenset({"+1"})
    rows = [{"phone_number": number, "subscriptions": {"sms": {"marketing": YES}}} for number in ("+14155550123", "+493012345678")]
    refused = subscribe(http, *rows, list_id=make_list(http))
    assert pointers(refused) == ["/data/attributes/profiles/data/1/attributes/phone_number"]
    assert read(http, "+14155550123", "phone_number") is None
    assert unsubscribe(http, {**rows[1], "subscriptions": {"sms": {"marketing": NO}}}).status_code == 400


def test_age_gating_asks_for_a_date_of_birth(http: httpx.Client, sandbox: SandboxServer) -> None:
    sandbox.klaviyo.behaviour.age_gating = True
    row = {"phone_number": "+14155550123", "subscriptions": {"sms": {"marketing": YES}}}
    assert pointers(subscribe(http, row)) == ["/data/attributes/profiles/data/0/attributes/age_gated_date_of_birth"]
    assert subscribe(http, {**row, "age_gated_date_of_birth": "2000-02-30"}).status_code == 400
    assert subscribe(http, {**row, "age_gated_date_of_birth": "2000-02-29"}).status_code == 202


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"colour": "red"}, "/colour"),
        ({"email": "nobody"}, "/email"),
        ({"phone_number": "030 123"}, "/phone_number"),
        ({"subscriptions": {"email": {"marketing": NO}}}, "/subscriptions/email/marketing/consent"),
        ({"subscriptions": {"fax": {"marketing": YES}}}, "/subscriptions/fax"),
        ({"subscriptions": {"sms": {"conversational": YES}}}, "/subscriptions/sms/conversational"),
        ({"subscriptions": {"email": {"open_tracking": {**YES, "consented_at": None}}}}, "/subscriptions/email/open_tracking/consented_at"),
    ],
)
def test_what_is_not_in_the_specification_is_refused(http: httpx.Client, change: Json, pointer: str) -> None:
    assert f"/data/attributes/profiles/data/0/attributes{pointer}" in pointers(subscribe(http, {**by_email(), **change}))


def test_a_request_has_its_most_profiles_and_a_list_that_is_there(http: httpx.Client) -> None:
    many = [by_email(email=f"p{number}@example.com") for number in range(1001)]
    assert pointers(subscribe(http, *many)) == ["/data/attributes/profiles/data"]
    assert pointers(unsubscribe(http, *(by_email(NO, each["email"]) for each in many[:101]))) == ["/data/attributes/profiles/data"]
    assert subscribe(http).status_code == 400
    assert subscribe(http, by_email(), list_id="NOPE01").status_code == 404


def test_unsubscribing_without_a_list_is_for_good(http: httpx.Client) -> None:
    subscribe(http, by_email(), list_id=make_list(http))
    answer = unsubscribe(http, by_email(NO), by_email(NO, "new@example.com"))
    assert (answer.status_code, answer.content) == (202, b"")
    for email in (SARAH, "new@example.com"):
        said = marketing(http, email)
        assert (said["consent"], said["can_receive_email_marketing"], said["method"]) == ("UNSUBSCRIBED", False, "API")
        assert [each["reason"] for each in said["suppression"]] == ["UNSUBSCRIBE"]


def test_who_is_not_in_the_list_is_unsubscribed_everywhere(http: httpx.Client) -> None:
    vip, news = make_list(http), make_list(http)
    subscribe(http, by_email(), list_id=vip)
    subscribe(http, by_email(email="tom@example.com"), list_id=news)
    unsubscribe(http, by_email(NO), by_email(NO, "tom@example.com"), list_id=vip)
    sarah, tom = marketing(http), marketing(http, "tom@example.com")
    assert (sarah["consent"], sarah["suppression"]) == ("SUBSCRIBED", [])
    assert [(each["list_id"], each["reason"]) for each in sarah["list_suppressions"]] == [(vip, "UNSUBSCRIBE")]
    assert (tom["consent"], tom["can_receive_email_marketing"]) == ("UNSUBSCRIBED", False)
    assert (members(http, vip), members(http, news)) == ([], ["tom@example.com"])


def test_subscribing_lifts_what_people_did_and_no_bounce(http: httpx.Client, sandbox: SandboxServer) -> None:
    vip = make_list(http)
    subscribe(http, by_email(), list_id=vip)
    sandbox.klaviyo.unsubscribe(SARAH)
    sandbox.klaviyo.bounce(SARAH, "SPAM_COMPLAINT")
    sandbox.klaviyo.bounce(SARAH)
    assert marketing(http)["method"] == "PREFERENCE_PAGE"
    subscribe(http, by_email(), list_id=vip)
    said = marketing(http)
    assert (said["consent"], said["can_receive_email_marketing"]) == ("SUBSCRIBED", False)
    assert [each["reason"] for each in said["suppression"]] == ["HARD_BOUNCE"]


def test_what_is_accepted_is_carried_out_later(http: httpx.Client, sandbox: SandboxServer) -> None:
    sandbox.klaviyo.behaviour.job_seconds = 3600
    assert subscribe(http, by_email(), list_id=make_list(http)).status_code == 202
    assert read(http) is None


def test_a_profile_is_found_by_its_id(http: httpx.Client) -> None:
    made = http.post("/api/profiles", json={"data": profile({"email": "old@example.com"})}).json()["data"]["id"]
    request = body("profile-subscription-bulk-create-job", [by_email()], make_list(http))
    request["data"]["attributes"]["profiles"]["data"][0]["id"] = made
    assert http.post(SUBSCRIBE, json=request).status_code == 202
    assert marketing(http)["consent"] == "SUBSCRIBED"
    assert http.get(f"/api/profiles/{made}").json()["data"]["attributes"]["email"] == SARAH


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"subscriptions": {"email": {"marketing": None, "open_tracking": YES}}}, "/subscriptions/email/marketing"),
        ({"subscriptions": {"email": {"marketing": YES}, "sms": None}}, "/subscriptions/sms"),
        ({"age_gated_date_of_birth": "2999-01-01"}, "/age_gated_date_of_birth"),
    ],
)
def test_null_is_not_absence_and_nobody_is_born_in_the_future(http: httpx.Client, change: Json, pointer: str) -> None:
    assert pointers(subscribe(http, {**by_email(), **change})) == [f"/data/attributes/profiles/data/0/attributes{pointer}"]


@pytest.mark.parametrize(
    ("about", "pointer"), [({"list": None}, "/data/relationships/list"), ({"list": {"data": None}}, "/data/relationships/list/data")]
)
def test_no_list_is_left_out_and_not_null(http: httpx.Client, about: Json, pointer: str) -> None:
    request = body("profile-subscription-bulk-delete-job", [by_email(NO)], None)
    request["data"]["relationships"] = about
    assert pointers(http.post(UNSUBSCRIBE, json=request)) == [pointer]


def test_push_is_not_emulated_and_says_so(http: httpx.Client) -> None:
    token = {"token": "t", "platform": "ios", "vendor": "apns"}
    refused = subscribe(http, {"email": SARAH, "subscriptions": {"push": {"marketing": YES, "tokens": [token]}}})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (501, "not_emulated")
    assert unsubscribe(http, {"subscriptions": {"push": {"marketing": NO, "tokens": [token]}}}).status_code == 501


def test_leaving_a_list_by_text_says_nothing_of_its_emails(http: httpx.Client) -> None:
    vip = make_list(http)
    person = {"email": SARAH, "phone_number": "+14155550123"}
    subscribe(http, {**person, "subscriptions": {"email": {"marketing": YES}, "sms": {"marketing": YES}}}, list_id=vip)
    unsubscribe(http, {**person, "subscriptions": {"sms": {"marketing": NO}}}, list_id=vip)
    assert marketing(http)["list_suppressions"] == []

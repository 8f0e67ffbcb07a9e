# SPDX-License-Identifier: Apache-2.0
"""Forms, files, headers, texts and the public key, by both sessions to a server on this machine."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest

from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoConfigError, KlaviyoUnanswered
from airflow_provider_klaviyo.api.request import File, Request
from airflow_provider_klaviyo.sandbox.klaviyo import forms
from tests.kit import KEY, Answer, Client, Klaviyo

PNG = b"\x89PNG\r\n\x1a\n\r\n--" + bytes(range(256))
LOGO = File("logo.png", PNG, "image/png")
IMAGES = "/api/image-upload"
EVENTS = "/client/events"


@pytest.fixture
def klaviyo() -> Iterator[Klaviyo]:
    server = Klaviyo()
    yield server
    server.close()


@pytest.fixture(params=["blocking", "awaiting"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def client(kind: str, klaviyo: Klaviyo) -> Client:
    return Client(kind, klaviyo.url)


# ── forms ──────────────────────────────────────────────────────────────────────────


def test_a_form_goes_url_encoded(client: Client, klaviyo: Klaviyo) -> None:
    client.send(Request("POST", IMAGES, form={"name": "Größe & mehr=1", "hidden": "true"}))
    [received] = klaviyo.received
    assert received.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(received.body.decode()) == {"name": ["Größe & mehr=1"], "hidden": ["true"]}


def test_files_go_byte_for_byte_beside_the_fields_of_the_form(client: Client, klaviyo: Klaviyo) -> None:
    client.send(Request("POST", IMAGES, form={"name": "Logo ü"}, files={"file": LOGO, "other": File("ü.bin", b"")}))
    [received] = klaviyo.received
    form = forms.read(received.body, received.headers["content-type"])
    assert form.fields == {"name": "Logo ü"}
    assert form.files == {
        "file": forms.UploadedFile("logo.png", "image/png", PNG),
        "other": forms.UploadedFile("ü.bin", "application/octet-stream", b""),
    }
    assert "content-encoding" not in received.headers


@pytest.mark.parametrize("name", ['a"; filename="b', "a\r\nX-Evil: 1\r\n\r\nbody"])
def test_a_name_cannot_leave_its_place(client: Client, klaviyo: Klaviyo, name: str) -> None:
    client.send(Request("POST", IMAGES, form={name: "1"}, files={f"file{name}": File(name, PNG)}))
    [received] = klaviyo.received
    form = forms.read(received.body, received.headers["content-type"])
    assert (len(form.fields), [each.content for each in form.files.values()]) == (1, [PNG])
    assert b"\r\nX-Evil" not in received.body


def test_a_form_that_may_be_repeated_is_repeated_whole(client: Client, klaviyo: Klaviyo) -> None:
    klaviyo.answers = [Answer(503), Answer(429, {}, {"Retry-After": "1"}), Answer(201, {"data": {}})]
    client.send(Request("POST", IMAGES, files={"file": LOGO}, replayable=True))
    assert [forms.read(each.body, each.headers["content-type"]).files["file"].content for each in klaviyo.received] == [PNG] * 3


def test_a_file_may_be_large(client: Client, klaviyo: Klaviyo) -> None:
    content = PNG * 20_000
    assert len(content) > 5_000_000
    client.send(Request("POST", IMAGES, files={"file": File("large.png", content, "image/png")}))
    [received] = klaviyo.received
    assert forms.read(received.body, received.headers["content-type"]).files["file"].content == content


@pytest.mark.parametrize(
    "bodies",
    [
        {"json": {}, "form": {"name": "Logo"}},
        {"json": {}, "files": {"file": LOGO}},
        {"json": {}, "body": gzip.compress(b"{}")},
        {"body": gzip.compress(b"{}"), "files": {"file": LOGO}},
    ],
)
def test_two_bodies_are_refused(client: Client, klaviyo: Klaviyo, bodies: dict[str, Any]) -> None:
    with pytest.raises(KlaviyoConfigError, match="one body"):
        client.send(Request("POST", IMAGES, **bodies))
    assert klaviyo.received == []


@pytest.mark.parametrize("media_type", ["", "png", "image/", "image/png\r\nX-Evil: 1", "image/png; a"])
def test_a_file_of_no_type_is_refused(client: Client, klaviyo: Klaviyo, media_type: str) -> None:
    with pytest.raises(KlaviyoConfigError, match="'file' is one such as image/png"):
        client.send(Request("POST", IMAGES, files={"file": File("logo.png", PNG, media_type)}))
    assert klaviyo.received == []


# ── headers ────────────────────────────────────────────────────────────────────────


def test_headers_are_added_to_those_of_every_request(client: Client, klaviyo: Klaviyo) -> None:
    client.send(Request("GET", "/api/lists", headers={"X-Klaviyo-API-Filters": "near", "accept": "application/json", "X-Empty": ""}))
    [received] = klaviyo.received
    assert received.headers["x-klaviyo-api-filters"] == "near"
    assert received.headers["accept"] == "application/json"
    assert received.headers["authorization"] == f"Klaviyo-API-Key {KEY}"
    assert received.headers["revision"] == "2026-10-15"


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "authorization",
        "REVISION",
        "Host",
        "Cookie",
        "Content-Length",
        "Content-Type",
        "Content-Encoding",
        "Transfer-Encoding",
        "TE",
        "Forwarded",
        "X-Forwarded-Host",
        "X-HTTP-Method-Override",
        "X-Original-URL",
    ],
)
def test_headers_that_are_not_the_callers_are_refused(client: Client, klaviyo: Klaviyo, name: str) -> None:
    with pytest.raises(KlaviyoConfigError, match=f"the header {name} is not set by a request") as refused:
        client.send(Request("GET", "/api/lists", headers={name: "Klaviyo-API-Key pk_stolen"}))
    assert "pk_stolen" not in str(refused.value)
    assert klaviyo.received == []


@pytest.mark.parametrize(
    ("name", "value"), [("X-A\r\nX-B", "1"), ("X A", "1"), ("", "1"), ("X-A", "1\r\nX-B: 2"), ("X-A", "ü"), ("X-A", " 1")]
)
def test_what_is_no_header_is_refused(client: Client, klaviyo: Klaviyo, name: str, value: str) -> None:
    with pytest.raises(KlaviyoConfigError, match="is no HTTP header"):
        client.send(Request("GET", "/api/lists", headers={name: value}))
    assert klaviyo.received == []


# ── paths ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "path",
    [
        *("/api/../client/events", "/client/../api/lists", "/api/lists/./x", "/api/.."),
        *("/client/%2e%2e/api/lists", "/client/.%2E/api/lists", "/api/%2e"),
    ],
)
def test_a_path_that_climbs_is_refused(client: Client, klaviyo: Klaviyo, path: str) -> None:
    with pytest.raises(KlaviyoConfigError, match="goes to a path on"):
        client.send(Request("GET", path))
    assert klaviyo.received == []


@pytest.mark.parametrize("path", ["/client/reviews?sort=-created", "/api/lists?", "/api/lists#x"])
def test_a_query_in_the_path_is_refused_since_it_would_be_lost(browser: Client, klaviyo: Klaviyo, path: str) -> None:
    with pytest.raises(KlaviyoConfigError, match="its query is given apart") as refused:
        browser.send(Request("GET", path))
    assert "created" not in str(refused.value)
    assert klaviyo.received == []


# ── the public key ─────────────────────────────────────────────────────────────────


@pytest.fixture
def browser(kind: str, klaviyo: Klaviyo) -> Client:
    return Client(kind, klaviyo.url, public_key="SandBx")


def test_client_endpoints_get_the_public_key_and_never_the_private_one(browser: Client, klaviyo: Klaviyo) -> None:
    klaviyo.answers = [Answer(202, b"")]
    browser.send(Request("POST", EVENTS, json={"data": {}}), Request("POST", "/api/events", json={"data": {}}))
    to_client, to_api = klaviyo.received
    assert to_client.name == "POST /client/events?company_id=SandBx"
    assert "authorization" not in to_client.headers
    assert KEY not in str(to_client)
    assert to_client.headers["revision"] == "2026-10-15"
    assert to_api.name == "POST /api/events"
    assert to_api.headers["authorization"] == f"Klaviyo-API-Key {KEY}"


def test_a_company_that_is_given_wins(browser: Client, klaviyo: Klaviyo) -> None:
    browser.send(Request("GET", "/client/reviews", params={"company_id": "Other1", "sort": "-created"}))
    assert klaviyo.names == ["GET /client/reviews?company_id=Other1&sort=-created"]


@pytest.mark.parametrize("path", ["/client/reviews", "/api/lists"])
@pytest.mark.parametrize("company", [KEY, f" {KEY}", "PK_live_1"])
def test_a_private_key_is_no_company(browser: Client, klaviyo: Klaviyo, path: str, company: str) -> None:
    with pytest.raises(KlaviyoConfigError, match=r"company_id is .* never a private key") as refused:
        browser.send(Request("GET", path, params={"company_id": company}))
    assert company.strip() not in str(refused.value)
    assert klaviyo.received == []


def test_pages_of_a_client_endpoint_keep_the_company(browser: Client, klaviyo: Klaviyo) -> None:
    klaviyo.answers = [Answer(200, {"data": [{}], "links": {"next": "https://a.klaviyo.com/client/reviews?page%5Bcursor%5D=b"}}), Answer()]
    assert browser.walk(Request("GET", "/client/reviews")) == [{}]
    assert klaviyo.names == ["GET /client/reviews?company_id=SandBx", "GET /client/reviews?page%5Bcursor%5D=b&company_id=SandBx"]


def test_a_connection_without_a_public_key_says_what_to_set(client: Client, klaviyo: Klaviyo) -> None:
    with pytest.raises(KlaviyoConfigError, match=r"set the extra `public_key` of the connection 'shop'"):
        client.send(Request("POST", EVENTS, json={}))
    client.send(Request("GET", "/client/reviews", params={"company_id": "Other1"}))
    assert len(klaviyo.received) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_public_key_is_not_taken_for_the_private_one(browser: Client, klaviyo: Klaviyo, status: int) -> None:
    klaviyo.answers = [Answer(status, {"errors": [{"code": "permission_denied", "detail": "No."}]})]
    with pytest.raises(KlaviyoApiError, match="`public_key` of the connection 'shop'") as refused:
        browser.send(Request("POST", EVENTS, json={}))
    assert "scope" not in str(refused.value)


# ── texts and bytes ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("body", [b"", b"id;name\n1;Gr\xc3\xb6\xc3\x9fe\n", b'{"no": "data"}', b"<html></html>"])
def test_a_text_is_read_as_it_comes(client: Client, klaviyo: Klaviyo, body: bytes) -> None:
    klaviyo.answers = [Answer(200, body, {"Content-Type": "text/csv"})]
    assert client.send(Request("GET", "/api/lists", answer="text")) == body.decode()
    assert klaviyo.received[0].headers["accept"] == "*/*"


def test_a_text_is_decoded_as_its_header_says(client: Client, klaviyo: Klaviyo) -> None:
    klaviyo.answers = [Answer(200, b"Gr\xf6\xdfe", {"Content-Type": "text/plain; charset=iso-8859-1"})]
    assert client.send(Request("GET", "/api/lists", answer="text", read=str.upper)) == "GRÖSSE"


def test_bytes_are_bytes(client: Client, klaviyo: Klaviyo) -> None:
    klaviyo.answers = [Answer(200, PNG, {"Content-Type": "application/vnd.api+json"})]
    assert client.send(Request("GET", "/api/lists", answer="bytes")) == PNG
    assert client.send(Request("GET", "/api/lists", answer="bytes", read=len)) == len(PNG)


@pytest.mark.parametrize("answer", ["text", "bytes"])
def test_errors_are_read_from_json_whatever_the_answer(client: Client, klaviyo: Klaviyo, answer: Any) -> None:
    klaviyo.answers = [Answer(403, {"errors": [{"code": "permission_denied", "detail": "No."}]})]
    with pytest.raises(KlaviyoApiError, match=r"permission_denied: No\..*lists:read"):
        client.send(Request("GET", "/api/lists", answer=answer))
    klaviyo.answers = [Answer(302, b"moved", {"Location": "/elsewhere"})]
    with pytest.raises(KlaviyoApiError, match="redirects are not followed"):
        client.send(Request("GET", "/api/lists", answer=answer))


def test_a_text_that_is_cut_short_is_read_again(client: Client, klaviyo: Klaviyo) -> None:
    klaviyo.answers = [Answer(200, b"id;name\n", fate="cut"), Answer(503), Answer(200, b"id;name\n")]
    assert client.send(Request("GET", "/api/lists", answer="text")) == "id;name\n"
    klaviyo.answers = [Answer(200, b"id;name\n", fate="cut")]
    with pytest.raises(KlaviyoUnanswered, match="may have been carried out"):
        client.send(Request("POST", "/api/lists", json={}, answer="text"))


@pytest.mark.parametrize(("answer", "nothing"), [("json", {}), ("text", ""), ("bytes", b"")])
def test_deleting_what_is_gone_gives_nothing_of_the_kind(client: Client, klaviyo: Klaviyo, answer: Any, nothing: Any) -> None:
    klaviyo.answers = [Answer(502), Answer(404, {"errors": [{"code": "not_found"}]})]
    assert client.send(Request("DELETE", "/api/lists/Y6nRLr", answer=answer)) == nothing


# ── answers that hold nothing ──────────────────────────────────────────────────────


@pytest.mark.parametrize(("answer", "read"), [(Answer(204, b""), {}), (Answer(200, {"results": [1]}), {"results": [1]})])
def test_an_operation_that_nobody_documents_may_answer_a_read_without_data(
    client: Client, klaviyo: Klaviyo, answer: Answer, read: Any
) -> None:
    klaviyo.answers = [answer]
    assert client.send(Request("GET", "/api/novelties")) == read
    assert len(klaviyo.received) == 1


@pytest.mark.parametrize("answer", ["json", "text"])
def test_a_redirect_with_nothing_in_it_is_explained(client: Client, klaviyo: Klaviyo, answer: Any) -> None:
    klaviyo.answers = [Answer(302, b"", {"Location": "https://evil.example/"})]
    with pytest.raises(KlaviyoApiError, match="redirects are not followed, lest the key travels: check the host"):
        client.send(Request("GET", "/api/lists", answer=answer))


# ── secrets ────────────────────────────────────────────────────────────────────────


def test_neither_a_repr_nor_an_error_tells_what_was_sent(client: Client, klaviyo: Klaviyo) -> None:
    request: Request[Any] = Request(
        "POST",
        IMAGES,
        form={"name": "Jorinde"},
        files={"file": File("jorinde.png", b"joringel", "image/png")},
        headers={"X-Token": "hush-hush"},
    )
    assert not [secret for secret in ("Jorinde", "joringel", "hush") if secret in repr(request)]
    klaviyo.answers = [Answer(400, {"errors": [{"code": "invalid", "detail": "'Jorinde' of jorinde.png and hush-hush", "source": {}}]})]
    with pytest.raises(KlaviyoApiError, match="invalid") as refused:
        client.send(request)
    assert not [secret for secret in ("Jorinde", "jorinde", "hush") if secret in str(refused.value) + repr(refused.value)]

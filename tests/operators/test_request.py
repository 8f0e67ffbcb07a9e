# SPDX-License-Identifier: Apache-2.0
"""The operator for any endpoint, against the sandbox."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_klaviyo.api import lists
from airflow_provider_klaviyo.api.errors import KlaviyoInDoubt
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.operators.files import open_file
from airflow_provider_klaviyo.operators.request import KlaviyoRequestOperator
from airflow_provider_klaviyo.sandbox.klaviyo import forms
from tests.operators.kit import Killed, Store, context

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

    Run = Callable[..., Any]

LIST = {"data": {"type": "list", "attributes": {"name": "VIP {{ 1 + 1 }}"}}}
CREATE: dict[str, Any] = {"method": "POST", "path": "/api/lists", "body": LIST}
UPLOAD: dict[str, Any] = {"method": "POST", "path": "/api/image-upload"}
PROFILE = {"data": {"type": "profile", "attributes": {"email": "sarah@example.com"}}}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


def fail_once(sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch, **extra: Any) -> None:
    """Have a connection of one attempt."""
    once = {"conn_type": "klaviyo", "host": sandbox.url, "password": "pk_sandbox", "extra": {"max_attempts": 1, **extra}}
    monkeypatch.setenv("AIRFLOW_CONN_KLAVIYO_DEFAULT", json.dumps(once))


def test_it_sends_what_it_is_told(sandbox: SandboxServer, run: Run) -> None:
    made = run(KlaviyoRequestOperator, **CREATE)
    assert made.returned["data"]["attributes"]["name"] == "VIP 2"
    read = run(KlaviyoRequestOperator, path="/api/lists/" + made.returned["data"]["id"], query={"fields[list]": "name"})
    assert read.returned["data"]["attributes"] == {"name": "VIP 2"}


def test_it_reads_all_pages(sandbox: SandboxServer, run: Run) -> None:
    with KlaviyoHook().session() as klaviyo:
        for number in range(12):
            klaviyo.send(lists.create(name=f"L{number}"))
    assert len(run(KlaviyoRequestOperator, path="/api/lists", paginate="{{ True }}").returned) == 12
    cut = run(KlaviyoRequestOperator, path="/api/lists", paginate=True, max_items=11)
    assert "more than max_items=11" in cut.said
    assert len(run(KlaviyoRequestOperator, path="/api/lists", paginate=True, max_items=11, truncate="{{ True }}").returned) == 11


def test_a_refused_key_is_told_which_scope_it_lacks(sandbox: SandboxServer, run: Run) -> None:
    sandbox.klaviyo.behaviour.keys = {"pk_sandbox": frozenset({"lists:read"})}
    refused = run(KlaviyoRequestOperator, **CREATE, retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert "POST /api/lists answered 403" in refused.said
    assert "needs the scopes lists:write" in refused.said


# ── what is sent once ──────────────────────────────────────────────────────────────


def test_what_may_not_be_repeated_is_sent_once(sandbox: SandboxServer, run: Run) -> None:
    sandbox.fail(method="POST", path="/api/lists", drop="after")
    doubt = run(KlaviyoRequestOperator, **CREATE, retries=5)
    assert (doubt.state, doubt.tries) == ("failed", 1)
    assert "clear this task to send it again" in doubt.said
    assert sandbox.klaviyo.counts()["lists"] == 1


def test_what_may_be_repeated_is(sandbox: SandboxServer, run: Run) -> None:
    sandbox.fail(method="POST", path="/api/lists", drop="after")
    done = run(KlaviyoRequestOperator, **CREATE, replayable="{{ True }}")
    assert (done.state, done.tries) == ("success", 1)
    assert sandbox.klaviyo.counts()["lists"] == 2


def test_what_a_killed_worker_sent_is_not_sent_again(sandbox: SandboxServer) -> None:
    store = Store()
    store.writes_left = 2  # whose request it is, and the intent
    with pytest.raises(Killed):
        KlaviyoRequestOperator(task_id="it", **CREATE).execute(context(store))
    store.writes_left = None
    assert sandbox.klaviyo.counts()["lists"] == 1
    with pytest.raises(KlaviyoInDoubt, match="Look in Klaviyo"):
        KlaviyoRequestOperator(task_id="it", **CREATE).execute(context(store))
    assert sandbox.klaviyo.counts()["lists"] == 1


@pytest.mark.parametrize(("response", "returned"), [("json", {"data": {"type": "list"}}), ("text", None), ("bytes", None)])
def test_what_was_answered_before_the_worker_died_is_not_sent_again(sandbox: SandboxServer, response: Any, returned: Any) -> None:
    store = Store()
    store.writes_left = 3  # the answer, too
    with pytest.raises(Killed):
        KlaviyoRequestOperator(task_id="it", response=response, **CREATE).execute(context(store))
    store.writes_left = None
    again = KlaviyoRequestOperator(task_id="it", response=response, **CREATE).execute(context(store))
    assert again == returned or again["data"]["type"] == "list"
    assert sandbox.klaviyo.counts()["lists"] == 1


def test_another_file_is_another_request(sandbox: SandboxServer, tmp_path: Path) -> None:
    logo = tmp_path / "logo.png"
    logo.write_bytes(PNG)
    upload = {**UPLOAD, "path": "/api/lists", "files": {"file": str(logo)}}  # which takes none
    store = Store()
    sandbox.fail(method="POST", path="/api/lists", drop="after")
    with pytest.raises(KlaviyoInDoubt):
        KlaviyoRequestOperator(task_id="it", **upload).execute(context(store))
    first = str(store)
    logo.write_bytes(PNG[::-1])
    sandbox.fail(method="POST", path="/api/lists", drop="after")
    with pytest.raises(KlaviyoInDoubt):
        KlaviyoRequestOperator(task_id="it", **upload).execute(context(store, max_tries=5))
    assert first.split("'request': ")[1][:18] != str(store).split("'request': ")[1][:18]


# ── forms and files ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_files_are_read_when_the_task_runs(sandbox: SandboxServer, run: Run, tmp_path: Path, scheme: str) -> None:
    logo = tmp_path / "logo 1.png"
    logo.write_bytes(PNG)
    run(KlaviyoRequestOperator, **UPLOAD, form={"name": "Logo {{ 1 + 1 }}"}, files={"file": f"{scheme}{tmp_path}/logo {{{{ 3 - 2 }}}}.png"})
    received = sandbox.klaviyo.received[-1]
    form = forms.read(received.raw, received.headers["content-type"])
    assert form == forms.Form({"name": "Logo 2"}, {"file": forms.UploadedFile("logo 1.png", "image/png", PNG)})


@pytest.mark.parametrize(
    ("name", "media_type"),
    [("a.gif", "image/gif"), ("a.JPG", "image/jpeg"), ("a.csv.gz", "application/octet-stream"), ("a", "application/octet-stream")],
)
def test_the_type_of_a_file_is_guessed_by_its_name(tmp_path: Path, name: str, media_type: str) -> None:
    (tmp_path / name).write_bytes(PNG)
    file = open_file(str(tmp_path / name))
    assert (file.name, file.content, file.media_type) == (name, PNG, media_type)


def test_a_file_that_is_not_there_yet_is_looked_for_again(sandbox: SandboxServer, run: Run, tmp_path: Path) -> None:
    missing = run(KlaviyoRequestOperator, **UPLOAD, files={"file": str(tmp_path / "logo.png")}, retries=1)
    assert (missing.state, missing.tries) == ("failed", 2)
    assert "logo.png" in missing.said
    assert not sandbox.klaviyo.requests


def test_a_file_over_five_megabytes_is_refused_once(sandbox: SandboxServer, run: Run, tmp_path: Path) -> None:
    (tmp_path / "large.png").write_bytes(PNG.ljust(5_000_001, b"\0"))
    refused = run(KlaviyoRequestOperator, **UPLOAD, files={"file": str(tmp_path / "large.png")}, retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert "exceeds the limit of 5 MB" in refused.said
    assert sandbox.klaviyo.requests == {"POST /api/image-upload": 1}


def test_a_form_without_files_goes_url_encoded(sandbox: SandboxServer, run: Run) -> None:
    refused = run(KlaviyoRequestOperator, **UPLOAD, form={"name": "Logo & mehr"})
    assert sandbox.klaviyo.received[-1].raw == b"name=Logo+%26+mehr"
    assert "answered 415" in refused.said


@pytest.mark.parametrize("more", [{"form": {"name": "Logo"}}, {"files": {"file": __file__}}])
def test_two_bodies_are_refused(sandbox: SandboxServer, run: Run, more: dict[str, Any]) -> None:
    refused = run(KlaviyoRequestOperator, **CREATE, **more, retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert "a request has one body" in refused.said
    assert not sandbox.klaviyo.requests


# ── headers ────────────────────────────────────────────────────────────────────────


def test_headers_are_added_and_not_told(sandbox: SandboxServer, run: Run) -> None:
    done = run(KlaviyoRequestOperator, path="/api/lists", headers={"X-Trace": "hush-{{ 1 + 1 }}"})
    assert sandbox.klaviyo.received[-1].headers["x-trace"] == "hush-2"
    assert "hush" not in done.said


@pytest.mark.parametrize("name", ["Authorization", "revision", "Host", "Cookie", "content-length"])
def test_a_header_that_is_not_the_users_is_refused(sandbox: SandboxServer, run: Run, name: str) -> None:
    refused = run(KlaviyoRequestOperator, path="/api/lists", headers={name: "hush"}, retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert f"the header {name} is not set by a request" in refused.said
    assert not sandbox.klaviyo.requests


# ── what comes back ────────────────────────────────────────────────────────────────


def test_a_text_is_returned_as_it_comes(sandbox: SandboxServer, run: Run) -> None:
    sandbox.fail(method="GET", path="/api/lists", status=200, body="id;name\n1;Größe\n")
    assert run(KlaviyoRequestOperator, path="/api/lists", response="{{ 'text' }}").returned == "id;name\n1;Größe\n"


def test_bytes_are_returned_as_base64_since_xcom_holds_none(sandbox: SandboxServer, run: Run) -> None:
    sandbox.fail(method="GET", path="/api/lists", status=200, body="id;name\n1;Größe\n")
    returned = run(KlaviyoRequestOperator, path="/api/lists", response="bytes").returned
    assert b64decode(returned) == "id;name\n1;Größe\n".encode()


def test_an_answer_that_is_no_json_is_not_taken_for_one(sandbox: SandboxServer, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_once(sandbox, monkeypatch)
    sandbox.fail(method="GET", path="/api/lists", status=200, body="id;name\n")
    said = run(KlaviyoRequestOperator, path="/api/lists")
    assert said.state == "failed"
    assert "with a body that is no JSON object" in said.said


@pytest.mark.parametrize("response", ["text", "bytes"])
def test_errors_are_read_whatever_the_answer(sandbox: SandboxServer, run: Run, response: str) -> None:
    refused = run(KlaviyoRequestOperator, path="/api/lists/nosuch", response=response, retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert "GET /api/lists/nosuch answered 404. not_found" in refused.said


@pytest.mark.parametrize("more", [{**CREATE, "replayable": True}, {"path": "/api/lists", "response": "text"}])
def test_only_json_that_is_read_has_pages(sandbox: SandboxServer, run: Run, more: dict[str, Any]) -> None:
    refused = run(KlaviyoRequestOperator, paginate=True, **more)
    assert "paginate goes with GET and JSON alone" in refused.said
    assert not sandbox.klaviyo.requests


# ── client endpoints ───────────────────────────────────────────────────────────────


def test_client_endpoints_go_by_the_public_key(sandbox: SandboxServer, run: Run) -> None:
    done = run(KlaviyoRequestOperator, method="POST", path="/client/profiles", body=PROFILE)
    assert (done.state, done.returned) == ("success", {})
    assert "authorization" not in sandbox.klaviyo.received[-1].headers
    assert sandbox.klaviyo.received[-1].query == {"company_id": "SandBx"}
    assert sandbox.klaviyo.counts()["profiles"] == 1


def test_a_company_that_is_given_wins(sandbox: SandboxServer, run: Run) -> None:
    refused = run(KlaviyoRequestOperator, method="POST", path="/client/profiles", query={"company_id": "Other1"}, body=PROFILE)
    assert sandbox.klaviyo.received[-1].query == {"company_id": "Other1"}
    assert "invalid at company_id" in refused.said


def test_without_a_public_key_the_task_says_which_extra_to_set(sandbox: SandboxServer, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_once(sandbox, monkeypatch)
    refused = run(KlaviyoRequestOperator, method="POST", path="/client/profiles", body=PROFILE, retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert "set the extra `public_key` of the connection 'klaviyo_default'" in refused.said
    assert not sandbox.klaviyo.requests


# ── paths ──────────────────────────────────────────────────────────────────────────


def test_a_refused_path_says_which_character_it_may_not_hold(sandbox: SandboxServer, run: Run) -> None:
    assert "it holds '?'" in run(KlaviyoRequestOperator, path="/api/lists?x=1").said
    assert "it holds '%'" in run(KlaviyoRequestOperator, path="/api/lists/50%").said


@pytest.mark.parametrize("identity", ["$custom:::$default:::SKU1", "a!b&c'(d)*e+f,g;h=i", "caf%C3%A9~1"])
def test_an_id_may_hold_what_a_path_may(sandbox: SandboxServer, run: Run, identity: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_once(sandbox, monkeypatch)  # the sandbox may not know the id
    path = f"/api/catalog-items/{identity}"
    run(KlaviyoRequestOperator, path=path)
    assert sandbox.klaviyo.received[-1].path == path


@pytest.mark.parametrize(
    "path",
    [
        *("https://evil.example/api/lists", "//evil.example/api/lists", "/lists", "api/lists", "/api/", "/client", "/api/lists?x=1"),
        *("/api/lists#x", "/api/profiles//", "/api/li\nsts", "/api/li sts", "/api\\lists", "/oauth/token"),
    ],
)
def test_the_key_stays_on_its_host(sandbox: SandboxServer, run: Run, path: str) -> None:
    refused = run(KlaviyoRequestOperator, path=path, retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert "path is a path on Klaviyo's host" in refused.said
    assert not sandbox.klaviyo.requests


@pytest.mark.parametrize("path", ["/api/../oauth/token", "/client/../api/lists", "/api/lists/%2E%2e/x"])
def test_a_path_does_not_climb(sandbox: SandboxServer, run: Run, path: str) -> None:
    refused = run(KlaviyoRequestOperator, path=path, retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert "A request goes to a path on" in refused.said
    assert not sandbox.klaviyo.requests

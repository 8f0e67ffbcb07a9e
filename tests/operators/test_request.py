# SPDX-License-Identifier: Apache-2.0
"""The operator for any endpoint, against the sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_klaviyo.api import lists
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.operators.request import KlaviyoRequestOperator

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

    Run = Callable[..., Any]

LIST = {"data": {"type": "list", "attributes": {"name": "VIP {{ 1 + 1 }}"}}}


def test_it_sends_what_it_is_told(sandbox: SandboxServer, run: Run) -> None:
    made = run(KlaviyoRequestOperator, method="POST", path="/api/lists", body=LIST)
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
    assert run(KlaviyoRequestOperator, path="/api/lists", method="POST", body=LIST, paginate=True).state == "failed"


def test_what_may_not_be_repeated_is_sent_once(sandbox: SandboxServer, run: Run) -> None:
    sandbox.fail(method="POST", path="/api/lists", drop="after")
    doubt = run(KlaviyoRequestOperator, method="POST", path="/api/lists", body=LIST, retries=5)
    assert (doubt.state, doubt.tries) == ("failed", 1)
    assert "clear this task to send it again" in doubt.said
    assert sandbox.klaviyo.counts()["lists"] == 1


def test_what_may_be_repeated_is(sandbox: SandboxServer, run: Run) -> None:
    sandbox.fail(method="POST", path="/api/lists", drop="after")
    done = run(KlaviyoRequestOperator, method="POST", path="/api/lists", body=LIST, replayable="{{ True }}")
    assert (done.state, done.tries) == ("success", 1)
    assert sandbox.klaviyo.counts()["lists"] == 2


def test_a_refused_path_says_which_character_it_may_not_hold(sandbox: SandboxServer, run: Run) -> None:
    assert "it holds '?'" in run(KlaviyoRequestOperator, path="/api/lists?x=1").said
    assert "it holds '%'" in run(KlaviyoRequestOperator, path="/api/lists/50%").said


@pytest.mark.parametrize("identity", ["$custom:::$default:::SKU1", "a!b&c'(d)*e+f,g;h=i", "caf%C3%A9~1"])
def test_an_id_may_hold_what_a_path_may(sandbox: SandboxServer, run: Run, identity: str, monkeypatch: pytest.MonkeyPatch) -> None:
    once = {"conn_type": "klaviyo", "host": sandbox.url, "password": "pk_sandbox", "extra": {"max_attempts": 1}}
    monkeypatch.setenv("AIRFLOW_CONN_KLAVIYO_DEFAULT", json.dumps(once))  # the sandbox does not know the endpoint
    path = f"/api/catalog-items/{identity}"
    run(KlaviyoRequestOperator, path=path)
    assert sandbox.klaviyo.received[-1].path == path


@pytest.mark.parametrize(
    "path",
    [
        *("https://evil.example/api/lists", "//evil.example/api/lists", "/lists", "api/lists", "/api/", "/api/lists?x=1", "/api/lists#x"),
        *("/api/profiles//", "/api/../oauth/token", "/api/lists/%2E%2e/x", "/api/li\nsts", "/api/li sts", "/api\\lists"),
    ],
)
def test_the_key_stays_on_its_host(sandbox: SandboxServer, run: Run, path: str) -> None:
    refused = run(KlaviyoRequestOperator, path=path, retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert "path is a path on Klaviyo's host" in refused.said
    assert not sandbox.klaviyo.requests

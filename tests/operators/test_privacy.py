# SPDX-License-Identifier: Apache-2.0
"""The operator that forgets people, against the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_klaviyo.api import profiles
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.operators.privacy import KlaviyoDeleteProfileDataOperator

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

    Run = Callable[..., Any]

DELETE = "POST /api/data-privacy-deletion-jobs"
SARAH = {"email": "sarah@example.com", "phone_number": "+14155550123"}


@pytest.fixture
def sarah(sandbox: SandboxServer) -> str:
    """Make a profile, in a Klaviyo that carries out at once what it accepts."""
    sandbox.klaviyo.behaviour.job_seconds = 0
    with KlaviyoHook().session() as klaviyo:
        return str(klaviyo.send(profiles.create(profile=SARAH))["data"]["id"])


def there() -> int:
    with KlaviyoHook().session() as klaviyo:
        return len([*klaviyo.walk(profiles.list_())])


@pytest.mark.parametrize("known", ["id", "email", "phone_number"])
def test_a_person_is_forgotten(sandbox: SandboxServer, run: Run, sarah: str, known: str) -> None:
    whom: dict[str, Any] = {"profile_id": sarah} if known == "id" else {"lookup": {known: "{{ '" + SARAH[known] + "' }}"}}
    done = run(KlaviyoDeleteProfileDataOperator, **whom)
    assert (done.state, done.returned) == ("success", None)
    assert there() == 0
    assert "sarah@" not in done.said


def test_a_request_without_an_answer_is_repeated_at_once(sandbox: SandboxServer, sarah: str) -> None:
    sandbox.fail(method="POST", path="/api/data-privacy", drop="after")
    KlaviyoDeleteProfileDataOperator(task_id="forget", profile_id=sarah).execute({})
    assert sandbox.klaviyo.requests[DELETE] == 2
    assert there() == 0


def test_nobody_to_forget_is_a_success(sandbox: SandboxServer) -> None:
    forget = KlaviyoDeleteProfileDataOperator(task_id="forget", lookup={"email": "nobody@example.com"})
    forget.execute({})
    sandbox.fail(method="POST", path="/api/data-privacy", status=404)
    forget.execute({})
    assert sandbox.klaviyo.requests[DELETE] == 2


@pytest.mark.parametrize("wrong", [{}, {"profile_id": "01J", "lookup": {"email": "a@example.com"}}, {"lookup": {"external_id": "7"}}])
def test_exactly_one_identifier_is_taken(sandbox: SandboxServer, run: Run, wrong: dict[str, Any]) -> None:
    refused = run(KlaviyoDeleteProfileDataOperator, retries=2, **wrong)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert DELETE not in sandbox.klaviyo.requests


def test_a_key_without_the_scope_is_told_so(sandbox: SandboxServer, run: Run) -> None:
    sandbox.klaviyo.behaviour.keys = {"pk_sandbox": frozenset({"profiles:write"})}
    assert "data-privacy:write" in run(KlaviyoDeleteProfileDataOperator, profile_id="01J").said

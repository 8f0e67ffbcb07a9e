# SPDX-License-Identifier: Apache-2.0
"""The operator that forgets people, against the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_klaviyo.api import profiles
from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoConfigError
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.operators.privacy import KlaviyoDeleteProfileDataOperator
from tests.operators.kit import Killed, Store, context

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
    nobody = {"errors": [{"id": "1", "status": 404, "code": "not_found", "title": "Not found.", "detail": "Nobody."}]}
    sandbox.fail(method="POST", path="/api/data-privacy", status=404, body=nobody)
    forget.execute({})
    assert sandbox.klaviyo.requests[DELETE] == 2


def test_an_answer_of_somebody_else_is_no_success(sandbox: SandboxServer) -> None:
    """A proxy's 404 says nothing about a person."""
    sandbox.fail(method="POST", path="/api/data-privacy", status=404)
    with pytest.raises(KlaviyoApiError):
        KlaviyoDeleteProfileDataOperator(task_id="forget", lookup={"email": "sarah@example.com"}).execute({})


@pytest.mark.parametrize("wrong", ["01NOBODY", " ", "not an id", "None"])
def test_an_id_that_nothing_has_is_a_mistake(sandbox: SandboxServer, run: Run, wrong: str) -> None:
    refused = run(KlaviyoDeleteProfileDataOperator, profile_id=wrong, retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert DELETE not in sandbox.klaviyo.requests


def test_an_id_that_nothing_has_may_be_allowed(sandbox: SandboxServer) -> None:
    KlaviyoDeleteProfileDataOperator(task_id="forget", profile_id="01NOBODY", must_exist=False).execute({})
    assert sandbox.klaviyo.requests[DELETE] == 1


def test_a_profile_that_was_merged_is_not_deleted_by_its_old_id(sandbox: SandboxServer, sarah: str) -> None:
    resource = {"type": "profile", "id": sarah, "attributes": {}}
    sandbox.fail(method="GET", path="01MERGED", status=200, body={"data": resource})
    with pytest.raises(KlaviyoConfigError, match="was merged into"):
        KlaviyoDeleteProfileDataOperator(task_id="forget", profile_id="01MERGED").execute({})
    assert DELETE not in sandbox.klaviyo.requests


def test_a_next_try_does_not_miss_whom_the_first_deleted(sandbox: SandboxServer, sarah: str) -> None:
    store = Store()
    forget = KlaviyoDeleteProfileDataOperator(task_id="forget", profile_id=sarah)
    store.writes_left = 1  # the intent; not the end
    with pytest.raises(Killed):
        forget.execute(context(store))
    assert there() == 0
    store.writes_left = None
    forget.execute(context(store))


@pytest.mark.parametrize("wrong", [{}, {"profile_id": "01J", "lookup": {"email": "a@example.com"}}, {"lookup": {"external_id": "7"}}])
def test_exactly_one_identifier_is_taken(sandbox: SandboxServer, run: Run, wrong: dict[str, Any]) -> None:
    refused = run(KlaviyoDeleteProfileDataOperator, retries=2, **wrong)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert DELETE not in sandbox.klaviyo.requests


def test_a_key_without_the_scope_is_told_so(sandbox: SandboxServer, run: Run) -> None:
    sandbox.klaviyo.behaviour.keys = {"pk_sandbox": frozenset({"profiles:read", "profiles:write"})}
    assert "data-privacy:write" in run(KlaviyoDeleteProfileDataOperator, lookup={"email": "a@example.com"}).said

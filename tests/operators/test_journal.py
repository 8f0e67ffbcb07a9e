# SPDX-License-Identifier: Apache-2.0
"""The journal belongs to a request: what was done for another one is neither taken for this one's, nor forgotten where it is in doubt."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_klaviyo.api import lists, profiles
from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoInDoubt, KlaviyoUnanswered
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.operators.journal import Journal
from airflow_provider_klaviyo.operators.lists import KlaviyoCreateListOperator
from airflow_provider_klaviyo.operators.profiles import KlaviyoBulkImportProfilesOperator, KlaviyoCreateProfileOperator
from tests.operators.kit import Store, context

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

JOBS = "POST /api/profile-bulk-import-jobs"
SARAH, TOM = {"email": "sarah@example.com"}, {"email": "tom@example.com"}


def load(*people: dict[str, Any], **fields: Any) -> KlaviyoBulkImportProfilesOperator:
    given = {"poll_interval": 0.02, "job_timeout": 0.05, "deferrable": False, **fields}
    return KlaviyoBulkImportProfilesOperator(task_id="load", profiles=people, **given)


def named(name: str) -> KlaviyoCreateListOperator:
    return KlaviyoCreateListOperator(task_id="list", name=name)


def make_list(name: str) -> str:
    with KlaviyoHook().session() as klaviyo:
        return str(klaviyo.send(lists.create(name=name))["data"]["id"])


def test_mended_rows_are_sent_and_not_taken_for_the_old_job(sandbox: SandboxServer) -> None:
    store = Store()
    sandbox.klaviyo.behaviour.job_seconds = 600
    with pytest.raises(TimeoutError):
        load(SARAH).execute(context(store))
    sandbox.klaviyo.behaviour.job_seconds = 0
    job = load(SARAH, TOM, job_timeout=60).execute(context(store, max_tries=5))
    assert job["completed"] == 2
    assert sandbox.klaviyo.requests[JOBS] == 2


def test_the_same_rows_go_on_with_their_job(sandbox: SandboxServer) -> None:
    store = Store()
    sandbox.klaviyo.behaviour.job_seconds = 600
    for max_tries in (2, 2, 5):
        with pytest.raises(TimeoutError):
            load(SARAH).execute(context(store, max_tries=max_tries))
    assert sandbox.klaviyo.requests[JOBS] == 1


def test_other_rows_after_doubt_are_not_sent(sandbox: SandboxServer) -> None:
    """Rows that append may not be sent twice; a worker that died leaves the doubt standing."""
    store = Store()
    appending = {**SARAH, "properties": {}}
    sandbox.fail(method="POST", path="/api/lists", drop="before")
    with pytest.raises(KlaviyoUnanswered):
        named("A").execute(context(store))
    with pytest.raises(KlaviyoInDoubt):
        load(appending).execute(context(store, max_tries=5))
    assert JOBS not in sandbox.klaviyo.requests


def test_a_list_of_another_name_is_not_taken_for_the_one_that_was_made(sandbox: SandboxServer) -> None:
    store = Store()
    make_list("B")
    sandbox.fail(method="POST", path="/api/lists", drop="after")
    with pytest.raises(KlaviyoUnanswered):
        named("A").execute(context(store))
    with pytest.raises(KlaviyoInDoubt, match="with other arguments") as doubt:
        named("B").execute(context(store, max_tries=5))
    assert "clear this task" in str(doubt.value)
    assert sandbox.klaviyo.counts()["lists"] == 2
    made = named("B").execute(context(store, max_tries=8))
    assert made["attributes"]["name"] == "B"
    assert sandbox.klaviyo.counts()["lists"] == 3, "clearing it once more was the word to send it"


def test_a_list_made_under_another_name_is_not_returned(sandbox: SandboxServer) -> None:
    store = Store()
    named("A").execute(context(store))
    assert named("B").execute(context(store))["attributes"]["name"] == "B"


def test_another_connection_is_another_request(sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", sandbox.connections["AIRFLOW_CONN_KLAVIYO_DEFAULT"])
    store = Store()
    named("A").execute(context(store))
    KlaviyoCreateListOperator(task_id="list", name="A", klaviyo_conn_id="other").execute(context(store))
    assert sandbox.klaviyo.counts()["lists"] == 2


def test_nothing_of_a_request_can_be_read_from_the_journal(sandbox: SandboxServer) -> None:
    store = Store()
    load(SARAH, job_timeout=60).execute(context(store))
    assert "sarah" not in str(store)


# ── a profile that is there when the request is sent again ──────────────────────────


def make_profile(**attributes: Any) -> str:
    with KlaviyoHook().session() as klaviyo:
        return str(klaviyo.send(profiles.create(profile=attributes))["data"]["id"])


def create(store: Store, **profile: Any) -> Any:
    return KlaviyoCreateProfileOperator(task_id="sarah", profile=profile).execute(context(store))


@pytest.mark.parametrize("identifier", [{"email": "Sarah@Example.com"}, {"phone_number": "+491701234567"}, {"external_id": "7"}])
def test_a_profile_that_was_there_before_is_not_ours(sandbox: SandboxServer, identifier: dict[str, str]) -> None:
    store = Store()
    make_profile(**identifier)
    sandbox.fail(method="POST", path="/api/profiles", drop="before")
    with pytest.raises(KlaviyoUnanswered):
        create(store, **identifier)
    with pytest.raises(KlaviyoApiError) as refused:
        create(store, **identifier)
    assert refused.value.status == 409


def test_a_profile_that_somebody_else_made_since_is_not_ours(sandbox: SandboxServer) -> None:
    store = Store()
    sandbox.fail(method="POST", path="/api/profiles", drop="before")
    with pytest.raises(KlaviyoUnanswered):
        create(store, **SARAH, first_name="Sarah")
    make_profile(**SARAH, first_name="Somebody else")
    with pytest.raises(KlaviyoApiError) as refused:
        create(store, **SARAH, first_name="Sarah")
    assert refused.value.status == 409


def test_a_profile_that_we_made_is_ours(sandbox: SandboxServer) -> None:
    store = Store()
    sarah: dict[str, Any] = {
        "email": "Sarah@Example.com",
        "title": None,
        "location": {"city": "Bonn", "latitude": 50.7},
        "properties": {"tags": ["a", 1], "level": 3},
    }
    sandbox.fail(method="POST", path="/api/profiles", drop="after")
    with pytest.raises(KlaviyoUnanswered):
        create(store, **sarah)
    assert create(store, **sarah)
    assert sandbox.klaviyo.counts()["profiles"] == 1


# ── what a person was told ──────────────────────────────────────────────────────────


def test_doubt_is_forgotten_for_its_request_alone(sandbox: SandboxServer) -> None:
    store = Store()
    journal = Journal(context(store))
    journal.write(request="digest", jobs={"a": "J1"}, portions=["a"])
    journal.intend()
    journal.tell()
    assert Journal(context(store)).sent_at is not None, "a retry is no word of a person's"
    cleared = Journal(context(store, max_tries=5))
    assert (cleared.sent_at, cleared.get("request"), cleared.under_way) == (None, None, False)
    assert (cleared.get("jobs"), cleared.get("portions")) == ({"a": "J1"}, ["a"])


def test_what_is_finished_is_not_kept_for_good(sandbox: SandboxServer) -> None:
    class Keeper(Store):
        kept: dt.timedelta | None = None

        def set(self, key: str, value: Any, *, retention: dt.timedelta | None = None, **_: Any) -> None:
            self.kept = retention
            super().set(key, value)

    store = Keeper()
    named("A").execute(context(store))
    assert store.kept == dt.timedelta(days=30)

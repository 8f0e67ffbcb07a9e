# SPDX-License-Identifier: Apache-2.0
"""Retries end where they are of no use, and nothing is sent twice in effect."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, RetryDecision, RetryPolicy

from airflow_provider_klaviyo.api import lists
from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoInDoubt, KlaviyoUnanswered
from airflow_provider_klaviyo.operators.events import KlaviyoCreateEventOperator
from airflow_provider_klaviyo.operators.journal import KEY
from airflow_provider_klaviyo.operators.lists import KlaviyoCreateListOperator, KlaviyoListListsOperator
from tests.operators.kit import Killed, Store, context

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

    from airflow_provider_klaviyo.sandbox.server import SandboxServer

    Run = Callable[..., Any]


class Insist(RetryPolicy):
    """A user's own policy: always again."""

    def evaluate(self, *_: Any, **__: Any) -> RetryDecision:
        """Decide."""
        return RetryDecision.retry(delay=dt.timedelta(0), reason="the user says so")


def vip(**fields: Any) -> KlaviyoCreateListOperator:
    return KlaviyoCreateListOperator(task_id="vip", name="VIP", **fields)


def test_a_permanent_error_fails_at_once(sandbox: SandboxServer, run: Run) -> None:
    sandbox.fail(path="/api/lists", status=401, times=9)
    refused = run(KlaviyoListListsOperator, retries=3)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert "klaviyo_default" in refused.said
    assert "pk_" in refused.said


def test_an_outage_follows_airflows_retries(sandbox: SandboxServer, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    once = '{"conn_type": "klaviyo", "host": "%s", "password": "pk_sandbox", "extra": {"max_attempts": 1}}' % sandbox.url  # noqa: UP031
    monkeypatch.setenv("AIRFLOW_CONN_KLAVIYO_DEFAULT", once)
    sandbox.fail(path="/api/lists", status=503, times=2)
    back = run(KlaviyoListListsOperator, retries=2)
    assert (back.state, back.tries) == ("success", 3)


def test_a_users_policy_wins(sandbox: SandboxServer, run: Run) -> None:
    sandbox.fail(path="/api/lists", status=401, times=2)
    assert run(KlaviyoListListsOperator, retries=2, retry_policy=Insist()).tries == 3
    sandbox.fail(path="/api/lists", status=401, times=2)
    assert run(KlaviyoListListsOperator, retries=2, retry_policy=None).tries == 3


def test_a_mapped_task_has_the_policy_too(sandbox: SandboxServer, run_dag: Callable[..., DagRun]) -> None:
    sandbox.fail(path="/api/lists", status=401, times=9)
    with DAG("mapped", schedule=None, start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)) as dag:
        KlaviyoListListsOperator.partial(task_id="it", retries=3, retry_delay=0).expand(sort=["name", "-name"])
    assert [each.try_number for each in run_dag(dag).get_task_instances()] == [1, 1]


def test_it_works_where_airflow_offers_no_store(sandbox: SandboxServer) -> None:
    assert vip().execute(context(None))["attributes"]["name"] == "VIP"


def test_a_try_after_success_returns_what_the_first_made(sandbox: SandboxServer) -> None:
    store = Store()
    first = vip().execute(context(store))
    assert vip().execute(context(store))["id"] == first["id"]
    assert sandbox.klaviyo.counts()["lists"] == 1


def test_clearing_after_success_makes_another(sandbox: SandboxServer) -> None:
    store = Store()
    vip().execute(context(store))
    vip().execute(context(store, max_tries=5))
    assert sandbox.klaviyo.counts()["lists"] == 2


def test_clearing_after_failure_goes_on(sandbox: SandboxServer) -> None:
    store = Store()
    sandbox.fail(method="POST", path="/api/lists", drop="after")
    with pytest.raises(KlaviyoUnanswered):
        vip().execute(context(store))
    vip().execute(context(store, max_tries=5))
    assert sandbox.klaviyo.counts()["lists"] == 1


def met() -> KlaviyoCreateEventOperator:
    """Return an operator that nobody can ask Klaviyo about afterwards."""
    return KlaviyoCreateEventOperator(task_id="event", metric="Met", profile={"email": "a@example.com"})


@pytest.mark.parametrize("fault", [{"drop": "before"}, {"status": 503}], ids=["dropped", "failed"])
def test_what_nobody_can_find_out_is_said_at_once_and_one_clear_sends_it_again(sandbox: SandboxServer, fault: dict[str, Any]) -> None:
    store = Store()
    sandbox.fail(method="POST", path="/api/events", **fault)
    with pytest.raises(KlaviyoInDoubt, match="clear this task to send it again"):
        met().execute(context(store, max_tries=0))
    assert sandbox.klaviyo.counts()["events"] == 0
    met().execute(context(store, max_tries=1))
    assert sandbox.klaviyo.counts()["events"] == 1


def test_a_try_that_a_user_insists_on_does_not_send_it_again(sandbox: SandboxServer) -> None:
    store = Store()
    sandbox.fail(method="POST", path="/api/events", drop="after")
    for _ in range(3):
        with pytest.raises(KlaviyoInDoubt):
            met().execute(context(store))
    assert sandbox.klaviyo.requests["POST /api/events"] == 1


def test_a_worker_that_died_leaves_a_doubt_that_the_next_try_tells(sandbox: SandboxServer) -> None:
    store = Store()
    store.writes_left = 2  # which request, and that it is about to leave; not that it was carried out
    with pytest.raises(Killed):
        met().execute(context(store))
    store.writes_left = None
    with pytest.raises(KlaviyoInDoubt):
        met().execute(context(store))
    assert sandbox.klaviyo.requests["POST /api/events"] == 1


def test_a_refusal_leaves_no_doubt(sandbox: SandboxServer) -> None:
    store = Store()
    sandbox.fail(method="POST", path="/api/lists", status=400)
    with pytest.raises(KlaviyoApiError):
        vip().execute(context(store))
    assert "sent_at" not in store[KEY]["record"]


def test_a_superseded_try_sends_nothing(sandbox: SandboxServer) -> None:
    store = Store()
    store.stale = True
    with pytest.raises(RuntimeError, match="superseded"):
        vip().execute(context(store))
    assert sandbox.klaviyo.counts()["lists"] == 0


def test_the_journal_holds_no_more_than_it_needs(sandbox: SandboxServer) -> None:
    store = Store()
    made = vip().execute(context(store))
    record = store[KEY].pop("record")
    assert store[KEY] == {"epoch": 2, "closed": True}
    assert len(record.pop("request")) == 16
    assert record == {"there": [], "done": {"type": "list", "id": made["id"]}}


def test_reading_leaves_no_trace_in_the_store(sandbox: SandboxServer) -> None:
    store = Store()
    KlaviyoListListsOperator(task_id="all").execute(context(store))
    assert store == {}


def test_an_operator_says_its_request_before_it_runs() -> None:
    assert vip(opt_in_process="double_opt_in").request() == lists.create(name="VIP", opt_in_process="double_opt_in")

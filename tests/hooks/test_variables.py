# SPDX-License-Identifier: Apache-2.0
"""Where tokens are kept: Airflow's real Variables, as a task, a trigger, the API server and a script reach them."""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.sdk import DAG, task
from cryptography.fernet import Fernet

from airflow_provider_klaviyo.api import lists
from airflow_provider_klaviyo.hooks import variables as module
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.hooks.variables import ServerVariables, variables
from airflow_provider_klaviyo.sandbox.klaviyo.oauth import CLIENT_ID, CLIENT_SECRET
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from airflow_provider_klaviyo.sensors.jobs import KlaviyoJobSensor
from tests.sandbox.klaviyo_client import client, import_body

CONN_ID = "klaviyo_app"
Json = dict[str, Any]


@pytest.fixture
def fernet_key(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give Airflow a Fernet key."""
    from airflow.models.crypto import get_fernet

    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", Fernet.generate_key().decode())
    get_fernet.cache_clear()
    yield
    get_fernet.cache_clear()


@pytest.fixture
def app(sandbox: SandboxServer, airflow_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Json]:
    """Define the connection of an app, and forget its Variables in the end."""
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    refresh = sandbox.klaviyo.grants.authorise()
    extra = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "refresh_token": refresh}
    connection = {"conn_type": "klaviyo", "host": sandbox.url, "extra": extra}
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", json.dumps(connection))
    yield connection
    with create_session() as session:
        session.execute(delete(Variable))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be an API server."""
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")


def rows() -> dict[str, Any]:
    """Return what stands in Airflow's database, as it stands there."""
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session

    with create_session() as session:
        return {each.key: each for each in session.query(Variable).all()}


def token() -> Any:
    """Return the row of the only token."""
    [row] = [row for key, row in rows().items() if key.startswith("klaviyo_oauth__")]
    return row


def asking(**arguments: Any) -> DAG:
    """Return a DAG of two tasks that ask, one after the other."""
    with DAG("asking", schedule=None, start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), **arguments) as dag:

        @task
        def ask() -> int:
            return len(KlaviyoHook(CONN_ID).send(lists.list_())["data"])

        ask() >> ask()
    return dag


def test_tasks_share_a_token_that_lies_encrypted_in_the_database(
    app: Json, fernet_key: None, run_dag: Callable[..., Any], sandbox: SandboxServer, caplog: pytest.LogCaptureFixture
) -> None:
    assert run_dag(asking()).state == "success"
    assert sandbox.klaviyo.requests["POST /oauth/token"] == 1
    row = token()
    record = json.loads(row.val)
    assert row.is_encrypted
    assert row.description == f"OAuth of the Klaviyo connection {CONN_ID!r}"
    family = sandbox.klaviyo.grants.families[-1]
    assert record["access_token"] in family.access
    assert record["refresh_token"] == family.refresh
    for secret in (record["access_token"], record["refresh_token"]):
        assert secret not in row._val
    assert "Fernet" not in caplog.text


def test_airflow_s_interface_shows_no_token(app: Json, run_dag: Callable[..., Any]) -> None:
    from airflow.api_fastapi.core_api.datamodels.variables import VariableResponse

    run_dag(asking())
    shown = VariableResponse.model_validate(token(), from_attributes=True).model_dump_json()
    record = json.loads(token().val)
    assert "expires_at" in shown
    assert record["access_token"] not in shown
    assert record["refresh_token"] not in shown


def test_without_a_fernet_key_it_is_plain_text_which_is_said_once(
    app: Json, run_dag: Callable[..., Any], caplog: pytest.LogCaptureFixture, sandbox: SandboxServer
) -> None:
    module._warn_of_plain_text.cache_clear()
    run_dag(asking())
    sandbox.klaviyo.grants.end_access()
    run_dag(asking())
    assert not token().is_encrypted
    assert sandbox.klaviyo.requests["POST /oauth/token"] == 2
    [warning] = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING and "Fernet" in each.getMessage()]
    assert "stored as plain text: set fernet_key in [core]" in warning


@pytest.mark.parametrize("rotation", ["same", "rotate"])
def test_a_trigger_renews_and_shares_the_token(app: Json, run_dag: Callable[..., Any], sandbox: SandboxServer, rotation: Any) -> None:
    sandbox.klaviyo.behaviour.rotation = rotation
    with client(sandbox) as http:
        job = http.post("/api/profile-bulk-import-jobs", json=import_body([{"email": "a@example.com"}])).json()["data"]["id"]
    sandbox.klaviyo.behaviour.job_seconds = 0
    with DAG("waiting", schedule=None, start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)) as dag:
        KlaviyoJobSensor(
            task_id="wait", kind="profile-bulk-import", job_id=job, klaviyo_conn_id=CONN_ID, deferrable=True, poke_interval=0.1, timeout=60
        )
    run = run_dag(dag)
    assert run.state == "success"
    assert json.loads(token().val)["refresh_token"] == sandbox.klaviyo.grants.families[-1].refresh
    assert run_dag(asking()).state == "success"
    assert sandbox.klaviyo.requests["POST /oauth/token"] == 1


# ── the API server, and the command line ────────────────────────────────────────────


def test_the_connection_test_of_the_command_line(app: Json, server: None, sandbox: SandboxServer) -> None:
    worked, message = KlaviyoHook(CONN_ID).test_connection()
    assert worked
    assert message.startswith("Connected as an OAuth app to the Klaviyo account SandBx of The Sandbox. ")
    assert {key.rpartition("__")[0] for key in rows()} == {"klaviyo_oauth", "klaviyo_oauth_lease"}
    assert len(rows()) == 2


def test_the_test_button_shares_the_token_of_the_connection_it_makes_a_copy_of(
    app: Json, server: None, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch, run_dag: Callable[..., Any]
) -> None:
    sandbox.klaviyo.behaviour.rotation = "rotate"
    for copy in ("AbCdEf12", "GhIjKl34"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{copy.upper()}", json.dumps(app))
        assert KlaviyoHook(copy).test_connection()[0]
        sandbox.klaviyo.grants.end_access()
    monkeypatch.delenv("_AIRFLOW_PROCESS_CONTEXT")
    assert run_dag(asking()).state == "success"
    assert sandbox.klaviyo.requests["POST /oauth/token"] == 3
    assert {key.rpartition("__")[0] for key in rows()} == {"klaviyo_oauth", "klaviyo_oauth_lease"}
    assert len(rows()) == 2
    assert token().description == f"OAuth of the Klaviyo connection {CONN_ID!r}"


def test_a_dead_refresh_token_fails_the_test(app: Json, server: None, sandbox: SandboxServer) -> None:
    sandbox.klaviyo.grants.families[-1].end()
    worked, message = KlaviyoHook(CONN_ID).test_connection()
    assert not worked
    assert f"put the new refresh_token in the extra of the connection {CONN_ID!r}" in message


def test_a_worker_s_connection_test_which_reaches_no_variables_is_refused(
    app: Json, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxServer
) -> None:
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "client")
    worked, message = KlaviyoHook(CONN_ID).test_connection()
    assert not worked
    assert f"`airflow connections test {CONN_ID}`" in message
    assert sandbox.klaviyo.requests["POST /oauth/token"] == 0


def test_a_value_that_airflow_cannot_decrypt_stops_the_renewal(
    app: Json, server: None, fernet_key: None, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.models.crypto import get_fernet

    assert KlaviyoHook(CONN_ID).test_connection()[0]
    [name] = ServerVariables().names("klaviyo_oauth__")
    sandbox.klaviyo.grants.end_access()
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", Fernet.generate_key().decode())
    get_fernet.cache_clear()
    worked, message = KlaviyoHook(CONN_ID).test_connection()
    assert not worked
    assert f"{name} is stored, and cannot be read" in message
    assert sandbox.klaviyo.requests["POST /oauth/token"] == 1


# ── a script ────────────────────────────────────────────────────────────────────────


def test_a_script_keeps_its_token_in_memory(app: Json, sandbox: SandboxServer) -> None:
    assert variables() is None
    for _ in range(2):
        assert KlaviyoHook(CONN_ID).send(lists.list_())["data"] == []
    assert sandbox.klaviyo.requests["POST /oauth/token"] == 1
    assert rows() == {}

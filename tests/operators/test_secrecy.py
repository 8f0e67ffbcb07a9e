# SPDX-License-Identifier: Apache-2.0
"""After all that may go wrong, neither the log nor Airflow's database holds a person or the key."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG

from airflow_provider_klaviyo.operators.events import KlaviyoBulkCreateEventsOperator, KlaviyoCreateEventOperator
from airflow_provider_klaviyo.operators.privacy import KlaviyoDeleteProfileDataOperator
from airflow_provider_klaviyo.operators.profiles import (
    KlaviyoBulkImportProfilesOperator,
    KlaviyoCreateProfileOperator,
    KlaviyoGetProfileOperator,
    KlaviyoListProfilesOperator,
    KlaviyoUpsertProfileOperator,
)
from airflow_provider_klaviyo.operators.request import KlaviyoRequestOperator
from airflow_provider_klaviyo.operators.subscriptions import (
    KlaviyoSubscribeProfilesOperator,
    KlaviyoSuppressProfilesOperator,
    KlaviyoUnsubscribeProfilesOperator,
)
from airflow_provider_klaviyo.sensors.jobs import KlaviyoJobSensor
from tests.conftest import HOME

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

    from airflow_provider_klaviyo.sandbox.server import SandboxServer

    Run = Callable[..., Any]

# Put together, here and by a template: Airflow keeps the file of a DAG, and the serialized DAG, with the literals in them. The docs say so.
WHO, PHONE, KEY = "jo" + "rinde", "+49157" + "7654321", "pk_" + "of_nobody"
NAME = "{{ 'jo' ~ 'rinde' }}"
EMAIL = f"{NAME}@example.com"
PERSON = {"email": EMAIL, "phone_number": "+49157{{ 7654321 }}", "first_name": NAME}
EVENT = {"metric": "Met", "profile": PERSON, "properties": {"by": NAME}}
QUICK = {"poll_interval": 0.02, "deferrable": True}


@pytest.fixture(autouse=True)
def nothing_is_told(
    sandbox: SandboxServer, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Look through everything that was logged, and through the file of Airflow's database: tables, indexes, freed pages."""
    caplog.set_level("DEBUG")
    sandbox.klaviyo.behaviour.keys = {KEY: None}
    monkeypatch.setenv("AIRFLOW_CONN_KLAVIYO_DEFAULT", json.dumps({"conn_type": "klaviyo", "host": sandbox.url, "password": KEY}))
    yield
    files = [path.read_bytes() for path in HOME.glob("airflow.db*")]
    assert files
    assert any(WHO in str(each.body) + str(each.query) for each in sandbox.klaviyo.received), "the person was sent"
    captured = capsys.readouterr()
    everything = b"".join(files) + (captured.out + captured.err + caplog.text).encode()
    secrets = "|".join(map(re.escape, (WHO, PHONE, KEY)))
    assert re.findall(f".{{0,60}}(?:{secrets}).{{0,30}}".encode(), everything) == []


def test_profiles(sandbox: SandboxServer, run: Run) -> None:
    sandbox.fail(method="POST", path="/api/profiles", drop="after")
    sandbox.fail(method="POST", path="/api/profile-import", status=400)
    outcomes = [
        run(KlaviyoCreateProfileOperator, profile=PERSON, retries=1),
        run(KlaviyoCreateProfileOperator, profile=PERSON),
        run(KlaviyoUpsertProfileOperator, profile=PERSON),
        run(KlaviyoUpsertProfileOperator, profile={"email": NAME}),
        run(KlaviyoUpsertProfileOperator, profile={**PERSON, "title": "{{ nosuch.thing }}"}),
        run(KlaviyoGetProfileOperator, lookup={"email": EMAIL}),
        run(KlaviyoBulkImportProfilesOperator, profiles=[PERSON], **QUICK),
    ]
    assert [each.state for each in outcomes] == ["success", "failed", "failed", "failed", "failed", "success", "success"]


def test_consent_and_privacy(sandbox: SandboxServer, run: Run) -> None:
    sandbox.klaviyo.behaviour.sms_regions = frozenset({"+1"})
    leaver = {"email": EMAIL}
    texted = {**leaver, "phone_number": "+49157{{ 7654321 }}", "channels": ["sms.marketing"]}
    sandbox.fail(method="POST", path="subscription-bulk-create", drop="before")
    outcomes = [
        run(KlaviyoSubscribeProfilesOperator, profiles=[leaver], retries=1),
        run(KlaviyoSubscribeProfilesOperator, profiles=[texted]),
        run(KlaviyoSubscribeProfilesOperator, profiles=[{**leaver, "consented_at": NAME}], historical_import=True),
        run(KlaviyoSubscribeProfilesOperator, profiles=[{NAME: EMAIL}]),
        run(KlaviyoUnsubscribeProfilesOperator, profiles=[leaver], everywhere=True),
        run(KlaviyoSuppressProfilesOperator, emails=[EMAIL], **QUICK),
        run(KlaviyoSuppressProfilesOperator, emails=[NAME]),
        run(KlaviyoDeleteProfileDataOperator, lookup={"email": EMAIL}),
        run(KlaviyoDeleteProfileDataOperator, lookup={"external_id": NAME}),
    ]
    assert [each.state for each in outcomes] == [
        "failed",
        "failed",
        "failed",
        "failed",
        "success",
        "success",
        "failed",
        "success",
        "failed",
    ]


def test_events(sandbox: SandboxServer, run: Run) -> None:
    sandbox.fail(method="POST", path="/api/events", drop="after")
    sandbox.fail(method="POST", path="/api/events", status=400, body=complaint())
    sandbox.fail(method="POST", path="/api/event-bulk-create-jobs", status=400, body=complaint())
    outcomes = [
        run(KlaviyoCreateEventOperator, **EVENT),
        run(KlaviyoCreateEventOperator, **EVENT),
        run(KlaviyoCreateEventOperator, **EVENT, value=NAME),
        run(KlaviyoCreateEventOperator, **EVENT),
        run(KlaviyoBulkCreateEventsOperator, events=[EVENT]),
        run(KlaviyoBulkCreateEventsOperator, events=[{**EVENT, "nosuch": NAME}]),
        run(KlaviyoBulkCreateEventsOperator, events=[EVENT]),
    ]
    assert [each.state for each in outcomes] == ["failed", "failed", "failed", "success", "failed", "failed", "success"]


def test_filters_and_any_request(sandbox: SandboxServer, run: Run) -> None:
    filtered = f'equals(email,"{EMAIL}")'
    body = {"data": {"type": "profile", "attributes": PERSON}}
    sandbox.fail(method="GET", path="/api/profiles", status=400, body=complaint())
    outcomes = [
        run(KlaviyoListProfilesOperator, filter=filtered),
        run(KlaviyoListProfilesOperator, filter=filtered),
        run(KlaviyoRequestOperator, path="/api/profiles", query={"filter": filtered, "fields[profile]": "created"}),
        run(KlaviyoRequestOperator, path="/api/profiles", query={"filter": filtered, "fields[profile]": "created"}, paginate=True),
        run(KlaviyoRequestOperator, path="/api/profiles", query={"filter": [NAME]}),
        run(KlaviyoRequestOperator, path="/api/profiles", method="POST", body={"data": NAME}),
        run(KlaviyoRequestOperator, path="/api/profile-import", method="POST", body=body | {"meta": "{{ nosuch.thing }}"}),
        run(KlaviyoRequestOperator, path="/api/profiles", headers={"X-Who": NAME}, query={"fields[profile]": "created"}, response="text"),
        run(
            KlaviyoRequestOperator, path="/api/image-upload", method="POST", form={"name": NAME}, headers={"X-Who": f"{NAME} {{{{ ds }}}}"}
        ),
        run(KlaviyoRequestOperator, path="/api/image-upload", method="POST", form={"name": NAME, "hidden": "{{ nosuch.thing }}"}),
        run(KlaviyoRequestOperator, path="/api/profiles", headers={"Authorization": NAME}),
    ]
    assert [each.state for each in outcomes] == [
        *("failed", "success", "success", "success", "failed", "failed", "failed"),
        *("success", "failed", "failed", "failed"),
    ]


def test_what_a_trigger_tells(sandbox: SandboxServer, run: Run, run_dag: Callable[..., DagRun]) -> None:
    sandbox.klaviyo.behaviour.job_seconds = 600
    started = run(KlaviyoBulkImportProfilesOperator, profiles=[PERSON], wait_for_completion=False).returned["id"]
    for fault in (
        {"status": 400, "body": complaint(f"{WHO}@example.com")},
        {"status": 200, "body": {"data": {"id": f"{WHO}@example.com"}}},
    ):
        sandbox.fail(method="GET", path="/api/profile-bulk-import-jobs", skip=1, **fault)
        with DAG("wait", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
            KlaviyoJobSensor(task_id="it", job_id=started, poke_interval=0.02, deferrable=True)
        instance = run_dag(dag).get_task_instance("it")
        assert instance is not None
        assert instance.state == "failed"


def complaint(who: str = WHO) -> dict[str, Any]:
    """Return an error in which Klaviyo quotes whom it is about."""
    return {"errors": [{"code": "invalid", "title": "Invalid", "detail": f"'{who}' or {WHO}@example.com, {PHONE}, is not valid"}]}

# SPDX-License-Identifier: Apache-2.0
"""The trigger reads, awaits, and tells; it never sends anything else."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.serde import deserialize, serialize
from airflow.triggers.base import TriggerEvent

from airflow_provider_klaviyo.api import bodies, jobs, profiles
from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoConfigError, KlaviyoError
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.triggers.jobs import KlaviyoJobTrigger, settled

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer


def start(number: int) -> list[str]:
    """Start import jobs and return their ids."""
    people = [bodies.profile_resource({"email": "a@example.com"})]
    with KlaviyoHook().session() as klaviyo:
        return [klaviyo.send(profiles.bulk_import(profiles=people))["data"]["id"] for _ in range(number)]


def fired(trigger: KlaviyoJobTrigger) -> Any:
    """Make the trigger again from what it serializes to, as a triggerer does, and return its event through Airflow's serde."""
    path, fields = trigger.serialize()
    assert path == "airflow_provider_klaviyo.triggers.jobs.KlaviyoJobTrigger"
    again = KlaviyoJobTrigger(**deserialize(serialize(fields)))  # type: ignore[arg-type]
    assert again.serialize() == (path, fields)

    async def first() -> TriggerEvent:
        return await anext(again.run())

    return deserialize(serialize(asyncio.run(first()).payload))


def trigger(job_ids: list[str], **fields: Any) -> KlaviyoJobTrigger:
    return KlaviyoJobTrigger(**{"kind": "profile-bulk-import", "job_ids": job_ids, "interval": 0.02, **fields})


def test_it_fires_when_every_job_is_done(sandbox: SandboxServer) -> None:
    ids = start(3)
    done = settled(fired(trigger(ids)))
    assert set(done) == set(ids)
    assert all(job.done and job.completed == 1 for job in done.values())


def test_three_hundred_foreign_jobs_hide_none(sandbox: SandboxServer) -> None:
    ids = start(8)
    sandbox.klaviyo.add_foreign_jobs(300)
    assert set(settled(fired(trigger(ids)))) == set(ids)


def test_many_jobs_are_one_request_an_interval(sandbox: SandboxServer) -> None:
    sandbox.klaviyo.behaviour.job_seconds = 0.3
    ids = start(40)
    sandbox.klaviyo.requests.clear()
    settled(fired(trigger(ids, interval=0.4)))
    assert sum(sandbox.klaviyo.requests.values()) <= 3


def test_it_only_reads(sandbox: SandboxServer) -> None:
    ids = start(2)
    sandbox.klaviyo.requests.clear()
    fired(trigger(ids))
    assert {name.split()[0] for name in sandbox.klaviyo.requests} == {"GET"}


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_permanent_error_is_told_and_raised_as_asking_would(sandbox: SandboxServer, status: int) -> None:
    ids = start(1)
    sandbox.fail(path="/api/profile-bulk-import-jobs", status=status, times=2)
    with pytest.raises(KlaviyoApiError) as told:
        settled(fired(trigger(ids)))
    with pytest.raises(KlaviyoApiError) as asked:
        KlaviyoHook().send(jobs.get(kind="profile-bulk-import", job_id=ids[0]))
    assert str(told.value) == str(asked.value)
    assert told.value.status == status


def test_an_outage_is_waited_out(sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    once = '{"conn_type": "klaviyo", "host": "%s", "password": "pk_sandbox", "extra": {"max_attempts": 1}}' % sandbox.url  # noqa: UP031
    monkeypatch.setenv("AIRFLOW_CONN_KLAVIYO_DEFAULT", once)
    ids = start(1)
    fault = sandbox.fail(path="/api/profile-bulk-import-jobs", status=502, times=4, body="<html>502</html>")
    assert set(settled(fired(trigger(ids)))) == set(ids)
    assert fault.hits == 4


def test_a_status_never_seen_is_an_error(sandbox: SandboxServer) -> None:
    sandbox.klaviyo.next_job("paused")
    ids = start(1)
    with pytest.raises(KlaviyoError, match="'paused'"):
        settled(fired(trigger(ids)))


def test_a_connection_that_cannot_work_is_an_error(sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = start(1)
    monkeypatch.setenv("AIRFLOW_CONN_KLAVIYO_DEFAULT", '{"conn_type": "klaviyo", "password": "sk_wrong"}')
    with pytest.raises(KlaviyoConfigError, match="pk_"):
        settled(fired(trigger(ids)))


def test_a_connection_that_is_not_there_is_told_and_does_not_crash(sandbox: SandboxServer) -> None:
    with pytest.raises(RuntimeError, match=r"AirflowNotFoundException.*nosuch"):
        settled(fired(trigger(["J"], klaviyo_conn_id="nosuch")))


def test_an_answer_of_a_strange_form_is_told_and_does_not_crash(sandbox: SandboxServer) -> None:
    ids = start(6)
    sandbox.fail(path="/api/profile-bulk-import-jobs$", status=200, body={"data": ["jane@example.com"]})
    event = fired(trigger(ids))
    with pytest.raises(TypeError, match="string indices"):
        settled(event)
    assert "jane@" not in str(event)


def test_people_in_an_error_do_not_stand_in_the_event(sandbox: SandboxServer) -> None:
    ids = start(1)
    said = {"errors": [{"code": "invalid", "detail": "jane@example.com has +49301234567 and the key pk_sandbox"}]}
    sandbox.fail(path="/api/profile-bulk-import-jobs", status=400, body=said)
    event = str(fired(trigger(ids)))
    assert "answered 400" in event or "'status': 400" in event
    assert not any(each in event for each in ("jane@", "+4930", "pk_sandbox"))


def test_a_look_that_hangs_is_cut_when_the_time_is_up(sandbox: SandboxServer) -> None:
    class Hasty(KlaviyoJobTrigger):
        """The last look may take hardly any time."""

        last_look = 0.3

    ids = start(1)
    sandbox.fail(path="/api/profile-bulk-import-jobs", status=429, headers={"Retry-After": "60"})
    began = time.monotonic()
    hasty = Hasty(kind="profile-bulk-import", job_ids=ids, interval=0.02, deadline=time.time() + 0.2)

    async def first() -> TriggerEvent:
        return await anext(hasty.run())

    with pytest.raises(TimeoutError, match="1 of 1 jobs"):
        settled(asyncio.run(first()).payload)
    assert time.monotonic() - began < 5


def test_airflow_is_more_patient_than_the_trigger() -> None:
    late = trigger(["J"], deadline=time.time() + 100, interval=600)
    assert late.patience is not None
    assert late.patience > 100 + late.last_look + 30
    assert trigger(["J"], deadline=time.time() - 100).patience > late.last_look + 30  # type: ignore[operator]
    assert trigger(["J"]).patience is None


def test_the_time_is_kept(sandbox: SandboxServer) -> None:
    sandbox.klaviyo.behaviour.job_seconds = 600
    ids = start(1)
    with pytest.raises(TimeoutError, match="1 of 1 jobs"):
        settled(fired(trigger(ids, deadline=time.time() + 0.1)))

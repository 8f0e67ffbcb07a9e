# SPDX-License-Identifier: Apache-2.0
"""Klaviyo's official SDK, unchanged, against the local Klaviyo: its strict models parse every answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from klaviyo_api import KlaviyoAPI

from tests.sandbox.klaviyo_client import bulk_body, client, entry, import_body, wait

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_klaviyo.sandbox.server import SandboxServer


@pytest.fixture
def sdk(sandbox: SandboxServer) -> KlaviyoAPI:
    return KlaviyoAPI("pk_sandbox", test_host=sandbox.url, max_delay=1, max_retries=1)


@pytest.fixture
def loaded(sandbox: SandboxServer) -> Iterator[dict[str, Any]]:
    """Load 250 people into a list, one of them in vain, and three events."""
    with client(sandbox) as http:
        vip = http.post("/api/lists", json={"data": {"type": "list", "attributes": {"name": "VIP"}}}).json()["data"]["id"]
        sandbox.klaviyo.next_job(fail=[3])
        people = [{"email": f"p{n}@example.com", "first_name": f"N{n}", "properties": {"plan": "gold"}} for n in range(250)]
        job = wait(http, http.post("/api/profile-bulk-import-jobs", json=import_body(people, lists=[vip])).json()["data"]["id"])
        events = [
            {
                "metric": "Placed Order",
                "unique_id": f"o{n}",
                "time": f"2026-11-0{n + 1}T10:00:00+00:00",
                "value": 9.5,
                "value_currency": "USD",
            }
            for n in range(3)
        ]
        assert http.post("/api/event-bulk-create-jobs", json=bulk_body([entry({"email": "p0@example.com"}, *events)])).status_code == 202
        yield {"list": vip, "job": job}


def pages(call: Any, **arguments: Any) -> Iterator[Any]:
    """Follow the SDK's own way through pages."""
    cursor = None
    while True:
        page = call(**arguments, page_cursor=cursor) if cursor else call(**arguments)
        yield from page.data
        cursor = page.links.next
        if not cursor:
            return


def test_reads_back_profiles(sdk: KlaviyoAPI, loaded: dict[str, Any]) -> None:
    everyone = list(pages(sdk.Profiles.get_profiles, page_size=100))
    assert {each.attributes.email for each in everyone} == {f"p{n}@example.com" for n in range(250) if n != 3}
    one = sdk.Profiles.get_profile(everyone[0].id, include=["lists"])
    assert one.data.attributes.properties == {"plan": "gold"}
    assert [each["attributes"]["name"] for each in one.included] == ["VIP"]
    found = sdk.Profiles.get_profiles(filter='equals(email,"P7@example.com")')
    assert [each.attributes.first_name for each in found.data] == ["N7"]


def test_reads_back_the_list(sdk: KlaviyoAPI, loaded: dict[str, Any]) -> None:
    lists = list(pages(sdk.Lists.get_lists))
    assert [each.attributes.name for each in lists] == ["VIP"]
    assert sdk.Lists.get_list(loaded["list"]).data.attributes.opt_in_process == "single_opt_in"
    members = list(pages(sdk.Lists.get_profiles_for_list, id=loaded["list"], page_size=100))
    assert len(members) == 249
    assert all(each.attributes.joined_group_at for each in members)
    ids = list(pages(sdk.Lists.get_profile_ids_for_list, id=loaded["list"], page_size=50))
    assert {each.id for each in ids} == {each.id for each in members}


def test_reads_back_events_and_metrics(sdk: KlaviyoAPI, loaded: dict[str, Any]) -> None:
    metric = sdk.Metrics.get_metrics().data[0]
    assert metric.attributes.name == "Placed Order"
    assert sdk.Metrics.get_metric(metric.id).data.id == metric.id
    events = list(
        pages(sdk.Events.get_events, filter=f'equals(metric_id,"{metric.id}")', page_size=2, sort="datetime", include=["metric", "profile"])
    )
    assert [each.attributes.event_properties["$event_id"] for each in events] == ["o0", "o1", "o2"]
    assert sum(each.attributes.event_properties["$value"] for each in events) == 28.5
    one = sdk.Events.get_event(events[0].id, include=["metric", "profile"])
    assert one.data.attributes.timestamp == 1793527200
    assert sdk.Events.get_metric_for_event(events[0].id).data.attributes.name == "Placed Order"
    assert sdk.Events.get_metric_id_for_event(events[0].id).data.id == metric.id
    assert sdk.Events.get_profile_for_event(events[0].id).data.attributes.email == "p0@example.com"
    assert sdk.Events.get_profile_id_for_event(events[0].id).data.type == "profile"


def test_reads_back_the_import_job_and_its_errors(sdk: KlaviyoAPI, loaded: dict[str, Any]) -> None:
    job = sdk.Profiles.get_bulk_import_profiles_job(loaded["job"]["id"], include=["lists"])
    assert (job.data.attributes.status, job.data.attributes.completed_count, job.data.attributes.failed_count) == ("complete", 249, 1)
    assert [each.attributes.name for each in job.included] == ["VIP"]
    assert [each.id for each in sdk.Profiles.get_bulk_import_profiles_jobs(sort="-created_at").data] == [job.data.id]
    (error,) = sdk.Profiles.get_errors_for_bulk_import_profiles_job(job.data.id).data
    assert error.attributes.source.pointer == "/data/attributes/profiles/data/3"
    assert error.attributes.original_payload["attributes"]["email"] == "p3@example.com"
    people = list(pages(sdk.Profiles.get_profiles_for_bulk_import_profiles_job, id=job.data.id, page_size=100))
    ids = list(pages(sdk.Profiles.get_profile_ids_for_bulk_import_profiles_job, id=job.data.id, page_size=100))
    assert len(people) == 249
    assert [each.id for each in ids] == [each.id for each in people]
    assert [each.attributes.name for each in sdk.Profiles.get_list_for_bulk_import_profiles_job(job.data.id).data] == ["VIP"]
    assert [each.id for each in sdk.Profiles.get_list_ids_for_bulk_import_profiles_job(job.data.id).data] == [loaded["list"]]


def test_writes(sdk: KlaviyoAPI) -> None:
    made = sdk.Profiles.create_profile(
        {"data": {"type": "profile", "attributes": {"email": "a@example.com", "location": {"city": "Bath"}}}}
    )
    assert made.data.attributes.location.city == "Bath"
    again = sdk.Profiles.create_or_update_profile({"data": {"type": "profile", "attributes": {"email": "A@example.com", "title": "Dr"}}})
    assert again.data.id == made.data.id
    changed = sdk.Profiles.update_profile(
        made.data.id, {"data": {"type": "profile", "id": made.data.id, "attributes": {"first_name": "Ann"}}}
    )
    assert (changed.data.attributes.first_name, changed.data.attributes.title) == ("Ann", "Dr")
    vip = sdk.Lists.create_list({"data": {"type": "list", "attributes": {"name": "VIP", "opt_in_process": "double_opt_in"}}})
    sdk.Lists.add_profiles_to_list(vip.data.id, {"data": [{"type": "profile", "id": made.data.id}]})
    assert len(sdk.Lists.get_profiles_for_list(vip.data.id).data) == 1
    sdk.Lists.remove_profiles_from_list(vip.data.id, {"data": [{"type": "profile", "id": made.data.id}]})
    assert sdk.Lists.get_profiles_for_list(vip.data.id).data == []
    renamed = sdk.Lists.update_list(vip.data.id, {"data": {"type": "list", "id": vip.data.id, "attributes": {"name": "Gold"}}})
    assert renamed.data.attributes.name == "Gold"
    sdk.Lists.delete_list(vip.data.id)
    assert sdk.Lists.get_lists().data == []
    event = {
        "properties": {"sku": "A"},
        "metric": {"data": {"type": "metric", "attributes": {"name": "Viewed"}}},
        "profile": {"data": {"type": "profile", "attributes": {"email": "a@example.com"}}},
        "unique_id": "1",
    }
    for _ in range(2):
        sdk.Events.create_event({"data": {"type": "event", "attributes": event}})
    assert len(sdk.Events.get_events().data) == 1
    job = sdk.Profiles.bulk_import_profiles(import_body([{"email": "b@example.com"}]))
    assert job.data.attributes.status == "queued"


def test_changes_consent_and_forgets_people(sdk: KlaviyoAPI, sandbox: SandboxServer) -> None:
    sandbox.klaviyo.behaviour.job_seconds = 0
    vip = sdk.Lists.create_list({"data": {"type": "list", "attributes": {"name": "VIP", "opt_in_process": "single_opt_in"}}}).data.id
    for word, call in (("SUBSCRIBED", sdk.Profiles.bulk_subscribe_profiles), ("UNSUBSCRIBED", sdk.Profiles.bulk_unsubscribe_profiles)):
        verb = "create" if word == "SUBSCRIBED" else "delete"
        row = {"email": "a@example.com", "subscriptions": {"email": {"marketing": {"consent": word}}}}
        data = {
            "type": f"profile-subscription-bulk-{verb}-job",
            "attributes": {"profiles": {"data": [{"type": "profile", "attributes": row}]}},
        }
        call({"data": {**data, "relationships": {"list": {"data": {"type": "list", "id": vip}}}}})
    rows = [{"type": "profile", "attributes": {"email": "b@example.com"}}]
    started = sdk.Profiles.bulk_suppress_profiles(
        {"data": {"type": "profile-suppression-bulk-create-job", "attributes": {"profiles": {"data": rows}}}}
    )
    assert (started.data.attributes.status, started.data.attributes.total_count) == ("processing", 0)
    assert sdk.Profiles.get_bulk_suppress_profiles_job(started.data.id).data.attributes.completed_count == 1
    assert [each.id for each in sdk.Profiles.get_bulk_suppress_profiles_jobs().data] == [started.data.id]
    first, second = (each.id for each in sdk.Profiles.get_profiles(sort="email").data)
    sdk.Profiles.merge_profiles(
        {
            "data": {
                "type": "profile-merge",
                "id": first,
                "relationships": {"profiles": {"data": [{"type": "profile", "id": second}]}},
            }
        }
    )
    assert [each.id for each in sdk.Profiles.get_profiles().data] == [first]
    deletion = {"profile": {"data": {"type": "profile", "attributes": {"email": "a@example.com"}}}}
    sdk.Data_Privacy.request_profile_deletion({"data": {"type": "data-privacy-deletion-job", "attributes": deletion}})
    assert sdk.Profiles.get_profiles().data == []


def test_reads_the_account(sdk: KlaviyoAPI) -> None:
    account = sdk.Accounts.get_accounts().data[0]
    assert sdk.Accounts.get_account(account.id).data.attributes.timezone == "Europe/London"


def test_gets_errors_it_understands(sdk: KlaviyoAPI, sandbox: SandboxServer) -> None:
    from openapi_client.exceptions import BadRequestException, NotFoundException

    with pytest.raises(NotFoundException, match="does not exist"):
        sdk.Lists.get_list("NOPE01")
    with pytest.raises(BadRequestException) as caught:
        sdk.Profiles.create_profile({"data": {"type": "profile", "attributes": {"email": "no address"}}})
    assert json.loads(caught.value.body or "")["errors"][0]["source"]["pointer"] == "/data/attributes/email"

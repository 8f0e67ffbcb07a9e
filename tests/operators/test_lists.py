# SPDX-License-Identifier: Apache-2.0
"""Operators for lists, against the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_klaviyo.api import lists, profiles
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.operators.lists import (
    KlaviyoAddProfilesToListOperator,
    KlaviyoCreateListOperator,
    KlaviyoDeleteListOperator,
    KlaviyoGetListOperator,
    KlaviyoListListProfilesOperator,
    KlaviyoListListsOperator,
    KlaviyoRemoveProfilesFromListOperator,
    KlaviyoSyncListProfilesOperator,
    KlaviyoUpdateListOperator,
)

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

    Run = Callable[..., Any]

POST = "POST /api/lists"


def make(*names: str) -> list[str]:
    """Make lists and return their ids."""
    with KlaviyoHook().session() as klaviyo:
        return [klaviyo.send(lists.create(name=name))["data"]["id"] for name in names]


def test_a_list_is_made(sandbox: SandboxServer, run: Run) -> None:
    made = run(KlaviyoCreateListOperator, name="VIP {{ 1 + 1 }}", opt_in_process="single_opt_in")
    assert made.returned["attributes"]["name"] == "VIP 2"
    assert made.returned["attributes"]["opt_in_process"] == "single_opt_in"
    assert sandbox.klaviyo.requests[POST] == 1


def test_if_exists_create_makes_another_as_klaviyo_does(sandbox: SandboxServer, run: Run) -> None:
    (first,) = make("VIP")
    made = run(KlaviyoCreateListOperator, name="VIP")
    assert made.returned["id"] != first
    assert sandbox.klaviyo.counts()["lists"] == 2


def test_if_exists_use_returns_the_list_of_exactly_that_name(sandbox: SandboxServer, run: Run) -> None:
    first, *_ = make("VIP", "vip", "VIP 2")
    assert run(KlaviyoCreateListOperator, name="VIP", if_exists="use").returned["id"] == first
    made = run(KlaviyoCreateListOperator, name="Gold", if_exists="use")
    assert made.returned["attributes"]["name"] == "Gold"
    assert sandbox.klaviyo.counts()["lists"] == 4


def test_if_exists_use_refuses_to_choose(sandbox: SandboxServer, run: Run) -> None:
    ids = make("VIP", "VIP")
    refused = run(KlaviyoCreateListOperator, name="VIP", if_exists="use", retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert all(each in refused.said for each in ids)
    assert sandbox.klaviyo.requests[POST] == 2


def test_a_list_whose_making_was_not_answered_is_found_again(sandbox: SandboxServer, run: Run) -> None:
    (first,) = make("VIP")
    sandbox.fail(method="POST", path="/api/lists", drop="after")
    made = run(KlaviyoCreateListOperator, name="VIP", retries=1)
    assert (made.state, made.tries) == ("success", 2)
    assert sandbox.klaviyo.counts()["lists"] == 2, "the one that was there, and the one that was made once"
    assert sandbox.klaviyo.requests[POST] == 2
    assert {made.returned["id"], first} == {each["id"] for each in all_lists()}


def test_a_list_whose_making_did_not_arrive_is_made(sandbox: SandboxServer, run: Run) -> None:
    sandbox.fail(method="POST", path="/api/lists", drop="before")
    made = run(KlaviyoCreateListOperator, name="VIP", retries=1)
    assert (made.state, made.tries) == ("success", 2)
    assert sandbox.klaviyo.counts()["lists"] == 1


def test_a_refused_list_is_not_tried_again(sandbox: SandboxServer, run: Run) -> None:
    sandbox.klaviyo.behaviour.keys = {"pk_sandbox": frozenset({"lists:read"})}
    refused = run(KlaviyoCreateListOperator, name="VIP", retries=3)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert "lists:write" in refused.said


def test_a_list_is_read_by_id_and_by_name(sandbox: SandboxServer, run: Run) -> None:
    first, *_ = make("VIP", "vip")
    by_id = run(KlaviyoGetListOperator, list_id=first, additional_fields={"list": ["profile_count"]})
    assert by_id.returned["attributes"]["profile_count"] == 0
    assert run(KlaviyoGetListOperator, lookup={"name": "VIP"}).returned["id"] == first
    assert run(KlaviyoGetListOperator, lookup={"name": "Gold"}, must_exist=False).returned is None
    missing = run(KlaviyoGetListOperator, lookup={"name": "Gold"}, retries=2)
    assert (missing.state, missing.tries) == ("failed", 1)
    assert run(KlaviyoGetListOperator, list_id="nosuch", retries=2).tries == 1
    assert run(KlaviyoGetListOperator).state == "failed"


def test_a_list_that_is_looked_up_has_all_that_is_asked_for(sandbox: SandboxServer, run: Run) -> None:
    (list_id,) = make("VIP")
    asked = {"additional_fields": {"list": ["profile_count"]}, "include": "tags", "fields": {"list": ["name", "profile_count"]}}
    by_name = run(KlaviyoGetListOperator, lookup={"name": "VIP"}, **asked).returned
    assert by_name == run(KlaviyoGetListOperator, list_id=list_id, **asked).returned
    assert by_name["attributes"] == {"name": "VIP", "profile_count": 0}
    assert by_name["included"] == []
    before = sum(sandbox.klaviyo.requests.values())
    assert run(KlaviyoGetListOperator, lookup={"name": "VIP"}, include="profiles", retries=2).tries == 1
    assert sum(sandbox.klaviyo.requests.values()) == before


def test_lists_are_read_across_pages_and_never_cut_in_silence(sandbox: SandboxServer, run: Run) -> None:
    make(*(f"L{number:02}" for number in range(23)))
    read = run(KlaviyoListListsOperator, sort="name")
    assert [each["attributes"]["name"] for each in read.returned] == [f"L{number:02}" for number in range(23)]
    cut = run(KlaviyoListListsOperator, max_items=20, retries=2)
    assert (cut.state, cut.tries) == ("failed", 1)
    assert "more than max_items=20 items" in cut.said
    assert run(KlaviyoListListsOperator, max_items=23).state == "success"
    first = run(KlaviyoListListsOperator, max_items=5, truncate="{{ True }}")
    assert len(first.returned) == 5
    assert "more than max_items=5" in first.said


def test_members_are_added_in_portions(sandbox: SandboxServer, run: Run) -> None:
    (list_id,) = make("VIP")
    with KlaviyoHook().session() as klaviyo:
        ids = [klaviyo.send(profiles.upsert(profile={"external_id": str(number)}))["data"]["id"] for number in range(3)]
    assert run(KlaviyoAddProfilesToListOperator, list_id=list_id, profile_ids=str(ids)).returned == 3
    many = ids * 400
    assert run(KlaviyoAddProfilesToListOperator, list_id=list_id, profile_ids=many).returned == 1200
    sent = [len(each.body["data"]) for each in sandbox.klaviyo.received if each.path.endswith("/relationships/profiles")]
    assert sent == [3, 1000, 200]
    counted = run(KlaviyoGetListOperator, list_id=list_id, additional_fields={"list": "profile_count"})
    assert counted.returned["attributes"]["profile_count"] == 3


def people(count: int) -> list[str]:
    """Make profiles and return their ids."""
    with KlaviyoHook().session() as klaviyo:
        return [klaviyo.send(profiles.upsert(profile={"external_id": str(number)}))["data"]["id"] for number in range(count)]


def members(list_id: str) -> set[str]:
    """Return the ids of a list's members."""
    with KlaviyoHook().session() as klaviyo:
        return {each["id"] for each in klaviyo.walk(lists.profile_ids(list_id=list_id))}


def fill(list_id: str, ids: list[str]) -> None:
    """Put profiles in a list."""
    with KlaviyoHook().session() as klaviyo:
        klaviyo.send(lists.add_profiles(list_id=list_id, profile_ids=ids))


def test_a_list_is_changed_and_nothing_to_change_is_refused(sandbox: SandboxServer, run: Run) -> None:
    (list_id,) = make("VIP")
    changed = run(KlaviyoUpdateListOperator, list_id=list_id, opt_in_process="double_opt_in")
    assert changed.returned["attributes"]["opt_in_process"] == "double_opt_in"
    assert changed.returned["attributes"]["name"] == "VIP"
    refused = run(KlaviyoUpdateListOperator, list_id=list_id, retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)


def test_a_list_is_deleted_once_and_for_all(sandbox: SandboxServer, run: Run) -> None:
    (list_id,) = make("VIP")
    assert run(KlaviyoDeleteListOperator, list_id=list_id, must_exist=True).state == "success"
    assert run(KlaviyoDeleteListOperator, list_id=list_id).state == "success"
    assert run(KlaviyoDeleteListOperator, list_id=list_id, must_exist=True).state == "failed"
    assert all_lists() == []


def test_members_are_listed_as_ids_unless_profiles_are_asked_for(sandbox: SandboxServer, run: Run) -> None:
    (list_id,) = make("VIP")
    ids = people(3)
    fill(list_id, ids)
    assert sorted(run(KlaviyoListListProfilesOperator, list_id=list_id).returned) == sorted(ids)
    whole = run(KlaviyoListListProfilesOperator, list_id=list_id, return_objects=True, fields={"profile": "external_id"})
    assert {each["attributes"]["external_id"] for each in whole.returned} == {"0", "1", "2"}


def test_members_are_removed_whether_they_are_members_or_not(sandbox: SandboxServer, run: Run) -> None:
    (list_id,) = make("VIP")
    ids = people(3)
    fill(list_id, ids[:2])
    assert run(KlaviyoRemoveProfilesFromListOperator, list_id=list_id, profile_ids=ids[1:]).returned == 2
    assert members(list_id) == {ids[0]}


def test_members_are_made_exactly_the_given_ones(sandbox: SandboxServer, run: Run) -> None:
    (list_id,) = make("VIP")
    ids = people(6)
    fill(list_id, ids[:4])
    seen = run(KlaviyoSyncListProfilesOperator, list_id=list_id, profile_ids=ids[1:] + ids[1:2], preview=True)
    assert seen.returned == {"added": 2, "removed": 1, "unchanged": 3}
    assert members(list_id) == set(ids[:4]), "a preview changes nothing"
    assert run(KlaviyoSyncListProfilesOperator, list_id=list_id, profile_ids=ids[1:]).returned == seen.returned
    assert members(list_id) == set(ids[1:])
    again = run(KlaviyoSyncListProfilesOperator, list_id=list_id, profile_ids=ids[1:])
    assert again.returned == {"added": 0, "removed": 0, "unchanged": 5}


def test_what_an_earlier_try_has_changed_is_counted(sandbox: SandboxServer, run: Run) -> None:
    (list_id,) = make("VIP")
    ids = people(5)
    fill(list_id, ids[:3])
    sandbox.fail(method="DELETE", path="/relationships/profiles", status=409)
    synced = run(KlaviyoSyncListProfilesOperator, list_id=list_id, profile_ids=ids[1:], retries=1, retry_policy=None)
    assert (synced.state, synced.tries) == ("success", 2)
    assert synced.returned == {"added": 2, "removed": 1, "unchanged": 2}
    assert members(list_id) == set(ids[1:])


def test_a_list_is_neither_emptied_nor_halved_by_mistake(sandbox: SandboxServer, run: Run) -> None:
    (list_id,) = make("VIP")
    ids = people(4)
    fill(list_id, ids)
    emptied = run(KlaviyoSyncListProfilesOperator, list_id=list_id, profile_ids=[], retries=2)
    assert (emptied.state, emptied.tries) == ("failed", 1)
    cut = run(KlaviyoSyncListProfilesOperator, list_id=list_id, profile_ids=ids[:1], retries=2)
    assert (cut.state, cut.tries) == ("failed", 1)
    assert "max_change" in cut.said
    assert members(list_id) == set(ids)
    assert run(KlaviyoSyncListProfilesOperator, list_id=list_id, profile_ids=ids[:1], max_change=1).state == "success"
    assert members(list_id) == {ids[0]}


def all_lists() -> list[dict[str, Any]]:
    """Read all lists."""
    with KlaviyoHook().session() as klaviyo:
        return [*klaviyo.walk(lists.list_())]

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
    KlaviyoGetListOperator,
    KlaviyoListListsOperator,
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


def all_lists() -> list[dict[str, Any]]:
    """Read all lists."""
    with KlaviyoHook().session() as klaviyo:
        return [*klaviyo.walk(lists.list_())]

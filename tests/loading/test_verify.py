# SPDX-License-Identifier: Apache-2.0
"""Which rows Klaviyo shows afterwards: none that it does not hold, and none too few."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_klaviyo.api import bodies, events, lists, profiles
from airflow_provider_klaviyo.api.errors import KlaviyoApiError
from airflow_provider_klaviyo.loading import verify
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from tests.loading.kit import TIME, new_list, requests, session

Json = dict[str, Any]
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
LISTED = "GET /api/lists/{id}/profiles"


def people(*attributes: Json) -> list[Json]:
    return [bodies.profile_resource(each) for each in attributes]


def imported(sandbox: SandboxServer, rows: Sequence[Json], list_id: str | None = None) -> None:
    with session(sandbox) as klaviyo:
        klaviyo.send(profiles.bulk_import(profiles=rows, list_id=list_id))


def shown(sandbox: SandboxServer, rows: Sequence[Json], list_id: str | None = None) -> list[bool]:
    with session(sandbox) as klaviyo:
        return verify.profiles(klaviyo, rows, list_id)


SEVERAL = people(
    {"email": "Sarah@Example.com", "first_name": "Sarah"},
    {"phone_number": "+14155550123"},
    {"external_id": "Crm,1 \"ö\" 'x'"},
    {"email": "tom@example.com", "phone_number": "+14155550124", "external_id": "2"},
)


def test_who_is_there_is_shown_whatever_they_are_known_by(klaviyo: SandboxServer) -> None:
    imported(klaviyo, SEVERAL)
    strangers = people(
        {"email": "nobody@example.com"}, {"phone_number": "+14155550999"}, {"external_id": "crm,1 \"ö\" 'x'"}, {"_kx": "of a link"}
    )
    assert shown(klaviyo, [*strangers, *SEVERAL]) == [False] * 4 + [True] * 4


def test_who_was_named_by_klaviyos_id_is_shown(klaviyo: SandboxServer) -> None:
    imported(klaviyo, SEVERAL[:1])
    with session(klaviyo) as api:
        (found,) = api.walk(profiles.list_())
    assert shown(klaviyo, people({"id": found["id"], "first_name": "S"}, {"id": "01J0000000000000000000000X"})) == [True, False]


def test_with_a_list_they_have_to_be_in_it(klaviyo: SandboxServer) -> None:
    vip, other = new_list(klaviyo), new_list(klaviyo)
    imported(klaviyo, SEVERAL, vip)
    imported(klaviyo, people({"email": "elsewhere@example.com"}, {"external_id": "elsewhere"}), other)
    elsewhere = people({"email": "elsewhere@example.com"}, {"external_id": "elsewhere"}, {"email": "nobody@example.com"})
    assert shown(klaviyo, [*SEVERAL, *elsewhere], vip) == [True] * 4 + [False] * 3
    klaviyo.klaviyo.meanwhile({"leave_list": [vip, "tom@example.com"]})
    assert shown(klaviyo, SEVERAL, vip) == [True, True, True, False]
    assert shown(klaviyo, SEVERAL) == [True] * 4


def test_a_list_finds_people_without_address_and_number_by_their_id(klaviyo: SandboxServer) -> None:
    vip = new_list(klaviyo)
    imported(klaviyo, people(*({"external_id": f"old{at}"} for at in range(250))), vip)
    imported(klaviyo, people({"external_id": "named", "email": "named@example.com"}, {"external_id": "new"}), vip)
    imported(klaviyo, people({"external_id": "not in it"}))
    rows = people({"external_id": "named"}, {"external_id": "new"}, {"external_id": "not in it"})
    assert shown(klaviyo, rows[:2], vip) == [True, True]
    assert requests(klaviyo, "GET /api/lists/{id}/relationships/profiles") == 1  # the new ones come first
    assert shown(klaviyo, rows, vip) == [True, True, False]


def test_people_are_asked_for_by_the_hundred_in_addresses_that_are_not_too_long(klaviyo: SandboxServer) -> None:
    rows = people(*({"email": f"{at:05d}{'x' * (at % 50)}@example.com"} for at in range(1, 551)))
    imported(klaviyo, rows[::2])
    assert shown(klaviyo, rows) == [at % 2 == 0 for at in range(550)]
    asked = [each for each in klaviyo.klaviyo.received if each.name == "GET /api/profiles"]
    assert 6 <= len(asked) <= 9
    assert all(len(each.query["filter"]) < 4_000 and each.query["page[size]"] == "100" for each in asked)
    assert {each.query["fields[profile]"] for each in asked} == {"email,phone_number,external_id"}


def test_a_list_that_is_gone_is_told(klaviyo: SandboxServer) -> None:
    imported(klaviyo, SEVERAL)
    with pytest.raises(KlaviyoApiError) as refused:
        shown(klaviyo, SEVERAL, "NoList")
    assert refused.value.status == 404


# ── events ──


def event(unique_id: str, email: str = "sarah@example.com", *, at: datetime | str = TIME, metric: str = "Placed Order", **who: Any) -> Json:
    row = {"metric": metric, "profile": who or {"email": email}, "time": at, "unique_id": unique_id, "value": 9.5, "properties": {"a": 1}}
    return bodies.event_entry(row)


def recorded(sandbox: SandboxServer, rows: Sequence[Json]) -> None:
    with session(sandbox) as klaviyo:
        for at in range(0, len(rows), 1000):
            klaviyo.send(events.bulk_create(events=rows[at : at + 1000]))


def seen(sandbox: SandboxServer, rows: Sequence[Json]) -> list[bool]:
    sandbox.klaviyo.requests.clear()
    with session(sandbox) as klaviyo:
        return verify.events(klaviyo, rows)


def read(sandbox: SandboxServer) -> int:
    return requests(sandbox, "GET /api/events")


def test_events_are_known_by_metric_unique_id_and_person(klaviyo: SandboxServer) -> None:
    rows = [event("1"), event("2", "Tom@example.com"), event("1", metric="Refunded Order")]
    recorded(klaviyo, rows)
    others = [event("1", "tom@example.com"), event("2", metric="Refunded Order"), event("3"), event("1", metric="Never Happened")]
    assert seen(klaviyo, [*rows, *others]) == [True] * 3 + [False] * 4
    assert read(klaviyo) == 2  # one for each metric there is


@pytest.mark.parametrize(
    "who",
    [
        {"phone_number": "+14155550123"},
        {"external_id": "c1"},
        {"anonymous_id": "a1", "external_id": "c1"},
        {"email": "S@example.com", "external_id": "c1"},
    ],
)
def test_events_are_found_by_whatever_their_person_is_known_by(klaviyo: SandboxServer, who: Json) -> None:
    recorded(klaviyo, [event("1", **who), event("2", "other@example.com")])
    assert seen(klaviyo, [event("1", **who), event("2", **who)]) == [True, False]


def test_events_of_a_person_named_by_klaviyos_id_are_found(klaviyo: SandboxServer) -> None:
    imported(klaviyo, SEVERAL[:1])
    with session(klaviyo) as api:
        (found,) = api.walk(profiles.list_())
    recorded(klaviyo, [event("1", id=found["id"])])
    assert seen(klaviyo, [event("1", id=found["id"]), event("1", id="01J0000000000000000000000X")]) == [True, False]


def test_of_a_person_of_whom_klaviyo_tells_nothing_the_event_itself_is_enough(klaviyo: SandboxServer) -> None:
    recorded(klaviyo, [event("1", anonymous_id="a1")])
    assert seen(klaviyo, [event("1", anonymous_id="a1"), event("2", anonymous_id="a1")]) == [True, False]


@pytest.mark.parametrize("text", ["2026-11-01T23:59:59.999999+14:00", "2026-11-01T00:00:00-12:00", "1999-12-31T23:59:59Z"])
def test_times_of_any_zone_and_precision_are_found(klaviyo: SandboxServer, text: str) -> None:
    recorded(klaviyo, [event("1", at=text)])
    assert seen(klaviyo, [event("1", at=text)]) == [True]


def test_a_metric_of_the_same_name_from_another_integration_is_not_ours(klaviyo: SandboxServer) -> None:
    recorded(klaviyo, [event("1")])
    with klaviyo.klaviyo.lock:
        klaviyo.klaviyo.db.execute("UPDATE metrics SET service = 'shopify'")
    assert seen(klaviyo, [event("1")]) == [False]
    recorded(klaviyo, [event("1")])  # makes the metric of requests
    assert seen(klaviyo, [event("1")]) == [True]


def test_events_that_lie_close_together_are_read_at_once_and_others_apart(klaviyo: SandboxServer) -> None:
    close = [event(f"c{at}", at=NOON + timedelta(minutes=at)) for at in range(100)]
    apart = [event(f"a{at}", at=NOON - timedelta(days=at + 1)) for at in range(5)]
    between = [event(f"b{at}", at=NOON - timedelta(hours=1, seconds=at)) for at in range(2_000)]
    recorded(klaviyo, [*close, *apart, *between])
    assert seen(klaviyo, [*apart, *close]) == [True] * 105
    assert read(klaviyo) == 6
    asked = [each for each in klaviyo.klaviyo.received if each.name == "GET /api/events"][-6:]
    assert {each.query["page[size]"] for each in asked} == {"1000"}
    assert sum(len(each.answer["data"]) for each in asked) == 105


def test_what_lies_between_two_that_are_looked_for_is_passed_over(klaviyo: SandboxServer) -> None:
    """However many events an account has, a row costs one request at most."""
    start, end = event("start", at=NOON), event("end", at=NOON + timedelta(minutes=4))
    crowd = [event(f"x{at}", "x@example.com", at=NOON + timedelta(seconds=1 + at % 230)) for at in range(6_000)]
    recorded(klaviyo, [start, end, *crowd])
    assert seen(klaviyo, [end, start]) == [True, True]
    assert read(klaviyo) == 2


@pytest.mark.parametrize("before", [0, 1])
def test_a_second_with_more_events_than_a_page_is_read_to_its_end(klaviyo: SandboxServer, before: int) -> None:
    at = NOON + timedelta(seconds=before)
    crowd = [event(f"x{number}", "x@example.com", at=NOON) for number in range(2_500)]
    mine = [event(f"m{number}", f"p{number}@example.com", at=at) for number in range(300)]
    recorded(klaviyo, [*crowd, *mine])
    assert seen(klaviyo, [*mine, event("absent", at=at)]) == [True] * 300 + [False]
    assert read(klaviyo) == 3
    assert seen(klaviyo, [*mine, event("absent", at=at), crowd[7]]) == [True] * 300 + [False, True]


def test_smaller_pages_are_taken_where_klaviyo_gives_no_large_ones(klaviyo: SandboxServer) -> None:
    rows = [event(f"{at}", f"p{at}@example.com") for at in range(450)]
    recorded(klaviyo, rows)
    fault = klaviyo.fail("/api/events$", method="GET", status=400)
    assert seen(klaviyo, rows) == [True] * 450
    assert fault.hits == 1
    sizes = [each.query.get("page[size]") for each in klaviyo.klaviyo.received if each.name == "GET /api/events"]
    assert sizes[0] is None
    assert read(klaviyo) == 4


def test_another_refusal_is_told(klaviyo: SandboxServer) -> None:
    recorded(klaviyo, [event("1")])
    klaviyo.fail("/api/events$", method="GET", status=400, times=2)
    with pytest.raises(KlaviyoApiError):
        seen(klaviyo, [event("1")])


def test_an_event_without_an_id_of_its_own_is_none(klaviyo: SandboxServer) -> None:
    """Klaviyo shows ``$event_id`` of all; should one lack it, it is passed over."""
    recorded(klaviyo, [event("1"), event("2", at=NOON)])
    with klaviyo.klaviyo.lock:
        database: sqlite3.Connection = klaviyo.klaviyo.db
        database.execute("""UPDATE events SET properties = '{"a": 1}' WHERE unique_id = '1'""")
    assert seen(klaviyo, [event("1"), event("2", at=NOON)]) == [False, True]


def test_nothing_to_look_for_asks_nothing_of_people_and_lists(klaviyo: SandboxServer) -> None:
    vip = new_list(klaviyo)
    assert shown(klaviyo, []) == shown(klaviyo, [], vip) == seen(klaviyo, []) == []
    assert (requests(klaviyo, LISTED), read(klaviyo)) == (0, 0)


def test_somebody_whose_number_has_changed_since_is_found_in_the_list_by_the_new_one(klaviyo: SandboxServer) -> None:
    vip = new_list(klaviyo)
    imported(klaviyo, people({"external_id": "1", "phone_number": "+14155550123"}), vip)
    with session(klaviyo) as api:
        (found,) = api.walk(lists.profiles(list_id=vip))
        api.send(profiles.update(profile_id=found["id"], profile={"phone_number": "+14155550199"}))
    assert shown(klaviyo, people({"external_id": "1"}), vip) == [True]

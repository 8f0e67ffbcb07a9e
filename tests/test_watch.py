# SPDX-License-Identifier: Apache-2.0
"""Many jobs are followed with few requests, and none is forgotten."""

from __future__ import annotations

from collections import Counter
from typing import TypeVar

import pytest

from airflow_provider_klaviyo.api.errors import KlaviyoError
from airflow_provider_klaviyo.api.jobs import Kind
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.watch import Watch

T = TypeVar("T")
KIND: Kind = "profile-bulk-import"


class Account:
    """Jobs as Klaviyo shows them: a list of the newest first, a hundred on a page, and each by its id."""

    def __init__(self) -> None:
        self.status: dict[str, str] = {}
        self.asked: Counter[str] = Counter()

    def answer(self, path: str, cursor: int = 0) -> Json:
        """Answer a request by its path and the place where its page begins."""
        self.asked[path.removeprefix(f"/api/{KIND}-jobs").split("/", 1)[0] or ("one" if path.count("/") > 2 else "list")] += 1
        if path == f"/api/{KIND}-jobs":
            following = f"https://klaviyo{path}?page[cursor]={cursor + 100}" if cursor + 100 < len(self.status) else None
            shown = list(reversed(self.status))[cursor : cursor + 100]
            return {"data": [self._resource(each) for each in shown], "links": {"next": following}}
        return {"data": self._resource(path.rsplit("/", 1)[1])}

    def _resource(self, job_id: str) -> Json:
        return {"type": f"{KIND}-job", "id": job_id, "attributes": {"status": self.status[job_id], "total_count": 1}}


def turn(watch: Watch, account: Account) -> list[str]:
    """Ask for one interval, and return the paths that were asked for."""
    paths = []
    for request in watch.round():
        paths.append(request.path)
        watch.learn(_read(request, account))
    return paths


def follow(watch: Watch, page: Json) -> None:
    """Answer all requests of an interval with the same page."""
    for request in watch.round():
        watch.learn(request.read(page))


def _read(request: Request[T], account: Account) -> T:
    return request.read(account.answer(request.path, int(request.params.get("page[cursor]", 0))))


@pytest.fixture
def account() -> Account:
    return Account()


def test_one_job_is_asked_for_by_its_id(account: Account) -> None:
    account.status = {"A": "processing"}
    watch = Watch(KIND, ["A"])
    assert turn(watch, account) == [f"/api/{KIND}-jobs/A"]
    assert watch.pending == ("A",)
    account.status["A"] = "complete"
    turn(watch, account)
    assert not watch.pending
    assert watch.jobs["A"].total == 1
    assert turn(watch, account) == []


def test_a_hundred_jobs_are_one_request_an_interval(account: Account) -> None:
    ids = [f"J{number}" for number in range(100)]
    account.status = dict.fromkeys(ids, "processing")
    watch = Watch(KIND, ids)
    assert turn(watch, account) == [f"/api/{KIND}-jobs"]
    account.status |= dict.fromkeys(ids[:40], "complete")
    turn(watch, account)
    assert set(watch.pending) == set(ids[40:])


def test_jobs_of_others_hide_none_of_ours(account: Account) -> None:
    ours = [f"J{number}" for number in range(23)]
    account.status = dict.fromkeys(ours, "complete") | {f"F{number}": "processing" for number in range(300)}
    watch = Watch(KIND, ours)
    rounds = []
    while watch.pending:
        rounds.append(turn(watch, account))
        assert len(rounds) < 10
    assert rounds == [[f"/api/{KIND}-jobs", *(f"/api/{KIND}-jobs/{each}" for each in ours)]], "they are done: one after the other"


def test_thousands_of_jobs_are_one_request_a_hundred(account: Account) -> None:
    ours = [f"J{number}" for number in range(2_300)]
    account.status = dict.fromkeys(ours, "complete") | dict.fromkeys(ours[::7], "processing")
    watch = Watch(KIND, ours)
    assert turn(watch, account) == [f"/api/{KIND}-jobs"] * 23
    assert sorted(watch.pending) == sorted(ours[::7])
    account.status = dict.fromkeys(ours, "complete")
    turn(watch, account)
    assert not watch.pending
    assert account.asked == {"list": 46}


def test_a_list_is_read_no_further_than_ours_may_be(account: Account) -> None:
    ours = [f"J{number}" for number in range(60)]
    account.status = {f"O{number}": "complete" for number in range(1_000)} | dict.fromkeys(ours, "processing")
    assert turn(Watch(KIND, ours), account) == [f"/api/{KIND}-jobs"]


def test_as_many_of_others_as_of_ours_do_not_hide_them(account: Account) -> None:
    ours = [f"J{number}" for number in range(500)]
    account.status = dict.fromkeys(ours, "complete") | {f"F{number}": "processing" for number in range(500)}
    watch = Watch(KIND, ours)
    assert turn(watch, account) == [f"/api/{KIND}-jobs"] * 10
    assert not watch.pending


def test_the_others_after_a_page_of_ours_that_is_known_to_be_done(account: Account) -> None:
    """They were met in the round before, and say that the list is not at its end with ours."""
    ours = [f"J{number}" for number in range(250)]
    account.status = dict.fromkeys(ours, "complete") | dict.fromkeys(ours[:9], "processing")
    watch = Watch(KIND, ours)
    turn(watch, account)
    assert set(watch.pending) == set(ours[:9])
    assert turn(watch, account) == [f"/api/{KIND}-jobs"] * 3


def test_a_list_that_goes_round_in_a_circle_is_an_error(account: Account) -> None:
    ours = [f"J{number}" for number in range(150)]
    account.status = dict.fromkeys(ours, "processing")
    watch = Watch(KIND, ours)
    page = account.answer(f"/api/{KIND}-jobs")
    with pytest.raises(KlaviyoError, match="read before"):
        follow(watch, page)


def test_hidden_jobs_that_run_take_turns(account: Account) -> None:
    ours = [f"J{number}" for number in range(12)]
    account.status = dict.fromkeys(ours, "processing") | {f"F{number}": "processing" for number in range(300)}
    watch = Watch(KIND, ours, asks=4)
    asked = [path.rsplit("/", 1)[1] for _ in range(3) for path in turn(watch, account) if path.count("/") == 3]
    assert sorted(asked) == sorted(ours), "each once in three rounds"


def test_a_strange_status_matters_only_on_our_own_job(account: Account) -> None:
    ours = [f"J{number}" for number in range(6)]
    account.status = dict.fromkeys(ours, "complete") | {"F": "paused"}
    watch = Watch(KIND, ours)
    turn(watch, account)
    assert watch.pending == ()
    account.status["J0"] = "paused"
    with pytest.raises(KlaviyoError, match="'paused'"):
        turn(Watch(KIND, ours), account)


def test_jobs_that_klaviyo_does_not_list_are_asked_for_one_by_one() -> None:
    watch = Watch("campaign-send", [str(number) for number in range(7)])
    assert next(iter(watch.round())).path == "/api/campaign-send-jobs/0"

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
    """Jobs as Klaviyo shows them: a page of the newest hundred, and each by its id."""

    def __init__(self) -> None:
        self.status: dict[str, str] = {}
        self.asked: Counter[str] = Counter()

    def answer(self, path: str) -> Json:
        """Answer a request by its path."""
        self.asked[path.removeprefix(f"/api/{KIND}-jobs").split("/", 1)[0] or ("one" if path.count("/") > 2 else "list")] += 1
        if path == f"/api/{KIND}-jobs":
            return {"data": [self._resource(each) for each in list(reversed(self.status))[:100]]}
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


def _read(request: Request[T], account: Account) -> T:
    return request.read(account.answer(request.path))


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
    assert max(map(len, rounds)) == 6, "the list and five by their id"
    assert [path for paths in rounds for path in paths if path.count("/") == 3] == [f"/api/{KIND}-jobs/{each}" for each in ours]


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

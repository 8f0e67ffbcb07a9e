# SPDX-License-Identifier: Apache-2.0
"""Requests about lists, compared as values."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_klaviyo.api import lists
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.request import Request


def test_create_leaves_out_what_was_not_given() -> None:
    assert lists.create(name="VIP") == Request("POST", "/api/lists", json={"data": {"type": "list", "attributes": {"name": "VIP"}}})


def test_create_is_not_repeated() -> None:
    assert not lists.create(name="VIP").repeatable


@pytest.mark.parametrize("arguments", [{"name": " "}, {"name": "VIP", "opt_in_process": "triple_opt_in"}])
def test_a_wrong_list_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(KlaviyoConfigError, match=r"needs a name|is one of double_opt_in, single_opt_in"):
        lists.create(**arguments)


def test_get() -> None:
    assert lists.get(list_id="L1", additional_fields={"list": "profile_count"}) == Request(
        "GET", "/api/lists/L1", params={"additional-fields[list]": "profile_count"}
    )


def test_list() -> None:
    assert lists.list_(sort="-created", page_size=10) == Request("GET", "/api/lists", params={"sort": "-created", "page[size]": 10})


def test_members() -> None:
    assert lists.profiles(list_id="a/b", fields={"profile": ["email"]}, page_size=100) == Request(
        "GET", "/api/lists/a%2Fb/profiles", params={"fields[profile]": "email", "page[size]": 100}
    )


def test_add_profiles() -> None:
    assert lists.add_profiles(list_id="L1", profile_ids=["01J", "01K"]) == Request(
        "POST",
        "/api/lists/L1/relationships/profiles",
        json={"data": [{"type": "profile", "id": "01J"}, {"type": "profile", "id": "01K"}]},
        replayable=True,
    )


@pytest.mark.parametrize(
    ("ids", "said"),
    [([], "1 to 1,000"), (["01J"] * 1001, "not 1,001: split them"), (["01J", ""], "none of them empty"), ("01J", "a list of ids")],
)
def test_wrong_ids_are_refused(ids: Any, said: str) -> None:
    with pytest.raises(KlaviyoConfigError, match=said):
        lists.add_profiles(list_id="L1", profile_ids=ids)

# SPDX-License-Identifier: Apache-2.0
"""Requests are values; ids cannot leave their place, links cannot leave the host."""

from __future__ import annotations

from urllib.parse import unquote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klaviyo.api import limits
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.request import Json, Request, at

ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: text.strip() not in {"", ".", ".."})


@given(ids)
def test_an_id_stays_one_segment_of_the_path_and_is_read_back_whole(identity: str) -> None:
    path = at("/api/lists/{}/profiles", identity)
    before, segment, after = path.rsplit("/", 2)
    assert (before, unquote(segment), after) == ("/api/lists", identity, "profiles")


@given(ids)
def test_whatever_the_id_the_operation_is_the_same(identity: str) -> None:
    operation = limits.find("GET", at("/api/lists/{}/profiles", identity))
    assert operation is not None
    assert operation.id == "get_profiles_for_list"


@pytest.mark.parametrize("identity", ["a/b", "../metrics", "a?b=c", "a#b", "$custom:::$default:::1", "ü 1", "%2F"])
def test_ids_with_meaning_in_paths_are_quoted(identity: str) -> None:
    assert at("/api/lists/{}", identity).count("/") == 3
    assert not set("?#").intersection(at("/api/lists/{}", identity))


@pytest.mark.parametrize("identity", ["", " ", ".", "..", " .. "])
def test_an_id_that_would_name_another_endpoint_is_refused(identity: str) -> None:
    with pytest.raises(KlaviyoConfigError, match="needs an id"):
        at("/api/lists/{}", identity)


@given(st.dictionaries(st.text("abc[]-_", min_size=1), st.text(st.characters(exclude_categories=["Cs"]))))
def test_the_next_page_is_asked_for_as_the_link_says(params: dict[str, str]) -> None:
    request: Request[Json] = Request("GET", "/api/profiles", params={"page[size]": 100})
    following = request.following({"links": {"next": f"https://a.klaviyo.com/api/profiles/?{urlencode(params)}"}})
    assert following == Request("GET", "/api/profiles/", params=params)


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/api/profiles?page%5Bcursor%5D=x",
        "//evil.example/api/profiles?page%5Bcursor%5D=x",
        "https://a.klaviyo.com@evil.example:8443/api/profiles?page%5Bcursor%5D=x",
        "http://a.klaviyo.com/api/profiles?page%5Bcursor%5D=x",
    ],
)
def test_only_path_and_query_of_a_link_are_followed(link: str) -> None:
    request: Request[Json] = Request("GET", "/api/profiles")
    assert request.following({"links": {"next": link}}) == Request("GET", "/api/profiles", params={"page[cursor]": "x"})


def test_a_link_may_be_an_object() -> None:
    request: Request[Json] = Request("GET", "/api/profiles")
    link = {"href": "https://a.klaviyo.com/api/profiles?page%5Bcursor%5D=x", "meta": {}}
    assert request.following({"links": {"next": link}}) == Request("GET", "/api/profiles", params={"page[cursor]": "x"})


@pytest.mark.parametrize(
    "page", [{}, {"links": {"next": {}}}, {"links": None}, {"links": {}}, {"links": {"next": None}}, {"links": {"next": ""}}]
)
def test_after_the_last_page_there_is_none(page: dict[str, object]) -> None:
    assert Request("GET", "/api/profiles").following(page) is None


def test_reads_and_deletes_may_be_repeated_and_nothing_else_unless_said() -> None:
    assert [Request(method, "/").repeatable for method in ("GET", "DELETE", "POST", "PATCH")] == [True, True, False, False]
    assert Request("POST", "/", replayable=True).repeatable
    assert not Request("GET", "/", replayable=False).repeatable


@pytest.mark.parametrize("path", ["/api/profiles", "/api/profiles?filter=equals(email,'jane@shop.example')", "/api/profiles#jane"])
def test_a_name_shows_no_query(path: str) -> None:
    assert Request("GET", path).name == "GET /api/profiles"


def test_a_compressed_body_is_not_shown() -> None:
    assert "sarah" not in repr(Request("POST", "/", body=b"sarah@example.com"))

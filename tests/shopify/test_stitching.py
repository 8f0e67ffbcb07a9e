# SPDX-License-Identifier: Apache-2.0
"""A bulk result's lines become objects again, and nothing is lost on the way."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klaviyo.shopify.errors import ShopifyDataError
from airflow_provider_klaviyo.shopify.stitching import stitch

LINES = {"LineItem": "lineItems"}


def order(number: int, **fields: Any) -> str:
    return json.dumps({"id": f"gid://shopify/Order/{number}", **fields})


def line(number: int, parent: int, **fields: Any) -> str:
    return json.dumps({"id": f"gid://shopify/LineItem/{number}", "__parentId": f"gid://shopify/Order/{parent}", **fields})


def ids(node: dict[str, Any]) -> list[int]:
    return [int(each["id"].rpartition("/")[2]) for each in node.get("lineItems", [])]


def test_children_are_gathered_though_others_stand_between() -> None:
    first, second = stitch([order(1), order(2), line(20, 2), line(11, 1), "", line(21, 2), line(10, 1)], children=LINES)
    assert (first["id"], ids(first)) == ("gid://shopify/Order/1", [11, 10])
    assert (second["id"], ids(second)) == ("gid://shopify/Order/2", [20, 21])
    assert "__parentId" not in first["lineItems"][0]


def test_an_order_without_lines_is_still_an_order() -> None:
    assert [ids(each) for each in stitch([order(1), order(2), line(20, 2)], children=LINES)] == [[], [20]]


def test_an_empty_result_has_no_objects() -> None:
    assert list(stitch([], children=LINES)) == []


@given(st.data())
def test_any_order_of_lines_gives_the_same_objects(data: st.DataObject) -> None:
    owners = data.draw(st.lists(st.integers(1, 5), max_size=30))
    rows = [order(number) for number in range(1, 6)] + data.draw(st.permutations([line(n, owner) for n, owner in enumerate(owners)]))
    found = list(stitch(rows, children=LINES))
    assert [each["id"] for each in found] == [f"gid://shopify/Order/{number}" for number in range(1, 6)]
    assert [sorted(ids(each)) for each in found] == [[n for n, owner in enumerate(owners) if owner == number] for number in range(1, 6)]


def test_rows_of_rows_find_their_place() -> None:
    collection = json.dumps({"id": "gid://shopify/Collection/5", "__parentId": "gid://shopify/LineItem/10"})
    found = list(stitch([order(1), line(10, 1), collection], children={**LINES, "Collection": "collections"}))
    assert found[0]["lineItems"][0]["collections"] == [{"id": "gid://shopify/Collection/5"}]


def test_rows_without_an_id_are_told_by_their_typename() -> None:
    row = json.dumps({"__typename": "Image", "url": "https://a.example/1.png", "__parentId": "gid://shopify/Order/1"})
    found = list(stitch([order(1), row, row], children={"Image": "images"}))
    assert [each["url"] for each in found[0]["images"]] == ["https://a.example/1.png"] * 2


def test_what_comes_twice_is_kept_once_in_its_later_version() -> None:
    """Shopify reads page by page: an order that changes meanwhile moves to the end and comes again."""
    rows = [order(1, note="old"), order(2), line(10, 1, quantity=1), order(1, note="new"), line(10, 1, quantity=2)]
    first, second = stitch(rows, children=LINES)
    assert first == {"id": "gid://shopify/Order/1", "note": "new", "lineItems": [{"id": "gid://shopify/LineItem/10", "quantity": 2}]}
    assert second["id"] == "gid://shopify/Order/2"


@pytest.mark.parametrize("damaged", ['{"id": "gid://shop', "[]", "null", "\udcff"])
def test_a_damaged_line_is_named_by_its_number_and_not_shown(damaged: str) -> None:
    rows = [order(1).encode(), damaged.encode(errors="surrogateescape"), order(2).encode()]
    with pytest.raises(ShopifyDataError, match=r"^Line 2 of the bulk result is not a JSON object") as failure:
        list(stitch(rows, children=LINES))
    assert "gid" not in str(failure.value)


def test_a_child_without_its_parent_is_an_error() -> None:
    with pytest.raises(ShopifyDataError, match=r"^Line 3 of the bulk result belongs to an object that is not in it"):
        list(stitch([order(1), line(10, 1), line(20, 2)], children=LINES))


def test_a_row_of_a_type_nobody_asked_for_is_an_error() -> None:
    with pytest.raises(ShopifyDataError, match=r"^Line 2 .* of type LineItem; expected are no rows"):
        list(stitch([order(1), line(10, 1)]))


def test_memory_does_not_grow_with_the_file() -> None:
    def rows(orders: int) -> Iterator[str]:
        yield from (order(number, text="x" * 400) for number in range(orders))
        yield from (line(number, number % orders, text="x" * 400) for number in range(orders * 2))

    def peak(orders: int) -> int:
        tracemalloc.start()
        assert sum(1 for _ in stitch(rows(orders), children=LINES)) == orders
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    small, large = peak(3_000), peak(12_000)  # 15 MB of text in the larger one
    assert large - small < 1_000_000

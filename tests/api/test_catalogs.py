# SPDX-License-Identifier: Apache-2.0
"""Rows of catalogs: what a person gets wrong is refused before it is sent, and no message holds a value."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klaviyo.api import catalogs
from airflow_provider_klaviyo.api.catalog_rows import PREFIX, full_id
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError

ITEM: dict[str, Any] = {"external_id": "SKU1", "title": "Shirt", "description": "", "url": "https://example.com"}
VARIANT = {**ITEM, "description": "D", "sku": "S", "price": 1, "inventory_quantity": 0, "item": "SKU1"}


def rows(request: Any) -> Any:
    (found,) = request.json["data"]["attributes"].values()
    return found["data"]


def test_an_item_is_sent_in_klaviyos_form() -> None:
    item = {**ITEM, "description": "D", "price": Decimal("9.99"), "categories": ["A", f"{PREFIX}B", 7]}
    assert rows(catalogs.bulk_create_items(items=[item])) == [
        {
            "type": "catalog-item",
            "attributes": {
                "external_id": "SKU1",
                "integration_type": "$custom",
                "catalog_type": "$default",
                "title": "Shirt",
                "description": "D",
                "url": "https://example.com",
                "price": 9.99,
            },
            "relationships": {
                "categories": {
                    "data": [
                        {"type": "catalog-category", "id": "$custom:::$default:::A"},
                        {"type": "catalog-category", "id": "$custom:::$default:::B"},
                        {"type": "catalog-category", "id": "$custom:::$default:::7"},
                    ]
                }
            },
        }
    ]


def test_a_change_names_what_changes_and_null_clears() -> None:
    sent = rows(catalogs.bulk_update_items(items=[{"external_id": 7, "price": None, "categories": []}]))
    assert sent == [
        {
            "type": "catalog-item",
            "id": "$custom:::$default:::7",
            "attributes": {"price": None},
            "relationships": {"categories": {"data": []}},
        }
    ]


@given(st.text(min_size=1).filter(lambda text: text.strip() and ":::" not in text))
def test_an_id_is_given_in_either_form(text: str) -> None:
    assert full_id(text, "id") == full_id(f"{PREFIX}{text.strip()}", "id") == f"{PREFIX}{text.strip()}"


def test_what_is_the_same_twice_may_be_sent_again() -> None:
    assert not catalogs.bulk_create_items(items=[{**ITEM, "description": "D"}]).repeatable
    assert catalogs.bulk_update_items(items=[{"id": "A", "title": "T"}]).repeatable
    assert catalogs.bulk_delete_items(item_ids=["A"]).repeatable


NEW, CHANGE, GONE = catalogs.bulk_create_items, catalogs.bulk_update_items, catalogs.bulk_delete_items


@pytest.mark.parametrize(
    ("call", "row", "said"),
    [
        (NEW, ITEM, r"items\[0\] needs description$"),
        (NEW, {"title": "Secret"}, r"items\[0\] needs external_id, description, url$"),
        (NEW, {**ITEM, "id": "SKU1"}, r"items\[0\] has no 'id': it has categories, custom_metadata"),
        (NEW, {**ITEM, "publish": True}, r"items\[0\] has no 'publish': did you mean published\?"),
        (NEW, "Secret", r"items\[0\] is a mapping"),
        (CHANGE, {"title": "Secret"}, r"items\[0\] needs an id or an external_id"),
        (CHANGE, {"id": "SKU1"}, r"items\[0\] changes nothing"),
        (CHANGE, {"id": "SKU1", "external_id": "SKU2", "title": "T"}, r"items\[0\] has two different ids"),
        (CHANGE, {"id": "$shopify:::$default:::Secret", "title": "T"}, r"items\[0\]\.id is an external_id such as SKU1"),
        (CHANGE, {"id": 1.5, "title": "T"}, r"items\[0\]\.id is a text or a whole number, not a float"),
        (CHANGE, {"id": "A", "title": 7}, r"items\[0\]\.title is a text"),
        (CHANGE, {"id": "A", "price": "Secret"}, r"items\[0\]\.price is a number"),
        (CHANGE, {"id": "A", "price": True}, r"items\[0\]\.price is a number"),
        (CHANGE, {"id": "A", "price": float("nan")}, r"items\[0\]\.price: the value is not a number"),
        (CHANGE, {"id": "A", "images": "Secret"}, r"items\[0\]\.images is a list of addresses"),
        (CHANGE, {"id": "A", "published": "true"}, r"items\[0\]\.published is true or false"),
        (CHANGE, {"id": "A", "custom_metadata": ["Secret"]}, r"items\[0\]\.custom_metadata is a mapping"),
        (CHANGE, {"id": "A", "custom_metadata": {"at": datetime(2026, 1, 1)}}, r"items\[0\]\.custom_metadata: a time has no time zone"),  # noqa: DTZ001 - that is what is wrong
        (CHANGE, {"id": "A", "categories": "Secret"}, r"items\[0\]\.categories is a list of ids"),
        (CHANGE, {"id": "A", "categories": ["A", ""]}, r"items\[0\]\.categories\[1\] is needed"),
        (GONE, "", r"item_ids\[0\] is needed"),
    ],
)
def test_a_wrong_row_is_refused(call: Callable[..., Any], row: Any, said: str) -> None:
    with pytest.raises(KlaviyoConfigError, match=said) as refused:
        call(**{"item_ids" if call is GONE else "items": [row]})
    assert "Secret" not in str(refused.value)


@pytest.mark.parametrize("policy", [3, "1", True])
def test_an_inventory_policy_is_one_of_klaviyos(policy: Any) -> None:
    with pytest.raises(KlaviyoConfigError, match=r"variants\[0\]\.inventory_policy is 0, 1 or 2"):
        catalogs.bulk_create_variants(variants=[{**VARIANT, "inventory_policy": policy}])


def test_a_variant_belongs_to_one_item_for_good() -> None:
    with pytest.raises(KlaviyoConfigError, match=r"variants\[0\] needs item$"):
        catalogs.bulk_create_variants(variants=[{name: value for name, value in VARIANT.items() if name != "item"}])
    with pytest.raises(KlaviyoConfigError, match=r"variants\[0\]: item cannot change"):
        catalogs.bulk_update_variants(variants=[{"id": "A", "item": "B"}])


@pytest.mark.parametrize("wrong", [[], ["A"] * 101, "SKU1", {"id": "SKU1"}])
def test_a_job_takes_a_list_of_one_to_a_hundred(wrong: Any) -> None:
    with pytest.raises(KlaviyoConfigError, match="category_ids"):
        catalogs.bulk_delete_categories(category_ids=wrong)

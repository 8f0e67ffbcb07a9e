# SPDX-License-Identifier: Apache-2.0
"""The parts of an order as event properties: lines, parcels, addresses, amounts."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from airflow_provider_klaviyo.api.request import Json
from airflow_provider_klaviyo.api.values import distinct, filled
from airflow_provider_klaviyo.shopify.mapping.rows import within


def money(bag: Mapping[str, Any] | None) -> Decimal | None:
    """Return an amount in the shop's currency: only sums of one currency mean something."""
    amount = within(bag, "shopMoney", "amount")
    return None if amount is None else Decimal(amount)


def price_paid(line: Json) -> Decimal:
    """Return what one unit of a line cost after all discounts."""
    paid = money(line.get("discountedUnitPriceAfterAllDiscountsSet"))
    return paid if paid is not None else money(line.get("originalUnitPriceSet")) or Decimal(0)


def item_of(line: Json, quantity: int) -> Json:
    """
    Read a line. What was deleted since, product or variant, is told by what the line itself remembers.

    :param line: A node of an order's lines.
    :param quantity: The quantity that is meant.
    """
    product, variant = line.get("product") or {}, line.get("variant") or {}
    price = money(line.get("originalUnitPriceSet"))
    sku = line.get("sku") or variant.get("sku")
    return filled(
        {
            "ProductID": product.get("legacyResourceId"),
            "VariantID": variant.get("legacyResourceId"),
            "SKU": sku,
            "ProductName": line.get("title") or line.get("name") or sku,
            "VariantName": line.get("variantTitle"),
            "Quantity": quantity,
            "ItemPrice": None if price is None else float(price),
            "RowTotal": None if price is None else float(price * quantity),
            "ProductURL": product.get("onlineStoreUrl"),
            "ImageURL": within(line, "image", "url"),
            "Categories": distinct([product.get("productType")]),
            "Brand": line.get("vendor"),
            "GiftCard": line.get("isGiftCard") or None,
        }
    )


def tracking_of(fulfilments: list[Json]) -> Json:
    """Return the properties that describe parcels."""
    parcels = [parcel for each in fulfilments for parcel in each.get("trackingInfo") or []]
    return filled(
        {
            "Tracking Company": ", ".join(distinct(parcel.get("company") for parcel in parcels)),
            "Tracking Numbers": distinct(parcel.get("number") for parcel in parcels),
            "Tracking URLs": distinct(parcel.get("url") for parcel in parcels),
        }
    )


def address_of(address: Mapping[str, Any] | None) -> Json:
    """Return an address in the words of Klaviyo's guide."""
    found = address or {}
    return filled(
        {
            "FirstName": found.get("firstName"),
            "LastName": found.get("lastName"),
            "Company": found.get("company"),
            "Address1": found.get("address1"),
            "Address2": found.get("address2"),
            "City": found.get("city"),
            "Region": found.get("province"),
            "RegionCode": found.get("provinceCode"),
            "Country": found.get("country"),
            "CountryCode": found.get("countryCodeV2"),
            "Zip": found.get("zip"),
            "Phone": found.get("phone"),
        }
    )

# SPDX-License-Identifier: Apache-2.0
"""Which lines a refund or a fulfilment holds: lists that a bulk result cannot carry, worked out from what it does."""

from __future__ import annotations

from decimal import Decimal

from airflow_provider_klaviyo.sandbox.shopify.documents import Json
from airflow_provider_klaviyo.sandbox.shopify.store import Row


def detailed(order: Row) -> Json:
    """Return an order with its lines, and with the lines of its refunds and fulfilments."""
    data = order.data
    lines = [line.data for line in order.lines]
    return data | {
        "lineItems": lines,
        "refunds": _refunds(data, lines),
        "fulfillments": _fulfillments(data, lines),
    }


def _refunds(order: Json, lines: list[Json]) -> list[Json]:
    """
    Give each refund its lines.

    As many refunds as returned lines: one each, the last line first. Otherwise the last refund has them all,
    and those before it are of an amount only.
    """
    refunds: list[Json] = order["refunds"]
    returned = [line for line in reversed(lines) if line["currentQuantity"] < line["quantity"]] if refunds else []
    one_each = len(returned) == len(refunds) and order["displayFinancialStatus"] == "PARTIALLY_REFUNDED"
    shares = [[line] for line in returned] if one_each else [*([] for _ in refunds[1:]), returned]
    return [
        refund | {"processedAt": refund["createdAt"], "refundLineItems": [_refund_line(line) for line in share]}
        for refund, share in zip(refunds, shares, strict=False)
    ]


def _refund_line(line: Json) -> Json:
    units = line["quantity"] - line["currentQuantity"]
    subtotal = {
        side: money | {"amount": str(Decimal(money["amount"]) * units / line["quantity"])}
        for side, money in line["discountedTotalSet"].items()
    }
    return {"quantity": units, "restockType": "RETURN", "subtotalSet": subtotal, "lineItem": line}


def _fulfillments(order: Json, lines: list[Json]) -> list[Json]:
    """Give each fulfilment its units, in the order of the lines; a cancelled one gives its units back."""
    left = {line["id"]: line["quantity"] if order["refunds"] else line["currentQuantity"] for line in lines}
    answer: list[Json] = []
    for fulfillment in order["fulfillments"]:
        wanted, sent = fulfillment["totalQuantity"], []
        remaining = dict(left)
        for line in lines:
            units = min(wanted, remaining[line["id"]])
            if units > 0:
                wanted, remaining[line["id"]] = wanted - units, remaining[line["id"]] - units
                name = f"gid://shopify/FulfillmentLineItem/{line['id'].rpartition('/')[2]}{len(answer)}"
                sent.append({"id": name, "quantity": units, "lineItem": line})
        answer.append(fulfillment | {"fulfillmentLineItems": sent})
        left = left if fulfillment["status"] == "CANCELLED" else remaining
    return answer

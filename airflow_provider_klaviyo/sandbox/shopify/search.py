# SPDX-License-Identifier: Apache-2.0
"""
Shopify's search language, as far as loads need it, with its traps.

A term with an unknown field is dropped and the rest of the query decides, with a warning that only a synchronous answer shows. The colons of an
unquoted time begin terms of their own. ``>`` and ``<`` let the bound itself in. Customers' ``updated_at`` knows whole days only.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from itertools import zip_longest
from typing import Any, Literal

from airflow_provider_klaviyo.sandbox.shopify.documents import Json, bad_request

Resource = Literal["customers", "orders", "bulkOperations"]

TERM = re.compile(r"""(\w+):\s*(<=|>=|<|>)?\s*('[^']*'|"[^"]*"|\S*)|(\S+)""")
SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "": operator.eq,
    ">": operator.ge,
    ">=": operator.ge,
    "<": operator.le,
    "<=": operator.le,
}
RANGES = {">": "range_gt", ">=": "range_gte", "<": "range_lt", "<=": "range_lte"}
TIMES = {
    "customers": {"updated_at": "updatedAt", "customer_date": "createdAt"},
    "orders": {"updated_at": "updatedAt", "created_at": "createdAt", "processed_at": "processedAt"},
    "bulkOperations": {"created_at": "createdAt"},
}
WORDS = {
    "customers": {"id": "legacyResourceId", "state": "state", "first_name": "firstName", "last_name": "lastName"},
    "orders": {
        "id": "legacyResourceId",
        "name": "name",
        "email": "email",
        "test": "test",
        "financial_status": "displayFinancialStatus",
        "fulfillment_status": "displayFulfillmentStatus",
    },
    "bulkOperations": {"status": "status", "operation_type": "type"},
}
ACCEPTED = {
    "status": {"canceled", "canceling", "completed", "created", "failed", "running"},
    "operation_type": {"query", "mutation"},
}
# Fields that Shopify knows and the sandbox does not read: refused, because a dropped term would be a lie of ours.
ELSEWHERE = {
    "customers": {
        "accepts_marketing",
        "country",
        "email",
        "last_abandoned_order_date",
        "order_date",
        "orders_count",
        "phone",
        "tag",
        "tag_not",
        "total_spent",
    },
    "orders": {
        "channel",
        "channel_id",
        "customer_id",
        "sku",
        "source_name",
        "status",
        "tag",
        "tag_not",
        "delivery_method",
        "location_id",
        "risk_level",
    },
    "bulkOperations": {"id"},
}


@dataclass(frozen=True, slots=True)
class Term:
    """One ``field:value`` of a query."""

    field: str
    sign: str
    value: str
    quoted: bool

    @property
    def parsed(self) -> Json:
        """How Shopify shows that it read the term."""
        return {"field": self.field, RANGES.get(self.sign) or ("match_phrase" if self.quoted else "match_all"): self.value}


@dataclass(frozen=True, slots=True)
class Search:
    """
    A query, read.

    :param matches: Whether a row is found, given the row.
    :param parsed: How Shopify shows that it read the query.
    :param warnings: What was dropped, as Shopify says it.
    """

    query: str
    matches: Callable[[Json], bool]
    parsed: Json
    warnings: tuple[Json, ...] = ()

    def shown(self, root: str) -> Json:
        """Return the entry of ``extensions.search``."""
        return {"path": [root], "query": self.query, "parsed": self.parsed, "warnings": list(self.warnings)}


def read(query: str, resource: Resource, zone: tzinfo = UTC) -> Search:
    """
    Read a query.

    :param query: Such as ``updated_at:>='2026-11-18T00:00:00Z' AND test:false``.
    :param resource: What is searched.
    :param zone: The shop's, for times without one.
    :raises Refused: It uses what the sandbox does not read.
    """
    terms = list(_terms(query, resource))
    tests: list[Callable[[Json], bool]] = []
    warnings: list[Json] = []
    for term in terms:
        if term.field in ELSEWHERE[resource]:
            raise bad_request(f"The sandbox cannot search {resource} by {term.field}", resource, "SANDBOX_UNSUPPORTED")
        if term.field in TIMES[resource]:
            tests.append(_time_test(term, resource, zone))
        elif key := WORDS[resource].get(term.field):
            if (accepted := ACCEPTED.get(term.field)) and term.value.lower() not in accepted:
                warnings.append(
                    {"field": term.field, "message": f"Input `{term.value}` is not an accepted value.", "code": "invalid_value"}
                )
            tests.append(_word_test(term, key))
        else:
            warnings.append({"field": term.field, "message": "Invalid search field for this query.", "code": "invalid_field"})
    shown = [term.parsed for term in terms]
    return Search(query, lambda row: all(test(row) for test in tests), shown[0] if len(shown) == 1 else {"and": shown}, tuple(warnings))


def _terms(query: str, resource: Resource) -> Iterator[Term]:
    """Split a query as Shopify does: at blanks, and at the colons of what is not quoted."""
    for match in TERM.finditer(query):
        field, sign, value, word = match.groups()
        if word == "AND":
            continue
        if word:
            raise bad_request(
                f"The sandbox reads `field:value` terms joined by AND or blanks, not {word!r}", resource, "SANDBOX_UNSUPPORTED"
            )
        if value[:1] in {"'", '"'}:
            yield Term(field, sign or "", value[1:-1], quoted=True)
            continue
        head, *rest = value.split(":")
        yield Term(field, sign or "", head, quoted=False)
        for name, text in zip_longest(rest[::2], rest[1::2], fillvalue=""):
            yield Term(name, "", text, quoted=False)


def _time_test(term: Term, resource: Resource, zone: tzinfo) -> Callable[[Json], bool]:
    """Compare a time, or for customers' ``updated_at`` its day."""
    try:
        bound = datetime.fromisoformat(term.value)
    except ValueError:
        raise bad_request(f"Invalid timestamp for query filter `{term.field}`.", resource) from None
    bound = bound if bound.tzinfo else bound.replace(tzinfo=zone)
    key, compare = TIMES[resource][term.field], SIGNS[term.sign]
    if resource == "customers" and term.field == "updated_at":
        day = bound.astimezone(UTC).date()
        return lambda row: compare(datetime.fromisoformat(row[key]).date(), day)
    return lambda row: compare(datetime.fromisoformat(row[key]), bound)


def _word_test(term: Term, key: str) -> Callable[[Json], bool]:
    """Compare a word without regard to case, or an id as a number."""
    if term.field == "id":
        return lambda row: SIGNS[term.sign](int(row[key]), int(term.value.rpartition("/")[2]))
    return lambda row: str(row[key]).lower() == term.value.lower()

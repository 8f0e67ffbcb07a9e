# SPDX-License-Identifier: Apache-2.0
"""
The documents that are sent to Shopify, and the windows in them.

A bulk query takes no variables, so a window is written into the document: from aware datetimes only, in quotes. Without them
Shopify reads the part behind the colon as another field, drops the term, and answers with everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from airflow_provider_klaviyo.api.request import Json
from airflow_provider_klaviyo.shopify.bulk import BulkOperation, refuse, started
from airflow_provider_klaviyo.shopify.errors import ShopifyConfigError
from airflow_provider_klaviyo.shopify.graphql import Call
from airflow_provider_klaviyo.shopify.stitching import type_of

OVERLAP = timedelta(minutes=10)
"""Shopify's search learns of a change only after a while."""

# The states say who was erased, the format says which address is none: neither may be used, not even of an order.
CONTACT = """defaultEmailAddress { emailAddress validFormat marketingState }
        defaultPhoneNumber { phoneNumber smsMarketingConsent { state } }"""
# Of a customer, since when a state holds, too: that is the date of their consent.
CONSENT = """defaultEmailAddress { emailAddress validFormat marketingState marketingUpdatedAt }
        defaultPhoneNumber { phoneNumber smsMarketingConsent { state updatedAt } }"""

CUSTOMER = f"""
        id legacyResourceId createdAt updatedAt firstName lastName locale tags state verifiedEmail dataSaleOptOut numberOfOrders
        amountSpent {{ amount currencyCode }}
        lastOrder {{ name }}
        {CONSENT}
        defaultAddress {{
          company address1 address2 city province provinceCode country countryCodeV2 zip latitude longitude timeZone
        }}"""

ADDRESS = "firstName lastName company phone address1 address2 city province provinceCode country countryCodeV2 zip"
MONEY = "shopMoney { amount currencyCode }"
LINE = f"""
              id name title variantTitle sku vendor quantity currentQuantity isGiftCard
              originalUnitPriceSet {{ {MONEY} }}
              discountedUnitPriceAfterAllDiscountsSet {{ {MONEY} }}
              image {{ url }}
              product {{ id legacyResourceId productType onlineStoreUrl }}
              variant {{ id legacyResourceId sku }}"""

ORDER = f"""
        id legacyResourceId name email phone test createdAt processedAt updatedAt cancelledAt cancelReason
        displayFinancialStatus displayFulfillmentStatus sourceName customerLocale tags discountCodes presentmentCurrencyCode
        app {{ name }}
        subtotalPriceSet {{ {MONEY} }}
        totalPriceSet {{ {MONEY} presentmentMoney {{ amount currencyCode }} }}
        totalDiscountsSet {{ {MONEY} }}
        totalShippingPriceSet {{ {MONEY} }}
        totalRefundedSet {{ {MONEY} }}
        customer {{ id {CONTACT} }}
        billingAddress {{ {ADDRESS} }}
        shippingAddress {{ {ADDRESS} }}
        fulfillments {{ id status createdAt totalQuantity trackingInfo {{ company number url }} }}
        refunds {{ id createdAt totalRefundedSet {{ {MONEY} }} }}
        lineItems {{
          edges {{
            node {{{LINE}
            }}
          }}
        }}"""


@dataclass(frozen=True, slots=True)
class Window:
    """
    The changes to read: those at or after ``start`` less the overlap, and before ``end``.

    The overlap stays in: what changed shortly before ``start`` may not have been found then, and to load it twice does no harm.

    :param start: From then on; ``None``: from the beginning.
    :param end: Until then, exclusive; ``None``: to the last.
    :param overlap: How far to look back behind ``start``.
    :raises ShopifyConfigError: A time has no offset, or the window is empty.
    """

    start: datetime | None = None
    end: datetime | None = None
    overlap: timedelta = OVERLAP

    def __post_init__(self) -> None:
        for name, moment in (("start", self.start), ("end", self.end)):
            if moment is not None and moment.utcoffset() is None:
                raise ShopifyConfigError(f"{name} needs an offset or a time zone: {moment.isoformat()} could be any of 24 hours.")
        if self.overlap < timedelta(0):
            raise ShopifyConfigError("overlap cannot be negative.")
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise ShopifyConfigError(
                f"The window from {self.start.isoformat()} to {self.end.isoformat()} is empty. Airflow's @daily gives such an interval:"
                " schedule the DAG with CronDataIntervalTimetable, or pass start and end."
            )

    @property
    def earliest(self) -> datetime | None:
        """The start less the overlap."""
        return None if self.start is None else self.start - self.overlap

    def holds(self, node: Json) -> bool:
        """Return whether a node changed in the window, overlap included: Shopify's search gives more than asked for."""
        return in_window(node, self.earliest, self.end)

    def search(self, *, whole_days: bool) -> str:
        """
        Return the search for Shopify, ``""`` for everything.

        :param whole_days: Whether Shopify compares days, as it does with customers; then whole days are asked for.
        """
        terms = []
        if (earliest := self.earliest) is not None:
            terms.append(f"updated_at:>='{_written(_day(earliest) if whole_days else earliest)}'")
        if self.end is not None:
            # A day or a second more, and the client cuts: Shopify's bounds are not always what they say.
            until = _day(self.end) + timedelta(days=1) if whole_days else self.end + timedelta(seconds=1)
            terms.append(f"updated_at:<='{_written(until)}'")
        return " AND ".join(terms)


def in_window(node: Json, start: datetime | None, end: datetime | None) -> bool:
    """
    Return whether a node was last changed at or after ``start`` and before ``end``.

    :param node: With ``updatedAt``.
    :param start: ``None``: no lower bound.
    :param end: ``None``: no upper bound.
    """
    if start is None and end is None:
        return True
    changed = datetime.fromisoformat(node["updatedAt"])
    return (start is None or changed >= start) and (end is None or changed < end)


@dataclass(frozen=True, slots=True)
class BulkQuery:
    """
    A document to run in bulk.

    :param document: The document.
    :param children: Where the rows of its nested connections go, by their type.
    :param probe: The same search, asked for one node: Shopify tells only there that it dropped a term. ``None``: no search.
    """

    document: str
    children: Mapping[str, str] = field(default_factory=dict)
    probe: Call[Json] | None = None


def customers(window: Window | None = None) -> BulkQuery:
    """
    Ask for the customers that changed.

    :param window: When; ``None``: all. Shopify compares whole days here: filter what comes with :meth:`Window.holds`.
    """
    return _bulk("customers", (window or Window()).search(whole_days=True), CUSTOMER)


def orders(window: Window | None = None) -> BulkQuery:
    """
    Ask for the orders that changed, with their lines.

    Orders older than 60 days come only to an app with the scope ``read_all_orders``; without it they are missing, in silence.

    :param window: When; ``None``: all. Filter what comes with :meth:`Window.holds`.
    """
    return _bulk("orders", (window or Window()).search(whole_days=False), ORDER, {"LineItem": "lineItems"})


def _bulk(connection: Literal["customers", "orders"], search: str, selection: str, children: Mapping[str, str] | None = None) -> BulkQuery:
    query = f'query: "{search}", ' if search else ""
    document = f"{{\n  {connection}({query}sortKey: UPDATED_AT) {{\n    edges {{\n      node {{{selection}\n      }}\n    }}\n  }}\n}}\n"
    return BulkQuery(document, children or {}, probe(connection, search) if search else None)


def probe(connection: Literal["customers", "orders"], search: str) -> Call[Json]:
    """
    Ask for one node of a search: a session raises if Shopify drops a term of it.

    :param connection: What is searched.
    :param search: The search.
    """
    document = f"query SearchProbe($search: String!) {{ {connection}(first: 1, query: $search, sortKey: UPDATED_AT) {{ nodes {{ id }} }} }}"
    return Call("SearchProbe", document, {"search": search})


def run(document: str) -> Call[BulkOperation]:
    """
    Start a bulk operation.

    Not replayable: a second one would take another of the five places.

    :param document: The query to run.
    """
    text = (
        "mutation BulkRun($query: String!) { bulkOperationRunQuery(query: $query, groupObjects: false)"
        " { bulkOperation { id status createdAt } userErrors { code field message } } }"
    )
    return Call("bulkOperationRunQuery", text, {"query": document}, started, replayable=False)


def operation(operation_id: str) -> Call[BulkOperation | None]:
    """
    Ask how a bulk operation stands; ``None`` where Shopify knows none of that id.

    :param operation_id: Its gid.
    """
    text = (
        "query BulkPoll($id: ID!) { bulkOperation(id: $id)"
        " { id status errorCode createdAt completedAt objectCount rootObjectCount fileSize url } }"
    )
    return Call("bulkOperation", text, {"id": _gid(operation_id, "BulkOperation")}, lambda data: _operation(data.get("bulkOperation")))


def running() -> Call[list[BulkOperation]]:
    """Ask which bulk queries of this app run on the shop, the newest first."""
    text = (
        'query BulkRunning { bulkOperations(first: 10, query: "status:RUNNING operation_type:QUERY", sortKey: CREATED_AT, reverse: true)'
        " { nodes { id status createdAt query } } }"
    )
    return Call("bulkOperations", text, read=lambda data: [BulkOperation.read(node) for node in data["bulkOperations"]["nodes"]])


def cancel(operation_id: str) -> Call[None]:
    """
    Stop a bulk operation.

    :param operation_id: Its gid.
    """
    text = "mutation BulkCancel($id: ID!) { bulkOperationCancel(id: $id) { bulkOperation { id status } userErrors { field message } } }"
    variables = {"id": _gid(operation_id, "BulkOperation")}
    return Call("bulkOperationCancel", text, variables, lambda data: refuse(data["bulkOperationCancel"], "bulkOperationCancel"))


def shop() -> Call[Json]:
    """Ask for the shop's name, domain, currency and time zone."""
    text = "query Shop { shop { id name myshopifyDomain currencyCode ianaTimezone primaryDomain { url } } }"
    return Call("shop", text, read=lambda data: data["shop"])


def scopes() -> Call[frozenset[str]]:
    """Ask for the access scopes that the app was given."""
    text = "query Scopes { currentAppInstallation { accessScopes { handle } } }"
    return Call(
        "currentAppInstallation",
        text,
        read=lambda data: frozenset(each["handle"] for each in data["currentAppInstallation"]["accessScopes"]),
    )


def order_details(order_id: str) -> Call[Json]:
    """
    Ask for the lines of an order's fulfilments and refunds, which a bulk query cannot have.

    :param order_id: The order's gid.
    """
    text = """query OrderDetails($id: ID!) {
  order(id: $id) {
    id
    refunds(first: 5) {
      id
      refundLineItems(first: 20) { pageInfo { hasNextPage } nodes { quantity lineItem { id } } }
    }
    fulfillments(first: 5) {
      id
      fulfillmentLineItems(first: 20) { pageInfo { hasNextPage } nodes { quantity lineItem { id } } }
    }
  }
}"""
    return Call("OrderDetails", text, {"id": _gid(order_id, "Order")}, lambda data: data.get("order") or {})


def _operation(node: Json | None) -> BulkOperation | None:
    return None if node is None else BulkOperation.read(node)


def _gid(gid: str, kind: str) -> str:
    if type_of(gid) != kind:
        raise ShopifyConfigError(f"An id like gid://shopify/{kind}/1 is needed.")
    return gid


def _day(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

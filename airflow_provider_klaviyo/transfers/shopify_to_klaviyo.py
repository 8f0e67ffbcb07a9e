# SPDX-License-Identifier: Apache-2.0
"""Load a Shopify shop's customers, their consent and orders into Klaviyo."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.operators.base import Journal
from airflow_provider_klaviyo.shopify.mapping import (
    DEFAULT_METRICS,
    ConsentChannel,
    Mapped,
    Metric,
    OrderValue,
    Unmapped,
    consent,
    events,
    profile,
)
from airflow_provider_klaviyo.shopify.queries import OVERLAP, BulkQuery, Window, customers, orders
from airflow_provider_klaviyo.transfers.base import KlaviyoLoadOperator
from airflow_provider_klaviyo.transfers.kinds import ConsentLoad, EventsLoad, ProfilesLoad

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_klaviyo.api.request import Json
    from airflow_provider_klaviyo.loading import Row, Skip
    from airflow_provider_klaviyo.shopify.bulk import BulkOperation


class ShopifySource(KlaviyoLoadOperator):
    """
    Load what changed in a shop, read by one of Shopify's bulk operations.

    :param shopify_conn_id: The Airflow connection to the shop.
    :param start: Load what changed from then on; by default from the start of the run's data interval.
    :param end: Load what changed until then; by default to the end of the run's data interval, or where ``start`` is given, to now.
    :param overlap: How far to look back behind ``start``: Shopify's search learns of a change only after a while.
    """

    shopify_conn_id: str = "shopify_default"
    start: datetime | None = None
    end: datetime | None = None
    overlap: timedelta = OVERLAP

    @abstractmethod
    def query(self, window: Window) -> BulkQuery:
        """Return the bulk query for a window."""

    @abstractmethod
    def mapped(self, node: Json) -> Iterator[Mapped | Unmapped]:
        """Map an object of the shop's to rows."""

    def rows(self, context: Context, journal: Journal) -> Iterator[Row | Skip]:
        """Run the bulk operation, wait for it, and return its objects mapped."""
        from airflow_provider_klaviyo.operators.shopify import bulk_operation

        window = self.window(context)
        query = self.query(window)
        operation = bulk_operation(
            self,
            journal,
            query,
            shopify_conn_id=self.shopify_conn_id,
            deferrable=self.deferrable,
            poll_interval=self.poll_interval,
        )
        return self._read(operation, query, window)

    def window(self, context: Context) -> Window:
        """
        Return the changes to load.

        :raises KlaviyoConfigError: Neither ``start`` nor the run says from when.
        """
        if self.start is not None:
            return Window(self.start, self.end, self.overlap)
        start, end = context.get("data_interval_start"), context.get("data_interval_end")
        if start is None or end is None or start >= end:
            raise KlaviyoConfigError(
                f"{self.task_id}: this run has no data interval to load. Schedule the DAG with CronDataIntervalTimetable"
                " (Airflow 3's '@daily' gives a run an empty interval), or give start."
            )
        return Window(start, self.end or end, self.overlap)

    def _read(self, operation: BulkOperation, query: BulkQuery, window: Window) -> Iterator[Row | Skip]:
        from airflow_provider_klaviyo.hooks.shopify import ShopifyHook
        from airflow_provider_klaviyo.loading import Row, Skip

        with ShopifyHook(self.shopify_conn_id).session() as shopify:
            for node in shopify.nodes(operation, query.children):
                if window.holds(node):
                    for each in self.mapped(node):
                        yield Row(each.key, each.data) if isinstance(each, Mapped) else Skip(each.key, each.code, each.reason)


class ShopifyToKlaviyoProfilesOperator(ShopifySource, ProfilesLoad):
    """
    Load a shop's customers as profiles.

    Customers with neither a usable e-mail address nor a phone number in E.164 form are skipped and counted. Consent does not
    travel with a profile, and being in a list is none.
    """

    def query(self, window: Window) -> BulkQuery:
        """Ask for the customers that changed."""
        return customers(window)

    def mapped(self, node: Json) -> Iterator[Mapped | Unmapped]:
        """Map a customer."""
        yield profile(node)


class ShopifyToKlaviyoEventsOperator(ShopifySource, EventsLoad):
    """
    Load a shop's orders as events.

    An order that is read again, because it changed or windows overlap, is not counted twice: what was sent before stands in a
    ledger at ``state_path``. Test orders, and orders without a usable e-mail address or phone number, are skipped and counted.

    :param metrics: The events wanted; by default ``Placed Order``, ``Ordered Product``, ``Fulfilled Order``,
        ``Fulfilled Partial Order``, ``Cancelled Order`` and ``Refunded Order``. ``Partially Refunded Order`` is there, too.
    :param order_value: What an order is worth: ``total``, or ``subtotal_plus_shipping`` as Klaviyo's own integration counts.
    :param shop_prefix: Stands before each ``unique_id``, where several shops feed one Klaviyo account.
    :param backfill_after: Events older than this are recorded without starting flows; the length of the run's data interval is
        added, where that is what is loaded. ``None``: all start flows.
    :param unique_id_scope: An order's id is given once in a ``metric``, whoever the customer is by then.
    """

    metrics: Sequence[Metric] = DEFAULT_METRICS
    order_value: OrderValue = "total"
    shop_prefix: str | None = None
    unique_id_scope: Literal["profile", "metric"] = "metric"

    def query(self, window: Window) -> BulkQuery:
        """Ask for the orders that changed, with their lines."""
        return orders(window)

    def mapped(self, node: Json) -> Iterator[Mapped | Unmapped]:
        """Map an order to its events."""
        return events(node, metrics=self.metrics, value=self.order_value, shop_prefix=self.shop_prefix)

    def plan_fields(self, context: Context) -> dict[str, Any]:
        """Add the length of the interval to the age of what starts flows."""
        window = self.window(context)
        # A daily run reads orders that were a day old when it was due: their flows are to start all the same.
        due = window.end - window.start if self.start is None and window.start and window.end else timedelta()
        after = None if self.backfill_after is None else self.backfill_after + due
        return {**super().plan_fields(context), "backfill_after": after}


class ShopifyToKlaviyoConsentOperator(ShopifySource, ConsentLoad):
    """
    Load what a shop's customers agreed to and what not, with the dates that Shopify has of it.

    Who is subscribed in Shopify is subscribed as history: nobody has to confirm it, and no flow starts for it. Who has no date there is
    skipped and counted (``no_consent_date``), and so is everybody who has said neither yes nor no. Of a customer who is read again,
    because anything of theirs has changed, Klaviyo's state is looked at again: a newer word there wins.

    :param channels: What to load. SMS only where it is named: ``["email.marketing", "sms.marketing"]``.
    :param custom_source: Where the consent comes from, in your words; Klaviyo shows it.
    :param list_id: The list people are put in who say yes.
    :param leave: What a no is about: ``everywhere``, as Shopify means it, or the ``list`` alone. SMS cannot be left by a list.
    """

    channels: Sequence[ConsentChannel] = ("email.marketing",)
    leave: Literal["list", "everywhere"] = "everywhere"
    custom_source: str | None = "Shopify"

    def query(self, window: Window) -> BulkQuery:
        """Ask for the customers that changed."""
        return customers(window)

    def mapped(self, node: Json) -> Iterator[Mapped | Unmapped]:
        """Map a customer to a word for each channel."""
        return consent(node, self.channels)

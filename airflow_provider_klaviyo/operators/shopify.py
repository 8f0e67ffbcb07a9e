# SPDX-License-Identifier: Apache-2.0
"""Run bulk operations on a Shopify shop."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, RetryPolicy, conf

from airflow_provider_klaviyo.api.request import Json
from airflow_provider_klaviyo.operators.base import Airflows, DeclaredOperator, Journal, KlaviyoRetryPolicy
from airflow_provider_klaviyo.shopify import queries
from airflow_provider_klaviyo.shopify.bulk import BulkOperation, BulkStatus
from airflow_provider_klaviyo.shopify.errors import ShopifyApiError, ShopifyBulkBusy, ShopifyBulkFailed, from_data
from airflow_provider_klaviyo.shopify.queries import BulkQuery

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_klaviyo.shopify_session import ShopifySession

ENTRY = "shopify_bulk"
"""Where the journal keeps the operation."""
CLOCKS_DIFFER = timedelta(minutes=2)
KEPT = timedelta(days=7)
"""How long Shopify keeps a result."""


class ShopifyBulkQueryOperator(DeclaredOperator):
    """
    Run a bulk operation, and return what Shopify says of it.

    A retry goes on waiting for the operation that an earlier try started. Where five run already, it waits for a place.
    `Shopify: bulk operations <https://shopify.dev/docs/api/usage/bulk-operations/queries>`__.

    :param query: The GraphQL document. Dates in a search must be quoted, ``updated_at:>='2026-11-18T00:00:00Z'``: in bulk Shopify
        does not tell that it dropped a term and answers with everything.
    :param shopify_conn_id: The Airflow connection to the shop.
    :param wait_for_completion: Whether to wait; otherwise the task ends when the operation has started.
    :param deferrable: Whether to wait in the triggerer. As Airflow is configured where not given.
    :param poll_interval: Seconds between two looks.
    :param retry_policy: What to do with a failed try; by default, errors that would come again are not retried.
    :returns: Id, status, times, counts and size. Never the result's address, which is a secret: the id is enough to ask for it.
    """

    query: str
    shopify_conn_id: str = "shopify_default"
    wait_for_completion: bool = True
    deferrable: bool | None = None
    poll_interval: float = 10.0
    retry_policy: Airflows[RetryPolicy | None] = KlaviyoRetryPolicy()

    def execute(self, context: Context) -> Any:
        """Start the operation, or go on with the one that was started."""
        journal = Journal(context)
        operation = bulk_operation(
            self,
            journal,
            BulkQuery(self.query),
            shopify_conn_id=self.shopify_conn_id,
            deferrable=self.deferrable,
            poll_interval=self.poll_interval,
            wait=self.wait_for_completion,
        )
        journal.close()
        return operation.as_data()

    def resume(self, context: Context, event: Json | None = None) -> Any:
        """Go on after the trigger has seen an operation end."""
        raise_error_of(event)
        return self.execute(context)


def bulk_operation(
    task: BaseOperator,
    journal: Journal,
    query: BulkQuery,
    *,
    shopify_conn_id: str,
    deferrable: bool | None = None,
    poll_interval: float = 10.0,
    resume: str = "resume",
    wait: bool = True,
) -> BulkOperation:
    """
    Return a task's bulk operation, completed: started by it or by an earlier try of it.

    Everything stands in the journal, so ``resume`` may simply begin ``execute`` anew, after :func:`raise_error_of`.

    :param task: The task; it is deferred.
    :param journal: The task's journal. Close it when the task has what it wanted.
    :param query: What to run. Its probe goes first: a search term that Shopify would drop is an error.
    :param shopify_conn_id: The Airflow connection to the shop.
    :param deferrable: Whether to wait in the triggerer; ``None``: as Airflow is configured.
    :param poll_interval: Seconds between two looks.
    :param resume: The task's method to come back to.
    :param wait: Whether to wait for its end; otherwise it is returned as soon as it has started.
    :raises ShopifyBulkFailed: It ended without its result. It is forgotten: another try starts a new one.
    :raises ShopifyApiError: Shopify will not do it.
    """
    from airflow_provider_klaviyo.hooks.shopify import ShopifyHook
    from airflow_provider_klaviyo.triggers.shopify import ShopifyBulkTrigger

    deferrable = conf.getboolean("operators", "default_deferrable", fallback=False) if deferrable is None else deferrable
    with ShopifyHook(shopify_conn_id).session() as shopify:
        while True:
            operation = _current(task, journal, query, shopify)
            if operation is not None and (operation.done or not wait):
                return _checked(operation, journal)
            awaited = [operation] if operation else shopify.send(queries.running())
            if operation is None:
                task.log.info("All places for bulk queries of this app on the shop are taken; waiting for one to end.")
            if deferrable:
                trigger = ShopifyBulkTrigger(
                    shopify_conn_id=shopify_conn_id, operation_ids=[each.id for each in awaited], poll_interval=poll_interval
                )
                task.defer(trigger=trigger, method_name=resume, timeout=task.execution_timeout)
            time.sleep(poll_interval)


def raise_error_of(event: Json | None) -> None:
    """
    Raise the error that a trigger met, if it met one.

    :param event: What :class:`~airflow_provider_klaviyo.triggers.shopify.ShopifyBulkTrigger` emitted.
    """
    if event and event.get("error"):
        raise from_data(event["error"])


def _current(task: BaseOperator, journal: Journal, query: BulkQuery, shopify: ShopifySession) -> BulkOperation | None:
    """Return the operation as it stands, started if need be; ``None`` where there is no place for it."""
    fingerprint = sha256(query.document.encode()).hexdigest()[:16]
    noted: Mapping[str, str] = journal.get(ENTRY) or {}
    if noted.get("query") != fingerprint:
        noted = {}
    if (operation := _known(query, noted, shopify)) is None:
        operation = _started(journal, query, fingerprint, shopify)
    if operation is not None and operation.id != noted.get("id"):
        journal.write(**{ENTRY: {"query": fingerprint, "id": operation.id}})
        task.log.info("Shopify runs %s.", operation.id)
    return operation


def _known(query: BulkQuery, noted: Mapping[str, str], shopify: ShopifySession) -> BulkOperation | None:
    """Return what an earlier try has started, if Shopify still has it."""
    if gid := noted.get("id"):
        operation = shopify.send(queries.operation(gid))
        outlived = operation is not None and operation.status is BulkStatus.EXPIRED and _age(operation.created_at) >= KEPT
        return None if outlived else operation
    if since := noted.get("since"):  # it was sent and not answered: is it there?
        for each in shopify.send(queries.running()):
            if each.query.strip() == query.document.strip() and _age(each.created_at) <= _age(since) + CLOCKS_DIFFER:
                return each
    return None


def _started(journal: Journal, query: BulkQuery, fingerprint: str, shopify: ShopifySession) -> BulkOperation | None:
    if query.probe is not None:
        shopify.send(query.probe)
    journal.write(**{ENTRY: {"query": fingerprint, "since": datetime.now(UTC).isoformat()}})
    try:
        return shopify.send(queries.run(query.document))
    except ShopifyApiError as error:
        if error.permanent or isinstance(error, ShopifyBulkBusy):
            journal.write(**{ENTRY: None})  # certainly not started
        if isinstance(error, ShopifyBulkBusy):
            return None
        raise


def _checked(operation: BulkOperation, journal: Journal) -> BulkOperation:
    try:
        return operation.check()
    except ShopifyBulkFailed:
        journal.write(**{ENTRY: None})
        raise


def _age(moment: str) -> timedelta:
    return datetime.now(UTC) - datetime.fromisoformat(moment)

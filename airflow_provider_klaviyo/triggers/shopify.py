# SPDX-License-Identifier: Apache-2.0
"""Wait for Shopify's bulk operations without a worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_klaviyo.hooks.shopify import ShopifyHook
from airflow_provider_klaviyo.shopify import queries
from airflow_provider_klaviyo.shopify.bulk import BulkOperation
from airflow_provider_klaviyo.shopify.errors import ShopifyError


class ShopifyBulkTrigger(BaseTrigger):
    """
    Wait until one of some bulk operations has ended, whichever way.

    It only reads. What passes (limits, failures on Shopify's side) is waited out; what does not is emitted as ``{"error": ...}``, for
    :func:`airflow_provider_klaviyo.shopify.errors.from_data`. Otherwise ``{"operation": ...}``, as Shopify last described it.

    :param shopify_conn_id: The Airflow connection to the shop.
    :param operation_ids: Their gids. Without any it waits for one interval.
    :param poll_interval: Seconds between two looks.
    """

    def __init__(self, *, shopify_conn_id: str, operation_ids: Sequence[str], poll_interval: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.shopify_conn_id, self.operation_ids, self.poll_interval = shopify_conn_id, list(operation_ids), poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what it takes to make this trigger again."""
        fields = ("shopify_conn_id", "operation_ids", "poll_interval")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in fields}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Emit one event."""
        try:
            ended = await self._first_to_end()
        except ShopifyError as error:
            yield TriggerEvent({"error": error.as_data()})
        else:
            yield TriggerEvent({"operation": ended.as_data() if ended else None})

    async def _first_to_end(self) -> BulkOperation | None:
        async with ShopifyHook(self.shopify_conn_id).asession() as shopify:
            while True:
                await asyncio.sleep(self.poll_interval)
                try:
                    for gid in self.operation_ids:
                        operation = await shopify.send(queries.operation(gid))
                        if operation is None or operation.done:
                            return operation
                except ShopifyError as error:
                    if error.permanent:
                        raise
                    self.log.warning("%s Looking again in %s s.", error, self.poll_interval)
                if not self.operation_ids:
                    return None

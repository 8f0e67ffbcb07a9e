# SPDX-License-Identifier: Apache-2.0
"""
One reading of Shopify's bulk operations.

`Shopify: bulk operations <https://shopify.dev/docs/api/usage/bulk-operations/queries>`__.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from airflow_provider_klaviyo.api.redaction import redacted
from airflow_provider_klaviyo.api.request import Json
from airflow_provider_klaviyo.shopify.errors import Code, ShopifyApiError, ShopifyBulkBusy, ShopifyBulkFailed, ShopifyError


class BulkStatus(StrEnum):
    """The states of a bulk operation."""

    CREATED = "CREATED"
    RUNNING = "RUNNING"
    CANCELING = "CANCELING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


UNDER_WAY = frozenset({BulkStatus.CREATED, BulkStatus.RUNNING, BulkStatus.CANCELING})
WITHOUT_PLACE = frozenset({"OPERATION_IN_PROGRESS", "LIMIT_REACHED"})

ENDINGS: dict[BulkStatus, str] = {
    BulkStatus.FAILED: "Shopify gave it up; what it had read until then is not used. Another try runs it anew",
    BulkStatus.CANCELED: "somebody cancelled it, or Shopify did because it stood still. Another try runs it anew",
    BulkStatus.EXPIRED: "Shopify keeps a result for seven days and this one is older. Another try runs it anew",
}
CAUSES: dict[str, str] = {
    "ACCESS_DENIED": "the app lacks an access scope for something in the query",
    "INTERNAL_SERVER_ERROR": "an error on Shopify's side",
    "TIMEOUT": "the query took too long: ask for fewer fields or a shorter window",
}


@dataclass(frozen=True, slots=True)
class BulkOperation:
    """
    A bulk operation as Shopify last described it.

    :param id: Its gid.
    :param status: Its state.
    :param error_code: Why it failed, or ``""``.
    :param created_at: When it was made, as Shopify writes it.
    :param completed_at: When it ended, or ``""``.
    :param object_count: Objects so far, those of nested connections too.
    :param root_object_count: Objects so far, without those.
    :param file_size: Bytes of the result, 0 while there is none.
    :param url: The signed address of the result: a secret. ``None`` of a completed operation: the result is empty.
    :param query: Its document, where that was asked for.
    """

    id: str
    status: BulkStatus
    error_code: str = ""
    created_at: str = ""
    completed_at: str = ""
    object_count: int = 0
    root_object_count: int = 0
    file_size: int = 0
    url: str | None = field(default=None, repr=False)
    query: str = field(default="", repr=False)

    @classmethod
    def read(cls, node: Json) -> BulkOperation:
        """
        Read a ``BulkOperation``; Shopify writes its numbers as texts.

        :raises ShopifyError: The status is none that this package knows.
        """
        status = str(node["status"]).upper()
        if status not in BulkStatus.__members__:
            message = f"Shopify says that the bulk operation {node['id']} is {status}, a status this package does not know. Is there a newer release?"
            raise ShopifyError(message)
        return cls(
            id=node["id"],
            status=BulkStatus[status],
            error_code=node.get("errorCode") or "",
            created_at=node.get("createdAt") or "",
            completed_at=node.get("completedAt") or "",
            object_count=int(node.get("objectCount") or 0),
            root_object_count=int(node.get("rootObjectCount") or 0),
            file_size=int(node.get("fileSize") or 0),
            url=node.get("url") or None,
            query=node.get("query") or "",
        )

    @property
    def done(self) -> bool:
        """Whether it has ended, one way or another."""
        return self.status not in UNDER_WAY

    def check(self) -> BulkOperation:
        """
        Return the operation unless it ended without its result.

        :raises ShopifyBulkFailed: It failed, was cancelled, or its result is no longer kept.
        """
        if not self.done or self.status is BulkStatus.COMPLETED:
            return self
        denied = self.error_code == Code.ACCESS_DENIED
        cause = f" ({self.error_code}: {CAUSES.get(self.error_code, 'see Shopify')})" if self.error_code else ""
        code = Code.ACCESS_DENIED if denied else Code.BULK_FAILED
        ending = "" if denied else f": {ENDINGS[self.status]}"
        raise ShopifyBulkFailed("bulkOperation", code, f"{self.id} ended as {self.status}{cause}{ending}")

    def as_data(self) -> dict[str, str | int]:
        """Return what may be shown and kept: everything but the signed address and the document."""
        shown = ("id", "status", "error_code", "created_at", "completed_at", "object_count", "root_object_count", "file_size")
        return {name: str(value) if isinstance(value, str) else value for name in shown for value in [getattr(self, name)]}


def started(data: Json) -> BulkOperation:
    """
    Read the answer to ``bulkOperationRunQuery``.

    :raises ShopifyBulkBusy: The app has no free place for another bulk query on this shop.
    :raises ShopifyApiError: Shopify refuses the query.
    """
    answer: dict[str, Any] = data["bulkOperationRunQuery"]
    refuse(answer, "bulkOperationRunQuery")
    return BulkOperation.read(answer["bulkOperation"])


def refuse(answer: dict[str, Any], operation: str) -> None:
    """
    Raise what the ``userErrors`` of a bulk mutation say, if anything.

    :param answer: The mutation's payload.
    :param operation: The mutation's name.
    """
    errors = answer.get("userErrors") or []
    if not errors:
        return
    if any(each.get("code") in WITHOUT_PLACE for each in errors):
        raise ShopifyBulkBusy(operation, Code.BUSY)
    detail = "; ".join(redacted(str(each.get("message") or "")) for each in errors)
    raise ShopifyApiError(operation, errors[0].get("code") or "INVALID", detail)

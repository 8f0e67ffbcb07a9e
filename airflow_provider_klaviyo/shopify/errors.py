# SPDX-License-Identifier: Apache-2.0
"""What can go wrong on Shopify's side, each with a sentence that says what to do. No message holds a token, an address or a person."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import ClassVar

from airflow_provider_klaviyo.api.request import Json


class ShopifyError(Exception):
    """
    The base of all errors of the Shopify side.

    ``permanent`` says whether another try of the task would end the same way, as it does on ``KlaviyoError``.
    """

    permanent: ClassVar[bool] = True

    def as_data(self) -> Json:
        """Return what a trigger emits, so that :func:`from_data` raises the same error in a worker."""
        return {"kind": type(self).__name__, "message": str(self)}


class ShopifyConfigError(ShopifyError, ValueError):
    """A connection or an argument cannot work as it is."""


class ShopifyDataError(ShopifyError):
    """A bulk result cannot be read as what Shopify says it is; another try fetches it anew."""

    permanent = False


class Code(StrEnum):
    """The words of Shopify, and of HTTP where Shopify says nothing, on which this package acts."""

    THROTTLED = "THROTTLED"
    MAX_COST_EXCEEDED = "MAX_COST_EXCEEDED"
    ACCESS_DENIED = "ACCESS_DENIED"
    INTERNAL_SERVER_ERROR = "INTERNAL_SERVER_ERROR"
    SHOP_INACTIVE = "SHOP_INACTIVE"
    SEARCH_WARNING = "SEARCH_WARNING"
    UNAUTHORIZED = "UNAUTHORIZED"
    NOT_FOUND = "NOT_FOUND"
    VERSION = "VERSION"
    BUSY = "OPERATION_IN_PROGRESS"
    TIMEOUT = "TIMEOUT"
    UNANSWERED = "UNANSWERED"
    BULK_FAILED = "BULK_FAILED"


PASSING = frozenset({Code.THROTTLED, Code.INTERNAL_SERVER_ERROR, Code.BUSY, Code.TIMEOUT, Code.UNANSWERED, Code.BULK_FAILED})
"""What may be different a little later."""

ADVICE: dict[str, str] = {
    Code.THROTTLED: "Shopify's rate limit stayed spent until the deadline: let fewer clients share the app, or raise the deadline.",
    Code.MAX_COST_EXCEEDED: "One query may cost 1,000 points: ask for fewer nodes a page, or run it as a bulk operation.",
    Code.ACCESS_DENIED: "Give the app of the connection {conn_id!r} that access scope (and protected customer data) and install it again.",
    Code.SHOP_INACTIVE: "The shop is closed or frozen.",
    Code.SEARCH_WARNING: "Shopify would drop that term and answer with everything: correct the search.",
    Code.UNAUTHORIZED: (
        "Shopify does not take the credentials of the connection {conn_id!r}: its password must be the Admin API access token of"
        " this shop's app (shpat_...), or its extra the client_id and client_secret of an app installed on this shop."
    ),
    Code.NOT_FOUND: "Is the host of the connection {conn_id!r} the shop's own, my-shop.myshopify.com, and its api_version one that exists?",
    Code.VERSION: "Set `api_version` in the extra of the connection {conn_id!r} to a version that Shopify serves.",
    Code.BUSY: "An app may run five bulk queries on a shop at once: another try finds a free place when one of them ends.",
}


@dataclass(eq=False)
class ShopifyApiError(ShopifyError):
    """
    Shopify answered that it will not do it, or did not answer.

    :param operation: Name of the GraphQL operation.
    :param code: Shopify's word for it, such as ``ACCESS_DENIED``, or ours (:class:`Code`).
    :param detail: What Shopify says, values taken out.
    :param conn_id: The Airflow connection that was used.
    :param status: HTTP status, 0 without an answer.
    """

    operation: str
    code: str
    detail: str = ""
    conn_id: str = ""
    status: int = 200

    def __post_init__(self) -> None:
        super().__init__(str(self))

    @property
    def permanent(self) -> bool:  # type: ignore[override]
        """Whether another try of the task would end the same way."""
        return self.code not in PASSING

    def __str__(self) -> str:
        said = f"{self.operation}: Shopify said {self.code}" + (f" ({self.status})" if self.status not in {0, 200} else "")
        detail = f": {self.detail.rstrip('.')}" if self.detail else ""
        return f"{said}{detail}. {ADVICE.get(self.code, '').format(conn_id=self.conn_id)}".rstrip()

    def as_data(self) -> Json:
        """Return what a trigger emits, so that :func:`from_data` raises the same error in a worker."""
        return {"kind": type(self).__name__, **asdict(self)}


class ShopifyBulkFailed(ShopifyApiError):  # noqa: N818 - the name says what is known
    """A bulk operation ended without its result."""


class ShopifyBulkBusy(ShopifyApiError):  # noqa: N818 - the name says what is known
    """Five bulk queries of this app are running on the shop already."""


class ShopifyUnanswered(ShopifyApiError):  # noqa: N818 - the name says what is known
    """No answer came."""


KINDS: dict[str, type[ShopifyError]] = {
    each.__name__: each
    for each in (ShopifyError, ShopifyConfigError, ShopifyDataError, ShopifyApiError, ShopifyBulkFailed, ShopifyBulkBusy, ShopifyUnanswered)
}


def from_data(data: Json) -> ShopifyError:
    """Rebuild the error that a trigger emitted with :meth:`ShopifyError.as_data`."""
    kind = KINDS[data["kind"]]
    if issubclass(kind, ShopifyApiError):
        return kind(**{each.name: data[each.name] for each in fields(ShopifyApiError)})
    return kind(data["message"])

# SPDX-License-Identifier: Apache-2.0
"""An order in the making, and the rows it becomes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from airflow_provider_klaviyo.sandbox.shopify.documents import Json
from airflow_provider_klaviyo.sandbox.shopify.generated.catalog import Variant
from airflow_provider_klaviyo.sandbox.shopify.generated.people import stamp
from airflow_provider_klaviyo.sandbox.shopify.store import PARENT

SHOP_CURRENCY = "USD"
RATES = {"USD": Decimal(1), "EUR": Decimal("0.92"), "GBP": Decimal("0.79"), "JPY": Decimal(155)}
CENTS = {"JPY": Decimal(1)}
TAX = Decimal("0.08")
SHIPPING = Decimal("4.90")
FIRST_ORDER = 8_600_000_000_000
FIRST_LINE = 19_300_000_000_000


@dataclass
class Item:
    """
    One line of an order.

    :param current: Units that are left after edits and returns.
    """

    variant: Variant
    quantity: int
    current: int
    product_deleted: bool = False
    variant_deleted: bool = False
    attributes: list[Json] = field(default_factory=list)
    title: str = ""


@dataclass
class Shipment:
    """A fulfilment of some units."""

    at: datetime
    units: int
    status: str = "SUCCESS"


@dataclass
class Refund:
    """Money given back: a share of the total."""

    at: datetime
    share: Decimal


@dataclass
class Draft:
    """
    An order in the making.

    :param discount: Share of each line that a code takes off.
    :param imported: When it was brought from elsewhere, for orders that are older than the shop.
    """

    number: int
    customer: Json | None
    email: str | None
    phone: str | None
    address: Json | None
    items: list[Item]
    placed: datetime
    taxes_included: bool
    discount: Decimal = Decimal(0)
    code: str = ""
    currency: str = SHOP_CURRENCY
    imported: datetime | None = None
    cancelled: datetime | None = None
    reason: str | None = None
    paid: bool = True
    test: bool = False
    edited: bool = False
    source: str = "web"
    shipments: list[Shipment] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    note: str | None = None
    tags: list[str] = field(default_factory=list)
    attributes: list[Json] = field(default_factory=list)

    @property
    def id(self) -> str:
        """Its global id."""
        return f"gid://shopify/Order/{FIRST_ORDER + self.number}"

    @property
    def units(self) -> int:
        """Units to be sent."""
        return sum(item.current if self.edited else item.quantity for item in self.items)

    def rows(self) -> list[Json]:
        """Return the order and its lines as a bulk operation writes them."""
        return [self._order(), *(self._line(place, item) for place, item in enumerate(self.items, 1))]

    def money(self, amount: Decimal) -> Json:
        """Return an amount in the shop's currency and in the customer's."""
        abroad = (amount * RATES[self.currency]).quantize(CENTS.get(self.currency, Decimal("0.01")), ROUND_HALF_UP)
        return {
            "shopMoney": {"amount": written(amount), "currencyCode": SHOP_CURRENCY},
            "presentmentMoney": {"amount": written(abroad), "currencyCode": self.currency},
        }

    def _unit(self, item: Item) -> Decimal:
        return _cents(item.variant.price * (1 - self.discount))

    def _totals(self, *, current: bool) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        """Return sub-total, shipping, tax and total, of what was bought or of what is left."""
        counts = [(item, item.current if current else item.quantity) for item in self.items]
        subtotal = sum((self._unit(item) * count for item, count in counts), Decimal(0))
        shipping = Decimal(0) if self.discount == 1 or (current and not any(count for _, count in counts)) else SHIPPING
        tax = _cents(subtotal * TAX / (1 + TAX) if self.taxes_included else subtotal * TAX)
        return subtotal, shipping, tax, subtotal + shipping + (0 if self.taxes_included else tax)

    def _refunded(self) -> list[Decimal]:
        """Return each refund's amount; the last takes what rounding left where all is given back."""
        total = self._totals(current=False)[3]
        amounts = [_cents(total * each.share) for each in self.refunds]
        if sum(each.share for each in self.refunds) == 1 and amounts:
            amounts[-1] = total - sum(amounts[:-1], Decimal(0))
        return amounts

    def _financial(self) -> str | None:
        given = sum((each.share for each in self.refunds), Decimal(0))
        if given:
            return "REFUNDED" if given == 1 else "PARTIALLY_REFUNDED"
        if not self.paid:
            return "VOIDED" if self.cancelled else "PENDING"
        return "PAID"

    def _sent(self) -> str:
        sent = sum(each.units for each in self.shipments if each.status == "SUCCESS")
        if not sent:
            return "UNFULFILLED"
        return "FULFILLED" if sent >= self.units else "PARTIALLY_FULFILLED"

    def _order(self) -> Json:
        subtotal, shipping, tax, total = self._totals(current=False)
        refunded = self._refunded()
        full = sum((item.variant.price * item.quantity for item in self.items), Decimal(0))
        later = [*(each.at for each in self.shipments), *(each.at for each in self.refunds)]
        moments = [self.placed, self.imported, self.cancelled, *later]
        who = self.customer
        return {
            "id": self.id,
            "legacyResourceId": str(FIRST_ORDER + self.number),
            "name": f"#{1000 + self.number}",
            "confirmationNumber": f"SBX{self.number:06}",
            "email": self.email,
            "phone": self.phone,
            "test": self.test,
            "edited": self.edited,
            "confirmed": True,
            "createdAt": stamp(self.imported or self.placed),
            "processedAt": stamp(self.placed),
            "updatedAt": stamp(max(each for each in moments if each)),
            "closedAt": None,
            "cancelledAt": stamp(self.cancelled) if self.cancelled else None,
            "cancelReason": self.reason,
            "displayFinancialStatus": self._financial(),
            "displayFulfillmentStatus": self._sent(),
            "returnStatus": "NO_RETURN",
            "sourceName": self.source,
            "app": {"name": "Point of Sale" if self.source == "pos" else "Online Store"},
            "customerLocale": who["locale"] if who else None,
            "customerAcceptsMarketing": False,
            "tags": self.tags,
            "note": self.note,
            "discountCodes": [self.code] if self.code else [],
            "taxesIncluded": self.taxes_included,
            "currencyCode": SHOP_CURRENCY,
            "presentmentCurrencyCode": self.currency,
            "subtotalPriceSet": self.money(subtotal),
            "totalPriceSet": self.money(total),
            "currentTotalPriceSet": self.money(self._totals(current=True)[3]),
            "totalDiscountsSet": self.money(full - subtotal),
            "totalShippingPriceSet": self.money(shipping),
            "totalTaxSet": self.money(tax),
            "totalRefundedSet": self.money(sum(refunded, Decimal(0))),
            "customAttributes": self.attributes,
            "customer": _buyer(who) if who else None,
            "billingAddress": self.address,
            "shippingAddress": self.address,
            "fulfillments": [self._fulfillment(place, each) for place, each in enumerate(self.shipments, 1)],
            "refunds": [
                {
                    "id": f"gid://shopify/Refund/{(FIRST_ORDER + self.number) * 10 + place}",
                    "createdAt": stamp(each.at),
                    "note": None,
                    "totalRefundedSet": self.money(amount),
                }
                for place, (each, amount) in enumerate(zip(self.refunds, refunded, strict=True), 1)
            ],
        }

    def _fulfillment(self, place: int, shipment: Shipment) -> Json:
        number = f"SBX{self.number:06}{place}"
        return {
            "id": f"gid://shopify/Fulfillment/{(FIRST_ORDER + self.number) * 10 + place}",
            "name": f"#{1000 + self.number}-F{place}",
            "status": shipment.status,
            "displayStatus": "CANCELED" if shipment.status == "CANCELLED" else "FULFILLED",
            "createdAt": stamp(shipment.at),
            "deliveredAt": None,
            "totalQuantity": shipment.units,
            "trackingInfo": [{"company": "Sandbox Post", "number": number, "url": f"https://tracking.example/{number}"}],
        }

    def _line(self, place: int, item: Item) -> Json:
        variant = item.variant
        title, unit = item.title or variant.title, self._unit(item)
        picture = variant.pictured and not item.product_deleted
        return {
            "id": f"gid://shopify/LineItem/{FIRST_LINE + self.number * 100 + place}",
            "name": f"{title} - {variant.option}",
            "title": title,
            "variantTitle": variant.option,
            "sku": variant.sku,
            "vendor": "Sandbox Goods",
            "quantity": item.quantity,
            "currentQuantity": item.current,
            "isGiftCard": variant.gift_card,
            "requiresShipping": not variant.gift_card,
            "customAttributes": item.attributes,
            "originalUnitPriceSet": self.money(variant.price),
            "discountedUnitPriceAfterAllDiscountsSet": self.money(unit),
            "discountedTotalSet": self.money(unit * item.quantity),
            "image": {"url": f"https://sandbox-shop.example/files/{variant.sku.lower()}.jpg"} if picture else None,
            "product": None if item.product_deleted else _product(variant),
            "variant": None
            if item.product_deleted or item.variant_deleted
            else {
                "id": f"gid://shopify/ProductVariant/{variant.number}",
                "legacyResourceId": str(variant.number),
                "sku": variant.sku,
                "barcode": None,
            },
            PARENT: self.id,
        }


def written(amount: Decimal) -> str:
    """Write an amount as Shopify does: ``8600.0``, ``33.64``."""
    whole, _, rest = f"{amount:.2f}".partition(".")
    return f"{whole}.{rest.rstrip('0') or '0'}"


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def _buyer(customer: Json) -> Json:
    email, phone = customer["defaultEmailAddress"], customer["defaultPhoneNumber"]
    return {
        "id": customer["id"],
        "firstName": customer["firstName"],
        "lastName": customer["lastName"],
        "defaultEmailAddress": {"emailAddress": email["emailAddress"]} if email else None,
        "defaultPhoneNumber": {"phoneNumber": phone["phoneNumber"]} if phone else None,
    }


def _product(variant: Variant) -> Json:
    handle = variant.title.lower().replace(" ", "-")
    return {
        "id": f"gid://shopify/Product/{variant.product}",
        "legacyResourceId": str(variant.product),
        "handle": handle,
        "productType": variant.kind,
        "onlineStoreUrl": f"https://sandbox-shop.example/products/{handle}" if variant.published else None,
    }

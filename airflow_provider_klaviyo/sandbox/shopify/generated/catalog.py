# SPDX-License-Identifier: Apache-2.0
"""Names, places and products of the generated shop. Domains and phone numbers are reserved for fiction."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

FIRST_NAMES = [
    "Ada",
    "Amir",
    "Beatriz",
    "Chloé",
    "Daniel",
    "Elif",
    "Emeka",
    "Farah",
    "Grace",
    "Hana",
    "Ivan",
    "Jana",
    "José",
    "Kofi",
    "Leila",
    "Liam",
    "Mara",
    "Mateo",
    "Mia",
    "Nadia",
    "Noah",
    "Olga",
    "Omar",
    "Paula",
    "Quentin",
    "Rosa",
    "Sam",
    "Sofia",
    "Tariq",
    "Uma",
    "Viktor",
    "Wei",
    "Ximena",
    "Yara",
    "Zoë",
]
LAST_NAMES = [
    "Adeyemi",
    "Baker",
    "Castillo",
    "Díaz",
    "Eriksen",
    "Fischer",
    "Garcia",
    "Haddad",
    "Ivanova",
    "Jansen",
    "Kowalski",
    "Larsen",
    "Müller",
    "Nakamura",
    "O'Brien",
    "Patel",
    "Quinn",
    "Rossi",
    "Schmidt",
    "Tanaka",
    "Ueda",
    "Vargas",
    "Walker",
    "Xu",
    "Young",
    "Zimmermann",
]
DOMAINS = ("example.com", "example.org", "example.net")
TAGS = ("VIP", "wholesale", "newsletter", "returning", "gift buyer")


@dataclass(frozen=True, slots=True)
class Place:
    """
    A town.

    :param phone: A national number as people type it, with ``{}`` for its last three digits.
    """

    city: str
    province: str | None
    province_code: str | None
    country: str
    code: str
    zip: str
    latitude: float
    longitude: float
    zone: str
    phone: str
    locale: str


PLACES = (
    Place(
        "Seattle", "Washington", "WA", "United States", "US", "98101", 47.6062, -122.3321, "America/Los_Angeles", "(206) 555-0{}", "en-US"
    ),
    Place("Chicago", "Illinois", "IL", "United States", "US", "60601", 41.8781, -87.6298, "America/Chicago", "312.555.0{}", "en-US"),
    Place("New York", "New York", "NY", "United States", "US", "10001", 40.7128, -74.006, "America/New_York", "212-555-0{}", "en-US"),
    Place("Toronto", "Ontario", "ON", "Canada", "CA", "M5H 2N2", 43.6532, -79.3832, "America/Toronto", "416 555 0{}", "en-CA"),
    Place("London", "England", "ENG", "United Kingdom", "GB", "SW1A 1AA", 51.5074, -0.1278, "Europe/London", "07700 900{}", "en-GB"),
    Place("Berlin", None, None, "Germany", "DE", "10115", 52.52, 13.405, "Europe/Berlin", "030 23125 {}", "de-DE"),
    Place("Lyon", None, None, "France", "FR", "69001", 45.764, 4.8357, "Europe/Paris", "06 39 98 0{}", "fr-FR"),
    Place("Sydney", "New South Wales", "NSW", "Australia", "AU", "2000", -33.8688, 151.2093, "Australia/Sydney", "02 5550 0{}", "en-AU"),
)
STREETS = ("Alder Street", "Birch Lane", "Canal Road", "Dock Street", "Elm Avenue", "Fern Way", "Garden Row", "Hill Road")
# North America keeps 555-0100 to 555-0199 of each area for fiction.
AREAS = ("206", "312", "212", "415", "503", "617", "702", "713", "720", "803", "901", "918")


@dataclass(frozen=True, slots=True)
class Variant:
    """Something to buy."""

    product: int
    number: int
    title: str
    option: str
    kind: str
    sku: str
    price: Decimal
    published: bool
    pictured: bool
    gift_card: bool = False


_GOODS = (
    ("Ash Desk Lamp", "Lighting", "64.50", ("Oak", "Walnut")),
    ("Beeswax Candle", "Lighting", "12.0", ("Small", "Large")),
    ("Canvas Tote", "Bags", "24.90", ("Natural", "Navy", "Olive")),
    ("Day Pack", "Bags", "89.0", ("18 l", "24 l")),
    ("Enamel Mug", "Kitchen", "14.99", ("White", "Blue")),
    ("Fennel Tea", "Food", "7.25", ("100 g", "250 g")),
    ("Garden Gloves", "Garden", "18.0", ("S", "M", "L")),
    ("Hemp Apron", "Kitchen", "39.95", ("One size",)),
    ("Iron Trivet", "Kitchen", "22.0", ("Round", "Square")),
    ("Juniper Soap", "Bath", "8.50", ("Single", "Three")),
    ("Knit Blanket", "Home", "129.0", ("Grey", "Rust")),
    ("Linen Towel", "Bath", "34.0", ("Sand", "Sea")),
    ("Maple Board", "Kitchen", "58.75", ("Small", "Large")),
    ("Notebook", "Paper", "16.0", ("Plain", "Ruled", "Dotted")),
    ("Olive Oil", "Food", "19.90", ("500 ml", "1 l")),
    ("Gift Card", "Gift Cards", "50.0", ("50", "100")),
)
VARIANTS = tuple(
    Variant(
        product=9_700_000_000_000 + number,
        number=48_700_000_000_000 + number * 10 + place,
        title=title,
        option=option,
        kind=kind,
        sku="-".join([*(word[:2].upper() for word in title.split()), f"{number:02}", f"{place}"]),
        price=Decimal(price) * (2 if title == "Gift Card" and place else 1) + (0 if title == "Gift Card" else place),
        published=number % 7 != 0,
        pictured=number % 5 != 0,
        gift_card=title == "Gift Card",
    )
    for number, (title, kind, price, options) in enumerate(_GOODS, 1)
    for place, option in enumerate(options)
)

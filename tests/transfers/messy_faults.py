# SPDX-License-Identifier: Apache-2.0
"""What is wrong with order lines, and what must become of a line that has it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal, NamedTuple

Database = Literal["postgres", "sqlite"]
BOTH: tuple[Database, ...] = ("postgres", "sqlite")
Change = Callable[["Line", Random], Mapping[str, Any]]


class Line(NamedTuple):
    """A line of an order, as the table has it. Numbers with a fraction are texts here, which every database reads."""

    line_no: int
    line_id: str | None
    invoice_no: str
    stock_code: str
    description: str | None
    quantity: int
    unit_price: str
    amount: str
    invoice_date: str | None
    customer_id: str | None
    email: str | None
    phone: str | None
    country: str | None
    options: str | None
    delivered_at: str | None


@dataclass(frozen=True)
class Fault:
    """
    What is wrong with some lines.

    :param lines: How many of all have it.
    :param change: The columns that are different.
    :param code: Of the rejection; the line is accepted without one.
    :param dropped: The optional field that is left out of an accepted line, and why.
    :param dropped_in: The same, where it hangs on the database.
    :param worthless_in: Where an accepted line comes without a value.
    """

    lines: int
    change: Change
    code: str = ""
    dropped: str = ""
    dropped_in: Mapping[Database, str] = field(default_factory=dict)
    worthless_in: Collection[Database] = ()


def one_of(column: str, *values: str | None) -> Change:
    """Return a change of a column to any of the values."""
    return lambda _, chance: {column: chance.choice(values)}


def unknown_but_by(column: str, *values: str) -> Change:
    """Return a change to somebody who is known by one column alone."""
    return lambda _, chance: {"customer_id": None, "email": None, "phone": None, column: chance.choice(values)}


BAD_EMAILS = (
    *("sarah.example.com", "sarah@@example.com", "sarah jones@example.com", "sarah@", "@example.com", "sarah@localhost"),
    *("sarah@example..com", ".sarah@example.com", "Sarah <sarah@example.com>", "a@example.com;b@example.com", "mailto:sarah@example.com"),
    *("n/a", "sarah@example.com.", f"{'s' * 65}@example.com", f"sarah@{'example.' * 40}com"),
)
BAD_PHONES = ("12", "n/a", "00000000000", "07400 12", "+44 0", "123456789012345678", "call me", "+")
BROKEN = (
    '{"gift": true',
    "{'gift': true}",
    "gift",
    '"gift"',
    " 3 ",
    '{"gift": tru}',
    '{"n": ' + "9" * 5_000 + "}",
    "[" * 20_000 + "]" * 20_000,
)
DEEP: Any = "bottom"
for _ in range(12):
    DEEP = {"in": DEEP}

FAULTS = {
    "a guest's e-mail address is malformed": Fault(
        1_200, unknown_but_by("email", *BAD_EMAILS), "no_identifier", "profile.email: bad_email"
    ),
    "a caller's number is none": Fault(300, unknown_but_by("phone", *BAD_PHONES), "no_identifier", "profile.phone_number: bad_phone"),
    "no date": Fault(900, one_of("invoice_date", None, "", "  "), "bad_time"),
    "no date that is one": Fault(
        900, one_of("invoice_date", "01/12/2010 08:26", "2010-02-30T10:00:00+00:00", "0000-00-00", "yesterday", "1291191960"), "bad_time"
    ),
    "no time zone": Fault(2_000, one_of("invoice_date", "2010-12-01 08:26:00", "2011-03-27T01:30:00", "2011-06-30"), "naive_time"),
    "the beginning of time": Fault(
        420,
        one_of("invoice_date", "1970-01-01T00:00:00+00:00", "1899-12-30T00:00:00Z", "0001-01-01T00:00:00+05:00"),
        "time_out_of_range",
    ),
    "the end of time": Fault(
        350, one_of("invoice_date", "2099-12-31T23:59:59Z", "9999-12-31T23:59:59-05:00", "2911-06-30T10:00:00+01:00"), "time_out_of_range"
    ),
    "an id without end": Fault(120, lambda line, _: {"line_id": f"{line.line_id}-{'9' * 255}"}, "unique_id_too_long"),
    "broken JSON": Fault(600, one_of("options", *BROKEN), dropped="properties.Options: unconvertible"),
    "a malformed e-mail address": Fault(800, one_of("email", *BAD_EMAILS), dropped="profile.email: bad_email"),
    "no number to call": Fault(700, one_of("phone", *BAD_PHONES), dropped="profile.phone_number: bad_phone"),
    "an amount that is no number": Fault(
        300,
        one_of("amount", "NaN"),
        dropped_in={"sqlite": "value: bad_value"},
        worthless_in=BOTH,  # a null, where NaN is a number
    ),
    "an amount beyond all numbers": Fault(  # which SQLite makes infinite
        50,
        one_of("amount", "1E400", "-1E400"),
        dropped_in={"postgres": "value: number_too_large", "sqlite": "value: not_a_number"},
        worthless_in=BOTH,
    ),
    "an amount beyond 64 bits": Fault(  # of which SQLite makes a fraction
        10, one_of("amount", "10000000000000000000"), dropped_in={"postgres": "value: number_too_large"}, worthless_in={"postgres"}
    ),
    "half a character": Fault(90, one_of("options", r'["\ud83d"]', r'{"note": "\udc00"}'), dropped="properties.Options: not_unicode"),
    "a count beyond 64 bits": Fault(60, one_of("options", f'{{"n": {2**70}}}'), dropped="properties.Options: number_too_large"),
    "JSON that is no JSON": Fault(50, one_of("options", '{"n": NaN}', "[1, -Infinity]"), dropped="properties.Options: not_a_number"),
    "a well": Fault(40, one_of("options", json.dumps(DEEP)), dropped="properties.Options: too_deep"),
    "a novel": Fault(3, one_of("description", "ß" * 50_001), dropped="properties.ProductName: text_too_long"),
    "a delivery in no time zone": Fault(
        500, one_of("delivered_at", "2011-01-02 10:00:00"), dropped_in={"postgres": "properties.Delivered: naive_time"}
    ),
    "no id": Fault(400, one_of("line_id", None, "", "   ")),
    "options": Fault(9_000, one_of("options", '{"gift": true, "note": "für Zoë 🎁"}', "[]", "null", "", "  ")),
}
"""Each line has one of them at most, so that what becomes of it is beyond doubt."""
